/* orchestrator/cli/manual_file - the manual page of the stack file, stack-file(5). */
#pragma once
#include <stdio.h>

/* Written from the page of keys that the tables of specs/ make (specs/support). */
void manual_file_print(FILE *out, const char *version);

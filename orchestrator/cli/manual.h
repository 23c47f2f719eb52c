/* orchestrator/cli/manual - man pages from the command tables (roff, man(7) macros). */
#pragma once
#include <stdio.h>

#include "orchestrator/cli/options.h"

/* One page, ROOT.1: all commands with their flags and examples, sorted as the tables are. */
void manual_print(FILE *out, const struct command *root, const char *version);

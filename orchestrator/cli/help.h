/* orchestrator/cli/help - help texts from the command tables. */
#pragma once
#include <stdio.h>

#include "orchestrator/cli/options.h"

/* Help of the command that was named: usage, sentence, commands by heading, flags in columns with
 * their choices, defaults and variables, examples. Global flags only in the root's help; others
 * point there. */
void help_print(FILE *out, const struct options *options);
/* "stack up [OPTIONS] [SERVICE...]" without a newline. */
void help_print_usage(FILE *out, const struct command *command, const char *path);

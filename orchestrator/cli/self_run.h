/* orchestrator/cli/self_run - another command of our own program, about the same project. Blocks.
 */
#pragma once
#include "orchestrator/cli/cli.h"

/* `stack` with the global flags that this command was given (files, name, roots ...) and these
 * words (NULL-terminated). Its exit status; -1 with *err when it cannot be started. */
int self_run(const struct cli *cli, const char *const *words, struct err *err);

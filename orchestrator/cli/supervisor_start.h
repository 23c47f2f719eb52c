/* orchestrator/cli/supervisor_start - a command leaves a supervisor behind. */
#pragma once
#include "base/err.h"
#include "orchestrator/cli/cli.h"

/* Starts the supervisor of the project as a process of its own and waits until it takes requests.
 * ERR_BUSY: another one has the project. Blocks. */
int supervisor_start(struct cli *cli, const char *project, struct err *err);

/* orchestrator/cli/cmd_watch - the watch beside `up --watch`. */
#pragma once
#include <sys/types.h>

#include "orchestrator/cli/cli.h"

/* Before the services start: with rules that say initial_sync the containers are made and get their
 * files. Without such rules nothing is done. */
int watch_prepare(struct cli *cli, const struct project *project, const char *const *services,
		  struct err *err);
/* A process that watches until it is killed or we end. ERR_INVALID: nothing to watch. */
pid_t watch_beside(struct cli *cli, const struct project *project, const char *const *services,
		   struct err *err);

/* orchestrator/cli/cmd_containers - the group `container`: what other rooms add to it and take from
 * it. */
#pragma once
#include "orchestrator/cli/cli.h"

/* Removes stopped containers of every project, IDs on stdout; a project that fails is told as a
 * warning. */
int containers_prune(struct cli *cli, struct err *err);

/* cmd_stats, cmd_cp */
extern const struct option_row stats_options[], container_export_options[];
command_run container_stats_command, container_export_command;

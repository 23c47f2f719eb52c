/* orchestrator/cli/cmd_containers - the group `container`: what other rooms add to it and take from
 * it. */
#pragma once
#include "orchestrator/cli/cli.h"
#include "orchestrator/cli/view.h"

/* Removes stopped containers of every project, IDs on stdout; a project that fails is told as a
 * warning. */
int containers_prune(struct cli *cli, struct err *err);

/* Waits for the end of a running container: its status, -1 with *err. */
int wait_for_record(const struct view *view, const struct record *record, struct err *err);

/* cmd_stats, cmd_cp */
extern const struct option_row stats_options[], container_export_options[], container_cp_options[];
command_run container_stats_command, container_export_command, container_cp_command;

/* cmd_container_ops */
extern const struct option_row container_stop_options[], container_kill_options[],
	container_rm_options[], container_update_options[];
command_run container_start_command, container_stop_command, container_restart_command,
	container_kill_command, container_pause_command, container_unpause_command,
	container_rm_command, container_rename_command, container_update_command;

/* cmd_container_look */
extern const struct option_row container_logs_options[], container_exec_options[],
	container_attach_options[];
command_run container_logs_command, container_top_command, container_port_command,
	container_wait_command, container_diff_command, container_exec_command,
	container_attach_command;

/* cmd_commit */
extern const struct option_row container_commit_options[];
command_run container_commit_command;

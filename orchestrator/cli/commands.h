/* orchestrator/cli/commands - the functions behind the command table of main, one row there each.
 * All are command_run: the exit status, or -1 with *err. */
#pragma once
#include "orchestrator/cli/cli.h"

/* Rows of examples in the tables: command line, what it does, ... */
#define EXAMPLES(...)                                                                              \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* cmd_project: what changes a project */
extern const struct option_row up_options[], down_options[], create_options[], stop_options[],
	restart_options[], kill_options[], rm_options[], pull_options[], plan_options_table[],
	scale_options[];
command_run up_command, down_command, create_command, start_command, stop_command, restart_command,
	kill_command, rm_command, pause_command, unpause_command, scale_command, pull_command,
	plan_command;

/* cmd_commit, cmd_push */
extern const struct option_row commit_options[], push_options[];
command_run commit_command, push_command;

/* cmd_watch */
extern const struct option_row watch_options[];
command_run watch_command;

/* cmd_inspect: what looks */
extern const struct option_row ps_options[], logs_options[], ls_options[], images_options[],
	port_options[], events_options[], version_options[];
command_run ps_command, logs_command, ls_command, images_command, port_command, top_command,
	events_command, version_command;

/* cmd_enter: what goes into a container */
extern const struct option_row exec_options[], run_options[], attach_options[];
command_run exec_command, run_command, attach_command;

/* cmd_image: images of the machine */
extern const struct option_row image_ls_options[], image_pull_options[], image_rm_options[],
	image_load_options[], image_save_options[], image_inspect_options[];
command_run image_ls_command, image_pull_command, image_rm_command, image_load_command,
	image_save_command, image_inspect_command, image_tag_command;

/* cmd_build */
extern const struct option_row build_options[], image_build_options[];
command_run build_command, image_build_command;

/* cmd_container */
extern const struct option_row inspect_options[];
command_run inspect_command;

/* cmd_registry */
extern const struct option_row image_push_options[], login_options[];
command_run image_push_command, login_command, logout_command;

/* cmd_check */
extern const struct option_row check_options[];
command_run check_command;

/* cmd_config */
extern const struct option_row config_options_table[];
command_run config_command;

/* cmd_export: the children of `export` */
extern const struct command export_commands[];

/* cmd_system */
extern const struct option_row supervisor_stop_options[];
command_run supervisor_status_command, supervisor_stop_command, supervisor_logs_command,
	complete_command, completion_command, manual_command;

/* cmd_boot: over reboots */
extern const struct option_row supervisor_run_options[];
command_run rollback_command, restore_command, enable_command, disable_command,
	supervisor_run_command, supervisor_reload_command;

/* cmd_why: what explains */
extern const struct option_row why_options[], status_options[];
command_run why_command, status_command;

/* cmd_volume: the group `volume`, and volumes of a project */
extern const struct command volume_commands[];
extern const struct option_row volumes_options[];
command_run volumes_command;

/* cmd_network, cmd_secret: groups */
extern const struct command network_commands[], secret_commands[];

/* cmd_wait, cmd_stats, cmd_cp; cmd_containers: the group `container` */
extern const struct option_row wait_options[], stats_options[], cp_options[], export_options[];
extern const struct command container_commands[];
command_run wait_command, stats_command, cp_command, export_command;

/* cmd_maintenance: images looked after; cmd_machine: system df, prune, info */
extern const struct option_row image_prune_options[], image_history_options[],
	image_verify_options[], image_import_options[], image_export_options[], df_options[],
	system_prune_options[], info_options[];
command_run image_prune_command, image_history_command, image_verify_command, image_import_command,
	image_export_command, df_command, system_prune_command, info_command;

/* cmd_past: former models, the graph */
extern const struct option_row history_options[], graph_options[];
command_run history_command, graph_command;

# orchestrator/cli/ - program stack: one command, then exit.
SRCS_orchestrator/cli :=
USES_orchestrator/cli := orchestrator $(USES_orchestrator)

# options, help, output
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,options.c options_parse.c options_table.c help.c \
	output.c human.c template.c template_call.c template_print.c progress.c complete.c manual.c)
TESTS += $(addprefix tests/orchestrator/cli/,test_boot test_client test_options test_output test_template test_progress test_complete \
	test_reasons test_request test_transfer_view test_usage test_words)
TESTS += $(addprefix tests/orchestrator/cli/,test_attach test_run_definition test_tree_watch test_watch_rules)
FUZZERS += tests/fuzz/fuzz_template

# the program and its commands
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,cmd_container_look.c cmd_container_ops.c container_diff.c manual_file.c cmd_commit.c cmd_push.c commit_image.c cmd_complete.c row_size.c cmd_images.c cmd_watch.c self_run.c sync_in.c tree_watch.c watch_do.c watch_rules.c)
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,attach.c cli.c client.c supervisor_start.c cmd_check.c cmd_config.c cmd_container.c cmd_down.c cmd_export.c cmd_enter.c \
	cmd_image.c cmd_inspect.c cmd_logs.c cmd_ls.c cmd_operate.c cmd_project.c cmd_registry.c cmd_run.c cmd_system.c dry_run.c events_view.c follow.c logs.c operate.c request.c \
	rows.c run_definition.c rows_inspect.c top.c transfer_view.c cmd_pull.c)

SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,exposed.c image_filter.c refusals.c)
TESTS += tests/orchestrator/cli/test_exposed

# what explains and maintains
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,cmd_containers.c cmd_cp.c cmd_machine.c cmd_maintenance.c \
	cmd_network.c cmd_network_connect.c cmd_past.c cmd_secret.c cmd_stats.c cmd_volume.c cmd_volume_move.c packing.c \
	cmd_wait.c cmd_why.c container_root.c copy_between.c event_list.c \
	graph.c hold.c machine.c reasons.c rows_network.c usage.c view.c \
	words.c)
PROGRAMS += stack
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,boot.c cmd_boot.c)
MAIN_stack := orchestrator/cli/main.c
FOLDER_stack := orchestrator/cli
NEAR_stack := json-c uv zstd yaml z

# make man: the manual page, printed by the program from its own tables
.PHONY: man
man: $(BUILD)/stack.1
$(BUILD)/stack.1: $(BUILD)/stack
	$< manual >$@

# builds
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,build_flags.c build_follow.c build_project.c build_view.c \
	cmd_build.c)
TESTS += $(addprefix tests/orchestrator/cli/,test_build_flags test_build_view)

# orchestrator/ - many containers, one project. The only folder that knows libuv.
SRCS_orchestrator := $(addprefix orchestrator/,adopt.c apply.c bundle.c bundle_linux.c bundle_log.c bundle_monitor.c bundle_seccomp.c change.c change_connect.c change_net.c \
                     change_ready.c change_run.c change_sync.c slot_launch.c check.c connections.c container_find.c control.c desired.c events.c exec.c flow.c health.c \
                     image_cache.c launch.c log_files.c log_line.c log_reader.c model.c names.c observe.c network.c \
                     network_spec.c ops.c plan.c plan_actions.c plan_graph.c plan_json.c plan_ops.c plan_reason.c plan_service.c probe.c \
                     profile.c profile_seccomp.c publish.c publish_zone.c pull.c record_make.c records.c roots.c run_request.c service.c settings.c slot.c \
                     skeleton.c slot_end.c release_word.c slot_files.c slot_names.c slot_remove.c slot_start.c slot_stop.c spawn.c storage.c \
                     storage_check.c storage_files.c storage_mounts.c storage_volumes.c supervisor.c)
USES_orchestrator := specs specs/export images images/dockerfile netplug volumes base
PKGS_orchestrator := libuv
SRCS_orchestrator += $(addprefix orchestrator/,transfer.c transfer_image.c transfer_layer.c \
	transfer_loop.c transfer_login.c transfer_policy.c transfer_progress.c transfer_push.c transfer_resolve.c transfer_rights.c transfer_store.c transfer_tags.c \
	transfer_upload.c)
SRCS_orchestrator += $(addprefix orchestrator/,adopt_net.c names_ports.c names_renew.c names_start.c network_back.c network_drop.c \
	network_fill.c network_foreign.c network_gather.c network_prepare.c network_repair.c reattach.c repair.c)
SRCS_orchestrator += $(addprefix orchestrator/,cdi.c change_observe.c condition.c cron.c limits.c model_mix.c network_stray.c notify.c plan_rolling.c ready.c reload.c restore.c rollback.c schedule.c settle.c values.c)
KTESTS += tests/orchestrator/k_transfer
SRCS_orchestrator += orchestrator/update.c orchestrator/idle.c orchestrator/idle_ports.c orchestrator/idle_table.c orchestrator/network_idle.c
SRCS_orchestrator += orchestrator/change_images.c orchestrator/image_change.c
TESTS += tests/orchestrator/test_image_change
KTESTS += tests/orchestrator/k_transfer_crash
TESTS += $(addprefix tests/orchestrator/,test_plan test_service test_profile test_flow \
	test_records test_profile_seccomp test_bundle_seccomp test_events test_spawn test_control \
	test_model test_desired test_roots test_observe test_bundle test_bundle_monitor test_plan_reason \
	test_log_reader test_settings)
TESTS += $(addprefix tests/orchestrator/,test_idle_table test_update test_cdi test_condition test_cron test_health test_limits test_model_mix test_notify test_ready test_release_word test_restore)
FUZZERS += tests/fuzz/fuzz_log_line
TESTS += $(addprefix tests/orchestrator/,test_apply_walk test_transfer_tags test_publish_zone test_container_names test_model_merge test_plan_ops test_run_request)
SRCS_orchestrator += orchestrator/container_names.c orchestrator/model_merge.c

# builds
SRCS_orchestrator += $(addprefix orchestrator/,build.c build_base.c build_control.c build_event.c build_job.c \
	build_mount.c build_names.c build_net.c build_result.c build_run.c build_service.c build_share.c build_source.c \
	build_stage.c build_step.c build_step_run.c build_work.c cgroup_folders.c)
TESTS += $(addprefix tests/orchestrator/,test_build_control test_build_event test_build_names test_build_service)

# many starts at once
SRCS_orchestrator += orchestrator/apply_walk.c orchestrator/launch_spawn.c orchestrator/nursery.c
TESTS += tests/orchestrator/test_nursery
SRCS_orchestrator += orchestrator/request_check.c
TESTS += $(addprefix tests/orchestrator/,test_damaged_state test_connections test_request_check \
	test_container_find test_network_spec test_rewire)
SRCS_orchestrator += orchestrator/rewire.c

# runtime/ - one container; program stack-runtime, statically linked: it starts fast and loads nothing.
SRCS_runtime := $(addprefix runtime/,capability.c cgroup.c cgroup_control.c cgroup_files.c \
                cgroup_join.c cgroup_make.c dbus.c dbus_text.c systemd_unit.c \
                cgroup_stats.c cgroup_systemd.c cgroup_v1.c cgroup_v1_devices.c cgroup_v2.c \
                cgroup_v2_devices.c config.c debug_log.c config_decode.c config_linux.c config_process.c \
                config_resources.c config_seccomp.c console.c create.c create_attend.c create_clone.c create_sources.c \
                device_rules.c devices.c errtext.c exec.c exec_child.c features.c hooks.c init.c label.c lifecycle.c \
                limits.c mount_options.c mounts.c mounts_cgroup.c mounts_copy.c namespaces.c \
                net_device.c options.c privileges.c program.c relay.c rootfs.c rootpath.c \
                seccomp.c settle.c state.c sync.c)
USES_runtime := base
PKGS_runtime := libseccomp
LDLIBS_runtime := -lm
# The program: its verbs beside main.
SRCS_runtime += $(addprefix runtime/,verb_control.c verb_create.c verb_events.c verb_exec.c \
                verb_show.c verb_spec.c verb_table.c verb_update.c)
PROGRAMS              += stack-runtime
MAIN_stack-runtime    := runtime/main.c
FOLDER_stack-runtime  := runtime
LINK_stack-runtime    := -static-pie
# Process 1 of containers with `init: true`: inside, so that it is small and needs nothing.
PROGRAMS              += stack-init
MAIN_stack-init       := runtime/stack_init.c
FOLDER_stack-init     := base
LINK_stack-init       := -static -no-pie
TESTS   += tests/runtime/test_systemd tests/runtime/test_config tests/runtime/test_mount_options \
           tests/runtime/test_device_rules tests/runtime/test_small_rooms
KTESTS  += tests/runtime/k_create
FUZZERS += tests/fuzz/fuzz_runtime_config tests/fuzz/fuzz_runtime_dbus
# The monitor's rooms.
SRCS_runtime += $(addprefix runtime/,attach_hub.c attach_replay.c attach_socket.c exec_session.c layer_keeper.c \
                log_file.c log_journal.c log_record.c log_writer.c monitor.c monitor_end.c \
                monitor_foreign.c monitor_layer.c monitor_log.c monitor_loop.c monitor_own.c monitor_setup.c \
                monitor_spec.c netns.c nursery.c poller.c probe.c reaper.c terminal.c)
PKGS_runtime += zlib
TESTS        += tests/runtime/test_monitor_spec tests/runtime/test_log_record \
                tests/runtime/test_log_file tests/runtime/test_monitor_log \
                tests/runtime/test_terminal tests/runtime/test_attach_hub
KTESTS       += tests/runtime/k_layer_keeper tests/runtime/k_netns tests/runtime/k_probe tests/runtime/k_monitor \
                tests/runtime/k_monitor_attach tests/runtime/k_monitor_faults tests/runtime/k_nursery
FUZZERS      += tests/fuzz/fuzz_runtime_monitor_spec
TESTS        += tests/runtime/test_damaged_state

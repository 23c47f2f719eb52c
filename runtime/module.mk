# runtime/ - one container; program stack-runtime, statically linked: it starts fast and loads nothing.
SRCS_runtime := 
USES_runtime := base
PKGS_runtime := libseccomp libcap
# The monitor's rooms.
SRCS_runtime += runtime/log_file.c runtime/log_journal.c runtime/log_record.c runtime/log_writer.c \
                runtime/monitor_log.c runtime/monitor_spec.c runtime/netns.c runtime/terminal.c
PKGS_runtime += zlib
TESTS        += tests/runtime/test_monitor_spec tests/runtime/test_log_record \
                tests/runtime/test_log_file tests/runtime/test_monitor_log tests/runtime/test_terminal
KTESTS       += tests/runtime/k_netns

/* runtime/monitor - the verb `stack-runtime monitor`: parent, reaper and scribe of one life of one
 * container.
 *
 * Started with fd 3 = monitor.json, fd 4 = config.json (both open for reading), fd 5 = one end of a
 * SOCK_SEQPACKET pair whose other end is the supervisor's. docs/monitor.md is the contract: the
 * words on the pair, the socket in the run folder, exit.json.
 */
#pragma once

#define MONITOR_SPEC_FD   3
#define MONITOR_CONFIG_FD 4
#define MONITOR_PAIR_FD   5

/* Exit codes of exit.json where no program ran. */
#define MONITOR_CODE_FAILED         125
#define MONITOR_CODE_NOT_EXECUTABLE 126
#define MONITOR_CODE_NOT_FOUND      127

/* Runs the life to its end; returns the exit status of the monitor itself: 0 when exit.json was
 * written (the container's own code stands there), 1 when not even that was possible. No arguments
 * but --version and --help. For processes with one thread, started for this alone. */
int monitor_main(int argc, char **argv);

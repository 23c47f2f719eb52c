/* runtime/nursery - the verb `stack-runtime nursery`: bears monitors by fork, for callers that
 * start many at once. An execve costs each of them its start-up (relocation, CPU features, page
 * faults) and the caller's kernel the closing of all descriptors.
 *
 * Started with fd 3 = one end of a SOCK_SEQPACKET pair; fd 2 and fd 6 (trace) are those of the
 * monitors. docs/monitor.md is the contract. */
#pragma once

#define NURSERY_SOCKET_FD 3
#define NURSERY_FD_COUNT  3 /* monitor.json, config.json, the pair: the monitor's 3, 4, 5 */
#define NURSERY_NAME_LEN  64

/* Serves until the other end is closed. argv must be the process's own: the monitor's words are
 * written over them, so that people and launch_find see a monitor. Returns the exit status. */
int nursery_main(int argc, char **argv);

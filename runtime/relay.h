/* runtime/relay - the foreground of run and exec: signals forwarded, the terminal copied, children
 * reaped. */
#pragma once
#include <signal.h>
#include <sys/types.h>

#include "base/err.h"

/* Blocks every signal that is to be forwarded; call before the container starts. Returns a
 * signalfd. */
int relay_signals(sigset_t *out_old, struct err *err);
/* Until `pid` has ended: exit code, or 128 + signal. console_fd: the pty's master or -1. */
int relay_wait(pid_t pid, int pidfd, int console_fd, int signal_fd, struct err *err);
/* What a terminal still holds, to our stdout: the last words of a program that never ran. */
void relay_drain(int console_fd);
/* The size of our terminal, 0 x 0 without one. */
void relay_terminal_size(unsigned *out_height, unsigned *out_width);
/* Sends a descriptor with a name over the unix socket at path: --console-socket and --pidfd-socket.
 */
int relay_send_fd(const char *path, const char *name, int fd, struct err *err);

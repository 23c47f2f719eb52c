/* runtime/terminal - window sizes, and the near end of an OCI runtime's console socket.
 *
 * Knows nothing of containers: the monitor and exec use it for the masters that they hold.
 * ioctl_tty(2). Nothing here blocks but terminal_receive.
 */
#pragma once
#include "base/err.h"

/* Rows and columns; 0 is allowed and means unknown. */
int terminal_resize(int fd, unsigned rows, unsigned columns, struct err *err);

/* Takes one connection from a listening socket and one master from it; timeout_ms -1: for ever.
 * Returns the master (close-on-exec) or -1. INVALID: no descriptor, several, or no terminal; what
 * came is closed. */
int terminal_receive(int listen_fd, int timeout_ms, struct err *err);

/* runtime/terminal - pty pairs, window sizes, raw mode, and the console socket of OCI runtimes.
 *
 * Knows nothing of containers: init uses it for /dev/console, `run` and `exec` for the caller's
 * terminal, the monitor for what it holds. ioctl_tty(2), pts(4). Nothing here blocks but
 * terminal_receive and _send.
 */
#pragma once
#include <stdbool.h>
#include <termios.h>

#include "base/err.h"

/* A new pair from the devpts instance whose ptmx is dir_fd/path ("pts/ptmx" below an open /dev).
 * The slave comes by TIOCGPTPEER, never by its name; both close-on-exec and the caller's, neither
 * becomes the controlling terminal. The multiplexer must be a character device 5:2 on a devpts,
 * else INVALID. */
int terminal_open(int dir_fd, const char *path, int *out_master, int *out_slave, struct err *err);
/* Number N of /dev/pts/N of a master; -1 with errno. */
int terminal_number(int master_fd);

/* Rows and columns; 0 is allowed and means unknown. */
int terminal_resize(int fd, unsigned rows, unsigned columns, struct err *err);
/* False, and both 0, when fd is no terminal. */
bool terminal_size(int fd, unsigned *out_rows, unsigned *out_columns);

/* Puts the caller's terminal into raw mode, output processing kept, and remembers in *saved how it
 * was. False when fd is no terminal (nothing to restore). */
bool terminal_raw(int fd, struct termios *saved);
void terminal_restore(int fd, const struct termios *saved);
/* Clears ONLCR of the pty, so that captured output has no carriage returns. */
int terminal_no_cr(int fd, struct err *err);

/* The console socket: connects to the unix stream socket at path and sends the master with its name
 * as the text, one message. The master stays the caller's. */
int terminal_send(const char *socket_path, int master_fd, const char *name, struct err *err);
/* The other side: takes one connection from a listening socket and one master from it; timeout_ms
 * -1: for ever. Returns the master (close-on-exec) or -1. */
int terminal_receive(int listen_fd, int timeout_ms, struct err *err);

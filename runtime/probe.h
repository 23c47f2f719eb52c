/* runtime/probe - is somebody there, asked from inside a network namespace.
 *
 * Enters the namespace for a moment (runtime/netns); for processes with one thread. sock_diag(7).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Whether some TCP socket (IPv4 or IPv6, any address) listens on that port there. */
int probe_listens(int netns_fd, uint16_t port, bool *out_listens, struct err *err);

/* Begins a TCP connection from there: host is an IPv4 or IPv6 address. Returns a non-blocking
 * socket whose connection is established or under way (poll for writing, then probe_connected), the
 * caller's. */
int probe_connect(int netns_fd, const char *host, uint16_t port, struct err *err);
/* What became of it: 0, or -1 with connect's error. */
int probe_connected(int fd, struct err *err);

/* netplug/port_socket - placeholder sockets: bound, never listening. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "netplug/address.h"

/* Binds address:port (0: any) in the caller's namespace. SO_REUSEADDR is on while it binds, as
 * connections of a former holder may linger in TIME_WAIT, and off afterwards, so that nobody else
 * gets in. IPv6 sockets are for IPv6 alone. -1 with errno; ESOCKTNOSUPPORT: the kernel lacks the
 * protocol. */
int port_socket_bind(const struct address *address, uint8_t protocol, uint16_t port);
/* Makes it listen, and what it accepts no hindrance to the next who binds the port: connections in
 * TIME_WAIT outlive us. -1 with errno. */
int port_socket_listen(int fd, int backlog);
/* Still bound, but it refuses: Linux takes a socket that is shut for reading out of LISTEN. */
void port_socket_deafen(int fd);
/* The number that the system chose. */
uint16_t port_socket_number(int fd);
/* *err for an errno of the bind; EADDRINUSE names the process that holds the port. Always -1. */
int port_socket_error(int error, const struct address *address, uint8_t protocol, uint16_t port,
		      struct err *err);
/* "tcp" to IPPROTO_TCP; 0 when it is none. */
uint8_t port_socket_protocol(const char *name);

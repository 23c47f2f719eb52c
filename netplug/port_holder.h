/* netplug/port_holder - which process holds a port of the host, for the text of a conflict. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "netplug/address.h"

/* "nginx (pid 812)", or "another program" when it cannot be seen. Reads the socket tables by
 * sock_diag and walks /proc: only when a bind has failed. */
void port_holder_find(const struct address *address, uint8_t protocol, uint16_t port, char *out,
		      size_t size);

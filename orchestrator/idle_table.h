/* orchestrator/idle_table - a container's sockets, from /proc/PID/net/{tcp,tcp6,udp,udp6}. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct idle_sockets {
	bool listening; /* TCP in LISTEN, UDP bound */
	bool connected; /* to somebody outside of the container */
};

/* Adds what the text of one table says about the local port. Lines of no known form are passed
 * over. */
void idle_table_read(const char *text, bool is_udp, uint16_t port, struct idle_sockets *out);

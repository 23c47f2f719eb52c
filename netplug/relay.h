/* netplug/relay - what NAT cannot do: listeners of the host's namespace whose traffic goes to a
 * container.
 *
 * Part of stack-netd (netplug/netd_core.h). TCP: one connection in, one out, bytes by splice,
 * half-closes passed on. UDP: a connected socket for each client, forgotten after a minute of
 * silence (relay_flow.c). The container sees the bridge's address as the client's. Never blocks.
 */
#pragma once
#include "netplug/netd_core.h"

struct relay {
	struct watched io;
	char key[NETD_KEY_MAX];
	bool is_udp;
	struct endpoint_address target;
	size_t flow_count;
	TAILQ_ENTRY(relay) next;
};

/* A bound socket (tcp or udp, as it tells itself) and where its traffic goes. Takes over fd, also
 * on error. fd -1: the existing relay of that key gets a new target, what is connected keeps the
 * old one. */
int relay_add(struct netd *netd, const char *key, int fd, const struct endpoint_address *target,
	      struct err *err);
struct relay *relay_find(struct netd *netd, const char *key); /* NULL: none */
/* Closes the listener; connections go on until their ends close them, UDP clients are forgotten. */
void relay_drop(struct netd *netd, struct relay *relay);

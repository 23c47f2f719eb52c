/* orchestrator/idle_ports - the published ports of a slot while its container sleeps: their
 * placeholders listen, and connections wait in the kernel until somebody takes them. Blocks
 * (kernel, netd): for the pool. */
#pragma once
#include "netplug/flows.h"
#include "orchestrator/network.h"
#include "orchestrator/supervisor.h"

struct idle_port {
	char key[96];                 /* of netd */
	const char *relay_to;         /* as slot_port's; in the arena */
	char container[ADDRESS_TEXT]; /* where its traffic goes when the container runs */
	uint16_t host_port, target;
	uint8_t protocol;
	int fd; /* the placeholder while it listens; -1 */
};

struct idle_ports {
	struct arena *arena;
	struct slot_net *net; /* own reference */
	struct idle_port *ports;
	size_t count;
	struct flow_end *ends;
	size_t end_count;
	struct flows seen;
};

struct idle_ports *idle_ports_new(struct slot_net *net);
/* Sockets that listen still do so no more: connections that wait are refused. */
void idle_ports_free(struct idle_ports *ports);

/* Connections come to the placeholders from now on: fds are set. On error all is as before. */
int idle_ports_hold(const struct supervisor *sv, struct idle_ports *ports, struct err *err);
/* The container runs: those that wait go to it by netd's relay, new ones by the rules. */
int idle_ports_hand(const struct supervisor *sv, struct idle_ports *ports, struct err *err);
/* As if nobody had ever slept: what waits is refused. */
int idle_ports_give_up(const struct supervisor *sv, struct idle_ports *ports, struct err *err);

/* Is anybody connected, or was since the last look. pid: the container's process 1. */
int idle_ports_look(struct idle_ports *ports, int pid, bool *out_active, struct err *err);
/* A socket of the container stands behind every port. */
bool idle_ports_served(const struct idle_ports *ports, int pid);

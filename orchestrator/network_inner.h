/* orchestrator/network_inner - what the rooms network, network_prepare, network_fill, network_drop
 * and network_repair share; nobody else includes it.
 */
#pragma once
#include <pthread.h>

#include "netplug/nat.h"
#include "orchestrator/network.h"

struct project_net {
	char *project;
	const char *run_path; /* of the roots */
	struct netplug np;
	const struct settings *settings;
	char machine_id[64];
	pthread_mutex_t wiring; /* links of a running slot are changed; before lock */
	pthread_mutex_t
		lock; /* one change of the project's networks at a time; guards what follows */
	struct slot_net *
		*nets; /* own references: every slot that has something in books or kernel */
	size_t net_count;
	char **made; /* networks that the last net_prepare made */
	size_t made_count;
};

/* What one net_prepare gathers. */
struct batch {
	struct project_net *net;
	struct arena *arena;
	const struct project *project;
	struct net_want *wants;
	size_t want_count;
	const struct texts *held;         /* keys of sockets that netd has */
	struct network_record **networks; /* by index of project->networks; NULL: not used */
	struct lease_want *leases;
	size_t lease_count;
	struct port_want *ports;
	size_t port_count;
	unsigned group;
	bool *differs; /* by index of project->networks: to be made anew */
	struct texts *notices;
};

/* The registry; the lock is held. The entry of the same key is replaced. */
void net_register(struct project_net *net, struct slot_net *slot);
void net_unregister(struct project_net *net, const struct slot_net *slot);

/* Somebody of another project with an address on it, or NULL. */
const char *net_foreign_holder(const struct project_net *net, const struct network_record *network);

/* network_fill: leases and ports as they hold become slot_nets; texts and rules in the slots'
 * arenas. */
/* The network with the default route of the family (AF_INET, AF_INET6); NULL: none. */
const struct network_record *net_gateway_record(struct batch *b, const struct service *service,
						int family);
void net_fill_links(struct batch *b); /* after the leases */
void net_fill_ports(struct batch *b); /* after the ports */
/* The key of a placeholder in netd: "tcp 0.0.0.0 8080". */
#define NET_KEY_MAX 96
const char *net_port_key(const struct slot_port *port, char out[NET_KEY_MAX]);
bool net_has_rule(const struct slot_net *slot, const struct nat_port *rule);
bool net_has_port(const struct slot_net *slot, const struct slot_port *port);
bool net_has_interface(const struct slot_net *slot, const struct attach_interface *wanted);
bool net_on_network(const struct slot_net *slot, const char *network);
/* UDP flows to these host ports are forgotten: their target has changed. */
void net_forget_flows(const struct nat_port *rules, size_t count);

/* network_back; the lock is held. From one state of a slot's rules to another; either may be NULL.
 */
void net_move_rules(struct nat_batch *nat, const struct slot_net *from, const struct slot_net *to);
void net_walk_back(struct project_net *net, struct net_want *wants, size_t count,
		   struct err *first);

/* network_gather; the lock is held: leases and ports that the batch's wishes ask for, their
 * networks made. */
int net_gather(struct batch *b, struct err *err);

/* network_prepare; the lock is held. A sentence for the user; the record of the project's network
 * `at`, found or made (adopts: as it is). */
void net_add_notice(struct batch *b, const char *text);
int net_ensure_network(struct batch *b, size_t at, bool adopts, struct err *err);
/* network_prepare: the bridge of a network that is not the project's, in its owner's interface
 * group. */
int net_make_external(struct project_net *net, struct arena *arena, struct rtnl *rtnl,
		      const struct network_record *network, struct err *err);

/* network_repair; the lock is held: the project's elements become what all its slots want. */
int net_reconcile(struct project_net *net, struct arena *arena, struct nft *nft, struct err *err);

/* network_drop; the lock is held. */
void net_keep_first(struct err *first, const struct err *err);
void net_drop_locked(struct project_net *net, struct slot_net *const *slots, size_t count,
		     struct err *first);
/* Bridge, rules and record; ERR_BUSY names a lease holder. */
int net_remove_locked(struct project_net *net, struct arena *arena, const char *name,
		      struct err *err);

/* network: the project's own networks, and those of others that its slots are on. The lock is held.
 */
int net_zone_records(struct project_net *net, struct arena *arena, struct network_record ***out,
		     size_t *out_count, struct err *err);

/* orchestrator/network - a project's networks: leases, bridges, rules and ports in one batch; one slot's links.
 *
 * Translates specs' networks to netplug's. Everything here blocks (kernel, disk) and is called from the pool or
 * from a short-lived process; the object is guarded by its own mutex. A slot's key is "PROJECT/SERVICE/N".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/attach.h"
#include "netplug/network.h"
#include "netplug/ports.h"
#include "netplug/zone.h"
#include "orchestrator/roots.h"
#include "specs/model.h"

struct project_net;

/* One attachment of a slot, as it holds. Texts live in the slot's arena. */
struct slot_link {
	const char *network;      /* real name */
	const char *interface;    /* "eth0" */
	char ip4[ADDRESS_TEXT], ip6[ADDRESS_TEXT], mac[MAC_TEXT], gateway4[ADDRESS_TEXT],
		gateway6[ADDRESS_TEXT];
	const char *const *aliases;
	size_t alias_count;
};

/* A published port, as it holds. */
struct slot_port {
	const char *host_ip;      /* "0.0.0.0", "::", "127.0.0.1" */
	uint16_t host_port, target;
	const char *protocol;
};

/* The network side of a slot: filled by net_prepare, owned by whoever keeps the slot. */
struct slot_net {
	struct arena *arena;
	char *key;                /* PROJECT/SERVICE/N */
	char *netns;              /* path of the bind mount; NULL: the host's network, or another slot's */
	bool internal_only;       /* every network is internal */
	struct slot_link *links;
	size_t link_count;
	struct slot_port *ports;
	size_t port_count;
	struct attach_interface *interfaces; /* for attach_wire */
	size_t interface_count;
};

struct slot_net *slot_net_new(void);
void slot_net_free(struct slot_net *net);

/* roots, run_path: borrowed, must outlive it. */
struct project_net *net_open(const struct roots *roots, const char *project, struct err *err);
void net_close(struct project_net *net);

/* Wish of one new slot; out_net is filled. with_ports: false for one-off containers. */
struct net_want {
	const struct service *service;
	const char *slot;         /* "web.1" */
	unsigned number;          /* for texts of errors */
	bool with_ports;
	const struct slot_port *remembered; /* ports of the slot's former container; may be NULL */
	size_t remembered_count;
	struct slot_net *out_net;
};

/* A placeholder socket for netd to hold. */
struct net_hold {
	char key[64];             /* "tcp 0.0.0.0 8080" */
	int fd;
};

/* Records, leases, bridges, ports and rules for all of them; all or nothing, except networks that were made and
 * then stay until net_remove. *out_holds (to be freed, fds the caller's) are the new placeholders.
 * *out_notices (arena): sentences for the user (forwarding switched on, exposed ports ...). */
int net_prepare(struct project_net *net, const struct project *project, struct net_want *wants,
		size_t count, struct arena *arena, struct net_hold **out_holds, size_t *out_hold_count,
		struct texts *out_notices, struct err *err);

/* Wires the slot through its monitor's sockets; dns ports 0: no redirect. */
int net_attach(struct project_net *net, const struct slot_net *slot, int route_fd, int netfilter_fd,
	       uint16_t dns_udp_port, uint16_t dns_tcp_port, struct err *err);

/* Takes away everything of these slots: links, rules, ports, leases, namespace. *keys_out: keys of held
 * placeholders that are free now (to be freed each and the array). Never fails half-way: the first error is
 * told, the rest is done. */
int net_drop_slots(struct project_net *net, struct slot_net *const *slots, size_t count,
		   struct err *err);
/* As above for the whole project at once (one group delete, one transaction), networks' records included. */
int net_drop_project(struct project_net *net, char *const *netns_paths, size_t count, struct err *err);
/* One network without members: bridge and record. */
int net_remove(struct project_net *net, const char *name, struct err *err);

/* Which networks of the project have a record, and do they differ from the model. */
struct net_seen {
	char *name;
	bool changed;
};
int net_observe(struct project_net *net, const struct project *project, struct net_seen **out,
		size_t *out_count, struct err *err);
void net_seen_free(struct net_seen *seen, size_t count);
/* The zone's networks, in the arena. */
int net_zone_networks(struct project_net *net, struct arena *arena, struct zone_network **out,
		      size_t *out_count, struct err *err);

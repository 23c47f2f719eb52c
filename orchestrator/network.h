/* orchestrator/network - a project's networks: leases, bridges, rules and ports in one batch; one
 * slot's links.
 *
 * Translates specs' networks to netplug's. Everything here blocks (kernel, disk) and is called from
 * the pool or from a short-lived process; the object is guarded by its own mutex. A slot's key is
 * "PROJECT/SERVICE/N".
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/attach.h"
#include "netplug/nat.h"
#include "netplug/network.h"
#include "netplug/ports.h"
#include "netplug/zone.h"
#include "orchestrator/roots.h"
#include "orchestrator/settings.h"
#include "specs/model.h"

struct project_net;

/* One attachment of a slot, as it holds. Texts live in the slot's arena. */
struct slot_link {
	const char *network;   /* real name */
	const char *interface; /* "eth0" */
	const char *sysctls;   /* "net.ipv4.conf.IFNAME.forwarding=0,..." of driver_opts, or NULL */
	char ip4[ADDRESS_TEXT], ip6[ADDRESS_TEXT], mac[MAC_TEXT], gateway4[ADDRESS_TEXT],
		gateway6[ADDRESS_TEXT];
	const char *const *aliases;
	size_t alias_count;
};

/* A published port, as it holds, at one address. */
struct slot_port {
	const char *host_ip; /* "0.0.0.0", "::", "127.0.0.1" */
	uint16_t host_port, target;
	const char *protocol;
	const char *relay_to; /* netd passes it to this address of the container; NULL: only held */
};

/* The network side of a slot: filled by net_prepare, then unchanged but for the last two. Counted:
 * net itself keeps a reference while something of it is in books or kernel. */
struct slot_net {
	atomic_uint refs;
	struct arena *arena;
	char *key;                                     /* PROJECT/SERVICE/N */
	char host4[ADDRESS_TEXT], host6[ADDRESS_TEXT]; /* what host-gateway means; "": nothing */
	char *netns; /* path of the bind mount; NULL: the host's network, or another slot's */
	bool internal_only; /* every network is internal */
	struct slot_link *links;
	size_t link_count;
	struct slot_port *ports;
	size_t port_count;
	struct attach_interface *interfaces; /* for attach_wire */
	size_t interface_count;
	struct nat_port *rules; /* of the ports */
	size_t rule_count;
	struct slot_net *stale; /* other settings, with which the namespace was made: to be renewed
				   (net_renew) */
	bool moved;      /* one of its networks was made anew: the links of before lead nowhere */
	bool unverified; /* adopted: the kept namespace is looked at before its next life */
	bool asleep;     /* its rules are not in the table (net_sleep) */
};

struct slot_net *slot_net_new(void);
struct slot_net *slot_net_ref(struct slot_net *net);
void slot_net_free(struct slot_net *net); /* gives a reference back */

/* Whether both want the same links, addresses and routes of a namespace. */
bool net_same_links(const struct slot_net *a, const struct slot_net *b);

/* roots, settings: borrowed, must outlive it. */
struct project_net *net_open(const struct roots *roots, const char *project,
			     const struct settings *settings, struct err *err);
void net_close(struct project_net *net);

/* Wish of one slot; out_net (with key and netns) is filled. with_ports: false for one-off
 * containers. */
struct net_want {
	const struct service *service;
	const char *slot; /* "web.1" */
	unsigned number;  /* for texts of errors */
	bool with_ports;
	struct slot_net *former; /* what the slot has until now; NULL: it is new. Own reference */
	bool adopts; /* it is there: a failure takes nothing away, gone networks are passed over */
	struct slot_net *out_net;
};

/* A socket for netd: a placeholder, or with relay_to a listener. fd -1: netd has it, the target
 * alone changes. */
struct net_hold {
	char key[96]; /* "tcp 0.0.0.0 8080" */
	int fd;
	const char *relay_to;
	uint16_t relay_port;
};

/* Records, leases, bridges, ports and rules for all of them; all or nothing, with what the slots
 * had before. Ports that are published no longer lose their rules, and the rest of theirs with
 * net_complete. held: keys of netd's sockets. *out_holds (to be freed, fds the caller's) are the
 * new ones. *out_notices (arena): sentences for the user (forwarding switched on, ports without
 * effect ...). */
int net_prepare(struct project_net *net, const struct project *project, struct net_want *wants,
		size_t count, const struct texts *held, struct arena *arena,
		struct net_hold **out_holds, size_t *out_hold_count, struct texts *out_notices,
		struct err *err);
/* The way back of a net_prepare that went well: new slots lose all, others get their former state.
 */
int net_unprepare(struct project_net *net, struct net_want *wants, size_t count, struct err *err);
/* Takes the rules of a slot's ports out of the table, or puts them back: its placeholders get what
 * comes to the ports. Nothing when the slot is gone or has other settings by now. */
int net_sleep(struct project_net *net, struct slot_net *slot, bool asleep, struct err *err);
/* The last step, nothing fails any more: rows of ports that are gone are struck; *out_keys (arena)
 * are the sockets that netd may close. */
int net_complete(struct project_net *net, struct net_want *wants, size_t count, struct arena *arena,
		 struct texts *out_keys, struct err *err);
/* Ports of wants[0] (with_ports false) go to wants[1] (with_ports true), rules in one transaction:
 * packets find the one or the other. Else as net_prepare and net_complete; on failure all is as
 * before. */
int net_hand_over(struct project_net *net, const struct project *project, struct net_want wants[2],
		  const struct texts *held, struct arena *arena, struct net_hold **out_holds,
		  size_t *out_hold_count, struct texts *out_notices, struct texts *out_keys,
		  struct err *err);
/* Networks that the last net_prepare made and nobody uses go again; with the last one all traces of
 * the project. */
int net_undo_made(struct project_net *net, struct err *err);
/* After the last slot of a project without networks of its own (external ones alone): its interface
 * group and what is left of its rules go. Nothing while there is a slot or a network. */
int net_end_if_empty(struct project_net *net, struct err *err);

/* Before a start: a namespace that was made with other settings goes, with its links. Returns 1
 * when it went. */
int net_renew(struct project_net *net, struct slot_net *slot, struct err *err);
/* Whether the kept namespace is as the slot wants it; `why`: 240 bytes. */
int net_verify(const struct slot_net *slot, int route_fd, bool *out_ok, char *why, struct err *err);

/* Wires the slot through its monitor's sockets; dns ports 0: no redirect. only_redirect: the links
 * stay as they are. */
int net_attach(struct project_net *net, const struct slot_net *slot, int route_fd, int netfilter_fd,
	       uint16_t dns_udp_port, uint16_t dns_tcp_port, bool only_redirect, struct err *err);

/* As net_attach of a running slot that lost links; nothing when the slot has other settings by now.
 */
int net_attach_again(struct project_net *net, const struct slot_net *slot, int route_fd,
		     struct err *err);
/* A running slot gets the links of `to`, and those of `from` that it does not have go; their leases
 * go with net_release_left. */
int net_change_links(struct project_net *net, const struct slot_net *from,
		     const struct slot_net *to, int route_fd, struct err *err);
/* As both, of a slot that does not run: its namespace stays as it is, what held the links outside
 * goes. */
int net_drop_left(struct project_net *net, const struct slot_net *from, const struct slot_net *to,
		  struct err *err);
int net_release_left(struct project_net *net, const struct slot_net *from,
		     const struct slot_net *to, struct err *err);

/* Compares bridges and rules with what all slots want, and puts right what differs. *out_rules:
 * elements that were missing or too much; lost[i]: a link of live[i] is not there, or not on its
 * bridge: it is to be attached again. */
int net_repair(struct project_net *net, struct slot_net *const *live, size_t count, bool *lost,
	       size_t *out_rules, struct err *err);
/* Placeholders of ports whose keys are not held, bound anew; as in net_prepare. One that is taken
 * is told and passed over. */
int net_hold_again(struct project_net *net, const struct texts *held, struct arena *arena,
		   struct net_hold **out_holds, size_t *out_count, struct err *err);

/* Takes away everything of these slots: links, rules, ports, leases, namespace. Never fails
 * half-way: the first error is told, the rest is done. */
int net_drop_slots(struct project_net *net, struct slot_net *const *slots, size_t count,
		   struct err *err);
/* As above for the whole project at once (one group delete, one transaction), networks' records
 * included. */
int net_drop_project(struct project_net *net, struct err *err);
/* Leases, ports, rules and namespaces of slots of this project that are not `known` (keys): what a
 * crash left between the end of a record and that of its network. netns_fd: the folder RUN/netns,
 * -1: there is none. In the arena, for netd: the slots' names ("web.1") and the keys of their
 * sockets. */
int net_drop_strays(struct project_net *net, const char *run, int netns_fd,
		    const struct texts *known, struct arena *arena, struct texts *out_slots,
		    struct texts *out_keys, struct err *err);
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
/* Endpoints of other projects on networks that our slots are on too, as their zones show them:
 * those that run, with their names there; in the arena. */
int net_zone_foreign(struct project_net *net, struct arena *arena, struct zone_endpoint **out,
		     size_t *out_count, struct err *err);
/* Our names have changed: supervisors of other projects on the same networks look again (their
 * files are touched). */
void net_tell_others(struct project_net *net);
/* The zone's networks, in the arena. */
int net_zone_networks(struct project_net *net, struct arena *arena, struct zone_network **out,
		      size_t *out_count, struct err *err);

/* netplug/attach - one slot's links: peer born inside, addresses, routes, the resolver's redirect.
 *
 * The container's side is reached through two sockets that were opened inside its namespace
 * (NETLINK_ROUTE and NETLINK_NETFILTER, handed up by its monitor) and a descriptor of the namespace
 * itself (the bind mount below /run/stack/netns); no setns anywhere. Blocks (kernel): one
 * conversation on the host's socket for the whole batch, one per container inside.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/address.h"
#include "netplug/naming.h"
#include "netplug/network.h"
#include "netplug/rtnl.h"

enum attach_kind { ATTACH_VETH, ATTACH_MACVLAN, ATTACH_IPVLAN };

#define ATTACH_ISOLATED 1u /* the bridge port cannot reach other such ports (enable_icc false) */
#define ATTACH_HAIRPIN                                                                             \
	2u /* frames may leave by the port they came in by; on by itself with br_netfilter */
#define ATTACH_ANNOUNCE 4u /* gratuitous ARP: neighbours may know another MAC for the address */

struct attach_route {
	struct prefix to;
	struct address via; /* AF_UNSPEC: on the link */
	unsigned metric;
};

/* Plain data; everything borrowed. */
struct attach_interface {
	enum attach_kind kind;
	unsigned flags;              /* ATTACH_* */
	const char *name;            /* inside: "eth0" */
	char host_name[NAMING_LINK]; /* host end (naming_host_end); not for macvlan, ipvlan */
	const char *alias;           /* naming_alias; also put on the link inside when macvlan */
	const char *upper;           /* bridge or parent */
	unsigned mtu;                /* 0: the kernel's */
	uint8_t mac[6];              /* all zeros: the kernel's choice (ipvlan: the parent's) */
	uint32_t mode;               /* MACVLAN_MODE_*, IPVLAN_MODE_* */
	uint16_t ipvlan_flags;
	bool ipv6;                      /* false: no link-local address either */
	const struct prefix *addresses; /* with the subnet's length */
	size_t address_count;
	const struct address *link_local; /* scope link, /16 and /64 (link_local_ips) */
	size_t link_local_count;
	struct address default4,
		default6; /* gateway; set on the interface that gives the default route */
	unsigned metric;
	const struct attach_route *routes;
	size_t route_count;
};

/* One slot. Descriptors borrowed. */
struct attach_job {
	int netns_fd;     /* the namespace: open of its bind mount */
	int route_fd;     /* NETLINK_ROUTE opened inside */
	int netfilter_fd; /* NETLINK_NETFILTER opened inside; -1 when dns ports are 0 */
	unsigned group;   /* of the host ends */
	struct attach_interface *interfaces;
	size_t interface_count;
	uint16_t dns_udp_port,
		dns_tcp_port; /* of 127.0.0.11; 0: no redirect (`table ip stack_dns`) */
	struct err
		result; /* out: ERR_OK, or why this slot failed; nothing of it is taken back then */
};

/* Wires all jobs: host links pipelined on one socket, then each inside (lo up, addresses, links up,
 * routes, redirect). Doing it again on what is there already is fine (a link with the same alias is
 * kept, others are replaced). -1 when any job failed, err: the first one's; the others are done
 * nevertheless. ERR_NO_SPACE "network N is full (1023 members)" for a full bridge. */
int attach_wire(struct rtnl *host, struct attach_job *jobs, size_t count, struct err *err);

/* Takes host ends away by name (and with them what is inside); for slots that stay while others go.
 * The trash group is link_group_trash(). Links of kind macvlan/ipvlan go through route_fd. */
int attach_unwire(struct rtnl *host, unsigned trash_group, struct attach_job *jobs, size_t count,
		  struct err *err);

/* What the namespace lacks or has too much against the job, by one dump each of links, addresses,
 * routes: true when it is as it should be, else `why` (240 bytes) names the first difference.
 * Before a life in a kept namespace. ERR only when the dumps fail (-1). */
int attach_verify(const struct attach_job *job, bool *out_ok, char *why, struct err *err);

/* Interface of a job from a network's record and a lease, into the arena. index: which link of the
 * slot; default4/default6 and extras are the caller's to set. */
void attach_interface_of(struct arena *arena, const struct network_record *network,
			 const struct network_lease *lease, const char *name, unsigned index,
			 struct attach_interface *out);

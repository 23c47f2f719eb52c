/* netplug/link - bridges and other links of the host's side: asked for, found by alias, removed by
 * group.
 *
 * All functions speak through one rtnl conversation; its namespace is "the host" here. Blocks
 * (kernel).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "netplug/address.h"
#include "netplug/naming.h"
#include "netplug/network.h"
#include "netplug/rtnl.h"

/* A link as the kernel shows it. Texts in the arena. */
struct link_info {
	unsigned index, master, group, mtu;
	int peer_netnsid; /* -1: here */
	uint32_t flags;   /* IFF_* */
	uint8_t mac[6];
	const char *name, *alias, *kind; /* alias, kind: "" when none */
};

struct link_table {
	struct link_info *items;
	size_t count;
};

/* One dump of all links. */
int link_dump(struct rtnl *rtnl, struct arena *arena, struct link_table *out, struct err *err);
const struct link_info *link_by_name(const struct link_table *table, const char *name);
const struct link_info *link_by_alias(const struct link_table *table, const char *alias);

/* A bridge as it should be. */
struct bridge_want {
	const char *name;    /* link name */
	const char *alias;   /* owner; also tells ours from foreign ones */
	const char *altname; /* NULL: none */
	unsigned group, mtu;
	const struct prefix *addresses; /* gateways with the subnet's length */
	size_t address_count;
	bool ipv6;
	struct err result; /* out: why this one failed, code ERR_OK when it did not */
};

/* Makes those that are missing, completes those that are there with our alias, all in one
 * conversation: link with fixed MAC, up, addresses, route_localnet and forwarding of the link. A
 * link of that name with another alias: result ERR_EXISTS. Returns -1 when any failed (err: the
 * first). */
int link_ensure_bridges(struct rtnl *rtnl, struct bridge_want *wants, size_t count,
			struct err *err);

/* Fills one want from a network's record; addresses and texts in the arena. */
void link_bridge_of(const struct network_record *network, struct arena *arena, unsigned group,
		    struct bridge_want *out);

/* Every link of the group in one message (50 veths: one grace period instead of 50). None is fine.
 */
int link_delete_group(struct rtnl *rtnl, unsigned group, struct err *err);
/* Some links: moved to the trash group, which is then deleted. Missing ones are fine. */
int link_delete_names(struct rtnl *rtnl, unsigned trash_group, const char *const *names,
		      size_t count, struct err *err);

/* Takes links out of their group before it is deleted: bridges of networks that others still use.
 * Missing ones are fine. link_ensure_bridges puts them back. */
int link_keep(struct rtnl *rtnl, const char *const *names, size_t count, struct err *err);

/* groups.json: a pair of interface group numbers per owner, even: live, odd: trash, from 1024 up.
 * Takes or finds the owner's (a project's name, or "network:NAME" for networks made by hand). */
int link_group_take(const struct netplug *np, const char *owner, unsigned *out_group,
		    struct err *err);
int link_group_find(const struct netplug *np, const char *owner, unsigned *out_group,
		    struct err *err);
int link_group_drop(const struct netplug *np, const char *owner, struct err *err);
static inline unsigned link_group_trash(unsigned group)
{
	return group + 1;
}
/* Every row of the book. */
int link_group_each(const struct netplug *np,
		    int (*each)(void *ctx, const char *owner, unsigned group), void *ctx,
		    struct err *err);

/* A VLAN's parent "eth0.10" of a macvlan or ipvlan network is made over eth0 when it is missing,
 * with the network's alias and group; other parents must be there. ERR_UNSUPPORTED: the kernel
 * lacks 8021q. */
int link_ensure_parent(struct rtnl *rtnl, const struct network_record *network, unsigned group,
		       struct err *err);

/* A socket that becomes readable when links change (RTNLGRP_LINK), for the caller's loop; read it
 * dry: *out_lost is true when a link with an alias of ours was deleted, by whomever. Never blocks.
 */
int link_watch_open(struct err *err);
int link_watch_read(int fd, bool *out_lost, struct err *err);

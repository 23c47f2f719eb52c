/* netplug/uplink - what the host's own network looks like: the default route's link, what is in
 * use. Blocks (kernel, one dump each of routes, addresses and links).
 */
#pragma once
#include <stddef.h>

#include "base/err.h"
#include "netplug/ipam.h"
#include "netplug/rtnl.h"

/* What a new subnet must not overlap: routes of all tables but default ones, addresses, except
 * those on links whose alias says that they are ours (networks know their own subnets); name
 * servers of resolv_conf, a text, when it is not NULL. Heap array. *out_mtu: of the
 * link with the default route, 1500 without one (NULL: not asked). */
int uplink_taken(struct rtnl *rtnl, const char *resolv_conf, struct ipam_taken **out,
		 size_t *out_count, unsigned *out_mtu, struct err *err);

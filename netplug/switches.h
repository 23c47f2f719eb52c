/* netplug/switches - the host's network switches below /proc/sys, set only as needed and told.
 * Blocks. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "netplug/nft.h"
#include "netplug/rtnl.h"

/* What was switched, for one line to the user. */
struct switches_done {
	bool forward4,
		forward6; /* was 0, is 1 now; neighbours are kept from routing through the host */
};

/* Forwarding on for the families that are needed. The links that were there before are put into the
 * table's set `closed` (no packet passes from one of them to another) when the switch was off. */
int switches_ensure(struct rtnl *host, struct nft *nft, bool need4, bool need6,
		    struct switches_done *out, struct err *err);
/* Whether frames on a bridge pass through iptables (hairpin is needed then). */
bool switches_bridge_netfilter(int family);

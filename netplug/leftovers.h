/* netplug/leftovers - what the kernel and the books hold that no record knows: for recovery and for
 * `stack system check`. Blocks (dumps, disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/network.h"
#include "netplug/nft.h"
#include "netplug/rtnl.h"

enum leftover_kind {
	LEFTOVER_LINK,    /* a host end whose slot is not known */
	LEFTOVER_BRIDGE,  /* a bridge without a network's record */
	LEFTOVER_LEASE,   /* an address of an unknown slot */
	LEFTOVER_PORT,    /* a row of the port book of an unknown slot */
	LEFTOVER_ELEMENT, /* an element of the packet filter of an unknown slot or network */
	LEFTOVER_GROUP,   /* a link group of an unknown project */
	LEFTOVER_OVERLAP, /* no leftover: a network's subnet overlaps a route that came later; told
			     only */
};

struct leftover {
	enum leftover_kind kind;
	const char *name;  /* link, address, port, element, group's owner, subnet */
	const char *owner; /* slot, network or project */
	const char *text;  /* one sentence */
};

/* Who knows: the caller's records. */
struct leftover_judge {
	bool (*has_slot)(void *ctx, const char *slot); /* "PROJECT/SERVICE/N" */
	bool (*has_project)(void *ctx, const char *project);
	void *ctx;
};

/* project NULL: the whole machine. Rows in the arena. */
int leftovers_find(const struct netplug *np, struct rtnl *host, struct nft *nft,
		   const char *project, const struct leftover_judge *judge, struct arena *arena,
		   struct leftover **out, size_t *out_count, struct err *err);
/* Removes them (OVERLAP rows are passed over). */
int leftovers_clear(const struct netplug *np, struct rtnl *host, struct nft *nft,
		    const struct leftover *rows, size_t count, struct err *err);

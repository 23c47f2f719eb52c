/* orchestrator/reattach - a running slot gets again what was lost around it: sockets of its names,
 * links. Blocks (its monitor, kernel, netd): for the pool. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/supervisor.h"

/* A copy of what is needed of a running slot; texts in the caller's arena, net an own reference. */
struct reattach {
	const char *name, *container;
	struct slot_net *net;
	const char *const *servers; /* `dns:` */
	size_t server_count;
};

/* New sockets from the monitor: the redirect leads to them, netd answers on them. */
int reattach_names(const struct supervisor *sv, const struct reattach *slot, struct err *err);
/* Links, addresses and routes as if it were started; what is there stays. */
int reattach_links(const struct supervisor *sv, const struct reattach *slot, struct err *err);
/* A running slot whose links were those of `from` gets those of slot->net: what is no longer wanted
 * goes first. */
int reattach_changed(const struct supervisor *sv, const struct reattach *slot,
		     const struct slot_net *from, struct err *err);

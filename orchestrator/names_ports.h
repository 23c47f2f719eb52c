/* orchestrator/names_ports - the sockets of published ports on their way to netd and out of it.
 * Blocks (netd). */
#pragma once
#include "base/err.h"
#include "orchestrator/names.h"
#include "orchestrator/network.h"

/* Starts netd when it does not run (*out_fresh), and lists what it holds: before net_prepare. */
int names_ports_held(struct names *names, struct arena *arena, struct texts *out_held,
		     bool *out_fresh, struct err *err);
/* Hands them over; all descriptors are closed here, whatever happens. */
int names_ports_give(struct names *names, struct net_hold *holds, size_t count, struct err *err);
/* netd closes them; those that it does not have are fine. */
int names_ports_drop(struct names *names, const struct texts *keys, struct err *err);
int names_ports_drop_slot(struct names *names, const struct slot_net *net, struct err *err);

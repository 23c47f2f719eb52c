/* orchestrator/change_net - the network half of a change: what its slots need before they start and
 * leave behind when they go. Stages of change; see the table there. */
#pragma once
#include "orchestrator/change.h"

/* Adds one slot to change->net_wants; the service as connections_service gives it. */
void net_claim_slot(struct change *change, struct slot *slot, const struct service *service,
		    bool with_ports);
int net_claim(void *change, struct err *err); /* loop: which slots need a network */
int net_unclaim(void *change, struct err *err);
int net_batch(void *change, struct err *err); /* pool: leases, bridges, ports, rules, netd */
int net_unbatch(void *change, struct err *err);
int net_settle(void *change, struct err *err); /* loop: the slots get what was prepared */
int net_clean(void *change, struct err *err);  /* pool: what removed slots had */
/* Loop, last: slots without container are forgotten. */
void net_forget(struct change *change);

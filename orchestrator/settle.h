/* orchestrator/settle - an updated replica proves itself: it runs, is healthy (or ready), and stays
 * so for update_config.monitor; then it takes over the ports of the one that it follows, and
 * update_config.delay passes. On the loop. */
#pragma once
#include "orchestrator/change.h"
#include "orchestrator/slot.h"

/* err->code ERR_OK: it has settled (or failure_action says continue). */
typedef void (*settle_done)(void *ctx, const struct err *err);

/* The action is a SETTLE of change->plan. done comes later, never from within. */
void settle_begin(struct change *change, const struct action *action, settle_done done, void *ctx);
/* Some slot changed: those that wait look again. */
void settles_look(struct change *change);
/* The change is cancelled: those that wait end with ERR_CANCELLED. */
void settles_cancel(struct change *change);

/* Pure. What a replica's state means to its update: 1 good, 0 not yet, -1 failed (*err). */
int settle_judge(const struct slot *slot, struct err *err);

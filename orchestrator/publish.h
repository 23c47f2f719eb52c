/* orchestrator/publish - the zone of the project, composed from the slots and handed to netd.
 *
 * On the loop; the writing half runs in the pool. Requests that come while one is on its way are
 * answered by the next one together, so N starts cost few zones.
 */
#pragma once
#include "base/err.h"
#include "orchestrator/flow.h"
#include "orchestrator/supervisor.h"

struct publisher *publisher_new(struct supervisor *sv);
/* Names as they are now. waiter (may be NULL): a flow that waits; it is resumed when they hold. */
void publish_names(struct supervisor *sv, struct flow *waiter);

/* The zone of the slots as they are, without networks and other projects' endpoints; all of it in
 * the arena. */
struct zone;
void publish_compose(const struct supervisor *sv, struct arena *arena, struct zone *out);

/* Some slot has changed: whoever waits for conditions looks again (apply). */
void changes_look(struct supervisor *sv, struct slot *slot);

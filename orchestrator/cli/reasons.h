/* orchestrator/cli/reasons - why a container is as it is, in sentences. Pure; texts are to be
 * freed. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/observe.h"

/* One event: "ended with status 137 (SIGKILL): the monitor died". */
char *reason_event(const struct json_object *event);
/* The present state: "runs since 3 seconds, healthy", "exited with status 3 2 seconds ago". */
char *reason_state(const struct observed_container *container, uint64_t now_us);
/* What will come of it: which policy holds, and what it does. NULL: nothing to tell (it runs).
 * service: as the file has it now, NULL when it no longer does. stopped_by_hand: the service is
 * kept down. */
char *reason_outlook(const struct observed_container *container, const struct service *service,
		     bool stopped_by_hand);
/* "db to be healthy, but shop-db-1 is starting" for a condition that does not hold; NULL when it
 * does. */
char *reason_wait(const struct observed *observed, const struct dependency *dependency);
/* How many events of the slot, from the newest (index count - 1) back, belong to the present
 * container: through its "create", or everything when none is told. Indexes go to out (room for
 * count), newest first. */
size_t reason_chain(const struct json_object *events, const char *slot, size_t *out);

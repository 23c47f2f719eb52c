/* orchestrator/update - limits and policy of one container, changed by hand: they hold over
 * restarts of container and supervisor until it is recreated, or `up` brings others from the file.
 */
#pragma once
#include <json-c/json.h>

#include "orchestrator/records.h"
#include "orchestrator/slot.h"

/* Pure. The model in which the service has these keys (null: without the key) over its own, twins
 * below deploy included. ERR_INVALID for what the keys do not take. */
struct model *update_model(const struct model *base, const char *service, struct json_object *set,
			   struct err *err);
/* On the loop: model and record; limits of running processes are changed by who asks
 * (stack-runtime update). dry: only whether it could be. */
int update_slot(struct slot *slot, struct json_object *set, bool dry, struct err *err);
/* An adopted slot gets back what its record remembers. */
void update_adopt(struct slot *slot);
/* "limits" (in docker's words) and "restart" of info, and nothing of former changes by hand when
 * set is NULL. */
void update_note(struct json_object *info, const struct service *service, struct json_object *set);

/* orchestrator/change_connect - `network connect` and `network disconnect` as a change of one slot:
 * a running container gets or loses a link while it runs, another one at its next start. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/change.h"

/* Reads the members of the request into change->connect. */
void connect_read(struct change *change, const struct json_object *message, bool disconnects);

extern const struct stage connect_stages[];

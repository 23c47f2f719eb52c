/* orchestrator/ops - what the requests on the control socket mean (docs/control.md). On the loop.
 */
#pragma once
#include <json-c/json.h>

#include "orchestrator/control.h"

/* The handler of control_start; ctx is the supervisor. */
void ops_request(void *ctx, struct control_request *request, const char *op,
		 struct json_object *message);
void ops_left(void *ctx);
void ops_gone(void *ctx, struct control_request *request);

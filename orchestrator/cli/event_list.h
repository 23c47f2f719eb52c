/* orchestrator/cli/event_list - events.jsonl and its rotated predecessor as a list. Blocks (disk).
 */
#pragma once
#include <json-c/json.h>

#include "base/err.h"
#include "orchestrator/roots.h"

/* Events of one service (NULL: all), oldest first; lines that are torn are left out. To be put. */
struct json_object *event_list_read(const struct project_dirs *dirs, const char *service,
				    struct err *err);

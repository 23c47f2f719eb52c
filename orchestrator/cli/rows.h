/* orchestrator/cli/rows - containers as the rows that ps, ls and inspect print: docker's field
 * names. Pure. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/observe.h"

/* One row of ps: every value text except ExitCode and Publishers. To be put. */
struct json_object *row_container(const char *project, const struct observed_container *container,
				  bool no_trunc);

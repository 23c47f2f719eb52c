/* orchestrator/cli/rows - containers as the rows that ps, ls and inspect print: docker's field
 * names. Pure. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/observe.h"

/* One row of ps (section "shapes" of docs/cli.md): every value text except ExitCode and Publishers.
 * To be put. */
struct json_object *row_container(const char *project, const struct observed_container *container,
				  bool no_trunc);
/* "Up 2 seconds (healthy)", "Exited (137) 3 seconds ago", "Created", to be freed. */
char *row_status(const struct observed_container *container);

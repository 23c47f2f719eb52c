/* orchestrator/cli/exposed - what a plan opens: to other machines, and of this machine to
 * containers. */
#pragma once
#include <json-c/json.h>
#include <stdio.h>

#include "orchestrator/settings.h"
#include "specs/model.h"

/* One line "exposes  SERVICE  what" for each, of the services that the plan creates. */
void exposed_print(FILE *out, const struct project *project, const struct settings *settings,
		   struct json_object *actions);

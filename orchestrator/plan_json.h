/* orchestrator/plan_json - a plan as JSON:
 * {"actions":[{"action","service","slot","name","reason","after":[]}], "orphans":[],"kept":[]}, for
 * answers, `plan --format json` and --dry-run. Pure. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/plan.h"

/* To be put. */
struct json_object *plan_json(const struct plan *plan, const struct project *project);

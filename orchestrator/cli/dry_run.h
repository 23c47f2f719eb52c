/* orchestrator/cli/dry_run - what --dry-run shows instead of doing it. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/cli/cli.h"

/* A command that would change something without a plan (cp, exec, image rm ...): it is told in one
 * line on stderr and must not run then. False: the command runs, and only looks or asks for a plan.
 */
bool dry_run_replaces(const struct options *options);

/* The actions of a plan, as if they had been done. */
void dry_run_show(struct progress *progress, struct json_object *plan);

/* orchestrator/bundle_log - the log object of monitor.json from a service's logging section.
 *
 * Pure. Source: docker's logging drivers json-file and journald, "Customize log driver output".
 */
#pragma once
#include <json-c/json.h>

#include "base/err.h"
#include "orchestrator/records.h"
#include "specs/model.h"

/* Adds "log": driver, sizes, mode, the tag with its fields filled in, and as "attrs" what labels,
 * labels-regex, env, env-regex and tag ask for. service may be NULL: the defaults. ERR_INVALID
 * names the option. */
int bundle_add_log(struct json_object *monitor, const struct service *service,
		   const struct record *record, struct err *err);

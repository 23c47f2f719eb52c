/* orchestrator/bundle_linux - the linux section of config.json: namespaces, limits, devices, paths.
 * Pure; used by bundle alone. */
#pragma once
#include "orchestrator/bundle.h"

/* Adds "linux" and "annotations". ERR_INVALID names the key. */
int bundle_add_linux(struct arena *arena, struct json_object *config,
		     const struct bundle_spec *spec, struct err *err);

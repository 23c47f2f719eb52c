/* orchestrator/cli/rows_inspect - one container in docker's inspect shape. Pure. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/observe.h"
#include "orchestrator/roots.h"

/* Id Created Path State Image Name RestartCount Config HostConfig NetworkSettings Mounts LogPath.
 * To be put. */
struct json_object *inspect_container(const struct project_dirs *dirs,
				      const struct observed_container *container);

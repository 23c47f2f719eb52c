/* orchestrator/cli/machine - what this machine is: for `info`. Blocks (a few reads). */
#pragma once
#include <json-c/json.h>

#include "orchestrator/cli/cli.h"

/* Docker's field names where there is one, and ours. To be put; NULL with *err. */
struct json_object *machine_info(struct cli *cli, struct err *err);

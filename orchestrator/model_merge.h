/* orchestrator/model_merge - a model that speaks of some services, and the one in force. Pure. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/model.h"

/* For `up SERVICE` and `run SERVICE`: services that the new model sets aside stay as the one in
 * force has them, with the networks, volumes, secrets and configs that they name. wanted is
 * changed. ERR_INVALID: `before` is damaged. */
int model_merge(struct json_object *wanted, const struct model *before, struct err *err);

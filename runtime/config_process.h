/* runtime/config_process - the `process` object of config.json. Internal to the config rooms. */
#pragma once
#include "runtime/config.h"
#include "runtime/config_decode.h"

/* custom of a FIELD_CUSTOM row: target is a struct config_process **. */
int config_decode_process(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target);
/* What no single field knows; `complete`: cwd and args must be there. */
int config_check_process(const struct config_process *process, bool complete, struct err *err);

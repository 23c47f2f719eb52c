/* orchestrator/request_check - whether the members of a request on the control socket have the
 * types that docs/control.md gives them. Pure. */
#pragma once
#include <json-c/json.h>

#include "base/err.h"

/* Absent and null are fine, and so is what is not known. ERR_INVALID names the member: a list that
 * is none must not be taken for "all services". */
int request_check(const struct json_object *message, struct err *err);

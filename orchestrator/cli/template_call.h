/* orchestrator/cli/template_call - the functions that templates may call; used by template_print
 * only. */
#pragma once
#include <stdbool.h>

#include "base/json.h"

/* Calls a function by name; the arguments stay the caller's. *out is the caller's to put (NULL is
 * null). Unknown name or wrong arguments: ERR_INVALID. */
int template_call(const char *name, struct json_object **arguments, size_t count,
		  struct json_object **out, struct err *err);
/* As Go prints it: text as it is, [a b], map[k:v]. To be freed. */
char *template_text_of(struct json_object *value);
/* Not null, false, 0, "", [] or {}. */
bool template_is_true(struct json_object *value);

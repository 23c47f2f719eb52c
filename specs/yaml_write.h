/* specs/yaml_write - JSON values as YAML text: indent 2, quotes only where a reader would need
 * them. */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"

/* The text of one value, with its final newline, in the arena. Keys in the order of the object. */
const char *yaml_write(struct arena *arena, const struct json_object *json);

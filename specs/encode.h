/* specs/encode - structs of the model as JSON, field by field of the key tables.
 *
 * The other direction of specs/decode. The caller puts the result. Never blocks.
 */
#pragma once
#include <json-c/json.h>

#include "specs/keys.h"

/* flags: MODEL_JSON_... of specs/model_json.h. */
struct json_object *encode_map(const struct table *table, const void *base, unsigned flags);
/* A sorted array of named structs as a map. */
struct json_object *encode_named(const struct table *table, const void *items, size_t count,
				 unsigned flags);

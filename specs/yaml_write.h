/* specs/yaml_write - JSON values as text: YAML or JSON, indent 2. Pure; never blocks. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"

struct text_writer {
	FILE *out;
	struct arena *arena;
	bool is_json;
	unsigned indent; /* of what is being written */
	bool is_first;   /* no member of this map was written yet */
};

/* Writes a map member by member, so that a large one need not be in memory at once: begin, members
 * (a value, or begin and end of a map), end. The outermost map is begun with key NULL. In YAML
 * strings have quotes only where a reader would need them. */
void text_begin(struct text_writer *writer, const char *key);
void text_member(struct text_writer *writer, const char *key, struct json_object *value);
void text_end(struct text_writer *writer);

/* specs/yaml - the bytes of a YAML file to trees.
 *
 * Positions are kept, aliases and merge keys resolved, doubled keys refused, hostile input bounded
 * (YAML_*_MAX). Thread-safe; never blocks.
 */
#pragma once
#include "specs/node.h"

#define YAML_BYTES_MAX     (16u << 20)
#define YAML_DEPTH_MAX     100u
#define YAML_NODES_MAX     400000u /* of one file, aliases counted with all that they bring */
#define YAML_DOCUMENTS_MAX 100u

struct documents {
	struct node **items; /* an empty document is NULL */
	size_t count;
};

/* file is the name for messages and places; it and text must outlive the arena's users (text: the
 * caret lines). Returns 0, or -1 with an error in problems. */
int yaml_parse(struct arena *arena, const char *file, const char *text, size_t len,
	       struct problems *problems, struct documents *out_documents);

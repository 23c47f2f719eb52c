/* specs/name_index - from names to numbers, for maps and lists that may be large.
 *
 * Zero is a fine start but for the arena. Names are borrowed. One thread; never blocks.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct name_index {
	struct arena *arena;
	const char **names; /* open addressing; NULL is a free slot */
	size_t *values;
	size_t slot_count, count;
};

/* The number of a name, to be changed in place; NULL when it is not there. */
size_t *name_index_find(const struct name_index *index, const char *name);
/* Adds a name that is not there yet. */
void name_index_add(struct name_index *index, const char *name, size_t value);

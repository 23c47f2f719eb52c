/* specs/name_index - from names to numbers, for maps and lists that may be large.
 *
 * Owns: the hash table. May not touch: what the numbers mean. Source: FNV-1a with a final mix.
 */
#include "specs/name_index.h"

#include <string.h>

#define SLOTS_FIRST 64u

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash ^ (hash >> 29);
}

/* The slot of a name, or the free one where it belongs. */
static size_t slot_of(const struct name_index *index, const char *name)
{
	size_t slot = hash_name(name) & (index->slot_count - 1);

	while (index->names[slot] && strcmp(index->names[slot], name) != 0)
		slot = (slot + 1) & (index->slot_count - 1);
	return slot;
}

size_t *name_index_find(const struct name_index *index, const char *name)
{
	size_t slot;

	if (index->count == 0)
		return NULL;
	slot = slot_of(index, name);
	return index->names[slot] ? &index->values[slot] : NULL;
}

static void grow(struct name_index *index)
{
	struct name_index old = *index;

	index->slot_count = old.slot_count ? old.slot_count * 2 : SLOTS_FIRST;
	index->names = arena_alloc(index->arena, index->slot_count * sizeof(*index->names));
	index->values = arena_alloc(index->arena, index->slot_count * sizeof(*index->values));
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.names[i]) {
			size_t slot = slot_of(index, old.names[i]);

			index->names[slot] = old.names[i];
			index->values[slot] = old.values[i];
		}
}

void name_index_add(struct name_index *index, const char *name, size_t value)
{
	size_t slot;

	if (index->count * 2 >= index->slot_count)
		grow(index);
	slot = slot_of(index, name);
	index->names[slot] = name;
	index->values[slot] = value;
	index->count++;
}

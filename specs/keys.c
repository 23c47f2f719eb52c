/* specs/keys - the key tables: finding a row.
 *
 * Owns: look-up and near misses. May not touch: the rows themselves (specs/..._keys).
 */
#include "specs/keys.h"

#include <string.h>

#include "base/text.h"

const struct key *table_find(const struct table *table, const char *name)
{
	size_t len = strlen(name) + 1;

	for (size_t i = 0; i < table->count; i++)
		if (table->keys[i].name[0] == name[0] &&
		    strncmp(table->keys[i].name, name, len) == 0)
			return &table->keys[i];
	return NULL;
}

static const char *candidate(const void *context, size_t i)
{
	const struct table *table = context;

	return i < table->count ? table->keys[i].name : NULL;
}

const char *table_near(const struct table *table, const char *name)
{
	return text_near(name, candidate, table);
}

bool key_is_extension(const char *name)
{
	return name[0] == 'x' && name[1] == '-' && name[2] && strcmp(name, "x-stack") != 0;
}

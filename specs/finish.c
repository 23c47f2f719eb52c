/* specs/finish - the merged document: what must be there, what may not be empty, defaults of its
 * maps.
 *
 * Owns: the second walk over the tables. May not touch: names that refer to each other
 * (specs/check).
 */
#include "specs/finish.h"

#include <string.h>

#include "specs/name_index.h"
#include "specs/scalar_forms.h"

static int finish_map(struct shape *shape, const struct table *table, struct node *map,
		      const struct path *path);

static int check_repeats(struct shape *shape, const struct node *list, const struct path *path)
{
	struct name_index seen = { .arena = shape->arena };

	for (size_t i = 0; i < list->count; i++) {
		const struct node *item = list->members[i].value;

		if (item->kind != NODE_TEXT)
			continue;
		if (name_index_find(&seen, item->text))
			return node_error(shape->problems, PROBLEM_DUPLICATE, item, path,
					  "\"%s\" stands there twice", item->text);
		name_index_add(&seen, item->text, i);
	}
	return 0;
}

static int finish_named(struct shape *shape, const struct key *key, struct node *map,
			const struct path *path)
{
	int result = 0;

	for (size_t i = 0; i < map->count; i++) {
		struct node *value = map->members[i].value;
		struct path here = { path, map->members[i].key, 0 };

		if (value->kind == NODE_MAP) {
			result |= finish_map(shape, key->table, value, &here);
			continue;
		}
		if (value->kind != NODE_NULL || !key->table->null_names_ok) {
			result |= scalar_form_refuse(shape, value, &here, "a map");
			continue;
		}
		if (key->table->null_offset == NO_FIELD)
			value->kind = NODE_MAP;
	}
	return result;
}

static int finish_objects(struct shape *shape, const struct key *key, struct node *list,
			  const struct path *path)
{
	int result = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct path here = { path, NULL, i };

		if (list->members[i].value->kind == NODE_MAP)
			result |= finish_map(shape, key->table, list->members[i].value, &here);
	}
	return result;
}

static int finish_ulimits(struct shape *shape, const struct key *key, struct node *map,
			  const struct path *path)
{
	int result = 0;

	for (size_t i = 0; i < map->count; i++) {
		struct path here = { path, map->members[i].key, 0 };

		if (map->members[i].value->kind == NODE_MAP)
			result |= finish_map(shape, key->table, map->members[i].value, &here);
		else if (map->members[i].value->kind == NODE_NULL)
			result |= scalar_form_refuse(shape, map->members[i].value, &here,
						     "a number, or {soft, hard}");
	}
	return result;
}

static int finish_value(struct shape *shape, const struct key *key, struct node *value,
			const struct path *path)
{
	if ((key->flags & KEY_NO_REPEATS) && value->kind == NODE_LIST &&
	    check_repeats(shape, value, path) < 0)
		return -1;
	if ((key->flags & (KEY_WARNED | KEY_REFUSED)) && !shape->is_quiet)
		node_warn(shape->problems, value, path, "%s is accepted and %s", key->name,
			  key->flags & KEY_REFUSED ? "not supported: `up` will refuse it"
						   : "has no effect here");
	switch (key->kind) {
	case KEY_NAMED:
	case KEY_NAMES:
		return finish_named(shape, key, value, path);
	case KEY_OBJECT:
	case KEY_INLINE:
		return value->kind == NODE_MAP ? finish_map(shape, key->table, value, path) : 0;
	case KEY_OBJECTS:
		return finish_objects(shape, key, value, path);
	case KEY_ULIMITS:
		return finish_ulimits(shape, key, value, path);
	default:
		return 0;
	}
}

static int finish_member(struct shape *shape, const struct key *key, struct node *map,
			 size_t *index, const struct path *path)
{
	struct node *value = map->members[*index].value;
	static const char *const wants[KEY_KIND_COUNT] = {
		[KEY_NAMED] = "a map",        [KEY_NAMES] = "a list or a map",
		[KEY_OBJECT] = "a map",       [KEY_INLINE] = "a map",
		[KEY_OBJECTS] = "a list",     [KEY_TEXTS] = "a list",
		[KEY_LOOSE_TEXTS] = "a list", [KEY_PAIRS] = "a list or a map",
		[KEY_OPTIONS] = "a map",      [KEY_HOSTS] = "a list or a map",
		[KEY_ULIMITS] = "a map",
	};

	if (value->kind != NODE_NULL)
		return finish_value(shape, key, value, path);
	if (!(key->flags & KEY_NULL_OK) && strcmp(key->name, "external") != 0)
		return scalar_form_refuse(shape, value, path,
					  wants[key->kind] ? wants[key->kind] : "a value");
	if (key->kind == KEY_OBJECT || strcmp(key->name, "external") == 0)
		node_remove_at(map, (*index)--);
	return 0;
}

static int finish_map(struct shape *shape, const struct table *table, struct node *map,
		      const struct path *path)
{
	int result = 0;

	for (size_t i = 0; i < map->count; i++) {
		const struct key *key = table_find(table, map->members[i].key);
		struct path here = { path, map->members[i].key, 0 };

		if (key)
			result |= finish_member(shape, key, map, &i, &here);
	}
	for (size_t i = 0; i < table->count; i++)
		if ((table->keys[i].flags & KEY_NEEDED) && !node_get(map, table->keys[i].name))
			result =
				node_error(shape->problems, PROBLEM_MISSING, map, path,
					   "%s is missing in %s", table->keys[i].name, table->what);
	if (result == 0 && table->finish)
		result = table->finish(shape, map, path);
	return result;
}

int finish_document(struct shape *shape, struct node *root)
{
	return finish_map(shape, &project_table, root, NULL);
}

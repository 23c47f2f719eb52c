/* specs/shape - one document, checked against the key tables and brought to long forms.
 *
 * Owns: the walk, lists and maps of every kind. May not touch: what stands in other files,
 * defaults.
 */
#include "specs/shape.h"

#include <string.h>

#include "base/text.h"
#include "specs/list_forms.h"
#include "specs/name_index.h"
#include "specs/scalar_forms.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static int shape_value(struct shape *shape, const struct key *key, struct node *map, size_t index,
		       const struct path *path);

/* Short forms to long ones; anything else that is no map is a type error. */
static int take_item(struct shape *shape, const struct table *table, struct node *item,
		     const struct path *path, struct node *out_list)
{
	size_t first = out_list->count;
	int result;

	if (item->kind == NODE_MAP) {
		node_push(shape->arena, out_list, item);
		return shape_map(shape, table, item, path);
	}
	if (!table->expand || item->kind == NODE_LIST || item->kind == NODE_NULL)
		return scalar_form_refuse(shape, item, path, "a map");
	if (scalar_form_is_raw(shape, item)) {
		node_push(shape->arena, out_list, item);
		return 0;
	}
	result = table->expand(shape, item, path, out_list);
	for (size_t i = first; i < out_list->count; i++)
		if (out_list->members[i].value->kind == NODE_MAP)
			result |= shape_map(shape, table, out_list->members[i].value, path);
	return result;
}

static int take_objects(struct shape *shape, const struct key *key, struct node *node,
			const struct path *path)
{
	struct node *list = node_new(shape->arena, NODE_LIST, node->place);
	int result = 0;

	if ((key->flags & KEY_ONE_OK) && node_is_scalar(node)) {
		struct path here = { path, NULL, 0 };

		result = take_item(shape, key->table, node_copy(shape->arena, node), &here, list);
	} else if (node->kind != NODE_LIST) {
		return scalar_form_refuse(shape, node, path, "a list");
	}
	for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++) {
		struct path here = { path, NULL, i };

		result |= take_item(shape, key->table, node->members[i].value, &here, list);
	}
	list->tag = node->tag;
	*node = *list;
	if (result == 0)
		shape_unique(shape->arena, node, key);
	return result;
}

static int take_object(struct shape *shape, const struct key *key, struct node *node,
		       const struct path *path)
{
	struct node list = { .kind = NODE_LIST, .place = node->place };

	if (node->kind == NODE_MAP)
		return shape_map(shape, key->table, node, path);
	if (take_item(shape, key->table, node_copy(shape->arena, node), path, &list) < 0)
		return -1;
	if (list.count == 1)
		*node = *list.members[0].value;
	return 0;
}

bool shape_is_name(const char *text)
{
	return *text && strspn(text, NAME_CHARS) == strlen(text);
}

static int check_name(struct shape *shape, const struct table *table, const struct member *member,
		      const struct path *path)
{
	if (shape_is_name(member->key))
		return 0;
	return problem_error(shape->problems, PROBLEM_UNKNOWN_KEY, member->key_place,
			     path_text(shape->arena, path),
			     "\"%s\" is no name for %s (want a-z A-Z 0-9 . _ -)", member->key,
			     table->what);
}

/* A list of names to a map of name -> long form, or nothing. */
static int names_to_map(struct shape *shape, const struct table *table, struct node *node,
			const struct path *path)
{
	struct node *map = node_new(shape->arena, NODE_MAP, node->place);
	int result = 0;

	for (size_t i = 0; i < node->count; i++) {
		struct node *item = node->members[i].value;
		struct path here = { path, NULL, i };
		struct node list = { .kind = NODE_LIST };

		if (item->kind != NODE_TEXT) {
			result = scalar_form_refuse(shape, item, &here, "a name");
			continue;
		}
		if (node_get(map, item->text)) {
			result = node_error(shape->problems, PROBLEM_DUPLICATE, item, path,
					    "\"%s\" stands there twice", item->text);
			continue;
		}
		if (table->expand)
			result |= table->expand(shape, item, &here, &list);
		node_set(shape->arena, map, item->text, item->place,
			 list.count ? list.members[0].value
				    : node_new(shape->arena, NODE_NULL, item->place));
	}
	map->tag = node->tag;
	*node = *map;
	return result;
}

static int take_named(struct shape *shape, const struct key *key, struct node *node,
		      const struct path *path)
{
	const struct table *table = key->table;
	int result = 0;

	if (node->kind == NODE_LIST && key->kind == KEY_NAMES)
		result = names_to_map(shape, table, node, path);
	if (node->kind != NODE_MAP)
		return scalar_form_refuse(shape, node, path,
					  key->kind == KEY_NAMES ? "a list or a map" : "a map");
	for (size_t i = 0; i < node->count; i++) {
		struct node *value = node->members[i].value;
		struct path here = { path, node->members[i].key, 0 };

		result |= check_name(shape, table, &node->members[i], path);
		if (value->kind == NODE_MAP)
			result |= shape_map(shape, table, value, &here);
		else if (value->kind != NODE_NULL)
			result |= scalar_form_refuse(shape, value, &here, "a map");
	}
	return result;
}

static int take_ulimits(struct shape *shape, const struct key *key, struct node *node,
			const struct path *path)
{
	static const struct key number = { .kind = KEY_INT, .has_minimum = true, .minimum = -1 };
	int result = 0;

	if (node->kind != NODE_MAP)
		return scalar_form_refuse(shape, node, path, "a map");
	for (size_t i = 0; i < node->count; i++) {
		struct node *value = node->members[i].value;
		struct path here = { path, node->members[i].key, 0 };

		if (!list_form_is_limit(node->members[i].key))
			result = problem_error(shape->problems, PROBLEM_UNKNOWN_KEY,
					       node->members[i].key_place,
					       path_text(shape->arena, path),
					       "\"%s\" is no limit (want nofile, nproc, ...)",
					       node->members[i].key);
		else if (value->kind == NODE_MAP)
			result |= shape_map(shape, key->table, value, &here);
		else if (value->kind != NODE_NULL)
			result |= scalar_form(shape, &number, value, &here);
	}
	return result;
}

/* `external: {name: X}`, the old form: true, and the name beside it. */
static int take_external(struct shape *shape, const struct key *key, struct node *map,
			 struct node *node, const struct path *path)
{
	const struct node *name = node_get(node, "name");

	if (node->kind != NODE_MAP)
		return scalar_form(shape, key, node, path);
	if (node->count != (name ? 1u : 0u) || (name && name->kind != NODE_TEXT))
		return node_error(shape->problems, PROBLEM_TYPE, node, path,
				  "want true, or the old form {name: NAME}");
	node_warn(shape->problems, node, path,
		  "external.name is an old form; write external: true and name: beside it");
	if (name)
		node_set(shape->arena, map, "name", node->place, node_copy(shape->arena, name));
	*node = (struct node){ .kind = NODE_BOOL, .place = node->place, .text = "true" };
	return 0;
}

static int shape_value(struct shape *shape, const struct key *key, struct node *map, size_t index,
		       const struct path *path)
{
	struct node *node = map->members[index].value;

	if (node->kind == NODE_NULL)
		return 0;
	switch (key->kind) {
	case KEY_OBJECT:
	case KEY_INLINE:
		return take_object(shape, key, node, path);
	case KEY_OBJECTS:
		return take_objects(shape, key, node, path);
	case KEY_NAMED:
	case KEY_NAMES:
		return take_named(shape, key, node, path);
	case KEY_ULIMITS:
		return take_ulimits(shape, key, node, path);
	case KEY_EXTERNAL:
		return take_external(shape, key, map, node, path);
	case KEY_TEXTS:
	case KEY_LOOSE_TEXTS:
	case KEY_TEXT_OR_LIST:
	case KEY_COMMAND:
	case KEY_TEST:
	case KEY_HOSTS:
	case KEY_PAIRS:
	case KEY_OPTIONS:
	case KEY_SSH:
	case KEY_PROVIDER_OPTIONS:
		if (list_form(shape, key, node, path) < 0)
			return -1;
		if (key->flags & KEY_UNIQUE)
			shape_unique(shape->arena, node, key);
		return 0;
	default:
		return scalar_form(shape, key, node, path);
	}
}

static int refuse_key(struct shape *shape, const struct table *table, const struct member *member,
		      const struct path *path)
{
	const char *near =
		shape->problems->error_count < PROBLEMS_MAX ? table_near(table, member->key) : NULL;

	return problem_error(shape->problems, PROBLEM_UNKNOWN_KEY, member->key_place,
			     path_text(shape->arena, path), "unknown key \"%s\" in %s%s%s%s",
			     member->key, table->what, near ? " (did you mean \"" : "",
			     near ? near : "", near ? "\"?)" : "");
}

int shape_map(struct shape *shape, const struct table *table, struct node *map,
	      const struct path *path)
{
	int result = 0;

	for (size_t i = 0; i < map->count; i++) {
		const struct key *key = table_find(table, map->members[i].key);
		struct path here = { path, map->members[i].key, 0 };

		if (key)
			result |= shape_value(shape, key, map, i, &here);
		else if (table->extensions_offset == NO_FIELD ||
			 !key_is_extension(map->members[i].key))
			result |= refuse_key(shape, table, &map->members[i], path);
	}
	if (result == 0 && table->settle)
		result = table->settle(shape, map, path);
	return result;
}

int shape_document(struct shape *shape, struct node *root)
{
	if (root->kind != NODE_MAP)
		return problem_error(shape->problems, PROBLEM_TYPE, root->place, "",
				     "line %u: the top must be a map, here is %s", root->place.line,
				     node_kind_name(root->kind));
	return shape_map(shape, &project_table, root, NULL);
}

/* Text that an item is unique by; NULL: no such. */
static const char *unique_text(struct arena *arena, const struct key *key, const struct node *item)
{
	if (key->kind != KEY_OBJECTS)
		return item->kind == NODE_TEXT ? item->text : NULL;
	return key->table->unique && item->kind == NODE_MAP ? key->table->unique(arena, item)
							    : NULL;
}

void shape_unique(struct arena *arena, struct node *list, const struct key *key)
{
	bool first_place = key->kind == KEY_OBJECTS && key->table->first_place;
	struct name_index seen = { .arena = arena };
	size_t kept = 0;

	if (list->kind != NODE_LIST || list->count < 2)
		return;
	for (size_t i = 0; i < list->count; i++) {
		const char *text = unique_text(arena, key, list->members[i].value);
		const size_t *there = text ? name_index_find(&seen, text) : NULL;

		if (there && !first_place)
			list->members[*there] = list->members[i];
		if (there)
			continue;
		if (text)
			name_index_add(&seen, text, kept);
		list->members[kept++] = list->members[i];
	}
	list->count = kept;
}

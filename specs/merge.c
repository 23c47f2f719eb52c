/* specs/merge - one document over another, both in long forms, by the rules of the key tables.
 *
 * Owns: the rules of combining, !reset and !override. May not touch: short forms, files.
 */
#include "specs/merge.h"

#include <string.h>

#include "specs/shape.h"

#define TAGS_MAX 5000u

static struct node *merge_value(struct arena *arena, const struct key *key, struct node *base,
				struct node *over);

static void append(struct arena *arena, struct node *base, const struct node *over)
{
	for (size_t i = 0; i < over->count; i++)
		node_push(arena, base, over->members[i].value);
}

/* Names of the over replace those of the base. */
static void merge_names(struct arena *arena, struct node *base, const struct node *over)
{
	for (size_t i = 0; i < over->count; i++)
		node_set(arena, base, over->members[i].key, over->members[i].key_place,
			 over->members[i].value);
}

/* Without a row (extensions): maps by key, lists appended, scalars replaced. */
static struct node *merge_free(struct arena *arena, struct node *base, struct node *over)
{
	if (over->kind == NODE_NULL)
		return base;
	if (base->kind == NODE_LIST && over->kind == NODE_LIST) {
		append(arena, base, over);
		return base;
	}
	if (base->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	for (size_t i = 0; i < over->count; i++) {
		const struct member *member = &over->members[i];
		struct node *there = node_get(base, member->key);

		node_set(arena, base, member->key, member->key_place,
			 there ? merge_free(arena, there, member->value) : member->value);
	}
	return base;
}

static bool drivers_differ(const struct node *base, const struct node *over)
{
	const char *a = node_get_text(base, "driver"), *b = node_get_text(over, "driver");

	return a && b && strcmp(a, b) != 0;
}

/* Entries with the same subnet are one pool. */
static void merge_pools(struct arena *arena, const struct key *key, struct node *base,
			const struct node *over)
{
	for (size_t i = 0; i < over->count; i++) {
		struct node *pool = over->members[i].value;
		const char *subnet = node_get_text(pool, "subnet");
		bool merged = false;

		for (size_t k = 0; k < base->count && subnet && !merged; k++) {
			const char *other = node_get_text(base->members[k].value, "subnet");

			if (!other || strcmp(other, subnet) != 0)
				continue;
			merge_map(arena, key->table, base->members[k].value, pool);
			merged = true;
		}
		if (!merged)
			node_push(arena, base, pool);
	}
}

static void merge_named(struct arena *arena, const struct key *key, struct node *base,
			const struct node *over)
{
	for (size_t i = 0; i < over->count; i++) {
		const struct member *member = &over->members[i];
		struct node *there = node_get(base, member->key);

		if (!there || there->kind != NODE_MAP)
			node_set(arena, base, member->key, member->key_place, member->value);
		else if (member->value->kind == NODE_MAP)
			merge_map(arena, key->table, there, member->value);
	}
}

static struct node *merge_value(struct arena *arena, const struct key *key, struct node *base,
				struct node *over)
{
	if (key->flags & KEY_REPLACED)
		return over;
	if (over->kind == NODE_NULL)
		return base;
	if (base->kind != over->kind || node_is_scalar(over))
		return over;
	switch (key->kind) {
	case KEY_PAIRS:
	case KEY_OPTIONS:
	case KEY_SSH:
	case KEY_ULIMITS:
	case KEY_PROVIDER_OPTIONS:
		merge_names(arena, base, over);
		return base;
	case KEY_OBJECT:
	case KEY_INLINE:
		if (key->table == &logging_table && drivers_differ(base, over))
			return over;
		merge_map(arena, key->table, base, over);
		return base;
	case KEY_NAMED:
	case KEY_NAMES:
		merge_named(arena, key, base, over);
		return base;
	case KEY_OBJECTS:
		if (strcmp(key->table->what, "an address pool") == 0) {
			merge_pools(arena, key, base, over);
			return base;
		}
		append(arena, base, over);
		shape_unique(arena, base, key);
		return base;
	default:
		append(arena, base, over);
		if (key->flags & KEY_UNIQUE)
			shape_unique(arena, base, key);
		return base;
	}
}

void merge_map(struct arena *arena, const struct table *table, struct node *base, struct node *over)
{
	for (size_t i = 0; i < over->count; i++) {
		const struct member *member = &over->members[i];
		const struct key *key = table_find(table, member->key);
		struct node *there = node_get(base, member->key);
		struct node *value = member->value;

		if (there)
			value = key ? merge_value(arena, key, there, value)
				    : merge_free(arena, there, value);
		if (!there || value != there)
			node_set(arena, base, member->key, member->key_place, value);
	}
}

struct tag_walk {
	struct arena *arena;
	struct problems *problems;
	struct tagged_paths *out;
};

static void note_path(struct tag_walk *walk, const struct path *path)
{
	struct tagged_path *tagged =
		arena_grow(walk->arena, &walk->out->items, &walk->out->count, sizeof(*tagged));
	size_t depth = 0;

	for (const struct path *step = path; step; step = step->up)
		depth++;
	tagged->keys = arena_alloc(walk->arena, depth * sizeof(*tagged->keys));
	tagged->count = depth;
	for (const struct path *step = path; step; step = step->up)
		tagged->keys[--depth] = step->key;
}

static void take_tags(struct tag_walk *walk, struct node *node, const struct path *path,
		      bool in_list)
{
	for (size_t i = 0; i < node->count; i++) {
		struct node *value = node->members[i].value;
		struct path here = { path, node->members[i].key, i };
		bool tagged = value->tag != TAG_NONE;

		if (tagged && (in_list || node->kind == NODE_LIST)) {
			node_warn(walk->problems, value, &here,
				  "a tag on an item of a list has no effect");
			tagged = false;
		}
		if (tagged && walk->out->count >= TAGS_MAX) {
			node_error(walk->problems, PROBLEM_LIMIT, value, &here,
				   "more than %u tags in one document", TAGS_MAX);
			return;
		}
		if (tagged)
			note_path(walk, &here);
		if (tagged && value->tag == TAG_RESET) {
			node_remove_at(node, i--);
			continue;
		}
		value->tag = TAG_NONE;
		take_tags(walk, value, &here, in_list || node->kind == NODE_LIST);
	}
}

void merge_take_tags(struct arena *arena, struct problems *problems, struct node *root,
		     struct tagged_paths *out_paths)
{
	struct tag_walk walk = { arena, problems, out_paths };

	*out_paths = (struct tagged_paths){ 0 };
	take_tags(&walk, root, NULL, false);
}

static void delete_path(struct node *node, const char *const *keys, size_t count)
{
	for (; count > 1 && node; keys++, count--)
		node = node_get(node, keys[0]);
	if (count == 1)
		node_remove(node, keys[0]);
}

void merge_delete(struct node *model, const struct tagged_paths *paths, const char *const *prefix,
		  size_t skip)
{
	for (size_t i = 0; i < paths->count; i++) {
		const struct tagged_path *path = &paths->items[i];
		bool matches = path->count > skip;

		for (size_t k = 0; k < skip && matches; k++)
			matches = strcmp(path->keys[k], prefix[k]) == 0;
		if (matches)
			delete_path(model, path->keys + skip, path->count - skip);
	}
}

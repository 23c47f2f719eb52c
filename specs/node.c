/* specs/node - a document as a tree: maps, lists and scalars, each with its place in the files.
 *
 * Owns: making, copying, comparing and finding nodes, the writing of paths.
 * May not touch: what a key means (the key tables), files.
 */
#include "specs/node.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "specs/name_index.h"
#include "specs/scalar.h"

#define PATH_DEPTH_MAX 256
#define INDEX_FROM     24u /* members from which on a map has an index */

struct node *node_new(struct arena *arena, enum node_kind kind, struct place place)
{
	struct node *node = arena_alloc(arena, sizeof(*node));

	node->kind = kind;
	node->place = place;
	return node;
}

struct node *node_new_text(struct arena *arena, struct place place, const char *text)
{
	struct node *node = node_new(arena, NODE_TEXT, place);

	node->text = text;
	return node;
}

static struct member *push_member(struct arena *arena, struct node *node)
{
	if (node->count == node->room) {
		size_t room = node->room ? node->room * 2 : 4;
		struct member *members = arena_alloc(arena, room * sizeof(*members));

		if (node->count)
			memcpy(members, node->members, node->count * sizeof(*members));
		node->members = members;
		node->room = room;
	}
	return &node->members[node->count++];
}

struct node *node_copy(struct arena *arena, const struct node *node)
{
	struct node *copy = node_new(arena, node->kind, node->place);

	copy->tag = node->tag;
	copy->text = node->text;
	if (node->count == 0)
		return copy;
	copy->members = arena_alloc(arena, node->count * sizeof(*copy->members));
	copy->count = copy->room = node->count;
	for (size_t i = 0; i < node->count; i++) {
		copy->members[i] = node->members[i];
		copy->members[i].value = node_copy(arena, node->members[i].value);
	}
	return copy;
}

bool node_is_scalar(const struct node *node)
{
	return node->kind != NODE_MAP && node->kind != NODE_LIST;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->count != b->count)
		return false;
	if (node_is_scalar(a))
		return a->kind == NODE_NULL || strcmp(a->text, b->text) == 0;
	for (size_t i = 0; i < a->count; i++) {
		const struct node *other =
			a->kind == NODE_MAP ? node_get(b, a->members[i].key) : b->members[i].value;

		if (!other || !node_equal(a->members[i].value, other))
			return false;
	}
	return true;
}

const char *node_kind_name(enum node_kind kind)
{
	static const char *const names[] = {
		[NODE_NULL] = "nothing",   [NODE_BOOL] = "a boolean", [NODE_INT] = "a number",
		[NODE_FLOAT] = "a number", [NODE_TEXT] = "text",      [NODE_LIST] = "a list",
		[NODE_MAP] = "a map",
	};

	return names[kind];
}

static struct member *find_member(const struct node *map, const char *key)
{
	if (map->index) {
		const size_t *at = name_index_find(map->index, key);

		return at ? &map->members[*at] : NULL;
	}
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->members[i].key, key) == 0)
			return &map->members[i];
	return NULL;
}

struct node *node_get(const struct node *map, const char *key)
{
	const struct member *member = map && map->kind == NODE_MAP ? find_member(map, key) : NULL;

	return member ? member->value : NULL;
}

const char *node_get_text(const struct node *map, const char *key)
{
	const struct node *value = node_get(map, key);

	return value && node_is_scalar(value) ? value->text : NULL;
}

bool node_get_bool(const struct node *map, const char *key)
{
	const char *text = node_get_text(map, key);
	bool value = false;

	return text && scalar_bool(text, &value) > 0 && value;
}

/* Keeps the index in step with a member that was just appended. */
static void index_last(struct arena *arena, struct node *map)
{
	size_t first = map->count - 1;

	if (map->count < INDEX_FROM)
		return;
	if (!map->index) {
		map->index = arena_alloc(arena, sizeof(*map->index));
		map->index->arena = arena;
		first = 0;
	}
	for (size_t i = first; i < map->count; i++)
		if (!name_index_find(map->index, map->members[i].key))
			name_index_add(map->index, map->members[i].key, i);
}

void node_add(struct arena *arena, struct node *map, const char *key, struct place key_place,
	      struct node *value)
{
	*push_member(arena, map) = (struct member){ key, key_place, value };
	index_last(arena, map);
}

void node_set(struct arena *arena, struct node *map, const char *key, struct place key_place,
	      struct node *value)
{
	struct member *member = find_member(map, key);

	if (member) {
		member->value = value;
		member->key_place = key_place;
		return;
	}
	node_add(arena, map, key, key_place, value);
}

void node_set_text(struct arena *arena, struct node *map, const char *key, struct place place,
		   const char *text)
{
	node_set(arena, map, key, place, node_new_text(arena, place, text));
}

void node_push(struct arena *arena, struct node *list, struct node *value)
{
	*push_member(arena, list) = (struct member){ NULL, value->place, value };
}

void node_remove_at(struct node *node, size_t index)
{
	memmove(&node->members[index], &node->members[index + 1],
		(node->count - index - 1) * sizeof(*node->members));
	node->count--;
	node->index = NULL;
}

void node_remove(struct node *map, const char *key)
{
	const struct member *member = map && map->kind == NODE_MAP ? find_member(map, key) : NULL;

	if (member)
		node_remove_at(map, (size_t)(member - map->members));
}

struct node *node_need(struct arena *arena, struct node *map, const char *key, enum node_kind kind)
{
	struct node *value = node_get(map, key);

	if (value && value->kind == kind)
		return value;
	value = node_new(arena, kind, (struct place){ 0 });
	node_set(arena, map, key, (struct place){ 0 }, value);
	return value;
}

const char *path_text(struct arena *arena, const struct path *path)
{
	const struct path *chain[PATH_DEPTH_MAX];
	char *text = NULL;
	size_t len = 0, depth = 0;
	const char *kept;
	FILE *out = open_memstream(&text, &len);

	for (; path && depth < PATH_DEPTH_MAX; path = path->up)
		chain[depth++] = path;
	while (out && depth-- > 0) {
		if (!chain[depth]->key)
			fprintf(out, "[%zu]", chain[depth]->index);
		else if (ftell(out) > 0)
			fprintf(out, ".%s", chain[depth]->key);
		else
			fputs(chain[depth]->key, out);
	}
	if (out)
		fclose(out);
	kept = arena_strdup(arena, text ? text : "");
	free(text);
	return kept;
}

/* The member that the front of *path names; its length is cut off *path. Keys may hold dots, so the
 * longest key that fits is taken. */
static const struct member *path_step(const struct node *node, const char **path)
{
	const struct member *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < node->count; i++) {
		const struct member *member = &node->members[i];
		char number[32];
		const char *name = member->key;
		size_t len;

		if (node->kind == NODE_LIST) {
			snprintf(number, sizeof(number), "[%zu]", i);
			name = number;
		}
		len = strlen(name);
		if (len > best_len && strncmp(*path, name, len) == 0 &&
		    ((*path)[len] == '.' || (*path)[len] == '[' || !(*path)[len])) {
			best = member;
			best_len = len;
		}
	}
	if (best)
		*path += best_len + ((*path)[best_len] == '.');
	return best;
}

struct place node_place_of(const struct node *tree, const char *path)
{
	struct place place = { 0 };

	while (tree && *path) {
		const struct member *member = path_step(tree, &path);

		if (!member)
			break;
		tree = member->value;
		if (member->key_place.file)
			place = member->key_place;
	}
	return place;
}

static const char *format_args(struct arena *arena, const char *fmt, va_list args)
{
	char *text = NULL;
	const char *kept;

	if (vasprintf(&text, fmt, args) < 0)
		return "out of memory";
	kept = arena_strdup(arena, text);
	free(text);
	return kept;
}

int node_error(struct problems *problems, enum problem_kind kind, const struct node *node,
	       const struct path *path, const char *fmt, ...)
{
	const char *text;
	va_list args;

	if (problems->error_count >= PROBLEMS_MAX) {
		problems->error_count++;
		return -1;
	}
	va_start(args, fmt);
	text = format_args(problems->arena, fmt, args);
	va_end(args);
	return problem_error(problems, kind, node ? node->place : (struct place){ 0 },
			     path_text(problems->arena, path), "%s", text);
}

void node_warn(struct problems *problems, const struct node *node, const struct path *path,
	       const char *fmt, ...)
{
	const char *text;
	va_list args;

	va_start(args, fmt);
	text = format_args(problems->arena, fmt, args);
	va_end(args);
	problem_warn(problems, node ? node->place : (struct place){ 0 },
		     path_text(problems->arena, path), "%s", text);
}

static struct json_object *to_json(const struct node *node)
{
	struct json_object *json;

	switch (node->kind) {
	case NODE_NULL:
		return NULL;
	case NODE_BOOL:
		return json_object_new_boolean(strcmp(node->text, "true") == 0);
	case NODE_INT:
	case NODE_FLOAT:
		return scalar_json_number(node->text);
	case NODE_TEXT:
		return json_object_new_string(node->text);
	case NODE_LIST:
		json = json_object_new_array();
		for (size_t i = 0; i < node->count; i++)
			json_object_array_add(json, to_json(node->members[i].value));
		return json;
	case NODE_MAP:
		json = json_object_new_object();
		for (size_t i = 0; i < node->count; i++)
			json_object_object_add(json, node->members[i].key,
					       to_json(node->members[i].value));
		return json;
	}
	return NULL;
}

const char *node_json(struct arena *arena, const struct node *node)
{
	struct json_object *json = to_json(node);
	const char *text = arena_strdup(
		arena, json_object_to_json_string_ext(
			       json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(json);
	return text;
}

/* specs/node - a document as a tree: maps, lists and scalars, each with its place in the files.
 *
 * All of it lives in one arena. Scalars hold their text in the form that they print in ("0x1F" is
 * "31"). Maps keep the order of the file. Thread-safe as plain data is; never blocks.
 */
#pragma once
#include "base/arena.h"
#include "specs/model_values.h"
#include "specs/problem.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT, NODE_TEXT, NODE_LIST, NODE_MAP };
enum node_tag { TAG_NONE, TAG_RESET, TAG_OVERRIDE };

struct member {
	const char *key;        /* NULL in a list */
	struct place key_place; /* of the key, or of the list item */
	struct node *value;
};

struct node {
	enum node_kind kind;
	enum node_tag tag;
	struct place place;
	const char *text; /* scalars but null; NUL-terminated */
	struct member *members;
	size_t count;
	size_t room;              /* members allocated */
	struct name_index *index; /* of a large map; NULL: none, or out of date */
};

/* Where a walk stands: a chain on the stack, written out only for messages. */
struct path {
	const struct path *up; /* NULL: the top, which has no name */
	const char *key;       /* NULL: index counts */
	size_t index;
};
#define PATH_KEY(above, name)     (&(struct path){ (above), (name), 0 })
#define PATH_INDEX(above, number) (&(struct path){ (above), NULL, (number) })

struct node *node_new(struct arena *arena, enum node_kind kind, struct place place);
struct node *node_new_text(struct arena *arena, struct place place, const char *text);
struct node *node_copy(struct arena *arena, const struct node *node); /* deep */
/* Same kinds, texts and members; order of keys and places do not count. */
bool node_equal(const struct node *a, const struct node *b);
bool node_is_scalar(const struct node *node);
const char *node_kind_name(enum node_kind kind); /* "a map", "text" ... */

/* Value of a key; NULL when node is NULL, no map, or has none. */
struct node *node_get(const struct node *map, const char *key);
/* As node_get, only when it is a scalar with text; else NULL. */
const char *node_get_text(const struct node *map, const char *key);
bool node_get_bool(const struct node *map, const char *key);
/* Replaces the value of a key, or appends the key. */
void node_set(struct arena *arena, struct node *map, const char *key, struct place key_place,
	      struct node *value);
void node_set_text(struct arena *arena, struct node *map, const char *key, struct place place,
		   const char *text);
void node_push(struct arena *arena, struct node *list, struct node *value);
/* Appends a key that the map does not have yet (nobody looks). */
void node_add(struct arena *arena, struct node *map, const char *key, struct place key_place,
	      struct node *value);
void node_remove(struct node *map, const char *key);
void node_remove_at(struct node *node, size_t index);
/* Gives map[key], made as an empty map or list when absent or null. */
struct node *node_need(struct arena *arena, struct node *map, const char *key, enum node_kind kind);

/* "services.web.ports[0]"; "" for the top. */
const char *path_text(struct arena *arena, const struct path *path);
/* Place of the node at such a path, or of the nearest one above it that is there. */
struct place node_place_of(const struct node *tree, const char *path);

/* problem_error at a node. Returns -1. */
int node_error(struct problems *problems, enum problem_kind kind, const struct node *node,
	       const struct path *path, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void node_warn(struct problems *problems, const struct node *node, const struct path *path,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The tree as JSON text (for extension keys). Numbers and booleans stay such. */
const char *node_json(struct arena *arena, const struct node *node);

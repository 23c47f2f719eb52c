/* specs/explain - every value of a resolved document with the file and line that it came from.
 *
 * Owns: the form of the lines. May not touch: values; texts of secrets are not in the tree.
 */
#include "specs/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define VALUE_COLUMN 56

static void write_node(FILE *out, struct arena *arena, const struct member *member,
		       const struct path *path);

static int compare_members(const void *left, const void *right)
{
	const struct member *const *a = left, *const *b = right;

	return strcmp((*a)->key, (*b)->key);
}

/* Maps by key, lists in their order. */
static void write_members(FILE *out, struct arena *arena, const struct node *node,
			  const struct path *path)
{
	const struct member **members = arena_alloc(arena, (node->count + 1) * sizeof(*members));

	for (size_t i = 0; i < node->count; i++)
		members[i] = &node->members[i];
	if (node->kind == NODE_MAP)
		qsort(members, node->count, sizeof(*members), compare_members);
	for (size_t i = 0; i < node->count; i++) {
		struct path here = { path, members[i]->key, i };

		write_node(out, arena, members[i], &here);
	}
}

static const char *value_text(struct arena *arena, const struct node *node)
{
	static const char *const empty[] = {
		[NODE_LIST] = "[]",
		[NODE_MAP] = "{}",
		[NODE_NULL] = "null",
	};

	if (!node_is_scalar(node) || node->kind == NODE_NULL)
		return empty[node->kind];
	return text_plain(arena_strdup(arena, node->text));
}

static void write_node(FILE *out, struct arena *arena, const struct member *member,
		       const struct path *path)
{
	const struct node *node = member->value;
	struct place place = node->place.file ? node->place : member->key_place;
	const char *text;

	if (!node_is_scalar(node) && node->count > 0) {
		write_members(out, arena, node, path);
		return;
	}
	text = arena_format(arena, "%s: %s", path_text(arena, path), value_text(arena, node));
	if (place.file)
		fprintf(out, "%-*s  %s:%u\n", VALUE_COLUMN, text, place.file, place.line);
	else
		fprintf(out, "%-*s  default\n", VALUE_COLUMN, text);
}

void explain_write(FILE *out, struct arena *arena, const struct node *tree)
{
	write_members(out, arena, tree, NULL);
}

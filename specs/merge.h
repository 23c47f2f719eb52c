/* specs/merge - one document over another, both in long forms, by the rules of the key tables.
 *
 * The base is changed in place and takes nodes of the over; the over is not to be used afterwards.
 * One thread; never blocks. Source: Compose Specification, "Merge and override".
 */
#pragma once
#include "specs/keys.h"

/* Over base, by the rules of the table's keys: scalars are replaced, lists and maps joined. */
void merge_map(struct arena *arena, const struct table *table, struct node *base,
	       struct node *over);

/* Where a document has !reset or !override: keys from the top. */
struct tagged_path {
	const char **keys;
	size_t count;
};
struct tagged_paths {
	struct tagged_path *items;
	size_t count;
};
/* Collects them; nodes with !reset leave the document. A tag on an item of a list has no effect: a
 * warning. */
void merge_take_tags(struct arena *arena, struct problems *problems, struct node *root,
		     struct tagged_paths *out_paths);
/* Deletes the paths from a model; skip keys of each path are left away, and only those that start
 * with the prefix (skip keys) count. prefix NULL: all. */
void merge_delete(struct node *model, const struct tagged_paths *paths, const char *const *prefix,
		  size_t skip);

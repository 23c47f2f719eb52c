/* images/dockerfile/sources - what the sources of a COPY are: a tree, with digests. For
 * images/dockerfile only.
 *
 * The root of the tree is the destination. Files stand in it under their own names, folders with
 * what is in them; later sources win over earlier ones. Attributes are those of the source. Blocks
 * (disk, hashing).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "images/dockerfile/context.h"
#include "images/dockerfile/key.h"
#include "images/dockerfile/tree_out.h"

#define DF_SOURCES_PARENTS 1u /* --parents */
#define DF_SOURCES_DIGESTS 2u /* files are hashed: for the key */

struct df_sources {
	struct df_tree tree;
	size_t named;     /* names that sources and patterns led to */
	bool has_pattern; /* one of the sources is a pattern */
	bool has_folder;  /* one of them is a folder */
	size_t file_count;
	uint64_t bytes;
};

struct df_sources_spec {
	struct df_context *context;
	const char *const *paths;
	size_t path_count;
	const char *const *excludes;
	size_t exclude_count;
	unsigned flags;
	uint64_t max_bytes; /* of all files together; 0: no limit */
};

/* Errors as df_copy_plan. */
int df_sources_find(const struct df_sources_spec *spec, struct df_sources *out, struct err *err);
void df_sources_clear(struct df_sources *sources);

/* Key entries of the whole tree (in order; xattrs, links, digests), in the arena. */
void df_sources_entries(const struct df_tree *tree, struct arena *arena, struct df_key_entry **out,
			size_t *out_count);

/* images/apply_path - names of entries to places in the tree. For images/apply only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "images/apply.h"

#define APPLY_DIR_MODE  0755u
#define APPLY_LINKS_MAX 40u /* as the kernel follows */
#define APPLY_PATH_MAX  4096u
#define APPLY_NAME_MAX  255u

struct apply {
	struct layer_tree *tree;
	struct apply_sink sink;
	struct apply_lower lower;
	bool has_lower;
	bool skips_data; /* the entry's content goes nowhere */
	bool made_implicit;
	char *missing_link;
	uint64_t max_bytes, bytes;
	uint32_t entries;
};

/* Strips "/", "./" and "//"; ".." is ERR_INVALID. "" is the root. To be freed. */
int apply_clean(const char *path, char **out, struct err *err);
/* A parent path with a whiteout in it: 1 aufs' own (to be skipped), -1 refused, 0 none. */
int apply_below_whiteout(const char *path);
/* The folder of that (clean) path, links followed inside the root, made where it is missing. 0 on
 * error. */
uint32_t apply_parent(struct apply *apply, const char *path, struct err *err);
/* What the (clean) path names, its last component not followed; nothing is made but a copy of a
 * lower file. *out 0: not there. */
int apply_find(struct apply *apply, const char *path, uint32_t *out, struct err *err);
/* Out of the tree and off the disk. */
int apply_remove(struct apply *apply, uint32_t name, struct err *err);

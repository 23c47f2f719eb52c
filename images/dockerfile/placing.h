/* images/dockerfile/placing - a tree that grows over what a stage has already. For
 * images/dockerfile only.
 *
 * What is put there ends up as a layer over the stage's tree: folders on the way get an entry with
 * the attributes that they have below, missing ones are made; links on the way are followed inside
 * the root, through what was put there and what is below. Blocks (looks at the tree below).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "images/dockerfile/tree_out.h"

struct df_placing {
	struct df_tree tree;
	int lower_fd; /* the stage's tree, borrowed; -1: nothing is below (scratch, --link) */
	uint32_t new_uid, new_gid; /* of folders that are made */
	int64_t now_s;
};

/* An empty tree with nothing below (lower_fd -1); clear gives its memory back. */
void df_placing_init(struct df_placing *placing, int lower_fd, uint64_t now_unix_ns);
void df_placing_clear(struct df_placing *placing);

/* The folder of that path, below the folder `at` (LAYER_TREE_ROOT: the root; absolute links lead
 * from the root on in any case). Missing ones are made. 0: INVALID (a file is in the way, too many
 * links). */
uint32_t df_placing_folder(struct df_placing *placing, uint32_t at, const char *path,
			   struct err *err);

/* Where a path leads, for one file: a folder (then *out_leaf is NULL), or a name in the folder that
 * is returned (borrowed, in the tree's arena), there or not. 0 on error. */
uint32_t df_placing_target(struct df_placing *placing, const char *path, const char **out_leaf,
			   struct err *err);
/* Whether a folder stands at the path, links followed; nothing is made. */
bool df_placing_has_folder(struct df_placing *placing, const char *path);

/* Puts the inode under a name. A file takes a file's place, a folder joins a folder (and gives it
 * its attributes); one for the other is INVALID unless flags say REPLACE (archives do, but for
 * folders that are below). The name, or 0. */
#define DF_PLACING_REPLACE 1u
uint32_t df_placing_put(struct df_placing *placing, uint32_t parent, const char *name,
			uint32_t inode, unsigned flags, struct err *err);

/* What --chown and --chmod do to each inode. */
struct df_placing_change {
	bool has_owner;
	uint32_t uid, gid;
	const char *chmod; /* octal or u=rwX,go=rX; NULL */
};
/* All that is in the folder `from` of another tree into the folder `to`; hard links stay such. */
int df_placing_graft(struct df_placing *placing, uint32_t to, const struct df_tree *other,
		     uint32_t from, const struct df_placing_change *change, struct err *err);
/* One entry of another tree, as `name`. */
int df_placing_graft_one(struct df_placing *placing, uint32_t to, const char *name,
			 const struct df_tree *other, uint32_t from,
			 const struct df_placing_change *change, struct err *err);

/* The mode that a --chmod text gives; -1 with err when it is none. */
int df_chmod_apply(const char *text, bool is_dir, uint32_t mode, uint32_t *out, struct err *err);

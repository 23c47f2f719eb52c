/* images/dockerfile/resolve - names below a folder that somebody else filled. For
 * images/dockerfile only.
 *
 * Everything is opened by openat2 below the root and without following a link; links are followed
 * here, step by step, inside the root: "/" and too many ".." are the root. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/layer_tree.h"

#define DF_LINKS_MAX 40u /* as the kernel follows */

/* path is clean ("a/b", "" for the root itself), no link in it is followed: the last is opened
 * only with O_PATH. -1 with errno (ELOOP: there is one). */
int df_open_plain(int root_fd, const char *path, int flags);

/* Strips "/", "." and "..", which cannot lead above the root: "a/b". In the arena. */
const char *df_clean_path(struct arena *arena, const char *path);

/* "folder/name", or "name" for the folder "". In the arena. */
const char *df_join(struct arena *arena, const char *folder, const char *name);

/* Follows links (of the last component too, with follow). 1: *out_real is the clean path without
 * links, *out_st what stands there; 0: not there; -1: INVALID (too many links), from errno. */
int df_resolve(int root_fd, struct arena *arena, const char *path, bool follow,
	       const char **out_real, struct stat *out_st, struct err *err);

/* The target of the link that fd (O_PATH) is; in the arena. NULL with err. */
const char *df_read_link(int fd, struct arena *arena, struct err *err);

/* What stat and the attributes say, as an inode without a name. fd is of the file itself, O_PATH is
 * enough. Links get their target, files their size. Sockets are the caller's to leave out. With
 * DF_INODE_PLAIN attributes are not asked for. *out 0 on error. */
#define DF_INODE_PLAIN 1u
int df_inode_of(struct layer_tree *tree, int fd, const struct stat *st, unsigned flags,
		uint32_t *out, struct err *err);

/* Files with several names, by device and inode. Begins as zeros. */
struct df_links {
	struct df_linked *items;
	size_t count, size;
};
/* The inode that was added for this file; 0: none yet. */
uint32_t df_links_find(const struct df_links *links, const struct stat *st);
void df_links_add(struct df_links *links, const struct stat *st, uint32_t inode);
/* The inode of place 0..size-1; 0: none there. */
uint32_t df_links_at(const struct df_links *links, size_t place);
void df_links_clear(struct df_links *links);

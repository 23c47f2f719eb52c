/* images/layer_tree - the names and inodes of one layer, in memory, small.
 *
 * Both snapshot back-ends work from it, so a layer means the same with each. Names and inodes are
 * indexes, 0 is none; they stay valid until removed. A name holds one inode; hard links are several
 * names with one inode. One thread at a time. Sizes are bounded by LAYER_TREE_NAMES_MAX and
 * LAYER_TREE_TEXT_MAX.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/tar.h"

#define LAYER_TREE_NAMES_MAX (4u << 20)
#define LAYER_TREE_TEXT_MAX  (512u << 20) /* names, targets, attributes, maps together */
#define LAYER_TREE_DEPTH_MAX 512u
#define LAYER_TREE_ROOT      1u

enum node_type {
	NODE_DIR,
	NODE_FILE,
	NODE_SYMLINK,
	NODE_CHAR,
	NODE_BLOCK,
	NODE_FIFO,
	NODE_WHITEOUT
};

enum node_source { SOURCE_TAR, SOURCE_EXTRA };

#define NODE_IMPLICIT 1u /* a folder that no entry describes */
#define NODE_OPAQUE   2u /* hides what lower layers have below it */
#define NODE_SPARSE   4u /* data_at is a list of regions in the text pool */

struct tree_inode {
	int64_t mtime_s;
	uint64_t size;    /* of the file; length of a symlink's target */
	uint64_t data_at; /* file: offset in the source; symlink: text of the target; sparse: text
			     of regions */
	uint32_t mtime_ns, mode, uid, gid;
	uint32_t major, minor; /* devices; sparse: number of regions in minor */
	uint32_t xattrs;       /* text of a packed list, 0: none */
	uint32_t link_count;   /* names */
	uint32_t number;       /* free for the writer of an index */
	uint8_t type, flags, source;
};

struct tree_name {
	uint32_t parent, next, previous, child, inode;
	uint32_t text;
	uint16_t len, depth;
};

struct layer_tree {
	struct tree_name *names;
	struct tree_inode *inodes;
	uint32_t *table; /* open hash of names */
	char *text;
	uint32_t name_count, name_room, name_free;
	uint32_t inode_count, inode_room, inode_free;
	uint32_t table_size, table_used;
	uint32_t text_len, text_room;
	uint32_t alive_names;
};

/* With its root: a folder 0755 0:0, IMPLICIT. Never NULL. */
struct layer_tree *layer_tree_new(void);
void layer_tree_free(struct layer_tree *tree);
AUTO_TYPE(layer_tree, layer_tree_free);

/* The child of that name, or 0. */
uint32_t layer_tree_find(const struct layer_tree *tree, uint32_t parent, const char *name,
			 size_t len);
/* A new inode without a name. 0: ERR_INVALID (too many). */
uint32_t layer_tree_inode(struct layer_tree *tree, enum node_type type, struct err *err);
/* A new name for the inode (its link count grows). The name must be free. 0: ERR_INVALID (too many,
 * too deep). */
uint32_t layer_tree_add(struct layer_tree *tree, uint32_t parent, const char *name, size_t len,
			uint32_t inode, struct err *err);
/* The name holds another inode from now on; what only the old one had goes. Not for folders. */
void layer_tree_replace(struct layer_tree *tree, uint32_t name, uint32_t inode);
/* Takes the name and all below it away. Not for the root. */
void layer_tree_remove(struct layer_tree *tree, uint32_t name);

/* Copies bytes into the pool. 0: ERR_INVALID (full). */
uint32_t layer_tree_text(struct layer_tree *tree, const void *bytes, size_t len, struct err *err);
/* Packs attributes; *out 0 when there are none. */
int layer_tree_pack(struct layer_tree *tree, const struct tar_xattr *xattrs, size_t count,
		    uint32_t *out, struct err *err);
/* The next attribute of a packed list: *at begins as inode->xattrs; false at the end. The name is
 * NUL-terminated; all is borrowed until the pool grows. */
bool layer_tree_xattr(const struct layer_tree *tree, uint32_t *at, struct tar_xattr *out);

static inline struct tree_name *tree_name(const struct layer_tree *tree, uint32_t name)
{
	return &tree->names[name];
}
static inline struct tree_inode *tree_inode_of(const struct layer_tree *tree, uint32_t name)
{
	return &tree->inodes[tree->names[name].inode];
}
static inline const char *tree_text(const struct layer_tree *tree, uint64_t at)
{
	return tree->text + at;
}
/* The name's own bytes, NUL-terminated. */
static inline const char *tree_name_text(const struct layer_tree *tree, uint32_t name)
{
	return tree->text + tree->names[name].text;
}

/* "usr/bin/x", "" for the root; to be freed. */
char *layer_tree_path(const struct layer_tree *tree, uint32_t name);

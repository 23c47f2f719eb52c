/* images/dockerfile/tree_out - a tree in memory becomes a layer of the store. For images/dockerfile
 * only.
 *
 * The names and inodes are a layer_tree; where the bytes of a file are is a row of `contents`,
 * which the inode's number points at (number - 1). Folders first, names in byte order, the first
 * name of an inode with the content and the others as hard links. Times are whole seconds, as in
 * the layers of docker.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "images/dockerfile/capture.h"
#include "images/layer_tree.h"

enum df_content_kind { DF_CONTENT_PATH, DF_CONTENT_MEMORY, DF_CONTENT_RANGE };

struct df_content {
	enum df_content_kind kind;
	/* PATH: below root_fd, without a link in it; what stat said when it was planned, 0 in
	 * ctime_ns: not checked. */
	int root_fd;
	const char *path;
	uint64_t device, inode;
	int64_t ctime_ns, mtime_ns;
	uint8_t digest[32]; /* sha256, where the planner asked for it */
	bool has_digest;
	/* MEMORY */
	const char *data;
	/* RANGE: the stored bytes in fd, which are regions of the file when is_sparse is set. */
	int fd;
	uint64_t offset;
	const struct tar_region *regions;
	size_t region_count;
	bool is_sparse;
};

struct df_tree {
	struct layer_tree *tree;
	struct arena *arena; /* of the paths and regions */
	struct df_content *contents;
	size_t content_count;
};

void df_tree_init(struct df_tree *tree);
void df_tree_clear(struct df_tree *tree);
/* A row for the inode, which is a file; zeroed but for its kind. */
struct df_content *df_tree_content(struct df_tree *tree, uint32_t inode, enum df_content_kind kind);

/* Writes it. A tree without names gives no layer (diff_id ""). Errors: BUSY when a file is not the
 * planned one any more; INVALID for names that begin with ".wh."; as layer_finish. */
int df_tree_write(struct df_tree *tree, const struct df_layer_spec *spec, struct df_layer *out,
		  struct err *err);

/* The clock, or what the spec has instead. */
uint64_t df_layer_now(const struct df_layer_spec *spec);

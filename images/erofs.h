/* images/erofs - the tree of a layer as an EROFS index over its tar.
 *
 * The index holds metadata only; file content stays in the uncompressed tar (device 1) and, for the
 * few files whose bytes do not start on a 512-byte bound there or that come from a lower layer, in
 * an extra file (device 2). Source: the kernel's Documentation/filesystems/erofs.rst and its
 * on-disk structures. Blocks (disk).
 */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "images/layer_tree.h"

struct erofs_devices {
	int tar_fd; /* read only for sparse members that have to be copied */
	uint64_t tar_bytes;
	int extra_fd; /* written at extra_bytes; -1: ERR_UNSUPPORTED when it is needed */
	uint64_t extra_bytes;
};

/* Writes the index at offset 0 of out_fd. Sorts the tree's children; inode numbers in it are used
 * up. Errors: ERR_UNSUPPORTED (tar above 2 TiB, an attribute above 65535 bytes), from errno. */
int erofs_write(struct layer_tree *tree, int out_fd, struct erofs_devices *devices,
		struct err *err);

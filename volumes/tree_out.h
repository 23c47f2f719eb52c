/* volumes/tree_out - a file or folder, seen by descriptor, as entries of a tar. Blocks (disk, the
 * stream).
 *
 * Everything that copy_tree carries: hard links among the entries, devices, extended attributes,
 * holes, times to the nanosecond, owners as numbers. Sockets are left out; a folder on which
 * something is mounted goes without its content. Links are never followed.
 */
#pragma once
#include "base/err.h"
#include "base/tar_out.h"

#define TREE_OUT_MOUNTS 1u /* what is mounted below goes along (but no proc, sysfs, cgroup) */

/* The entry dir_fd/name, and all below it, under the archive's name `as` ("data", or "." for the
 * content of a folder: then its entries are ./x). */
int tree_out(struct tar_out *out, int dir_fd, const char *name, const char *as, unsigned flags,
	     struct err *err);

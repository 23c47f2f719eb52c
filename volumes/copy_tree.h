/* volumes/copy_tree - the content of one folder into another, everything that a file system knows
 * of it.
 *
 * Files, folders, links as links, hard links among them, devices, fifos, owner, mode, extended
 * attributes, ACLs, times, holes; blocks are shared where the file system can (FICLONE). Sockets
 * are left out; a folder on which something is mounted is copied empty. Neither side follows a
 * link, so a source or a target that changes meanwhile leads nowhere else. Blocks (disk).
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct copy_tree_result {
	bool has_copied; /* at least one entry */
	bool is_shared;  /* every file's blocks are shared */
};

/* to_fd is an open folder (O_RDONLY), empty; it gets owner, mode ... of from_fd, too. On error it
 * holds a part. */
int copy_tree(int from_fd, int to_fd, struct copy_tree_result *out, struct err *err);

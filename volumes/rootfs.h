/* volumes/rootfs - the writable layer of a container: upper and work folders, and a look at the
 * whole.
 *
 * container_fd is projects/NAME/containers/ID. The overlay itself is mounted by the monitor. Blocks
 * (disk).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Makes upper/ and work/ (kept when they are there: a restart keeps the layer). upper/ gets owner,
 * mode and extended attributes of the image's root folder, top_lower_fd (-1: root:root 0755); what
 * a former mount left in work/ is emptied, also its mark of a volatile mount. Nothing may be
 * mounted on them. */
int rootfs_prepare(int container_fd, int top_lower_fd, struct err *err);
/* Removes both, never across a mount. Not there: fine. */
int rootfs_drop(int container_fd, struct err *err);
/* Bytes that the container wrote (upper/): what `ps --size` tells. */
int rootfs_size(int container_fd, uint64_t *out_bytes, struct err *err);

/* The file system of a container that does not run, as a detached overlay of its lowers and its own
 * layer; for cp and commit. Writes go into the layer. Must be closed before the container starts.
 */
int rootfs_open_stopped(int container_fd, const int *lower_fds, size_t lower_count,
			struct err *err);

/* volumes/copy - `cp` in both directions: between a folder seen by descriptor and a tar stream.
 *
 * root_fd is the container's root: rootfs_open_stopped, or /proc/PID/root of a running one, opened
 * by the caller (O_PATH). Every path is resolved inside it (RESOLVE_IN_ROOT, no magic links), every
 * member of a tar is placed by descriptor, so neither a link in the container nor a name in the tar
 * leaves the root, whatever is swapped meanwhile. Blocks (disk, the stream).
 */
#pragma once
#include <stddef.h>

#include "base/err.h"

#define COPY_FOLLOW     1u /* -L: a link at the path itself is followed */
#define COPY_NUMERIC    2u /* -a, copy_in: owner and group as in the tar (else 0:0, as docker) */
#define COPY_NO_REPLACE 4u /* a folder is never replaced by a file, nor the reverse: ERR_EXISTS */

/* Writes a tar (pax, numeric owner, xattrs, holes) of what `path` names to out_fd; names in it
 * begin with the path's last component, or with "." when the path ends in "/.". ERR_NOT_FOUND. */
int copy_out(int root_fd, const char *path, unsigned flags, int out_fd, struct err *err);
/* Extracts a tar from in_fd into the folder `path` (must exist: ERR_NOT_FOUND; not a folder:
 * ERR_INVALID). */
int copy_in(int root_fd, const char *path, unsigned flags, int in_fd, struct err *err);

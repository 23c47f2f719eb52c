/* volumes/attributes - owner, mode, extended attributes and times of an entry. Blocks (disk).
 *
 * An entry is dir_fd/name, "." the folder itself; links are never followed, and each act works on
 * the entry that it opened, whatever is put in its place meanwhile. Attributes of overlayfs and
 * SELinux labels do not travel; those that a file system cannot hold (ENOTSUP) are left out.
 */
#pragma once
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

/* All of them, to an entry of the same type. */
int attributes_copy(int from_fd, const char *from_name, int to_fd, const char *to_name,
		    struct err *err);
/* Owner, mode (not of links) and time of modification as in st. */
int attributes_set(int dir_fd, const char *name, const struct stat *st, struct err *err);
/* One extended attribute; after attributes_set, which would drop capabilities. */
int attributes_put(int dir_fd, const char *name, const char *key, const void *value, size_t len,
		   struct err *err);
/* Every extended attribute of the entry; -1 of each ends it. */
int attributes_each(int dir_fd, const char *name,
		    int (*each)(void *ctx, const char *key, const void *value, size_t len,
				struct err *err),
		    void *ctx, struct err *err);

/* runtime/rootpath - paths of the container, resolved below its root and nowhere else.
 *
 * Every look-up goes through openat2 from the root's descriptor (links end inside the root, no
 * magic links); what is missing is made component by component on descriptors. Returned descriptors
 * are O_PATH and close-on-exec. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* -1 with errno. */
int rootpath_open(int root_fd, const char *path, int flags);
/* The same, refusing any symbolic link on the way (ELOOP). */
int rootpath_open_plain(int root_fd, const char *path, int flags);
/* Opens the folder, making what is missing (0755; links that dangle are followed and their targets
 * made). *out_made (may be NULL): the last component was made. */
int rootpath_make_dir(int root_fd, const char *path, bool *out_made, struct err *err);
/* Opens the file (or whatever is there), making it as an empty one with its folders. */
int rootpath_make_file(int root_fd, const char *path, struct err *err);
/* Opens the folder of the last component, making it; *out_name is that component, inside path. */
int rootpath_make_parent(int root_fd, const char *path, char **out_name, struct err *err);
/* Without "//", "." and "..", beginning with "/"; to be freed. */
char *rootpath_clean(const char *path);

/* volumes/tree_in - a tar's entries placed below a folder, by descriptors. Blocks (disk, the
 * stream).
 *
 * Names are foreign: "..", empty and too long ones are ERR_INVALID; a leading "/" or "./" means
 * nothing. Every entry's folder is opened anew inside root_fd (links in it are followed inside the
 * root only, magic links never), and the entry is made there by its last name, which is never
 * followed: an archive and whoever changes the tree meanwhile can reach nothing outside.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

#define TREE_IN_OWNERS                                                                             \
	1u /* owner and group as the archive says; else 0:0                                        \
	    */
#define TREE_IN_NO_REPLACE                                                                         \
	2u /* a folder in a file's place, or the reverse: ERR_EXISTS, at once                      \
	    */

/* Reads the tar from in_fd to its end and places all of it in the folder root_fd/path (which must
 * be there). A file in the way is replaced, an empty folder too; a full folder in a file's way is
 * ERR_EXISTS. On error a part is placed. */
int tree_in(int root_fd, const char *path, unsigned flags, int in_fd, struct err *err);

/* base/tree - removing a folder and everything below it, by descriptors. Blocks (disk). */
#pragma once
#include "base/err.h"

/* Removes dir_fd/name, file or folder, never following a link and never crossing into another mount
 * (ERR_BUSY names it). Absent: fine. Immutable and append-only flags are an error that names the
 * entry. */
int tree_remove(int dir_fd, const char *name, struct err *err);
/* Removes what is in the folder and keeps the folder. */
int tree_empty(int dir_fd, struct err *err);

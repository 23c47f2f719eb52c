/* orchestrator/cli/sync_in - single files of this machine into a container's file system, and out
 * of it again. Blocks (disk). */
#pragma once
#include <sys/types.h>

#include "base/err.h"

/* Places what is at `from` (a file, a link or an empty folder) at `inside` of root_fd, with its
 * mode and with this owner; missing folders are made, a file appears whole. Links inside are
 * followed inside the root only. What is gone meanwhile, or is neither, is passed over. */
int sync_put(int root_fd, const char *from, const char *inside, uid_t uid, gid_t gid,
	     struct err *err);
/* Removes it there, with all below it. Absent: fine. */
int sync_remove(int root_fd, const char *inside, struct err *err);

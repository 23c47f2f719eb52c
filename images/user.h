/* images/user - who runs: a user text resolved in the image's own /etc/passwd and /etc/group.
 *
 * Blocks (reads two small files). Files are opened below root_fd with links kept inside of it
 * (openat2, RESOLVE_IN_ROOT), only regular files up to 4 MiB. Thread-safe.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define USER_GROUPS_MAX 256

struct image_user {
	uint32_t uid, gid;
	uint32_t groups[USER_GROUPS_MAX]; /* supplementary; without gid */
	size_t group_count;
	char home[256]; /* from passwd, else "/" */
	char name[64];  /* from passwd, or "" */
};

/* text: "", "u", "u:g", names or numbers ("" is 0:0, with what passwd says of uid 0). A name match
 * beats a number; a number without an entry is fine (gid 0). Without ":g" the primary group and
 * every group that lists the user; with it that group alone. root_fd: the container's root or a
 * read-only overlay of the image's layers (base/mount, mount_overlay). more_groups: group_add of
 * the service, names or numbers. Errors: NOT_FOUND "unable to find user X: …", INVALID. */
int user_resolve(int root_fd, const char *text, const char *const *more_groups, size_t more_count,
		 struct image_user *out, struct err *err);

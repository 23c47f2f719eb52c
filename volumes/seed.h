/* volumes/seed - copy-up: image content into an empty volume, once, whole or not at all
 * (V-10..V-15).
 *
 * Call after volume_activate and before the monitor is launched, for every volume and anonymous
 * volume of the container (not for binds, tmpfs, images). Under the store's lock only while it
 * looks and exchanges; two services that start at once with one empty volume: one copies, the other
 * waits. A copy that was cut off (kill, power) is started again by the next call; it never looks
 * like content. Blocks (disk). Errors: ERR_NO_SPACE (the volume is as before), ERR_DENIED, and so
 * on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "volumes/store.h"

struct seed_spec {
	const char *volume;
	const char *subpath;  /* NULL: the volume's root */
	const int *lower_fds; /* the image's lower folders, the top first (O_PATH or better); none:
				 empty image */
	size_t lower_count;
	const char *target; /* absolute path in the container */
	bool nocopy;        /* the root stays root:root 0755 */
};

/* *out_copied (may be NULL): whether something was copied or the root's owner set. */
int seed_volume(const struct volume_store *store, const struct seed_spec *spec, bool *out_copied,
		struct err *err);

/* The image as one read-only detached mount of its lowers (never attached); for looks into the
 * image before its container exists. The caller closes it. */
int seed_open_image(const int *lower_fds, size_t lower_count, struct err *err);
/* lstat of `target` in that mount, links followed inside it: for the mode of a tmpfs, "is it a
 * file". ERR_NOT_FOUND. */
int seed_stat(int image_fd, const char *target, struct stat *out, struct err *err);

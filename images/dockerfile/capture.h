/* images/dockerfile/capture - the upper folder of an overlay becomes a layer of the store.
 *
 * One walk over what a step changed: deleted names (char 0:0) become .wh.NAME, opaque folders
 * .wh..wh..opq; hard links, attributes, holes, fifos and devices are kept, sockets left out.
 * Entries stand in byte order of their paths, so equal trees give equal layers; names of users,
 * access times and inode numbers are in none. Source: OCI image-spec, "Image Layer Filesystem
 * Changeset"; overlayfs.rst of the kernel for the marks. The overlay must have been mounted
 * without redirect_dir and metacopy (a folder that says it was renamed is INVALID).
 *
 * Blocks (disk, hashing). The upper folder stays the caller's and is only read: it may serve as a
 * lower folder of the next step meanwhile. It must not change while it is read.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/store.h"

struct df_layer_spec {
	struct lease *lease; /* keeps the layer until it is in an image or a step record */
	/* Times of what the builder makes itself (parents, heredocs), and of what a step wrote:
	 * none is later than max_mtime_ns when that is set (SOURCE_DATE_EPOCH with
	 * --rewrite-timestamp). */
	uint64_t now_unix_ns;  /* 0: the clock; SOURCE_DATE_EPOCH where that is given */
	uint64_t max_mtime_ns; /* 0: none */
	/* Paths that the step's mounts and the runtime made ("/etc/resolv.conf", "/run/secrets/x"):
	 * left out when the step left them empty (a folder without entries, a file of no bytes).
	 * Folders above them are left out, too, when nothing else is in them and the tree below
	 * (lower_fd) does not have them. */
	const char *const *mount_points;
	size_t mount_point_count;
	int lower_fd; /* the tree that the step began with, merged; -1: none. Only for mount_points
		       */
};

struct df_layer {
	char diff_id[DIGEST_TEXT_MAX]; /* "": nothing was changed, there is no layer */
	uint64_t tar_bytes;
	uint64_t entry_count;
};

/* upper_fd: the upper folder, readable. What only the root's attributes or times differ in is no
 * change. Errors: NO_SPACE, INVALID, from errno with the path. Crash points build:captured (before
 * the layer appears), layer:verified, layer:renamed. */
int df_capture(int upper_fd, const struct df_layer_spec *spec, struct df_layer *out,
	       struct err *err);

/* images/snapshot - an image as lower folders, EROFS ones mounted.
 *
 * EROFS layers are mounted once for all below RUNTIME_ROOT/images/ in the caller's mount namespace
 * (the host's, for the supervisor) under the flock of that folder; after a reboot they are made
 * again on demand. An overlay keeps what it was built from, so a running container does not notice
 * snapshot_release. Blocks (disk, mount). Needs CAP_SYS_ADMIN for EROFS layers only.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/store.h"

struct snapshot {
	char id[DIGEST_TEXT_MAX];
	char **lowers; /* absolute paths, top first; never empty (an image without layers: an empty
			* folder); no path twice */
	size_t lower_count;
	/* What "/" of the image looks like: overlay takes the root's attributes from the upper
	 * folder, so who makes that one applies these. */
	uint32_t root_mode, root_uid, root_gid;
	int64_t root_mtime_s;
	uint32_t root_mtime_ns;
	char *config; /* the image config's exact JSON */
	size_t config_len;
};

/* owner as in store_root_add, e.g. the container's id: the image is kept for it until
 * snapshot_release. NULL: nobody's; then the image may be pruned as soon as nothing else uses it.
 * Mounts what is not mounted. */
struct snapshot *snapshot_open(struct store *store, const char *id, const char *owner,
			       struct err *err);
/* The same of layers that are no image yet (diff_ids[0] is the bottom; none: an empty folder): what
 * a step of a build stands on. They, and what of them is in chains/, join the lease; until it ends
 * neither gc nor snapshot_sweep takes them away. id is "", config NULL. */
struct snapshot *snapshot_open_layers(struct lease *lease, const char *const *diff_ids,
				      size_t count, struct err *err);
void snapshot_free(struct snapshot *snapshot); /* frees the memory; the root and the mounts stay */
AUTO_TYPE(snapshot, snapshot_free);

/* The owner no longer uses its image. Cheap; mounts go with snapshot_sweep. Absent is fine. */
int snapshot_release(struct store *store, const char *owner, struct err *err);
/* Unmounts every layer that no root's image uses. out_count may be NULL. Call it after a `down`. */
int snapshot_sweep(struct store *store, size_t *out_count, struct err *err);

/* The image's tree, read-only, as a detached overlay mount (close = gone): for seeding volumes,
 * user look-ups, export. Needs CAP_SYS_ADMIN. */
int snapshot_mount(const struct snapshot *snapshot, struct err *err);

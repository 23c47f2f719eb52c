/* orchestrator/storage_inner - what the files of storage share: the mount list while it is built.
 * For storage*.c alone. Blocks as storage does.
 */
#pragma once
#include "orchestrator/storage.h"
#include "volumes/volume.h"

struct builder {
	const struct storage_env *env;
	struct storage *out;
	int *lower_fds;
	size_t lower_count;
	struct json_object *anonymous; /* {"/path": "volume name"} of the slot */
	bool anonymous_changed;
	unsigned image_count; /* mounts of type image so far */
	int image_fd;         /* the image as one read-only mount, opened when first needed */
};

/* Takes a heap text into the arena. */
const char *builder_keep(struct builder *b, char *text);
/* Of two entries with one target the later counts. All texts must live in the arena. */
struct bundle_mount *builder_add_mount(struct builder *b, const char *target, const char *type,
				       const char *source, const char *options);

/* ---- storage_volumes: named and anonymous volumes ---- */

/* slot.json, which remembers the anonymous volumes, in and out. */
int builder_read_slot(struct builder *b, struct err *err);
int builder_write_slot(struct builder *b, struct err *err);
/* The slot's volume for that target; a new name the first time. */
void builder_define_anonymous(struct builder *b, const char *target, struct volume_def *out);
/* mount NULL: an image's VOLUME. */
int builder_add_volume(struct builder *b, const struct volume_def *def, const struct mount *mount,
		       const char *target, struct err *err);
int builder_add_named(struct builder *b, const struct mount *mount, struct err *err);

/* ---- storage_mounts: binds, tmpfs, images ---- */

/* One entry of the service each, checked and prepared. */
int builder_add_bind(struct builder *b, const struct mount *entry, struct err *err);
int builder_add_tmpfs(struct builder *b, const struct mount *mount, struct err *err);
int builder_add_tmpfs_text(struct builder *b, const char *text, struct err *err);
int builder_add_image(struct builder *b, const struct mount *mount, struct err *err);

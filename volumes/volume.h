/* volumes/volume - named and anonymous volumes of driver `local`: made, found, mounted, removed.
 *
 * Order for the orchestrator, all in the pool:
 *	plan      volume_ensure for every declared volume that is used (and anonymous ones of a
 *slot) start     volume_activate (records the use, mounts a device volume) -> seed_volume (seed.h)
 *	          -> volume_source gives what config.json names
 *	stopped   volume_deactivate (the last one unmounts a device volume)
 *	removed   volume_store_unuse_all
 * Blocks (disk; a network file system up to its time-out, in a process of its own). Errors name the
 * volume; the caller adds service and target.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "volumes/store.h"

struct json_object;

struct volume_pair {
	const char *key, *value;
};

/* What the file (or `volume create`) asks for. */
struct volume_def {
	const char *name;   /* on the machine: PROJECT_KEY, `name:`, or 64 hex digits */
	const char *driver; /* NULL: local */
	const struct volume_pair *options; /* driver_opts: type, device, o, size */
	size_t option_count;
	const struct volume_pair *labels; /* the user's and com.docker.compose.* ones */
	size_t label_count;
	const char *project; /* owner; NULL: none (made by hand) */
	const char *key;     /* its key in the file; NULL: none */
	bool anonymous;
	bool external; /* must exist; never made, changed or removed */
};

enum volume_outcome { VOLUME_KEPT, VOLUME_CREATED, VOLUME_RELABELLED, VOLUME_RECREATED };

#define VOLUME_RECREATE 1u /* --recreate-volumes: a changed definition destroys the old data */

/* Makes the volume when it is absent. With another driver or options than it was made with:
 * ERR_EXISTS that tells both and names --recreate-volumes; labels alone are changed in place.
 * external: ERR_NOT_FOUND with the command that makes it. Other drivers: ERR_UNSUPPORTED. */
int volume_ensure(const struct volume_store *store, const struct volume_def *def, unsigned flags,
		  enum volume_outcome *out, struct err *err);

/* A new volume that is seen only when fill(ctx, data_fd) has put all of its content (NULL: empty)
 * there. ERR_EXISTS. */
int volume_make(const struct volume_store *store, const struct volume_def *def,
		int (*fill)(void *ctx, int data_fd, struct err *err), void *ctx, struct err *err);

/* The stored definition as JSON (volume.json: version, name, uuid, driver, options, labels,
 * created_at (ns), project, key, anonymous); passwords in options.o are masked unless VOLUME_RAW.
 * To be put. ERR_NOT_FOUND. */
#define VOLUME_RAW 1u
struct json_object *volume_find(const struct volume_store *store, const char *name, unsigned flags,
				struct err *err);

/* The container is about to start with it: writes both use records, and mounts a volume that has a
 * device (`type` other than none-without-bind) at _data unless it is mounted. */
int volume_activate(const struct volume_store *store, const char *name,
		    const struct volume_user *user, struct err *err);
/* The container has ended: the running record goes; after the last one a device volume is unmounted
 * (the contents of a tmpfs are gone then). The use record stays until volume_store_unuse_all. */
int volume_deactivate(const struct volume_store *store, const char *name, const char *container_id,
		      struct err *err);

/* O_PATH descriptor of _data, or of `subpath` in it (NULL or "": none): opened beneath _data,
 * whatever links a container planted (V-55); ERR_NOT_FOUND `subpath "x" does not exist in volume
 * V`. */
int volume_open(const struct volume_store *store, const char *name, const char *subpath,
		struct err *err);
/* The path that goes into config.json as source of a bind mount, to be freed. Without subpath it is
 * .../volumes/NAME/_data, which only we can change. With one, containers can swap links in it, so
 * the descriptor is mounted in the container's stage (stage.h) and the stage's path is given. */
struct volume_stage;
char *volume_source(const struct volume_store *store, const char *name, const char *subpath,
		    struct volume_stage *stage, struct err *err);

/* Every volume's name, sorted; one block to be freed with volume_names_free. */
int volume_names(const struct volume_store *store, char ***out_names, size_t *out_count,
		 struct err *err);
void volume_names_free(char **names, size_t count);

/* Docker's inspect shape (Name Driver Mountpoint Labels Options Scope CreatedAt) with UsedBy; to be
 * put. */
struct json_object *volume_inspect(const struct volume_store *store, const char *name,
				   struct err *err);
/* Bytes on disk below _data (a walk that crosses no mount). */
int volume_size(const struct volume_store *store, const char *name, uint64_t *out_bytes,
		struct err *err);

/* Removes the volume: unmounted, renamed to .trash-UUID (the name is free at once), then deleted by
 * descriptors, never across a mount; the device path of a bind volume is never touched. In use:
 * ERR_BUSY that lists the users. Absent: ERR_NOT_FOUND. Left-overs that cannot be deleted
 * (immutable) are an error that names the first; the name is free all the same. */
int volume_remove(const struct volume_store *store, const char *name, struct err *err);

/* For this folder's own rooms. volume_remove for who holds the lock of all; the unmount of _data
 * (however many mounts lie on it); the sorted names in a folder. */
int volume_remove_locked(const struct volume_store *store, const char *name, struct err *err);
int volume_unmount(int volume_fd, struct err *err);
int volume_names_in(int dir_fd, const char *path, char ***out_names, size_t *out_count,
		    struct err *err);

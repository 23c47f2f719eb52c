/* volumes/store - the folder of
 * all volumes and its lock, and who uses which volume.
 *
 * STATE_ROOT/volumes/lock, STATE_ROOT/volumes/NAME/{volume.json,_data/,users/ID},
 * RUNTIME_ROOT/volumes/NAME/ID while container ID runs with it. Everything here blocks (disk; waits
 * for the lock). A store is opened once and used by any number of threads: it holds only
 * descriptors. Lock order: DESIGN "Locks": networks, books, then volumes; no function returns with
 * the lock held except volume_store_lock.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

#define VOLUME_NAME_MAX 255

struct volume_store {
	int state_fd;   /* the state root */
	int runtime_fd; /* the runtime root */
	int volumes_fd; /* state_fd/volumes */
	char *path;     /* absolute path of volumes_fd, for config.json and messages */
};

/* Opens, making the folders; empties what earlier deletions left (.trash-*, .new-*). */
struct volume_store *volume_store_open(const char *state_root, const char *runtime_root,
				       struct err *err);
void volume_store_close(struct volume_store *store);
AUTO_TYPE(volume_store, volume_store_close);

/* The lock of all volumes; the fd holds it until closed. */
int volume_store_lock(const struct volume_store *store, struct err *err);
/* The lock of one volume, for what takes long; taken without or after the lock of all. SHARED: its
 * content is read, or a container starts with it; ALONE: content or mount changes (copy-up, import,
 * restore); TRY: as ALONE, but ERR_BUSY instead of waiting. Returns its fd, and in *out_fd (may be
 * NULL) the O_PATH folder of the volume. */
enum volume_lock { VOLUME_LOCK_SHARED, VOLUME_LOCK_ALONE, VOLUME_LOCK_TRY };
int volume_store_lock_volume(const struct volume_store *store, const char *name,
			     enum volume_lock how, int *out_fd, struct err *err);
/* [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 255 bytes: ERR_INVALID names what is wrong. Every function
 * that takes a volume's name checks it by this before it becomes a path. */
int volume_store_check_name(const char *name, struct err *err);
/* O_PATH folder of the volume; ERR_NOT_FOUND "volume NAME does not exist". */
int volume_store_open_volume(const struct volume_store *store, const char *name, struct err *err);

/* Use records. "used": the container exists (users/ID, text "PROJECT CONTAINER-NAME"); "running":
 * it runs now (in the runtime root, gone with a reboot). Both functions are idempotent;
 * volume_activate and volume_deactivate (volume.h) call them. */
struct volume_user {
	char id[72];
	char project[80];
	char container[160]; /* its name, for people */
	bool running;
};
int volume_store_use(const struct volume_store *store, const char *volume,
		     const struct volume_user *user, struct err *err);
/* The container is removed: drops its record with every volume. */
int volume_store_unuse_all(const struct volume_store *store, const char *container_id,
			   struct err *err);
/* It has ended: its running record goes; how many others run with the volume. */
int volume_store_stop_use(const struct volume_store *store, const char *volume,
			  const char *container_id, size_t *out_running, struct err *err);
/* ERR_BUSY "volume V is in use by shop-db-1 (running), ..." when anybody uses it. */
int volume_store_refuse_used(const struct volume_store *store, const char *volume, struct err *err);
/* The same for running containers alone. */
int volume_store_refuse_running(const struct volume_store *store, const char *volume,
				struct err *err);
/* Who uses it; records whose STATE_ROOT/projects/PROJECT/containers/ID is gone are cleared, not
 * reported. *out_users to be freed. */
int volume_store_users(const struct volume_store *store, const char *volume,
		       struct volume_user **out_users, size_t *out_count, struct err *err);

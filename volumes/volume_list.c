/* volumes/volume_list - volumes as people see them: names, inspect, size; and their removal.
 *
 * Owns: the way to the trash. May not touch: what a device volume points to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "volumes/folder.h"
#include "volumes/volume.h"

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int volume_names_in(int dir_fd, const char *path, char ***out_names, size_t *out_count,
		    struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(dir_fd, path);
	const char *name;

	*out_names = NULL;
	*out_count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read %s", path);
	while ((name = folder_next(dir)) != NULL)
		if (name[0] != '.' && strcmp(name, "lock") != 0) {
			char **place = xgrow(out_names, out_count, sizeof(*place));

			*place = xstrdup(name);
		}
	if (*out_count)
		qsort(*out_names, *out_count, sizeof(**out_names), compare_names);
	return 0;
}

int volume_names(const struct volume_store *store, char ***out_names, size_t *out_count,
		 struct err *err)
{
	return volume_names_in(store->volumes_fd, ".", out_names, out_count, err);
}

void volume_names_free(char **names, size_t count)
{
	while (count)
		free(names[--count]);
	free(names);
}

struct json_object *volume_inspect(const struct volume_store *store, const char *name,
				   struct err *err)
{
	AUTO(json) struct json_object *record = volume_find(store, name, 0, err);
	AUTO(json) struct json_object *out = json_object_new_object();
	AUTO(free) struct volume_user *users = NULL;
	AUTO(free) char *path = NULL;
	struct json_object *used_by;
	char time[STAMP_TEXT_LEN];
	size_t count;

	if (!record || volume_store_users(store, name, &users, &count, err) < 0)
		return NULL;
	path = xformat("%s/%s/_data", store->path, name);
	json_add_text(out, "CreatedAt",
		      stamp_rfc3339((uint64_t)json_int_or(record, "created_at", 0), time));
	json_add_text(out, "Driver", json_text_or(record, "driver", "local"));
	json_object_object_add(out, "Labels", json_object_get(json_object_at(record, "labels")));
	json_add_text(out, "Mountpoint", path);
	json_add_text(out, "Name", name);
	json_object_object_add(out, "Options", json_object_get(json_object_at(record, "options")));
	json_add_text(out, "Scope", "local");
	used_by = json_add_array(out, "UsedBy");
	for (size_t i = 0; i < count; i++) {
		struct json_object *user = json_object_new_object();

		json_add_text(user, "Id", users[i].id);
		json_add_text(user, "Name", users[i].container);
		json_add_text(user, "Project", users[i].project);
		json_add_bool(user, "Running", users[i].running);
		json_object_array_add(used_by, user);
	}
	return TAKE(out);
}

int volume_size(const struct volume_store *store, const char *name, uint64_t *out_bytes,
		struct err *err)
{
	AUTO(fd) int data = volume_open(store, name, NULL, err);

	if (data < 0)
		return -1;
	return folder_bytes(data, ".", out_bytes, err) < 0 ? err_wrap(err, "volume %s", name) : 0;
}

/* Out of sight: unmounted, and under a name in the trash (to be freed). The lock of all is held. */
static char *discard(const struct volume_store *store, const char *name, struct err *err)
{
	char id[33];
	AUTO(free) char *trash = NULL;
	int volume_fd = -1;
	AUTO(fd) int lock = -1;
	AUTO(fd) int owned = -1;

	lock = volume_store_lock_volume(store, name, VOLUME_LOCK_TRY, &volume_fd, err);
	owned = volume_fd;
	if (lock < 0 || volume_store_refuse_used(store, name, err) < 0 ||
	    volume_unmount(owned, err) < 0)
		return NULL;
	stamp_id(id, 32);
	trash = xformat(".trash-%s", id);
	if (renameat(store->volumes_fd, name, store->volumes_fd, trash) < 0 ||
	    fsync(store->volumes_fd) < 0) {
		err_sys(err, errno, "remove volume %s", name);
		return NULL;
	}
	crash_point("volume", "in-trash");
	return TAKE(trash);
}

static int empty_trash(const struct volume_store *store, const char *name, const char *trash,
		       struct err *err)
{
	if (tree_remove(store->volumes_fd, trash, err) < 0)
		return err_wrap(err, "volume %s is gone, but not all of its files", name);
	return 0;
}

int volume_remove_locked(const struct volume_store *store, const char *name, struct err *err)
{
	AUTO(free) char *trash = discard(store, name, err);

	return trash ? empty_trash(store, name, trash, err) : -1;
}

int volume_remove(const struct volume_store *store, const char *name, struct err *err)
{
	AUTO(fd) int lock = volume_store_lock(store, err);
	AUTO(free) char *trash = lock < 0 ? NULL : discard(store, name, err);

	if (!trash)
		return -1;
	close(TAKE_FD(lock)); /* deleting takes its time, and nobody else needs to wait for it */
	return empty_trash(store, name, trash, err);
}

/* volumes/volume - named and anonymous volumes of driver `local`: made, found, mounted.
 *
 * Owns: volume.json, _data, the mount of a device on it. May not touch: content (seed, transport).
 */
#include "volumes/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/text.h"
#include "base/tree.h"
#include "volumes/folder.h"
#include "volumes/stage.h"
#include "volumes/volume_device.h"

#define RECORD     "volume.json"
#define DATA       "_data"
#define RECORD_MAX (1u << 20)

static struct json_object *pairs_json(const struct volume_pair *pairs, size_t count)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < count; i++)
		json_add_text(object, pairs[i].key, pairs[i].value ? pairs[i].value : "");
	return object;
}

static struct json_object *def_json(const struct volume_def *def)
{
	struct json_object *record = json_object_new_object();
	char uuid[33];

	stamp_id(uuid, 32);
	json_add_int(record, "version", 1);
	json_add_text(record, "name", def->name);
	json_add_text(record, "uuid", uuid);
	json_add_text(record, "driver", def->driver ? def->driver : "local");
	json_object_object_add(record, "options", pairs_json(def->options, def->option_count));
	json_object_object_add(record, "labels", pairs_json(def->labels, def->label_count));
	json_add_int(record, "created_at", (int64_t)stamp_now_ns());
	json_add_text(record, "project", def->project);
	json_add_text(record, "key", def->key);
	json_add_bool(record, "anonymous", def->anonymous);
	return record;
}

/* The same keys with the same texts, in any order. */
static bool is_same(struct json_object *a, struct json_object *b)
{
	if (json_object_object_length(a) != json_object_object_length(b))
		return false;
	json_each(a, key, value) {
		const char *other = json_text_or(b, key, NULL);

		if (!other || strcmp(other, json_object_get_string(value)) != 0)
			return false;
	}
	return true;
}

static int check_def(const struct volume_def *def, struct json_object *record, struct err *err)
{
	if (volume_store_check_name(def->name, err) < 0)
		return -1;
	if (def->driver && strcmp(def->driver, "local") != 0 && *def->driver)
		return err_set(err, ERR_UNSUPPORTED,
			       "volume %s: driver \"%.60s\": there are no volume plugins, only "
			       "driver local",
			       def->name, def->driver);
	if (device_check(json_object_at(record, "options"), err) < 0)
		return err_wrap(err, "volume %s", def->name);
	return 0;
}

/* Made beside, under a lock that keeps others from sweeping it, and renamed: a half-made volume is
 * never seen. */
static int make(const struct volume_store *store, const char *name, struct json_object *record,
		int (*fill)(void *ctx, int data_fd, struct err *err), void *ctx, struct err *err)
{
	AUTO(free) char *temp = xformat(".new-%s", json_text_or(record, "uuid", ""));
	AUTO(fd) int all = volume_store_lock(store, err);
	AUTO(fd) int dir = file_open_dir(store->volumes_fd, temp, true, err);
	AUTO(fd) int lock = dir < 0 ? -1 : file_lock(dir, "lock", true, err);
	AUTO(fd) int users = lock < 0 ? -1 : file_open_dir(dir, "users", true, err);
	AUTO(fd) int data = -1;
	struct err ignored = ERR_NONE;

	if (all < 0 || users < 0)
		return -1;
	close(TAKE_FD(
		all)); /* content and disk take their time; the inner lock keeps sweepers off */
	if (mkdirat(dir, DATA, 0755) < 0 || fchmodat(dir, DATA, 0755, 0) < 0)
		return err_sys(err, errno, "make volume %s", name);
	data = file_open_dir(dir, DATA, false, err);
	crash_point("volume", "folders-made");
	if (data < 0 || (fill && (fill(ctx, data, err) < 0 || syncfs(data) < 0)) ||
	    json_write_file(dir, RECORD, record, JSON_SYNC | JSON_PRETTY, err) < 0) {
		tree_remove(store->volumes_fd, temp, &ignored);
		return err_wrap(err, "volume %s", name);
	}
	crash_point("volume", "record-written");
	if (renameat2(store->volumes_fd, temp, store->volumes_fd, name, RENAME_NOREPLACE) < 0 ||
	    fsync(store->volumes_fd) < 0) {
		err_sys(err, errno, "make volume %s", name);
		tree_remove(store->volumes_fd, temp, &ignored);
		return -1;
	}
	crash_point("volume", "made");
	return 0;
}

int volume_make(const struct volume_store *store, const struct volume_def *def,
		int (*fill)(void *ctx, int data_fd, struct err *err), void *ctx, struct err *err)
{
	AUTO(json) struct json_object *record = def_json(def);
	AUTO(fd) int there = -1;

	if (check_def(def, record, err) < 0)
		return -1;
	there = openat(store->volumes_fd, def->name, O_PATH | O_CLOEXEC);
	if (there >= 0)
		return err_set(err, ERR_EXISTS, "volume %s exists already", def->name);
	return make(store, def->name, record, fill, ctx, err);
}

static struct json_object *read_record(const struct volume_store *store, const char *name,
				       struct err *err)
{
	AUTO(fd) int dir = volume_store_open_volume(store, name, err);
	AUTO(json) struct json_object *record = NULL;

	if (dir < 0)
		return NULL;
	record = json_read_file(dir, RECORD, RECORD_MAX, err);
	if (!record || !json_object_at(record, "options") || !json_object_at(record, "labels")) {
		if (record)
			err_set(err, ERR_INVALID, RECORD " is damaged");
		err_wrap(err, "volume %s", name);
		return NULL;
	}
	if (json_int_or(record, "version", 0) > 1) {
		err_set(err, ERR_UNSUPPORTED, "volume %s was made by a newer stack", name);
		return NULL;
	}
	return TAKE(record);
}

static int relabel(const struct volume_store *store, const char *name, struct json_object *record,
		   struct json_object *labels, struct err *err)
{
	AUTO(fd) int path_fd = volume_store_open_volume(store, name, err);
	AUTO(fd) int dir = path_fd < 0 ? -1 : file_open_dir(path_fd, ".", false, err);

	if (dir < 0)
		return -1;
	json_object_object_add(record, "labels", json_object_get(labels));
	return json_write_file(dir, RECORD, record, JSON_SYNC | JSON_PRETTY, err);
}

static int differs(const char *name, struct json_object *old, struct json_object *wanted,
		   struct err *err)
{
	AUTO(json)
	struct json_object *was = device_mask(json_object_at(old, "options"));
	AUTO(json)
	struct json_object *is = device_mask(json_object_at(wanted, "options"));

	return err_set(err, ERR_EXISTS,
		       "volume %s was made with options %.60s, the file says %.60s; its data stay "
		       "unless --recreate-volumes is given",
		       name, json_object_to_json_string_ext(was, JSON_C_TO_STRING_PLAIN),
		       json_object_to_json_string_ext(is, JSON_C_TO_STRING_PLAIN));
}

static int missing_external(const struct volume_def *def, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "external volume %s does not exist; make it with: stack volume create %s",
		       def->name, def->name);
}

/* What is to be done, and done here but for the making: 1 when the volume is to be made now. The
 * lock of all is held. */
static int ensure(const struct volume_store *store, const struct volume_def *def,
		  struct json_object *wanted, unsigned flags, enum volume_outcome *out,
		  struct err *err)
{
	struct err absent = ERR_NONE;
	AUTO(json) struct json_object *old = read_record(store, def->name, &absent);
	struct json_object *labels = json_object_at(wanted, "labels");

	if (!old && absent.code != ERR_NOT_FOUND) {
		*err = absent;
		return -1;
	}
	if (!old && def->external)
		return missing_external(def, err);
	*out = VOLUME_KEPT;
	if (def->external)
		return 0;
	if (!old) {
		*out = VOLUME_CREATED;
		return 1;
	}
	if (strcmp(json_text_or(old, "driver", ""), json_text_or(wanted, "driver", "")) == 0 &&
	    is_same(json_object_at(old, "options"), json_object_at(wanted, "options"))) {
		if (is_same(json_object_at(old, "labels"), labels))
			return 0;
		*out = VOLUME_RELABELLED;
		return relabel(store, def->name, old, labels, err);
	}
	if (!(flags & VOLUME_RECREATE))
		return differs(def->name, old, wanted, err);
	*out = VOLUME_RECREATED;
	return volume_remove_locked(store, def->name, err) < 0 ? -1 : 1;
}

int volume_ensure(const struct volume_store *store, const struct volume_def *def, unsigned flags,
		  enum volume_outcome *out, struct err *err)
{
	AUTO(json) struct json_object *wanted = def_json(def);

	if (check_def(def, wanted, err) < 0)
		return -1;
	for (;;) {
		AUTO(fd) int lock = volume_store_lock(store, err);
		int status = lock < 0 ? -1 : ensure(store, def, wanted, flags, out, err);

		if (status <= 0)
			return status;
		/* Made without the lock: many containers wait for the disk at the same time. */
		close(TAKE_FD(lock));
		status = make(store, def->name, wanted, NULL, NULL, err);
		if (status == 0 || err->code != ERR_EXISTS)
			return status;
		*err = ERR_NONE; /* another was first: is it as we want it? */
	}
}

struct json_object *volume_find(const struct volume_store *store, const char *name, unsigned flags,
				struct err *err)
{
	struct json_object *record = read_record(store, name, err);

	if (record && !(flags & VOLUME_RAW))
		json_object_object_add(record, "options",
				       device_mask(json_object_at(record, "options")));
	return record;
}

/* Does it need a mount, and so a lock of its own? -1: it is not there. */
static int has_device(const struct volume_store *store, const char *name, struct err *err)
{
	AUTO(json) struct json_object *record = read_record(store, name, err);

	return record ? device_is_needed(json_object_at(record, "options")) : -1;
}

int volume_activate(const struct volume_store *store, const char *name,
		    const struct volume_user *user, struct err *err)
{
	struct volume_user running = *user;
	int volume_fd = -1, needs_mount = has_device(store, name, err);
	enum volume_lock how = needs_mount > 0 ? VOLUME_LOCK_ALONE : VOLUME_LOCK_SHARED;
	AUTO(fd) int lock = -1;
	AUTO(fd) int owned = -1;
	AUTO(fd) int data = -1;
	AUTO(json) struct json_object *record = NULL;

	running.running = true;
	if (needs_mount < 0)
		return -1;
	lock = volume_store_lock_volume(store, name, how, &volume_fd, err);
	owned = volume_fd;
	if (lock < 0 || volume_store_use(store, name, &running, err) < 0)
		return -1;
	if (!needs_mount)
		return 0;
	record = read_record(store, name, err);
	if (!record)
		return -1;
	data = openat(owned, DATA, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return err_sys(err, errno, "volume %s", name);
	if (folder_is_mount(data))
		return 0;
	if (device_mount(json_object_at(record, "options"), data, DEVICE_TIMEOUT_MS, err) < 0)
		return err_wrap(err, "volume %s", name);
	return 0;
}

int volume_unmount(int volume_fd, struct err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/" DATA, volume_fd);
	while (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		;
	if (errno != EINVAL && errno != ENOENT)
		return err_sys(err, errno, "unmount the volume");
	return 0;
}

int volume_deactivate(const struct volume_store *store, const char *name, const char *container_id,
		      struct err *err)
{
	struct err absent = ERR_NONE;
	int volume_fd = -1, needs_mount = has_device(store, name, &absent);
	AUTO(fd) int lock = -1;
	AUTO(fd) int owned = -1;
	size_t running;

	if (needs_mount < 0 && absent.code == ERR_NOT_FOUND)
		return 0;
	if (needs_mount > 0) {
		lock = volume_store_lock_volume(store, name, VOLUME_LOCK_ALONE, &volume_fd, err);
		owned = volume_fd;
		if (lock < 0)
			return err->code == ERR_NOT_FOUND ? 0 : -1;
	}
	if (volume_store_stop_use(store, name, container_id, &running, err) < 0)
		return -1;
	if (needs_mount > 0 && running == 0 && volume_unmount(owned, err) < 0)
		return err_wrap(err, "volume %s", name);
	return 0;
}

int volume_open(const struct volume_store *store, const char *name, const char *subpath,
		struct err *err)
{
	AUTO(fd) int volume_fd = volume_store_open_volume(store, name, err);
	AUTO(fd) int data = -1;
	int fd;

	if (volume_fd < 0)
		return -1;
	data = openat(volume_fd, DATA, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return err_sys(err, errno, "volume %s", name);
	if (!subpath || !*subpath)
		return TAKE_FD(data);
	fd = file_open_beneath(data, subpath, O_PATH, 0);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "subpath \"%.100s\" does not exist in volume %s",
			       subpath, name);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return err_set(err, ERR_DENIED, "subpath \"%.100s\" leads out of volume %s",
			       subpath, name);
	return fd < 0 ? err_sys(err, errno, "subpath \"%.100s\" of volume %s", subpath, name) : fd;
}

char *volume_source(const struct volume_store *store, const char *name, const char *subpath,
		    struct volume_stage *stage, struct err *err)
{
	AUTO(fd) int fd = volume_open(store, name, subpath, err);

	if (fd < 0)
		return NULL;
	if (!subpath || !*subpath)
		return xformat("%s/%s/" DATA, store->path, name);
	return stage_clone(stage, fd, true, err);
}

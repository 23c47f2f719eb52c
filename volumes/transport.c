/* volumes/transport - whole volumes in and out.
 *
 * Owns: the order in which content becomes visible (made beside, then exchanged), snapshots. May
 * not touch: tars.
 */
#include "volumes/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "volumes/copy_tree.h"
#include "volumes/folder.h"
#include "volumes/tree_in.h"
#include "volumes/tree_out.h"
#include "volumes/volume.h"
#include "volumes/volume_device.h"

#define SNAPSHOTS "snapshots"
#define DATA      "_data"

/* Content on its way into a volume; whoever finds one clears it. */
#define RESTORED ".new-data" /* under the lock ALONE */
#define INCOMING                                                                                   \
	".incoming" /* under INCOMING ".lock", as the sender may be an export of this volume */

/* Who may have the volume meanwhile. */
enum users { USERS_NONE, USERS_STOPPED, USERS_ANY };

static int refuse_users(const struct volume_store *store, const char *name, enum users users,
			struct err *err)
{
	if (users == USERS_ANY)
		return 0;
	return users == USERS_STOPPED ? volume_store_refuse_running(store, name, err)
				      : volume_store_refuse_used(store, name, err);
}

/* A volume that is a plain folder, locked; its descriptor (readable) in *out_fd. */
static int begin(const struct volume_store *store, const char *name, enum volume_lock how,
		 enum users users, int *out_fd, struct err *err)
{
	AUTO(json) struct json_object *record = NULL;
	AUTO(fd) int lock = -1;
	int path_fd = -1;
	AUTO(fd) int owned = -1;

	*out_fd = -1;
	lock = volume_store_lock_volume(store, name, how, &path_fd, err);
	owned = path_fd;
	/* Who starts writes its record under this lock: asked now, the answer stays true. */
	if (lock < 0 || refuse_users(store, name, users, err) < 0)
		return -1;
	record = volume_find(store, name, VOLUME_RAW, err);
	if (!record)
		return -1;
	if (device_is_needed(json_object_at(record, "options")))
		return err_set(err, ERR_UNSUPPORTED,
			       "volume %s has a device of its own (driver_opts); copy it there",
			       name);
	*out_fd = openat(owned, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0)
		return err_sys(err, errno, "volume %s", name);
	return TAKE_FD(lock);
}

int transport_export(const struct volume_store *store, const char *name, unsigned flags, int out_fd,
		     struct err *err)
{
	AUTO(tar_out) struct tar_out *out = tar_out_new(out_fd);
	AUTO(fd) int data = -1;
	AUTO(fd) int lock = -1;
	int status;

	if (!(flags & TRANSPORT_IN_USE) && volume_store_refuse_used(store, name, err) < 0)
		return -1;
	lock = volume_store_lock_volume(store, name, VOLUME_LOCK_SHARED, NULL, err);
	data = lock < 0 ? -1 : volume_open(store, name, NULL, err);
	if (data < 0)
		return -1;
	status = tree_out(out, data, ".", ".", 0, err);
	if (status == 0)
		status = tar_out_end(out, err);
	return status < 0 ? err_wrap(err, "volume %s", name) : 0;
}

/* Puts what fill() makes into a new folder beside the content. */
static int fill_beside(int volume_fd, const char *beside,
		       int (*fill)(void *ctx, int data_fd, struct err *err), void *ctx,
		       struct err *err)
{
	AUTO(fd) int fresh = -1;

	if (tree_remove(volume_fd, beside, err) < 0)
		return -1;
	if (mkdirat(volume_fd, beside, 0755) < 0)
		return err_sys(err, errno, "make %s", beside);
	fresh = openat(volume_fd, beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fresh < 0 || fchmod(fresh, 0755) < 0)
		return err_sys(err, errno, "open %s", beside);
	if (fill(ctx, fresh, err) < 0)
		return -1;
	crash_point("transport", "filled");
	return syncfs(fresh) < 0 ? err_sys(err, errno, "write to disk") : 0;
}

/* What lies beside becomes the volume's content at once; the old one goes. Running containers would
 * keep the old folder, therefore the volume must be unused and locked ALONE. */
static int exchange_data(int volume_fd, const char *beside, struct err *err)
{
	if (renameat2(volume_fd, beside, volume_fd, DATA, RENAME_EXCHANGE) < 0)
		return err_sys(err, errno, "exchange the content");
	crash_point("transport", "exchanged");
	return tree_remove(volume_fd, beside, err);
}

static void drop_beside(int volume_fd, const char *beside)
{
	struct err ignored = ERR_NONE;

	tree_remove(volume_fd, beside, &ignored);
}

static int fill_from_tar(void *ctx, int data_fd, struct err *err)
{
	return tree_in(data_fd, ".", TREE_IN_OWNERS, *(const int *)ctx, err);
}

struct tree_source {
	int from_fd;
	bool is_shared;
};

static int fill_from_tree(void *ctx, int data_fd, struct err *err)
{
	struct tree_source *source = ctx;
	struct copy_tree_result result = { 0 };
	int status = copy_tree(source->from_fd, data_fd, &result, err);

	source->is_shared = result.is_shared;
	return status;
}

/* Makes a new volume with this content, seen only when it is whole. Labels as of `like` (NULL:
 * none), but for those that say to which project the original belongs. */
static int make_new(const struct volume_store *store, const char *name, struct json_object *like,
		    int (*fill)(void *ctx, int data_fd, struct err *err), void *ctx,
		    struct err *err)
{
	struct volume_def def = { .name = name };
	AUTO(free) struct volume_pair *labels = NULL;
	AUTO(json) struct json_object *none = json_object_new_object();
	struct json_object *old = like ? json_object_at(like, "labels") : none;

	json_each(old, key, value) {
		if (strncmp(key, "com.docker.compose.", 19) != 0)
			*(struct volume_pair *)xgrow(&labels, &def.label_count, sizeof(*labels)) =
				(struct volume_pair){ key, json_object_get_string(value) };
	}
	def.labels = labels;
	return volume_make(store, &def, fill, ctx, err);
}

/* Content that is exchanged: a stopped container finds the new one when it starts. */
static enum users stopped_or_none(unsigned flags)
{
	return flags & TRANSPORT_IN_USE ? USERS_STOPPED : USERS_NONE;
}

/* The stream is read under a shared lock, since whoever sends it may hold one too (an export of the
 * same volume through a pipe); alone is only the exchange. */
static int import_over(const struct volume_store *store, const char *name, enum users users,
		       int in_fd, struct err *err)
{
	AUTO(fd) int owned = -1;
	AUTO(fd) int lock = begin(store, name, VOLUME_LOCK_SHARED, users, &owned, err);
	AUTO(fd) int one_at_a_time = lock < 0 ? -1 : file_lock(owned, INCOMING ".lock", true, err);
	AUTO(fd) int same = -1;
	int status;

	if (one_at_a_time < 0)
		return -1;
	status = fill_beside(owned, INCOMING, fill_from_tar, &in_fd, err);
	if (status < 0)
		err_wrap(err, "volume %s", name);
	close(TAKE_FD(lock));
	if (status == 0) {
		lock = begin(store, name, VOLUME_LOCK_ALONE, users, &same, err);
		status = lock < 0 ? -1 : exchange_data(same, INCOMING, err);
	}
	if (status < 0)
		drop_beside(owned, INCOMING);
	return status;
}

int transport_import(const struct volume_store *store, const char *name, unsigned flags, int in_fd,
		     struct err *err)
{
	struct err absent = ERR_NONE;
	AUTO(json) struct json_object *record = NULL;

	if (flags & TRANSPORT_REPLACE)
		record = volume_find(store, name, 0, &absent);
	if (!record)
		return make_new(store, name, NULL, fill_from_tar, &in_fd, err);
	return import_over(store, name, stopped_or_none(flags), in_fd, err);
}

int transport_clone(const struct volume_store *store, const char *from, const char *to,
		    unsigned flags, bool *out_reflinked, struct err *err)
{
	AUTO(fd) int owned = -1;
	AUTO(fd)
	int lock = begin(store, from, VOLUME_LOCK_SHARED,
			 flags & TRANSPORT_IN_USE ? USERS_ANY : USERS_NONE, &owned, err);
	AUTO(json) struct json_object *record = NULL;
	AUTO(fd) int data = -1;
	struct tree_source source = { .from_fd = -1 };

	if (lock < 0)
		return -1;
	record = volume_find(store, from, VOLUME_RAW, err);
	data = openat(owned, DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!record || data < 0)
		return record ? err_sys(err, errno, "volume %s", from) : -1;
	source.from_fd = data;
	if (make_new(store, to, record, fill_from_tree, &source, err) < 0)
		return -1;
	*out_reflinked = source.is_shared;
	return 0;
}

static void time_tag(char out[64])
{
	time_t now = (time_t)(stamp_now_us() / 1000000);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(out, 64, "%Y%m%dT%H%M%SZ", &utc);
}

static int check_tag(const char *tag, struct err *err)
{
	struct err bad = ERR_NONE;

	if (strlen(tag) < 64 && volume_store_check_name(tag, &bad) == 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "snapshot name \"%.60s\" may hold 2 to 63 letters, digits, and behind the "
		       "first also _ . -",
		       tag);
}

int transport_snapshot(const struct volume_store *store, const char *name, const char *tag,
		       unsigned flags, char out_tag[64], bool *out_reflinked, struct err *err)
{
	AUTO(fd) int owned = -1;
	AUTO(fd) int lock = -1;
	AUTO(fd) int snapshots = -1;
	AUTO(fd) int one_at_a_time = -1;
	AUTO(fd) int data = -1;
	AUTO(fd) int fresh = -1;
	struct copy_tree_result result;

	if (tag)
		snprintf(out_tag, 64, "%s", tag);
	else
		time_tag(out_tag);
	if (check_tag(tag ? tag : out_tag, err) < 0)
		return -1;
	lock = begin(store, name, VOLUME_LOCK_SHARED,
		     flags & TRANSPORT_IN_USE ? USERS_ANY : USERS_NONE, &owned, err);
	if (lock < 0)
		return -1;
	snapshots = file_open_dir(owned, SNAPSHOTS, true, err);
	one_at_a_time = snapshots < 0 ? -1 : file_lock(snapshots, "lock", true, err);
	if (one_at_a_time < 0 || tree_remove(snapshots, ".new", err) < 0)
		return -1;
	data = openat(owned, DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return err_sys(err, errno, "volume %s", name);
	if (faccessat(snapshots, out_tag, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_EXISTS, "volume %s has a snapshot %s already", name,
			       out_tag);
	fresh = file_open_dir(snapshots, ".new", true, err);
	if (fresh < 0)
		return -1;
	if (copy_tree(data, fresh, &result, err) < 0) {
		struct err ignored = ERR_NONE;

		tree_remove(snapshots, ".new", &ignored);
		return err_wrap(err, "snapshot of volume %s", name);
	}
	crash_point("transport", "snapshot-copied");
	if (syncfs(fresh) < 0 ||
	    renameat2(snapshots, ".new", snapshots, out_tag, RENAME_NOREPLACE) < 0)
		return err_sys(err, errno, "snapshot %s of volume %s", out_tag, name);
	*out_reflinked = result.is_shared;
	return 0;
}

int transport_snapshot_names(const struct volume_store *store, const char *name, char ***out_tags,
			     size_t *out_count, struct err *err)
{
	AUTO(fd) int volume_fd = volume_store_open_volume(store, name, err);

	return volume_fd < 0 ? -1 : volume_names_in(volume_fd, SNAPSHOTS, out_tags, out_count, err);
}

int transport_snapshot_remove(const struct volume_store *store, const char *name, const char *tag,
			      struct err *err)
{
	AUTO(fd) int owned = -1;
	AUTO(fd) int lock = -1;
	AUTO(free) char *path = NULL;

	if (check_tag(tag, err) < 0)
		return -1;
	lock = begin(store, name, VOLUME_LOCK_ALONE, USERS_ANY, &owned, err);
	if (lock < 0)
		return -1;
	path = xformat(SNAPSHOTS "/%s", tag);
	if (faccessat(owned, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_NOT_FOUND, "volume %s has no snapshot %s", name, tag);
	return tree_remove(owned, path, err);
}

int transport_restore(const struct volume_store *store, const char *name, const char *tag,
		      unsigned flags, bool *out_reflinked, struct err *err)
{
	AUTO(fd) int owned = -1;
	AUTO(fd) int lock = -1;
	AUTO(fd) int snapshot = -1;
	AUTO(free) char *path = NULL;
	struct tree_source source = { .from_fd = -1 };

	if (check_tag(tag, err) < 0)
		return -1;
	lock = begin(store, name, VOLUME_LOCK_ALONE, stopped_or_none(flags), &owned, err);
	if (lock < 0)
		return -1;
	path = xformat(SNAPSHOTS "/%s", tag);
	snapshot = openat(owned, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (snapshot < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "volume %s has no snapshot %s", name, tag);
	if (snapshot < 0)
		return err_sys(err, errno, "snapshot %s of volume %s", tag, name);
	source.from_fd = snapshot;
	if (fill_beside(owned, RESTORED, fill_from_tree, &source, err) < 0 ||
	    exchange_data(owned, RESTORED, err) < 0) {
		drop_beside(owned, RESTORED);
		return err_wrap(err, "volume %s", name);
	}
	*out_reflinked = source.is_shared;
	return 0;
}

int transport_prune_list(const struct volume_store *store, unsigned flags,
			 bool (*keep_project)(void *ctx, const char *project), void *ctx,
			 char ***out_names, size_t *out_count, struct err *err)
{
	char **names;
	size_t count;
	int status = 0;

	*out_names = NULL;
	*out_count = 0;
	if (volume_names(store, &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; status == 0 && i < count; i++) {
		AUTO(json) struct json_object *record = volume_find(store, names[i], 0, err);
		struct err used = ERR_NONE;
		const char *project = json_text_or(record, "project", NULL);

		status = record ? 0 : -1;
		if (!record ||
		    (!(flags & PRUNE_NAMED) && !json_bool_or(record, "anonymous", false)) ||
		    (project && keep_project && keep_project(ctx, project)) ||
		    volume_store_refuse_used(store, names[i], &used) < 0)
			continue;
		*(char **)xgrow(out_names, out_count, sizeof(char *)) = xstrdup(names[i]);
	}
	volume_names_free(names, count);
	if (status == 0)
		return 0;
	volume_names_free(*out_names, *out_count);
	*out_names = NULL;
	*out_count = 0;
	return -1;
}

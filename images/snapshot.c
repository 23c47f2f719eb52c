/* images/snapshot - an image as lower folders, EROFS ones mounted.
 *
 * Owns: mount points RUNTIME_ROOT/images/KEY and their lock. May not touch: what a container mounts
 * on top.
 */
#include "images/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/tree.h"
#include "images/erofs_format.h"
#include "images/layer_dir.h"

#define EMPTY "empty"

static bool is_mounted(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (uint32_t)fs.f_type == EROFS_MAGIC;
}

/* ---- mounting ---- */

static int mount_place(struct store *store, const struct layer_place *place, const char *path,
		       struct err *err)
{
	AUTO(fd) int dir = -1;
	AUTO(fd) int lock = -1;
	AUTO(fd) int mounted = -1;

	if (is_mounted(path))
		return 0;
	dir = file_open_dir(AT_FDCWD, store->runtime_path, true, err);
	lock = dir < 0 ? -1 : file_lock(dir, ".lock", true, err);
	if (lock < 0)
		return -1;
	if (is_mounted(path))
		return 0;
	if (mkdirat(dir, place->key, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make %.100s", path);
	mounted = layer_open_place(store, place, err);
	if (mounted < 0)
		return -1;
	return mount_attach_at(mounted, dir, place->key, err);
}

static char *place_path(struct store *store, const struct layer_place *place)
{
	if (place->meta.backend == STORE_EROFS)
		return xformat("%s/%s", store->runtime_path, place->key);
	return xformat("%s/%s/%s/fs", store->path, place->is_chain ? "chains" : "layers",
		       place->key);
}

static int add_lowers(struct store *store, struct snapshot *snapshot,
		      const struct layer_place *places, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *path = place_path(store, &places[i]);

		if (places[i].meta.backend == STORE_EROFS &&
		    mount_place(store, &places[i], path, err) < 0)
			return err_wrap(err, "layer %.19s", places[i].meta.diff_id);
		snapshot->lowers[snapshot->lower_count++] = TAKE(path);
	}
	if (count > 0)
		return 0;
	if (mkdirat(store->root_fd, EMPTY, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make an empty folder");
	snapshot->lowers[snapshot->lower_count++] = xformat("%s/%s", store->path, EMPTY);
	return 0;
}

static void set_root(struct snapshot *snapshot, const struct layer_place *places, size_t count)
{
	snapshot->root_mode = 0755;
	for (size_t i = 0; i < count; i++) {
		const struct layer_meta *meta = &places[i].meta;

		if (!meta->has_root)
			continue;
		snapshot->root_mode = meta->root_mode;
		snapshot->root_uid = meta->root_uid;
		snapshot->root_gid = meta->root_gid;
		snapshot->root_mtime_s = meta->root_mtime_s;
		snapshot->root_mtime_ns = meta->root_mtime_ns;
		return;
	}
}

static struct snapshot *new_snapshot(const char *id, size_t layer_count)
{
	struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

	snprintf(snapshot->id, sizeof(snapshot->id), "%s", id);
	snapshot->lowers = xcalloc(layer_count + 1, sizeof(*snapshot->lowers));
	return snapshot;
}

static int find_places(struct store *store, const struct image_record *record,
		       struct layer_place **out, size_t *out_count, struct err *err)
{
	AUTO(free) const char **diff_ids = xcalloc(record->layer_count + 1, sizeof(*diff_ids));

	for (size_t i = 0; i < record->layer_count; i++)
		diff_ids[i] = record->layers[i].diff_id;
	return layer_places(store, diff_ids, record->layer_count, out, out_count, err);
}

struct snapshot *snapshot_open(struct store *store, const char *id, const char *owner,
			       struct err *err)
{
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(image_record) struct image_record *record = NULL;
	AUTO(free) struct layer_place *places = NULL;
	AUTO(fd) int lock = -1;
	size_t count;

	/* The root first: from then on gc leaves the image alone. */
	if (owner && store_root_add(store, owner, id, err) < 0)
		return NULL;
	lock = store_lock(store, false, true, err);
	record = lock < 0 ? NULL : image_record_read(store, id, err);
	if (!record || find_places(store, record, &places, &count, err) < 0)
		return NULL;
	snapshot = new_snapshot(id, count);
	if (add_lowers(store, snapshot, places, count, err) < 0 ||
	    store_image_config(store, id, &snapshot->config, &snapshot->config_len, err) < 0)
		return NULL;
	set_root(snapshot, places, count);
	return TAKE(snapshot);
}

/* All that the stack is made of is the lease's: layers, and what of them is made for its place. */
static int hold_places(struct lease *lease, const char *const *diff_ids, size_t diff_id_count,
		       const struct layer_place *places, size_t count, struct err *err)
{
	char digest[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < diff_id_count; i++)
		if (lease_add(lease, diff_ids[i], err) < 0)
			return -1;
	for (size_t i = 0; i < count; i++)
		if (places[i].is_chain && store_key_digest(places[i].key, digest) &&
		    lease_add(lease, digest, err) < 0)
			return -1;
	return 0;
}

struct snapshot *snapshot_open_layers(struct lease *lease, const char *const *diff_ids,
				      size_t count, struct err *err)
{
	struct store *store = lease_store(lease);
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(free) struct layer_place *places = NULL;
	AUTO(fd) int lock = store_lock(store, false, true, err);
	size_t place_count;

	if (lock < 0 || layer_places(store, diff_ids, count, &places, &place_count, err) < 0 ||
	    hold_places(lease, diff_ids, count, places, place_count, err) < 0)
		return NULL;
	snapshot = new_snapshot("", place_count);
	if (add_lowers(store, snapshot, places, place_count, err) < 0)
		return NULL;
	set_root(snapshot, places, place_count);
	return TAKE(snapshot);
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->lower_count; i++)
		free(snapshot->lowers[i]);
	free(snapshot->lowers);
	free(snapshot->config);
	free(snapshot);
}

int snapshot_mount(const struct snapshot *snapshot, struct err *err)
{
	AUTO(free) int *fds = xcalloc(snapshot->lower_count, sizeof(*fds));
	size_t opened = 0;
	int mounted = -1;

	while (opened < snapshot->lower_count) {
		fds[opened] = open(snapshot->lowers[opened], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[opened] < 0) {
			err_sys(err, errno, "open %s", snapshot->lowers[opened]);
			break;
		}
		opened++;
	}
	if (opened == snapshot->lower_count)
		mounted = mount_overlay(fds, opened, -1, -1, 0, 0, err);
	for (size_t i = 0; i < opened; i++)
		close(fds[i]);
	return mounted;
}

/* ---- the end ---- */

int snapshot_release(struct store *store, const char *owner, struct err *err)
{
	return store_root_remove(store, owner, err);
}

struct sweep {
	struct store *store;
	int dir_fd;
	char **keys; /* in use */
	size_t key_count;
	size_t swept;
};

static void note_key(struct sweep *sweep, const char *key)
{
	char **slot = xgrow(&sweep->keys, &sweep->key_count, sizeof(*slot));

	*slot = xstrdup(key);
}

/* What a running build stands on. */
static int note_lease(void *ctx, const char *digest, struct err *err)
{
	char key[STORE_KEY_MAX];

	(void)err;
	note_key(ctx, store_key(digest, key));
	return 0;
}

static int note_image(void *ctx, const char *owner, const char *id)
{
	struct sweep *sweep = ctx;
	struct err ignored = ERR_NONE;
	AUTO(image_record)
	struct image_record *record = image_record_read(sweep->store, id, &ignored);
	AUTO(free) struct layer_place *places = NULL;
	size_t count = 0;

	(void)owner;
	if (!record || find_places(sweep->store, record, &places, &count, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		note_key(sweep, places[i].key);
	return 0;
}

static int sweep_mount(void *ctx, const char *name, struct err *err)
{
	struct sweep *sweep = ctx;
	AUTO(free) char *path = xformat("%s/%s", sweep->store->runtime_path, name);

	for (size_t i = 0; i < sweep->key_count; i++)
		if (strcmp(sweep->keys[i], name) == 0)
			return 0;
	if (is_mounted(path)) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return err_sys(err, errno, "unmount %.100s", path);
		sweep->swept++;
	}
	unlinkat(sweep->dir_fd, name, AT_REMOVEDIR);
	return 0;
}

int snapshot_sweep(struct store *store, size_t *out_count, struct err *err)
{
	struct sweep sweep = { .store = store, .dir_fd = -1 };
	/* Alone in the store: nobody is between its root and its mounts. */
	AUTO(fd) int alone = store_lock(store, true, true, err);
	AUTO(fd) int dir = -1;
	AUTO(fd) int lock = -1;
	int rc;

	dir = alone < 0 ? -1 : file_open_dir(AT_FDCWD, store->runtime_path, true, err);
	lock = dir < 0 ? -1 : file_lock(dir, ".lock", true, err);
	if (lock < 0)
		return -1;
	sweep.dir_fd = dir;
	rc = store_root_each(store, note_image, &sweep, err);
	if (rc == 0)
		rc = lease_each(store, note_lease, &sweep, err);
	if (rc == 0)
		rc = store_each(dir, sweep_mount, &sweep, err);
	for (size_t i = 0; i < sweep.key_count; i++)
		free(sweep.keys[i]);
	free(sweep.keys);
	if (out_count)
		*out_count = sweep.swept;
	return rc;
}

/* images/layer_dir - what stands in the folder of one layer.
 *
 * Owns: meta.json, how a folder becomes visible, the stack of an image's layers. May not touch:
 * mount points, records.
 */
#include "images/layer_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mount.h"
#include "images/decode.h"
#include "images/layer.h"

#define READ_BYTES (256u << 10)

static const char *const backend_names[] = { [STORE_EROFS] = "erofs", [STORE_DIR] = "dir" };

void layer_meta_of_tree(struct layer_meta *meta, const struct layer_tree *tree)
{
	const struct tree_inode *root = tree_inode_of(tree, LAYER_TREE_ROOT);

	meta->opaque_root = root->flags & NODE_OPAQUE;
	meta->has_root = !(root->flags & NODE_IMPLICIT);
	meta->root_mode = root->mode;
	meta->root_uid = root->uid;
	meta->root_gid = root->gid;
	meta->root_mtime_s = root->mtime_s;
	meta->root_mtime_ns = root->mtime_ns;
}

int layer_meta_write(int dir_fd, const struct layer_meta *meta, struct store *store,
		     struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *root;

	json_add_int(json, "version", 1);
	json_add_text(json, "backend", backend_names[meta->backend]);
	json_add_text(json, "diff_id", meta->diff_id);
	json_add_text(json, "digest", meta->digest);
	json_add_text(json, "media_type", meta->media_type);
	json_add_int(json, "blob_bytes", (int64_t)meta->blob_bytes);
	json_add_int(json, "tar_bytes", (int64_t)meta->tar_bytes);
	json_add_int(json, "entries", (int64_t)meta->entry_count);
	json_add_bool(json, "needs_lower", meta->needs_lower);
	json_add_bool(json, "has_extra", meta->has_extra);
	json_add_bool(json, "opaque_root", meta->opaque_root);
	json_add_text(json, "missing_link", *meta->missing_link ? meta->missing_link : NULL);
	json_add_text(json, "boot", store->boot_id);
	if (meta->has_root) {
		root = json_add_object(json, "root");
		json_add_int(root, "mode", meta->root_mode);
		json_add_int(root, "uid", meta->root_uid);
		json_add_int(root, "gid", meta->root_gid);
		json_add_int(root, "mtime", meta->root_mtime_s);
		json_add_int(root, "mtime_ns", meta->root_mtime_ns);
	}
	return json_write_file(dir_fd, "meta.json", json, 0, err);
}

static void read_root(struct layer_meta *out, const struct json_object *root)
{
	out->has_root = true;
	out->root_mode = (uint32_t)json_int_or(root, "mode", 0755);
	out->root_uid = (uint32_t)json_int_or(root, "uid", 0);
	out->root_gid = (uint32_t)json_int_or(root, "gid", 0);
	out->root_mtime_s = json_int_or(root, "mtime", 0);
	out->root_mtime_ns = (uint32_t)json_int_or(root, "mtime_ns", 0);
}

int layer_meta_read(struct store *store, int parent_fd, const char *key, struct layer_meta *out,
		    struct err *err)
{
	char path[STORE_KEY_MAX + 16];
	AUTO(json) struct json_object *json = NULL;
	const char *diff_id, *backend;

	memset(out, 0, sizeof(*out));
	snprintf(path, sizeof(path), "%s/meta.json", key);
	if (faccessat(parent_fd, path, F_OK, 0) < 0)
		return err_set(err, ERR_NOT_FOUND, "no layer %.19s", key);
	json = json_read_file(parent_fd, path, STORE_META_MAX, err);
	if (!json || json_need_text(json, "layer", "diff_id", &diff_id, err) < 0 ||
	    json_need_text(json, "layer", "backend", &backend, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/synced", key);
	if (strcmp(json_text_or(json, "boot", ""), store->boot_id) != 0 &&
	    faccessat(parent_fd, path, F_OK, 0) < 0)
		return err_set(err, ERR_NOT_FOUND, "layer %.19s was not on disk before a restart",
			       key);
	out->backend = strcmp(backend, backend_names[STORE_EROFS]) == 0 ? STORE_EROFS : STORE_DIR;
	snprintf(out->diff_id, sizeof(out->diff_id), "%s", diff_id);
	snprintf(out->digest, sizeof(out->digest), "%s", json_text_or(json, "digest", ""));
	snprintf(out->media_type, sizeof(out->media_type), "%s",
		 json_text_or(json, "media_type", ""));
	out->blob_bytes = (uint64_t)json_int_or(json, "blob_bytes", 0);
	out->tar_bytes = (uint64_t)json_int_or(json, "tar_bytes", 0);
	out->entry_count = (uint64_t)json_int_or(json, "entries", 0);
	out->needs_lower = json_bool_or(json, "needs_lower", false);
	out->has_extra = json_bool_or(json, "has_extra", false);
	out->opaque_root = json_bool_or(json, "opaque_root", false);
	snprintf(out->missing_link, sizeof(out->missing_link), "%s",
		 json_text_or(json, "missing_link", ""));
	out->root_mode = 0755;
	if (json_object_at(json, "root"))
		read_root(out, json_object_at(json, "root"));
	return 0;
}

int layer_mark_synced(int parent_fd, const char *key, struct err *err)
{
	char path[STORE_KEY_MAX + 16];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/synced", key);
	fd = openat(parent_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, errno, "mark layer %.19s as synced", key) : 0;
}

int layer_publish(struct store *store, const char *tmp_name, int parent_fd, const char *key,
		  struct err *err)
{
	AUTO(fd) int lock = store_lock(store, false, true, err);
	struct layer_meta there;
	struct err ignored = ERR_NONE;

	if (lock < 0)
		return -1;
	for (int tries = 0; tries < 16; tries++) {
		if (layer_meta_read(store, parent_fd, key, &there, &ignored) == 0)
			return store_trash_move(store, store->tmp_fd, tmp_name, err);
		if (store_trash_move(store, parent_fd, key, err) < 0)
			return -1;
		if (renameat(store->tmp_fd, tmp_name, parent_fd, key) == 0) {
			crash_point("layer", "renamed");
			return 0;
		}
		if (errno != EEXIST && errno != ENOTEMPTY)
			break;
	}
	return err_sys(err, errno, "make layer %.19s visible", key);
}

bool store_has_layer(struct store *store, const char *diff_id)
{
	struct layer_meta meta;
	struct err ignored = ERR_NONE;
	char key[STORE_KEY_MAX];

	return digest_is_valid(diff_id) &&
	       layer_meta_read(store, store->layers_fd, store_key(diff_id, key), &meta, &ignored) ==
		       0;
}

int store_layer_bytes(struct store *store, const char *diff_id, uint64_t *out_bytes,
		      struct err *err)
{
	struct layer_meta meta;
	char key[STORE_KEY_MAX];

	if (!digest_is_valid(diff_id))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no diff-id", diff_id);
	if (layer_meta_read(store, store->layers_fd, store_key(diff_id, key), &meta, err) < 0)
		return -1;
	*out_bytes = meta.tar_bytes;
	return 0;
}

bool store_diff_id_of(struct store *store, const char *digest, char out[DIGEST_TEXT_MAX])
{
	char key[STORE_KEY_MAX];
	AUTO(fd) int fd = -1;
	ssize_t n;

	if (!digest_is_valid(digest))
		return false;
	fd = openat(store->digests_fd, store_key(digest, key), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : read(fd, out, DIGEST_TEXT_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return digest_is_valid(out);
}

/* ---- reading a tar back ---- */

static int open_tar(struct store *store, const char *diff_id, bool *out_is_blob, struct err *err)
{
	char key[STORE_KEY_MAX], path[STORE_KEY_MAX + 16];
	struct layer_meta meta;
	int fd;

	store_key(diff_id, key);
	if (layer_meta_read(store, store->layers_fd, key, &meta, err) < 0)
		return -1;
	*out_is_blob = meta.backend == STORE_DIR;
	snprintf(path, sizeof(path), "%s/%s", key, *out_is_blob ? "blob" : "data.tar");
	fd = openat(store->layers_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(err, errno, "layer %.19s", diff_id) : fd;
}

int layer_read_tar(struct store *store, const char *diff_id,
		   int (*sink)(void *ctx, const void *data, size_t len, struct err *err), void *ctx,
		   struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, READ_BYTES);
	AUTO(decode) struct decode *decode = NULL;
	bool is_blob;
	AUTO(fd) int fd = open_tar(store, diff_id, &is_blob, err);

	if (fd < 0)
		return -1;
	if (is_blob)
		decode = decode_new(0, sink, ctx);
	for (;;) {
		ssize_t n = read(fd, buffer, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read layer %.19s", diff_id);
		if (n == 0)
			return decode ? decode_end(decode, err) : 0;
		if ((decode ? decode_write(decode, buffer, (size_t)n, err)
			    : sink(ctx, buffer, (size_t)n, err)) < 0)
			return -1;
	}
}

/* ---- the stack ---- */

void layer_chain_id(const char *below, const char *diff_id, char out[DIGEST_TEXT_MAX])
{
	AUTO(free) char *text = NULL;

	if (!below) {
		snprintf(out, DIGEST_TEXT_MAX, "%s", diff_id);
		return;
	}
	text = xformat("%s %s", below, diff_id);
	digest_of(text, strlen(text), out);
}

static int find_place(struct store *store, const char *diff_id, const char *chain_id,
		      bool is_bottom, struct layer_place *out, struct err *err)
{
	store_key(diff_id, out->key);
	out->is_chain = false;
	if (layer_meta_read(store, store->layers_fd, out->key, &out->meta, err) < 0)
		return err_wrap(err, "layer %.19s", diff_id);
	if (!out->meta.needs_lower || is_bottom)
		return 0;
	store_key(chain_id, out->key);
	out->is_chain = true;
	return layer_meta_read(store, store->chains_fd, out->key, &out->meta, err);
}

int layer_places(struct store *store, const char *const *diff_ids, size_t count,
		 struct layer_place **out, size_t *out_count, struct err *err)
{
	AUTO(free) struct layer_place *places = xcalloc(count + 1, sizeof(*places));
	AUTO(free) char(*chains)[DIGEST_TEXT_MAX] = xcalloc(count + 1, DIGEST_TEXT_MAX);
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		layer_chain_id(i ? chains[i - 1] : NULL, diff_ids[i], chains[i]);
	for (size_t i = count; i-- > 0;) {
		struct layer_place *place = &places[n];
		bool is_new = true;

		if (find_place(store, diff_ids[i], chains[i], i == 0, place, err) < 0)
			return -1;
		for (size_t k = 0; k < n; k++)
			is_new &= strcmp(places[k].key, place->key) != 0;
		n += is_new;
		if (is_new && place->meta.opaque_root)
			break;
	}
	*out = TAKE(places);
	*out_count = n;
	return 0;
}

static int open_erofs(struct store *store, const struct layer_place *place, struct err *err)
{
	char key[STORE_KEY_MAX];
	const char *parent = place->is_chain ? "chains" : "layers";
	AUTO(free) char *index = xformat("%s/%s/%s/index.erofs", store->path, parent, place->key);
	AUTO(free)
	char *tar =
		xformat("%s/layers/%s/data.tar", store->path, store_key(place->meta.diff_id, key));
	AUTO(free) char *extra = xformat("%s/%s/%s/extra.data", store->path, parent, place->key);
	const char *devices[] = { tar, extra };

	return mount_erofs(index, devices, place->meta.has_extra ? 2 : 1, err);
}

int layer_open_place(struct store *store, const struct layer_place *place, struct err *err)
{
	char path[STORE_KEY_MAX + 8];
	int fd;

	if (place->meta.backend == STORE_EROFS)
		return open_erofs(store, place, err);
	snprintf(path, sizeof(path), "%s/fs", place->key);
	fd = openat(place->is_chain ? store->chains_fd : store->layers_fd, path,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "layer %.19s", place->key) : fd;
}

int layer_open_merged(struct store *store, const struct layer_place *places, size_t count,
		      struct err *err)
{
	AUTO(free) int *fds = xcalloc(count, sizeof(*fds));
	size_t opened = 0;
	int merged = -1;

	while (opened < count) {
		fds[opened] = layer_open_place(store, &places[opened], err);
		if (fds[opened] < 0)
			break;
		opened++;
	}
	if (opened == count && count == 1) {
		merged = TAKE_FD(fds[0]);
		opened = 0;
	} else if (opened == count) {
		merged = mount_overlay(fds, count, -1, -1, 0, 0, err);
	}
	for (size_t i = 0; i < opened; i++)
		close(fds[i]);
	return merged;
}

/* images/check_layer - is a stored layer what it says?
 *
 * Owns: the comparison of a layer's folder with its tar. May not touch: anything, it only looks.
 */
#include "images/check_layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/erofs.h"
#include "images/layer.h"

#define COMPARE_BYTES (64u << 10)

struct compare {
	struct store *store;
	struct tar *tar;
	const struct layer_tree *wanted; /* the final tree, in the second pass */
	int root_fd;
	int file_fd; /* being compared; -1: replaced later, nothing to compare with */
	char path[200];
	char *buffer;
};

static int feed(void *ctx, const void *data, size_t len, struct err *err)
{
	return tar_write(((struct compare *)ctx)->tar, data, len, err);
}

/* Runs the layer's tar through an apply with that sink (NULL: the tree alone). */
static struct apply *replay(struct compare *compare, const char *diff_id,
			    const struct apply_sink *sink, struct err *err)
{
	AUTO(apply) struct apply *apply = apply_new(sink, NULL, UINT64_MAX);
	AUTO(tar) struct tar *tar = tar_new(&apply_events, apply);

	compare->tar = tar;
	if (layer_read_tar(compare->store, diff_id, feed, compare, err) < 0 ||
	    tar_end(tar, err) < 0)
		return NULL;
	return TAKE(apply);
}

/* ---- extracted folders ---- */

static uint32_t find_path(const struct layer_tree *tree, char *path)
{
	uint32_t at = LAYER_TREE_ROOT;
	char *rest = path, *part;

	while (at && (part = strsep(&rest, "/")) != NULL)
		at = layer_tree_find(tree, at, part, strlen(part));
	return at;
}

static int sink_make(void *ctx, const struct layer_tree *tree, uint32_t name, struct err *err)
{
	struct compare *compare = ctx;
	const struct tree_inode *inode = tree_inode_of(tree, name), *last;
	AUTO(free) char *path = NULL;
	AUTO(free) char *copy = NULL;
	uint32_t there;

	if (inode->type != NODE_FILE)
		return 0;
	path = layer_tree_path(tree, name);
	copy = xstrdup(path);
	there = find_path(compare->wanted, copy);
	last = there ? tree_inode_of(compare->wanted, there) : NULL;
	compare->file_fd = -1;
	if (!last || last->type != NODE_FILE || last->data_at != inode->data_at)
		return 0;
	snprintf(compare->path, sizeof(compare->path), "%.190s", path);
	compare->file_fd =
		file_open_beneath(compare->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (compare->file_fd < 0)
		return err_set(err, ERR_INVALID, "file %.150s is missing", path);
	return 0;
}

static int sink_data(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct compare *compare = ctx;
	const char *at = data;

	while (compare->file_fd >= 0 && len > 0) {
		size_t want = len < COMPARE_BYTES ? len : COMPARE_BYTES;
		ssize_t n = pread(compare->file_fd, compare->buffer, want, (off_t)offset);

		if (n <= 0 || memcmp(compare->buffer, at, (size_t)n) != 0)
			return err_set(err, ERR_INVALID, "file %.150s has other content",
				       compare->path);
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int sink_done(void *ctx, const struct layer_tree *tree, struct err *err)
{
	struct compare *compare = ctx;

	(void)tree;
	(void)err;
	if (compare->file_fd >= 0)
		close(TAKE_FD(compare->file_fd));
	return 0;
}

static bool is_same(const struct tree_inode *inode, const struct stat *st)
{
	static const mode_t types[] = {
		[NODE_DIR] = S_IFDIR,      [NODE_FILE] = S_IFREG,  [NODE_SYMLINK] = S_IFLNK,
		[NODE_CHAR] = S_IFCHR,     [NODE_BLOCK] = S_IFBLK, [NODE_FIFO] = S_IFIFO,
		[NODE_WHITEOUT] = S_IFCHR,
	};

	if ((st->st_mode & S_IFMT) != types[inode->type])
		return false;
	if (inode->type == NODE_WHITEOUT)
		return st->st_rdev == 0;
	if (st->st_uid != inode->uid || st->st_gid != inode->gid)
		return false;
	if (inode->type != NODE_SYMLINK && (st->st_mode & 07777) != inode->mode)
		return false;
	return inode->type != NODE_FILE || (uint64_t)st->st_size == inode->size;
}

static int compare_names(struct compare *compare, const struct layer_tree *tree, struct err *err)
{
	for (uint32_t i = LAYER_TREE_ROOT; i < tree->name_count; i++) {
		AUTO(free) char *path = NULL;
		AUTO(fd) int fd = -1;
		struct stat st;

		if (!tree->names[i].inode)
			continue; /* was taken away again */
		path = layer_tree_path(tree, i);
		fd = file_open_beneath(compare->root_fd, *path ? path : ".", O_PATH | O_NOFOLLOW,
				       0);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_set(err, ERR_INVALID, "\"%.150s\" is missing", path);
		if (!is_same(tree_inode_of(tree, i), &st))
			return err_set(err, ERR_INVALID, "\"%.150s\" has other attributes", path);
	}
	return 0;
}

static int compare_folder(struct store *store, const char *diff_id, int root_fd, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, COMPARE_BYTES);
	struct compare compare = {
		.store = store, .root_fd = root_fd, .file_fd = -1, .buffer = buffer
	};
	const struct apply_sink sink = {
		.make = sink_make, .data = sink_data, .done = sink_done, .ctx = &compare
	};
	AUTO(apply) struct apply *first = replay(&compare, diff_id, NULL, err);
	AUTO(apply) struct apply *second = NULL;

	if (!first || compare_names(&compare, apply_tree(first), err) < 0)
		return -1;
	compare.wanted = apply_tree(first);
	second = replay(&compare, diff_id, &sink, err);
	if (compare.file_fd >= 0)
		close(compare.file_fd);
	return second ? 0 : -1;
}

/* ---- EROFS ---- */

static int compare_files(int left, int right, const char *what, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(2, COMPARE_BYTES);
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(left, buffer, COMPARE_BYTES, at);
		ssize_t m = pread(right, buffer + COMPARE_BYTES, COMPARE_BYTES, at);

		if (n < 0 || n != m || memcmp(buffer, buffer + COMPARE_BYTES, (size_t)n) != 0)
			return err_set(err, ERR_INVALID, "%s is damaged", what);
		if (n == 0)
			return 0;
		at += n;
	}
}

static int compare_index(struct store *store, int dir_fd, const char *diff_id,
			 const struct layer_meta *meta, struct err *err)
{
	struct compare compare = { .store = store };
	AUTO(apply) struct apply *apply = replay(&compare, diff_id, NULL, err);
	AUTO(fd) int index = openat(dir_fd, "index.erofs", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int tar = openat(dir_fd, "data.tar", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int extra = openat(dir_fd, "extra.data", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int made = openat(store->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	AUTO(fd) int made_extra = openat(store->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct erofs_devices devices = { .tar_fd = tar,
					 .tar_bytes = meta->tar_bytes,
					 .extra_fd = made_extra };

	if (!apply)
		return -1;
	if (made < 0 || made_extra < 0)
		return err_sys(err, errno, "make a file to compare with");
	if (index < 0 || tar < 0 || (meta->has_extra && extra < 0))
		return err_set(err, ERR_INVALID, "its index is missing");
	if (erofs_write(apply_tree(apply), made, &devices, err) < 0 ||
	    compare_files(index, made, "its index", err) < 0)
		return -1;
	return meta->has_extra ? compare_files(extra, made_extra, "its extra data", err) : 0;
}

/* ---- either ---- */

static int check_size(int dir_fd, const char *name, uint64_t wanted, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_INVALID, "%s is missing", name);
	if (wanted != UINT64_MAX && (uint64_t)st.st_size != wanted)
		return err_set(err, ERR_INVALID, "%s has %llu bytes instead of %llu", name,
			       (unsigned long long)st.st_size, (unsigned long long)wanted);
	return 0;
}

static int check_shape(int dir_fd, const struct layer_place *place, struct err *err)
{
	const struct layer_meta *meta = &place->meta;

	if (meta->backend == STORE_DIR) {
		if (check_size(dir_fd, "fs", UINT64_MAX, err) < 0)
			return -1;
		return place->is_chain ? 0 : check_size(dir_fd, "blob", meta->blob_bytes, err);
	}
	if (check_size(dir_fd, "index.erofs", UINT64_MAX, err) < 0)
		return -1;
	return place->is_chain ? 0 : check_size(dir_fd, "data.tar", meta->tar_bytes, err);
}

int check_layer(struct store *store, const struct layer_place *place, bool fast, struct err *err)
{
	AUTO(fd)
	int dir = openat(place->is_chain ? store->chains_fd : store->layers_fd, place->key,
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int fs = -1;

	if (dir < 0)
		return err_sys(err, errno, "its folder");
	if (check_shape(dir, place, err) < 0)
		return -1;
	if (fast || place->is_chain)
		return 0;
	if (layer_copy_tar(store, place->meta.diff_id, -1, err) < 0)
		return -1;
	if (place->meta.backend == STORE_EROFS)
		return compare_index(store, dir, place->meta.diff_id, &place->meta, err);
	fs = openat(dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs < 0)
		return err_sys(err, errno, "its files");
	return compare_folder(store, place->meta.diff_id, fs, err);
}

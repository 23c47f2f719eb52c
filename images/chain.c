/* images/chain - layers that lean on what is below them, made for their place in an image.
 *
 * Owns: chains/KEY: a layer unpacked again, with its lower layers in view. May not touch: layers/,
 * records.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/erofs.h"
#include "images/erofs_out.h"
#include "images/layer_dir.h"
#include "images/unpack.h"

#define SCAN_BYTES (64u << 10)
#define LIST_BYTES 65536u

struct job {
	struct store *store;
	const char *diff_id;
	int lower_fd; /* the merged tree below */
	int tmp_fd, tar_fd, extra_fd;
	uint64_t extra_bytes;
	struct tar *tar;
	struct apply *apply;
	struct unpack *unpack;
};

/* ---- the view downwards ---- */

static enum node_type type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return NODE_DIR;
	case S_IFLNK:
		return NODE_SYMLINK;
	case S_IFCHR:
		return NODE_CHAR;
	case S_IFBLK:
		return NODE_BLOCK;
	case S_IFIFO:
		return NODE_FIFO;
	default:
		return NODE_FILE;
	}
}

/* fd: O_PATH of a folder or file. */
static int read_xattrs(int fd, struct lower_entry *out, struct err *err)
{
	AUTO(free) char *list = xcalloc(1, LIST_BYTES);
	AUTO(free) char *value = xcalloc(1, TAR_XATTR_BYTES_MAX + 1);
	char path[40];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = listxattr(path, list, LIST_BYTES);
	if (len < 0 && errno != ENOTSUP)
		return err_sys(err, errno, "list attributes");
	for (char *name = list; len > 0 && name < list + len; name += strlen(name) + 1) {
		ssize_t n = apply_keeps_xattr(name)
				    ? getxattr(path, name, value, TAR_XATTR_BYTES_MAX)
				    : -1;
		struct tar_xattr *xattr;

		if (n < 0)
			continue;
		xattr = xgrow(&out->xattrs, &out->xattr_count, sizeof(*xattr));
		xattr->name = xstrdup(name);
		xattr->value = memcpy(xcalloc(1, (size_t)n + 1), value, (size_t)n);
		xattr->value_len = (size_t)n;
	}
	return 0;
}

static int open_lower(struct job *job, const char *path)
{
	/* A path with a link in it is not what the layer means: "beneath" alone would follow it. */
	AUTO(free) char *copy = xstrdup(path);
	AUTO(fd) int fd = -1;
	char *rest = copy, *part;

	while ((part = strsep(&rest, "/")) != NULL) {
		int next = openat(fd < 0 ? job->lower_fd : fd, part,
				  O_PATH | O_NOFOLLOW | O_CLOEXEC | (rest ? O_DIRECTORY : 0));

		if (fd >= 0)
			close(fd);
		fd = next;
		if (fd < 0)
			return -1;
	}
	return TAKE_FD(fd);
}

static int look(void *ctx, const char *path, struct lower_entry *out, struct err *err)
{
	AUTO(fd) int fd = open_lower(ctx, path);
	char link[4096];
	struct stat st;
	ssize_t len;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
				       errno == ENAMETOOLONG
			       ? 0
			       : err_sys(err, errno, "look at \"%.100s\" in lower layers", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at \"%.100s\" in lower layers", path);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return 0; /* a whiteout of the only lower layer */
	*out = (struct lower_entry){ .type = type_of(st.st_mode),
				     .mode = st.st_mode & 07777,
				     .uid = st.st_uid,
				     .gid = st.st_gid,
				     .major = major(st.st_rdev),
				     .minor = minor(st.st_rdev),
				     .mtime_s = st.st_mtim.tv_sec,
				     .mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
				     .size = (uint64_t)st.st_size };
	if (S_ISLNK(st.st_mode)) {
		len = readlinkat(fd, "", link, sizeof(link));
		if (len < 0)
			return err_sys(err, errno, "read link \"%.100s\"", path);
		out->link = xstrndup(link, (size_t)len);
	} else if ((S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && read_xattrs(fd, out, err) < 0) {
		return -1;
	}
	return 1;
}

static int open_file(void *ctx, const char *path, struct err *err)
{
	AUTO(fd) int fd = open_lower(ctx, path);
	char link[40];
	int file;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	file = fd < 0 ? -1 : open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return file < 0 ? err_sys(err, errno, "open lower file \"%.100s\"", path) : file;
}

static int keep(void *ctx, int fd, uint64_t size, uint64_t *out_at, struct err *err)
{
	struct job *job = ctx;
	uint64_t at = (job->extra_bytes + 511) / 512 * 512;

	if (job->extra_fd < 0) {
		job->extra_fd = openat(job->tmp_fd, "extra.data",
				       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (job->extra_fd < 0)
			return err_sys(err, errno, "make extra.data");
	}
	if (erofs_copy(fd, 0, job->extra_fd, at, size, err) < 0)
		return -1;
	job->extra_bytes = (at + size + 511) / 512 * 512;
	if (ftruncate(job->extra_fd, (off_t)job->extra_bytes) < 0)
		return err_sys(err, errno, "size of extra.data");
	*out_at = at;
	return 0;
}

/* ---- the layer again ---- */

/* Headers alone: content is stepped over. */
static int scan_tar(struct job *job, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, SCAN_BYTES);
	uint64_t at = 0;

	for (;;) {
		uint64_t skip = tar_skippable(job->tar);
		ssize_t n;

		if (skip) {
			tar_skip(job->tar, skip);
			at += skip;
			continue;
		}
		n = pread(job->tar_fd, buffer, 512, (off_t)at);
		if (n < 0)
			return err_sys(err, errno, "read data.tar");
		if (n == 0)
			return tar_end(job->tar, err);
		if (tar_write(job->tar, buffer, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
}

static int feed(void *ctx, const void *data, size_t len, struct err *err)
{
	return tar_write(((struct job *)ctx)->tar, data, len, err);
}

static int make_erofs(struct job *job, struct layer_meta *meta, struct err *err)
{
	AUTO(fd)
	int index = openat(job->tmp_fd, "index.erofs", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct erofs_devices devices = { .tar_fd = job->tar_fd, .tar_bytes = meta->tar_bytes };

	if (index < 0)
		return err_sys(err, errno, "make index");
	if (scan_tar(job, err) < 0)
		return -1;
	if (job->extra_fd < 0)
		job->extra_fd = openat(job->tmp_fd, "extra.data",
				       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	devices.extra_fd = job->extra_fd;
	devices.extra_bytes = job->extra_bytes;
	if (erofs_write(apply_tree(job->apply), index, &devices, err) < 0)
		return -1;
	meta->has_extra = devices.extra_bytes > 0;
	if (!meta->has_extra)
		unlinkat(job->tmp_fd, "extra.data", 0);
	return 0;
}

static int make_dir(struct job *job, struct err *err)
{
	if (layer_read_tar(job->store, job->diff_id, feed, job, err) < 0)
		return -1;
	return unpack_finish(job->unpack, apply_tree(job->apply), err);
}

static int open_source(struct job *job, const struct layer_meta *meta, struct err *err)
{
	char key[STORE_KEY_MAX];
	AUTO(free) char *path = xformat("%s/data.tar", store_key(job->diff_id, key));

	if (meta->backend == STORE_EROFS) {
		job->tar_fd = openat(job->store->layers_fd, path, O_RDONLY | O_CLOEXEC);
		return job->tar_fd < 0 ? err_sys(err, errno, "layer %.19s", job->diff_id) : 0;
	}
	if (mkdirat(job->tmp_fd, "fs", 0755) < 0)
		return err_sys(err, errno, "make folder");
	job->tar_fd = openat(job->tmp_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->tar_fd < 0)
		return err_sys(err, errno, "open folder");
	job->unpack = unpack_new(job->tar_fd);
	return 0;
}

static int make(struct job *job, struct layer_meta *meta, const char *key, struct err *err)
{
	struct apply_lower lower = { look, open_file, keep, job };
	char tmp_name[32];
	struct apply_sink sink;
	struct err ignored = ERR_NONE;
	int rc;

	job->tmp_fd = store_tmp_dir(job->store, tmp_name, err);
	if (job->tmp_fd < 0)
		return -1;
	rc = open_source(job, meta, err);
	if (rc == 0) {
		if (job->unpack) {
			sink = unpack_sink(job->unpack);
			lower.keep = NULL;
		}
		job->apply =
			apply_new(job->unpack ? &sink : NULL, &lower, job->store->max_layer_bytes);
		job->tar = tar_new(&apply_events, job->apply);
		rc = job->unpack ? make_dir(job, err) : make_erofs(job, meta, err);
	}
	if (rc == 0) {
		layer_meta_of_tree(meta, apply_tree(job->apply));
		rc = layer_meta_write(job->tmp_fd, meta, job->store, err);
	}
	if (rc == 0)
		rc = layer_publish(job->store, tmp_name, job->store->chains_fd, key, err);
	if (rc < 0)
		store_trash(job->store, job->store->tmp_fd, tmp_name, &ignored);
	return rc;
}

static void close_job(struct job *job)
{
	tar_free(job->tar);
	apply_free(job->apply);
	unpack_free(job->unpack);
	if (job->lower_fd >= 0)
		close(job->lower_fd);
	if (job->tmp_fd >= 0)
		close(job->tmp_fd);
	if (job->tar_fd >= 0)
		close(job->tar_fd);
	if (job->extra_fd >= 0)
		close(job->extra_fd);
}

static int make_one(struct store *store, const char *const *diff_ids, size_t number,
		    const char *key, struct layer_meta *meta, struct err *err)
{
	struct job job = { .store = store,
			   .diff_id = diff_ids[number],
			   .lower_fd = -1,
			   .tmp_fd = -1,
			   .tar_fd = -1,
			   .extra_fd = -1 };
	AUTO(free) struct layer_place *places = NULL;
	size_t count;
	int rc = layer_places(store, diff_ids, number, &places, &count, err);

	if (rc == 0) {
		job.lower_fd = layer_open_merged(store, places, count, err);
		rc = job.lower_fd < 0 ? -1 : make(&job, meta, key, err);
	}
	close_job(&job);
	return rc;
}

int chain_make(struct lease *lease, const char *const *diff_ids, size_t count, struct err *err)
{
	struct store *store = lease_store(lease);
	char chain[DIGEST_TEXT_MAX] = "", below[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		char key[STORE_KEY_MAX], chain_key[STORE_KEY_MAX];
		struct layer_meta meta, there;
		struct err ignored = ERR_NONE;

		memcpy(below, chain, sizeof(below));
		layer_chain_id(i ? below : NULL, diff_ids[i], chain);
		if (layer_meta_read(store, store->layers_fd, store_key(diff_ids[i], key), &meta,
				    err) < 0)
			return -1;
		if (i == 0 && *meta.missing_link)
			return err_set(err, ERR_INVALID,
				       "layer 1 of %zu (%.19s): %s, which is nowhere", count,
				       diff_ids[i], meta.missing_link);
		if (i == 0 || !meta.needs_lower)
			continue;
		if (lease_add(lease, chain, err) < 0)
			return -1;
		store_key(chain, chain_key);
		if (layer_meta_read(store, store->chains_fd, chain_key, &there, &ignored) == 0)
			continue;
		if (make_one(store, diff_ids, i, chain_key, &meta, err) < 0)
			return err_wrap(err, "layer %zu of %zu (%.19s)", i + 1, count, diff_ids[i]);
	}
	return 0;
}

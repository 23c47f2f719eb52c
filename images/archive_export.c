/* images/archive_export - the flat tree of an image (or any folder) as a tar.
 *
 * Owns: the walk, its order, what of a file goes into its entry. Declared in images/archive.h. May
 * not touch: the tree.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tar_out.h"
#include "images/apply.h"
#include "images/archive.h"
#include "images/snapshot.h"

#define LIST_BYTES 65536u

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct job {
	struct tar_out *out;
	void *links; /* tree of struct seen */
	char *list;  /* for attribute names */
	char *value;
	const struct snapshot *image; /* NULL: a folder; else what "/" looks like */
};

/* A file with several names: the first under which it was written. */
struct seen {
	dev_t device;
	ino_t inode;
	char *path;
};

struct file {
	struct tar_entry entry;
	struct tar_xattr *xattrs;
	size_t xattr_count;
	struct tar_region *regions;
	size_t region_count;
	char *link;
};

static int compare_seen(const void *left, const void *right)
{
	const struct seen *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void free_seen(void *item)
{
	struct seen *seen = item;

	free(seen->path);
	free(seen);
}

/* The earlier name of the same file, or NULL (then this one is noted). */
static const char *earlier_name(struct job *job, const struct stat *st, const char *path)
{
	struct seen *seen = xcalloc(1, sizeof(*seen)), **found;

	seen->device = st->st_dev;
	seen->inode = st->st_ino;
	found = (struct seen **)tsearch(seen, &job->links, compare_seen);
	if (!found)
		abort();
	if (*found != seen) {
		free(seen);
		return (*found)->path;
	}
	seen->path = xstrdup(path);
	return NULL;
}

static void clear_file(struct file *file)
{
	for (size_t i = 0; i < file->xattr_count; i++) {
		free((void *)(uintptr_t)file->xattrs[i].name);
		free((void *)(uintptr_t)file->xattrs[i].value);
	}
	free(file->xattrs);
	free(file->regions);
	free(file->link);
}

static int by_xattr_name(const void *left, const void *right)
{
	return strcmp(((const struct tar_xattr *)left)->name,
		      ((const struct tar_xattr *)right)->name);
}

/* Overlay shows the root of the topmost layer; the image's own may stand in a lower one. */
static void set_root(struct tar_entry *entry, const struct snapshot *image)
{
	entry->mode = image->root_mode;
	entry->uid = image->root_uid;
	entry->gid = image->root_gid;
	entry->mtime_s = image->root_mtime_s;
	entry->mtime_ns = image->root_mtime_ns;
}

static int read_xattrs(struct job *job, int fd, struct file *file, struct err *err)
{
	ssize_t len = flistxattr(fd, job->list, LIST_BYTES);

	if (len < 0 && errno != ENOTSUP)
		return err_sys(err, errno, "list attributes");
	for (char *name = job->list; len > 0 && name < job->list + len; name += strlen(name) + 1) {
		ssize_t n = apply_keeps_xattr(name)
				    ? fgetxattr(fd, name, job->value, TAR_XATTR_BYTES_MAX)
				    : -1;
		struct tar_xattr *xattr;

		if (n < 0)
			continue;
		xattr = xgrow(&file->xattrs, &file->xattr_count, sizeof(*xattr));
		xattr->name = xstrdup(name);
		xattr->value = memcpy(xcalloc(1, (size_t)n + 1), job->value, (size_t)n);
		xattr->value_len = (size_t)n;
	}
	if (file->xattr_count)
		qsort(file->xattrs, file->xattr_count, sizeof(*file->xattrs), by_xattr_name);
	file->entry.xattrs = file->xattrs;
	file->entry.xattr_count = file->xattr_count;
	return 0;
}

/* Holes of at least a block, where the file system tells of them. */
static void read_holes(int fd, struct file *file)
{
	off_t size = (off_t)file->entry.size, at = 0;
	off_t hole = lseek(fd, 0, SEEK_HOLE);

	if (hole < 0 || hole >= size)
		return;
	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), end;
		struct tar_region *region;

		if (data < 0 || data >= size)
			break;
		end = lseek(fd, data, SEEK_HOLE);
		if (end < 0 || end > size)
			end = size;
		region = xgrow(&file->regions, &file->region_count, sizeof(*region));
		region->offset = (uint64_t)data;
		region->len = (uint64_t)(end - data);
		at = end;
	}
	file->entry.is_sparse = true;
	file->entry.regions = file->regions;
	file->entry.region_count = file->region_count;
}

static int set_type(int dir_fd, const char *name, const struct stat *st, struct file *file,
		    struct err *err)
{
	struct tar_entry *entry = &file->entry;
	char link[4097];
	ssize_t len;

	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		entry->type = TAR_FILE;
		entry->size = (uint64_t)st->st_size;
		return 0;
	case S_IFDIR:
		entry->type = TAR_DIR;
		return 0;
	case S_IFLNK:
		len = readlinkat(dir_fd, name, link, sizeof(link) - 1);
		if (len < 0)
			return err_sys(err, errno, "read link");
		entry->type = TAR_SYMLINK;
		entry->link = file->link = xstrndup(link, (size_t)len);
		return 0;
	case S_IFIFO:
		entry->type = TAR_FIFO;
		return 0;
	default:
		entry->type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK;
		entry->major = major(st->st_rdev);
		entry->minor = minor(st->st_rdev);
		return 0;
	}
}

static int write_content(struct job *job, int fd, struct file *file, struct err *err)
{
	const struct tar_entry *entry = &file->entry;

	if (tar_out_entry(job->out, entry, err) < 0)
		return -1;
	if (entry->type != TAR_FILE)
		return 0;
	for (size_t i = 0; i < file->region_count; i++)
		if (tar_out_copy(job->out, fd, file->regions[i].offset, file->regions[i].len, err) <
		    0)
			return -1;
	if (!entry->is_sparse && tar_out_copy(job->out, fd, 0, entry->size, err) < 0)
		return -1;
	return tar_out_done(job->out, err);
}

/* One name. *out_fd: the folder's descriptor, when it is one. */
static int write_one(struct job *job, int dir_fd, const char *name, const char *path, int *out_fd,
		     struct err *err)
{
	struct file file = {
		.entry = {.path = path, .link = ""}
	};
	AUTO(fd) int fd = -1;
	struct stat st;
	const char *earlier = NULL;
	int rc;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at %.150s", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		fd = openat(dir_fd, name,
			    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
		if (fd < 0)
			return errno == ENOENT ? 0 : err_sys(err, errno, "open %.150s", path);
	}
	file.entry.mode = st.st_mode & 07777;
	file.entry.uid = st.st_uid;
	file.entry.gid = st.st_gid;
	file.entry.mtime_s = st.st_mtim.tv_sec;
	file.entry.mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
	if (job->image && strcmp(path, "./") == 0)
		set_root(&file.entry, job->image);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		earlier = earlier_name(job, &st, path);
	if (earlier) {
		file.entry.type = TAR_HARDLINK;
		file.entry.link = earlier;
		return tar_out_entry(job->out, &file.entry, err);
	}
	rc = set_type(dir_fd, name, &st, &file, err);
	if (rc == 0 && fd >= 0)
		rc = read_xattrs(job, fd, &file, err);
	if (rc == 0 && S_ISREG(st.st_mode))
		read_holes(fd, &file);
	if (rc == 0)
		rc = write_content(job, fd, &file, err);
	clear_file(&file);
	if (rc == 0 && S_ISDIR(st.st_mode))
		*out_fd = TAKE_FD(fd);
	return rc < 0 ? err_wrap(err, "%.100s", path) : 0;
}

static int by_bytes(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int list_names(int fd, char ***out, size_t *out_count, struct err *err)
{
	AUTO(fd) int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "read folder");
	TAKE_FD(own);
	while ((entry = readdir(dir)) != NULL) {
		char **slot;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		slot = xgrow(out, out_count, sizeof(*slot));
		*slot = xstrdup(entry->d_name);
	}
	if (*out_count)
		qsort(*out, *out_count, sizeof(**out), by_bytes);
	return 0;
}

/* What is in the folder; path ends in '/'. */
static int write_folder(struct job *job, int fd, const char *path, struct err *err)
{
	char **names = NULL;
	size_t count = 0;
	int rc = list_names(fd, &names, &count, err);

	for (size_t i = 0; i < count; i++) {
		AUTO(free) char *plain = xformat("%s%s", path, names[i]);
		AUTO(free) char *below = xformat("%s%s/", path, names[i]);
		AUTO(fd) int child = -1;
		struct stat st;

		if (rc == 0 && fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			rc = write_one(job, fd, names[i], S_ISDIR(st.st_mode) ? below : plain,
				       &child, err);
		if (rc == 0 && child >= 0)
			rc = write_folder(job, child, below, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int export_tree(int root_fd, const char *what, const struct snapshot *image, int fd,
		       struct err *err)
{
	AUTO(tar_out) struct tar_out *out = tar_out_new(fd);
	AUTO(free) char *list = xcalloc(1, LIST_BYTES);
	AUTO(free) char *value = xcalloc(1, TAR_XATTR_BYTES_MAX);
	struct job job = { .out = out, .list = list, .value = value, .image = image };
	AUTO(fd) int root = -1;
	int rc = write_one(&job, root_fd, ".", "./", &root, err);

	if (rc == 0)
		rc = write_folder(&job, root, "./", err);
	if (rc == 0)
		rc = tar_out_end(out, err);
	tdestroy(job.links, free_seen);
	return rc < 0 ? err_wrap(err, "export %.80s", what) : 0;
}

int archive_export(struct store *store, const char *id, int fd, struct err *err)
{
	AUTO(snapshot) struct snapshot *snapshot = snapshot_open(store, id, NULL, err);
	AUTO(fd) int root = snapshot ? snapshot_mount(snapshot, err) : -1;

	return root < 0 ? -1 : export_tree(root, id, snapshot, fd, err);
}

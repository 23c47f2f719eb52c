/* volumes/tree_out - a file or folder as entries of a tar.
 *
 * Owns: the walk. May not touch: other mounts, the targets of links, the form of a tar
 * (base/tar_out).
 */
#include "volumes/tree_out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "volumes/attributes.h"
#include "volumes/folder.h"
#include "volumes/hard_links.h"

#define DEPTH_MAX 2000

/* File systems whose entries are no files: proc, sysfs, cgroup, cgroup2. */
static const unsigned long not_files[] = { 0x9fa0, 0x62656572, 0x27e0eb, 0x63677270 };

struct walk {
	struct tar_out *out;
	struct hard_links links;
	unsigned depth, flags;
};

/* Attributes and regions of one entry; what they point to is the entry's until it is cleared. */
struct extras {
	struct tar_xattr *xattrs;
	size_t xattr_count;
	struct tar_region *regions;
	size_t region_count;
};

static void extras_clear(struct extras *extras)
{
	for (size_t i = 0; i < extras->xattr_count; i++) {
		free((void *)(uintptr_t)extras->xattrs[i].name);
		free((void *)(uintptr_t)extras->xattrs[i].value);
	}
	free(extras->xattrs);
	free(extras->regions);
}

static int keep_attribute(void *ctx, const char *key, const void *value, size_t len,
			  struct err *err)
{
	struct extras *extras = ctx;
	struct tar_xattr *xattr;
	char *copy;

	if (extras->xattr_count == TAR_XATTR_MAX)
		return err_set(err, ERR_INVALID, "more than %d extended attributes", TAR_XATTR_MAX);
	xattr = xgrow(&extras->xattrs, &extras->xattr_count, sizeof(*xattr));
	copy = xrealloc(NULL, len, 1);
	memcpy(copy, value, len);
	*xattr = (struct tar_xattr){ xstrdup(key), copy, len };
	return 0;
}

static int open_inside(const struct walk *walk, int dir_fd, const char *name, int flags)
{
	bool crosses = walk->flags & TREE_OUT_MOUNTS;
	AUTO(fd)
	int fd = crosses ? folder_open_across(dir_fd, name, flags)
			 : folder_open_inside(dir_fd, name, flags);
	struct statfs st;

	if (crosses && fd >= 0 && fstatfs(fd, &st) == 0)
		for (size_t i = 0; i < sizeof(not_files) / sizeof(*not_files); i++)
			if ((unsigned long)st.f_type == not_files[i]) {
				errno = EXDEV;
				return -1;
			}
	return TAKE_FD(fd);
}

/* Where the file has data; a file without holes has none listed and is not sparse. */
static void find_regions(int fd, uint64_t size, struct extras *extras, struct tar_entry *entry)
{
	off_t data = 0, hole = 0;

	while ((uint64_t)data < size && (data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		struct tar_region *region;

		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || extras->region_count == TAR_REGION_MAX)
			return; /* as it is: whole */
		if ((uint64_t)hole > size)
			hole = (off_t)size;
		region = xgrow(&extras->regions, &extras->region_count, sizeof(*region));
		*region = (struct tar_region){ .offset = (uint64_t)data,
					       .len = (uint64_t)(hole - data) };
		data = hole;
	}
	if (extras->region_count == 1 && extras->regions[0].offset == 0 &&
	    extras->regions[0].len == size)
		return;
	if (!extras->region_count || extras->regions[extras->region_count - 1].offset +
						     extras->regions[extras->region_count - 1].len <
					     size) {
		/* GNU tar takes the size from a last, empty region. */
		struct tar_region *end =
			xgrow(&extras->regions, &extras->region_count, sizeof(*end));

		*end = (struct tar_region){ .offset = size };
	}
	entry->is_sparse = size > 0;
	entry->regions = extras->regions;
	entry->region_count = extras->region_count;
}

static int write_file(struct walk *walk, int dir_fd, const char *name, struct tar_entry *entry,
		      struct extras *extras, struct err *err)
{
	AUTO(fd) int fd = open_inside(walk, dir_fd, name, O_RDONLY | O_NONBLOCK);

	if (fd < 0 && errno == EXDEV)
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "read %s", entry->path);
	find_regions(fd, entry->size, extras, entry);
	if (tar_out_entry(walk->out, entry, err) < 0)
		return -1;
	for (size_t i = 0; i < entry->region_count; i++)
		if (tar_out_copy(walk->out, fd, entry->regions[i].offset, entry->regions[i].len,
				 err) < 0)
			return -1;
	if (!entry->is_sparse && tar_out_copy(walk->out, fd, 0, entry->size, err) < 0)
		return -1;
	return tar_out_done(walk->out, err);
}

static int write_entry(struct walk *walk, int dir_fd, const char *name, const char *path,
		       struct err *err);

static int write_below(struct walk *walk, int dir_fd, const char *name, const char *path,
		       struct err *err)
{
	AUTO(fd) int fd = open_inside(walk, dir_fd, name, O_RDONLY | O_DIRECTORY);
	AUTO(folder) DIR *dir = NULL;
	const char *below;
	int status = 0;

	if (fd < 0 && errno == EXDEV)
		return 0;
	dir = fd < 0 ? NULL : folder_open(fd, ".");
	if (!dir)
		return err_sys(err, errno, "read %s", path);
	if (++walk->depth > DEPTH_MAX)
		return err_set(err, ERR_INVALID, "more than %d folders one in another", DEPTH_MAX);
	while (status == 0 && (below = folder_next(dir)) != NULL) {
		AUTO(free) char *sub = xformat("%s/%s", path, below);

		status = write_entry(walk, fd, below, sub, err);
	}
	walk->depth--;
	return status;
}

static int write_special(struct walk *walk, int dir_fd, const char *name, struct tar_entry *entry,
			 const struct stat *st, struct err *err)
{
	char target[PATH_MAX];
	int status;
	ssize_t len;

	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(dir_fd, name, target, sizeof(target) - 1);
		if (len < 0)
			return err_sys(err, errno, "read link %s", entry->path);
		target[len] = '\0';
		entry->type = TAR_SYMLINK;
		entry->link = target;
	} else if (S_ISFIFO(st->st_mode)) {
		entry->type = TAR_FIFO;
	} else {
		entry->type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK;
		entry->major = major(st->st_rdev);
		entry->minor = minor(st->st_rdev);
	}
	status = tar_out_entry(walk->out, entry, err);
	entry->link = "";
	return status;
}

static int write_kind(struct walk *walk, int dir_fd, const char *name, struct tar_entry *entry,
		      struct extras *extras, const struct stat *st, struct err *err)
{
	const char *first;

	if (S_ISDIR(st->st_mode)) {
		AUTO(free) char *slashed = xformat("%s/", entry->path);
		const char *path = entry->path;

		entry->type = TAR_DIR;
		entry->path = slashed;
		if (tar_out_entry(walk->out, entry, err) < 0)
			return -1;
		entry->path = path;
		return write_below(walk, dir_fd, name, path, err);
	}
	first = hard_links_first(&walk->links, st, entry->path);
	if (first) {
		entry->type = TAR_HARDLINK;
		entry->link = first;
		entry->xattr_count = 0;
		return tar_out_entry(walk->out, entry, err);
	}
	if (!S_ISREG(st->st_mode))
		return write_special(walk, dir_fd, name, entry, st, err);
	entry->type = TAR_FILE;
	entry->size = (uint64_t)st->st_size;
	return write_file(walk, dir_fd, name, entry, extras, err);
}

static int write_entry(struct walk *walk, int dir_fd, const char *name, const char *path,
		       struct err *err)
{
	struct extras extras = { 0 };
	struct tar_entry entry = { .path = path, .link = "" };
	struct stat st;
	int status;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	entry.mode = st.st_mode & 07777;
	entry.uid = st.st_uid;
	entry.gid = st.st_gid;
	entry.mtime_s = st.st_mtim.tv_sec;
	entry.mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
	status = attributes_each(dir_fd, name, keep_attribute, &extras, err);
	entry.xattrs = extras.xattrs;
	entry.xattr_count = extras.xattr_count;
	if (status == 0)
		status = write_kind(walk, dir_fd, name, &entry, &extras, &st, err);
	extras_clear(&extras);
	return status;
}

int tree_out(struct tar_out *out, int dir_fd, const char *name, const char *as, unsigned flags,
	     struct err *err)
{
	struct walk walk = { .out = out, .flags = flags };
	int status = write_entry(&walk, dir_fd, name, as, err);

	hard_links_clear(&walk.links);
	return status;
}

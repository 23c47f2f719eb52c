/* volumes/copy_tree - the content of one folder into another.
 *
 * Owns: the walk. May not touch: other mounts, the targets of links.
 */
#include "volumes/copy_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "volumes/attributes.h"
#include "volumes/folder.h"
#include "volumes/hard_links.h"

#define DEPTH_MAX  2000
#define STEP_BYTES (1u << 20)

struct copy {
	int to_root;
	struct hard_links links;
	struct copy_tree_result result;
	char path[PATH_MAX]; /* of the entry at work, below both roots */
	size_t path_len;
	unsigned depth;
};

static int copy_bytes_slowly(int from, int to, off_t at, off_t end)
{
	AUTO(free) char *buffer = xrealloc(NULL, STEP_BYTES, 1);

	while (at < end) {
		size_t want = end - at < (off_t)STEP_BYTES ? (size_t)(end - at) : STEP_BYTES;
		ssize_t n = pread(from, buffer, want, at);

		if (n == 0)
			return 0; /* it became shorter */
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || lseek(to, at, SEEK_SET) < 0 ||
		    file_write_all(to, buffer, (size_t)n) < 0)
			return -1;
		at += n;
	}
	return 0;
}

/* One stretch of data, in the kernel where it can. */
static int copy_range(int from, int to, off_t at, off_t end)
{
	while (at < end) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
			return -1;
		if (n < 0)
			return copy_bytes_slowly(from, to, at, end);
		at += n;
	}
	return 0;
}

static int copy_data(struct copy *copy, int from, int to, off_t size)
{
	off_t data = 0, hole;

	if (size == 0)
		return 0;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	copy->result.is_shared = false;
	while (data < size) {
		data = lseek(from, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* only a hole is left */
		if (data < 0)
			return -1;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || copy_range(from, to, data, hole) < 0)
			return -1;
		data = hole;
	}
	return ftruncate(to, size);
}

static int copy_file(struct copy *copy, int from_dir, int to_dir, const char *name, struct err *err)
{
	AUTO(fd) int from = folder_open_inside(from_dir, name, O_RDONLY | O_NONBLOCK);
	AUTO(fd) int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, errno, "read %s", name);
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, errno, "make %s", name);
	if (S_ISREG(st.st_mode) && copy_data(copy, from, to, st.st_size) < 0)
		return err_sys(err, errno, "copy %s", name);
	return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys(err, errno, "read link %s", name);
	target[len] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? err_sys(err, errno, "make link %s", name) : 0;
}

/* A further name of a file that was copied already: true. */
static bool copy_hard_link(struct copy *copy, const struct stat *st, int to_dir, const char *name)
{
	const char *first = hard_links_first(&copy->links, st, copy->path);

	return first && linkat(copy->to_root, first, to_dir, name, 0) == 0;
}

static int copy_folder(struct copy *copy, int from, int to, struct err *err);

static int copy_below(struct copy *copy, int from_dir, int to_dir, const char *name,
		      struct err *err)
{
	AUTO(fd) int from = folder_open_inside(from_dir, name, O_RDONLY | O_DIRECTORY);
	AUTO(fd) int to = -1;
	int status;

	if (mkdirat(to_dir, name, 0700) < 0)
		return err_sys(err, errno, "make %s", name);
	if (from < 0 && errno == EXDEV)
		return 0;
	if (from < 0)
		return err_sys(err, errno, "read %s", name);
	if (++copy->depth > DEPTH_MAX)
		return err_set(err, ERR_INVALID, "more than %d folders one in another", DEPTH_MAX);
	to = folder_open_inside(to_dir, name, O_RDONLY | O_DIRECTORY);
	if (to < 0)
		return err_sys(err, errno, "open %s", name);
	status = copy_folder(copy, from, to, err);
	copy->depth--;
	return status;
}

static int copy_entry(struct copy *copy, int from_dir, int to_dir, const char *name,
		      struct err *err)
{
	struct stat st;
	int status = 0;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", name);
	if (S_ISSOCK(st.st_mode))
		return 0;
	copy->result.has_copied = true;
	if (S_ISDIR(st.st_mode))
		status = copy_below(copy, from_dir, to_dir, name, err);
	else if (copy_hard_link(copy, &st, to_dir, name))
		return 0;
	else if (S_ISREG(st.st_mode))
		status = copy_file(copy, from_dir, to_dir, name, err);
	else if (S_ISLNK(st.st_mode))
		status = copy_link(from_dir, to_dir, name, err);
	else if (mknodat(to_dir, name, st.st_mode & (S_IFMT | 0777), st.st_rdev) < 0)
		status = err_sys(err, errno, "make device %s", name);
	return status < 0 ? -1 : attributes_copy(from_dir, name, to_dir, name, err);
}

static int copy_folder(struct copy *copy, int from, int to, struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(from, ".");
	size_t len = copy->path_len;
	const char *name;

	if (!dir)
		return err_sys(err, errno, "read folder");
	while ((name = folder_next(dir)) != NULL) {
		size_t more = strlen(name);

		if (len + more + 2 > sizeof(copy->path))
			return err_set(err, ERR_INVALID, "a path is longer than %d bytes",
				       PATH_MAX);
		snprintf(copy->path + len, sizeof(copy->path) - len, "%s%s", len ? "/" : "", name);
		copy->path_len = len + more + (len != 0);
		if (copy_entry(copy, from, to, name, err) < 0)
			return -1;
	}
	copy->path[len] = '\0';
	copy->path_len = len;
	return 0;
}

int copy_tree(int from_fd, int to_fd, struct copy_tree_result *out, struct err *err)
{
	struct copy *copy = xcalloc(1, sizeof(*copy));
	int status;

	copy->to_root = to_fd;
	copy->result.is_shared = true;
	status = copy_folder(copy, from_fd, to_fd, err);
	if (status < 0 && copy->path_len)
		err_wrap(err, "copy of %.100s", copy->path);
	if (status == 0)
		status = attributes_copy(from_fd, ".", to_fd, ".", err);
	*out = copy->result;
	hard_links_clear(&copy->links);
	free(copy);
	return status;
}

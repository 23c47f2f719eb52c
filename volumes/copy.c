/* volumes/copy - `cp` in both directions.
 *
 * Owns: which part of a container a path means. May not touch: tars (tree_out, tree_in), mounts.
 */
#include "volumes/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "volumes/tree_in.h"
#include "volumes/tree_out.h"

static int absent(const char *path, struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return err_set(err, ERR_NOT_FOUND, "%s does not exist in the container", path);
	return err_sys(err, errno, "%s", path);
}

/* The folder of the path's last part, and that part; "/" and what ends in "/." or "/..": the folder
 * itself, and ".". */
static int open_parent(int root_fd, const char *path, char name[NAME_MAX + 1], struct err *err)
{
	AUTO(free) char *copy = xstrdup(path);
	size_t len = strlen(copy);
	char *slash;
	int fd;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : copy);
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		strcpy(name, ".");
		fd = file_open_in_root(root_fd, copy, O_RDONLY | O_DIRECTORY, 0);
	} else {
		if (slash)
			slash[1] = '\0';
		fd = file_open_in_root(root_fd, slash ? copy : ".", O_RDONLY | O_DIRECTORY, 0);
	}
	return fd < 0 ? absent(path, err) : fd;
}

/* What a link at the path means, as a path of its own inside the root; to be freed. */
static char *follow(int root_fd, const char *path, struct err *err)
{
	AUTO(fd) int fd = file_open_in_root(root_fd, path, O_PATH, 0);
	char link[40], root[PATH_MAX], whole[PATH_MAX];
	ssize_t n, m;

	if (fd < 0) {
		absent(path, err);
		return NULL;
	}
	/* The kernel's own words for both; their difference is a path that is resolved inside the
	 * root again. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", root_fd);
	n = readlink(link, root, sizeof(root) - 1);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	m = readlink(link, whole, sizeof(whole) - 1);
	if (n < 0 || m < 0) {
		err_sys(err, errno, "%s", path);
		return NULL;
	}
	root[n] = whole[m] = '\0';
	if (strcmp(root, "/") == 0)
		n = 0;
	return xstrdup(strncmp(whole, root, (size_t)n) == 0 ? whole + n : path);
}

int copy_out(int root_fd, const char *path, unsigned flags, int out_fd, struct err *err)
{
	AUTO(tar_out) struct tar_out *out = tar_out_new(out_fd);
	AUTO(free) char *target = flags & COPY_FOLLOW ? follow(root_fd, path, err) : xstrdup(path);
	AUTO(free) char *as = NULL;
	char name[NAME_MAX + 1], shown[NAME_MAX + 1];
	AUTO(fd) int dir = -1;
	AUTO(fd) int shown_dir = -1;
	struct stat st;

	if (!target)
		return -1;
	dir = open_parent(root_fd, target, name, err);
	if (dir < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return absent(path, err);
	/* The archive shows the name that was asked for, not where a link led. */
	shown_dir = open_parent(root_fd, path, shown, err);
	as = xstrdup(shown_dir < 0 ? name : shown);
	if (tree_out(out, dir, name, as, TREE_OUT_MOUNTS, err) < 0)
		return -1;
	return tar_out_end(out, err);
}

int copy_in(int root_fd, const char *path, unsigned flags, int in_fd, struct err *err)
{
	AUTO(fd) int dir = file_open_in_root(root_fd, path, O_PATH, 0);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		return absent(path, err);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a folder in the container", path);
	return tree_in(root_fd, path,
		       (flags & COPY_NUMERIC ? TREE_IN_OWNERS : 0) |
			       (flags & COPY_NO_REPLACE ? TREE_IN_NO_REPLACE : 0),
		       in_fd, err);
}

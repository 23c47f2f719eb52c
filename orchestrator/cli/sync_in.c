/* orchestrator/cli/sync_in - single files of this machine into a container's file system.
 *
 * Owns: the way a file gets there whole. May not touch: which files (watch_rules).
 */
#include "orchestrator/cli/sync_in.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"

#define TEMPORARY ".stack-sync"

/* The folder of the last name, made when it is missing; its descriptor. *out_name points into
 * path. */
static int open_folder(int root_fd, const char *path, uid_t uid, gid_t gid, const char **out_name,
		       struct err *err)
{
	const char *last = strrchr(path, '/');
	int folder = file_open_in_root(root_fd, "/", O_RDONLY | O_DIRECTORY, 0);

	*out_name = last ? last + 1 : path;
	for (const char *at = path; folder >= 0 && last && at <= last;) {
		const char *end = strchrnul(at, '/');
		AUTO(free) char *so_far = xstrndup(path, (size_t)(end - path));
		AUTO(free) char *name = xstrndup(at, (size_t)(end - at));
		int next;

		at = end + 1;
		if (!*name)
			continue;
		if (mkdirat(folder, name, 0755) == 0 &&
		    fchownat(folder, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			err_sys(err, errno, "own %s", so_far);
		next = file_open_in_root(root_fd, so_far, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0)
			err_sys(err, errno, "open %s in the container", so_far);
		close(folder);
		folder = next;
	}
	return folder < 0 && !err->code ? err_sys(err, errno, "open the container's root") : folder;
}

static int copy_bytes(int from_fd, int to_fd, struct err *err)
{
	char buffer[65536];
	ssize_t n;

	while ((n = read(from_fd, buffer, sizeof(buffer))) > 0)
		if (file_write_all(to_fd, buffer, (size_t)n) < 0)
			return err_sys(err, errno, "write");
	return n < 0 ? err_sys(err, errno, "read") : 0;
}

static int put_file(int folder, const char *name, const char *from, uid_t uid, gid_t gid,
		    struct err *err)
{
	AUTO(fd) int from_fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO(fd) int to_fd = -1;
	struct stat st;

	if (from_fd < 0 || fstat(from_fd, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", from);
	unlinkat(folder, TEMPORARY, 0);
	to_fd = openat(folder, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (to_fd < 0)
		return err_sys(err, errno, "make %s in the container", name);
	if (copy_bytes(from_fd, to_fd, err) < 0)
		return err_wrap(err, "%s", from);
	if (fchown(to_fd, uid, gid) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0 ||
	    renameat(folder, TEMPORARY, folder, name) < 0)
		return err_sys(err, errno, "place %s in the container", name);
	return 0;
}

static int put_link(int folder, const char *name, const char *from, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlink(from, target, sizeof(target) - 1);

	if (len < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read %s", from);
	target[len] = '\0';
	unlinkat(folder, TEMPORARY, 0);
	if (symlinkat(target, folder, TEMPORARY) < 0 ||
	    renameat(folder, TEMPORARY, folder, name) < 0)
		return err_sys(err, errno, "place %s in the container", name);
	return 0;
}

int sync_put(int root_fd, const char *from, const char *inside, uid_t uid, gid_t gid,
	     struct err *err)
{
	AUTO(fd) int folder = -1;
	const char *name;
	struct stat st;

	if (lstat(from, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, errno, "%s", from);
	folder = open_folder(root_fd, inside, uid, gid, &name, err);
	if (folder < 0 || err->code)
		return -1;
	if (S_ISREG(st.st_mode))
		return put_file(folder, name, from, uid, gid, err);
	if (S_ISLNK(st.st_mode))
		return put_link(folder, name, from, err);
	if (!S_ISDIR(st.st_mode) || !*name)
		return 0;
	if (mkdirat(folder, name, st.st_mode & 07777) < 0)
		return errno == EEXIST ? 0
				       : err_sys(err, errno, "make %s in the container", inside);
	return fchownat(folder, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0
		       ? err_sys(err, errno, "own %s", inside)
		       : 0;
}

int sync_remove(int root_fd, const char *inside, struct err *err)
{
	const char *last = strrchr(inside, '/');
	AUTO(free) char *path = xstrndup(inside, last ? (size_t)(last - inside) : 0);
	AUTO(fd)
	int folder = file_open_in_root(root_fd, *path ? path : "/", O_RDONLY | O_DIRECTORY, 0);

	if (folder < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, errno, "%s", path);
	return tree_remove(folder, last ? last + 1 : inside, err);
}

/* base/tree - removing a folder and everything below it, by descriptors.
 *
 * Owns: the walk. May not touch: another mount, the target of a link.
 */
#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEPTH_MAX  64 /* a descriptor a level */
#define LIFTED_MAX 100000

/* The folder that is being emptied. */
struct top {
	int fd;
	bool lifted; /* folders came up to it: it needs another turn */
};

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int open_folder(int dir_fd, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
				.resolve =
					RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

static int remove_entry(struct top *top, int dir_fd, const char *name, unsigned depth,
			struct err *err);

/* Takes over fd. */
static int empty(struct top *top, int fd, unsigned depth, struct err *err)
{
	AUTO(dir) DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int saved = errno;

		close(fd);
		return err_sys(err, saved, "read folder");
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_entry(top, dirfd(dir), entry->d_name, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

/* Too deep for a descriptor a level: the folder goes up to the top, whose own turn comes later. */
static int lift(struct top *top, int dir_fd, const char *name, struct err *err)
{
	char lifted[40];

	for (unsigned n = 0; n < LIFTED_MAX; n++) {
		snprintf(lifted, sizeof(lifted), ".stack-lifted-%u", n);
		if (renameat2(dir_fd, name, top->fd, lifted, RENAME_NOREPLACE) == 0) {
			top->lifted = true;
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(err, errno, "move %s", name);
	}
	return err_set(err, ERR_BUSY, "move %s: no name is free", name);
}

static int remove_entry(struct top *top, int dir_fd, const char *name, unsigned depth,
			struct err *err)
{
	int fd, why;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	why = errno;
	if (why != EISDIR && why != EPERM)
		return err_sys(err, why, "remove %s", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == ENOTDIR) /* a file after all, and one that may not be removed */
		return err_sys(err, why, "remove %s", name);
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, errno, "remove %s", name);
	if (depth >= DEPTH_MAX)
		return lift(top, dir_fd, name, err);
	fd = open_folder(dir_fd, name);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_BUSY, "remove %s: something is mounted there", name);
	if (fd < 0)
		return err_sys(err, errno, "open folder %s", name);
	if (empty(top, fd, depth, err) < 0)
		return err_wrap(err, "%s", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", name);
	return 0;
}

int tree_empty(int dir_fd, struct err *err)
{
	struct top top = { dir_fd, true };

	while (top.lifted) {
		int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		top.lifted = false;
		if (fd < 0)
			return err_sys(err, errno, "open folder");
		if (empty(&top, fd, 0, err) < 0)
			return -1;
	}
	return 0;
}

int tree_remove(int dir_fd, const char *name, struct err *err)
{
	AUTO(fd) int fd = -1;
	struct top none = { -1, false };

	/* All but a folder with something in it: done at once, or refused with the reason. */
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return remove_entry(&none, dir_fd, name, 0, err);
	fd = open_folder(dir_fd, name);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_BUSY, "remove %s: something is mounted there", name);
	if (fd < 0)
		return err_sys(err, errno, "open folder %s", name);
	if (tree_empty(fd, err) < 0)
		return err_wrap(err, "%s", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", name);
	return 0;
}

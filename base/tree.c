/* base/tree - removing a folder and everything below it, by descriptors.
 *
 * Owns: the walk. May not touch: another mount, the target of a link.
 */
#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int open_folder(int dir_fd, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS |
					   RESOLVE_BENEATH };

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

/* Takes over fd. */
static int empty(int fd, struct err *err)
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
		if (tree_remove(dirfd(dir), entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

int tree_remove(int dir_fd, const char *name, struct err *err)
{
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, errno, "remove %s", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, errno, "remove %s", name);
	fd = open_folder(dir_fd, name);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_BUSY, "remove %s: something is mounted there", name);
	if (fd < 0)
		return err_sys(err, errno, "open folder %s", name);
	if (empty(fd, err) < 0)
		return err_wrap(err, "%s", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", name);
	return 0;
}

int tree_empty(int dir_fd, struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open folder");
	return empty(fd, err);
}

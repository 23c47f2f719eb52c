/* runtime/mounts_copy - tmpcopyup: the folder that a tmpfs covers, copied into it.
 *
 * Owns: the copy of files, folders, links, owners and modes. May not touch: device nodes, mounts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/mounts.h"

static int copy_file(int from_fd, int to_fd, const char *name, const struct stat *st)
{
	AUTO(fd) int in_fd = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(fd)
	int out_fd =
		openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (in_fd < 0 || out_fd < 0)
		return -1;
	do
		n = sendfile(out_fd, in_fd, NULL, 1u << 20);
	while (n > 0);
	if (n < 0 || fchown(out_fd, st->st_uid, st->st_gid) < 0)
		return -1;
	return fchmod(out_fd, st->st_mode & 07777u);
}

static int copy_link(int from_fd, int to_fd, const char *name, const struct stat *st)
{
	char target[4096];
	ssize_t n = readlinkat(from_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	if (symlinkat(target, to_fd, name) < 0)
		return -1;
	return fchownat(to_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_entry(int from_fd, int to_fd, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "tmpcopyup %s", name);
	if (S_ISDIR(st.st_mode)) {
		AUTO(fd) int in_fd = -1;
		AUTO(fd) int out_fd = -1;

		if (mkdirat(to_fd, name, 0700) < 0)
			return err_sys(err, errno, "tmpcopyup %s", name);
		in_fd = openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		out_fd = openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (in_fd < 0 || out_fd < 0)
			return err_sys(err, errno, "tmpcopyup %s", name);
		if (mounts_copy_tree(in_fd, out_fd, err) < 0)
			return -1;
		if (fchown(out_fd, st.st_uid, st.st_gid) < 0 ||
		    fchmod(out_fd, st.st_mode & 07777u) < 0)
			return err_sys(err, errno, "tmpcopyup %s", name);
		return 0;
	}
	if ((S_ISREG(st.st_mode) && copy_file(from_fd, to_fd, name, &st) < 0) ||
	    (S_ISLNK(st.st_mode) && copy_link(from_fd, to_fd, name, &st) < 0))
		return err_sys(err, errno, "tmpcopyup %s", name);
	return 0;
}

int mounts_copy_tree(int from_fd, int to_fd, struct err *err)
{
	int list_fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "tmpcopyup");
	while (status == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			status = copy_entry(from_fd, to_fd, entry->d_name, err);
	closedir(dir);
	return status;
}

/* volumes/folder - small acts on folders by descriptor.
 *
 * Owns: nothing. May not touch: what entries mean.
 */
#include "volumes/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"

DIR *folder_open(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static int open_entry(int dir_fd, const char *name, int flags, unsigned resolve)
{
	struct open_how how = { .flags = (unsigned)flags | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve };

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

int folder_open_inside(int dir_fd, const char *name, int flags)
{
	return open_entry(dir_fd, name, flags, RESOLVE_NO_XDEV);
}

int folder_open_across(int dir_fd, const char *name, int flags)
{
	return open_entry(dir_fd, name, flags, 0);
}

const char *folder_next(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	return NULL;
}

size_t folder_count(int dir_fd, const char *name)
{
	AUTO(folder) DIR *dir = folder_open(dir_fd, name);
	size_t count = 0;

	while (dir && folder_next(dir))
		count++;
	return count;
}

bool folder_is_mount(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, 0, &stx) == 0 &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Files with several names, seen already; sorted lookup is not worth it for the few there are. */
struct seen {
	ino_t *inodes;
	size_t count;
};

static bool is_first(struct seen *seen, const struct stat *st)
{
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return true;
	for (size_t i = 0; i < seen->count; i++)
		if (seen->inodes[i] == st->st_ino)
			return false;
	*(ino_t *)xgrow(&seen->inodes, &seen->count, sizeof(ino_t)) = st->st_ino;
	return true;
}

static int add_bytes(DIR *dir, struct seen *seen, uint64_t *bytes, struct err *err)
{
	const char *name;
	struct stat st;

	while ((name = folder_next(dir)) != NULL) {
		AUTO(folder) DIR *below = NULL;

		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		*bytes += is_first(seen, &st) ? (uint64_t)st.st_blocks * 512 : 0;
		if (!S_ISDIR(st.st_mode))
			continue;
		below = folder_open(dirfd(dir), name);
		if (below && !folder_is_mount(dirfd(below)) &&
		    add_bytes(below, seen, bytes, err) < 0)
			return -1;
	}
	return 0;
}

int folder_bytes(int dir_fd, const char *name, uint64_t *out_bytes, struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(dir_fd, name);
	struct seen seen = { 0 };
	struct stat st;
	int status;

	if (!dir || fstat(dirfd(dir), &st) < 0)
		return err_sys(err, errno, "read %s", name);
	*out_bytes = (uint64_t)st.st_blocks * 512;
	status = add_bytes(dir, &seen, out_bytes, err);
	free(seen.inodes);
	return status;
}

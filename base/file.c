/* base/file - whole files in, whole files out; opening below a root; locks.
 *
 * Owns: the temporary name ".NAME.tmp" beside each file. May not touch: anything outside dir_fd.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define READ_STEP_BYTES 4096u

int file_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int replace(int dir_fd, const char *name, const char *text, size_t len, bool sync,
		   struct err *err)
{
	char temp[300];
	AUTO(fd) int fd = -1;

	if (snprintf(temp, sizeof(temp), ".%s.tmp", name) >= (int)sizeof(temp))
		return err_set(err, ERR_INVALID, "file name \"%.60s...\" is too long", name);
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "create %s", temp);
	if (file_write_all(fd, text, len) < 0 || (sync && fsync(fd) < 0)) {
		err_sys(err, errno, "write %s", name);
		unlinkat(dir_fd, temp, 0);
		return -1;
	}
	if (renameat(dir_fd, temp, dir_fd, name) < 0) {
		err_sys(err, errno, "replace %s", name);
		unlinkat(dir_fd, temp, 0);
		return -1;
	}
	if (sync && fsync(dir_fd) < 0)
		return err_sys(err, errno, "sync the folder of %s", name);
	return 0;
}

int file_write_atomic(int dir_fd, const char *name, const char *text, size_t len, struct err *err)
{
	return replace(dir_fd, name, text, len, true, err);
}

int file_replace(int dir_fd, const char *name, const char *text, size_t len, struct err *err)
{
	return replace(dir_fd, name, text, len, false, err);
}

int file_read_fd(int fd, const char *what, size_t max_bytes, char **out_text, size_t *out_len,
		 struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len = 0, room = 0;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size > max_bytes)
		return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", what, max_bytes);
	for (;;) {
		ssize_t n;

		if (room - len < READ_STEP_BYTES / 2) {
			room = room ? 2 * room : READ_STEP_BYTES;
			text = xrealloc(text, room + 1, 1);
		}
		n = read(fd, text + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read %s", what);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max_bytes)
			return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", what,
				       max_bytes);
	}
	text[len] = '\0';
	*out_text = TAKE(text);
	if (out_len)
		*out_len = len;
	return 0;
}

int file_read(int dir_fd, const char *path, size_t max_bytes, char **out_text, size_t *out_len,
	      struct err *err)
{
	AUTO(fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	return file_read_fd(fd, path, max_bytes, out_text, out_len, err);
}

static int open_how(int root_fd, const char *path, int flags, mode_t mode, unsigned resolve)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
				.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
				.resolve = resolve | RESOLVE_NO_MAGICLINKS };
	long fd;

	/* EAGAIN: a rename or mount elsewhere raced the walk; the kernel asks to try again. */
	for (int tries = 0; tries < 128; tries++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return (int)fd;
	}
	return -1;
}

int file_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
	return open_how(root_fd, path, flags, mode, RESOLVE_IN_ROOT);
}

int file_open_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
	return open_how(root_fd, path, flags, mode, RESOLVE_BENEATH);
}

int file_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err)
{
	AUTO(free) char *copy = xstrdup(path);

	if (mkdirat(dir_fd, path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_sys(err, errno, "make folder %s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
			return err_sys(err, errno, "make folder %s", copy);
		*slash = '/';
	}
	if (mkdirat(dir_fd, path, mode) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make folder %s", path);
	return 0;
}

int file_open_dir(int dir_fd, const char *path, bool make, struct err *err)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		if (file_make_dirs(dir_fd, path, 0700, err) < 0)
			return -1;
		fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(err, errno, "open folder %s", path) : fd;
}

int file_lock(int dir_fd, const char *name, bool wait, struct err *err)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open lock %s", name);
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_BUSY, "%s is locked by another process", name);
		return err_sys(err, errno, "lock %s", name);
	}
	return TAKE_FD(fd);
}

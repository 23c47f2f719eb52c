/* images/steps_cache - the folders of RUN --mount=type=cache.
 *
 * Owns: build/cache/HEX[-N]: a lock and the folder itself. Declared in steps.h.
 * May not touch: what steps keep in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/steps_inner.h"

#define PRIVATE_MAX 256u
#define LOCK        ".lock"
#define DATA        "data"

/* Takes the lock of dir/name in the wanted way. -1 with err, BUSY too. */
static int lock_folder(int dir_fd, const char *name, int how, bool wait, struct err *err)
{
	AUTO(free) char *path = xformat("%s/" LOCK, name);
	AUTO(fd) int fd = -1;

	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make a cache folder");
	fd = openat(dir_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "lock a cache folder");
	while (flock(fd, how | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_BUSY, "the cache folder is in use");
		if (errno != EINTR)
			return err_sys(err, errno, "lock a cache folder");
	}
	return TAKE_FD(fd);
}

/* The lock is of a folder that prune may have moved away meanwhile. */
static bool is_still_there(int dir_fd, const char *name, int lock_fd)
{
	AUTO(free) char *path = xformat("%s/" LOCK, name);
	struct stat held, named;

	return fstat(lock_fd, &held) == 0 && fstatat(dir_fd, path, &named, 0) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static int take(int dir_fd, const char *name, int how, bool wait, struct err *err)
{
	for (int tries = 0; tries < 16; tries++) {
		AUTO(fd) int fd = lock_folder(dir_fd, name, how, wait, err);

		if (fd < 0 && err->code == ERR_NOT_FOUND) {
			*err = ERR_NONE;
			continue;
		}
		if (fd < 0 || is_still_there(dir_fd, name, fd))
			return TAKE_FD(fd);
	}
	return err_set(err, ERR_BUSY, "the cache folder is being removed");
}

/* The first of HEX, HEX-1, HEX-2 ... that nobody uses. */
static int take_private(int dir_fd, char *name, size_t room, struct err *err)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < PRIVATE_MAX; i++) {
		int fd;

		if (i)
			snprintf(name + len, room - len, "-%u", i);
		*err = ERR_NONE;
		fd = take(dir_fd, name, LOCK_EX, false, err);
		if (fd >= 0 || err->code != ERR_BUSY)
			return fd;
	}
	return err_set(err, ERR_BUSY, "more than %u steps use one private cache", PRIVATE_MAX);
}

static int make_data(int dir_fd, const char *name, unsigned mode, unsigned uid, unsigned gid,
		     struct err *err)
{
	AUTO(free) char *path = xformat("%s/" DATA, name);

	utimensat(dir_fd, name, NULL, AT_SYMLINK_NOFOLLOW);
	if (mkdirat(dir_fd, path, mode & 07777) < 0)
		return errno == EEXIST ? 0 : err_sys(err, errno, "make a cache folder");
	if (fchownat(dir_fd, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir_fd, path, mode & 07777, 0) < 0)
		return err_sys(err, errno, "make a cache folder");
	return 0;
}

int steps_cache_open(struct store *store, const char *id, enum steps_sharing sharing, bool wait,
		     unsigned mode, unsigned uid, unsigned gid, struct steps_folder *out,
		     struct err *err)
{
	AUTO(fd) int dir = steps_open(store, STEPS_CACHES, err);
	AUTO(fd) int lock = -1;
	char digest[DIGEST_TEXT_MAX], name[96];

	*out = (struct steps_folder){ .lock_fd = -1 };
	if (dir < 0)
		return -1;
	digest_of(id, strlen(id), digest);
	snprintf(name, sizeof(name), "%.64s", digest_hex(digest));
	lock = sharing == STEPS_PRIVATE
		       ? take_private(dir, name, sizeof(name), err)
		       : take(dir, name, sharing == STEPS_LOCKED ? LOCK_EX : LOCK_SH, wait, err);
	if (lock < 0 || make_data(dir, name, mode, uid, gid, err) < 0)
		return -1;
	out->path = xformat("%s/../" STEPS_FOLDER "/" STEPS_CACHES "/%s/" DATA, store->path, name);
	out->lock_fd = TAKE_FD(lock);
	return 0;
}

/* volumes/attributes - owner, mode, extended attributes and times of an entry.
 *
 * Owns: their order, and which attributes travel. May not touch: contents.
 */
#include "volumes/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"

#define LIST_MAX  65536 /* the kernel's own limits (XATTR_LIST_MAX, XATTR_SIZE_MAX) */
#define VALUE_MAX 65536

/* An entry held by an O_PATH descriptor, and the magic link that leads to exactly it: what others
 * put in its place meanwhile is not touched. The entry may be a symbolic link itself. */
struct held {
	int fd;
	char path[40];
};

static int hold(int dir_fd, const char *name, struct held *out, struct err *err)
{
	out->fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (out->fd < 0)
		return err_sys(err, errno, "open %s", name);
	snprintf(out->path, sizeof(out->path), "/proc/self/fd/%d", out->fd);
	return 0;
}

static bool travels(const char *key)
{
	return !text_starts(key, "trusted.overlay.") && !text_starts(key, "user.overlay.") &&
	       strcmp(key, "security.selinux") != 0;
}

static int each_of(const struct held *held, const char *name,
		   int (*each)(void *ctx, const char *key, const void *value, size_t len,
			       struct err *err),
		   void *ctx, struct err *err)
{
	AUTO(free) char *list = NULL;
	AUTO(free) char *value = NULL;
	ssize_t len = listxattr(held->path, NULL, 0);

	if (len == 0 || (len < 0 && errno == ENOTSUP))
		return 0;
	list = xrealloc(NULL, LIST_MAX, 1);
	value = xrealloc(NULL, VALUE_MAX, 1);
	len = listxattr(held->path, list, LIST_MAX);
	if (len < 0)
		return err_sys(err, errno, "attributes of %s", name);
	for (const char *key = list; key < list + len; key += strlen(key) + 1) {
		ssize_t size;

		if (!travels(key))
			continue;
		size = getxattr(held->path, key, value, VALUE_MAX);
		if (size < 0 && errno == ENODATA)
			continue;
		if (size < 0)
			return err_sys(err, errno, "attribute %s of %s", key, name);
		if (each(ctx, key, value, (size_t)size, err) < 0)
			return -1;
	}
	return 0;
}

int attributes_each(int dir_fd, const char *name,
		    int (*each)(void *ctx, const char *key, const void *value, size_t len,
				struct err *err),
		    void *ctx, struct err *err)
{
	struct held held;
	int status;

	if (hold(dir_fd, name, &held, err) < 0)
		return -1;
	status = each_of(&held, name, each, ctx, err);
	close(held.fd);
	return status;
}

static int set_one(void *ctx, const char *key, const void *value, size_t len, struct err *err)
{
	const struct held *held = ctx;

	if (setxattr(held->path, key, value, len, 0) < 0 && errno != ENOTSUP)
		return err_sys(err, errno, "set attribute %s", key);
	return 0;
}

int attributes_set(int dir_fd, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };
	struct held held;
	int status = 0;

	if (hold(dir_fd, name, &held, err) < 0)
		return -1;
	if (fchownat(held.fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
		status = err_sys(err, errno, "owner of %s", name);
	else if (!S_ISLNK(st->st_mode) && chmod(held.path, st->st_mode & 07777) < 0)
		status = err_sys(err, errno, "mode of %s", name);
	else if (utimensat(held.fd, "", times, AT_EMPTY_PATH) < 0)
		status = err_sys(err, errno, "time of %s", name);
	close(held.fd);
	return status;
}

int attributes_put(int dir_fd, const char *name, const char *key, const void *value, size_t len,
		   struct err *err)
{
	struct held held;
	int status;

	if (!travels(key))
		return 0;
	if (hold(dir_fd, name, &held, err) < 0)
		return -1;
	status = set_one(&held, key, value, len, err);
	close(held.fd);
	return status < 0 ? err_wrap(err, "%s", name) : 0;
}

int attributes_copy(int from_fd, const char *from_name, int to_fd, const char *to_name,
		    struct err *err)
{
	struct held from, to = { .fd = -1 };
	struct stat st;
	int status;

	if (hold(from_fd, from_name, &from, err) < 0)
		return -1;
	/* The time comes last, but setting attributes does not change it; capabilities must follow
	 * the owner. */
	status = fstat(from.fd, &st) < 0 ? err_sys(err, errno, "%s", from_name)
					 : attributes_set(to_fd, to_name, &st, err);
	if (status == 0)
		status = hold(to_fd, to_name, &to, err);
	if (status == 0)
		status = each_of(&from, from_name, set_one, &to, err);
	close(from.fd);
	if (to.fd >= 0)
		close(to.fd);
	return status;
}

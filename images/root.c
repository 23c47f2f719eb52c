/* images/root - which image a container (or whoever) uses, across processes and reboots.
 *
 * Owns: roots/OWNER, a file that holds an image id. Declared in images/store.h. May not touch:
 * images.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "images/store_internal.h"

#define OWNER_MAX 128u

static int check_owner(const char *owner, struct err *err)
{
	size_t len = strlen(owner);

	if (len == 0 || len > OWNER_MAX || owner[0] == '.' ||
	    strspn(owner, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    len)
		return err_set(err, ERR_INVALID, "\"%.60s\" is no name for a user of an image",
			       owner);
	return 0;
}

int store_root_add(struct store *store, const char *owner, const char *id, struct err *err)
{
	AUTO(fd) int lock = -1;

	if (check_owner(owner, err) < 0)
		return -1;
	if (!digest_is_valid(id))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no image id", id);
	lock = store_lock(store, false, true, err);
	return lock < 0 ? -1 : file_replace(store->roots_fd, owner, id, strlen(id), err);
}

int store_root_remove(struct store *store, const char *owner, struct err *err)
{
	if (check_owner(owner, err) < 0)
		return -1;
	if (unlinkat(store->roots_fd, owner, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "release image of %s", owner);
	return 0;
}

struct each_root {
	struct store *store;
	int (*each)(void *ctx, const char *owner, const char *id);
	void *ctx;
};

static int read_root(void *ctx, const char *owner, struct err *err)
{
	struct each_root *job = ctx;
	AUTO(fd) int fd = openat(job->store->roots_fd, owner, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char id[DIGEST_TEXT_MAX] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id) - 1);

	(void)err;
	if (n > 0)
		id[n] = '\0';
	return digest_is_valid(id) ? job->each(job->ctx, owner, id) : 0;
}

int store_root_each(struct store *store, int (*each)(void *ctx, const char *owner, const char *id),
		    void *ctx, struct err *err)
{
	struct each_root job = { store, each, ctx };

	return store_each(store->roots_fd, read_root, &job, err);
}

struct used {
	const char *id;
	bool found;
};

static int compare_root(void *ctx, const char *owner, const char *id)
{
	struct used *used = ctx;

	(void)owner;
	used->found |= strcmp(id, used->id) == 0;
	return 0;
}

bool store_is_used(struct store *store, const char *id)
{
	struct used used = { id, false };
	struct err ignored = ERR_NONE;

	return store_root_each(store, compare_root, &used, &ignored) < 0 || used.found;
}

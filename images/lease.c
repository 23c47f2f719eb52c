/* images/lease - what running operations use, so that gc leaves it alone.
 *
 * Owns: leases/ID, a file with one digest a line, held by a flock for the operation's life.
 * Declared in images/store.h. May not touch: what the digests name, but for LEASE_DROP.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/stamp.h"
#include "images/gc.h"
#include "images/steps_inner.h"

#define LEASE_MAX (64u << 20)

struct lease {
	struct store *store;
	int fd;
	char name[32];
	pthread_mutex_t mutex;
	char **digests;
	size_t count;
};

struct lease *lease_begin(struct store *store, struct err *err)
{
	AUTO(fd) int lock = store_lock(store, false, true, err);
	struct lease *lease;

	if (lock < 0)
		return NULL;
	lease = xcalloc(1, sizeof(*lease));
	lease->store = store;
	pthread_mutex_init(&lease->mutex, NULL);
	stamp_id(lease->name, 16);
	lease->fd =
		openat(store->leases_fd, lease->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (lease->fd < 0 || flock(lease->fd, LOCK_EX | LOCK_NB) < 0) {
		err_sys(err, errno, "make a lease in the image store");
		lease_end(lease, 0);
		return NULL;
	}
	return lease;
}

static bool has(const struct lease *lease, const char *digest)
{
	for (size_t i = 0; i < lease->count; i++)
		if (strcmp(lease->digests[i], digest) == 0)
			return true;
	return false;
}

int lease_add(struct lease *lease, const char *digest, struct err *err)
{
	AUTO(free) char *line = xformat("%s\n", digest);
	AUTO(fd) int lock = store_lock(lease->store, false, true, err);
	char **slot;
	int rc = 0;

	if (lock < 0)
		return -1;
	pthread_mutex_lock(&lease->mutex);
	if (!has(lease, digest)) {
		if (file_write_all(lease->fd, line, strlen(line)) < 0) {
			rc = err_sys(err, errno, "note a lease");
		} else {
			slot = xgrow(&lease->digests, &lease->count, sizeof(*lease->digests));
			*slot = xstrdup(digest);
		}
	}
	pthread_mutex_unlock(&lease->mutex);
	return rc;
}

struct store *lease_store(const struct lease *lease)
{
	return lease->store;
}

struct each_line {
	struct store *store;
	int (*each)(void *ctx, const char *digest, struct err *err);
	void *ctx;
	const char *skip; /* name of a lease that does not count */
};

static int each_lease(void *ctx, const char *name, struct err *err)
{
	struct each_line *job = ctx;
	AUTO(fd) int fd = openat(job->store->leases_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO(free) char *text = NULL;
	char *rest, *line;

	if (fd < 0 || (job->skip && strcmp(name, job->skip) == 0))
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0; /* its process is gone */
	if (file_read_fd(fd, "lease", LEASE_MAX, &text, NULL, err) < 0)
		return -1;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (digest_is_valid(line) && job->each(job->ctx, line, err) < 0)
			return -1;
	return 0;
}

int lease_each(struct store *store, int (*each)(void *ctx, const char *digest, struct err *err),
	       void *ctx, struct err *err)
{
	struct each_line job = { store, each, ctx, NULL };

	return store_each(store->leases_fd, each_lease, &job, err);
}

static int mark_digest(void *ctx, const char *digest, struct err *err)
{
	(void)err;
	digest_set_add(ctx, digest);
	return 0;
}

static int mark_others(const struct lease *lease, struct digest_set *live, struct err *err)
{
	struct each_line job = { lease->store, mark_digest, live, lease->name };

	return gc_mark_records(lease->store, live, err) < 0 ||
			       steps_mark(lease->store, live, err) < 0
		       ? -1
		       : store_each(lease->store->leases_fd, each_lease, &job, err);
}

/* Takes away what came in under this lease and is nobody's. */
static void drop(struct lease *lease)
{
	struct store *store = lease->store;
	struct err ignored = ERR_NONE;
	struct digest_set live = { 0 };
	AUTO(fd) int lock = store_lock(store, true, true, &ignored);
	bool known = lock >= 0 && mark_others(lease, &live, &ignored) == 0;

	for (size_t i = 0; known && i < lease->count; i++) {
		char key[STORE_KEY_MAX];

		if (digest_set_has(&live, lease->digests[i]))
			continue;
		store_key(lease->digests[i], key);
		store_trash_move(store, store->layers_fd, key, &ignored);
		store_trash_move(store, store->chains_fd, key, &ignored);
		store_trash_move(store, store->blobs_fd, key, &ignored);
		unlinkat(store->digests_fd, key, 0);
	}
	digest_set_clear(&live);
}

void lease_end(struct lease *lease, unsigned flags)
{
	if (!lease)
		return;
	if (flags & LEASE_DROP)
		drop(lease);
	if (lease->fd >= 0) {
		unlinkat(lease->store->leases_fd, lease->name, 0);
		close(lease->fd);
	}
	if (flags & LEASE_DROP)
		store_empty_trash(lease->store);
	for (size_t i = 0; i < lease->count; i++)
		free(lease->digests[i]);
	free(lease->digests);
	pthread_mutex_destroy(&lease->mutex);
	free(lease);
}

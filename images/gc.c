/* images/gc - mark and sweep over the store.
 *
 * Owns: what counts as used: records, step records of builds, leases, young parts. May not touch:
 * records and names themselves.
 */
#include "images/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "images/layer_dir.h"
#include "images/steps_inner.h"

#define PART_AGE_S (7 * 24 * 3600)

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

void digest_set_add(struct digest_set *set, const char *digest)
{
	char **slot;

	if (!digest || !*digest)
		return;
	slot = xgrow(&set->items, &set->count, sizeof(*slot));
	*slot = xstrdup(digest);
	set->is_sorted = false;
}

bool digest_set_has(struct digest_set *set, const char *digest)
{
	if (set->count == 0)
		return false;
	if (!set->is_sorted)
		qsort(set->items, set->count, sizeof(*set->items), by_text);
	set->is_sorted = true;
	return bsearch(&digest, set->items, set->count, sizeof(*set->items), by_text) != NULL;
}

void digest_set_clear(struct digest_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->items[i]);
	free(set->items);
	*set = (struct digest_set){ 0 };
}

void gc_mark_image(struct digest_set *set, const struct image_record *record)
{
	char chain[DIGEST_TEXT_MAX] = "", below[DIGEST_TEXT_MAX];

	digest_set_add(set, record->id);
	digest_set_add(set, record->manifest_digest);
	for (size_t i = 0; i < record->layer_count; i++) {
		memcpy(below, chain, sizeof(below));
		layer_chain_id(i ? below : NULL, record->layers[i].diff_id, chain);
		digest_set_add(set, record->layers[i].diff_id);
		digest_set_add(set, record->layers[i].digest);
		digest_set_add(set, chain);
	}
}

static int mark_lease(void *ctx, const char *digest, struct err *err)
{
	(void)err;
	digest_set_add(ctx, digest);
	return 0;
}

int gc_mark_records(struct store *store, struct digest_set *set, struct err *err)
{
	struct image_record **records;
	size_t count;

	if (store_list(store, &records, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		gc_mark_image(set, records[i]);
	image_records_free(records, count);
	return 0;
}

int gc_mark_all(struct store *store, struct digest_set *set, struct err *err)
{
	if (gc_mark_records(store, set, err) < 0 || steps_mark(store, set, err) < 0)
		return -1;
	return lease_each(store, mark_lease, set, err);
}

struct sweep {
	struct store *store;
	struct digest_set *live;
	int dir_fd;
	uint64_t freed;
};

static int trash(struct sweep *sweep, const char *name, struct err *err)
{
	sweep->freed += store_disk_bytes(sweep->dir_fd, name);
	if (store_trash_move(sweep->store, sweep->dir_fd, name, err) < 0)
		return -1;
	crash_point("gc", "trash");
	return 0;
}

static int sweep_key(void *ctx, const char *name, struct err *err)
{
	struct sweep *sweep = ctx;
	char digest[DIGEST_TEXT_MAX];

	if (store_key_digest(name, digest) && digest_set_has(sweep->live, digest))
		return 0;
	return trash(sweep, name, err);
}

/* A part stays while somebody writes it, or for a week. */
static int sweep_part(void *ctx, const char *name, struct err *err)
{
	struct sweep *sweep = ctx;
	AUTO(fd) int fd = openat(sweep->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return 0;
	if (st.st_mtime + PART_AGE_S > time(NULL))
		return 0;
	return trash(sweep, name, err);
}

/* What a digest was seen to hold is of use as long as that layer is there. */
static int sweep_digest(void *ctx, const char *name, struct err *err)
{
	struct sweep *sweep = ctx;
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX];

	(void)err;
	if (!store_key_digest(name, digest) || !store_diff_id_of(sweep->store, digest, diff_id) ||
	    !digest_set_has(sweep->live, diff_id))
		unlinkat(sweep->dir_fd, name, 0);
	return 0;
}

int gc_sweep(struct store *store, struct digest_set *live, uint64_t *freed, struct err *err)
{
	const struct {
		int dir_fd;
		int (*each)(void *ctx, const char *name, struct err *err);
	} steps[] = {
		{store->chains_fd,   sweep_key   },
                { store->layers_fd,  sweep_key   },
		{ store->blobs_fd,   sweep_key   },
                { store->partial_fd, sweep_part  },
		{ store->digests_fd, sweep_digest},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct sweep sweep = { store, live, steps[i].dir_fd, 0 };

		if (store_each(steps[i].dir_fd, steps[i].each, &sweep, err) < 0)
			return -1;
		*freed += sweep.freed;
	}
	store_sweep(store);
	return 0;
}

/* images/steps_prune - the end of step records and cache folders: by age, by size.
 *
 * Owns: which of them go. Declared in steps.h and steps_inner.h. May not touch: layers (gc takes
 * those that nothing names any more).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/stamp.h"
#include "images/steps_inner.h"

#define DEFAULT_BYTES   (10ull << 30)
#define DEFAULT_PERCENT 10u
#define NOTE_AGE_S      (30ull * 24 * 3600)
#define NS_PER_S        1000000000u
#define HASHES_FOLDER   "hashes"

enum kind { ITEM_RECORD, ITEM_FOLDER };

struct item {
	enum kind kind;
	char *name;
	char diff_id[DIGEST_TEXT_MAX];
	uint64_t used_unix_ns, bytes; /* bytes: of a folder, or of a layer that no image has */
	bool goes;
};

struct prune {
	struct store *store;
	const struct steps_prune *options;
	struct digest_set images; /* what images keep */
	struct digest_set kept;   /* layers of records that stay, or that were counted */
	struct item *items;
	size_t count;
	int records_fd, caches_fd;
	uint64_t now;
};

static bool is_record(const char *name, char key[STEPS_KEY_LEN + 1])
{
	if (strlen(name) != STEPS_KEY_LEN + strlen(STEPS_SUFFIX))
		return false;
	memcpy(key, name, STEPS_KEY_LEN);
	key[STEPS_KEY_LEN] = '\0';
	return steps_key_is_valid(key) && strcmp(name + STEPS_KEY_LEN, STEPS_SUFFIX) == 0;
}

struct mark {
	struct digest_set *set;
	int dir_fd;
};

static int mark_record(void *ctx, const char *name, struct err *err)
{
	struct mark *mark = ctx;
	char key[STEPS_KEY_LEN + 1];
	struct step step;
	struct err ignored = ERR_NONE;

	(void)err;
	if (is_record(name, key) && steps_read(mark->dir_fd, name, &step, &ignored) == 0)
		digest_set_add(mark->set, step.diff_id);
	return 0;
}

int steps_mark(struct store *store, struct digest_set *set, struct err *err)
{
	AUTO(fd)
	int dir = openat(store->root_fd, "../" STEPS_FOLDER "/" STEPS_RECORDS,
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct mark mark = { set, dir };

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read the build cache");
	return store_each(dir, mark_record, &mark, err);
}

/* ---- what is there ---- */

static struct item *new_item(struct prune *prune, enum kind kind, const char *name)
{
	struct item *item = xgrow(&prune->items, &prune->count, sizeof(*item));

	item->kind = kind;
	item->name = xstrdup(name);
	return item;
}

static int add_record(void *ctx, const char *name, struct err *err)
{
	struct prune *prune = ctx;
	char key[STEPS_KEY_LEN + 1], layer[STORE_KEY_MAX];
	struct err ignored = ERR_NONE;
	struct step step;
	struct item *item;

	(void)err;
	if (!is_record(name, key))
		return 0;
	item = new_item(prune, ITEM_RECORD, name);
	if (steps_read(prune->records_fd, name, &step, &ignored) < 0)
		return 0; /* damaged: the oldest of all */
	item->used_unix_ns = step.used_unix_ns;
	memcpy(item->diff_id, step.diff_id, sizeof(item->diff_id));
	if (*step.diff_id && !digest_set_has(&prune->images, step.diff_id))
		item->bytes =
			store_disk_bytes(prune->store->layers_fd, store_key(step.diff_id, layer));
	return 0;
}

static int add_folder(void *ctx, const char *name, struct err *err)
{
	struct prune *prune = ctx;
	struct item *item = new_item(prune, ITEM_FOLDER, name);
	struct stat st;

	(void)err;
	if (fstatat(prune->caches_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* steps_cache_open touches the folder whenever it is used. */
	item->used_unix_ns =
		(uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	item->bytes = store_disk_bytes(prune->caches_fd, name);
	return 0;
}

static int by_use(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	return a->used_unix_ns > b->used_unix_ns ? -1 : a->used_unix_ns < b->used_unix_ns;
}

static int open_all(struct prune *prune, struct err *err)
{
	prune->now = stamp_now_ns();
	prune->records_fd = steps_open(prune->store, STEPS_RECORDS, err);
	prune->caches_fd = prune->records_fd < 0 ? -1 : steps_open(prune->store, STEPS_CACHES, err);
	if (prune->caches_fd < 0 || gc_mark_records(prune->store, &prune->images, err) < 0 ||
	    store_each(prune->records_fd, add_record, prune, err) < 0 ||
	    store_each(prune->caches_fd, add_folder, prune, err) < 0)
		return -1;
	if (prune->count)
		qsort(prune->items, prune->count, sizeof(*prune->items), by_use);
	return 0;
}

static void close_all(struct prune *prune)
{
	for (size_t i = 0; i < prune->count; i++)
		free(prune->items[i].name);
	free(prune->items);
	digest_set_clear(&prune->images);
	digest_set_clear(&prune->kept);
	if (prune->records_fd >= 0)
		close(prune->records_fd);
	if (prune->caches_fd >= 0)
		close(prune->caches_fd);
}

/* ---- what goes ---- */

static uint64_t limit(struct prune *prune)
{
	struct statvfs fs;
	uint64_t tenth;

	if (prune->options->flags & STEPS_PRUNE_ALL)
		return 0;
	if (prune->options->max_bytes)
		return prune->options->max_bytes;
	if (fstatvfs(prune->store->root_fd, &fs) < 0)
		return DEFAULT_BYTES;
	tenth = (uint64_t)fs.f_blocks * fs.f_frsize / 100 * DEFAULT_PERCENT;
	return tenth < DEFAULT_BYTES ? tenth : DEFAULT_BYTES;
}

/* From the most recent on: what fits stays. A layer of several records is counted once. */
static void choose(struct prune *prune)
{
	uint64_t max = limit(prune), bytes = 0;
	bool all = prune->options->flags & STEPS_PRUNE_ALL;

	for (size_t i = 0; i < prune->count; i++) {
		struct item *item = &prune->items[i];
		bool counted = *item->diff_id && digest_set_has(&prune->kept, item->diff_id);
		bool is_old = !prune->options->until_unix_ns ||
			      item->used_unix_ns < prune->options->until_unix_ns;
		uint64_t more = counted ? 0 : item->bytes;

		item->goes = is_old && (all || bytes + more > max);
		if (item->goes)
			continue;
		bytes += more;
		if (*item->diff_id)
			digest_set_add(&prune->kept, item->diff_id);
	}
}

/* A folder that a step uses now stays. */
static bool is_busy(struct prune *prune, const char *name)
{
	AUTO(free) char *path = xformat("%s/.lock", name);
	AUTO(fd) int fd = openat(prune->caches_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static int remove_item(struct prune *prune, struct item *item, struct err *err)
{
	if (item->kind == ITEM_RECORD)
		return unlinkat(prune->records_fd, item->name, 0) < 0 && errno != ENOENT
			       ? err_sys(err, errno, "remove step record")
			       : 0;
	return store_trash_move(prune->store, prune->caches_fd, item->name, err);
}

static int remove_all(struct prune *prune, struct steps_use *out, struct err *err)
{
	bool dry_run = prune->options->flags & STEPS_PRUNE_DRY_RUN;
	AUTO(free) const char **counted = xcalloc(prune->count + 1, sizeof(*counted));

	for (size_t i = 0; i < prune->count; i++) {
		struct item *item = &prune->items[i];

		if (!item->goes || (item->kind == ITEM_FOLDER && is_busy(prune, item->name)))
			continue;
		if (!dry_run && remove_item(prune, item, err) < 0)
			return -1;
		if (item->kind == ITEM_RECORD)
			out->step_count++;
		else
			out->folder_count++;
		if (*item->diff_id && digest_set_has(&prune->kept, item->diff_id))
			continue; /* another record keeps the layer, or it is counted */
		if (*item->diff_id)
			digest_set_add(&prune->kept, item->diff_id);
		out->bytes += item->bytes;
	}
	return 0;
}

struct old {
	int dir_fd;
	uint64_t before_s;
};

/* Notes and digests of files that nobody asked for in a month; all of them with ALL. */
static int drop_note(void *ctx, const char *name, struct err *err)
{
	const struct old *old = ctx;
	struct stat st;

	(void)err;
	if (fstatat(old->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_mtim.tv_sec < old->before_s)
		unlinkat(old->dir_fd, name, 0);
	return 0;
}

static void drop_notes(struct prune *prune)
{
	static const char *const folders[] = { STEPS_NOTES, HASHES_FOLDER };
	bool all = prune->options->flags & STEPS_PRUNE_ALL && !prune->options->until_unix_ns;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct err ignored = ERR_NONE;
		AUTO(fd) int dir = steps_open(prune->store, folders[i], &ignored);

		if (dir >= 0)
			store_each(dir, drop_note,
				   &(struct old){ dir, all ? UINT64_MAX
							   : prune->now / NS_PER_S - NOTE_AGE_S },
				   &ignored);
	}
}

int steps_prune(struct store *store, const struct steps_prune *options, struct steps_use *out,
		struct err *err)
{
	struct prune prune = {
		.store = store, .options = options, .records_fd = -1, .caches_fd = -1
	};
	AUTO(fd) int lock = store_lock(store, true, true, err);
	struct digest_set live = { 0 };
	uint64_t freed = 0;
	int rc = lock < 0 ? -1 : 0;

	*out = (struct steps_use){ 0 };
	if (rc == 0)
		rc = open_all(&prune, err);
	if (rc == 0) {
		choose(&prune);
		rc = remove_all(&prune, out, err);
	}
	if (rc == 0 && !(options->flags & STEPS_PRUNE_DRY_RUN)) {
		drop_notes(&prune);
		rc = gc_mark_all(store, &live, err);
		if (rc == 0)
			rc = gc_sweep(store, &live, &freed, err);
		digest_set_clear(&live);
	}
	close_all(&prune);
	if (lock >= 0)
		close(TAKE_FD(lock));
	store_empty_trash(store);
	return rc;
}

int steps_df(struct store *store, struct steps_use *out, struct err *err)
{
	static const struct steps_prune everything = { .flags = STEPS_PRUNE_ALL |
								STEPS_PRUNE_DRY_RUN };

	return steps_prune(store, &everything, out, err);
}

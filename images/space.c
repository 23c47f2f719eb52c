/* images/space - room on the store's file system: before a pull, and while it writes.
 *
 * Owns: what is kept free, the texts that say what is needed and what is there. Declared in
 * images/store.h and images/store_internal.h. May not touch: what is written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "images/store_internal.h"

#define MIN_FREE_PERCENT 2
#define LEFTOVER_FREE    (64ull << 20)
#define MIN_FREE_BYTES   (1ull << 30)

struct room {
	uint64_t free_bytes, keep_bytes; /* keep: of the free ones, not for us */
	bool has_inodes;
};

static int look(struct store *store, struct room *out, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(store->root_fd, &fs) < 0)
		return err_sys(err, errno, "ask for free space");
	out->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	out->keep_bytes = store->min_free_bytes;
	if (!out->keep_bytes) {
		out->keep_bytes = (uint64_t)fs.f_blocks * fs.f_frsize / 100 * MIN_FREE_PERCENT;
		if (out->keep_bytes > MIN_FREE_BYTES)
			out->keep_bytes = MIN_FREE_BYTES;
	}
	out->has_inodes = fs.f_favail > 0 || fs.f_files == 0; /* 0: it does not count them */
	return 0;
}

/* "712.0 MiB": people compare it with what `df` says. */
static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

int store_check_space(struct store *store, struct err *err)
{
	struct room room;

	if (look(store, &room, err) < 0)
		return -1;
	if (room.free_bytes >= room.keep_bytes)
		return 0;
	return err_set(err, ERR_NO_SPACE,
		       "no space: %.1f MiB are left on the file system of %s, %.1f MiB of them are "
		       "kept free",
		       mib(room.free_bytes), store->path, mib(room.keep_bytes));
}

int store_no_space(struct store *store, struct err *err)
{
	struct room room;
	struct err ignored = ERR_NONE;

	if (look(store, &room, &ignored) < 0)
		return err_set(err, ERR_NO_SPACE, "no space is left on the file system of %s",
			       store->path);
	if (!room.has_inodes)
		return err_set(err, ERR_NO_SPACE,
			       "no space: the file system of %s has no inode left", store->path);
	return err_set(err, ERR_NO_SPACE, "no space: %.1f MiB are left on the file system of %s",
		       mib(room.free_bytes), store->path);
}

bool store_may_keep_leftovers(struct store *store)
{
	struct room room;
	struct err ignored = ERR_NONE;

	return look(store, &room, &ignored) == 0 && room.free_bytes >= LEFTOVER_FREE;
}

/* ---- before it begins ---- */

/* Of an earlier try: it is counted as needed and goes when its layer is whole. */
static uint64_t part_bytes(struct store *store, const char *digest)
{
	char key[STORE_KEY_MAX], name[STORE_KEY_MAX + 8];
	struct stat st;

	snprintf(name, sizeof(name), "%s.part", store_key(digest, key));
	return fstatat(store->partial_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? (uint64_t)st.st_blocks * 512
		       : 0;
}

/* An uncompressed tar may be mostly zeros, which become holes: nothing is known of it. */
static bool is_packed(const struct image_layer *layer)
{
	const char *type = layer->media_type ? layer->media_type : "";
	size_t len = strlen(type);

	return len > 4 &&
	       (strcmp(type + len - 4, "gzip") == 0 || strcmp(type + len - 4, "zstd") == 0);
}

static bool is_wanted(struct store *store, const struct image_layer *layers, size_t number)
{
	for (size_t i = 0; i < number; i++)
		if (strcmp(layers[i].diff_id, layers[number].diff_id) == 0)
			return false;
	return !store_has_layer(store, layers[number].diff_id);
}

int store_check_fit(struct store *store, const struct image_layer *layers, size_t count,
		    uint64_t *out_bytes, struct err *err)
{
	/* The bytes as they came stay beside what was made of them. */
	unsigned times = store->backend == STORE_DIR || store->flags & STORE_KEEP_BLOBS ? 2 : 1;
	uint64_t travel = 0, packed = 0, parts = 0;
	struct room room;

	for (size_t i = 0; i < count; i++) {
		if (!is_wanted(store, layers, i))
			continue;
		travel += layers[i].size_bytes;
		packed += is_packed(&layers[i]) ? layers[i].size_bytes : 0;
		parts +=
			digest_is_valid(layers[i].digest) ? part_bytes(store, layers[i].digest) : 0;
	}
	if (out_bytes)
		*out_bytes = travel;
	if (look(store, &room, err) < 0)
		return -1;
	if (packed == 0 || packed * times + room.keep_bytes <= room.free_bytes + parts)
		return 0;
	return err_set(
		err, ERR_NO_SPACE,
		"no space: its layers need more than %.1f MiB, %.1f MiB are left on the file "
		"system of %s (%.1f MiB are kept free)",
		mib(packed * times), mib(room.free_bytes), store->path, mib(room.keep_bytes));
}

/* images/maintain_df - who takes how much of the disk.
 *
 * Owns: the sums. Declared in images/maintain.h. May not touch: anything, it only looks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/gc.h"
#include "images/layer_dir.h"
#include "images/maintain.h"

/* A folder or blob of the store and how many images hold it. */
struct piece {
	int dir_fd;
	char key[STORE_KEY_MAX];
	uint64_t bytes;
	size_t image_count;
	size_t last_image; /* number + 1 of the image that counted it last */
	bool is_active;
};

struct sums {
	struct store *store;
	struct piece *pieces;
	size_t count;
};

static struct piece *find(struct sums *sums, int dir_fd, const char *digest)
{
	char key[STORE_KEY_MAX];
	struct piece *piece;

	store_key(digest, key);
	for (size_t i = 0; i < sums->count; i++)
		if (sums->pieces[i].dir_fd == dir_fd && strcmp(sums->pieces[i].key, key) == 0)
			return &sums->pieces[i];
	piece = xgrow(&sums->pieces, &sums->count, sizeof(*piece));
	piece->dir_fd = dir_fd;
	memcpy(piece->key, key, sizeof(key));
	piece->bytes = store_disk_bytes(dir_fd, key);
	return piece;
}

static void count_piece(struct sums *sums, int dir_fd, const char *digest, size_t image,
			bool is_active)
{
	struct piece *piece = find(sums, dir_fd, digest);

	piece->is_active |= is_active;
	if (piece->last_image == image + 1)
		return;
	piece->last_image = image + 1;
	piece->image_count++;
}

static void add_piece(struct image_use *use, struct piece *piece, size_t image)
{
	if (piece->last_image == image + 1)
		return;
	piece->last_image = image + 1;
	use->size_bytes += piece->bytes;
	if (piece->image_count == 1)
		use->unique_bytes += piece->bytes;
	else
		use->shared_bytes += piece->bytes;
}

/* Calls once for each place where the image may have something. */
static void each_piece(struct sums *sums, const struct image_record *record, size_t image,
		       struct image_use *use, bool is_active)
{
	struct digest_set set = { 0 };
	const int dirs[] = { sums->store->layers_fd, sums->store->chains_fd,
			     sums->store->blobs_fd };

	gc_mark_image(&set, record);
	for (size_t i = 0; i < set.count; i++)
		for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
			if (!digest_is_valid(set.items[i]))
				continue;
			if (use)
				add_piece(use, find(sums, dirs[d], set.items[i]), image);
			else
				count_piece(sums, dirs[d], set.items[i], image, is_active);
		}
	digest_set_clear(&set);
}

struct users {
	const char *id;
	size_t count;
};

static int count_user(void *ctx, const char *owner, const char *id)
{
	struct users *users = ctx;

	(void)owner;
	users->count += strcmp(users->id, id) == 0;
	return 0;
}

int maintain_df(struct store *store, struct store_use *out, struct err *err)
{
	struct sums sums = { .store = store };
	struct image_record **records;
	size_t count;

	*out = (struct store_use){ 0 };
	if (store_list(store, &records, &count, err) < 0)
		return -1;
	out->images = xcalloc(count + 1, sizeof(*out->images));
	out->image_count = count;
	for (size_t i = 0; i < count; i++) {
		struct users users = { records[i]->id, 0 };
		struct err ignored = ERR_NONE;

		store_root_each(store, count_user, &users, &ignored);
		out->images[i].user_count = users.count;
		out->active_count += users.count > 0;
		snprintf(out->images[i].id, DIGEST_TEXT_MAX, "%s", records[i]->id);
		each_piece(&sums, records[i], i, NULL, users.count > 0);
	}
	for (size_t i = 0; i < sums.count; i++)
		sums.pieces[i].last_image = 0;
	for (size_t i = 0; i < count; i++)
		each_piece(&sums, records[i], i, &out->images[i], false);
	for (size_t i = 0; i < sums.count; i++) {
		out->total_bytes += sums.pieces[i].bytes;
		out->reclaimable_bytes += sums.pieces[i].is_active ? 0 : sums.pieces[i].bytes;
	}
	free(sums.pieces);
	image_records_free(records, count);
	return 0;
}

void store_use_free(struct store_use *use)
{
	free(use->images);
	*use = (struct store_use){ 0 };
}

/* images/check - is the store whole, and what to do where it is not.
 *
 * Owns: the list of questions, the repair: what is torn goes, so that the next pull brings it anew.
 * Declared in images/maintain.h. May not touch: images that containers use while they are whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/check_layer.h"
#include "images/gc.h"
#include "images/maintain.h"

#define CONFIG_MAX (8u << 20)

struct job {
	struct store *store;
	const char *image_id;
	unsigned flags;
	void (*found)(void *ctx, const char *line, bool fixed);
	void *ctx;
	int left;
	struct digest_set seen;   /* layers and chains that were looked at */
	struct digest_set broken; /* of those */
	struct digest_set images; /* ids of whole images */
};

static void tell(struct job *job, bool fixed, char *line)
{
	if (job->found)
		job->found(job->ctx, line, fixed);
	job->left += !fixed;
	free(line);
}

/* Out of the way; its bytes are of no use to anybody. */
static bool drop(struct job *job, int dir_fd, const char *key)
{
	struct err ignored = ERR_NONE;

	return job->flags & CHECK_FIX && store_trash_move(job->store, dir_fd, key, &ignored) == 0;
}

static bool is_place_whole(struct job *job, int dir_fd, const char *digest, bool is_chain)
{
	struct layer_place place = { .is_chain = is_chain };
	AUTO(free) char *id = xformat("%s %s", is_chain ? "chain" : "layer", digest);
	struct err err = ERR_NONE;

	if (digest_set_has(&job->seen, id))
		return !digest_set_has(&job->broken, id);
	digest_set_add(&job->seen, id);
	store_key(digest, place.key);
	if (layer_meta_read(job->store, dir_fd, place.key, &place.meta, &err) == 0 &&
	    check_layer(job->store, &place, job->flags & CHECK_FAST, &err) == 0)
		return true;
	digest_set_add(&job->broken, id);
	tell(job, drop(job, dir_fd, place.key), xformat("%.25s: %s", id, err.msg));
	return false;
}

static bool is_blob_whole(struct job *job, const char *what, const char *digest, const char *id)
{
	AUTO(free) char *text = NULL;
	struct err err = ERR_NONE;
	char key[STORE_KEY_MAX];
	size_t len;

	if (store_read_blob(job->store, digest, CONFIG_MAX, &text, &len, &err) == 0)
		return true;
	tell(job, drop(job, job->store->blobs_fd, store_key(digest, key)),
	     xformat("image %.19s: %s: %s", id, what, err.msg));
	return false;
}

static bool are_layers_whole(struct job *job, const struct image_record *record)
{
	char chain[DIGEST_TEXT_MAX] = "", below[DIGEST_TEXT_MAX], key[STORE_KEY_MAX];
	bool whole = true;

	for (size_t i = 0; i < record->layer_count; i++) {
		const char *diff_id = record->layers[i].diff_id;
		struct layer_meta meta;
		struct err ignored = ERR_NONE;

		memcpy(below, chain, sizeof(below));
		layer_chain_id(i ? below : NULL, diff_id, chain);
		whole &= is_place_whole(job, job->store->layers_fd, diff_id, false);
		if (i > 0 &&
		    layer_meta_read(job->store, job->store->layers_fd, store_key(diff_id, key),
				    &meta, &ignored) == 0 &&
		    meta.needs_lower)
			whole &= is_place_whole(job, job->store->chains_fd, chain, true);
	}
	return whole;
}

static void check_image(struct job *job, const struct image_record *record)
{
	struct err ignored = ERR_NONE;
	bool whole = is_blob_whole(job, "config", record->id, record->id);

	whole &= is_blob_whole(job, "manifest", record->manifest_digest, record->id);
	whole &= are_layers_whole(job, record);
	if (whole) {
		digest_set_add(&job->images, record->id);
		return;
	}
	if (!(job->flags & CHECK_FIX))
		return;
	for (size_t i = 0; i < record->name_count; i++)
		store_untag(job->store, record->names[i], &ignored);
	image_record_remove(job->store, record->id, &ignored);
	tell(job, true,
	     xformat("image %.19s (%s) is not whole; pull it again", record->id,
		     record->name_count ? record->names[0] : "<none>"));
}

/* ---- files that say nothing any more ---- */

static int check_record_file(void *ctx, const char *file, struct err *err)
{
	struct job *job = ctx;
	struct err why = ERR_NONE;
	AUTO(json)
	struct json_object *json =
		json_read_file(job->store->records_fd, file, STORE_META_MAX, &why);

	(void)err;
	if (json && digest_is_valid(json_text_or(json, "id", "")) &&
	    digest_is_valid(json_text_or(json, "manifest_digest", "")))
		return 0;
	tell(job, drop(job, job->store->records_fd, file),
	     xformat("record %.12s is unreadable: %s", file, why.msg));
	return 0;
}

static int check_name_file(void *ctx, const char *file, struct err *err)
{
	struct job *job = ctx;
	struct err why = ERR_NONE;
	AUTO(json)
	struct json_object *json = json_read_file(job->store->names_fd, file, STORE_META_MAX, &why);
	const char *id = json ? json_text_or(json, "id", "") : "";
	const char *name = json ? json_text_or(json, "name", "?") : "?";

	(void)err;
	if (digest_set_has(&job->images, id))
		return 0;
	if (digest_is_valid(id)) {
		AUTO(image_record) struct image_record *record = store_image(job->store, id, &why);

		if (record)
			return 0; /* its own finding was told already */
	}
	tell(job, drop(job, job->store->names_fd, file),
	     xformat("name %.150s points to no image", name));
	return 0;
}

static int check_root(void *ctx, const char *owner, const char *id)
{
	struct job *job = ctx;

	if (!digest_set_has(&job->images, id))
		tell(job, false, xformat("%.64s uses image %.19s, which is not there", owner, id));
	return 0;
}

static int run(struct job *job, struct err *err)
{
	struct image_record **records = NULL;
	size_t count = 0;
	bool all = !job->image_id, known = all;
	int rc = 0;

	if (all)
		rc = store_each(job->store->records_fd, check_record_file, job, err);
	if (rc == 0)
		rc = store_list(job->store, &records, &count, err);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (all || strcmp(records[i]->id, job->image_id) == 0) {
			known = true;
			check_image(job, records[i]);
		}
	image_records_free(records, count);
	if (rc == 0 && !known)
		rc = err_set(err, ERR_NOT_FOUND, "no image %.19s", job->image_id);
	if (rc == 0 && all)
		rc = store_each(job->store->names_fd, check_name_file, job, err);
	if (rc == 0 && all)
		rc = store_root_each(job->store, check_root, job, err);
	return rc;
}

int maintain_check(struct store *store, const char *image_id, unsigned flags,
		   void (*found)(void *ctx, const char *line, bool fixed), void *ctx,
		   struct err *err)
{
	struct job job = {
		.store = store, .image_id = image_id, .flags = flags, .found = found, .ctx = ctx
	};
	AUTO(fd) int lock = store_lock(store, flags & CHECK_FIX, true, err);
	int rc = lock < 0 ? -1 : run(&job, err);

	digest_set_clear(&job.seen);
	digest_set_clear(&job.broken);
	digest_set_clear(&job.images);
	if (lock >= 0)
		close(TAKE_FD(lock));
	if (rc == 0 && flags & CHECK_FIX)
		rc = maintain_gc(store, NULL, err);
	return rc < 0 ? -1 : job.left;
}

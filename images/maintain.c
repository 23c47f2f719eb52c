/* images/maintain - the store looked after: remove, prune, df.
 *
 * Owns: which images go. May not touch: how (images/gc), what is torn (images/check).
 */
#include "images/maintain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/gc.h"
#include "images/layer_dir.h"
#include "images/ref.h"
#include "images/snapshot.h"

#define CONFIG_MAX (8u << 20)

void removal_free(struct removal *removal)
{
	for (size_t i = 0; i < removal->count; i++)
		free(removal->items[i].text);
	free(removal->items);
	*removal = (struct removal){ 0 };
}

static void note(struct removal *out, bool untagged, const char *text)
{
	struct removed *item = xgrow(&out->items, &out->count, sizeof(*item));

	item->untagged = untagged;
	item->text = xstrdup(text);
}

/* ---- gc ---- */

/* Under the exclusive lock. */
static int collect(struct store *store, uint64_t *freed, struct err *err)
{
	struct digest_set live = { 0 };
	int rc = gc_mark_all(store, &live, err);

	if (rc == 0)
		rc = gc_sweep(store, &live, freed, err);
	digest_set_clear(&live);
	return rc;
}

int maintain_gc(struct store *store, uint64_t *out_freed_bytes, struct err *err)
{
	struct err ignored = ERR_NONE;
	uint64_t freed = 0;
	AUTO(fd) int lock = -1;
	int rc;

	snapshot_sweep(store, NULL,
		       &ignored); /* without rights to unmount: nothing was mounted by us */
	lock = store_lock(store, true, true, err);
	if (lock < 0)
		return -1;
	rc = collect(store, &freed, err);
	close(TAKE_FD(lock));
	store_empty_trash(store);
	if (out_freed_bytes)
		*out_freed_bytes = freed;
	return rc;
}

/* ---- remove ---- */

static int drop_names(struct store *store, const struct image_record *record, struct removal *out,
		      struct err *err)
{
	for (size_t i = 0; i < record->name_count; i++) {
		if (store_untag(store, record->names[i], err) < 0)
			return -1;
		note(out, true, record->names[i]);
	}
	return 0;
}

static int drop_record(struct store *store, const char *id, struct removal *out, struct err *err)
{
	if (image_record_remove(store, id, err) < 0)
		return -1;
	note(out, false, id);
	return 0;
}

static int remove_by_name(struct store *store, const struct image_record *record,
			  const char *canonical, unsigned flags, struct removal *out,
			  struct err *err)
{
	bool is_last = record->name_count <= 1, used = store_is_used(store, record->id);

	if (is_last && used && !(flags & REMOVE_FORCE))
		return err_set(err, ERR_BUSY, "image %.200s is used by a container", canonical);
	if (store_untag(store, canonical, err) < 0)
		return -1;
	note(out, true, canonical);
	return is_last && !used ? drop_record(store, record->id, out, err) : 0;
}

static int remove_by_id(struct store *store, const struct image_record *record, unsigned flags,
			struct removal *out, struct err *err)
{
	bool used = store_is_used(store, record->id);

	if (record->name_count > 1 && !(flags & REMOVE_FORCE))
		return err_set(err, ERR_BUSY,
			       "image %.19s has %zu names; remove them, or all with --force",
			       record->id, record->name_count);
	if (used && !(flags & REMOVE_FORCE))
		return err_set(err, ERR_BUSY, "image %.19s is used by a container", record->id);
	if (drop_names(store, record, out, err) < 0)
		return -1;
	return used ? 0 : drop_record(store, record->id, out, err);
}

static int remove_locked(struct store *store, const char *text, unsigned flags, struct removal *out,
			 struct err *err)
{
	AUTO(image_record) struct image_record *record = NULL;
	char id[DIGEST_TEXT_MAX], canonical[REF_TEXT_MAX + 1] = "";
	struct err ignored = ERR_NONE;
	struct ref ref;

	if (store_resolve(store, text, id, err) < 0)
		return -1;
	record = store_image(store, id, err);
	if (!record)
		return -1;
	if (ref_parse(text, &ref, &ignored) == 0)
		ref_canonical(&ref, canonical, sizeof(canonical));
	for (size_t i = 0; i < record->name_count; i++)
		if (strcmp(record->names[i], canonical) == 0)
			return remove_by_name(store, record, canonical, flags, out, err);
	return remove_by_id(store, record, flags, out, err);
}

int maintain_remove(struct store *store, const char *text, unsigned flags, struct removal *out,
		    struct err *err)
{
	AUTO(fd) int lock = store_lock(store, true, true, err);
	int rc;

	*out = (struct removal){ 0 };
	if (lock < 0)
		return -1;
	rc = remove_locked(store, text, flags, out, err);
	close(TAKE_FD(lock));
	if (rc < 0)
		return -1;
	return maintain_gc(store, &out->freed_bytes, err);
}

/* ---- prune ---- */

static bool has_label(struct store *store, const char *id, const char *label, const char *value)
{
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	struct err ignored = ERR_NONE;
	const char *found;
	size_t len;

	if (store_image_config(store, id, &text, &len, &ignored) < 0)
		return false;
	json = json_parse("config", text, len, &ignored);
	if (!json || !json_object_at(json, "config"))
		return false;
	found = json_text_or(json_object_at(json_object_at(json, "config"), "Labels"), label, NULL);
	return found && (!value || strcmp(found, value) == 0);
}

static bool is_wanted(struct store *store, const struct image_record *record,
		      const struct prune_options *options, struct digest_set *leased)
{
	if (record->name_count > 0 && !(options->flags & PRUNE_ALL))
		return false;
	if (options->until_unix_ns && record->added_unix_ns >= options->until_unix_ns)
		return false;
	if (digest_set_has(leased, record->id) || store_is_used(store, record->id))
		return false;
	return !options->label || has_label(store, record->id, options->label, options->value);
}

static int mark_lease(void *ctx, const char *digest, struct err *err)
{
	(void)err;
	digest_set_add(ctx, digest);
	return 0;
}

/* What would go if these records went. */
static int count_dry(struct store *store, struct digest_set *gone, uint64_t *bytes, struct err *err)
{
	struct store_use use;

	if (maintain_df(store, &use, err) < 0)
		return -1;
	for (size_t i = 0; i < use.image_count; i++)
		if (digest_set_has(gone, use.images[i].id))
			*bytes += use.images[i].unique_bytes;
	store_use_free(&use);
	return 0;
}

static int prune_locked(struct store *store, const struct prune_options *options,
			struct removal *out, struct digest_set *gone, struct err *err)
{
	struct digest_set leased = { 0 };
	struct image_record **records = NULL;
	size_t count = 0;
	int rc = lease_each(store, mark_lease, &leased, err);

	if (rc == 0)
		rc = store_list(store, &records, &count, err);
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!is_wanted(store, records[i], options, &leased))
			continue;
		if (options->dry_run) {
			digest_set_add(gone, records[i]->id);
			note(out, false, records[i]->id);
			continue;
		}
		rc = drop_names(store, records[i], out, err);
		if (rc == 0)
			rc = drop_record(store, records[i]->id, out, err);
	}
	image_records_free(records, count);
	digest_set_clear(&leased);
	return rc;
}

int maintain_prune(struct store *store, const struct prune_options *options, struct removal *out,
		   struct err *err)
{
	struct digest_set gone = { 0 };
	AUTO(fd) int lock = store_lock(store, true, true, err);
	int rc;

	*out = (struct removal){ 0 };
	if (lock < 0)
		return -1;
	rc = prune_locked(store, options, out, &gone, err);
	close(TAKE_FD(lock));
	if (rc == 0)
		rc = options->dry_run ? count_dry(store, &gone, &out->freed_bytes, err)
				      : maintain_gc(store, &out->freed_bytes, err);
	digest_set_clear(&gone);
	return rc;
}

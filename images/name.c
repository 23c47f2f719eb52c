/* images/name - what images are called: one file per name.
 *
 * Owns: names/HASH.json (canonical name -> id, when it was asked for last). Declared in
 * images/store.h. May not touch: records (images/record), blobs, layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/staged.h"

static void name_file(const char *canonical, char out[80])
{
	char digest[DIGEST_TEXT_MAX];

	digest_of(canonical, strlen(canonical), digest);
	snprintf(out, 80, "%.64s.json", digest_hex(digest));
}

static int read_name(struct store *store, const char *file, char **out_name, struct image_name *out,
		     struct err *err)
{
	AUTO(json)
	struct json_object *json = json_read_file(store->names_fd, file, STORE_META_MAX, err);
	const char *id, *name;

	if (!json || json_need_text(json, "image name", "id", &id, err) < 0 ||
	    json_need_text(json, "image name", "name", &name, err) < 0)
		return -1;
	if (!digest_is_valid(id))
		return err_set(err, ERR_INVALID, "image name %.100s points nowhere", name);
	snprintf(out->id, sizeof(out->id), "%s", id);
	snprintf(out->digest, sizeof(out->digest), "%s", json_text_or(json, "digest", ""));
	out->pulled_unix_ns = (uint64_t)json_int_or(json, "pulled_at", 0);
	if (out_name)
		*out_name = xstrdup(name);
	return 0;
}

int store_name(struct store *store, const char *canonical, struct image_name *out, struct err *err)
{
	char file[80];

	name_file(canonical, file);
	if (faccessat(store->names_fd, file, F_OK, 0) < 0)
		return err_set(err, ERR_NOT_FOUND, "no image is called %.200s", canonical);
	return read_name(store, file, NULL, out, err);
}

static struct json_object *name_json(const char *canonical, const char *id, const char *digest)
{
	struct json_object *json = json_object_new_object();

	json_add_int(json, "version", 1);
	json_add_text(json, "name", canonical);
	json_add_text(json, "id", id);
	json_add_text(json, "digest", digest);
	json_add_int(json, "pulled_at", (int64_t)stamp_now_ns());
	return json;
}

int image_name_stage(struct store *store, const char *canonical, const char *id, const char *digest,
		     struct staged *out, struct err *err)
{
	AUTO(json) struct json_object *json = name_json(canonical, id, digest);
	char file[80];

	name_file(canonical, file);
	return staged_write_json(store, store->names_fd, file, json, out, err);
}

/* The time alone may be lost in a power cut: an image that did not change costs no sync. */
static unsigned tag_flags(struct store *store, const char *canonical, const char *id,
			  const char *digest)
{
	struct err ignored = ERR_NONE;
	struct image_name old;
	bool same = store_name(store, canonical, &old, &ignored) == 0 && strcmp(old.id, id) == 0 &&
		    strcmp(old.digest, digest ? digest : "") == 0;

	return same ? 0 : STAGED_SYNC;
}

int store_tag(struct store *store, const char *canonical, const char *id, const char *digest,
	      struct err *err)
{
	AUTO(json) struct json_object *json = NULL;
	AUTO(fd) int lock = store_lock(store, false, true, err);
	char file[80];

	if (lock < 0)
		return -1;
	if (!digest_is_valid(id))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no image id", id);
	if (!image_record_exists(store, id))
		return err_set(err, ERR_NOT_FOUND, "no image %.19s", id);
	name_file(canonical, file);
	json = name_json(canonical, id, digest);
	return staged_put_json(store, store->names_fd, file, json,
			       tag_flags(store, canonical, id, digest), err);
}

int store_untag(struct store *store, const char *canonical, struct err *err)
{
	char file[80];

	name_file(canonical, file);
	if (unlinkat(store->names_fd, file, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "no image is called %.200s", canonical);
	return err_sys(err, errno, "remove name %.200s", canonical);
}

static int add_name(void *ctx, const char *file, struct err *err)
{
	struct image_names *list = ctx;
	struct err ignored = ERR_NONE;
	struct image_names_row row = { 0 }, *slot;

	(void)err;
	if (read_name(list->store, file, &row.name, &row.target, &ignored) < 0)
		return 0; /* torn or taken away meanwhile; `check` tells of it */
	slot = xgrow(&list->rows, &list->count, sizeof(*list->rows));
	*slot = row;
	return 0;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct image_names_row *)left)->name,
		      ((const struct image_names_row *)right)->name);
}

int image_names_read(struct store *store, struct image_names *out, struct err *err)
{
	*out = (struct image_names){ .store = store };
	if (store_each(store->names_fd, add_name, out, err) < 0)
		return -1;
	if (out->count)
		qsort(out->rows, out->count, sizeof(*out->rows), by_name);
	return 0;
}

void image_names_clear(struct image_names *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->rows[i].name);
	free(list->rows);
}

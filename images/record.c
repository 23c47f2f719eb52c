/* images/record - one file per image, one per name.
 *
 * Owns: records/KEY.json (id, manifest, layers), names/HASH.json (canonical name -> id). A record
 * does not know its names: names/ alone says that. Declared in images/store.h. May not touch:
 * blobs, layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/ref.h"
#include "images/staged.h"

#define CONFIG_MAX (8u << 20)

static void record_file(const char *id, char out[STORE_KEY_MAX + 8])
{
	char key[STORE_KEY_MAX];

	snprintf(out, STORE_KEY_MAX + 8, "%s.json", store_key(id, key));
}

/* ---- names ---- */

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
	char file[80], record[STORE_KEY_MAX + 8];

	if (lock < 0)
		return -1;
	if (!digest_is_valid(id))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no image id", id);
	record_file(id, record);
	if (faccessat(store->records_fd, record, F_OK, 0) < 0)
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

struct name_row {
	char *name;
	struct image_name target;
};

struct name_list {
	struct store *store;
	struct name_row *rows;
	size_t count;
};

static int add_name(void *ctx, const char *file, struct err *err)
{
	struct name_list *list = ctx;
	struct err ignored = ERR_NONE;
	struct name_row row = { 0 }, *slot;

	(void)err;
	if (read_name(list->store, file, &row.name, &row.target, &ignored) < 0)
		return 0; /* torn or taken away meanwhile; `check` tells of it */
	slot = xgrow(&list->rows, &list->count, sizeof(*list->rows));
	*slot = row;
	return 0;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct name_row *)left)->name,
		      ((const struct name_row *)right)->name);
}

static int all_names(struct store *store, struct name_list *out, struct err *err)
{
	*out = (struct name_list){ .store = store };
	if (store_each(store->names_fd, add_name, out, err) < 0)
		return -1;
	if (out->count)
		qsort(out->rows, out->count, sizeof(*out->rows), by_name);
	return 0;
}

static void names_clear(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->rows[i].name);
	free(list->rows);
}

/* ---- records ---- */

static struct json_object *record_json(const struct image_record *record)
{
	struct json_object *json = json_object_new_object(), *list;

	json_add_int(json, "version", 1);
	json_add_text(json, "id", record->id);
	json_add_text(json, "manifest_digest", record->manifest_digest);
	json_add_text(json, "manifest_type", record->manifest_type);
	json_add_text(json, "os", record->os);
	json_add_text(json, "architecture", record->architecture);
	json_add_text(json, "variant", record->variant);
	json_add_int(json, "created", (int64_t)record->created_unix_ns);
	json_add_int(json, "added", (int64_t)record->added_unix_ns);
	json_add_int(json, "size", (int64_t)record->size_bytes);
	list = json_add_array(json, "repo_digests");
	for (size_t i = 0; i < record->repo_digest_count; i++)
		json_push_text(list, record->repo_digests[i]);
	list = json_add_array(json, "layers");
	for (size_t i = 0; i < record->layer_count; i++) {
		struct json_object *layer = json_object_new_object();

		json_add_text(layer, "diff_id", record->layers[i].diff_id);
		json_add_text(layer, "digest", record->layers[i].digest);
		json_add_int(layer, "size", (int64_t)record->layers[i].size_bytes);
		json_add_text(layer, "media_type", record->layers[i].media_type);
		json_object_array_add(list, layer);
	}
	return json;
}

int image_record_stage(struct store *store, const struct image_record *record, struct staged *out,
		       struct err *err)
{
	AUTO(json) struct json_object *json = record_json(record);
	char file[STORE_KEY_MAX + 8];

	record_file(record->id, file);
	return staged_write_json(store, store->records_fd, file, json, out, err);
}

static int parse_layers(struct image_record *record, const struct json_object *list,
			struct err *err)
{
	for (size_t i = 0; i < json_array_count(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct image_layer *layer =
			xgrow(&record->layers, &record->layer_count, sizeof(*layer));
		const char *diff_id = json_text_or(item, "diff_id", "");

		layer->diff_id = xstrdup(diff_id);
		layer->digest = xstrdup(json_text_or(item, "digest", ""));
		layer->size_bytes = (uint64_t)json_int_or(item, "size", 0);
		layer->media_type = xstrdup(json_text_or(item, "media_type", ""));
		if (!digest_is_valid(diff_id))
			return err_set(err, ERR_INVALID, "record of %.19s is broken", record->id);
	}
	return 0;
}

static struct image_record *parse(const struct json_object *json, struct err *err)
{
	AUTO(image_record) struct image_record *record = xcalloc(1, sizeof(*record));
	struct json_object *list = json_array_at(json, "repo_digests");

	record->id = xstrdup(json_text_or(json, "id", ""));
	record->manifest_digest = xstrdup(json_text_or(json, "manifest_digest", ""));
	record->manifest_type = xstrdup(json_text_or(json, "manifest_type", ""));
	record->os = xstrdup(json_text_or(json, "os", ""));
	record->architecture = xstrdup(json_text_or(json, "architecture", ""));
	record->variant = xstrdup(json_text_or(json, "variant", ""));
	record->created_unix_ns = (uint64_t)json_int_or(json, "created", 0);
	record->added_unix_ns = (uint64_t)json_int_or(json, "added", 0);
	record->size_bytes = (uint64_t)json_int_or(json, "size", 0);
	for (size_t i = 0; i < json_array_count(list); i++) {
		char **slot =
			xgrow(&record->repo_digests, &record->repo_digest_count, sizeof(*slot));

		*slot = xstrdup(json_object_get_string(json_object_array_get_idx(list, i)));
	}
	if (!digest_is_valid(record->id) || !digest_is_valid(record->manifest_digest)) {
		err_set(err, ERR_INVALID, "an image record is broken");
		return NULL;
	}
	return parse_layers(record, json_array_at(json, "layers"), err) < 0 ? NULL : TAKE(record);
}

static struct image_record *read_record(struct store *store, const char *file, struct err *err)
{
	AUTO(json)
	struct json_object *json = json_read_file(store->records_fd, file, STORE_META_MAX, err);

	return json ? parse(json, err) : NULL;
}

static void attach_names(struct image_record *record, const struct name_list *names)
{
	for (size_t i = 0; i < names->count; i++) {
		char **slot;

		if (strcmp(names->rows[i].target.id, record->id) != 0)
			continue;
		slot = xgrow(&record->names, &record->name_count, sizeof(*slot));
		*slot = xstrdup(names->rows[i].name);
	}
}

struct image_record *image_record_read(struct store *store, const char *id, struct err *err)
{
	char file[STORE_KEY_MAX + 8];

	if (!digest_is_valid(id)) {
		err_set(err, ERR_INVALID, "\"%.80s\" is no image id", id);
		return NULL;
	}
	record_file(id, file);
	if (faccessat(store->records_fd, file, F_OK, 0) < 0) {
		err_set(err, ERR_NOT_FOUND, "no image %.19s", id);
		return NULL;
	}
	return read_record(store, file, err);
}

struct image_record *store_image(struct store *store, const char *id, struct err *err)
{
	AUTO(image_record) struct image_record *record = image_record_read(store, id, err);
	struct name_list names;

	if (!record || all_names(store, &names, err) < 0)
		return NULL;
	attach_names(record, &names);
	names_clear(&names);
	return TAKE(record);
}

int image_record_remove(struct store *store, const char *id, struct err *err)
{
	char file[STORE_KEY_MAX + 8];

	record_file(id, file);
	if (unlinkat(store->records_fd, file, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove image %.19s", id);
	return 0;
}

void image_record_free(struct image_record *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < record->name_count; i++)
		free(record->names[i]);
	for (size_t i = 0; i < record->repo_digest_count; i++)
		free(record->repo_digests[i]);
	for (size_t i = 0; i < record->layer_count; i++) {
		free(record->layers[i].diff_id);
		free(record->layers[i].digest);
		free(record->layers[i].media_type);
	}
	free(record->names);
	free(record->repo_digests);
	free(record->layers);
	free(record->id);
	free(record->manifest_digest);
	free(record->manifest_type);
	free(record->os);
	free(record->architecture);
	free(record->variant);
	free(record);
}

void image_records_free(struct image_record **records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		image_record_free(records[i]);
	free(records);
}

struct record_list {
	struct store *store;
	struct image_record **records;
	size_t count;
};

static int add_record(void *ctx, const char *file, struct err *err)
{
	struct record_list *list = ctx;
	struct err ignored = ERR_NONE;
	struct image_record *record = read_record(list->store, file, &ignored), **slot;

	(void)err;
	if (!record)
		return 0;
	slot = xgrow(&list->records, &list->count, sizeof(struct image_record *));
	*slot = record;
	return 0;
}

static int newest_first(const void *left, const void *right)
{
	const struct image_record *a = *(struct image_record *const *)left;
	const struct image_record *b = *(struct image_record *const *)right;

	if (a->created_unix_ns != b->created_unix_ns)
		return a->created_unix_ns < b->created_unix_ns ? 1 : -1;
	return strcmp(a->id, b->id);
}

int store_list(struct store *store, struct image_record ***out, size_t *out_count, struct err *err)
{
	struct record_list list = { .store = store };
	struct name_list names;

	if (store_each(store->records_fd, add_record, &list, err) < 0 ||
	    all_names(store, &names, err) < 0) {
		image_records_free(list.records, list.count);
		return -1;
	}
	for (size_t i = 0; i < list.count; i++)
		attach_names(list.records[i], &names);
	names_clear(&names);
	if (list.count)
		qsort(list.records, list.count, sizeof(struct image_record *), newest_first);
	*out = list.records;
	*out_count = list.count;
	return 0;
}

int store_image_config(struct store *store, const char *id, char **out_text, size_t *out_len,
		       struct err *err)
{
	return store_read_blob(store, id, CONFIG_MAX, out_text, out_len, err);
}

int store_image_manifest(struct store *store, const char *id, char **out_text, size_t *out_len,
			 struct err *err)
{
	AUTO(image_record) struct image_record *record = store_image(store, id, err);

	if (!record)
		return -1;
	return store_read_blob(store, record->manifest_digest, CONFIG_MAX, out_text, out_len, err);
}

/* ---- from what people type to an id ---- */

struct prefix_search {
	const char *prefix;
	size_t matches;
	char id[DIGEST_TEXT_MAX];
	char candidates[160];
};

static int match_prefix(void *ctx, const char *file, struct err *err)
{
	struct prefix_search *search = ctx;
	char key[STORE_KEY_MAX];
	size_t len = strlen(file), used = strlen(search->candidates);

	(void)err;
	if (len <= 5 || len - 5 >= sizeof(key) ||
	    strncmp(file, search->prefix, strlen(search->prefix)) != 0)
		return 0;
	memcpy(key, file, len - 5);
	key[len - 5] = '\0';
	if (!store_key_digest(key, search->id))
		return 0;
	if (search->matches++ < 8)
		snprintf(search->candidates + used, sizeof(search->candidates) - used, " %.12s",
			 key);
	return 0;
}

static int resolve_prefix(struct store *store, const char *text, char out_id[DIGEST_TEXT_MAX],
			  struct err *err)
{
	struct prefix_search search = { .prefix = strncmp(text, "sha256:", 7) == 0 ? text + 7
										   : text };

	if (store_each(store->records_fd, match_prefix, &search, err) < 0)
		return -1;
	if (search.matches > 1)
		return err_set(err, ERR_INVALID, "image id %.64s is ambiguous:%s", text,
			       search.candidates);
	if (search.matches == 0)
		return err_set(err, ERR_NOT_FOUND, "no image %.100s", text);
	snprintf(out_id, DIGEST_TEXT_MAX, "%s", search.id);
	return 0;
}

/* "name@digest": by what a name's answer hashed to, or the manifest's or config's own digest. */
static int resolve_digest(struct store *store, const struct ref *ref, char out_id[DIGEST_TEXT_MAX],
			  struct err *err)
{
	struct image_record **records;
	char repository[REF_TEXT_MAX + 1], wanted[2 * REF_TEXT_MAX];
	size_t count;
	int rc = err_set(err, ERR_NOT_FOUND, "no image %.120s@%.19s", ref->path, ref->digest);

	if (store_list(store, &records, &count, err) < 0)
		return -1;
	snprintf(wanted, sizeof(wanted), "%s@%s",
		 ref_repository(ref, repository, sizeof(repository)), ref->digest);
	for (size_t i = 0; i < count && rc < 0; i++)
		for (size_t k = 0; k < records[i]->repo_digest_count && rc < 0; k++)
			if (strcmp(records[i]->repo_digests[k], wanted) == 0) {
				snprintf(out_id, DIGEST_TEXT_MAX, "%s", records[i]->id);
				*err = ERR_NONE;
				rc = 0;
			}
	image_records_free(records, count);
	return rc;
}

int store_resolve(struct store *store, const char *text, char out_id[DIGEST_TEXT_MAX],
		  struct err *err)
{
	struct image_name name;
	struct ref ref;
	struct err parse_err = ERR_NONE;
	char canonical[REF_TEXT_MAX + 1];
	bool is_ref = ref_parse(text, &ref, &parse_err) == 0;

	if (is_ref) {
		ref_canonical(&ref, canonical, sizeof(canonical));
		if (store_name(store, canonical, &name, err) == 0) {
			snprintf(out_id, DIGEST_TEXT_MAX, "%s", name.id);
			return 0;
		}
		if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	*err = ERR_NONE;
	if (ref_may_be_short_id(text) && (resolve_prefix(store, text, out_id, err) == 0 ||
					  err->code != ERR_NOT_FOUND || !is_ref))
		return err->code == ERR_OK ? 0 : -1;
	*err = ERR_NONE;
	if (!is_ref) {
		*err = parse_err;
		return -1;
	}
	if (*ref.digest)
		return resolve_digest(store, &ref, out_id, err);
	return err_set(err, ERR_NOT_FOUND, "no image %.200s", text);
}

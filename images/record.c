/* images/record - one file per image.
 *
 * Owns: records/KEY.json (id, manifest, layers). A record does not know its names: images/name
 * alone says that. Declared in images/store.h. May not touch: blobs, layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/staged.h"

#define CONFIG_MAX (8u << 20)

static void record_file(const char *id, char out[STORE_KEY_MAX + 8])
{
	char key[STORE_KEY_MAX];

	snprintf(out, STORE_KEY_MAX + 8, "%s.json", store_key(id, key));
}

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

		*slot = xstrdup(json_array_text(list, i));
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

static void attach_names(struct image_record *record, const struct image_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		char **slot;

		if (strcmp(names->rows[i].target.id, record->id) != 0)
			continue;
		slot = xgrow(&record->names, &record->name_count, sizeof(*slot));
		*slot = xstrdup(names->rows[i].name);
	}
}

bool image_record_exists(struct store *store, const char *id)
{
	char file[STORE_KEY_MAX + 8];

	record_file(id, file);
	return faccessat(store->records_fd, file, F_OK, 0) == 0;
}

struct image_record *image_record_read(struct store *store, const char *id, struct err *err)
{
	char file[STORE_KEY_MAX + 8];

	if (!digest_is_valid(id)) {
		err_set(err, ERR_INVALID, "\"%.80s\" is no image id", id);
		return NULL;
	}
	if (!image_record_exists(store, id)) {
		err_set(err, ERR_NOT_FOUND, "no image %.19s", id);
		return NULL;
	}
	record_file(id, file);
	return read_record(store, file, err);
}

struct image_record *store_image(struct store *store, const char *id, struct err *err)
{
	AUTO(image_record) struct image_record *record = image_record_read(store, id, err);
	struct image_names names;

	if (!record || image_names_read(store, &names, err) < 0)
		return NULL;
	attach_names(record, &names);
	image_names_clear(&names);
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
	struct image_names names;

	if (store_each(store->records_fd, add_record, &list, err) < 0 ||
	    image_names_read(store, &names, err) < 0) {
		image_records_free(list.records, list.count);
		return -1;
	}
	for (size_t i = 0; i < list.count; i++)
		attach_names(list.records[i], &names);
	image_names_clear(&names);
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

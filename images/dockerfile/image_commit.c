/* images/dockerfile/image_commit - the image of a stage goes into the store.
 *
 * Owns: the last form of the config, the manifest with annotations. Declared in image.h.
 * May not touch: layers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/dockerfile/image_inner.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define OCI_TAR      "application/vnd.oci.image.layer.v1.tar"

#define JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void set_history_times(struct json_object *history, const char *created)
{
	for (size_t i = 0; i < json_array_count(history); i++)
		json_add_text(json_object_array_get_idx(history, i), "created", created);
}

/* A member of the old document at the same place in the new one. */
static void move(struct json_object *from, struct json_object *to, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, key, &value) || !value)
		return;
	json_object_object_add(to, key, json_object_get(value));
	json_object_object_del(from, key);
}

/* Bytes of the UTF-8 character at text, by RFC 3629; 0: it is none. */
static size_t character(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, second_first, second_last;
		size_t len;
	} forms[] = {
		{0x01,  0x7f, 0,    0,    1},
                { 0xc2, 0xdf, 0x80, 0xbf, 2},
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3},
                { 0xe1, 0xec, 0x80, 0xbf, 3},
		{ 0xed, 0xed, 0x80, 0x9f, 3},
                { 0xee, 0xef, 0x80, 0xbf, 3},
		{ 0xf0, 0xf0, 0x90, 0xbf, 4},
                { 0xf1, 0xf3, 0x80, 0xbf, 4},
		{ 0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (*text < forms[i].first || *text > forms[i].last)
			continue;
		if (forms[i].len > 1 &&
		    (text[1] < forms[i].second_first || text[1] > forms[i].second_last))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if (text[k] < 0x80 || text[k] > 0xbf)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* JSON is UTF-8: bytes of a Dockerfile that are not become U+FFFD, as docker writes them. To be
 * freed. */
static char *as_utf8(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *out = xcalloc(strlen(text) * 3 + 1, 1), *at = out;

	while (*text) {
		size_t len = character((const unsigned char *)text);

		memcpy(at, len ? text : replacement, len ? len : 3);
		at += len ? len : 3;
		text += len ? len : 1;
	}
	return out;
}

char *df_image_json(const struct df_image *image, const struct df_image_commit *commit)
{
	static const char *const first[] = { "architecture", "variant", "os",     "os.version",
					     "os.features",  "config",  "rootfs", "history" };
	struct json_object *copy = NULL, *out = json_object_new_object();
	const char *author =
		commit->author ? commit->author : json_text_or(image->json, "author", NULL);
	char created[STAMP_TEXT_LEN], *text;

	json_object_deep_copy(image->json, &copy, NULL);
	df_image_time(commit->created_unix_ns ? commit->created_unix_ns : df_image_created(image),
		      created);
	json_add_text(out, "created", created);
	json_add_text(out, "author", author);
	json_object_object_del(copy, "created");
	json_object_object_del(copy, "author");
	if (commit->created_unix_ns)
		set_history_times(json_array_at(copy, "history"), created);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		move(copy, out, first[i]);
	json_each(copy, key, value)
		json_object_object_add(out, key, json_object_get(value));
	text = as_utf8(json_object_to_json_string_ext(out, JSON_FLAGS));
	json_object_put(copy);
	json_object_put(out);
	return text;
}

static void add_descriptor(struct json_object *to, const char *type, const char *digest,
			   uint64_t size)
{
	json_add_text(to, "mediaType", type);
	json_add_text(to, "digest", digest);
	json_add_int(to, "size", (int64_t)size);
}

/* A manifest over the plain tars, with annotations. */
static char *make_manifest(struct store *store, const char *config, const char *const *layers,
			   size_t count, const char *annotations, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *list, *notes;
	char digest[DIGEST_TEXT_MAX];

	json_add_int(json, "schemaVersion", 2);
	json_add_text(json, "mediaType", OCI_MANIFEST);
	digest_of(config, strlen(config), digest);
	add_descriptor(json_add_object(json, "config"), OCI_CONFIG, digest, strlen(config));
	list = json_add_array(json, "layers");
	for (size_t i = 0; i < count; i++) {
		struct json_object *layer = json_object_new_object();
		uint64_t bytes = 0;

		json_object_array_add(list, layer);
		if (store_layer_bytes(store, layers[i], &bytes, err) < 0)
			return NULL;
		add_descriptor(layer, OCI_TAR, layers[i], bytes);
	}
	notes = json_parse("annotations", annotations, strlen(annotations), err);
	if (!notes)
		return NULL;
	json_object_object_add(json, "annotations", notes);
	return xstrdup(json_object_to_json_string_ext(json, JSON_FLAGS));
}

static int tag_all(struct store *store, const struct df_image_commit *commit, const char *id,
		   struct err *err)
{
	for (size_t i = 0; i < commit->name_count; i++)
		if (store_tag(store, commit->names[i], id, NULL, err) < 0)
			return -1;
	return 0;
}

static bool is_there(struct store *store, const char *id, const char *const *layers, size_t count)
{
	struct err ignored = ERR_NONE;
	AUTO(image_record) struct image_record *record = store_image(store, id, &ignored);

	for (size_t i = 0; record && i < count; i++)
		if (!store_has_layer(store, layers[i]))
			return false;
	return record != NULL;
}

/* Names that point at it already, so that a cached build writes nothing. */
static bool has_names(struct store *store, const struct df_image_commit *commit, const char *id)
{
	for (size_t i = 0; i < commit->name_count; i++) {
		struct image_name name;
		struct err ignored = ERR_NONE;

		if (store_name(store, commit->names[i], &name, &ignored) < 0 ||
		    strcmp(name.id, id) != 0)
			return false;
	}
	return true;
}

int df_image_commit(struct df_image *image, struct lease *lease,
		    const struct df_image_commit *commit, char out_id[DIGEST_TEXT_MAX],
		    struct err *err)
{
	struct store *store = lease_store(lease);
	AUTO(free) char *config = df_image_json(image, commit);
	AUTO(free) char *manifest = NULL;
	AUTO(free) struct image_layer *rows = NULL;
	struct image_commit how = { .config = config, .config_len = strlen(config) };
	const char *const *layers;
	size_t count;

	layers = df_image_layers(image, &count);
	digest_of(config, strlen(config), out_id);
	if (lease_add(lease, out_id, err) < 0)
		return -1;
	if (!commit->annotations && is_there(store, out_id, layers, count))
		return has_names(store, commit, out_id) ? 0 : tag_all(store, commit, out_id, err);
	if (commit->annotations) {
		manifest = make_manifest(store, config, layers, count, commit->annotations, err);
		if (!manifest)
			return -1;
		how.manifest = manifest;
		how.manifest_len = strlen(manifest);
		how.manifest_type = OCI_MANIFEST;
	}
	rows = xcalloc(count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++) {
		rows[i].diff_id = (char *)(uintptr_t)layers[i];
		rows[i].digest = manifest ? rows[i].diff_id : NULL;
		rows[i].media_type = manifest ? (char *)(uintptr_t)OCI_TAR : NULL;
		if (store_layer_bytes(store, layers[i], &rows[i].size_bytes, err) < 0)
			return -1;
	}
	how.layers = rows;
	how.layer_count = count;
	if (store_commit_image(lease, &how, out_id, err) < 0)
		return -1;
	return tag_all(store, commit, out_id, err);
}

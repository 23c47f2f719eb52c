/* images/dockerfile/share - cache_to and cache_from: step records that travel with an image.
 *
 * Owns: the annotation "stack.build.keys" (a list of [key, layer, created, diff-id]).
 * May not touch: the network.
 */
#include "images/dockerfile/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "images/dockerfile/resolve.h"
#include "images/layer.h"
#include "images/media.h"

#define ANNOTATION "stack.build.keys"
#define CREATED_BY "stack build cache"
#define FEED_BYTES (256u << 10)
#define STEPS_MAX  65536u
#define INDEX_MAX  1000u
#define JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

enum row { ROW_KEY, ROW_LAYER, ROW_CREATED, ROW_DIFF_ID, ROW_COUNT };

/* ---- to ---- */

static int position_of(const char *const *layers, size_t count, const char *diff_id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(layers[i], diff_id) == 0)
			return (int)i;
	return -1;
}

static void add_row(struct json_object *list, const struct df_share_step *step, int position)
{
	struct json_object *row = json_object_new_array();

	json_push_text(row, step->key);
	json_object_array_add(row, json_object_new_int(position));
	json_object_array_add(row, json_object_new_int64((int64_t)step->step.created_unix_ns));
	json_push_text(row, step->step.diff_id);
	json_object_array_add(list, row);
}

char *df_share_annotations(const struct df_image *image, const struct df_share_step *steps,
			   size_t count)
{
	AUTO(json) struct json_object *annotations = json_object_new_object();
	AUTO(json) struct json_object *list = json_object_new_array();
	size_t layer_count;
	const char *const *layers = df_image_layers(image, &layer_count);

	for (size_t i = 0; i < count; i++) {
		int position = position_of(layers, layer_count, steps[i].step.diff_id);

		if (position >= 0 || !*steps[i].step.diff_id)
			add_row(list, &steps[i], position);
	}
	json_add_text(annotations, ANNOTATION, json_object_to_json_string_ext(list, JSON_FLAGS));
	return xstrdup(json_object_to_json_string_ext(annotations, JSON_FLAGS));
}

int df_share_export(struct lease *lease, const struct df_share_step *steps, size_t count,
		    char out_id[DIGEST_TEXT_MAX], struct err *err)
{
	struct platform platform;
	AUTO(df_image) struct df_image *image = NULL;
	AUTO(free) char *annotations = NULL;
	struct df_image_commit commit = { .created_unix_ns = 1 };
	size_t layer_count;

	platform_host(&platform);
	image = df_image_scratch(&platform);
	for (size_t i = 0; i < count; i++) {
		const char *const *layers = df_image_layers(image, &layer_count);
		struct df_image_step step = { CREATED_BY, steps[i].step.diff_id, 0 };

		if (*step.diff_id && position_of(layers, layer_count, step.diff_id) < 0 &&
		    store_has_layer(lease_store(lease), step.diff_id))
			df_image_add_step(image, &step);
	}
	annotations = df_share_annotations(image, steps, count);
	commit.annotations = annotations;
	return df_image_commit(image, lease, &commit, out_id, err);
}

/* ---- from ---- */

struct row_of_step {
	const char *key;
	struct df_shared_step step;
};

struct df_shared {
	struct arena *arena;
	struct manifest *manifest;
	struct row_of_step *rows;
	size_t count;
	int dir_fd; /* of a layout; -1: none */
};

static bool is_key(const char *text)
{
	return text && strlen(text) == STEPS_KEY_LEN &&
	       strspn(text, "0123456789abcdef") == STEPS_KEY_LEN;
}

/* A row of the list; rows that make no sense are left out. */
static void take_row(struct df_shared *shared, struct json_object *row)
{
	struct row_of_step *to;
	const char *key = json_array_text(row, ROW_KEY);
	const char *diff_id = json_array_text(row, ROW_DIFF_ID);
	int64_t position = json_object_get_int64(json_object_array_get_idx(row, ROW_LAYER));
	int64_t created = json_object_get_int64(json_object_array_get_idx(row, ROW_CREATED));
	bool has_layer = position >= 0;

	if (!is_key(key) || created < 0 || position < -1 ||
	    position >= (int64_t)shared->manifest->layer_count ||
	    (has_layer && !digest_is_valid(diff_id)))
		return;
	to = arena_grow(shared->arena, &shared->rows, &shared->count, sizeof(*to));
	to->key = arena_strdup(shared->arena, key);
	to->step.created_unix_ns = (uint64_t)created;
	if (!has_layer)
		return;
	to->step.diff_id = arena_strdup(shared->arena, diff_id);
	to->step.digest = shared->manifest->layers[position].digest;
	to->step.size_bytes = shared->manifest->layers[position].size_bytes;
	to->step.media_type = shared->manifest->layers[position].media_type;
}

static int take_rows(struct df_shared *shared, const char *manifest, size_t len, struct err *err)
{
	AUTO(json) struct json_object *json = json_parse("manifest", manifest, len, err);
	const char *text =
		json ? json_text_or(json_object_at(json, "annotations"), ANNOTATION, NULL) : NULL;
	AUTO(json) struct json_object *list = NULL;

	if (!json)
		return -1;
	if (!text)
		return err_set(err, ERR_UNSUPPORTED,
			       "it has no keys of steps (annotation " ANNOTATION ")");
	list = json_parse(ANNOTATION, text, strlen(text), err);
	if (!list)
		return -1;
	if (!json_object_is_type(list, json_type_array) || json_array_count(list) > STEPS_MAX)
		return err_set(err, ERR_INVALID, ANNOTATION ": no list of steps");
	for (size_t i = 0; i < json_array_count(list); i++) {
		struct json_object *row = json_object_array_get_idx(list, i);

		if (json_object_is_type(row, json_type_array) && json_array_count(row) == ROW_COUNT)
			take_row(shared, row);
	}
	return 0;
}

static int read_manifest(struct df_shared *shared, const char *text, size_t len, struct err *err)
{
	struct index *index = NULL;

	if (media_parse(shared->arena, text, len, NULL, NULL, &shared->manifest, &index, err) < 0)
		return -1;
	if (!shared->manifest)
		return err_set(err, ERR_UNSUPPORTED, "it is an index, not an image");
	return take_rows(shared, text, len, err);
}

static struct df_shared *new_shared(void)
{
	struct df_shared *shared = xcalloc(1, sizeof(*shared));

	shared->arena = arena_new();
	shared->dir_fd = -1;
	return shared;
}

struct df_shared *df_shared_parse(const char *manifest, size_t len, struct err *err)
{
	AUTO(df_shared) struct df_shared *shared = new_shared();

	return read_manifest(shared, manifest, len, err) < 0 ? NULL : TAKE(shared);
}

void df_shared_free(struct df_shared *shared)
{
	if (!shared)
		return;
	if (shared->dir_fd >= 0)
		close(shared->dir_fd);
	arena_free(shared->arena);
	free(shared);
}

int df_shared_find(const struct df_shared *shared, const char *key, struct df_shared_step *out)
{
	for (size_t i = 0; i < shared->count; i++)
		if (strcmp(shared->rows[i].key, key) == 0) {
			*out = shared->rows[i].step;
			return 1;
		}
	return 0;
}

/* ---- a layout in a folder ---- */

static int open_blob(int dir_fd, const char *digest, struct err *err)
{
	AUTO(free) char *path = NULL;
	int fd;

	if (!digest_is_valid(digest) || strncmp(digest, "sha256:", 7) != 0)
		return err_set(err, ERR_INVALID, "\"%.80s\" is no digest", digest ? digest : "");
	path = xformat("blobs/sha256/%s", digest_hex(digest));
	fd = df_open_plain(dir_fd, path, O_RDONLY | O_NONBLOCK);
	return fd < 0 ? err_sys(err, errno, "blob %.19s", digest) : fd;
}

static int try_manifest(struct df_shared *shared, const char *digest, struct err *err)
{
	AUTO(fd) int fd = open_blob(shared->dir_fd, digest, err);
	AUTO(free) char *text = NULL;
	size_t len;

	if (fd < 0 || file_read_fd(fd, "manifest", MEDIA_MANIFEST_MAX, &text, &len, err) < 0 ||
	    digest_check("manifest", text, len, digest, err) < 0)
		return -1;
	return read_manifest(shared, text, len, err);
}

struct df_shared *df_shared_open_dir(const char *path, struct err *err)
{
	AUTO(df_shared) struct df_shared *shared = new_shared();
	AUTO(json) struct json_object *index = NULL;
	struct json_object *list;

	shared->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (shared->dir_fd < 0) {
		err_sys(err, errno, "%s", path);
		return NULL;
	}
	index = json_read_file(shared->dir_fd, "index.json", MEDIA_MANIFEST_MAX, err);
	if (!index)
		return NULL;
	list = json_array_at(index, "manifests");
	err_set(err, ERR_UNSUPPORTED, "%s: no image with keys of steps in it", path);
	for (size_t i = 0; i < json_array_count(list) && i < INDEX_MAX; i++) {
		const char *digest = json_text_or(json_object_array_get_idx(list, i), "digest", "");

		if (try_manifest(shared, digest, err) == 0) {
			*err = ERR_NONE;
			return TAKE(shared);
		}
	}
	return NULL;
}

static int feed(struct layer *layer, int fd, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, FEED_BYTES);

	for (;;) {
		ssize_t n = read(fd, buffer, FEED_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read layer");
		if (n == 0)
			return 0;
		if (layer_write(layer, buffer, (size_t)n, err) < 0)
			return -1;
	}
}

int df_shared_load(const struct df_shared *shared, struct lease *lease,
		   const struct df_shared_step *step, struct err *err)
{
	AUTO(fd) int fd = open_blob(shared->dir_fd, step->digest, err);
	struct layer_spec spec = { .digest = step->digest,
				   .diff_id = step->diff_id,
				   .size_bytes = (int64_t)step->size_bytes,
				   .media_type = step->media_type,
				   .flags = LAYER_FRESH };
	struct layer *layer;

	if (fd < 0 || layer_open(lease, &spec, &layer, err) < 0)
		return -1;
	if (!layer)
		return 0;
	if (feed(layer, fd, err) < 0) {
		layer_abort(layer);
		return -1;
	}
	return layer_finish(layer, NULL, err);
}

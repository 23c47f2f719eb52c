/* images/archive_load - docker-archives and OCI layouts into the store.
 *
 * Owns: what manifest.json and index.json say. Declared in images/archive.h. May not touch: how
 * layers are checked (images/layer).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "images/archive.h"
#include "images/archive_source.h"
#include "images/config.h"
#include "images/layer.h"
#include "images/media.h"
#include "images/ref.h"
#include "images/store_internal.h"

#define FEED_BYTES  (256u << 10)
#define INDEX_DEPTH 2u
#define IMAGES_MAX  1000u
#define NAME_KEY    "org.opencontainers.image.ref.name"
#define NAME_KEY2   "io.containerd.image.name"

/* One image whose layers are in the store, before it is committed. */
struct ready {
	char *config, *manifest, *manifest_type;
	size_t config_len, manifest_len;
	struct image_layer *layers;
	size_t layer_count;
	char **names;
	size_t name_count;
};

struct job {
	struct store *store;
	struct lease *lease;
	struct archive_source *source;
	struct arena *arena;
	struct ready *images;
	size_t count;
};

static void free_ready(struct ready *image)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		free(image->layers[i].diff_id);
		free(image->layers[i].digest);
		free(image->layers[i].media_type);
	}
	for (size_t i = 0; i < image->name_count; i++)
		free(image->names[i]);
	free(image->layers);
	free(image->names);
	free(image->config);
	free(image->manifest);
	free(image->manifest_type);
}

/* ---- layers ---- */

static int feed(struct layer *layer, int fd, uint64_t offset, uint64_t size, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, FEED_BYTES);
	uint64_t done = layer_offset(layer);

	while (done < size) {
		size_t want = size - done < FEED_BYTES ? (size_t)(size - done) : FEED_BYTES;
		ssize_t n = pread(fd, buffer, want, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EIO, "read archive");
		if (layer_write(layer, buffer, (size_t)n, err) < 0)
			return -1;
		done += (uint64_t)n;
	}
	return 0;
}

static int load_layer(struct job *job, const char *member, const struct layer_spec *spec,
		      struct layer_result *out, struct err *err)
{
	uint64_t offset, size;
	AUTO(fd) int fd = archive_source_find(job->source, member, &offset, &size, err);
	struct layer *layer;

	if (fd < 0)
		return err_wrap(err, "layer %u of %u", spec->number, spec->total);
	if (spec->size_bytes >= 0 && size != (uint64_t)spec->size_bytes)
		return err_set(err, ERR_INVALID,
			       "layer %u of %u (%.19s): the archive has %llu bytes, wanted %lld",
			       spec->number, spec->total, spec->digest ? spec->digest : member,
			       (unsigned long long)size, (long long)spec->size_bytes);
	if (layer_open(job->lease, spec, &layer, err) < 0)
		return -1;
	if (!layer) {
		snprintf(out->diff_id, sizeof(out->diff_id), "%s", spec->diff_id);
		return 0;
	}
	if (feed(layer, fd, offset, size, err) < 0) {
		layer_abort(layer);
		return -1;
	}
	return layer_finish(layer, out, err);
}

static void add_layer(struct ready *image, const char *diff_id, const char *digest, uint64_t size,
		      const char *media_type)
{
	struct image_layer *layer = xgrow(&image->layers, &image->layer_count, sizeof(*layer));

	layer->diff_id = xstrdup(diff_id);
	layer->digest = xstrdup(digest);
	layer->size_bytes = size;
	layer->media_type = xstrdup(media_type);
}

static struct ready *add_image(struct job *job, struct err *err)
{
	if (job->count >= IMAGES_MAX) {
		err_set(err, ERR_INVALID, "archive has more than %u images", IMAGES_MAX);
		return NULL;
	}
	return xgrow(&job->images, &job->count, sizeof(*job->images));
}

static int add_name(struct ready *image, const char *text, struct err *err)
{
	char canonical[REF_TEXT_MAX + 1];
	struct ref ref;
	char **slot;

	if (ref_parse(text, &ref, err) < 0)
		return err_wrap(err, "name in the archive");
	slot = xgrow(&image->names, &image->name_count, sizeof(*slot));
	*slot = xstrdup(ref_canonical(&ref, canonical, sizeof(canonical)));
	return 0;
}

/* ---- docker-archive ---- */

static int docker_layers(struct job *job, struct ready *image, const struct json_object *members,
			 const struct image_config *config, struct err *err)
{
	for (size_t i = 0; i < config->diff_id_count; i++) {
		const char *member = json_object_get_string(json_object_array_get_idx(members, i));
		struct layer_result result;
		struct layer_spec spec = { .size_bytes = -1,
					   .diff_id = config->diff_ids[i],
					   .number = (unsigned)i + 1,
					   .total = (unsigned)config->diff_id_count };

		if (!member)
			return err_set(err, ERR_INVALID, "manifest.json: Layers[%zu] is no text",
				       i);
		if (load_layer(job, member, &spec, &result, err) < 0)
			return -1;
		add_layer(image, config->diff_ids[i], "", 0, "");
	}
	return 0;
}

static int docker_image(struct job *job, const struct json_object *item, struct err *err)
{
	const char *config_member;
	struct json_object *layers = json_array_at(item, "Layers"),
			   *tags = json_array_at(item, "RepoTags");
	struct image_config *config;
	struct ready *image = add_image(job, err);

	if (!image || json_need_text(item, "manifest.json", "Config", &config_member, err) < 0)
		return -1;
	if (archive_source_read(job->source, config_member, MEDIA_CONFIG_MAX, &image->config,
				&image->config_len, err) < 0)
		return err_wrap(err, "config");
	if (config_parse(job->arena, image->config, image->config_len, json_array_count(layers),
			 &config, err) < 0)
		return err_wrap(err, "config %.100s", config_member);
	for (size_t i = 0; i < json_array_count(tags); i++) {
		const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));

		if (tag && add_name(image, tag, err) < 0)
			return -1;
	}
	return docker_layers(job, image, layers, config, err);
}

static int load_docker(struct job *job, struct err *err)
{
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	size_t len;

	if (archive_source_read(job->source, "manifest.json", MEDIA_MANIFEST_MAX, &text, &len,
				err) < 0)
		return -1;
	json = json_parse("manifest.json", text, len, err);
	if (!json)
		return -1;
	if (!json_object_is_type(json, json_type_array))
		return err_set(err, ERR_INVALID, "manifest.json is no array");
	for (size_t i = 0; i < json_array_count(json); i++)
		if (docker_image(job, json_object_array_get_idx(json, i), err) < 0)
			return -1;
	return 0;
}

/* ---- OCI layout ---- */

static char *blob_member(struct job *job, const char *digest)
{
	return arena_format(job->arena, "blobs/%.6s/%s", digest, digest_hex(digest));
}

static int read_blob(struct job *job, const struct descriptor *descriptor, size_t max, char **out,
		     size_t *out_len, struct err *err)
{
	if (archive_source_read(job->source, blob_member(job, descriptor->digest), max, out,
				out_len, err) < 0)
		return -1;
	if (*out_len != descriptor->size_bytes)
		return err_set(err, ERR_INVALID, "blob %.19s has %zu bytes, wanted %llu",
			       descriptor->digest, *out_len,
			       (unsigned long long)descriptor->size_bytes);
	return digest_check("blob", *out, *out_len, descriptor->digest, err);
}

static int oci_manifest(struct job *job, struct ready *image, const struct manifest *manifest,
			struct err *err)
{
	struct image_config *config;

	if (read_blob(job, &manifest->config, MEDIA_CONFIG_MAX, &image->config, &image->config_len,
		      err) < 0)
		return err_wrap(err, "config");
	if (config_parse(job->arena, image->config, image->config_len, manifest->layer_count,
			 &config, err) < 0)
		return err_wrap(err, "config %.19s", manifest->config.digest);
	for (size_t i = 0; i < manifest->layer_count; i++) {
		const struct descriptor *layer = &manifest->layers[i];
		struct layer_result result;
		struct layer_spec spec = { .digest = layer->digest,
					   .size_bytes = (int64_t)layer->size_bytes,
					   .diff_id = config->diff_ids[i],
					   .media_type = layer->media_type,
					   .number = (unsigned)i + 1,
					   .total = (unsigned)manifest->layer_count };

		if (load_layer(job, blob_member(job, layer->digest), &spec, &result, err) < 0)
			return -1;
		add_layer(image, config->diff_ids[i], layer->digest, layer->size_bytes,
			  layer->media_type);
	}
	return 0;
}

/* Follows an index to this machine's platform; depth counts what is left. */
static int oci_entry(struct job *job, const struct descriptor *descriptor, const char *name,
		     unsigned depth, struct err *err)
{
	AUTO(free) char *text = NULL;
	struct manifest *manifest = NULL;
	struct index *index = NULL;
	const struct index_entry *entry;
	struct platform wanted;
	bool is_explicit;
	struct ready *image;
	size_t len;

	if (read_blob(job, descriptor, MEDIA_MANIFEST_MAX, &text, &len, err) < 0)
		return -1;
	if (media_parse(job->arena, text, len, NULL, descriptor->media_type, &manifest, &index,
			err) < 0)
		return err_wrap(err, "manifest %.19s", descriptor->digest);
	if (index) {
		if (depth == 0)
			return err_set(err, ERR_INVALID, "indexes are nested too deep");
		if (platform_wanted(NULL, &wanted, &is_explicit, err) < 0 ||
		    media_choose(index, &wanted, is_explicit, &entry, err) < 0)
			return -1;
		return oci_entry(job, &entry->descriptor, name, depth - 1, err);
	}
	image = add_image(job, err);
	if (!image || (name && add_name(image, name, err) < 0))
		return -1;
	image->manifest = TAKE(text);
	image->manifest_len = len;
	image->manifest_type = xstrdup(manifest->media_type);
	return oci_manifest(job, image, manifest, err);
}

static int check_layout(struct job *job, struct err *err)
{
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	const char *version;
	size_t len;

	if (archive_source_read(job->source, "oci-layout", 65536, &text, &len, err) < 0)
		return -1;
	json = json_parse("oci-layout", text, len, err);
	if (!json || json_need_text(json, "oci-layout", "imageLayoutVersion", &version, err) < 0)
		return -1;
	if (strncmp(version, "1.0.", 4) != 0)
		return err_set(err, ERR_UNSUPPORTED, "OCI layout version \"%.20s\" (1.0.x is read)",
			       version);
	return 0;
}

/* The name of entry i: containerd's full name wins over the tag of the annotation. */
static const char *entry_name(const struct json_object *json, size_t i)
{
	struct json_object *item = json_object_array_get_idx(json_array_at(json, "manifests"), i);
	struct json_object *notes = json_object_at(item, "annotations");
	const char *name = notes ? json_text_or(notes, NAME_KEY2, NULL) : NULL;

	return name || !notes ? name : json_text_or(notes, NAME_KEY, NULL);
}

static int load_oci(struct job *job, struct err *err)
{
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	struct manifest *manifest = NULL;
	struct index *index = NULL;
	size_t len;

	if (check_layout(job, err) < 0 ||
	    archive_source_read(job->source, "index.json", MEDIA_MANIFEST_MAX, &text, &len, err) <
		    0)
		return -1;
	json = json_parse("index.json", text, len, err);
	if (!json || media_parse(job->arena, text, len, "application/vnd.oci.image.index.v1+json",
				 NULL, &manifest, &index, err) < 0)
		return err_wrap(err, "index.json");
	if (!index)
		return err_set(err, ERR_INVALID, "index.json is no index");
	for (size_t i = 0; i < index->entry_count; i++) {
		if (!index->entries[i].is_runnable)
			continue;
		if (oci_entry(job, &index->entries[i].descriptor, entry_name(json, i), INDEX_DEPTH,
			      err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the end ---- */

static int commit(struct job *job, const struct ready *image, struct archive_loaded **out,
		  size_t *out_count, struct err *err)
{
	size_t rows = image->name_count ? image->name_count : 1;

	for (size_t i = 0; i < rows; i++) {
		struct image_commit commit = { .name = image->name_count ? image->names[i] : NULL,
					       .manifest = image->manifest,
					       .manifest_len = image->manifest_len,
					       .manifest_type = image->manifest_type,
					       .config = image->config,
					       .config_len = image->config_len,
					       .layers = image->layers,
					       .layer_count = image->layer_count };
		struct archive_loaded row = { .name = xstrdup(commit.name) }, *slot;

		if (store_commit_image(job->lease, &commit, row.id, err) < 0) {
			free(row.name);
			return -1;
		}
		slot = xgrow(out, out_count, sizeof(**out));
		*slot = row;
	}
	return 0;
}

/* What was committed before a later image of the archive was refused. */
static void take_back(struct job *job, const struct archive_loaded *loaded, size_t count)
{
	struct err ignored = ERR_NONE;

	for (size_t i = 0; i < count; i++) {
		if (loaded[i].name)
			store_untag(job->store, loaded[i].name, &ignored);
		if (!store_is_used(job->store, loaded[i].id))
			image_record_remove(job->store, loaded[i].id, &ignored);
	}
}

static int load(struct job *job, struct archive_loaded **out, size_t *out_count, struct err *err)
{
	bool is_oci = archive_source_has(job->source, "oci-layout") &&
		      archive_source_has(job->source, "index.json");

	if (!is_oci && !archive_source_has(job->source, "manifest.json"))
		return err_set(err, ERR_INVALID,
			       "no image archive: neither manifest.json nor oci-layout in it");
	if ((is_oci ? load_oci(job, err) : load_docker(job, err)) < 0)
		return -1;
	if (job->count == 0)
		return err_set(err, ERR_INVALID, "the archive holds no image");
	for (size_t i = 0; i < job->count; i++)
		if (commit(job, &job->images[i], out, out_count, err) < 0) {
			take_back(job, *out, *out_count);
			return -1;
		}
	return 0;
}

static int run(struct store *store, struct archive_source *source, struct archive_loaded **out,
	       size_t *out_count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct job job = { .store = store, .source = source, .arena = arena };
	int rc;

	job.lease = lease_begin(store, err);
	if (!job.lease)
		return -1;
	rc = load(&job, out, out_count, err);
	lease_end(job.lease, rc < 0 ? LEASE_DROP : 0);
	for (size_t i = 0; i < job.count; i++)
		free_ready(&job.images[i]);
	free(job.images);
	if (rc < 0) {
		archive_loaded_free(*out, *out_count);
		*out = NULL;
		*out_count = 0;
	}
	return rc;
}

int archive_load(struct store *store, int fd, struct archive_loaded **out, size_t *out_count,
		 struct err *err)
{
	AUTO(archive_source) struct archive_source *source = archive_source_open(store, fd, err);

	*out = NULL;
	*out_count = 0;
	return source ? run(store, source, out, out_count, err) : -1;
}

void archive_loaded_free(struct archive_loaded *loaded, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(loaded[i].name);
	free(loaded);
}

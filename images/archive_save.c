/* images/archive_save - images out as one tar; a flat tree in as an image.
 *
 * Owns: the members manifest.json, index.json, oci-layout and their order. Declared in
 * images/archive.h. May not touch: how layers are kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tar_out.h"
#include "images/archive.h"
#include "images/layer.h"
#include "images/platform.h"
#include "images/ref.h"

#define OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define BLOB_MAX     (8u << 20)
#define FEED_BYTES   (256u << 10)
#define JSON_FLAGS   (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

struct job {
	struct store *store;
	struct tar_out *out;
	char **written; /* digests of members that are in the archive */
	size_t written_count;
	struct json_object *index;  /* the "manifests" list */
	struct json_object *docker; /* manifest.json */
};

static bool is_written(struct job *job, const char *digest)
{
	char **slot;

	for (size_t i = 0; i < job->written_count; i++)
		if (strcmp(job->written[i], digest) == 0)
			return true;
	slot = xgrow(&job->written, &job->written_count, sizeof(*slot));
	*slot = xstrdup(digest);
	return false;
}

static char *member_name(const char *digest)
{
	return xformat("blobs/%.6s/%s", digest, digest_hex(digest));
}

static int write_text(struct job *job, const char *digest, const char *text, size_t len,
		      struct err *err)
{
	AUTO(free) char *name = member_name(digest);

	return is_written(job, digest) ? 0 : tar_out_file(job->out, name, text, len, err);
}

static int write_layer(struct job *job, int fd, const char *digest, uint64_t size, struct err *err)
{
	AUTO(free) char *name = member_name(digest);
	struct tar_entry entry = {
		.type = TAR_FILE, .path = name, .link = "", .mode = 0644, .size = size
	};

	if (is_written(job, digest))
		return 0;
	if (tar_out_entry(job->out, &entry, err) < 0 ||
	    tar_out_copy(job->out, fd, 0, size, err) < 0)
		return -1;
	return tar_out_done(job->out, err);
}

static struct json_object *descriptor(const char *type, const char *digest, uint64_t size)
{
	struct json_object *json = json_object_new_object();

	json_add_text(json, "mediaType", type);
	json_add_text(json, "digest", digest);
	json_add_int(json, "size", (int64_t)size);
	return json;
}

/* Writes the layers and fills both lists. Returns 1 when all are the blobs of the image's own
 * manifest, 0 when some were made anew. */
static int write_layers(struct job *job, const struct image_record *record,
			struct json_object *descriptors, struct json_object *members,
			struct err *err)
{
	int same = 1;

	for (size_t i = 0; i < record->layer_count; i++) {
		const struct image_layer *layer = &record->layers[i];
		char digest[DIGEST_TEXT_MAX];
		const char *type;
		uint64_t size;
		AUTO(free) char *name = NULL;
		AUTO(fd)
		int fd = layer_open_blob(job->store, layer->diff_id, LAYER_TAR,
					 *layer->digest ? layer->digest : NULL, digest, &size,
					 &type, err);

		if (fd < 0 || write_layer(job, fd, digest, size, err) < 0)
			return err_wrap(err, "layer %zu of %zu", i + 1, record->layer_count);
		same &= strcmp(digest, layer->digest) == 0;
		name = member_name(digest);
		json_object_array_add(descriptors, descriptor(type, digest, size));
		json_push_text(members, name);
	}
	return same;
}

/* The image's own manifest where its blobs are all there, else one over what was written. */
static int write_manifest(struct job *job, const struct image_record *record, bool same,
			  struct json_object *layers, uint64_t config_size, char *out_digest,
			  uint64_t *out_size, const char **out_type, struct err *err)
{
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	size_t len;

	if (same) {
		if (store_read_blob(job->store, record->manifest_digest, BLOB_MAX, &text, &len,
				    err) < 0)
			return -1;
		*out_type = record->manifest_type;
	} else {
		json = json_object_new_object();
		json_add_int(json, "schemaVersion", 2);
		json_add_text(json, "mediaType", OCI_MANIFEST);
		json_object_object_add(json, "config",
				       descriptor(OCI_CONFIG, record->id, config_size));
		json_object_object_add(json, "layers", json_object_get(layers));
		text = xstrdup(json_object_to_json_string_ext(json, JSON_FLAGS));
		len = strlen(text);
		*out_type = OCI_MANIFEST;
	}
	digest_of(text, len, out_digest);
	*out_size = len;
	return write_text(job, out_digest, text, len, err);
}

static void add_annotations(struct json_object *entry, const char *name)
{
	struct json_object *notes;
	struct err ignored = ERR_NONE;
	struct ref ref;

	if (!name || ref_parse(name, &ref, &ignored) < 0)
		return;
	notes = json_add_object(entry, "annotations");
	json_add_text(notes, "io.containerd.image.name", name);
	json_add_text(notes, "org.opencontainers.image.ref.name", *ref.tag ? ref.tag : name);
}

static void add_docker(struct job *job, const char *config_digest, const char *name,
		       struct json_object *members)
{
	struct json_object *item = json_object_new_object(), *tags;
	AUTO(free) char *config = member_name(config_digest);
	char familiar[REF_TEXT_MAX + 1];
	struct err ignored = ERR_NONE;
	struct ref ref;

	json_add_text(item, "Config", config);
	tags = json_add_array(item, "RepoTags");
	if (name && ref_parse(name, &ref, &ignored) == 0 && *ref.tag)
		json_push_text(tags, ref_familiar(&ref, familiar, sizeof(familiar)));
	json_object_object_add(item, "Layers", json_object_get(members));
	json_object_array_add(job->docker, item);
}

static int save_image(struct job *job, const struct archive_item *item, struct err *err)
{
	AUTO(image_record) struct image_record *record = store_image(job->store, item->id, err);
	AUTO(json) struct json_object *layers = json_object_new_array();
	AUTO(json) struct json_object *members = json_object_new_array();
	AUTO(free) char *config = NULL;
	struct json_object *entry;
	char digest[DIGEST_TEXT_MAX];
	const char *type;
	uint64_t size;
	size_t len;
	int same;

	if (!record || store_image_config(job->store, item->id, &config, &len, err) < 0 ||
	    write_text(job, record->id, config, len, err) < 0)
		return -1;
	same = write_layers(job, record, layers, members, err);
	if (same < 0 ||
	    write_manifest(job, record, same, layers, len, digest, &size, &type, err) < 0)
		return -1;
	entry = descriptor(type, digest, size);
	add_annotations(entry, item->name);
	json_object_array_add(job->index, entry);
	add_docker(job, record->id, item->name, members);
	return 0;
}

static int write_json(struct job *job, const char *name, struct json_object *json, struct err *err)
{
	const char *text = json_object_to_json_string_ext(json, JSON_FLAGS);

	return tar_out_file(job->out, name, text, strlen(text), err);
}

int archive_save(struct store *store, const struct archive_item *items, size_t count,
		 unsigned flags, int fd, struct err *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	AUTO(tar_out) struct tar_out *out = tar_out_new(fd);
	AUTO(json) struct json_object *index = json_object_new_object();
	AUTO(json) struct json_object *docker = json_object_new_array();
	struct job job = { .store = store, .out = out, .docker = docker };
	int rc = 0;

	json_add_int(index, "schemaVersion", 2);
	json_add_text(index, "mediaType", OCI_INDEX);
	job.index = json_add_array(index, "manifests");
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = save_image(&job, &items[i], err);
		if (rc < 0)
			err_wrap(err, "save %.100s", items[i].name ? items[i].name : items[i].id);
	}
	if (rc == 0)
		rc = write_json(&job, "index.json", index, err);
	if (rc == 0 && !(flags & ARCHIVE_OCI))
		rc = write_json(&job, "manifest.json", docker, err);
	if (rc == 0)
		rc = tar_out_file(out, "oci-layout", layout, strlen(layout), err);
	if (rc == 0)
		rc = tar_out_end(out, err);
	for (size_t i = 0; i < job.written_count; i++)
		free(job.written[i]);
	free(job.written);
	return rc;
}

/* ---- import ---- */

static char *import_config(const struct archive_import *how, const char *diff_id, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *config = NULL, *rootfs, *history, *step;
	uint64_t now = how->created_unix_ns ? how->created_unix_ns : stamp_now_ns();
	char time[STAMP_TEXT_LEN];
	struct platform host;

	platform_host(&host);
	if (how->config) {
		config = json_parse("config", how->config, strlen(how->config), err);
		if (!config)
			return NULL;
	}
	json_add_text(json, "created", stamp_rfc3339(now, time));
	json_add_text(json, "architecture", how->architecture ? how->architecture : host.arch);
	json_add_text(json, "os", how->os ? how->os : "linux");
	json_object_object_add(json, "config", config ? config : json_object_new_object());
	rootfs = json_add_object(json, "rootfs");
	json_add_text(rootfs, "type", "layers");
	json_push_text(json_add_array(rootfs, "diff_ids"), diff_id);
	history = json_add_array(json, "history");
	step = json_object_new_object();
	json_add_text(step, "created", time);
	json_add_text(step, "comment", how->message ? how->message : "imported");
	json_object_array_add(history, step);
	return xstrdup(json_object_to_json_string_ext(json, JSON_FLAGS));
}

static int import_layer(struct lease *lease, int fd, struct layer_result *out, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, FEED_BYTES);
	struct layer_spec spec = { .size_bytes = -1 };
	struct layer *layer;

	if (layer_open(lease, &spec, &layer, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, buffer, FEED_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return layer_finish(layer, out, err);
		if (n < 0)
			err_sys(err, errno, "read tar");
		if (n < 0 || layer_write(layer, buffer, (size_t)n, err) < 0) {
			layer_abort(layer);
			return -1;
		}
	}
}

int archive_import(struct store *store, int fd, const struct archive_import *how,
		   char out_id[DIGEST_TEXT_MAX], struct err *err)
{
	struct lease *lease = lease_begin(store, err);
	AUTO(free) char *config = NULL;
	struct layer_result result;
	struct image_layer row = { 0 };
	struct image_commit commit = { .name = how->name, .layers = &row, .layer_count = 1 };
	int rc = lease ? import_layer(lease, fd, &result, err) : -1;

	if (rc == 0) {
		config = import_config(how, result.diff_id, err);
		rc = config ? 0 : -1;
	}
	if (rc == 0) {
		row.diff_id = result.diff_id;
		row.digest = (char[]){ "" };
		row.media_type = (char[]){ "" };
		commit.config = config;
		commit.config_len = strlen(config);
		rc = store_commit_image(lease, &commit, out_id, err);
	}
	lease_end(lease, rc < 0 ? LEASE_DROP : 0);
	return rc;
}

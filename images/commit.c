/* images/commit - the moment in which an image is there.
 *
 * Owns: the order: layers whole, blobs, one sync, record, name. Declared in images/store.h. May not
 * touch: how layers are made (images/layer, images/chain).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/layer_dir.h"
#include "images/staged.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define OCI_TAR      "application/vnd.oci.image.layer.v1.tar"
#define LAYERS_MAX   500u

struct job {
	struct lease *lease;
	struct store *store;
	const struct image_commit *commit;
	struct image_record *record;
	const char **diff_ids; /* borrowed from the record */
};

static int read_config(struct job *job, struct err *err)
{
	const struct image_commit *commit = job->commit;
	AUTO(json)
	struct json_object *json =
		json_parse("image config", commit->config, commit->config_len, err);
	struct json_object *ids;
	const char *created;

	if (!json)
		return -1;
	ids = json_array_at(json_object_at(json, "rootfs"), "diff_ids");
	if (json_array_count(ids) != commit->layer_count)
		return err_set(err, ERR_INVALID, "the config has %zu diff_ids for %zu layers",
			       json_array_count(ids), commit->layer_count);
	if (commit->layer_count > LAYERS_MAX)
		return err_set(err, ERR_INVALID, "more than %u layers", LAYERS_MAX);
	for (size_t i = 0; i < commit->layer_count; i++) {
		const char *diff_id = json_array_text(ids, i);

		if (!digest_is_valid(diff_id))
			return err_set(err, ERR_INVALID,
				       "config: rootfs.diff_ids[%zu] is no digest", i);
		if (commit->layers[i].diff_id && strcmp(commit->layers[i].diff_id, diff_id) != 0)
			return err_set(err, ERR_INVALID,
				       "layer %zu of %zu: diff-id is %.19s, the config wants %.19s",
				       i + 1, commit->layer_count, commit->layers[i].diff_id,
				       diff_id);
		job->record->layers[i].diff_id = xstrdup(diff_id);
		job->diff_ids[i] = job->record->layers[i].diff_id;
	}
	job->record->os = xstrdup(json_text_or(json, "os", ""));
	job->record->architecture = xstrdup(json_text_or(json, "architecture", ""));
	job->record->variant = xstrdup(json_text_or(json, "variant", ""));
	created = json_text_or(json, "created", "");
	stamp_parse_rfc3339(created, strlen(created), &job->record->created_unix_ns);
	return 0;
}

static int check_layers(struct job *job, struct err *err)
{
	for (size_t i = 0; i < job->record->layer_count; i++) {
		const struct image_layer *in = &job->commit->layers[i];
		struct image_layer *layer = &job->record->layers[i];
		struct layer_meta meta;
		char key[STORE_KEY_MAX];

		if (lease_add(job->lease, layer->diff_id, err) < 0 ||
		    layer_meta_read(job->store, job->store->layers_fd,
				    store_key(layer->diff_id, key), &meta, err) < 0)
			return err_wrap(err, "layer %zu of %zu", i + 1, job->record->layer_count);
		layer->digest = xstrdup(in->digest && *in->digest ? in->digest : "");
		layer->media_type = xstrdup(in->media_type ? in->media_type : "");
		layer->size_bytes = in->size_bytes;
		job->record->size_bytes += meta.tar_bytes;
		if (job->record->size_bytes > job->store->max_image_bytes)
			return err_set(err, ERR_INVALID,
				       "image is larger than the limit of %llu bytes",
				       (unsigned long long)job->store->max_image_bytes);
	}
	return 0;
}

/* A manifest over the plain tars, for images that came without one. */
static char *make_manifest(const struct job *job, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *part, *list;

	json_add_int(json, "schemaVersion", 2);
	json_add_text(json, "mediaType", OCI_MANIFEST);
	part = json_add_object(json, "config");
	json_add_text(part, "mediaType", OCI_CONFIG);
	json_add_text(part, "digest", job->record->id);
	json_add_int(part, "size", (int64_t)job->commit->config_len);
	list = json_add_array(json, "layers");
	for (size_t i = 0; i < job->record->layer_count; i++) {
		struct layer_meta meta;
		char key[STORE_KEY_MAX];

		if (layer_meta_read(job->store, job->store->layers_fd,
				    store_key(job->diff_ids[i], key), &meta, err) < 0)
			return NULL;
		part = json_object_new_object();
		json_add_text(part, "mediaType", OCI_TAR);
		json_add_text(part, "digest", job->diff_ids[i]);
		json_add_int(part, "size", (int64_t)meta.tar_bytes);
		json_object_array_add(list, part);
	}
	return xstrdup(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int put_blobs(struct job *job, struct err *err)
{
	const struct image_commit *commit = job->commit;
	AUTO(free) char *made = NULL;
	const char *text = commit->manifest;
	size_t len = commit->manifest_len;
	char digest[DIGEST_TEXT_MAX];

	if (!text) {
		made = make_manifest(job, err);
		if (!made)
			return -1;
		text = made;
		len = strlen(made);
	}
	digest_of(text, len, digest);
	job->record->manifest_digest = xstrdup(digest);
	job->record->manifest_type = xstrdup(
		commit->manifest && commit->manifest_type ? commit->manifest_type : OCI_MANIFEST);
	if (store_put_blob(job->lease, digest, text, len, err) < 0)
		return -1;
	return store_put_blob(job->lease, job->record->id, commit->config, commit->config_len, err);
}

static int mark_synced(struct job *job, struct err *err)
{
	char chain[DIGEST_TEXT_MAX] = "", below[DIGEST_TEXT_MAX], key[STORE_KEY_MAX];

	if (job->store->flags & STORE_NO_SYNC)
		return 0;
	for (size_t i = 0; i < job->record->layer_count; i++) {
		struct layer_meta meta;
		struct err ignored = ERR_NONE;

		if (layer_mark_synced(job->store->layers_fd, store_key(job->diff_ids[i], key),
				      err) < 0)
			return -1;
		memcpy(below, chain, sizeof(below));
		layer_chain_id(i ? below : NULL, job->diff_ids[i], chain);
		store_key(chain, key);
		if (layer_meta_read(job->store, job->store->chains_fd, key, &meta, &ignored) == 0 &&
		    layer_mark_synced(job->store->chains_fd, key, err) < 0)
			return -1;
	}
	return 0;
}

/* Repository digests and the time of the first coming are kept from an older record of the same
 * image. */
static void keep_older(struct job *job, const char *repo_digest)
{
	struct err ignored = ERR_NONE;
	AUTO(image_record)
	struct image_record *old = store_image(job->store, job->record->id, &ignored);
	char **slot;

	for (size_t i = 0; old && i < old->repo_digest_count; i++) {
		if (repo_digest && strcmp(repo_digest, old->repo_digests[i]) == 0)
			continue;
		slot = xgrow(&job->record->repo_digests, &job->record->repo_digest_count,
			     sizeof(*slot));
		*slot = xstrdup(old->repo_digests[i]);
	}
	if (repo_digest) {
		slot = xgrow(&job->record->repo_digests, &job->record->repo_digest_count,
			     sizeof(*slot));
		*slot = xstrdup(repo_digest);
	}
	job->record->added_unix_ns = old ? old->added_unix_ns : stamp_now_ns();
}

/* Record and name are written before the one sync of all, so that after it only renames are left:
 * a name on disk means that everything below it is there. */
static int stage(struct job *job, struct staged *record, struct staged *name, struct err *err)
{
	const struct image_commit *commit = job->commit;

	keep_older(job, commit->repo_digest);
	if (image_record_stage(job->store, job->record, record, err) < 0)
		return -1;
	return commit->name ? image_name_stage(job->store, commit->name, job->record->id,
					       commit->name_digest, name, err)
			    : 0;
}

/* Under the lock: gc sees both or none. */
static int place(struct job *job, struct staged *record, struct staged *name, struct err *err)
{
	AUTO(fd) int lock = store_lock(job->store, false, true, err);

	if (lock < 0 || staged_place(record, err) < 0)
		return -1;
	crash_point("pull", "record");
	if (job->commit->name && staged_place(name, err) < 0)
		return -1;
	crash_point("pull", "name");
	return 0;
}

static int make_durable(struct job *job, struct err *err)
{
	struct store *store = job->store;

	if (store->flags & STORE_NO_SYNC)
		return 0;
	return fsync(store->records_fd) < 0 || fsync(store->names_fd) < 0
		       ? err_sys(err, errno, "sync the image store")
		       : 0;
}

static int run(struct job *job, struct err *err)
{
	AUTO(staged) struct staged record = { .fd = -1 };
	AUTO(staged) struct staged name = { .fd = -1 };

	if (read_config(job, err) < 0 || check_layers(job, err) < 0)
		return -1;
	if (chain_make(job->lease, job->diff_ids, job->record->layer_count, err) < 0)
		return -1;
	crash_point("pull", "layers");
	if (put_blobs(job, err) < 0 || stage(job, &record, &name, err) < 0)
		return -1;
	crash_point("pull", "staged");
	if (store_sync(job->store, err) < 0 || mark_synced(job, err) < 0)
		return -1;
	crash_point("pull", "sync");
	return place(job, &record, &name, err) < 0 ? -1 : make_durable(job, err);
}

int store_commit_image(struct lease *lease, const struct image_commit *commit,
		       char out_id[DIGEST_TEXT_MAX], struct err *err)
{
	AUTO(image_record) struct image_record *record = xcalloc(1, sizeof(*record));
	AUTO(free) const char **diff_ids = xcalloc(commit->layer_count + 1, sizeof(*diff_ids));
	struct job job = { lease, lease_store(lease), commit, record, diff_ids };

	digest_of(commit->config, commit->config_len, out_id);
	record->id = xstrdup(out_id);
	record->layers = xcalloc(commit->layer_count + 1, sizeof(*record->layers));
	record->layer_count = commit->layer_count;
	return run(&job, err);
}

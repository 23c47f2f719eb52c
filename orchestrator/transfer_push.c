/* orchestrator/transfer_push - an image of the store to a registry: layers, config, then the
 * manifest.
 *
 * Owns: the order, and the manifest when blobs were made anew. May not touch: single blobs
 * (transfer_upload).
 */
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/transfer_state.h"
#include "orchestrator/transfer_upload.h"

#define AT_ONCE  3
#define OCI_TYPE "application/vnd.oci.image."

struct push;

struct pushed_blob {
	struct push *push;
	unsigned number; /* layers from 1, the config 0 */
	char digest[DIGEST_TEXT_MAX];
	uint64_t size_bytes;
	const char *media_type; /* NULL: as the manifest has it */
};

struct push {
	const char *text; /* the reference as it was asked for */
	const struct transfer_options *options;
	struct transfer_loop *loop;
	struct session *session;
	struct store *store;
	struct ref ref;
	char *mount_from;
	struct image_record *record;
	char *config, *manifest;
	size_t config_len, manifest_len;
	enum layer_compression compression;
	struct pushed_blob *layers, blob_of_config;
	size_t next, running, done;
	bool is_over;
	char digest[DIGEST_TEXT_MAX];
	struct err err;
};

static void tell(const struct push *push, const struct transfer_progress *progress)
{
	struct transfer_progress full = *progress;

	full.image = push->text;
	if (push->options->progress)
		push->options->progress(push->options->progress_ctx, &full);
}

static void end(struct push *push, const struct err *err)
{
	if (!push->is_over)
		push->err = *err;
	push->is_over = true;
}

/* ---- manifest ---- */

static struct json_object *descriptor_json(const char *type, const char *digest, uint64_t size)
{
	struct json_object *out = json_object_new_object();

	json_add_text(out, "mediaType", type);
	json_add_text(out, "digest", digest);
	json_add_int(out, "size", (int64_t)size);
	return out;
}

static const char *type_of_layer(const struct push *push, size_t i)
{
	return push->layers[i].media_type ? push->layers[i].media_type
					  : push->record->layers[i].media_type;
}

/* What the image's own manifest says beside its layers (keys of a build cache). */
static void keep_annotations(const struct push *push, struct json_object *root)
{
	struct err ignored = ERR_NONE;
	AUTO(json)
	struct json_object *old =
		json_parse("manifest", push->manifest, push->manifest_len, &ignored);
	struct json_object *annotations = json_object_at(old, "annotations");

	if (annotations)
		json_object_object_add(root, "annotations", json_object_get(annotations));
}

/* A manifest over what was made anew; the layers that were there keep their types. */
static void make_manifest(struct push *push)
{
	struct json_object *root = json_object_new_object(), *layers;

	json_add_int(root, "schemaVersion", 2);
	json_add_text(root, "mediaType", OCI_TYPE "manifest.v1+json");
	json_object_object_add(
		root, "config",
		descriptor_json(OCI_TYPE "config.v1+json", push->record->id, push->config_len));
	layers = json_add_array(root, "layers");
	for (size_t i = 0; i < push->record->layer_count; i++)
		json_object_array_add(layers, descriptor_json(type_of_layer(push, i),
							      push->layers[i].digest,
							      push->layers[i].size_bytes));
	keep_annotations(push, root);
	free(push->manifest);
	push->manifest = xstrdup(json_object_to_json_string_ext(
		root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	push->manifest_len = strlen(push->manifest);
	free(push->record->manifest_type);
	push->record->manifest_type = xstrdup(OCI_TYPE "manifest.v1+json");
	json_object_put(root);
}

static void manifest_put(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct push *push = ctx;
	struct err why = *err;
	const struct transfer_progress progress = {
		.status = TRANSFER_IMAGE_DONE,
		.id = push->record->id,
		.digest = push->digest,
		.text = "pushed",
	};

	if (!why.code && digest_is_valid(answer->digest) &&
	    strcmp(answer->digest, push->digest) != 0)
		err_set(&why, ERR_INVALID, "registry %s: took the manifest for another: %.19s…",
			answer->host, answer->digest);
	if (!why.code)
		tell(push, &progress);
	end(push, &why);
}

static void put_manifest(struct push *push)
{
	AUTO(free) char *what = NULL;
	struct err err = ERR_NONE;
	bool made_anew = false;

	for (size_t i = 0; i < push->record->layer_count; i++)
		made_anew |= push->layers[i].media_type != NULL;
	if (made_anew)
		make_manifest(push);
	digest_of(push->manifest, push->manifest_len, push->digest);
	what = xformat("manifests/%s", push->ref.tag[0] ? push->ref.tag : push->digest);
	if (!push->ref.tag[0] && strcmp(push->digest, push->ref.digest) != 0) {
		err_set(&err, ERR_INVALID,
			"its manifest no longer has this digest; push it by a tag");
		end(push, &err);
		return;
	}
	const struct exchange_spec spec = {
		.domain = push->ref.domain,
		.path = push->ref.path,
		.method = "PUT",
		.what = what,
		.content_type = push->record->manifest_type,
		.flags = EXCHANGE_PUSH,
		.has_body = true,
		.body = push->manifest,
		.body_len = push->manifest_len,
		.body_fd = -1,
		.body_max_bytes = 65536,
		.ctx = push,
		.done = manifest_put,
	};
	if (!exchange_start(push->session, &spec, &err))
		end(push, &err);
}

/* ---- blobs ---- */

static void schedule(struct push *push);

static void blob_progress(void *ctx, enum transfer_status status, uint64_t current, uint64_t total)
{
	struct pushed_blob *blob = ctx;
	const struct transfer_progress progress = {
		.status = status,
		.layer = blob->digest,
		.number = blob->number,
		.layer_count = (unsigned)blob->push->record->layer_count,
		.current_bytes = current,
		.total_bytes = total,
	};

	if (blob->number)
		tell(blob->push, &progress);
}

static void blob_done(void *ctx, const char *digest, uint64_t size, const char *media_type,
		      const struct err *err)
{
	struct pushed_blob *blob = ctx;
	struct push *push = blob->push;
	struct err why = *err;

	push->running--;
	push->done++;
	snprintf(blob->digest, sizeof(blob->digest), "%s", digest);
	blob->size_bytes = size;
	blob->media_type = media_type;
	if (why.code && blob->number)
		err_wrap(&why, "layer %u of %zu", blob->number, push->record->layer_count);
	else if (why.code)
		err_wrap(&why, "config");
	if (why.code)
		end(push, &why);
	schedule(push);
}

static void start_blob(struct push *push, struct pushed_blob *blob, const struct image_layer *layer)
{
	const struct upload_spec spec = {
		.loop = push->loop,
		.session = push->session,
		.store = push->store,
		.domain = push->ref.domain,
		.path = push->ref.path,
		.mount_from = push->mount_from,
		.digest = layer ? layer->digest : push->record->id,
		.size_bytes = layer ? layer->size_bytes : push->config_len,
		.diff_id = layer ? layer->diff_id : NULL,
		.bytes = layer ? NULL : push->config,
		.compression = push->compression,
		.ctx = blob,
		.progress = blob_progress,
		.done = blob_done,
	};

	blob->push = push;
	snprintf(blob->digest, sizeof(blob->digest), "%s", spec.digest);
	push->running++;
	upload_start(&spec);
}

/* Layers first, then the config, then the manifest that names them. */
static void schedule(struct push *push)
{
	size_t layer_count = push->record->layer_count;

	while (!push->is_over && push->next < layer_count && push->running < AT_ONCE) {
		struct pushed_blob *blob = &push->layers[push->next];

		blob->number = (unsigned)push->next + 1;
		start_blob(push, blob, &push->record->layers[push->next++]);
	}
	if (push->is_over || push->running || push->next < layer_count)
		return;
	if (push->done == layer_count)
		start_blob(push, &push->blob_of_config, NULL);
	else
		put_manifest(push);
}

/* ---- the command ---- */

/* Another repository of the same host that this image came from: its blobs can be mounted. */
static char *find_source(const struct image_record *record, const struct ref *target)
{
	for (size_t i = 0; i < record->repo_digest_count + record->name_count; i++) {
		const char *text = i < record->repo_digest_count
					   ? record->repo_digests[i]
					   : record->names[i - record->repo_digest_count];
		struct err ignored = ERR_NONE;
		struct ref ref;

		if (ref_parse(text, &ref, &ignored) == 0 &&
		    strcmp(ref.domain, target->domain) == 0 && strcmp(ref.path, target->path) != 0)
			return xstrdup(ref.path);
	}
	return NULL;
}

static int choose_compression(const char *name, enum layer_compression *out, struct err *err)
{
	*out = LAYER_GZIP;
	if (!name || !*name || strcmp(name, "gzip") == 0)
		return 0;
	*out = LAYER_ZSTD;
	if (strcmp(name, "zstd") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "compression \"%.40s\": must be gzip or zstd", name);
}

static int load(struct push *push, const char *ref, const char *target, struct err *err)
{
	char id[DIGEST_TEXT_MAX];

	if (ref_parse(target ? target : ref, &push->ref, err) < 0 ||
	    store_resolve(push->store, ref, id, err) < 0)
		return -1;
	push->record = store_image(push->store, id, err);
	if (!push->record ||
	    store_image_config(push->store, id, &push->config, &push->config_len, err) < 0 ||
	    store_image_manifest(push->store, id, &push->manifest, &push->manifest_len, err) < 0)
		return -1;
	push->mount_from = find_source(push->record, &push->ref);
	push->layers = xcalloc(push->record->layer_count + 1, sizeof(*push->layers));
	return 0;
}

static int find_passwords(struct push *push, struct registry_settings *settings, struct err *err)
{
	struct transfer_login_job job;
	int result;

	if (transfer_login_prepare(&job, settings, push->ref.domain, push->ref.path,
				   REGISTRY_ORIGIN_ONLY, err) < 0)
		return -1;
	result = transfer_login_find(&job, err);
	transfer_login_done(&job, push->session);
	return result;
}

static int run(struct push *push, struct registry_settings *settings, struct err *err)
{
	AUTO(transfer_loop) struct transfer_loop *loop = transfer_loop_new(AT_ONCE + 1, err);
	AUTO(session) struct session *session = NULL;

	if (!loop)
		return -1;
	session = session_new(transfer_loop_fetch(loop), settings);
	push->loop = loop;
	push->session = session;
	if (find_passwords(push, settings, err) < 0)
		return -1;
	schedule(push);
	while (!push->is_over || push->running)
		uv_run(transfer_loop_uv(loop), UV_RUN_ONCE);
	*err = push->err;
	return err->code ? -1 : 0;
}

static void clear(struct push *push)
{
	if (push->record)
		image_record_free(push->record);
	free(push->layers);
	free(push->config);
	free(push->manifest);
	free(push->mount_from);
}

int transfer_push(const char *ref, const struct transfer_push_options *push_options,
		  const struct transfer_options *options, struct err *err)
{
	AUTO(registry_settings)
	struct registry_settings *settings = registry_settings_load(options->config_path, err);
	AUTO(store) struct store *store = NULL;
	struct push push = { .text = ref, .options = options };
	int result = -1;

	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)stamp_now_ns());
	if (settings && choose_compression(push_options->compression, &push.compression, err) == 0)
		store = transfer_store_open(options->root, options->runtime_root,
					    options->config_path, err);
	push.store = store;
	if (store && load(&push, ref, push_options->target, err) == 0)
		result = run(&push, settings, err);
	clear(&push);
	if (result < 0) {
		const struct transfer_progress progress = {
			.status = TRANSFER_IMAGE_FAILED,
			.text = err->msg,
			.code = err_code_name(err->code),
		};

		err_wrap(err, "image %s", ref);
		tell(&push, &progress);
	}
	return result;
}

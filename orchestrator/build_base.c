/* orchestrator/build_base - images that stages begin with or copy from.
 *
 * Owns: which of them are fetched, the list of those that are here. May not touch: registries
 * (orchestrator/transfer).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "images/ref.h"
#include "orchestrator/build_inner.h"
#include "orchestrator/transfer.h"

#define DOCKER_IMAGE "docker-image://"

const char *build_base_of_context(const char *value)
{
	return text_starts(value, DOCKER_IMAGE) ? value + strlen(DOCKER_IMAGE) : NULL;
}

/* ---- from the store ---- */

static void image_free(struct build_image *image)
{
	if (image->context)
		df_context_free(image->context);
	for (size_t i = 0; i < image->layer_count; i++)
		free(image->diff_ids[i]);
	free(image->diff_ids);
	free(image->ref);
	free(image->platform);
	free(image->manifest_digest);
	free(image->config);
	free(image);
}
static void auto_build_image(struct build_image **image)
{
	if (*image)
		image_free(*image);
}

/* The lease keeps what the build stands on. */
static int read_image(struct build_worker *build, const char *id, struct build_image *out,
		      struct err *err)
{
	AUTO(image_record) struct image_record *record = store_image(build->store, id, err);

	if (!record ||
	    store_image_config(build->store, id, &out->config, &out->config_len, err) < 0 ||
	    lease_add(build->lease, id, err) < 0)
		return -1;
	snprintf(out->id, sizeof(out->id), "%s", id);
	out->manifest_digest = xstrdup(record->manifest_digest);
	out->diff_ids = xcalloc(record->layer_count + 1, sizeof(char *));
	for (size_t i = 0; i < record->layer_count; i++) {
		out->diff_ids[out->layer_count++] = xstrdup(record->layers[i].diff_id);
		if (lease_add(build->lease, record->layers[i].diff_id, err) < 0)
			return -1;
	}
	return 0;
}

/* An image under the name may be one of another platform. */
static bool fits(struct build_worker *build, const char *id, const struct platform *wanted)
{
	struct err ignored = ERR_NONE;
	AUTO(image_record) struct image_record *record = store_image(build->store, id, &ignored);
	struct platform have = { 0 };

	if (!record)
		return false;
	snprintf(have.os, sizeof(have.os), "%s", record->os);
	snprintf(have.arch, sizeof(have.arch), "%s", record->architecture);
	snprintf(have.variant, sizeof(have.variant), "%s", record->variant);
	platform_normalise(&have);
	return platform_score(wanted, true, &have) > 0;
}

static bool is_here(struct build_worker *build, const char *ref, const struct platform *platform,
		    char out_id[DIGEST_TEXT_MAX])
{
	struct err absent = ERR_NONE;

	return store_resolve(build->store, ref, out_id, &absent) == 0 &&
	       fits(build, out_id, platform);
}

/* ---- from registries ---- */

static void tell_pull(void *ctx, const struct transfer_progress *progress)
{
	struct build_worker *build = ctx;
	struct json_object *object = json_object_new_object();
	struct json_object *line = json_object_new_object();

	json_add_text(object, "event", "pull");
	json_object_object_add(object, "line", line);
	json_add_text(line, "image", progress->image);
	json_add_text(line, "layer", progress->layer);
	json_add_text(line, "status",
		      progress->status == TRANSFER_IMAGE_DONE
			      ? progress->text
			      : transfer_status_name(progress->status));
	json_add_int(line, "current", (int64_t)progress->current_bytes);
	json_add_int(line, "total", (int64_t)progress->total_bytes);
	json_add_text(line, "id", progress->id);
	json_add_text(line, "digest", progress->digest);
	if (progress->status == TRANSFER_IMAGE_FAILED)
		json_add_text(line, "error", progress->text);
	else if (progress->status == TRANSFER_WARNING || progress->status == TRANSFER_RETRYING)
		json_add_text(line, "text", progress->text);
	build_event_send(build->events, object);
}

static int pull(struct build_worker *build, const char *const *refs, size_t count,
		const char *platform, struct err *err)
{
	struct transfer_options options = { .root = build->env->roots->state,
					    .runtime_root = build->env->roots->run,
					    .config_path = build->env->config_path,
					    .platform = platform,
					    .policy = TRANSFER_ALWAYS,
					    .progress = tell_pull,
					    .progress_ctx = build };

	return count ? transfer_pull(refs, count, &options, err) : 0;
}

struct wants {
	struct arena *arena;
	struct want {
		const char *ref, *platform;
		bool is_pulled;
	} * items;
	size_t count;
};

static void want(struct wants *wants, struct build_job *job, const char *ref,
		 const struct platform *platform)
{
	char text[PLATFORM_TEXT_MAX], id[DIGEST_TEXT_MAX];
	struct want *one;

	if (!(job->spec->flags & BUILD_PULL) && is_here(job->build, ref, platform, id))
		return;
	platform_text(platform, text);
	for (size_t i = 0; i < wants->count; i++)
		if (strcmp(wants->items[i].ref, ref) == 0 &&
		    strcmp(wants->items[i].platform, text) == 0)
			return;
	one = arena_grow(wants->arena, &wants->items, &wants->count, sizeof(*one));
	one->ref = ref;
	one->platform = arena_strdup(wants->arena, text);
}

static void want_ref(struct wants *wants, struct build_job *job, const struct df_ref *ref,
		     const struct platform *platform)
{
	if (ref->kind == DF_REF_IMAGE)
		want(wants, job, ref->name, platform);
	for (size_t i = 0; ref->kind == DF_REF_CONTEXT && i < job->spec->context_count; i++) {
		const char *image = build_base_of_context(job->spec->contexts[i].value);

		if (image && strcmp(job->spec->contexts[i].name, ref->name) == 0)
			want(wants, job, image, platform);
	}
}

static void want_of_job(struct wants *wants, struct build_job *job)
{
	for (size_t i = 0; i < job->graph.stage_count; i++) {
		const struct df_stage *stage = &job->graph.stages[i];

		if (!stage->is_needed)
			continue;
		want_ref(wants, job, &stage->base, &job->stages[i].platform);
		for (size_t n = 0; n < stage->edge_count; n++)
			want_ref(wants, job, &stage->edges[n].ref, &job->platform);
	}
}

int build_bases_fetch(struct build_worker *build, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct wants wants = { .arena = arena };

	for (size_t i = 0; i < build->job_count; i++)
		want_of_job(&wants, &build->jobs[i]);
	for (size_t i = 0; i < wants.count; i++) {
		const char **refs = arena_alloc(arena, (wants.count + 1) * sizeof(*refs));
		size_t count = 0;

		for (size_t n = i; n < wants.count; n++)
			if (!wants.items[n].is_pulled &&
			    strcmp(wants.items[n].platform, wants.items[i].platform) == 0) {
				refs[count++] = wants.items[n].ref;
				wants.items[n].is_pulled = true;
			}
		if (pull(build, refs, count, wants.items[i].platform, err) < 0)
			return -1;
	}
	return 0;
}

static struct build_image *find(struct build_worker *build, const char *ref, const char *platform)
{
	for (size_t i = 0; i < build->image_count; i++)
		if (strcmp(build->images[i]->ref, ref) == 0 &&
		    strcmp(build->images[i]->platform, platform) == 0)
			return build->images[i];
	return NULL;
}

/* image_lock is held. */
static struct build_image *get(struct build_worker *build, const char *ref,
			       const struct platform *platform, struct err *err)
{
	char text[PLATFORM_TEXT_MAX], id[DIGEST_TEXT_MAX];
	struct build_image *known = find(build, ref, platform_text(platform, text));
	AUTO(build_image) struct build_image *image = NULL;

	if (known)
		return known;
	if (!is_here(build, ref, platform, id) &&
	    (pull(build, &ref, 1, text, err) < 0 || store_resolve(build->store, ref, id, err) < 0))
		return NULL;
	image = xcalloc(1, sizeof(*image));
	image->ref = xstrdup(ref);
	image->platform = xstrdup(text);
	if (read_image(build, id, image, err) < 0)
		return NULL;
	/* analyzer: an array of pointers */
	*(struct build_image **)xgrow(&build->images, &build->image_count, sizeof(image)) = image;
	return TAKE(image);
}

int build_base_get(struct build_worker *build, const char *ref, const struct platform *platform,
		   const struct build_image **out, struct err *err)
{
	pthread_mutex_lock(&build->image_lock);
	*out = get(build, ref, platform, err);
	pthread_mutex_unlock(&build->image_lock);
	return *out ? 0 : -1;
}

int build_base_context(struct build_worker *build, const char *ref, const struct platform *platform,
		       struct df_context **out, struct err *err)
{
	struct build_image *image;

	pthread_mutex_lock(&build->image_lock);
	image = get(build, ref, platform, err);
	if (image && !image->context)
		image->context = df_context_open_layers(
			build->lease, (const char *const *)(uintptr_t)image->diff_ids,
			image->layer_count, image->ref);
	*out = image ? image->context : NULL;
	pthread_mutex_unlock(&build->image_lock);
	return image ? 0 : -1;
}

void build_bases_free(struct build_worker *build)
{
	for (size_t i = 0; i < build->image_count; i++)
		image_free(build->images[i]);
	free(build->images);
}

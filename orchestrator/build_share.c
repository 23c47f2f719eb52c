/* orchestrator/build_share - cache_from and cache_to: step records that travel with images.
 *
 * Owns: the words of both options, where manifests come from and go to. May not touch: what stands
 * in a manifest (images/dockerfile/share).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "images/ref.h"
#include "orchestrator/build_inner.h"
#include "orchestrator/transfer.h"

/* "type=registry,ref=X", "type=local,src=DIR", or X alone: a reference. */
struct share_words {
	char *type, *ref, *path;
};

static void words_clear(struct share_words *words)
{
	free(words->type);
	free(words->ref);
	free(words->path);
}

static void words_read(const char *text, struct share_words *out)
{
	struct slice rest = SLICE(text), part, key, value;

	*out = (struct share_words){ NULL, NULL, NULL };
	if (!strchr(text, '=')) {
		out->type = xstrdup("registry");
		out->ref = xstrdup(text);
		return;
	}
	while (slice_next(&rest, ',', &part)) {
		char **place;

		slice_split(part, '=', &key, &value);
		place = slice_is(key, "type")                           ? &out->type
			: slice_is(key, "ref")                          ? &out->ref
			: slice_is(key, "src") || slice_is(key, "dest") ? &out->path
									: NULL;
		if (!place)
			continue;
		free(*place);
		*place = xstrndup(value.at, value.len);
	}
	if (!out->type)
		out->type = xstrdup("");
}

/* ---- from ---- */

struct source {
	struct df_shared *shared;
	bool is_local; /* layers come out of the folder; else they came with the pull */
};

struct build_shared {
	struct source *items;
	size_t count;
};

static int open_image(struct build_worker *build, const char *ref, struct df_shared **out,
		      struct err *err)
{
	struct transfer_options options = { .root = build->env->roots->state,
					    .runtime_root = build->env->roots->run,
					    .config_path = build->env->config_path,
					    .policy = TRANSFER_ALWAYS };
	AUTO(free) char *manifest = NULL;
	char id[DIGEST_TEXT_MAX];
	struct err remote = ERR_NONE;
	size_t len;

	/* An image that was built here may be at no registry. */
	if (transfer_pull(&ref, 1, &options, &remote) < 0 &&
	    store_resolve(build->store, ref, id, err) < 0) {
		*err = remote;
		return -1;
	}
	if (store_resolve(build->store, ref, id, err) < 0 ||
	    store_image_manifest(build->store, id, &manifest, &len, err) < 0 ||
	    lease_add(build->lease, id, err) < 0)
		return -1;
	*out = df_shared_parse(manifest, len, err);
	return *out ? 0 : -1;
}

static void open_one(struct build_worker *build, const char *text)
{
	struct share_words words;
	struct source source = { NULL, false };
	struct err err = ERR_NONE;
	int status;

	words_read(text, &words);
	if (strcmp(words.type, "registry") == 0 && words.ref) {
		status = open_image(build, words.ref, &source.shared, &err);
	} else if (strcmp(words.type, "local") == 0 && words.path) {
		source.is_local = true;
		source.shared = df_shared_open_dir(words.path, &err);
		status = source.shared ? 0 : -1;
	} else {
		status = err_set(&err, ERR_UNSUPPORTED,
				 "must be type=registry,ref= or "
				 "type=local,src=");
	}
	if (status < 0)
		build_event_note(build->events, 0, "cache_from %s: %s (left out)", text, err.msg);
	else
		*(struct source *)xgrow(&build->shared->items, &build->shared->count,
					sizeof(source)) = source;
	words_clear(&words);
}

void build_share_open(struct build_worker *build)
{
	build->shared = xcalloc(1, sizeof(*build->shared));
	for (size_t i = 0; i < build->job_count; i++)
		for (size_t n = 0; n < build->jobs[i].spec->cache_from.count; n++)
			open_one(build, build->jobs[i].spec->cache_from.items[n]);
}

void build_share_close(struct build_worker *build)
{
	if (!build->shared)
		return;
	for (size_t i = 0; i < build->shared->count; i++)
		df_shared_free(build->shared->items[i].shared);
	free(build->shared->items);
	free(build->shared);
}

static int bring(struct build_worker *build, const struct source *source, const char *key,
		 const struct df_shared_step *found, struct step *out, struct err *err)
{
	*out = (struct step){ .created_unix_ns = found->created_unix_ns };
	if (found->digest || found->diff_id) {
		if (source->is_local && !store_has_layer(build->store, found->diff_id) &&
		    df_shared_load(source->shared, build->lease, found, err) < 0)
			return -1;
		if (!store_has_layer(build->store, found->diff_id))
			return 0;
		snprintf(out->diff_id, sizeof(out->diff_id), "%s", found->diff_id);
		if (lease_add(build->lease, out->diff_id, err) < 0)
			return -1;
	}
	return steps_save(build->lease, key, out, err) < 0 ? -1 : 1;
}

int build_share_find(struct build_worker *build, const char *key, struct step *out, struct err *err)
{
	for (size_t i = 0; build->shared && i < build->shared->count; i++) {
		const struct source *source = &build->shared->items[i];
		struct df_shared_step found;

		if (df_shared_find(source->shared, key, &found))
			return bring(build, source, key, &found, out, err);
	}
	return 0;
}

/* ---- to ---- */

static struct df_share_step *all_steps(struct build_job *job, size_t *out_count)
{
	struct df_share_step *steps = NULL;

	*out_count = 0;
	for (size_t i = 0; i < job->graph.order_count; i++) {
		const struct build_stage *stage = &job->stages[job->graph.order[i]];

		for (size_t n = 0; n < stage->step_count; n++)
			*(struct df_share_step *)xgrow(&steps, out_count, sizeof(*steps)) =
				stage->steps[n];
	}
	return steps;
}

static bool wants(const struct build_job *job, const char *type)
{
	bool found = false;

	for (size_t i = 0; i < job->spec->cache_to.count && !found; i++) {
		struct share_words words;

		words_read(job->spec->cache_to.items[i], &words);
		found = strcmp(words.type, type) == 0;
		words_clear(&words);
	}
	return found;
}

char *build_share_annotations(struct build_job *job)
{
	const struct build_stage *stage = &job->stages[job->graph.target];

	return wants(job, "inline")
		       ? df_share_annotations(stage->state.image, stage->steps, stage->step_count)
		       : NULL;
}

static int push_cache(struct build_job *job, const char *text, const char *id, struct err *err)
{
	const struct build_env *env = job->build->env;
	struct transfer_options options = { .root = env->roots->state,
					    .runtime_root = env->roots->run,
					    .config_path = env->config_path };
	struct transfer_push_options push = { .target = text };

	return transfer_push(id, &push, &options, err);
}

static int export_one(struct build_job *job, const char *text, struct err *err)
{
	struct share_words words;
	struct df_share_step *steps;
	char id[DIGEST_TEXT_MAX];
	size_t count;
	int status = 0;

	words_read(text, &words);
	steps = all_steps(job, &count);
	if (strcmp(words.type, "registry") == 0 && words.ref) {
		status = df_share_export(job->build->lease, steps, count, id, err);
		if (status == 0)
			status = push_cache(job, words.ref, id, err);
	} else if (strcmp(words.type, "local") == 0 && words.path) {
		status = df_share_export(job->build->lease, steps, count, id, err);
		if (status == 0)
			status = build_result_layout(job->build, id, words.path, err);
	} else if (strcmp(words.type, "inline") != 0) {
		build_event_note(job->build->events, 0,
				 "cache_to %s: must be type=registry,ref=, type=local,dest= or "
				 "type=inline (left out)",
				 text);
	}
	free(steps);
	words_clear(&words);
	return status < 0 ? err_wrap(err, "cache_to") : 0;
}

int build_share_export(struct build_job *job, struct err *err)
{
	for (size_t i = 0; i < job->spec->cache_to.count; i++)
		if (export_one(job, job->spec->cache_to.items[i], err) < 0)
			return -1;
	return 0;
}

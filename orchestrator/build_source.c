/* orchestrator/build_source - where COPY --from and a mount's from= lead: a stage, an image, a
 * named context, or the context of the build.
 *
 * Owns: the choice among them, waiting for stages. May not touch: what is copied.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "orchestrator/build_inner.h"

static bool has_ended(void *ctx)
{
	return ((struct build_stage *)ctx)->end != STAGE_OPEN;
}

int build_source_await(struct build_stage *other, struct err *err)
{
	if (build_control_wait(other->job->build->control, has_ended, other, err) < 0)
		return -1;
	return other->end == STAGE_DONE ? 0 : err_set(err, ERR_CANCELLED, "cancelled");
}

static int stage_source(struct build_stage *other, struct df_context **out, struct err *err)
{
	if (build_source_await(other, err) < 0)
		return -1;
	pthread_mutex_lock(&other->job->pure);
	if (!other->context) {
		size_t count;
		const char *const *layers = df_image_layers(other->state.image, &count);

		other->context = df_context_open_layers(
			other->job->build->lease, layers, count,
			arena_format(other->job->arena, "stage %s",
				     other->df->name ? other->df->name : other->title));
	}
	*out = other->context;
	pthread_mutex_unlock(&other->job->pure);
	return 0;
}

static struct build_job *job_of_service(struct build_worker *build, const char *name)
{
	for (size_t i = 0; i < build->job_count; i++)
		if (build->jobs[i].spec->name && strcmp(build->jobs[i].spec->name, name) == 0)
			return &build->jobs[i];
	return NULL;
}

/* `named` of a job, by the value of its --build-context. */
static int named_source(struct build_stage *stage, size_t i, struct df_context **out,
			struct err *err)
{
	struct build_job *job = stage->job;
	const struct build_context *named = &job->spec->contexts[i];
	int status = 0;

	if (text_starts(named->value, "service:")) {
		struct build_job *other = job_of_service(job->build, named->value + 8);

		if (!other || other == job)
			return err_set(err, ERR_INVALID, "context %s: no service %s is built here",
				       named->name, named->value + 8);
		return stage_source(&other->stages[other->graph.target], out, err);
	}
	pthread_mutex_lock(&job->pure);
	if (!job->named[i]) {
		status = build_job_open_context(job, named->value, &job->named_fetched[i],
						&job->named[i], err);
		if (status == 0)
			status = df_context_read_ignore(job->named[i], err);
	}
	*out = job->named[i];
	pthread_mutex_unlock(&job->pure);
	return status < 0 ? err_wrap(err, "context %s", named->name) : 0;
}

/* The edge that the graph has found for it; triggers of a base image have none. */
static struct df_ref ref_of(const struct build_stage *stage, const struct df_instr *instr,
			    const char *from)
{
	const struct df_graph *graph = &stage->job->graph;

	for (size_t i = 0; i < stage->df->edge_count; i++) {
		const struct df_edge *edge = &stage->df->edges[i];
		const struct df_ref *ref = &edge->ref;
		const char *name =
			ref->kind == DF_REF_STAGE ? graph->stages[ref->stage].name : ref->name;
		char number[24];

		snprintf(number, sizeof(number), "%zu", ref->stage);
		if (edge->instr == instr &&
		    ((name && strcasecmp(name, from) == 0) ||
		     (ref->kind == DF_REF_STAGE && strcmp(number, from) == 0)))
			return *ref;
	}
	for (size_t i = 0; i < stage->df->index; i++)
		if (graph->stages[i].name && strcasecmp(graph->stages[i].name, from) == 0 &&
		    graph->stages[i].is_needed)
			return (struct df_ref){ DF_REF_STAGE, i, from };
	return (struct df_ref){ DF_REF_IMAGE, 0, from };
}

int build_source_open(struct build_stage *stage, const struct df_instr *instr, const char *from,
		      struct df_context **out, struct err *err)
{
	struct build_job *job = stage->job;
	struct df_ref ref;

	*out = job->context;
	if (!from)
		return 0;
	ref = ref_of(stage, instr, from);
	if (ref.kind == DF_REF_STAGE)
		return stage_source(&job->stages[ref.stage], out, err);
	if (ref.kind == DF_REF_CONTEXT)
		for (size_t i = 0; i < job->spec->context_count; i++) {
			const char *image = build_base_of_context(job->spec->contexts[i].value);

			if (strcmp(job->spec->contexts[i].name, ref.name) != 0)
				continue;
			return image ? build_base_context(job->build, image, &job->platform, out,
							  err)
				     : named_source(stage, i, out, err);
		}
	if (ref.kind == DF_REF_SCRATCH)
		return err_set(err, ERR_INVALID, "scratch has no files to copy");
	return build_base_context(job->build, ref.name, &job->platform, out, err);
}

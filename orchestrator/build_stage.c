/* orchestrator/build_stage - the thread of one stage: FROM, triggers, instruction after
 * instruction.
 *
 * Owns: the order, the end of a stage, how a failure is told. May not touch: how a step is done
 * (build_step).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "images/dockerfile/lex.h"
#include "orchestrator/build_inner.h"

/* ---- failures ---- */

/* An ONBUILD text of the base image is shown at FROM. */
static bool in_trigger(const struct build_stage *stage)
{
	return stage->state.report && stage->state.report != &stage->job->report;
}

/* "Dockerfile:12: RUN: " in front, unless the place is there already. */
static void put_place(struct build_stage *stage, const struct df_instr *instr, struct err *err)
{
	const struct df_report *report = &stage->job->report;
	AUTO(free) char *prefix = xformat("%s:", report->file);

	if (!instr || text_starts(err->msg, prefix))
		return;
	err_wrap(err, "%s%u: %s%s", prefix,
		 in_trigger(stage) ? stage->df->from->place.line : instr->place.line,
		 in_trigger(stage) ? "ONBUILD " : "", df_row(instr->kind)->name);
}

static struct json_object *error_event(struct build_stage *stage, const struct df_instr *instr,
				       const struct texts *tail, const struct err *err)
{
	struct build_job *job = stage->job;
	struct json_object *object = json_object_new_object();
	const struct df_line *line = in_trigger(stage) ? stage->df->from->line
				     : instr           ? instr->line
						       : NULL;

	json_add_text(object, "event", "error");
	json_add_text(object, "code", err_code_name(err->code));
	json_add_text(object, "error", err->msg);
	json_add_text(object, "stage", stage->title);
	json_add_int(object, "number", (int64_t)stage->number);
	json_add_int(object, "count", (int64_t)stage->count);
	if (line) {
		pthread_mutex_lock(&job->pure);
		json_add_text(object, "snippet",
			      df_report_snippet(&job->report, line->first_line, line->last_line));
		pthread_mutex_unlock(&job->pure);
	}
	if (tail && tail->count) {
		struct json_object *array = json_add_array(object, "output");

		for (size_t i = 0; i < tail->count; i++)
			json_push_text(array, tail->items[i]);
	}
	return object;
}

void build_stage_failed(struct build_stage *stage, const struct df_instr *instr, unsigned step,
			const struct texts *tail, struct err *err)
{
	struct build_worker *build = stage->job->build;
	bool is_first;

	if (err->code == ERR_OK)
		err_set(err, ERR_INTERNAL, "failed without a reason");
	pthread_mutex_lock(&build->error_lock);
	is_first = build->first_error.code == ERR_OK && err->code != ERR_CANCELLED;
	if (step && err->code != ERR_CANCELLED)
		build_event_failed(build->events, step, err);
	if (err->code != ERR_CANCELLED)
		put_place(stage, instr, err);
	if (is_first) {
		build->first_error = *err;
		build_event_send(build->events, error_event(stage, instr, tail, err));
	}
	pthread_mutex_unlock(&build->error_lock);
	stage->err = *err;
	if (is_first)
		build_control_cancel(build->control);
}

/* ---- FROM ---- */

static struct df_image *image_of_base(struct build_stage *stage, const char *ref, struct err *err)
{
	const struct build_image *base;
	struct df_image *image;
	char text[PLATFORM_TEXT_MAX];

	if (build_base_get(stage->job->build, ref, &stage->platform, &base, err) < 0)
		return NULL;
	image = df_image_parse(base->config, base->config_len, err);
	if (image)
		df_key_from(base->manifest_digest, platform_text(&stage->platform, text),
			    stage->state.key);
	return image;
}

static struct df_image *image_of_stage(struct build_stage *stage, struct build_stage *other,
				       struct err *err)
{
	if (build_source_await(other, err) < 0)
		return NULL;
	memcpy(stage->state.key, other->state.key, sizeof(stage->state.key));
	return df_image_copy(other->state.image);
}

static struct df_image *image_of_context(struct build_stage *stage, const char *name,
					 struct err *err)
{
	const struct build_spec *spec = stage->job->spec;
	struct build_worker *build = stage->job->build;

	for (size_t i = 0; i < spec->context_count; i++) {
		const char *value = spec->contexts[i].value;
		const char *ref = build_base_of_context(value);

		if (strcmp(spec->contexts[i].name, name) != 0)
			continue;
		if (ref)
			return image_of_base(stage, ref, err);
		for (size_t n = 0; text_starts(value, "service:") && n < build->job_count; n++) {
			struct build_job *other = &build->jobs[n];

			if (other != stage->job && other->spec->name &&
			    strcmp(other->spec->name, value + 8) == 0)
				return image_of_stage(stage, &other->stages[other->graph.target],
						      err);
		}
		err_set(err, ERR_UNSUPPORTED,
			"context %s is no image: FROM takes docker-image://REF or service:NAME",
			name);
		return NULL;
	}
	err_set(err, ERR_NOT_FOUND, "no context %s", name);
	return NULL;
}

static struct df_image *base_image(struct build_stage *stage, struct err *err)
{
	const struct df_ref *base = &stage->df->base;
	char text[PLATFORM_TEXT_MAX];

	switch (base->kind) {
	case DF_REF_STAGE:
		return image_of_stage(stage, &stage->job->stages[base->stage], err);
	case DF_REF_IMAGE:
		return image_of_base(stage, base->name, err);
	case DF_REF_CONTEXT:
		return image_of_context(stage, base->name, err);
	default:
		df_key_from(NULL, platform_text(&stage->platform, text), stage->state.key);
		return df_image_scratch(&stage->platform);
	}
}

static int begin(struct build_stage *stage, struct err *err)
{
	struct build_job *job = stage->job;
	const struct df_ref *base = &stage->df->base;
	const struct build_stage *parent =
		base->kind == DF_REF_STAGE ? &job->stages[base->stage] : NULL;
	char key[DF_KEY_SIZE];
	struct df_image *image = base_image(stage, err);
	unsigned step;

	if (!image)
		return -1;
	memcpy(key, stage->state.key, sizeof(key));
	pthread_mutex_lock(&job->pure);
	stage->scope = df_scope_new_stage(job->graph.global, parent ? parent->scope : NULL);
	df_state_begin(&stage->state, &job->report, job->file.escape, stage->scope, image);
	memcpy(stage->state.key, key, sizeof(key));
	pthread_mutex_unlock(&job->pure);
	step = build_event_step(job->build->events, stage->title, ++stage->number, stage->count,
				arena_format(job->arena, "FROM %s", stage->df->from->arguments));
	build_event_done(job->build->events, step);
	return 0;
}

/* ---- instructions ---- */

static int step_from(struct build_stage *stage, const struct df_instr *instr)
{
	(void)stage;
	(void)instr;
	return 0;
}

static const struct {
	int (*run)(struct build_stage *stage, const struct df_instr *instr);
} steps[DF_KIND_COUNT] = {
	[DF_RUN] = { build_step_run },
	[DF_COPY] = { build_step_copy },
	[DF_ADD] = { build_step_copy },
	[DF_FROM] = { step_from },
};

static int do_instr(struct build_stage *stage, const struct df_instr *instr)
{
	struct err err = ERR_NONE;

	if (build_control_is_cancelled(stage->job->build->control)) {
		err_set(&err, ERR_CANCELLED, "cancelled");
		build_stage_failed(stage, NULL, 0, NULL, &err);
		return -1;
	}
	return steps[instr->kind].run ? steps[instr->kind].run(stage, instr)
				      : build_step_config(stage, instr);
}

/* The texts that the base image has left for its heirs run first. */
static int parse_trigger(struct build_stage *stage, struct df_report *report, const char *text,
			 struct df_file *out, struct err *err)
{
	struct build_job *job = stage->job;
	struct df_source *source = arena_alloc(job->arena, sizeof(*source));

	*report = (struct df_report){
		.arena = job->arena,
		.file = arena_format(job->arena, "ONBUILD of %s",
				     stage->df->base.name ? stage->df->base.name : "the base")
	};
	if (df_lex(report, text, strlen(text), source, err) < 0)
		return -1;
	return df_parse(report, source, DF_PARSE_TRIGGERS, out, err);
}

static int do_triggers(struct build_stage *stage)
{
	struct build_job *job = stage->job;
	size_t count;
	const char *const *texts = df_image_take_triggers(stage->state.image, &count);
	char escape = stage->state.escape;
	int status = 0;

	for (size_t i = 0; i < count && status == 0; i++) {
		struct df_file *file;
		struct df_report *report;
		struct err err = ERR_NONE;

		pthread_mutex_lock(&job->pure);
		file = arena_alloc(job->arena, sizeof(*file));
		report = arena_alloc(job->arena, sizeof(*report));
		status = parse_trigger(stage, report, texts[i], file, &err);
		pthread_mutex_unlock(&job->pure);
		if (status < 0)
			build_stage_failed(stage, stage->df->from, 0, NULL, &err);
		stage->state.report = report;
		stage->state.escape = '\\';
		for (size_t n = 0; n < file->instr_count && status == 0; n++)
			status = do_instr(stage, &file->instrs[n]);
	}
	stage->state.report = &job->report;
	stage->state.escape = escape;
	return status;
}

static int work(struct build_stage *stage)
{
	struct err err = ERR_NONE;

	if (begin(stage, &err) < 0) {
		build_stage_failed(stage, stage->df->from, 0, NULL, &err);
		return -1;
	}
	if (do_triggers(stage) < 0)
		return -1;
	for (size_t i = 0; i < stage->df->instr_count; i++)
		if (do_instr(stage, &stage->df->instrs[i]) < 0)
			return -1;
	return 0;
}

static void end_well(void *ctx)
{
	((struct build_stage *)ctx)->end = STAGE_DONE;
}

static void end_badly(void *ctx)
{
	((struct build_stage *)ctx)->end = STAGE_FAILED;
}

void *build_stage_main(void *data)
{
	struct build_stage *stage = data;
	struct build_worker *build = stage->job->build;
	uint64_t one = 1;
	int status = work(stage);

	pthread_mutex_lock(&stage->job->pure);
	build_job_tell_warnings(stage->job);
	pthread_mutex_unlock(&stage->job->pure);
	build_control_change(build->control, status == 0 ? end_well : end_badly, stage);
	if (write(build->done_fd, &one, sizeof(one)) < 0)
		return NULL; /* an eventfd of this process: cannot be */
	return NULL;
}

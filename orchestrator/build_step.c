/* orchestrator/build_step - RUN, COPY, ADD, WORKDIR: the cache is asked, else it is done.
 *
 * Owns: the way of one step from its instruction to a layer and a record. May not touch: what keys
 * are made of (images/dockerfile/key), the process of a RUN (build_run).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/snapshot.h"
#include "orchestrator/build_inner.h"
#include "orchestrator/build_step.h"

#define LOCK_POLL_US 20000
#define COPY_TRIES   5 /* plans of a COPY whose sources change under it */

/* ---- what all have in common ---- */

static uint64_t now_ns(const struct build_stage *stage)
{
	int64_t epoch = stage->job->spec->epoch_s;

	return epoch >= 0 ? (uint64_t)epoch * 1000000000ull : stamp_now_ns();
}

void build_step_layer(const struct build_stage *stage, struct df_layer_spec *out)
{
	const struct build_spec *spec = stage->job->spec;
	uint64_t epoch_ns = spec->epoch_s >= 0 ? (uint64_t)spec->epoch_s * 1000000000ull : 0;

	*out = (struct df_layer_spec){ .lease = stage->job->build->lease,
				       .now_unix_ns = epoch_ns,
				       .max_mtime_ns =
					       spec->flags & BUILD_REWRITE_TIMESTAMP ? epoch_ns : 0,
				       .lower_fd = -1 };
}

static bool skips_cache(const struct build_stage *stage)
{
	const struct build_spec *spec = stage->job->spec;

	return spec->flags & BUILD_NO_CACHE ||
	       (stage->df->name && texts_has(&spec->no_cache_filter, stage->df->name));
}

/* Who has the lock makes the step; the others find it afterwards. */
static int lock_key(struct build_stage *stage, const char *key, struct err *err)
{
	struct build_worker *build = stage->job->build;

	for (;;) {
		int fd = steps_lock(build->store, key, false, err);

		if (fd >= 0 || err->code != ERR_BUSY)
			return fd;
		*err = ERR_NONE;
		if (build_control_is_cancelled(build->control))
			return err_set(err, ERR_CANCELLED, "cancelled");
		usleep(LOCK_POLL_US);
	}
}

/* 1: the cache has it. */
static int ask_cache(struct build_stage *stage, const char *key, struct step *out, struct err *err)
{
	struct build_worker *build = stage->job->build;
	int found;

	if (skips_cache(stage))
		return 0;
	found = steps_find(build->lease, key, out, err);
	return found ? found : build_share_find(build, key, out, err);
}

static void note_step(struct build_stage *stage, const char *key, const struct step *step)
{
	struct df_share_step *one = xgrow(&stage->steps, &stage->step_count, sizeof(*one));

	memcpy(one->key, key, DF_KEY_SIZE);
	one->step = *step;
}

/* The step's layer is there: into image, key, history. */
static void add_step(struct build_stage *stage, const char *key, const char *created_by,
		     const struct step *step)
{
	pthread_mutex_lock(&stage->job->pure);
	df_state_add(&stage->state, key, created_by, step->diff_id, step->created_unix_ns);
	pthread_mutex_unlock(&stage->job->pure);
	note_step(stage, key, step);
}

static int save_step(struct build_stage *stage, const char *key, const struct df_layer *layer,
		     struct step *out, struct err *err)
{
	crash_point("build", "step-done");
	*out = (struct step){ .created_unix_ns = now_ns(stage), .tar_bytes = layer->tar_bytes };
	memcpy(out->diff_id, layer->diff_id, sizeof(out->diff_id));
	return steps_save(stage->job->build->lease, key, out, err);
}

int build_step_cached(struct build_stage *stage, const char *key, struct build_making *making,
		      struct step *out, bool *out_hit, struct err *err)
{
	struct build_worker *build = stage->job->build;
	AUTO(fd) int lock = lock_key(stage, key, err);
	struct df_layer layer = { 0 };
	int found = lock < 0 ? -1 : ask_cache(stage, key, out, err);

	*out_hit = found == 1;
	if (found)
		return found < 0 ? -1 : 0;
	if (build_control_enter(build->control, err) < 0)
		return -1;
	found = making->make(stage, making->ctx, &layer, err);
	if (found == 0)
		found = save_step(stage, key, &layer, out, err);
	build_control_leave(build->control);
	return found;
}

int build_step_root(struct build_stage *stage, struct snapshot **out, struct err *err)
{
	size_t count;
	const char *const *layers = df_image_layers(stage->state.image, &count);
	int fd;

	*out = snapshot_open_layers(stage->job->build->lease, layers, count, err);
	if (!*out)
		return -1;
	fd = snapshot_mount(*out, err);
	if (fd < 0)
		snapshot_free(TAKE(*out));
	return fd;
}

unsigned build_step_begin(struct build_stage *stage, const struct df_instr *instr)
{
	AUTO(free) char *text = xformat("%s %s", df_row(instr->kind)->name, instr->arguments);

	return build_event_step(stage->job->build->events, stage->title, ++stage->number,
				stage->count, text);
}

static void end_step(struct build_stage *stage, unsigned step, bool hit)
{
	if (hit)
		build_event_cached(stage->job->build->events, step);
	else
		build_event_done(stage->job->build->events, step);
}

void build_step_end(struct build_stage *stage, unsigned step, bool hit, const char *key,
		    const char *created_by, const struct step *made)
{
	add_step(stage, key, created_by, made);
	end_step(stage, step, hit);
}

/* ---- COPY, ADD ---- */

static int write_copy(struct build_stage *stage, void *ctx, struct df_layer *out, struct err *err)
{
	struct df_copy *copy = ctx;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(fd) int root = build_step_root(stage, &snapshot, err);
	struct df_layer_spec layer;

	build_step_layer(stage, &layer);
	return root < 0 ? -1 : df_copy_run(copy, root, &layer, out, err);
}

/* One plan and its run; ERR_BUSY: a source has changed since. */
static int try_copy(struct build_stage *stage, const struct df_copy_spec *spec,
		    char key[DF_KEY_SIZE], struct step *out, bool *out_hit, struct err *err)
{
	struct df_copy *planned = NULL;
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct build_making making = { write_copy, NULL };

	if (df_copy_plan(spec, &planned, err) < 0)
		return -1;
	copy = planned;
	making.ctx = copy;
	df_copy_key(copy, stage->state.key, key);
	return build_step_cached(stage, key, &making, out, out_hit, err);
}

int build_step_copy(struct build_stage *stage, const struct df_instr *instr)
{
	struct build_job *job = stage->job;
	unsigned step;
	struct df_copy_spec spec = { 0 };
	const char *created_by = NULL, *from = df_instr_flag(instr, DF_FLAG_FROM);
	struct err err = ERR_NONE;
	char key[DF_KEY_SIZE];
	struct step made;
	bool hit = false;
	int status;

	pthread_mutex_lock(&job->pure);
	status = df_state_copy(&stage->state, instr, &spec, &created_by, &err);
	build_job_tell_warnings(job);
	pthread_mutex_unlock(&job->pure);
	if (status == 0)
		status = build_source_open(stage, instr, from, &spec.context, &err);
	step = build_step_begin(stage, instr); /* what it had to wait for is not its time */
	spec.lease = job->build->lease;
	for (int i = 0; status == 0 && i < COPY_TRIES; i++) {
		err = ERR_NONE;
		status = try_copy(stage, &spec, key, &made, &hit, &err);
		if (status == 0 || err.code != ERR_BUSY)
			break;
		status = i + 1 < COPY_TRIES ? 0 : -1;
	}
	if (status < 0) {
		build_stage_failed(stage, instr, step, NULL, &err);
		return -1;
	}
	build_step_end(stage, step, hit, key, created_by, &made);
	return 0;
}

/* ---- what changes the config; WORKDIR makes its folder, too ---- */

static int make_folder(struct build_stage *stage, void *ctx, struct df_layer *out, struct err *err)
{
	const char *folder = ctx;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(fd) int root = build_step_root(stage, &snapshot, err);
	struct df_layer_spec layer;

	build_step_layer(stage, &layer);
	return root < 0 ? -1
			: df_copy_workdir(stage->job->build->lease, root, folder,
					  df_image_user(stage->state.image), &layer, out, err);
}

static int add_folder(struct build_stage *stage, const struct df_instr *instr,
		      const struct df_configured *configured, struct err *err)
{
	struct build_making making = { make_folder, (void *)(uintptr_t)configured->folder };
	char key[DF_KEY_SIZE];
	unsigned step = build_step_begin(stage, instr);
	struct step made;
	bool hit;

	memcpy(key, stage->state.key, sizeof(key));
	if (build_step_cached(stage, key, &making, &made, &hit, err) < 0) {
		build_stage_failed(stage, instr, step, NULL, err);
		return -1;
	}
	build_step_end(stage, step, hit, key, configured->created_by, &made);
	return 0;
}

int build_step_config(struct build_stage *stage, const struct df_instr *instr)
{
	struct build_job *job = stage->job;
	struct df_configured configured = { 0 };
	struct err err = ERR_NONE;
	int status;

	pthread_mutex_lock(&job->pure);
	status = df_configure(&stage->state, instr, &configured, &err);
	build_job_tell_warnings(job);
	pthread_mutex_unlock(&job->pure);
	if (status < 0) {
		build_stage_failed(stage, instr, 0, NULL, &err);
		return -1;
	}
	return configured.folder ? add_folder(stage, instr, &configured, &err) : 0;
}

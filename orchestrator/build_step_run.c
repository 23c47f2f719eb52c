/* orchestrator/build_step_run - RUN: read, keyed, run, its upper folder made a layer.
 *
 * Owns: the way from struct df_run to a process and from its end to a layer. May not touch: what a
 * mount is (build_mount), the process itself (build_run).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "images/user.h"
#include "orchestrator/build_step.h"

#define TAIL_LINES   40
#define DEFAULT_HOST "builder"

/* The last lines of output, for the message of a failure. */
struct tail {
	char *lines[TAIL_LINES];
	size_t next, count;
};

struct run_job {
	const struct df_run *run;
	struct build_mounts *mounts;
	unsigned step;
	struct build_stage *stage;
	struct tail tail;
};

static void take_line(void *ctx, const char *stream, const char *text, size_t len)
{
	struct run_job *job = ctx;
	struct tail *tail = &job->tail;

	build_event_log(job->stage->job->build->events, job->step, stream, text, len);
	free(tail->lines[tail->next]);
	tail->lines[tail->next] = xstrndup(text, len);
	tail->next = (tail->next + 1) % TAIL_LINES;
	tail->count += tail->count < TAIL_LINES;
}

static struct texts tail_texts(const struct tail *tail, struct arena *arena)
{
	struct texts texts = { arena_alloc(arena, (tail->count + 1) * sizeof(char *)), 0 };

	for (size_t i = 0; i < tail->count; i++)
		texts.items[texts.count++] =
			tail->lines[(tail->next + TAIL_LINES - tail->count + i) % TAIL_LINES];
	return texts;
}

static void tail_clear(struct tail *tail)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(tail->lines[i]);
}

/* ---- the process ---- */

static const char *hostname_of(const struct build_stage *stage)
{
	const struct build_spec *spec = stage->job->spec;

	for (size_t i = 0; i < spec->arg_count; i++)
		if (strcmp(spec->args[i].name, "BUILDKIT_SANDBOX_HOSTNAME") == 0 &&
		    spec->args[i].value && *spec->args[i].value)
			return spec->args[i].value;
	return DEFAULT_HOST;
}

static const char **environment(const struct run_job *job, struct arena *arena, size_t *out_count)
{
	const struct df_run *run = job->run;
	const char **env =
		arena_alloc(arena, (run->env_count + job->mounts->env_count + 1) * sizeof(*env));

	*out_count = 0;
	for (size_t i = 0; i < run->env_count; i++)
		env[(*out_count)++] = run->env[i];
	for (size_t i = 0; i < job->mounts->env_count; i++)
		env[(*out_count)++] = job->mounts->env[i];
	return env;
}

static int open_lowers(const struct snapshot *snapshot, int *fds, struct err *err)
{
	for (size_t i = 0; i < snapshot->lower_count; i++) {
		fds[i] = open(snapshot->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			return err_sys(err, errno, "open %.100s", snapshot->lowers[i]);
	}
	return 0;
}

static int status_error(int status, struct err *err)
{
	if (status > 128)
		return err_set(err, ERR_SYSTEM, "exit status %d (signal %d)", status, status - 128);
	return err_set(err, ERR_SYSTEM, "exit status %d", status);
}

static int start(struct run_job *job, const struct snapshot *snapshot, const int *lowers, int root,
		 unsigned number, struct build_run_result *result, struct err *err)
{
	struct build_stage *stage = job->stage;
	const struct df_run *run = job->run;
	struct image_user user;
	struct build_run_spec spec = { .number = number,
				       .lower_fds = lowers,
				       .lower_count = snapshot->lower_count,
				       .root_mode = snapshot->root_mode,
				       .root_uid = snapshot->root_uid,
				       .root_gid = snapshot->root_gid,
				       .root_mtime_s = snapshot->root_mtime_s,
				       .root_mtime_ns = snapshot->root_mtime_ns,
				       .argv = (const char *const *)run->argv,
				       .argc = run->argc,
				       .user = &user,
				       .cwd = run->cwd,
				       .hostname = hostname_of(stage),
				       .limits = stage->job->spec->limits,
				       .mounts = job->mounts->items,
				       .mount_count = job->mounts->count,
				       .is_file = job->mounts->is_file,
				       .output = take_line,
				       .ctx = job };

	spec.env = environment(job, job->mounts->arena, &spec.env_count);
	spec.insecure = stage->job->spec->flags & BUILD_PRIVILEGED ||
			strcmp(run->security, "insecure") == 0;
	if (build_net_kind(run->network, &spec.network, err) < 0 ||
	    user_resolve(root, run->user, NULL, 0, &user, err) < 0)
		return -1;
	return build_run(&stage->job->build->runner, &spec, result, err);
}

static int capture(struct run_job *job, int root, const struct build_run_result *result,
		   struct df_layer *out, struct err *err)
{
	struct df_layer_spec layer;

	build_step_layer(job->stage, &layer);
	layer.mount_points = job->mounts->points;
	layer.mount_point_count = job->mounts->point_count;
	layer.lower_fd = root;
	return df_capture(result->upper_fd, &layer, out, err);
}

static int make_run(struct build_stage *stage, void *ctx, struct df_layer *out, struct err *err)
{
	struct run_job *job = ctx;
	struct build_worker *build = stage->job->build;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(fd) int root = build_step_root(stage, &snapshot, err);
	struct build_run_result result = { .upper_fd = -1 };
	unsigned number = ++build->run_number;
	int *lowers, status;

	if (root < 0)
		return -1;
	lowers = xcalloc(snapshot->lower_count + 1, sizeof(*lowers));
	memset(lowers, -1, (snapshot->lower_count + 1) * sizeof(*lowers));
	status = open_lowers(snapshot, lowers, err);
	if (status == 0)
		status = build_mounts_make(stage, job->run, number, job->mounts, err);
	if (status == 0)
		status = start(job, snapshot, lowers, root, number, &result, err);
	if (status == 0 && result.status != 0)
		status = status_error(result.status, err);
	if (status == 0)
		status = capture(job, root, &result, out, err);
	build_run_end(&build->runner, &result);
	build_mounts_end(job->mounts);
	for (size_t i = 0; i < snapshot->lower_count; i++)
		if (lowers[i] >= 0)
			close(lowers[i]);
	free(lowers);
	return status;
}

/* ---- the step ---- */

static int read_run(struct build_stage *stage, const struct df_instr *instr, struct df_run *out,
		    struct err *err)
{
	struct build_job *job = stage->job;
	int status;

	pthread_mutex_lock(&job->pure);
	status = df_run_read(&stage->state, instr, job->spec->network, out, err);
	build_job_tell_warnings(job);
	pthread_mutex_unlock(&job->pure);
	return status;
}

int build_step_run(struct build_stage *stage, const struct df_instr *instr)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct build_mounts mounts = { .arena = arena };
	unsigned step = build_step_begin(stage, instr);
	struct df_run run = { 0 };
	struct run_job job = {
		&run, &mounts, step, stage, {{ NULL }, 0, 0}
	};
	struct build_making making = { make_run, &job };
	struct err err = ERR_NONE;
	char key[DF_KEY_SIZE];
	struct step made;
	bool hit = false;
	int status = read_run(stage, instr, &run, &err);

	if (status == 0)
		status = build_mounts_plan(stage, instr, &run, &mounts, &err);
	if (status == 0) {
		df_run_key(&stage->state, &run, key);
		status = build_step_cached(stage, key, &making, &made, &hit, &err);
	}
	build_mounts_free(&mounts);
	if (status < 0) {
		struct texts tail = tail_texts(&job.tail, arena);

		build_stage_failed(stage, instr, step, &tail, &err);
	} else {
		build_step_end(stage, step, hit, key, run.created_by, &made);
	}
	tail_clear(&job.tail);
	return status;
}

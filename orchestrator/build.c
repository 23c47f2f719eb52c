/* orchestrator/build - Dockerfiles to images: the whole of a worker.
 *
 * Owns: the order read - fetch - threads - commit, signals, what is opened once. May not touch:
 * what a stage does.
 */
#include "orchestrator/build.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/build_inner.h"
#include "orchestrator/transfer.h"

#define STACK_BYTES    (512u << 10) /* of a stage's thread */
#define RUNTIME_FD_MIN 20
#define PRUNED         "pruned" /* its time: when the cache was last looked at */
#define PRUNE_S        600
#define CANCEL_POLL    100 /* ms: a container may have come after the last look */

/* ---- what is opened once ---- */

static size_t cpu_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 2;
}

/* Away from the numbers that a monitor is given (orchestrator/launch). */
static int open_runtime(const char *path)
{
	AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, RUNTIME_FD_MIN);
}

static int open_build(struct build_worker *build, struct err *err)
{
	const struct build_env *env = build->env;
	size_t jobs = env->jobs ? env->jobs : cpu_count();

	pthread_mutex_init(&build->image_lock, NULL);
	pthread_mutex_init(&build->error_lock, NULL);
	build->events = build_events_new(env->event_fd);
	build->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	build->runtime_fd = open_runtime(env->runtime);
	if (build->done_fd < 0 || build->runtime_fd < 0)
		return err_sys(err, errno, "open %s", env->runtime);
	build->settings = settings_load(env->config_path, err);
	build->work = build->settings ? build_work_open(env->roots, build->runtime_fd, err) : NULL;
	if (!build->work)
		return -1;
	build->store =
		transfer_store_open(env->roots->state, env->roots->run, env->config_path, err);
	build->lease = build->store ? lease_begin(build->store, err) : NULL;
	if (!build->lease)
		return -1;
	build->control = build_control_new(jobs, build->work->run_path, build->runtime_fd);
	build->net = build_net_open(build->work, build->settings, build->runtime_fd);
	build->runner = (struct build_runner){ .work = build->work,
					       .control = build->control,
					       .net = build->net,
					       .settings = build->settings,
					       .runtime_fd = build->runtime_fd };
	return 0;
}

/* The cache is kept below its limit, looked at now and then: a look costs more than a cached build.
 */
static void limit_cache(struct build_worker *build)
{
	AUTO(free) char *path = xformat("%s/build/" PRUNED, build->env->roots->state);
	struct steps_prune how = { 0 };
	struct steps_use gone = { 0 };
	struct err err = ERR_NONE;
	struct stat st;
	AUTO(fd) int stamp = -1;

	if (stat(path, &st) == 0 && st.st_mtime + PRUNE_S > time(NULL))
		return;
	stamp = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (stamp >= 0)
		futimens(stamp, NULL);
	if (build->settings->cache_max.is_set)
		how.max_bytes = (uint64_t)build->settings->cache_max.value;
	if (steps_prune(build->store, &how, &gone, &err) < 0)
		log_warn("build-cache-limit", KV_S("error", &err.msg[0]));
}

static void close_build(struct build_worker *build, bool went_well)
{
	for (size_t i = 0; i < build->job_count; i++)
		build_job_close(&build->jobs[i]);
	free(build->jobs);
	build_share_close(build);
	build_bases_free(build);
	build_net_close(build->net);
	if (build->control)
		build_control_free(build->control);
	if (build->lease)
		lease_end(build->lease, 0);
	if (went_well)
		limit_cache(build);
	if (build->store)
		store_close(build->store);
	build_work_close(build->work);
	build_events_free(build->events);
	if (build->settings)
		settings_free(build->settings);
	if (build->runtime_fd >= 0)
		close(build->runtime_fd);
	if (build->done_fd >= 0)
		close(build->done_fd);
	pthread_mutex_destroy(&build->image_lock);
	pthread_mutex_destroy(&build->error_lock);
}

/* ---- stages ---- */

static int start_stage(struct build_stage *stage, struct err *err)
{
	pthread_attr_t attributes;
	int status;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	status = pthread_create(&stage->thread, &attributes, build_stage_main, stage);
	pthread_attr_destroy(&attributes);
	stage->has_thread = status == 0;
	return status ? err_sys(err, status, "start a thread for a stage") : 0;
}

static int start_stages(struct build_worker *build, size_t *out_count, struct err *err)
{
	*out_count = 0;
	for (size_t i = 0; i < build->job_count; i++) {
		struct build_job *job = &build->jobs[i];

		for (size_t n = 0; n < job->graph.order_count; n++, (*out_count)++)
			if (start_stage(&job->stages[job->graph.order[n]], err) < 0)
				return -1;
	}
	return 0;
}

/* Waits for the stages; a signal, or a failure, ends them all. */
static void await_stages(struct build_worker *build, size_t count, int signal_fd)
{
	struct pollfd waits[2] = {
		{.fd = build->done_fd, .events = POLLIN},
                { .fd = signal_fd,     .events = POLLIN}
	};

	while (count) {
		bool ends = build_control_is_cancelled(build->control);
		struct signalfd_siginfo info;
		uint64_t ended = 0;

		if (poll(waits, 2, ends ? CANCEL_POLL : -1) < 0 && errno != EINTR)
			break;
		if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			ends = true;
		if (read(build->done_fd, &ended, sizeof(ended)) == (ssize_t)sizeof(ended))
			count -= ended < count ? (size_t)ended : count;
		if (ends && count)
			build_control_cancel(build->control);
	}
}

static void join_stages(struct build_worker *build)
{
	for (size_t i = 0; i < build->job_count; i++) {
		struct build_job *job = &build->jobs[i];

		for (size_t n = 0; job->stages && n < job->graph.stage_count; n++)
			if (job->stages[n].has_thread)
				pthread_join(job->stages[n].thread, NULL);
	}
}

static int run_stages(struct build_worker *build, int signal_fd, struct err *err)
{
	size_t count = 0;

	if (start_stages(build, &count, err) < 0)
		build_control_cancel(build->control);
	await_stages(build, count, signal_fd);
	join_stages(build);
	if (err->code)
		return -1;
	if (build->first_error.code) {
		*err = build->first_error;
		return -1;
	}
	return build_control_is_cancelled(build->control) ? err_set(err, ERR_CANCELLED, "cancelled")
							  : 0;
}

/* ---- all of it ---- */

static void tell_error(struct build_worker *build, const struct err *err)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "event", "error");
	json_add_text(object, "code", err_code_name(err->code));
	json_add_text(object, "error", err->msg);
	build_event_send(build->events, object);
}

static void warn_unused(struct build_job *job)
{
	size_t count;
	const char **names = df_scope_unused(job->graph.global, &count);
	char *text = NULL;
	size_t size;
	FILE *out = count ? open_memstream(&text, &size) : NULL;

	if (!out)
		return;
	fprintf(out, "build arguments that %s does not declare:", job->report.file);
	for (size_t i = 0; i < count; i++)
		fprintf(out, " %s", names[i]);
	fclose(out);
	build_event_warning(job->build->events, text);
	free(text);
}

static int read_jobs(struct build_worker *build, const struct build_spec *specs, size_t count,
		     struct err *err)
{
	int status = 0;

	build->jobs = xcalloc(count + 1, sizeof(*build->jobs));
	for (size_t i = 0; i < count && status == 0; i++) {
		build->jobs[i].build = build;
		build->jobs[i].spec = &specs[i];
		build->job_count = i + 1;
		status = build_job_read(&build->jobs[i], err);
	}
	for (size_t i = 0; i < build->job_count && status == 0; i++)
		if (build->jobs[i].report.warnings_are_errors &&
		    build->jobs[i].report.warning_count) {
			status = err_set(err, ERR_INVALID, "%s: warnings are errors (check=error)",
					 build->jobs[i].report.file);
			tell_error(build, err);
		}
	return status;
}

static bool checks_alone(const struct build_spec *specs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!(specs[i].flags & BUILD_CHECK))
			return false;
	return true;
}

static int make_all(struct build_worker *build, const struct build_spec *specs, size_t count,
		    int signal_fd, struct err *err)
{
	if (read_jobs(build, specs, count, err) < 0)
		return -1;
	if (checks_alone(specs, count))
		return 0;
	if (build_bases_fetch(build, err) < 0) {
		tell_error(build, err);
		return -1;
	}
	build_share_open(build);
	if (run_stages(build, signal_fd, err) < 0)
		return -1;
	for (size_t i = 0; i < build->job_count; i++) {
		warn_unused(&build->jobs[i]);
		if (build_result_make(&build->jobs[i], err) < 0) {
			tell_error(build, err);
			return -1;
		}
	}
	return 0;
}

int build_images(const struct build_env *env, const struct build_spec *specs, size_t count,
		 struct err *err)
{
	struct build_worker build = { .env = env, .runtime_fd = -1, .done_fd = -1 };
	sigset_t wanted, before;
	AUTO(fd) int signal_fd = -1;
	int status;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &wanted, &before);
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	status = open_build(&build, err);
	if (status < 0 && build.events)
		tell_error(&build, err);
	if (status == 0)
		status = make_all(&build, specs, count, signal_fd, err);
	close_build(&build, status == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

int build_cache_prune(const struct roots *roots, const char *config_path, const char *runtime,
		      uint64_t until_unix_ns, uint64_t *out_freed, struct err *err)
{
	AUTO(store) struct store *store = NULL;
	AUTO(fd) int runtime_fd = open_runtime(runtime);
	struct steps_prune how = { .flags = STEPS_PRUNE_ALL, .until_unix_ns = until_unix_ns };
	struct steps_use use = { 0 };

	if (runtime_fd < 0)
		return err_sys(err, errno, "open %s", runtime);
	if (build_work_sweep(roots, runtime_fd, err) < 0)
		return -1;
	store = transfer_store_open(roots->state, roots->run, config_path, err);
	if (!store || steps_prune(store, &how, &use, err) < 0)
		return -1;
	*out_freed += use.bytes;
	return 0;
}

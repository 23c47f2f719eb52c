/* orchestrator/supervisor - the process behind a project: its context, its loop, its life.
 *
 * Owns: the context, the flock that chooses one supervisor, signals, the end. May not touch: what
 * requests mean (ops).
 */
#include "orchestrator/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/log.h"
#include "base/message.h"
#include "base/tree.h"
#include "images/snapshot.h"
#include "orchestrator/adopt.h"
#include "orchestrator/cgroup_folders.h"
#include "orchestrator/change.h"
#include "orchestrator/idle.h"
#include "orchestrator/image_cache.h"
#include "orchestrator/notify.h"
#include "orchestrator/ops.h"
#include "orchestrator/publish.h"
#include "orchestrator/reload.h"
#include "orchestrator/repair.h"
#include "orchestrator/restore.h"
#include "orchestrator/schedule.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"
#include "orchestrator/spawn.h"
#include "orchestrator/transfer.h"
#include "orchestrator/values.h"

#define IDLE_MS              1500 /* nothing to do for so long: the end */
#define EMPTY_IDLE_MS        20   /* the same when nothing is left at all */
#define POOL_THREADS         "4"
#define DESCRIPTORS_EXPECTED 1024

struct process {
	struct supervisor sv;
	uv_loop_t loop;
	uv_signal_t term, hup;
	int lock_fd;
};

static bool is_idle(const struct supervisor *sv)
{
	const struct slot *slot;

	if (!TAILQ_EMPTY(&sv->changes) || control_clients(sv->control))
		return false;
	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->discarding || slot->idle ||
	    (slot->state != SLOT_EXITED && slot->state != SLOT_CREATED &&
	     slot->state != SLOT_EMPTY))
		return false;
	return !schedule_is_pending(sv) && !restore_is_pending(sv);
}

/* Nothing else takes away what is left of a container whose record has gone. */
static bool is_discarding(const struct supervisor *sv)
{
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->discarding)
		return true;
	return false;
}

void supervisor_end(struct supervisor *sv, bool for_good)
{
	if (sv->ending)
		return;
	sv->ending = true;
	sv->ends_for_good = for_good;
	if (sv->control)
		control_close_door(sv->control);
	if (!is_discarding(sv))
		uv_stop(sv->loop);
}

static void idle_is_over(uv_timer_t *timer)
{
	struct supervisor *sv = timer->data;

	if (!is_idle(sv))
		return;
	crash_point("idle", "ends");
	supervisor_end(sv, true);
}

void supervisor_look_idle(struct supervisor *sv)
{
	if (sv->ending && !is_discarding(sv))
		uv_stop(sv->loop);
	if (sv->ending || !sv->control)
		return;
	reload_look(sv);
	/* The loop's time stands where it last waited: adoption may have taken longer than the
	 * whole wait. */
	uv_update_time(sv->loop);
	if (is_idle(sv))
		uv_timer_start(&sv->idle_timer, idle_is_over,
			       sv->had_change && LIST_EMPTY(&sv->slots) ? EMPTY_IDLE_MS : IDLE_MS,
			       0);
	else
		uv_timer_stop(&sv->idle_timer);
}

/* SIGTERM ends the supervisor alone: containers go on. */
static void have_signal(uv_signal_t *handle, int number)
{
	if (number == SIGTERM)
		supervisor_end(handle->data, false);
}

static int open_parts(struct process *process, const struct supervisor_options *options,
		      struct err *err)
{
	struct supervisor *sv = &process->sv;

	sv->settings = settings_load(NULL, err);
	if (!sv->settings)
		return -1;
	sv->dirs = project_dirs_open(options->roots, options->project, true, err);
	if (!sv->dirs)
		return -1;
	process->lock_fd = options->lock_fd > 0
				   ? options->lock_fd
				   : file_lock(sv->dirs->run_fd, "supervisor.lock", false, err);
	if (process->lock_fd < 0)
		return -1;
	sv->lock_fd = process->lock_fd;
	sv->log_fd = openat(sv->dirs->state_fd, "supervisor.log",
			    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (sv->log_fd < 0)
		return err_sys(err, errno, "open supervisor.log");
	sv->runtime_fd = spawn_view(options->runtime_path, err);
	if (sv->runtime_fd < 0)
		return -1;
	sv->events = events_open(sv->dirs->state_fd, err);
	sv->volumes = sv->events
			      ? volume_store_open(options->roots->state, options->roots->run, err)
			      : NULL;
	sv->images = sv->volumes ? transfer_store_open(options->roots->state, options->roots->run,
						       NULL, err)
				 : NULL;
	sv->image_cache = sv->images ? image_cache_new(sv->images) : NULL;
	sv->net = sv->images ? net_open(options->roots, options->project, sv->settings, err) : NULL;
	sv->names = sv->net ? names_open(sv->dirs, options->netd_path, sv->log_fd, err) : NULL;
	return sv->names ? 0 : -1;
}

static int open_loop(struct process *process, struct err *err)
{
	struct supervisor *sv = &process->sv;
	int status = uv_loop_init(&process->loop);

	if (status < 0)
		return err_sys(err, -status, "start the event loop");
	sv->loop = &process->loop;
	LIST_INIT(&sv->slots);
	TAILQ_INIT(&sv->changes);
	sv->publisher = publisher_new(sv);
	uv_timer_init(sv->loop, &sv->idle_timer);
	uv_signal_init(sv->loop, &process->term);
	uv_signal_init(sv->loop, &process->hup);
	sv->idle_timer.data = process->term.data = process->hup.data = sv;
	uv_signal_start(&process->term, have_signal, SIGTERM);
	uv_signal_start(&process->hup, have_signal, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	return 0;
}

static int open_control(struct process *process, struct err *err)
{
	struct supervisor *sv = &process->sv;
	struct control_handler handler = { ops_request, ops_gone, ops_left, sv };
	int listen_fd = message_listen(sv->dirs->run_fd, "control.sock",
				       SOCK_STREAM | SOCK_NONBLOCK, true, err);

	if (listen_fd < 0)
		return -1;
	sv->control = control_start(sv->loop, listen_fd, sv->dirs->name, &handler, err);
	return sv->control ? 0 : -1;
}

static void say_ready(int fd, const struct err *err)
{
	if (fd < 0)
		return;
	if (err->code && file_write_all(fd, err, sizeof(*err)) < 0)
		log_warn("nobody-waits", KV_S("error", err->msg));
	close(fd);
}

/* What ended while nobody looked, and what the boot left stopped although it should run. */
static void catch_up(struct supervisor *sv)
{
	struct slot *slot, *next;

	for (slot = LIST_FIRST(&sv->slots); slot; slot = next) {
		next = LIST_NEXT(slot, link);
		if (slot->state == SLOT_RUNNING && !slot->is_watched)
			slot_ended(slot);
		else if (slot->state == SLOT_BACKOFF)
			slot_apply_policy(slot);
		else if (slot->remove_after &&
			 (slot->state == SLOT_EXITED || slot->state == SLOT_CREATED))
			slot_discard(slot, "run --rm"); /* its supervisor died before it could */
	}
	LIST_FOREACH(slot, &sv->slots, link)
	idle_adopt(slot);
	publish_names(sv, NULL);
	sv->repairer = repair_start(sv);
	repair_watch_netd(sv);
	if (!LIST_EMPTY(&sv->slots))
		repair_soon(sv);
}

/* A project that is down and has nothing left keeps no folder, no socket, no netd. */
static void leave(struct process *process)
{
	struct supervisor *sv = &process->sv;
	struct err ignored = ERR_NONE;
	bool empty = LIST_EMPTY(&sv->slots), running = false;
	struct net_seen *networks = NULL;
	size_t network_count = 0;
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	running |= slot_is_live(slot) || (slot->record && slot->record->asleep);
	if (!running)
		names_end(sv->names);
	unlinkat(sv->dirs->run_fd, "control.sock", 0);
	if (!empty || running ||
	    net_observe(sv->net, NULL, &networks, &network_count, &ignored) < 0)
		return;
	net_seen_free(networks, network_count);
	if (network_count)
		return; /* `down` has not been asked for */
	cgroup_folders_drop(sv->dirs->name);
	unlinkat(sv->dirs->run_fd, "zone", 0);
	values_forget(sv->dirs);
	tree_remove(sv->dirs->run_fd, "slots",
		    &ignored); /* of slots whose removal a crash cut off */
	tree_remove(sv->roots->state_fd, sv->dirs->state + strlen(sv->roots->state) + 1, &ignored);
	snapshot_sweep(sv->images, NULL, &ignored);
	/* By name, the lock last: a successor may have begun to fill the folder again. */
	unlinkat(sv->dirs->run_fd, "supervisor.lock", 0);
	unlinkat(sv->roots->run_fd, sv->dirs->run + strlen(sv->roots->run) + 1, AT_REMOVEDIR);
}

/* The kernel's table of our descriptors is made large while there is one thread: later each growth
 * waits for a grace period, and all threads with it. */
static void grow_descriptors(void)
{
	AUTO(fd) int high = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, DESCRIPTORS_EXPECTED - 1);

	(void)high; /* a limit below it is nobody's fault */
}

int supervisor_run(const struct supervisor_options *options, struct err *err)
{
	struct process *process = xcalloc(1, sizeof(*process));
	struct supervisor *sv = &process->sv;

	setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0);
	grow_descriptors();
	mallopt(M_ARENA_MAX, 2); /* not one for each thread of the pool */
	sv->roots = options->roots;
	sv->program = options->program;
	sv->init_path = options->init_path;
	sv->trace_fd = options->trace_fd;
	sv->notify = options->notify;
	sv->runtime_fd = sv->log_fd = process->lock_fd = -1;
	if (open_loop(process, err) < 0 || open_parts(process, options, err) < 0 ||
	    adopt_project(sv, err) < 0 || open_control(process, err) < 0) {
		say_ready(options->ready_fd, err);
		return -1;
	}
	say_ready(options->ready_fd, &ERR_NONE);
	dup2(sv->log_fd, STDERR_FILENO);
	log_info("supervisor-started", KV_S("project", options->project), KV_I("pid", getpid()));
	catch_up(sv);
	sv->schedule = schedule_new(sv);
	schedule_look(sv);
	if (options->restores)
		restore_begin(sv, NULL);
	notify_ready(sv->notify, sv->loop, options->project);
	supervisor_look_idle(sv);
	uv_run(sv->loop, UV_RUN_DEFAULT);
	notify_say(sv->notify, "STOPPING=1");
	leave(process);
	log_info("supervisor-ended", KV_S("project", options->project));
	return sv->ends_for_good; /* the process ends with this: memory goes with it */
}

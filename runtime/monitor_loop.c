/* runtime/monitor_loop - from "created" until init has ended and its output is drained.
 *
 * Owns: what wakes the monitor: the pair, the streams, signals of children, times. May not touch:
 * set-up, tear-down.
 */
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/stamp.h"
#include "runtime/monitor.h"
#include "runtime/monitor_life.h"
#include "runtime/reaper.h"

#define DRAIN_MS         200 /* how long others may hold the streams after init's end */
#define RELAX_MS         5000
#define RELAX_FROM_BYTES 4096 /* smaller reads touch one page */

static void close_output(struct output *output)
{
	struct life *life = output->life;

	if (output->watch.fd < 0)
		return;
	poller_unwatch(life->poller, &output->watch);
	close(TAKE_FD(output->watch.fd));
	if (life->is_terminal) {
		life->console_fd = -1;
		life->host.console_fd = -1;
	}
	monitor_log_end(life->log, output->stream);
}

/* One read: to the clients, then to the log. */
static void output_ready(struct watch *watch, uint32_t events)
{
	struct output *output = OWNER_OF(watch, struct output, watch);
	struct life *life = output->life;
	size_t room;
	char *at = monitor_log_room(life->log, output->stream, &room);
	ssize_t n = read(watch->fd, at, room);

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* EIO: the terminal was hung up */
		close_output(output);
		return;
	}
	attach_hub_output(life->hub, output->stream == LOG_STDOUT ? 1 : 2, at, (size_t)n);
	monitor_log_take(life->log, output->stream, (size_t)n);
	if (n > RELAX_FROM_BYTES && !life->relax_timer.is_set)
		poller_set_timer(life->poller, &life->relax_timer, RELAX_MS);
}

static void relax_due(struct timer *timer)
{
	struct life *life = OWNER_OF(timer, struct life, relax_timer);

	monitor_log_relax(life->log);
	malloc_trim(0);
}

static void drain_due(struct timer *timer)
{
	struct life *life = OWNER_OF(timer, struct life, drain_timer);

	if (life->rest_killed) {
		life->drain_over = true;
		return;
	}
	/* Processes of the container that outlive init (a shared pid namespace) end with it. */
	life->rest_killed = true;
	life->engine->kill_rest(life);
	poller_set_timer(life->poller, &life->drain_timer, DRAIN_MS);
}

static void init_ended(struct life *life, int wait_status)
{
	life->init_ended = true;
	life->wait_status = wait_status;
	life->finished_ns = stamp_now_ns();
	life->host.state = "exited";
	if (life->console_peer_fd >= 0)
		close(TAKE_FD(life->console_peer_fd));
	poller_set_timer(life->poller, &life->drain_timer, DRAIN_MS);
}

/* Everybody's parent: init, exec sessions, the log's helpers, and orphans of the container. */
static void reap_children(struct life *life)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == life->init.pid && !life->init_ended)
			init_ended(life, status);
		else if (!monitor_log_reaped(life->log, pid, status))
			exec_sessions_reaped(life->sessions, pid, status);
	}
}

static void signal_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	reaper_drain(watch->fd);
	reap_children(OWNER_OF(watch, struct life, signal_watch));
}

/* Hooks are children that execute programs. */
static void release(struct life *life)
{
	int result;

	life->is_released = true;
	reaper_pause();
	result = life_start(life, &life->error);
	reaper_resume();
	if (result == 0)
		life->engine->relax(life);
}

static void pair_ready(struct watch *watch, uint32_t events)
{
	struct life *life = OWNER_OF(watch, struct life, pair_watch);
	int result = life_take_word(life, &life->error);

	(void)events;
	if (life->is_released) { /* nothing that comes now concerns us */
		poller_unwatch(life->poller, watch);
		life->error = ERR_NONE;
		return;
	}
	if (result == 0)
		err_set(&life->error, ERR_CANCELLED, "nobody waited for the container any more");
	if (result == 1)
		release(life);
}

static int watch_outputs(struct life *life, struct err *err)
{
	for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
		struct output *output = &life->outputs[i];

		output->life = life;
		output->stream = (enum log_stream)i;
		output->watch.ready = output_ready;
		if (output->watch.fd >= 0 &&
		    poller_watch(life->poller, &output->watch, EPOLLIN, err) < 0)
			return -1;
	}
	return 0;
}

static int watch_signals(struct life *life, struct err *err)
{
	life->signal_watch = (struct watch){ .fd = reaper_open(err), .ready = signal_ready };
	if (life->signal_watch.fd < 0)
		return -1;
	return poller_watch(life->poller, &life->signal_watch, EPOLLIN, err);
}

static bool is_over(const struct life *life)
{
	bool at_end =
		life->outputs[LOG_STDOUT].watch.fd < 0 && life->outputs[LOG_STDERR].watch.fd < 0;

	return life->init_ended && (at_end || life->drain_over);
}

int life_watch(struct life *life, struct err *err)
{
	life->drain_timer.due = drain_due;
	life->relax_timer.due = relax_due;
	life->pair_watch = (struct watch){ .fd = life->pair_fd, .ready = pair_ready };
	if (watch_signals(life, err) < 0 || watch_outputs(life, err) < 0 ||
	    poller_watch(life->poller, &life->pair_watch, EPOLLIN, err) < 0)
		return -1;
	reap_children(life); /* who ended before the mask was set */
	while (!is_over(life)) {
		if (poller_step(life->poller, err) < 0)
			return -1;
		if (life->error.code) {
			*err = life->error;
			return -1;
		}
		if (life->init_ended && !life->is_running)
			return err_set(err, ERR_SYSTEM,
				       "the container's init ended before its start");
	}
	for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
		close_output(&life->outputs[i]);
	poller_clear_timer(life->poller, &life->drain_timer);
	return 0;
}

/* orchestrator/slot_stop - a running container ended as asked: pre_stop, the stop signal, the grace
 * time, SIGKILL.
 *
 * Owns: the way to an end that was asked for. May not touch: what follows an end (slot_end).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/exec.h"
#include "orchestrator/idle.h"
#include "orchestrator/slot.h"

#define KILL_WAIT_MS 10000

static int signal_of(const struct slot *slot)
{
	const struct service *service = slot_service(slot);
	struct json_object *info;
	int number;

	if (service && service->stop_signal) {
		number = process_signal_number(service->stop_signal);
		return number > 0 ? number : SIGTERM;
	}
	info = record_info(slot->record); /* the image's, noted when the container was made */
	number = process_signal_number(json_text_or(info, "stop_signal", "SIGTERM"));
	json_object_put(info);
	return number > 0 ? number : SIGTERM;
}

int slot_signal(struct slot *slot, int signal, struct err *err)
{
	AUTO(fd) int pidfd = slot->record ? process_open(slot->record->init) : -1;

	if (pidfd < 0)
		return err_set(err, ERR_NOT_FOUND, "container %s is not running",
			       slot->record ? slot->record->name : slot->name);
	if (process_signal(pidfd, signal) < 0)
		return err_sys(err, errno, "send signal %d", signal);
	slot->is_killed |= signal == SIGKILL;
	return 0;
}

static void still_there(uv_timer_t *timer)
{
	struct slot *slot = timer->data;
	struct err err = ERR_NONE;

	/* Not even SIGKILL ended it in time: the monitor goes too, then the cgroup is cleared
	 * (slot_end). */
	log_warn("kill-is-slow", KV_S("container", slot->record->id));
	if (slot->monitor_pidfd >= 0 && process_signal(slot->monitor_pidfd, SIGKILL) < 0)
		err_sys(&err, errno, "kill the monitor");
}

static void grace_is_over(uv_timer_t *timer)
{
	struct slot *slot = timer->data;
	struct err err = ERR_NONE;

	slot->outlived_grace = true;
	slot_event(slot, "kill",
		   "it did not end within its grace time (a program that handles no "
		   "signals as process 1: init: true helps)");
	slot_signal(slot, SIGKILL, &err);
	uv_timer_start(&slot->timer, still_there, KILL_WAIT_MS, 0);
	slot_set_state(slot, slot->state); /* the network may go now */
}

struct hook_job {
	uv_work_t work;
	struct slot *slot;
	int64_t timeout_us;
	struct err err;
};

static void send_signal(struct slot *slot, int64_t timeout_us)
{
	struct err err = ERR_NONE;
	int number = timeout_us == 0 ? SIGKILL : signal_of(slot);

	if (slot->state != SLOT_STOPPING)
		return; /* it ended while pre_stop ran */
	if (slot->record->paused)
		exec_thaw(slot->sv, slot->record->id);
	slot_signal(slot, number, &err);
	uv_timer_start(&slot->timer, number == SIGKILL ? still_there : grace_is_over,
		       number == SIGKILL ? KILL_WAIT_MS : (uint64_t)timeout_us / 1000, 0);
}

static void hooks_in_pool(uv_work_t *work)
{
	struct hook_job *job = work->data;

	exec_hooks(job->slot->sv, job->slot->record, "pre_stop", slot_service(job->slot)->pre_stop,
		   slot_service(job->slot)->pre_stop_count, &job->err);
}

static void hooks_done(uv_work_t *work, int status)
{
	struct hook_job *job = work->data;

	(void)status;
	if (job->err.code)
		slot_event(job->slot, "hook-failed", job->err.msg);
	send_signal(job->slot, job->timeout_us);
	free(job);
}

/* ---- a stop that meets a start ---- */

static void cut_start(struct slot *slot)
{
	struct err none = ERR_NONE;

	slot_cancel(slot);
	slot_signal(slot, SIGKILL, &none); /* its program may run: post_start hooks */
}

static void start_is_slow(uv_timer_t *timer)
{
	cut_start(timer->data);
}

static void await_start(struct slot *slot, const struct stop_wish *wish)
{
	slot->stop_next = *wish;
	slot->stop_next.waits = true;
	slot->stop_next.cuts_off = slot->record->cut_off;
	if (wish->timeout_us == 0 || slot->hold_start)
		cut_start(slot);
	else
		uv_timer_start(&slot->timer, start_is_slow, (uint64_t)wish->timeout_us / 1000, 0);
}

void slot_stop_waiting(struct slot *slot)
{
	const struct stop_wish wish = slot->stop_next;

	if (!wish.waits || slot->starting)
		return;
	slot->stop_next = (struct stop_wish){ 0 };
	slot->record->cut_off |= wish.cuts_off;
	if (slot->state == SLOT_EXITED) { /* it was cut off, or has failed */
		uv_timer_stop(&slot->timer);
		slot->record->stopped_by_hand = wish.by_hand;
		slot_write_record(slot);
	}
	slot_stop(slot, wish.timeout_us, wish.by_hand, wish.reason, wish.done, wish.ctx);
}

void slot_stop(struct slot *slot, int64_t timeout_us, bool by_hand, const char *reason,
	       slot_done done, void *ctx)
{
	const struct service *service = slot_service(slot);
	const struct err fine = ERR_NONE;

	slot->outlived_grace = false;
	slot->kept_down |= by_hand;
	if (timeout_us < 0)
		timeout_us = service ? service_stop_grace_us(service) : 10000000;
	if (slot->starting) {
		await_start(slot, &(struct stop_wish){ .by_hand = by_hand,
						       .timeout_us = timeout_us,
						       .reason = reason,
						       .done = done,
						       .ctx = ctx });
		return;
	}
	slot->done = done;
	slot->done_ctx = ctx;
	slot->reason = reason;
	if (slot->state == SLOT_BACKOFF)
		slot_end_backoff(slot, by_hand);
	slot->record->stopped_by_hand |= by_hand && slot->state == SLOT_STOPPING;
	if (slot->state == SLOT_STOPPING)
		return; /* by itself (on_unhealthy, overlap): who asks now is told of its end */
	if (slot->state != SLOT_RUNNING && idle_stop(slot))
		return;
	if (slot->state != SLOT_RUNNING) {
		slot_job_over(slot, &fine);
		return;
	}
	slot->stop_wanted = true;
	slot->record->stopped_by_hand = by_hand;
	if (slot->monitor_pidfd < 0) /* its end is recorded already, and is being cleared up */
		slot_write_record(slot);
	slot_set_state(slot, SLOT_STOPPING);
	slot_event(slot, "stop", reason);
	if (service && service->pre_stop_count && timeout_us) {
		struct hook_job *job = xcalloc(1, sizeof(*job));

		job->work.data = job;
		job->slot = slot;
		job->timeout_us = timeout_us;
		uv_queue_work(slot->sv->loop, &job->work, hooks_in_pool, hooks_done);
		return;
	}
	send_signal(slot, timeout_us);
}

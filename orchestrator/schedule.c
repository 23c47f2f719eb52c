/* orchestrator/schedule - x-stack.schedule: jobs that the clock starts.
 *
 * Owns: the timer of the wall clock, overlap. May not touch: when a schedule is due (cron), how a
 * run starts (slot_start).
 */
#include "orchestrator/schedule.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/cron.h"
#include "orchestrator/desired.h"

struct schedule {
	struct supervisor *sv;
	int fd;
	uv_poll_t poll;
	int64_t armed_for; /* seconds since 1970; 0: not armed */
};

static int64_t now_seconds(void)
{
	return (int64_t)(stamp_now_us() / 1000000);
}

static const char *schedule_of(const struct slot *slot)
{
	const struct service *service = slot->oneoff || !slot->record ? NULL : slot_service(slot);

	return service && service->stack ? service->stack->schedule : NULL;
}

/* What the user has stopped is not started by the clock. */
static bool is_wanted(const struct slot *slot)
{
	struct arena *arena = arena_new();
	struct err ignored = ERR_NONE;
	struct texts stopped = { NULL, 0 };
	const char *state = "down";
	bool wanted = desired_read(slot->sv->dirs, arena, &state, &stopped, &ignored) == 0 &&
		      strcmp(state, "up") == 0 && !texts_has(&stopped, slot->service);

	arena_free(arena);
	return wanted;
}

/* ---- a run ---- */

static void begin_run(struct slot *slot, const char *reason)
{
	slot->record->restarts = 0;
	slot->streak = 0;
	slot_start_when_due(slot, reason);
}

static void stopped_for_next(void *ctx, struct slot *slot, const struct err *err)
{
	(void)ctx;
	if (err->code == ERR_OK)
		begin_run(slot, "its schedule; the last run was ended for it");
}

static bool is_busy(const struct slot *slot)
{
	return slot->state != SLOT_CREATED && slot->state != SLOT_EXITED;
}

static void due(struct slot *slot)
{
	const char *overlap = slot_service(slot)->stack->overlap;

	if (!is_wanted(slot))
		return;
	if (!is_busy(slot)) {
		begin_run(slot, "its schedule");
	} else if (overlap && strcmp(overlap, "queue") == 0) {
		slot->run_queued = true;
		slot_event(slot, "schedule-queued", "the last run goes on");
	} else if (overlap && strcmp(overlap, "kill") == 0 && slot->state == SLOT_RUNNING) {
		slot_stop(slot, -1, false, "x-stack.overlap: kill", stopped_for_next, NULL);
	} else if (overlap && strcmp(overlap, "kill") == 0 && slot->state == SLOT_BACKOFF) {
		slot_end_backoff(slot, false);
		begin_run(slot, "its schedule");
	} else {
		slot_event(slot, "schedule-skipped", "the last run goes on");
	}
}

bool schedule_ended(struct slot *slot)
{
	if (!slot->run_queued || slot->kept_down || slot->sv->ending)
		return false;
	slot->run_queued = false;
	begin_run(slot, "its schedule, queued behind the last run");
	return true;
}

/* ---- the timer ---- */

static int64_t next_of(const struct slot *slot, int64_t now)
{
	return cron_next(schedule_of(slot), now, (int64_t)(slot->record->created_at_us / 1000000));
}

static void arm(struct schedule *schedule, int64_t at)
{
	struct itimerspec spec = { .it_value = { .tv_sec = at } };

	if (at == schedule->armed_for)
		return;
	if (timerfd_settime(schedule->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec,
			    NULL) < 0)
		log_error("schedule-not-set", KV_S("error", strerror(errno)));
	schedule->armed_for = at;
}

void schedule_look(struct supervisor *sv)
{
	int64_t first = 0, now = now_seconds();
	struct slot *slot;

	if (!sv->schedule)
		return;
	LIST_FOREACH(slot, &sv->slots, link)
	{
		int64_t next = schedule_of(slot) ? next_of(slot, now) : -1;

		if (next > 0 && (!first || next < first))
			first = next;
	}
	arm(sv->schedule, first);
}

bool schedule_is_pending(const struct supervisor *sv)
{
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (schedule_of(slot) && is_wanted(slot))
		return true;
	return false;
}

static void fired(uv_poll_t *poll, int status, int events)
{
	struct schedule *schedule = poll->data;
	struct supervisor *sv = schedule->sv;
	int64_t was_for = schedule->armed_for;
	struct slot *slot, *next;
	uint64_t count;
	ssize_t n = read(schedule->fd, &count, sizeof(count));

	(void)status;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	schedule->armed_for = -1;
	for (slot = LIST_FIRST(&sv->slots); n > 0 && slot; slot = next) {
		next = LIST_NEXT(slot, link);
		if (schedule_of(slot) && next_of(slot, was_for - 1) == was_for)
			due(slot);
	}
	schedule_look(sv); /* also after ECANCELED: the clock was set */
}

struct schedule *schedule_new(struct supervisor *sv)
{
	struct schedule *schedule = xcalloc(1, sizeof(*schedule));

	schedule->sv = sv;
	schedule->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	schedule->poll.data = schedule;
	if (schedule->fd >= 0 && uv_poll_init(sv->loop, &schedule->poll, schedule->fd) == 0 &&
	    uv_poll_start(&schedule->poll, UV_READABLE, fired) == 0) {
		uv_unref((uv_handle_t *)&schedule->poll);
		return schedule;
	}
	log_error("no-schedules", KV_S("error", strerror(errno)));
	free(schedule);
	return NULL;
}

/* orchestrator/slot - the N-th replica of a service: finding, watching, its states.
 *
 * Owns: the list of slots, the watch on their monitors, the record at each change of state.
 * May not touch: how a start or a stop is done (slot_start, slot_stop), policy (service).
 */
#include "orchestrator/slot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/change.h"
#include "orchestrator/health.h"
#include "orchestrator/idle.h"
#include "orchestrator/publish.h"
#include "orchestrator/ready.h"
#include "orchestrator/slot_end.h"

#define CODE_MONITOR_DIED 137

static const char *const state_names[] = {
	[SLOT_EMPTY] = "empty",        [SLOT_CREATED] = "created",   [SLOT_STARTING] = "starting",
	[SLOT_RUNNING] = "running",    [SLOT_STOPPING] = "stopping", [SLOT_EXITED] = "exited",
	[SLOT_BACKOFF] = "restarting", [SLOT_REMOVING] = "removing",
};
_Static_assert(sizeof(state_names) / sizeof(*state_names) == SLOT_STATE_COUNT,
	       "a state has no name");

const char *slot_state_name(enum slot_state state)
{
	return state_names[state];
}

struct slot *slot_find(struct supervisor *sv, const char *service, unsigned number)
{
	struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (!slot->oneoff && slot->number == number && strcmp(slot->service, service) == 0)
		return slot;
	return NULL;
}

struct slot *slot_by_container(struct supervisor *sv, const char *id)
{
	struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->record && strcmp(slot->record->id, id) == 0)
		return slot;
	return NULL;
}

struct slot *slot_make(struct supervisor *sv, const char *service, unsigned number,
		       const char *oneoff)
{
	struct slot *slot = oneoff ? NULL : slot_find(sv, service, number);

	if (slot)
		return slot;
	slot = xcalloc(1, sizeof(*slot));
	slot->sv = sv;
	slot->service = xstrdup(service);
	slot->number = number;
	slot->oneoff = xstrdup(oneoff);
	slot->name =
		oneoff ? xformat("%s.run-%s", service, oneoff) : xformat("%s.%u", service, number);
	slot->monitor_pidfd = -1;
	uv_timer_init(sv->loop, &slot->timer);
	slot->timer.data = slot;
	LIST_INSERT_HEAD(&sv->slots, slot, link);
	return slot;
}

static void free_when_closed(uv_handle_t *handle)
{
	struct slot *slot = handle->data;

	if (--slot->closing)
		return;
	if (slot->record)
		record_free(slot->record);
	slot_net_free(slot->net);
	model_unref(slot->model);
	free(slot->service);
	free(slot->oneoff);
	free(slot->name);
	free(slot);
}

void slot_forget(struct slot *slot)
{
	LIST_REMOVE(slot, link);
	idle_forget(slot);
	health_stop(slot);
	ready_forget(slot);
	slot->closing = 1;
	uv_close((uv_handle_t *)&slot->timer, free_when_closed);
}

const struct service *slot_service(const struct slot *slot)
{
	return slot->model ? project_find_service(slot->model->project, slot->service) : NULL;
}

bool slot_is_live(const struct slot *slot)
{
	return slot->state == SLOT_STARTING || slot->state == SLOT_RUNNING ||
	       slot->state == SLOT_STOPPING;
}

void slot_event(struct slot *slot, const char *event, const char *reason)
{
	struct event line = { .event = event,
			      .service = slot->service,
			      .slot = slot->name,
			      .container = slot->record ? slot->record->id : NULL,
			      .name = slot->record ? slot->record->name : NULL,
			      .image = slot->record ? slot->record->image_ref : NULL,
			      .reason = reason };

	if (strcmp(event, "die") == 0 && slot->record) {
		line.code = slot->record->last_exit.code;
		line.has_code = true;
	}
	events_write(slot->sv->events, &line);
}

void slot_write_record(struct slot *slot)
{
	struct err err = ERR_NONE;

	slot->is_deferred = false;
	if (slot->record && record_save(slot->sv->dirs->containers_fd, slot->record, &err) < 0)
		log_error("record-not-written", KV_S("container", slot->record->id),
			  KV_S("error", err.msg));
}

void slots_write_deferred(struct supervisor *sv)
{
	struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->is_deferred)
		slot_write_record(slot);
}

/* `down` removes it next; until then exit.json tells how it ended, to whoever adopts it. */
static bool is_going(const struct slot *slot)
{
	const struct change *change = TAILQ_FIRST(&slot->sv->changes);

	return change && change->applying && change->flags & CHANGE_TO_DOWN &&
	       slot->state == SLOT_STOPPING;
}

void slot_set_state(struct slot *slot, enum slot_state state)
{
	slot->state = state;
	idle_look(slot);
	changes_look(slot->sv, slot);
}

void slot_job_over(struct slot *slot, const struct err *err)
{
	slot_done done = slot->done;
	struct err copy = *err;

	slot->done = NULL;
	if (done)
		done(slot->done_ctx, slot, &copy);
}

void slot_end_backoff(struct slot *slot, bool by_hand)
{
	uv_timer_stop(&slot->timer);
	slot->awaits_needs = false;
	slot->record->state = RECORD_EXITED;
	slot->record->stopped_by_hand = by_hand;
	slot_write_record(slot);
	slot_set_state(slot, SLOT_EXITED);
}

/* ---- the monitor's end ---- */

static void poll_closed(uv_handle_t *handle)
{
	struct slot *slot = handle->data;

	slot->is_watched = false;
	close(slot->monitor_pidfd);
	slot->monitor_pidfd = -1;
	slot_ended(slot);
}

static void monitor_ended(uv_poll_t *poll, int status, int events)
{
	struct slot *slot = poll->data;

	(void)status;
	(void)events;
	waitid(P_PIDFD, (id_t)slot->monitor_pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
	uv_close((uv_handle_t *)poll, poll_closed);
}

void slot_watch(struct slot *slot, int pidfd)
{
	slot->monitor_pidfd = pidfd;
	slot->monitor_poll.data = slot;
	if (uv_poll_init(slot->sv->loop, &slot->monitor_poll, pidfd) < 0 ||
	    uv_poll_start(&slot->monitor_poll, UV_READABLE, monitor_ended) < 0) {
		log_error("monitor-not-watched", KV_S("container", slot->record->id));
		return;
	}
	slot->is_watched = true;
}

static void take_exit(struct slot *slot)
{
	struct record *record = slot->record;
	struct err err = ERR_NONE;

	if (record_read_exit(slot->sv->dirs->containers_fd, record->id, record->life,
			     &record->last_exit, &err) == 1)
		return;
	record->last_exit = (struct record_exit){ .life = record->life,
						  .code = CODE_MONITOR_DIED,
						  .signal = SIGKILL,
						  .started_at_us = record->started_at_us,
						  .finished_at_us = stamp_now_us() };
	snprintf(record->last_exit.error, sizeof(record->last_exit.error), "the monitor died");
}

void slot_ended(struct slot *slot)
{
	struct record *record = slot->record;
	bool left_overs;

	take_exit(slot);
	left_overs = strcmp(record->last_exit.error, "the monitor died") == 0;
	record->state = RECORD_EXITED;
	record->paused = false;
	record->monitor = record->init = (struct process_id){ 0 };
	record->health = HEALTH_NONE;
	health_stop(slot);
	ready_forget(slot);
	uv_timer_stop(&slot->timer);
	slot_event(slot, "die", record->last_exit.oom ? "out of memory" : record->last_exit.error);
	slot->is_deferred = is_going(slot) && !left_overs;
	if (!slot->is_deferred)
		slot_write_record(slot);
	/* The pool lets volumes go and, after a monitor that died, clears what it left; then
	 * slot_settled. */
	slot_end_work(slot, left_overs);
}

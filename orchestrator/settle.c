/* orchestrator/settle - an updated replica proves itself, then takes over.
 *
 * Owns: the wait, the hand-over of ports between two slots. May not touch: what is replaced and
 * when (plan_rolling).
 */
#include "orchestrator/settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/connections.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/publish.h"
#include "orchestrator/ready.h"
#include "orchestrator/record_make.h"

#define MONITOR_DEFAULT_US                                                                         \
	5000000 /* of a service that nothing tests, as the specification has it */

enum phase { WATCHING, MOVING, RESTING };

struct settle {
	LIST_ENTRY(settle) link;
	struct change *change;
	const struct action *action;
	struct slot *slot, *from; /* from: NULL, nothing is taken over */
	settle_done done;
	void *ctx;
	enum phase phase;
	uint64_t good_since_us;
	uv_timer_t timer;
	uv_work_t work;
	struct net_want wants[2]; /* of the hand-over: from, slot */
	struct arena *arena;
	struct err err;
};

static void closed(uv_handle_t *handle)
{
	struct settle *settle = handle->data;
	settle_done done = settle->done;
	void *ctx = settle->ctx;
	struct err err = settle->err;

	arena_free(settle->arena);
	free(settle);
	done(ctx, &err);
}

static void finish(struct settle *settle)
{
	LIST_REMOVE(settle, link);
	uv_close((uv_handle_t *)&settle->timer, closed);
}

static void rested(uv_timer_t *timer)
{
	finish(timer->data);
}

static void rest(struct settle *settle)
{
	const struct opt_time *delay = &settle->action->gate->delay;

	settle->phase = RESTING;
	uv_timer_start(&settle->timer, rested,
		       delay->is_set && delay->us > 0 ? (uint64_t)delay->us / 1000 : 0, 0);
}

/* ---- the hand-over ---- */

static void fill_want(struct arena *arena, struct net_want *want, const struct slot *slot,
		      bool with_ports)
{
	*want = (struct net_want){ .service = connections_service(arena, slot_service(slot),
								  slot->record),
				   .slot = slot->name,
				   .number = slot->number,
				   .with_ports = with_ports,
				   .former = slot_net_ref(slot->net),
				   .out_net = slot_net_new() };
	want->out_net->key = xstrdup(slot->net->key);
	want->out_net->netns = xstrdup(slot->net->netns);
}

static int move(struct settle *settle, struct err *err)
{
	struct supervisor *sv = settle->change->sv;
	struct texts held = { NULL, 0 }, keys = { NULL, 0 }, notices = { NULL, 0 };
	struct net_hold *holds;
	size_t count;
	bool fresh;
	int status;

	if (names_ports_held(sv->names, settle->arena, &held, &fresh, err) < 0 ||
	    net_hand_over(sv->net,
			  connections_project(settle->arena, settle->change->model->project,
					      settle->wants, 2),
			  settle->wants, &held, settle->arena, &holds, &count, &notices, &keys,
			  err) < 0)
		return -1;
	status = names_ports_give(sv->names, holds, count, err);
	free(holds);
	if (status == 0)
		status = names_ports_drop(sv->names, &keys, err);
	return status;
}

static void move_in_pool(uv_work_t *work)
{
	struct settle *settle = work->data;

	move(settle, &settle->err);
}

static void take_net(struct slot *slot, struct net_want *want, bool taken)
{
	if (taken) {
		want->out_net->unverified = slot->net->unverified;
		want->out_net->stale = slot->net->stale ? slot_net_ref(slot->net->stale) : NULL;
		slot_net_free(slot->net);
		slot->net = slot_net_ref(want->out_net);
	}
	slot_net_free(want->out_net);
	slot_net_free(want->former);
}

static void note_ports(struct slot *slot)
{
	struct json_object *info = record_info(slot->record);

	record_note_ports(info, slot->net);
	json_object_object_del(info, "update_of");
	record_put_info(slot->record, info);
	slot_write_record(slot);
}

static void moved(uv_work_t *work, int status)
{
	struct settle *settle = work->data;
	bool fine = settle->err.code == ERR_OK;

	(void)status;
	take_net(settle->from, &settle->wants[0], fine);
	take_net(settle->slot, &settle->wants[1], fine);
	if (!fine) {
		finish(settle);
		return;
	}
	settle->slot->unsettled = false;
	note_ports(settle->from);
	note_ports(settle->slot);
	slot_event(settle->slot, "take-over", settle->action->reason);
	publish_names(settle->change->sv, NULL);
	rest(settle);
}

static void hand_over(struct settle *settle)
{
	if (!settle->from || !settle->from->net || !settle->slot->net ||
	    !settle->slot->net->link_count || !settle->from->net->link_count) {
		settle->slot->unsettled = false;
		note_ports(settle->slot);
		rest(settle);
		return;
	}
	settle->phase = MOVING;
	settle->arena = arena_new();
	fill_want(settle->arena, &settle->wants[0], settle->from, false);
	fill_want(settle->arena, &settle->wants[1], settle->slot, true);
	settle->work.data = settle;
	uv_queue_work(settle->change->sv->loop, &settle->work, move_in_pool, moved);
}

/* ---- the wait ---- */

int settle_judge(const struct slot *slot, struct err *err)
{
	const struct record *record = slot->record;

	if (!record)
		return err_set(err, ERR_NOT_FOUND, "container has gone");
	if (slot->state == SLOT_BACKOFF || (slot->state == SLOT_EXITED && record->last_exit.code))
		return err_set(err, ERR_SYSTEM, "container %s exited (%d)", record->name,
			       record->last_exit.code);
	if (slot->state == SLOT_EXITED)
		return 1;
	if (slot->state != SLOT_RUNNING)
		return 0;
	return ready_judge(slot, NULL, err);
}

static uint64_t monitor_us(const struct settle *settle)
{
	const struct opt_time *monitor = &settle->action->gate->monitor;
	struct err ignored = ERR_NONE;
	bool judged = false;

	if (monitor->is_set)
		return monitor->us > 0 ? (uint64_t)monitor->us : 0;
	ready_judge(settle->slot, &judged, &ignored);
	return judged ? 0 : MONITOR_DEFAULT_US;
}

static size_t replicas_updated(const struct change *change, const char *service)
{
	size_t count = 0;

	for (size_t i = 0; i < change->plan.count; i++)
		count += change->plan.actions[i].kind == ACTION_SETTLE &&
			 strcmp(change->plan.actions[i].service, service) == 0;
	return count;
}

/* As failure_action and max_failure_ratio say. */
static void failed(struct settle *settle)
{
	struct change *change = settle->change;
	const struct update_config *gate = settle->action->gate;
	const char *wish = gate->failure_action ? gate->failure_action : "pause";
	size_t total = replicas_updated(change, settle->action->service);
	double ratio = gate->max_failure_ratio.is_set ? gate->max_failure_ratio.value : 0;
	bool goes_on = strcmp(wish, "continue") == 0 ||
		       (double)++change->failed_updates <= ratio * (double)total;

	slot_event(settle->slot, "update-failed", settle->err.msg);
	if (goes_on) {
		change_notice(change, arena_format(change->arena, "update of service %s: %s",
						   settle->action->service, settle->err.msg));
		settle->err = ERR_NONE;
		hand_over(settle);
		return;
	}
	if (strcmp(wish, "rollback") == 0 && !(change->options.flags & PLAN_ROLLBACK))
		change->roll_back = settle->action->service;
	err_wrap(&settle->err, "update of service %s failed", settle->action->service);
	finish(settle);
}

static void due(uv_timer_t *timer);

static void look(struct settle *settle)
{
	uint64_t now = stamp_monotonic_us(), need;
	int state;

	if (settle->phase != WATCHING || settle->err.code)
		return;
	state = settle_judge(settle->slot, &settle->err);
	if (state < 0) {
		settle->phase = RESTING;
		uv_timer_stop(&settle->timer);
		failed(settle);
		return;
	}
	if (state == 0) {
		settle->good_since_us = 0;
		uv_timer_stop(&settle->timer);
		return;
	}
	if (!settle->good_since_us)
		settle->good_since_us = now;
	need = settle->good_since_us + monitor_us(settle);
	if (now < need) {
		uv_timer_start(&settle->timer, due, (need - now + 999) / 1000, 0);
		return;
	}
	slot_event(settle->slot, "settled", settle->action->reason);
	hand_over(settle);
}

static void due(uv_timer_t *timer)
{
	look(timer->data);
}

void settle_begin(struct change *change, const struct action *action, settle_done done, void *ctx)
{
	struct settle *settle = xcalloc(1, sizeof(*settle));

	settle->change = change;
	settle->action = action;
	settle->slot = slot_find(change->sv, action->service, action->slot);
	settle->from = action->from ? slot_find(change->sv, action->service, action->from) : NULL;
	settle->done = done;
	settle->ctx = ctx;
	uv_timer_init(change->sv->loop, &settle->timer);
	settle->timer.data = settle;
	LIST_INSERT_HEAD(&change->settles, settle, link);
	uv_timer_start(&settle->timer, due, 0, 0);
}

void settles_look(struct change *change)
{
	struct settle *settle, *next;

	for (settle = LIST_FIRST(&change->settles); settle; settle = next) {
		next = LIST_NEXT(settle, link);
		look(settle);
	}
}

void settles_cancel(struct change *change)
{
	struct settle *settle, *next;

	for (settle = LIST_FIRST(&change->settles); settle; settle = next) {
		next = LIST_NEXT(settle, link);
		if (settle->phase == MOVING)
			continue; /* it ends by itself */
		if (settle->phase == WATCHING)
			err_set(&settle->err, ERR_CANCELLED, "cancelled");
		settle->phase = RESTING;
		uv_timer_stop(&settle->timer);
		finish(settle);
	}
}

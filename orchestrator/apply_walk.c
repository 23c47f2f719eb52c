/* orchestrator/apply_walk - which action of a plan may begin, and when all are over.
 *
 * Owns: edges, conditions, what a failure holds back. May not touch: how an action is done (apply).
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/apply_internal.h"
#include "orchestrator/nursery.h"
#include "orchestrator/settle.h"
#include "orchestrator/slot.h"

/* `restart` and `start` of a service whose dependency never ran and is not meant: nothing to wait
 * for. */
static bool will_not_run(const struct change *change, const char *service)
{
	const struct slot *slot;

	if (change->options.op != PLAN_RESTART && change->options.op != PLAN_START)
		return false;
	for (size_t i = 0; i < change->plan.count; i++)
		if (change->plan.actions[i].kind == ACTION_START &&
		    strcmp(change->plan.actions[i].service, service) == 0)
			return false;
	LIST_FOREACH(slot, &change->sv->slots, link)
	if (strcmp(slot->service, service) == 0 && slot->state != SLOT_CREATED &&
	    slot->state != SLOT_EMPTY)
		return false;
	return true;
}

/* The networks of a project that ends go beside the last breath of what SIGKILL was sent to. */
static bool is_dead_enough(const struct change *change, const struct action *action, size_t first)
{
	const struct action *stop = &change->plan.actions[first];
	const struct slot *slot;

	if (action->kind != ACTION_REMOVE_NETWORK || !(change->flags & CHANGE_TO_DOWN) ||
	    stop->kind != ACTION_STOP || change->states[first] != ACTION_RUNNING)
		return false;
	slot = apply_slot_of(change, stop);
	return slot && slot->state == SLOT_STOPPING && slot->is_killed;
}

/* 1: may begin; 0: not yet; -1: never, *err says why. */
static int may_begin(struct change *change, const struct action *action, struct err *err)
{
	for (size_t i = 0; i < action->after_count; i++) {
		enum action_state state = change->states[action->after[i]];

		if (state == ACTION_FAILED)
			return err_set(err, ERR_CANCELLED, "%s", change->failure.msg);
		if (state != ACTION_DONE && !is_dead_enough(change, action, action->after[i]))
			return 0;
	}
	for (size_t i = 0; i < action->wait_count; i++) {
		int holds = will_not_run(change, action->waits[i].service)
				    ? 1
				    : apply_condition(change->sv, &action->waits[i], err);

		if (holds <= 0)
			return holds;
	}
	return 1;
}

static void fail_without_beginning(struct change *change, size_t at, const struct err *err)
{
	const struct action *action = &change->plan.actions[at];

	change->states[at] = ACTION_FAILED;
	apply_note_failure(change, action, err);
	if (err->code != ERR_CANCELLED)
		apply_tell_failure(change, action, err);
}

/* After a failure nothing new is brought up; what is being taken down goes on. */
static bool is_held_back(const struct change *change, const struct action *action)
{
	return (change->failure.code != ERR_OK && !apply_stops(action->kind)) ||
	       change->flow.cancelled;
}

/* A start whose conditions do not hold (yet): policy looks after it from here on. */
static bool leave_to_policy(struct change *change, size_t at, const char *why)
{
	const struct action *action = &change->plan.actions[at];
	struct slot *slot = action->kind == ACTION_START ? apply_slot_of(change, action) : NULL;

	if (!(change->flags & CHANGE_KEEP_GOING) || !slot || !slot->record ||
	    (slot->state != SLOT_CREATED && slot->state != SLOT_EXITED))
		return false;
	change->states[at] = ACTION_DONE;
	slot_await_needs(slot, why);
	return true;
}

/* What is still to come when nothing moves any more. True: something was left to policy. */
static bool leave_rest_to_policy(struct change *change)
{
	bool any = false;

	for (size_t i = 0; i < change->plan.count; i++)
		if (change->states[i] == ACTION_WAITING)
			any |= leave_to_policy(change, i, "it waits for what it depends on");
	return any;
}

/* --parallel: whatever ends looks again. */
static bool is_full(const struct change *change)
{
	return change->parallel && change->running >= change->parallel;
}

void apply_look(struct change *change)
{
	bool moved = true, open = false;

	if (!change->applying)
		return;
	change->applying = false; /* what begins may end at once and come back here */
	settles_look(change);
	while (moved) {
		moved = open = false;
		for (size_t i = 0; i < change->plan.count; i++) {
			struct err err = ERR_NONE;
			int may;

			if (is_full(change))
				break;
			if (change->states[i] != ACTION_WAITING ||
			    is_held_back(change, &change->plan.actions[i]))
				continue;
			may = may_begin(change, &change->plan.actions[i], &err);
			open |= may == 0;
			if (may > 0)
				apply_action(change, i);
			else if (may < 0 && !leave_to_policy(change, i, err.msg))
				fail_without_beginning(change, i, &err);
			moved |= may != 0;
		}
		if (!moved && open && !change->running && !change->flow.cancelled)
			moved = leave_rest_to_policy(change);
	}
	change->applying = true;
	if (change->running || (open && change->failure.code == ERR_OK && !change->flow.cancelled))
		return;
	change->applying = false;
	flow_resume(&change->flow, change->failure.code ? &change->failure : NULL);
}

static void open_nursery(struct change *change)
{
	struct supervisor *sv = change->sv;
	size_t starts = 0;

	for (size_t i = 0; i < change->plan.count; i++)
		starts += change->plan.actions[i].kind == ACTION_START;
	if (starts >= NURSERY_STARTS_LEAST && !sv->nursery)
		sv->nursery = nursery_new(sv->runtime_fd, sv->log_fd, sv->trace_fd);
}

static void first_look(uv_timer_t *timer)
{
	apply_look(timer->data);
}

int apply_begin(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	change->states =
		arena_alloc(change->arena, (change->plan.count + 1) * sizeof(*change->states));
	change->applying = true;
	open_nursery(change);
	/* flow_resume wants the stage to wait already: the first look comes with the next turn of
	 * the loop. */
	uv_timer_start(&change->wait_timer, first_look, 0, 0);
	return STAGE_WAITS;
}

/* flow_cancel has ended the wait: what runs is cancelled, and the way back waits for it. */
int apply_cancel(void *data, struct err *err)
{
	struct change *change = data;
	struct slot *slot, *next;

	(void)err;
	if (!change->states || !change->running) {
		change->applying = false;
		return 0;
	}
	for (slot = LIST_FIRST(&change->sv->slots); slot; slot = next) {
		next = LIST_NEXT(slot, link);
		if (slot->starting)
			slot_cancel(slot);
	}
	settles_cancel(change);
	change->applying = true;
	return STAGE_WAITS;
}

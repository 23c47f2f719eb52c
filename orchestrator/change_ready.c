/* orchestrator/change_ready - `up --wait`: until everything that was started is healthy, or runs.
 *
 * Owns: what counts as ready. May not touch: tests (health).
 */
#include "orchestrator/change_ready.h"

#include <string.h>

#include "orchestrator/ready.h"
#include "orchestrator/slot.h"

/* 1 ready, 0 not yet, -1 never. */
static int slot_ready(const struct slot *slot, struct err *err)
{
	const struct record *record = slot->record;

	if (slot->state == SLOT_EXITED || slot->state == SLOT_BACKOFF)
		return err_set(err, ERR_SYSTEM, "container %s exited (%d)", record->name,
			       record->last_exit.code);
	if (slot->state != SLOT_RUNNING)
		return 0;
	return ready_judge(slot, NULL, err);
}

static int all_ready(const struct change *change, struct err *err)
{
	int result = 1;

	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];
		struct slot *slot;
		int one;

		if (action->kind != ACTION_START)
			continue;
		slot = slot_find(change->sv, action->service, action->slot);
		one = slot && slot->record ? slot_ready(slot, err) : 0;
		if (one < 0)
			return -1;
		result &= one;
	}
	return result;
}

static void too_late(uv_timer_t *timer)
{
	struct change *change = timer->data;
	struct err err = ERR_NONE;

	change->waits_ready = false;
	err_set(&err, ERR_TIMEOUT, "not everything is ready after %lld s",
		(long long)(change->wait_timeout_us / 1000000));
	flow_resume(&change->flow, &err);
}

void ready_look(struct change *change)
{
	struct err err = ERR_NONE;
	int ready;

	if (!change->waits_ready)
		return;
	ready = all_ready(change, &err);
	if (ready == 0)
		return;
	change->waits_ready = false;
	uv_timer_stop(&change->wait_timer);
	flow_resume(&change->flow, ready < 0 ? &err : NULL);
}

int ready_begin(void *data, struct err *err)
{
	struct change *change = data;
	int ready;

	if (!(change->flags & CHANGE_WAIT))
		return 0;
	ready = all_ready(change, err);
	if (ready)
		return ready < 0 ? -1 : 0;
	change->waits_ready = true;
	if (change->wait_timeout_us > 0)
		uv_timer_start(&change->wait_timer, too_late,
			       (uint64_t)change->wait_timeout_us / 1000, 0);
	return STAGE_WAITS;
}

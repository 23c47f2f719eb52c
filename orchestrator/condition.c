/* orchestrator/condition - does a condition of depends_on hold.
 *
 * Owns: what the three conditions mean. May not touch: who waits for them (apply, service).
 */
#include <string.h>

#include "orchestrator/change.h"
#include "orchestrator/idle.h"
#include "orchestrator/ready.h"
#include "orchestrator/slot.h"

static int started(const struct slot *slot, const struct plan_wait *wait, struct err *err)
{
	(void)wait;
	(void)err;
	return slot->state == SLOT_RUNNING || slot->state == SLOT_EXITED ||
	       slot->state == SLOT_BACKOFF;
}

static int healthy(const struct slot *slot, const struct plan_wait *wait, struct err *err)
{
	const struct record *record = slot->record;
	bool judged;
	int well;

	(void)wait;
	if (slot->state == SLOT_EXITED && record->life)
		return err_set(err, ERR_SYSTEM,
			       "dependency failed to start: container %s exited (%d)", record->name,
			       record->last_exit.code);
	if (slot->state != SLOT_RUNNING)
		return 0;
	well = ready_judge(slot, &judged, err);
	if (well < 0)
		return err_wrap(err, "dependency failed to start");
	if (!judged)
		return err_set(err, ERR_INVALID,
			       "dependency failed to start: container %s has no healthcheck",
			       record->name);
	return record->health == HEALTH_NONE ? well : record->health == HEALTH_GOOD;
}

static int completed(const struct slot *slot, const struct plan_wait *wait, struct err *err)
{
	if (slot->state != SLOT_EXITED || !slot->record->life)
		return 0;
	if (slot->record->last_exit.code != 0)
		return err_set(err, ERR_SYSTEM,
			       "service \"%s\" didn't complete successfully: exit %d",
			       wait->service, slot->record->last_exit.code);
	return 1;
}

static const struct {
	const char *name;
	int (*holds)(const struct slot *slot, const struct plan_wait *wait, struct err *err);
} conditions[] = {
	{"service_started",                 started  },
	{ "service_healthy",                healthy  },
	{ "service_completed_successfully", completed},
};

int apply_condition(struct supervisor *sv, const struct plan_wait *wait, struct err *err)
{
	struct slot *slot;
	int result = 1, any = 0;
	size_t kind = 0;

	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++)
		if (wait->condition && strcmp(conditions[i].name, wait->condition) == 0)
			kind = i;
	LIST_FOREACH(slot, &sv->slots, link)
	{
		int one;

		if (slot->oneoff || !slot->record || strcmp(slot->service, wait->service) != 0)
			continue;
		any = 1;
		if (idle_is_asleep(slot)) { /* no name leads to it: it is needed now */
			idle_wake(slot, "another service depends on it");
			result = result > 0 ? 0 : result;
			continue;
		}
		one = conditions[kind].holds(slot, wait, err);
		if (one < 0)
			return wait->required ? -1 : 1;
		if (one < result)
			result = one;
	}
	return any ? result : !wait->required;
}

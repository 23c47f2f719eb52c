/* orchestrator/service - restart policies: does a container that ended start again, and when.
 *
 * Owns: policy and backoff. May not touch: how a start is done (slot_start).
 */
#include "orchestrator/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/change.h"
#include "orchestrator/schedule.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_end.h"

#define BACKOFF_FIRST_US 100000ull
#define BACKOFF_MAX_US   60000000ull
#define RESET_AFTER_US                                                                             \
	10000000ull /* a life as long as this clears the row of failures; restart_policy.window */

bool service_wants_restart(const struct restart_rule *rule, const struct record_exit *last,
			   unsigned restarts, bool by_hand)
{
	if (by_hand)
		return false;
	switch (rule->when) {
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return !rule->max_attempts || restarts < rule->max_attempts;
	case RESTART_ON_FAILURE:
		return last->code != 0 && (!rule->max_attempts || restarts < rule->max_attempts);
	default:
		return false;
	}
}

uint64_t service_backoff_us(const struct restart_rule *rule, unsigned streak, unsigned jitter)
{
	uint64_t delay = BACKOFF_FIRST_US;

	if (rule->delay.is_set)
		return (uint64_t)rule->delay.us;
	for (unsigned i = 1; i < streak && delay < BACKOFF_MAX_US; i++)
		delay *= 2;
	if (delay > BACKOFF_MAX_US)
		delay = BACKOFF_MAX_US;
	return delay +
	       delay / 10 * (jitter % 11) / 10; /* up to a tenth more, so that many do not meet */
}

static void restarted(void *ctx, struct slot *slot, const struct err *err)
{
	(void)ctx;
	if (err->code != ERR_OK && err->code != ERR_CANCELLED && slot->state == SLOT_EXITED)
		slot_apply_policy(slot);
}

/* One rule for every start: also policy waits for what the service depends on. Out: the first
 * condition that does not hold. */
static bool needs_hold(const struct slot *slot, char *out_why, size_t size)
{
	const struct service *service = slot_service(slot);

	for (size_t i = 0; service && i < service->depends_on_count; i++) {
		const struct dependency *need = &service->depends_on[i];
		struct plan_wait wait = { need->service, need->condition, need->required };
		struct err ignored = ERR_NONE;

		if (apply_condition(slot->sv, &wait, &ignored) == 1)
			continue;
		snprintf(out_why, size, "it waits for %s (%s)", need->service, need->condition);
		return false;
	}
	return true;
}

static void start_by_policy(struct slot *slot)
{
	slot->awaits_needs = false;
	if (slot->record->life) {
		slot->record->restarts++;
		slot_event(slot, "restart", "its restart policy says so");
	}
	slot_start(slot, "restart policy", restarted, NULL);
}

void slots_look(struct supervisor *sv)
{
	struct slot *slot;
	char why[200];

	if (sv->ending)
		return;
	LIST_FOREACH(slot, &sv->slots, link)
	{
		if (!slot->awaits_needs || slot->state != SLOT_BACKOFF ||
		    !needs_hold(slot, why, sizeof(why)))
			continue;
		start_by_policy(slot);
	}
}

void slot_await_needs(struct slot *slot, const char *reason)
{
	slot->awaits_needs = true;
	slot->record->state = RECORD_BACKOFF;
	slot_write_record(slot);
	slot_event(slot, "waits", reason);
	slot_set_state(slot, SLOT_BACKOFF); /* looks at once */
}

void slot_start_when_due(struct slot *slot, const char *reason)
{
	char why[200];

	if (needs_hold(slot, why, sizeof(why)))
		slot_start(slot, reason, restarted, NULL);
	else
		slot_await_needs(slot, why);
}

static void backoff_is_over(uv_timer_t *timer)
{
	struct slot *slot = timer->data;
	char why[200];

	if (needs_hold(slot, why, sizeof(why)))
		start_by_policy(slot);
	else
		slot_await_needs(slot, why);
}

static void begin_backoff(struct slot *slot, const struct restart_rule *rule)
{
	uint64_t delay;

	slot->streak++;
	delay = service_backoff_us(rule, slot->streak, (unsigned)(stamp_monotonic_us() % 11));
	slot->record->state = RECORD_BACKOFF;
	slot_write_record(slot);
	slot_set_state(slot, SLOT_BACKOFF);
	uv_timer_start(&slot->timer, backoff_is_over, (delay + 999) / 1000, 0);
}

void slot_restart_soon(struct slot *slot)
{
	const struct service *service = slot_service(slot);
	struct restart_rule rule = service ? service_restart(service) : (struct restart_rule){ 0 };

	begin_backoff(slot, &rule);
}

void slot_apply_policy(struct slot *slot)
{
	const struct service *service = slot_service(slot);
	struct restart_rule rule = service ? service_restart(service) : (struct restart_rule){ 0 };
	const struct record_exit *last = &slot->record->last_exit;
	uint64_t lived = last->finished_at_us > last->started_at_us
				 ? last->finished_at_us - last->started_at_us
				 : 0;

	if (lived >= (rule.window.is_set ? (uint64_t)rule.window.us : RESET_AFTER_US)) {
		slot->streak = 0;
		slot->record->restarts =
			rule.when == RESTART_ON_FAILURE ? 0 : slot->record->restarts;
	}
	if (slot->oneoff && slot->remove_after) {
		slot_set_state(slot, SLOT_EXITED);
		slot_discard(slot, "run --rm");
		return;
	}
	if (slot->oneoff || slot->sv->ending ||
	    !service_wants_restart(&rule, last, slot->record->restarts, slot->kept_down)) {
		slot_set_state(slot, SLOT_EXITED);
		schedule_ended(slot);
		return;
	}
	begin_backoff(slot, &rule);
}

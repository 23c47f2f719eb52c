/* orchestrator/service - restart policies: does a container that ended start again, and when. The
 * pure half; slot_apply_policy (slot.h) uses it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/records.h"
#include "specs/model.h"

/* restarts: how often policy has started it since it was last started by hand. */
bool service_wants_restart(const struct restart_rule *rule, const struct record_exit *last,
			   unsigned restarts, bool by_hand);
/* 100 ms doubled for each failure in a row (streak from 1) up to a minute, plus up to a tenth by
 * jitter; the rule's own delay where it has one. */
uint64_t service_backoff_us(const struct restart_rule *rule, unsigned streak, unsigned jitter);

/* orchestrator/health - healthchecks: when, how long, how many; what their results mean.
 *
 * On the loop; a test command is `stack-runtime exec`, run in the pool with a time-out. Source:
 * Compose healthcheck; docker's start period rules.
 */
#pragma once
#include "images/config.h"
#include "orchestrator/records.h"
#include "orchestrator/slot.h"

/* HEALTH_STARTING when service or image has a check that is not disabled, else HEALTH_NONE. */
enum health_state health_first_state(const struct service *service,
				     const struct image_config *image);
/* Begins to test the container that has just started; nothing when it has no check. image may be
 * NULL (adoption: the service's own check alone). */
void health_start(struct slot *slot, const struct image_config *image);
/* No further tests; safe when none run. */
void health_stop(struct slot *slot);

/* orchestrator/restore - what comes back after the machine was down: by desired state, restart
 * policy and x-stack.autostart, in the order of depends_on. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "orchestrator/control.h"
#include "orchestrator/records.h"
#include "orchestrator/supervisor.h"
#include "specs/model.h"

/* Pure. Does a container that does not run come back? Only what the machine's end (or a shutdown)
 * cut off, or what never got to its first start: always, unless-stopped and on-failure do; `no`
 * does where autostart says true; nothing does where autostart says false, and nothing that was
 * stopped by hand. */
bool restore_wants(const struct service *service, const struct record *record,
		   struct opt_bool autostart);
/* As above for one that a wanted service depends on: its own policy does not count. */
bool restore_needs(const struct record *record);

/* Submits the change that brings it back, where desired says "up". request (may be NULL) is
 * answered at its end, at once when there is nothing to do. */
void restore_begin(struct supervisor *sv, struct control_request *request);

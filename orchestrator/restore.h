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

/* How long after so many tries that brought not everything back the next one begins. */
uint64_t restore_pause_ms(unsigned tries);

/* Brings it back, where desired says "up": all in one change; when that cannot be (an address is
 * missing yet, a disk is not mounted), each service by itself, and those that fail again and again
 * after a pause, from a second to a minute, until they run or nobody wants them any more. request
 * (may be NULL) is answered behind the first round, at once when there is nothing to do. */
void restore_begin(struct supervisor *sv, struct control_request *request);
/* A try is on its way, or comes: the supervisor stays. */
bool restore_is_pending(const struct supervisor *sv);
struct slot;
/* A start on behalf of a restore failed, and its restart policy leaves it: it is tried again. */
void restore_start_failed(struct slot *slot, const struct err *err);

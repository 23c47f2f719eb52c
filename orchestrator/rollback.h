/* orchestrator/rollback - a former model in force again, whole or for some services, with the
 * images of that time. */
#pragma once
#include "orchestrator/change.h"

/* `stack rollback [SERVICE...]`: submits the change. Refused with ERR_NOT_FOUND when the history
 * has nothing to go back to. The loop reads the history: small files, and rare. */
void rollback_begin(struct supervisor *sv, struct control_request *request,
		    const char *const *services, size_t count);
/* After an update that failed where the file says failure_action: rollback. Takes over the request
 * of `failed`, whose error is its answer in the end. False: there is nothing to go back to. */
bool rollback_after(struct change *failed, const struct err *why);
/* The image that a service is held at; NULL: whatever its reference means now. */
const char *rollback_pin(const struct change *change, const char *service);

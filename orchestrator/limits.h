/* orchestrator/limits - limits of a running container, changed in place (`stack-runtime update`).
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/supervisor.h"
#include "specs/model.h"

/* Pure. The flags of `update` for what service_fixed_hash leaves out; what the file does not limit
 * is unlimited. NULL-terminated, in the arena. */
const char *const *limits_flags(struct arena *arena, const struct service *service);
/* Blocks (a program). */
int limits_apply(const struct supervisor *sv, const char *container_id,
		 const struct service *service, struct err *err);

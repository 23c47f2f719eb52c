/* orchestrator/slot_end - after a life: what it held is let go, then policy decides. */
#pragma once
#include "orchestrator/slot.h"

/* Lets volumes go in the pool; after a monitor that died its container's processes, mounts and
 * cgroup are cleared first. Then the names are published anew, the stop job (if one waits) is told,
 * else policy holds. */
void slot_end_work(struct slot *slot, bool left_overs);
/* Blocking: stack-runtime delete --force of that container; for the pool. Nothing there: fine. */
int slot_clear_left_overs(const struct supervisor *sv, const char *container_id, struct err *err);

/* orchestrator/ready - x-stack.ready: may those who depend on a container begin, judged from
 * outside: a port, an answer, a line of the log since this start. On the loop; probes run in the
 * pool. */
#pragma once
#include "orchestrator/slot.h"

/* begun_us: lines of the log from then on count. Nothing to judge: READY_NONE and done. */
void ready_watch(struct slot *slot, uint64_t begun_us);
void ready_forget(struct slot *slot);
/* A healthcheck, or x-stack.ready where there is none: 1 well, 0 not yet, -1 not (any more, or in
 * time; *err). *out_any (may be NULL): whether anything is judged at all. */
int ready_judge(const struct slot *slot, bool *out_any, struct err *err);

/* orchestrator/schedule - x-stack.schedule: jobs that the clock starts. One timer of the wall clock
 * for the project, set anew when somebody sets the clock: a jump starts a job at most once. On the
 * loop. */
#pragma once
#include <stdbool.h>

#include "orchestrator/slot.h"
#include "orchestrator/supervisor.h"

struct schedule;

/* NULL with a line in the log when the kernel has no such timer: schedules do not run then. */
struct schedule *schedule_new(struct supervisor *sv);
/* The model or a job changed: the next time is computed anew. */
void schedule_look(struct supervisor *sv);
/* A job waits for its time: the supervisor does not end by itself. */
bool schedule_is_pending(const struct supervisor *sv);
/* A run has ended: the one that overlap: queue kept goes. True: it does. */
bool schedule_ended(struct slot *slot);

/* orchestrator/idle - x-stack.idle: a service that nobody is connected to is stopped, and the first
 * connection to a published port starts it again. On the loop.
 *
 * While it sleeps its rules are taken away and its placeholders listen (idle_ports): the kernel
 * keeps connections, the supervisor looks at none of them. When the container serves its ports,
 * netd's relay takes those that wait, the rules come back and new ones go the normal way.
 */
#pragma once
#include <stdbool.h>

#include "orchestrator/slot.h"

/* The slot's state has changed. */
void idle_look(struct slot *slot);
/* Stopped by idle, or on the way back from there. */
bool idle_is_asleep(const struct slot *slot);
/* Somebody needs it who does not come by a published port. */
void idle_wake(struct slot *slot, const char *reason);
/* A stop of one that sleeps: slot_job_over follows when its ports are as those of any other stopped
 * container. False: it does not sleep. */
bool idle_stop(struct slot *slot);
/* The slot is forgotten. */
void idle_forget(struct slot *slot);
/* At the start of a supervisor: one that was asleep sleeps on. */
void idle_adopt(struct slot *slot);

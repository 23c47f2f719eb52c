/* runtime/lifecycle - what happens to a container after create: start, kill, the end. Blocks. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "runtime/config.h"
#include "runtime/state.h"

/* The state as hooks are given it, plain JSON. To be freed. */
char *lifecycle_hook_state(const struct state *state, enum status status);
/* Lets an init that waits on exec.fifo go on, and waits until its program runs. poststart hooks;
 * when one fails the container is killed. */
int lifecycle_start(struct state *state, const struct config *config, struct err *err);
/* The signal to init; all: to everything in the cgroup. */
int lifecycle_kill(struct state *state, int signal, bool all, struct err *err);

#define LIFECYCLE_FORCE    1u /* kills what still runs; goes on after failures */
#define LIFECYCLE_NO_HOOKS 2u

/* Kills init when that is allowed (created, or forced), the rest of the cgroup, removes the cgroup,
 * runs the poststop hooks (config may be NULL: none), removes the folder last. */
int lifecycle_remove(struct state *state, const struct config *config, unsigned flags,
		     void (*warn)(void *context, const char *text), void *context, struct err *err);

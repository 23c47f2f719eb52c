/* runtime/hooks - the hooks of config.json, in their order. Blocks until each has ended. */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "runtime/config.h"

/* "prestart", "createRuntime", ... */
const char *hook_kind_name(enum hook_kind kind);
/* Runs all of that kind with the state (JSON text) on stdin, in folder cwd (NULL: as is). Stops at
 * the first failure: *err says which, with the end of its stderr. env (may be NULL: empty) is for
 * hooks that name none. */
int hooks_run(const struct config *config, enum hook_kind kind, const char *state, const char *cwd,
	      char *const *env, struct err *err);
/* poststop: failures are told to warn, the rest still runs. */
void hooks_run_all(const struct config *config, enum hook_kind kind, const char *state,
		   const char *cwd, void (*warn)(void *context, const char *text), void *context);

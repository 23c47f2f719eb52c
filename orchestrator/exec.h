/* orchestrator/exec - a command in a running container, by `stack-runtime exec`. Blocks: for the
 * pool. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/records.h"
#include "orchestrator/spawn.h"
#include "orchestrator/supervisor.h"
#include "specs/model.h"

/* argv ends with NULL; user, working_dir, environment of the hook or NULL. timeout_ms 0: none; when
 * it is over the command is killed and ERR_TIMEOUT told. */
struct exec_request {
	const char *container_id;
	const char *const *argv;
	size_t argc;
	const char *user; /* numbers only, "UID[:GID]" */
	bool privileged;  /* with all capabilities */
	const char *working_dir;
	const struct pairs *environment;
	unsigned timeout_ms;
};
int exec_run(const struct supervisor *sv, const struct exec_request *request,
	     struct spawn_result *out, struct err *err);

/* A user's or group's name as "UID:GID", looked up in the running container's own passwd. *out is
 * in the arena. Errors: user_resolve (images/user); SYSTEM when the container has ended. */
int exec_user_numbers(struct arena *arena, const struct record *record, const char *user,
		      const char **out, struct err *err);

/* Lifecycle hooks in order; a failing one is logged and ends the row: -1, *err says which and why.
 * `what`: "post_start". Names of users are looked up in the container's own passwd. */
int exec_hooks(const struct supervisor *sv, const struct record *record, const char *what,
	       const struct hook *hooks, size_t count, struct err *err);
/* Takes a paused container out of the freezer, so that a signal can reach it. */
void exec_thaw(const struct supervisor *sv, const char *container_id);
/* Any verb of stack-runtime on a container: "pause", "resume"; ERR_SYSTEM with what it said. */
int exec_verb(const struct supervisor *sv, const char *verb, const char *container_id,
	      struct err *err);

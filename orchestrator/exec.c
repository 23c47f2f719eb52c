/* orchestrator/exec - a command in a running container, by `stack-runtime exec`.
 *
 * Owns: the command line of the runtime. May not touch: what a result means.
 */
#include "orchestrator/exec.h"

#include <stdlib.h>
#include <string.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"

#define WORDS_MAX 24 /* of ours, before the command's own */

static char *runtime_root(const struct supervisor *sv)
{
	return xformat("%s/containers", sv->roots->run);
}

int exec_run(const struct supervisor *sv, const struct exec_request *request,
	     struct spawn_result *out, struct err *err)
{
	AUTO(free) char *root = runtime_root(sv);
	size_t env_count = request->environment ? request->environment->count : 0, n = 0;
	AUTO(free)
	const char **argv = xcalloc(WORDS_MAX + 2 * env_count + request->argc + 1, sizeof(char *));
	struct arena *arena = arena_new();
	int status;

	argv[n++] = "stack-runtime";
	argv[n++] = "--root";
	argv[n++] = root;
	argv[n++] = "exec";
	if (request->working_dir) {
		argv[n++] = "--cwd";
		argv[n++] = request->working_dir;
	}
	if (request->user) {
		argv[n++] = "--user";
		argv[n++] = request->user;
	}
	for (size_t i = 0; i < env_count; i++) {
		argv[n++] = "--env";
		argv[n++] = arena_format(arena, "%s=%s", request->environment->items[i].name,
					 request->environment->items[i].value
						 ? request->environment->items[i].value
						 : "");
	}
	argv[n++] = request->container_id;
	for (size_t i = 0; i < request->argc; i++)
		argv[n++] = request->argv[i];
	status =
		spawn_and_wait_for(sv->runtime_fd, argv, sv->log_fd, request->timeout_ms, out, err);
	arena_free(arena);
	return status;
}

int exec_hooks(const struct supervisor *sv, const char *container_id, const struct hook *hooks,
	       size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		struct exec_request request = { .container_id = container_id,
						.argv = hooks[i].command.items,
						.argc = hooks[i].command.count,
						.user = hooks[i].user,
						.working_dir = hooks[i].working_dir,
						.environment = &hooks[i].environment };
		struct spawn_result result;

		memset(&result, 0, sizeof(result));
		if (exec_run(sv, &request, &result, err) == 0 && result.status == 0)
			continue;
		result.output[strcspn(result.output, "\n")] = '\0';
		if (!err->code)
			err_set(err, ERR_SYSTEM, "hook %s: status %d: %.200s",
				hooks[i].command.count ? hooks[i].command.items[0] : "",
				result.status, result.output);
		log_warn("hook-failed", KV_S("container", container_id), KV_S("error", err->msg));
		return -1;
	}
	return 0;
}

int exec_verb(const struct supervisor *sv, const char *verb, const char *container_id,
	      struct err *err)
{
	AUTO(free) char *root = runtime_root(sv);
	const char *argv[] = { "stack-runtime", "--root", root, verb, container_id, NULL };
	struct spawn_result result;

	if (spawn_and_wait(sv->runtime_fd, argv, sv->log_fd, &result, err) < 0)
		return -1;
	result.output[strcspn(result.output, "\n")] = '\0';
	return result.status ? err_set(err, ERR_SYSTEM, "%s", result.output) : 0;
}

void exec_thaw(const struct supervisor *sv, const char *container_id)
{
	struct err err = ERR_NONE;

	if (exec_verb(sv, "resume", container_id, &err) < 0)
		log_warn("not-resumed", KV_S("container", container_id), KV_S("error", err.msg));
}

/* orchestrator/exec - a command in a running container, by `stack-runtime exec`.
 *
 * Owns: the command line of the runtime. May not touch: what a result means.
 */
#include "orchestrator/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "images/user.h"
#include "orchestrator/profile.h"

#define WORDS_MAX 160 /* of ours, before the command's own: two for each capability */

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
	for (unsigned i = 0; request->privileged && profile_capability_name(i); i++) {
		argv[n++] = "--cap";
		argv[n++] = profile_capability_name(i);
	}
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

int exec_user_numbers(struct arena *arena, const struct record *record, const char *user,
		      const char **out, struct err *err)
{
	AUTO(free) char *path = xformat("/proc/%d/root", (int)record->init.pid);
	AUTO(fd) int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct image_user found;

	if (root_fd < 0)
		return err_sys(err, errno, "open the container's root");
	if (user_resolve(root_fd, user, NULL, 0, &found, err) < 0)
		return -1;
	*out = arena_format(arena, "%u:%u", found.uid, found.gid);
	return 0;
}

static int run_hook(const struct supervisor *sv, const struct record *record,
		    const struct hook *hook, struct spawn_result *out, struct err *err)
{
	struct exec_request request = { .container_id = record->id,
					.argv = hook->command.items,
					.argc = hook->command.count,
					.privileged = hook->privileged,
					.working_dir = hook->working_dir,
					.environment = &hook->environment };
	struct arena *arena = arena_new();
	int status = hook->user && *hook->user
			     ? exec_user_numbers(arena, record, hook->user, &request.user, err)
			     : 0;

	if (status == 0)
		status = exec_run(sv, &request, out, err);
	arena_free(arena);
	return status;
}

int exec_hooks(const struct supervisor *sv, const struct record *record, const char *what,
	       const struct hook *hooks, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		struct spawn_result result;

		memset(&result, 0, sizeof(result));
		if (run_hook(sv, record, &hooks[i], &result, err) == 0 && result.status == 0)
			continue;
		result.output[strcspn(result.output, "\n")] = '\0';
		if (!err->code)
			err_set(err, ERR_SYSTEM, "status %d%s%.200s", result.status,
				*result.output ? ": " : "", result.output);
		err_wrap(err, "%s of container %s: %.60s", what, record->name,
			 hooks[i].command.count ? hooks[i].command.items[0] : "");
		log_warn("hook-failed", KV_S("container", record->id), KV_S("error", err->msg));
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

/* runtime/verb_control - kill, delete, pause, resume.
 *
 * Owns: which state allows which. May not touch: how (lifecycle, cgroup_control).
 */
#include <signal.h>
#include <string.h>

#include "base/process.h"
#include "runtime/lifecycle.h"
#include "runtime/verbs.h"

int verb_kill(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	      struct err *err)
{
	bool probe = count > 1 && strcmp(args[1], "0") == 0;
	int number = probe ? 0 : count > 1 ? process_signal_number(args[1]) : SIGTERM;
	AUTO(state) struct state *state = NULL;

	if (number < 0)
		return err_set(err, ERR_INVALID, "unknown signal \"%.40s\"", args[1]);
	state = runtime_state(runtime, args[0], err);
	if (!state || lifecycle_kill(state, number, flags->all, err) < 0)
		return err_wrap(err, "kill %.64s", args[0]);
	return 0;
}

int verb_delete(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(config) struct config *config = NULL;
	struct err ignored = ERR_NONE;

	(void)count;
	if (!state &&
	    flags->force) { /* a create that died early leaves a folder and nothing else */
		state = state_read_torn(runtime->root, args[0], &ignored);
		if (!state)
			return ignored.code == ERR_NOT_FOUND ? 0 : (*err = ignored, -1);
		*err = ERR_NONE;
	}
	if (!state)
		return err_wrap(err, "delete %.64s", args[0]);
	config = state_config(state, &ignored);
	if (lifecycle_remove(state, config, flags->force ? LIFECYCLE_FORCE : 0, runtime_warn,
			     runtime, err) < 0)
		return err_wrap(err, "delete %.64s", args[0]);
	return 0;
}

int verb_pause(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	       struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	enum status status;

	(void)flags;
	(void)count;
	if (!state)
		return err_wrap(err, "pause %.64s", args[0]);
	status = state_status(state);
	if (status != STATUS_RUNNING && status != STATUS_CREATED)
		return err_set(err, ERR_INVALID,
			       "pause %.64s: container not running or created: %s", args[0],
			       status_name(status));
	if (!state->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "pause %.64s: container has no cgroup",
			       args[0]);
	return cgroup_freeze(state->cgroup, err) < 0 ? err_wrap(err, "pause %.64s", args[0]) : 0;
}

int verb_resume(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);

	(void)flags;
	(void)count;
	if (!state)
		return err_wrap(err, "resume %.64s", args[0]);
	if (!state->cgroup || state_status(state) == STATUS_STOPPED ||
	    !cgroup_is_frozen(state->cgroup))
		return err_set(err, ERR_INVALID, "resume %.64s: container not paused", args[0]);
	return cgroup_thaw(state->cgroup, err) < 0 ? err_wrap(err, "resume %.64s", args[0]) : 0;
}

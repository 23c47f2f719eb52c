/* runtime/lifecycle - what happens to a container after create: start, kill, the end.
 *
 * Owns: the order of start and of removal. May not touch: making a container (create), other
 * processes in it (exec).
 */
#include "runtime/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stages.h"
#include "runtime/hooks.h"
#include "runtime/sync.h"

#define KILL_WAIT_MS 10000

char *lifecycle_hook_state(const struct state *state, enum status status)
{
	AUTO(json) struct json_object *json = state_to_oci(state, status);

	return xstrdup(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* Init's words through start.sock: an error, or the end of the connection, which is the exec. */
static int hear(int word_fd, int pidfd, struct err *err)
{
	for (;;) {
		struct pollfd polls[2] = {
			{word_fd, POLLIN, 0},
                        { pidfd,  POLLIN, 0}
		};
		struct sync_message message;
		ssize_t n;

		if (poll(polls, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, errno, "wait for the program");
		}
		n = read(word_fd, &message, sizeof(message));
		if (n == (ssize_t)sizeof(message) && message.kind == SYNC_ERROR &&
		    message.code < ERR_CODE_COUNT) {
			message.text[sizeof(message.text) - 1] = '\0';
			return err_set(err, (enum err_code)message.code, "%s", message.text);
		}
		if (n >= 0 || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(err, errno, "wait for the program");
		if (polls[1].revents)
			return err_set(err, ERR_SYSTEM, "container init exited before start");
	}
}

static int release(struct state *state, int pidfd, struct err *err)
{
	AUTO(fd) int word_fd = -1;
	AUTO(fd) int go_fd = openat(state->dir_fd, "exec.fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (go_fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INVALID, "cannot start an already running container");
	if (go_fd < 0 && errno == ENXIO)
		return err_set(err, ERR_SYSTEM, "container init exited before start");
	if (go_fd < 0)
		return err_sys(err, errno, "open exec.fifo");
	word_fd = message_connect(state->dir_fd, "start.sock", SOCK_SEQPACKET | SOCK_NONBLOCK, err);
	if (word_fd < 0)
		return err_wrap(err, "container init exited before start");
	if (stages_point("start", "release", err) < 0)
		return -1;
	if (unlinkat(state->dir_fd, "exec.fifo", 0) < 0)
		return errno == ENOENT ? err_set(err, ERR_INVALID,
						 "cannot start an already running container")
				       : err_sys(err, errno, "remove exec.fifo");
	if (write(go_fd, "", 1) < 0)
		return err_sys(err, errno, "write exec.fifo");
	unlinkat(state->dir_fd, "start.sock", 0);
	return hear(word_fd, pidfd, err);
}

int lifecycle_start(struct state *state, const struct config *config, struct err *err)
{
	AUTO(fd) int pidfd = process_open(state->init);
	AUTO(free) char *hook_state = NULL;
	enum status status = state_status(state);

	if (pidfd < 0 || status == STATUS_STOPPED)
		return err_set(err, ERR_INVALID, "cannot start a container that has stopped");
	if (status == STATUS_CREATING)
		return err_set(err, ERR_BUSY, "cannot start a container that is being created");
	if (release(state, pidfd, err) < 0)
		return -1;
	if (!config->hooks[HOOK_POSTSTART].count)
		return 0;
	hook_state = lifecycle_hook_state(state, STATUS_RUNNING);
	if (hooks_run(config, HOOK_POSTSTART, hook_state, state->bundle, NULL, err) < 0) {
		process_signal(pidfd, SIGKILL);
		return -1;
	}
	return 0;
}

int lifecycle_kill(struct state *state, int signal, bool all, struct err *err)
{
	enum status status = state_status(state);
	AUTO(fd) int pidfd = process_open(state->init);

	if (all && (status == STATUS_STOPPED || state->cgroup)) /* nobody left is fine, too */
		return state->cgroup && cgroup_exists(state->cgroup)
			       ? cgroup_kill(state->cgroup, signal, err)
			       : 0;
	if (status == STATUS_STOPPED || pidfd < 0) {
		if (state->shares_pid_namespace && signal == SIGKILL && state->cgroup &&
		    cgroup_is_populated(state->cgroup))
			return cgroup_kill(state->cgroup, signal, err);
		return err_set(err, ERR_NOT_FOUND, "container not running");
	}
	if (process_signal(pidfd, signal) < 0)
		return err_sys(err, errno, "send signal %d", signal);
	if (signal == SIGKILL && state->shares_pid_namespace && state->cgroup)
		return cgroup_kill(state->cgroup, signal, err);
	if (signal == SIGKILL && status == STATUS_PAUSED) /* v1 keeps it until the thaw */
		return cgroup_thaw(state->cgroup, err);
	return 0;
}

static int end_init(struct state *state, enum status status, unsigned flags, struct err *err)
{
	AUTO(fd) int pidfd = process_open(state->init);
	struct err ignored = ERR_NONE;

	if (pidfd < 0)
		return 0;
	if (!(flags & LIFECYCLE_FORCE) && status != STATUS_CREATED)
		return err_set(err, ERR_BUSY, "cannot delete container %s that is not stopped: %s",
			       state->id, status_name(status));
	if (process_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
		return err_sys(err, errno, "kill init");
	if (status == STATUS_PAUSED)
		cgroup_thaw(state->cgroup, &ignored);
	if (process_wait_end(pidfd, KILL_WAIT_MS, err) < 0)
		return -1;
	waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG); /* when it is ours */
	return 0;
}

static int end_cgroup(struct state *state, struct err *err)
{
	struct err first = ERR_NONE;

	if (!state->cgroup || !cgroup_exists(state->cgroup))
		return 0;
	/* Without processes the folders just go. */
	if (cgroup_is_populated(state->cgroup) && cgroup_kill(state->cgroup, SIGKILL, &first) < 0)
		*err = first;
	if (stages_point("delete", "cgroup", err) < 0)
		return -1;
	return cgroup_remove(state->cgroup, err);
}

int lifecycle_remove(struct state *state, const struct config *config, unsigned flags,
		     void (*warn)(void *context, const char *text), void *context, struct err *err)
{
	enum status status = state_status(state);
	struct err one = ERR_NONE;
	int result = 0;

	if (status == STATUS_CREATING && !(flags & LIFECYCLE_FORCE))
		return err_set(err, ERR_BUSY, "cannot delete container %s that is being created",
			       state->id);
	if (end_init(state, status, flags, err) < 0)
		return -1;
	if (end_cgroup(state, &one) < 0) {
		*err = one;
		result = -1;
	}
	if (result < 0 && !(flags & LIFECYCLE_FORCE))
		return -1;
	if (config && !(flags & LIFECYCLE_NO_HOOKS) && config->hooks[HOOK_POSTSTOP].count) {
		AUTO(free) char *hook_state = lifecycle_hook_state(state, STATUS_STOPPED);

		hooks_run_all(config, HOOK_POSTSTOP, hook_state, state->bundle, warn, context);
	}
	if (stages_point("delete", "folder", &one) < 0 ||
	    state_remove(state->root, state->id, &one) < 0) {
		*err = one;
		result = -1;
	}
	return result;
}

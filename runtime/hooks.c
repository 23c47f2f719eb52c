/* runtime/hooks - the hooks of config.json, in their order.
 *
 * Owns: one hook's process, its stdin, its time-out. May not touch: when hooks run (create, init,
 * verbs).
 */
#include "runtime/hooks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/stamp.h"
#include "base/text.h"
#include "runtime/namespaces.h"

static const char *const kind_names[HOOK_KIND_COUNT] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

const char *hook_kind_name(enum hook_kind kind)
{
	return kind_names[kind];
}

/* The end of what the hook wrote to stderr. */
struct tail {
	char text[1024];
	size_t len;
};

static void tail_add(struct tail *tail, const char *data, size_t len)
{
	size_t room = sizeof(tail->text) - 1;

	if (len > room) {
		data += len - room;
		len = room;
	}
	if (tail->len + len > room) {
		size_t drop = tail->len + len - room;

		memmove(tail->text, tail->text + drop, tail->len - drop);
		tail->len -= drop;
	}
	memcpy(tail->text + tail->len, data, len);
	tail->len += len;
	tail->text[tail->len] = '\0';
}

static void __attribute__((noreturn))
run_child(const struct config_hook *hook, const char *cwd, char *const *default_env, int stdin_fd,
	  int stderr_fd)
{
	static const char *const no_env[] = { NULL };
	const char *plain_args[] = { hook->path, NULL };
	const char **argv = hook->args.count ? hook->args.at : plain_args;
	char *const *env = hook->env.at  ? (char *const *)(uintptr_t)hook->env.at
			   : default_env ? default_env
					 : (char *const *)(uintptr_t)no_env;
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if ((!cwd || chdir(cwd) == 0) && dup2(stdin_fd, 0) == 0 && dup2(stderr_fd, 2) == 2) {
		syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
		execve(hook->path, (char *const *)(uintptr_t)argv, env);
	}
	dprintf(2, "%s: %s", hook->path, strerrordesc_np(errno));
	_exit(127);
}

struct hook_run {
	int stdin_fd, stderr_fd, pidfd;
	const char *state;
	size_t left;
	struct tail tail;
	uint64_t end_us; /* 0: none */
};

static void serve(struct hook_run *run, const struct pollfd *polls)
{
	char data[512];
	ssize_t n;

	if (polls[1].revents) {
		n = write(run->stdin_fd, run->state, run->left);
		if (n > 0) {
			run->state += n;
			run->left -= (size_t)n;
		}
		if (run->left == 0 || (n < 0 && errno != EAGAIN))
			close(TAKE_FD(run->stdin_fd)); /* one that reads no state is fine */
	}
	if (polls[2].revents) {
		n = read(run->stderr_fd, data, sizeof(data));
		if (n > 0)
			tail_add(&run->tail, data, (size_t)n);
		else
			close(TAKE_FD(run->stderr_fd));
	}
}

/* 0 it has ended, -1 time is over. */
static int attend(struct hook_run *run)
{
	for (;;) {
		struct pollfd polls[3] = {
			{run->pidfd,      POLLIN,  0},
			{ run->stdin_fd,  POLLOUT, 0},
			{ run->stderr_fd, POLLIN,  0}
		};
		uint64_t now = stamp_monotonic_us();
		int wait_ms = -1;

		if (run->end_us && now >= run->end_us)
			return -1;
		if (run->end_us)
			wait_ms = (int)((run->end_us - now) / 1000) + 1;
		if (poll(polls, 3, wait_ms) < 0 && errno != EINTR)
			return -1;
		serve(run, polls);
		if (polls[0].revents) {
			struct pollfd rest = { run->stderr_fd, POLLIN, 0 };

			while (run->stderr_fd >= 0 && poll(&rest, 1, 0) > 0) {
				struct pollfd again[3] = { { 0 }, { 0 }, rest };

				serve(run, again);
				rest.fd = run->stderr_fd;
			}
			return 0;
		}
	}
}

static int judge(const struct config_hook *hook, const siginfo_t *info, const struct tail *tail,
		 struct err *err)
{
	const char *colon = tail->len ? ": " : "", *name;

	if (info->si_code == CLD_EXITED && info->si_status == 0)
		return 0;
	if (info->si_code == CLD_EXITED)
		return err_set(err, ERR_SYSTEM, "hook %.80s: exit status %d%s%.120s", hook->path,
			       info->si_status, colon, tail->text);
	name = sigdescr_np(info->si_status);
	return err_set(err, ERR_SYSTEM, "hook %.80s: killed by signal %d: %c%s%s%.120s", hook->path,
		       info->si_status, name ? tolower((unsigned char)name[0]) : '?',
		       name ? name + 1 : "", colon, tail->text);
}

static int run_one(const struct config_hook *hook, const char *state, const char *cwd,
		   char *const *env, struct err *err)
{
	struct hook_run run = {
		.state = state, .left = strlen(state), .stdin_fd = -1, .stderr_fd = -1, .pidfd = -1
	};
	int in_pipe[2], err_pipe[2], status;
	siginfo_t info = { 0 };
	pid_t child;

	if (pipe2(in_pipe, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	if (pipe2(err_pipe, O_CLOEXEC) < 0) {
		close(in_pipe[0]);
		close(in_pipe[1]);
		return err_sys(err, errno, "pipe");
	}
	child = namespaces_clone(0, -1, &run.pidfd);
	if (child == 0)
		run_child(hook, cwd, env, in_pipe[0], err_pipe[1]);
	close(in_pipe[0]);
	close(err_pipe[1]);
	run.stdin_fd = in_pipe[1];
	run.stderr_fd = err_pipe[0];
	fcntl(run.stdin_fd, F_SETFL, O_NONBLOCK);
	if (hook->timeout_s)
		run.end_us = stamp_monotonic_us() + hook->timeout_s * 1000000ull;
	status = child < 0 ? err_sys(err, errno, "hook %.80s", hook->path) : 0;
	if (child > 0) {
		if (attend(&run) < 0) {
			kill(-child, SIGKILL);
			process_signal(run.pidfd, SIGKILL);
			status = err_set(err, ERR_TIMEOUT, "hook %.80s: has not ended after %u s",
					 hook->path, hook->timeout_s);
		}
		while (waitid(P_PIDFD, (id_t)run.pidfd, &info, WEXITED) < 0 && errno == EINTR)
			;
		if (status == 0)
			status = judge(hook, &info, &run.tail, err);
	}
	auto_fd(&run.stdin_fd);
	auto_fd(&run.stderr_fd);
	auto_fd(&run.pidfd);
	return status;
}

int hooks_run(const struct config *config, enum hook_kind kind, const char *state, const char *cwd,
	      char *const *env, struct err *err)
{
	for (size_t i = 0; i < config->hooks[kind].count; i++)
		if (run_one(&config->hooks[kind].at[i], state, cwd, env, err) < 0) {
			text_plain(err->msg);
			return err_wrap(err, "error running %s hook #%zu", kind_names[kind], i);
		}
	return 0;
}

void hooks_run_all(const struct config *config, enum hook_kind kind, const char *state,
		   const char *cwd, void (*warn)(void *context, const char *text), void *context)
{
	for (size_t i = 0; i < config->hooks[kind].count; i++) {
		struct err err = ERR_NONE;

		if (run_one(&config->hooks[kind].at[i], state, cwd, NULL, &err) < 0 && warn) {
			text_plain(err.msg);
			err_wrap(&err, "error running %s hook #%zu", kind_names[kind], i);
			warn(context, err.msg);
		}
	}
}

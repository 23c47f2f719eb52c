/* orchestrator/cli/build_follow - a build worker started and followed to its end.
 *
 * Owns: the fork, the pipe, signals meanwhile. May not touch: what is built, how it looks
 * (build_view).
 */
#include "orchestrator/cli/build_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/build_view.h"

#define TICK_MS    100
#define READ_BYTES 65536

const char *build_lookup(const char *name)
{
	return getenv(name);
}

/* ---- the worker ---- */

static void be_worker(struct cli *cli, const struct build_spec *specs, size_t count, size_t jobs,
		      int event_fd)
{
	struct build_env env = { .roots = cli->roots,
				 .config_path =
					 options_text(options_globals(cli->options), "config"),
				 .runtime = cli->runtime,
				 .event_fd = event_fd,
				 .stdin_fd = STDIN_FILENO,
				 .out_fd = STDOUT_FILENO,
				 .jobs = jobs };
	struct err err = ERR_NONE;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, "stack-build");
	status = build_images(&env, specs, count, &err);
	_exit(status == 0 ? 0 : err.code == ERR_CANCELLED ? 130 : 1);
}

/* ---- what it says ---- */

struct follower {
	struct build_view *view;
	struct json_object *images;
	char *text;
	size_t len;
};

static void take_line(struct follower *follower, const char *line, size_t len)
{
	AUTO(free) char *text = xstrndup(line, len);
	struct err ignored = ERR_NONE;
	AUTO(json) struct json_object *event = json_parse("event", text, len, &ignored);

	if (!event)
		return;
	if (strcmp(json_text_or(event, "event", ""), "image") == 0)
		json_object_array_add(follower->images, json_object_get(event));
	build_view_event(follower->view, event, text);
}

static void take_bytes(struct follower *follower, const char *bytes, size_t len)
{
	size_t from = 0;

	follower->text = xrealloc(follower->text, follower->len + len + 1, 1);
	memcpy(follower->text + follower->len, bytes, len);
	follower->len += len;
	for (size_t i = 0; i < follower->len; i++)
		if (follower->text[i] == '\n') {
			take_line(follower, follower->text + from, i - from);
			from = i + 1;
		}
	memmove(follower->text, follower->text + from, follower->len - from);
	follower->len -= from;
}

static void follow(struct follower *follower, int fd, int signal_fd, pid_t pid)
{
	AUTO(free) char *buffer = xcalloc(1, READ_BYTES);
	struct pollfd waits[2] = {
		{.fd = fd,         .events = POLLIN},
                { .fd = signal_fd, .events = POLLIN}
	};

	for (;;) {
		struct signalfd_siginfo info;
		ssize_t n;

		if (poll(waits, 2, TICK_MS) < 0 && errno != EINTR)
			return;
		if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			kill(pid, SIGTERM);
		build_view_tick(follower->view);
		if (!waits[0].revents)
			continue;
		n = read(fd, buffer, READ_BYTES);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			take_bytes(follower, buffer, (size_t)n);
	}
}

static int end_of(pid_t pid, const struct follower *follower, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for the build");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 130)
		return err_set(err, ERR_CANCELLED, "build cancelled");
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, "the build worker was killed (signal %d)",
			       WTERMSIG(status));
	return err_set(err, ERR_SYSTEM, "%s",
		       build_view_has_error(follower->view) ? "" : "the build failed");
}

int build_follow(struct cli *cli, const struct build_spec *specs, size_t count,
		 enum progress_form form, size_t jobs, struct json_object **out_images,
		 struct err *err)
{
	struct follower follower = { .images = json_object_new_array() };
	AUTO(json) struct json_object *images = follower.images;
	AUTO(fd) int signal_fd = -1;
	sigset_t wanted, before;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	fflush(NULL);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_worker(cli, specs, count, jobs, ends[1]);
	}
	close(ends[1]);
	signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pid < 0) {
		status = err_sys(err, errno, "fork");
	} else {
		follower.view = build_view_new(stderr, form);
		follow(&follower, ends[0], signal_fd, pid);
		build_view_end(follower.view);
		status = end_of(pid, &follower, err);
		build_view_free(follower.view);
	}
	close(ends[0]);
	free(follower.text);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (out_images)
		*out_images = TAKE(images);
	return status;
}

/* orchestrator/spawn - a short-lived program, run to its end.
 *
 * Owns: descriptors and signals of the child. May not touch: what the program does.
 */
#include "orchestrator/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/stamp.h"

extern char **environ;

int spawn_view(const char *path, struct err *err)
{
	AUTO(fd) int file_fd = open(path, O_PATH | O_CLOEXEC);
	AUTO(fd) int view_fd = -1;
	struct err ignored = ERR_NONE;

	if (file_fd < 0)
		return err_sys(err, errno, "open %s", path);
	view_fd = mount_clone(file_fd, false, &ignored);
	if (view_fd < 0 || mount_set(view_fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, -1,
				     false, &ignored) < 0)
		return TAKE_FD(file_fd);
	return TAKE_FD(view_fd);
}

static int start(int program_fd, const char *const *argv, int out_fd, int err_fd, pid_t *out_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	char path[40];
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", program_fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
	status = posix_spawn(out_pid, path, &actions, &attributes, (char *const *)(uintptr_t)argv,
			     environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return status;
}

/* Milliseconds left of the limit; -1: none was set. */
static int left_ms(uint64_t start_us, unsigned timeout_ms)
{
	uint64_t spent_ms = (stamp_monotonic_us() - start_us) / 1000;

	if (!timeout_ms)
		return -1;
	return spent_ms >= timeout_ms ? 0 : (int)(timeout_ms - spent_ms);
}

/* Reads to the end of the output, or to the end of the program: what it leaves behind may keep the
 * pipe. */
static int drain(int fd, int pidfd, uint64_t start_us, unsigned timeout_ms,
		 struct spawn_result *out)
{
	struct pollfd waits[2] = {
		{.fd = fd,     .events = POLLIN},
                { .fd = pidfd, .events = POLLIN}
	};

	out->output_len = 0;
	for (;;) {
		char rest[512];
		size_t room = sizeof(out->output) - 1 - out->output_len;
		ssize_t n;

		n = poll(waits, 2, left_ms(start_us, timeout_ms));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		if (!waits[0].revents)
			return 0; /* the program has ended and nothing is left to read */
		n = room ? read(fd, out->output + out->output_len, room)
			 : read(fd, rest, sizeof(rest));
		if (n <= 0)
			return 0;
		if (room)
			out->output_len += (size_t)n;
	}
}

static int reap(pid_t pid, int pidfd, int wait_ms, int *out_status)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	int n, status;

	while ((n = poll(&end, 1, wait_ms)) < 0 && errno == EINTR)
		;
	if (n == 0)
		process_signal(pidfd, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*out_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return n == 0 ? -1 : 0;
}

int spawn_and_wait_for(int program_fd, const char *const *argv, int log_fd, unsigned timeout_ms,
		       struct spawn_result *out, struct err *err)
{
	AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(fd) int pidfd = -1;
	uint64_t start_us = stamp_monotonic_us();
	int ends[2] = { -1, -1 }, status;
	bool late = false;
	pid_t pid;

	if (out && pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	status = start(program_fd, argv, out ? ends[1] : null_fd,
		       out           ? ends[1]
		       : log_fd >= 0 ? log_fd
				     : null_fd,
		       &pid);
	if (out)
		close(ends[1]);
	if (status != 0) {
		if (out)
			close(ends[0]);
		return err_sys(err, status, "start %s", argv[0]);
	}
	pidfd = process_pidfd_open(pid);
	if (out) {
		late = drain(ends[0], pidfd, start_us, timeout_ms, out) < 0;
		out->output[out->output_len] = '\0';
		close(ends[0]);
	}
	late |= reap(pid, pidfd, late ? 0 : left_ms(start_us, timeout_ms), &status) < 0;
	if (out)
		out->status = status;
	if (late)
		return err_set(err, ERR_TIMEOUT, "not over after %u ms", timeout_ms);
	if (!out && status != 0)
		return err_set(err, ERR_SYSTEM, "%s %s ended with status %d", argv[0],
			       argv[1] ? argv[1] : "", status);
	return 0;
}

int spawn_and_wait(int program_fd, const char *const *argv, int log_fd, struct spawn_result *out,
		   struct err *err)
{
	return spawn_and_wait_for(program_fd, argv, log_fd, 0, out, err);
}

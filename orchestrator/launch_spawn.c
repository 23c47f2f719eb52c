/* orchestrator/launch_spawn - posix_spawn with a table of descriptors.
 *
 * Owns: the environment of what is started. May not touch: what is said to it.
 */
#include "orchestrator/launch_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define FD_TRACE 6
#define FD_LEAST 17 /* above all places */

extern char **environ;

/* dup2 onto the same number would leave close-on-exec set: sources are moved out of the way first.
 */
static int raise_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FD_LEAST);
}

/* What a monitor gets of the environment: nothing of the user's. An empty TZ spares it
 * /etc/localtime, and without malloc's per-thread cache it stays small. STACK_ variables steer
 * tests. */
static char **environment(bool traced)
{
	static const char *const always[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TZ=", "GLIBC_TUNABLES=glibc.malloc.tcache_count=0"
	};
	char **copy;
	size_t count = 0, n = 0;

	while (environ[count])
		count++;
	copy = xcalloc(count + 5, sizeof(*copy));
	for (; n < sizeof(always) / sizeof(*always); n++)
		copy[n] = (char *)(uintptr_t)always[n];
	if (traced)
		copy[n++] = (char *)(uintptr_t) "STACK_TRACE=6";
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "STACK_", 6) == 0 &&
		    strncmp(environ[i], "STACK_TRACE=", 12) != 0)
			copy[n++] = environ[i];
	return copy;
}

static int open_all(const struct launch_program *program, int *fds, struct err *err)
{
	for (size_t i = 0; i < program->place_count; i++) {
		fds[i] = raise_fd(program->places[i].from);
		if (fds[i] < 0)
			return err_sys(err, errno, "descriptors for stack-runtime");
	}
	return 0;
}

static int spawn(const struct launch_program *program, int null_fd, int log_fd, int trace_fd,
		 const int *fds, pid_t *out, struct err *err)
{
	AUTO(free) char **variables = environment(program->trace_fd > 0);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	char path[40];
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", program->runtime_fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, log_fd, 2);
	for (size_t i = 0; i < program->place_count; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], program->places[i].to);
	if (trace_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, trace_fd, FD_TRACE);
	status = posix_spawn(out, path, &actions, &attributes, program->argv, variables);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return status != 0 ? err_sys(err, status, "start stack-runtime") : 0;
}

int launch_spawn(const struct launch_program *program, struct process_id *out, int *out_pidfd,
		 struct err *err)
{
	AUTO(fd) int trace_fd = program->trace_fd > 0 ? raise_fd(program->trace_fd) : -1;
	AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(fd) int log_fd = raise_fd(program->log_fd >= 0 ? program->log_fd : null_fd);
	int fds[LAUNCH_PLACES_MAX] = { -1, -1, -1, -1 };
	int status = -1;
	pid_t pid;

	if (null_fd < 0 || log_fd < 0)
		return err_sys(err, errno, "descriptors for stack-runtime");
	if (open_all(program, fds, err) == 0)
		status = spawn(program, null_fd, log_fd, trace_fd, fds, &pid, err);
	for (size_t i = 0; i < program->place_count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (status < 0)
		return -1;
	*out = process_identity(pid);
	*out_pidfd = process_pidfd_open(pid);
	return *out_pidfd < 0 ? err_sys(err, errno, "pidfd of stack-runtime") : 0;
}

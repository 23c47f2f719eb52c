/* runtime/exec - a second process in a running container.
 *
 * One clone: the caller's children-to-be enter the pid namespace, the child joins cgroup and
 * namespaces, takes the process settings and executes. For a process with one thread. Blocks until
 * the program is executed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/config.h"
#include "runtime/state.h"

#define EXEC_IGNORE_PAUSED 1u
#define EXEC_PLAIN_LINES   2u /* the terminal adds no carriage returns */

struct exec_spec {
	const struct state *state;            /* of the container (state_read) */
	const struct config *config;          /* of the container (state_config) */
	const struct config_process *process; /* complete: see exec_process_merge */
	int stdio_fds[3];     /* as in create_spec; unused when process->terminal is set */
	const int *extra_fds; /* become 3, 4, ... */
	size_t extra_fd_count;
	unsigned preserve_fds;
	const char *const
		*cgroups; /* NULL-terminated "[CTRL:]PATH" below the container's; may be NULL */
	unsigned flags;
	void (*warn)(void *context, const char *text);
	void *warn_context;
	/* For who looks for a fault: what is done, in words (with warn_context). NULL: dropped. */
	void (*debug)(void *context, const char *text);
};

struct exec_session {
	pid_t pid;      /* the caller's child */
	int pidfd;      /* owned by the caller */
	int console_fd; /* pty master or -1; owned by the caller */
};

/* 0: the program runs. -1: *err; *out_exit_code (may be NULL) 127 not found, 126 not executable,
 * 255 else. */
int exec_start(const struct exec_spec *spec, struct exec_session *out, int *out_exit_code,
	       struct err *err);

/* The container's process settings with what an exec request gives put over them, allocated in
 * arena. given: from config_parse_process (its members win; without capabilities, seccomp and so on
 * the container's stay). */
struct config_process *exec_process_merge(struct arena *arena,
					  const struct config_process *container,
					  const struct config_process *given);

/* runtime/exec_internal - what the parent's and the child's side of an exec share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "runtime/debug_log.h"
#include "runtime/exec.h"
#include "runtime/init.h"
#include "runtime/seccomp.h"

struct exec_job {
	const struct exec_spec *spec;
	int init_pidfd, proc_fd, near_fd, far_fd, own_pid_fd;
	int into_fd;        /* v2 folder to be born in, or -1; the cgroup's */
	int root_fd;        /* of init, where the mount namespace is the host's */
	unsigned long join; /* CLONE_NEW* that differ from ours */
	int cgroup_fds[INIT_CGROUP_FDS];
	size_t cgroup_fd_count;
	struct seccomp_program filter;
	struct debug_log log; /* the parent's */
	struct exec_session session;
	int exit_code;
	bool joined; /* by the helper */
	bool rootless;
};

/* The child's side: from the clone to execve. Never returns. */
void exec_child_main(struct exec_job *job) __attribute__((noreturn));

/* runtime/settle - the last stages before the exec, the same for init and for exec'd processes:
 * limits, labels, rights, cwd, program, filter. Child side, in the container's namespaces and below
 * its root.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/config.h"
#include "runtime/debug_log.h"
#include "runtime/seccomp.h"

struct settle_job {
	const struct config *config; /* of the container: personality, memory policy */
	const struct config_process *process;
	const struct seccomp_program *filter; /* NULL: none */
	int proc_fd, sync_fd;
	bool rootless, setgroups_denied;
	bool makes_cwd; /* a missing process.cwd is made: for the container's own process */
	unsigned listen_fds;
	const char *area;            /* "create", "exec": for crash points */
	const struct debug_log *log; /* the child's */

	/* Results. */
	char **env;
	char *program;
	int exit_code;
	bool entered;
};

/* On return (0) only execve is left to do. */
int settle(struct settle_job *job, struct err *err);
/* execve, and when it fails the error with its exit code in job. */
int settle_exec(struct settle_job *job, struct err *err);
/* Moves extra_fds to 3, 4, ...; marks everything above the kept ones close-on-exec. Call after the
 * last descriptor was opened; own descriptors (in `ours`, changed in place) are moved out of the
 * way. */
int settle_descriptors(const int *extra_fds, size_t extra_count, unsigned preserved, int **ours,
		       size_t ours_count, struct err *err);
/* Closes everything above 2 that is neither in keep (changed: sorted) nor 3 .. 3+preserved-1. */
int settle_close_others(int *keep, size_t count, unsigned preserved, struct err *err);

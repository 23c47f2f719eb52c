/* orchestrator/spawn - a short-lived program, run to its end. Blocks: for the pool. */
#pragma once
#include <stddef.h>

#include "base/err.h"

#define SPAWN_OUTPUT_MAX 4096

/* What a program said and how it ended. */
struct spawn_result {
	int status;                    /* exit status, or 128 + signal */
	char output[SPAWN_OUTPUT_MAX]; /* stdout and stderr, cut */
	size_t output_len;
};

/* A view of the program's file that cannot be written, for program_fd and for monitors: what runs
 * from it inside a container leads to no file of the host. Where mounts are not permitted the file
 * itself. */
int spawn_view(const char *path, struct err *err);

/* Runs the program behind program_fd (through /proc/self/fd). argv ends with NULL. stderr goes to
 * log_fd (-1: /dev/null) unless out is given, which takes stdout and stderr. Without out, a status
 * other than 0 is an error. */
int spawn_and_wait(int program_fd, const char *const *argv, int log_fd, struct spawn_result *out,
		   struct err *err);
/* As above with a limit: after timeout_ms (0: none) the program is killed and ERR_TIMEOUT told. */
int spawn_and_wait_for(int program_fd, const char *const *argv, int log_fd, unsigned timeout_ms,
		       struct spawn_result *out, struct err *err);

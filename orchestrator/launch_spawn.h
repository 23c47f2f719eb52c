/* orchestrator/launch_spawn - stack-runtime as a child that stays: monitors and their nursery. */
#pragma once
#include <stddef.h>

#include "base/err.h"
#include "base/process.h"

/* A descriptor of ours and its number there. */
struct launch_place {
	int from, to; /* to: below 16 */
};

struct launch_program {
	int runtime_fd;    /* run through /proc/self/fd */
	char *const *argv; /* ends with NULL */
	int log_fd;        /* its stderr; -1: /dev/null, as stdin and stdout are */
	int trace_fd;      /* -1: none */
	const struct launch_place *places;
	size_t place_count; /* at most LAUNCH_PLACES_MAX */
};

#define LAUNCH_PLACES_MAX 4

/* Starts it with signals at their defaults and an environment of ours. *out_pidfd is the caller's.
 */
int launch_spawn(const struct launch_program *program, struct process_id *out, int *out_pidfd,
		 struct err *err);

/* orchestrator/nursery - the process that bears monitors by fork while many containers are started.
 *
 * Made for a change that starts many, shared by the starts under way, ended with the last
 * reference. References belong to the loop's thread; nursery_bear blocks and may be called by
 * several at once.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct nursery;

/* Fewer starts than this are spawned one by one. */
#define NURSERY_STARTS_LEAST 4

/* Descriptors are borrowed for as long as it lives. The process is started by the first birth. */
struct nursery *nursery_new(int runtime_fd, int log_fd, int trace_fd);
struct nursery *nursery_ref(struct nursery *nursery); /* NULL stays NULL */
/* The last one ends the process; its monitors live on. */
void nursery_unref(struct nursery *nursery);

/* A monitor of the container on the three descriptors (borrowed), as one that was spawned: our
 * child. After a failure, and after each one before, ERR_UNSUPPORTED or the reason: the caller
 * spawns. */
int nursery_bear(struct nursery *nursery, const char *container, const int fds[3], pid_t *out_pid,
		 int *out_pidfd, struct err *err);

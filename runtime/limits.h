/* runtime/limits - rlimits, OOM score, scheduler, I/O priority, affinity, personality, memory
 * policy, sysctl and names. For the calling process (child side), but limits_parent. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/config.h"

/* /proc/sys below proc_fd (the host's /proc, verified): never through the container's. */
int limits_sysctl(int proc_fd, const struct config_pairs *sysctl, struct err *err);
/* hostname and domainname. */
int limits_names(const struct config *config, struct err *err);
/* config (may be NULL) gives personality and memory policy. rootless: what is not permitted is
 * left. */
int limits_apply(const struct config *config, const struct config_process *process, int proc_fd,
		 bool rootless, struct err *err);
/* "0-3,5" for a pid (0: the caller). what: the field, for messages. */
int limits_affinity(pid_t pid, const char *what, const char *list, struct err *err);
/* All cpus again, for an init whose caller was narrowed. */
void limits_affinity_reset(void);

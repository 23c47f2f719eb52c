/* runtime/cgroup - which hierarchies there are; make, join, freeze, kill, count, remove.
 *
 * One handle stands for a container's folder in every hierarchy: v1 (one per controller), hybrid
 * (v1 and a cgroup2 without controllers at unified), v2. Blocks where it says so. Errors: from
 * errno, with the file.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/config.h"

enum cgroup_layout { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

struct cgroup; /* opaque */

struct cgroup_spec {
	const char *path; /* linux.cgroupsPath; NULL: /ID */
	const char *id;
	bool systemd;  /* path is SLICE:PREFIX:NAME, the scope is asked of systemd */
	bool rootless; /* folders that may not be made are skipped with a warning */
	const struct config_pairs *annotations; /* org.systemd.property.* ; may be NULL */
	void (*warn)(void *context, const char *text);
	void *warn_context;
};

/* Finds the hierarchies and says where the folders will be; makes nothing. */
struct cgroup *cgroup_plan(const struct cgroup_spec *spec, struct err *err);
/* Makes the folders and writes the limits. must_be_new: a folder that holds processes or is frozen
 * is refused. resources may be NULL. On error what was made is removed. */
int cgroup_make(struct cgroup *cgroup, const struct config_resources *resources, bool must_be_new,
		struct err *err);
/* As stored by cgroup_to_json in state.json ("cgroup"). NULL with *err for garbage. */
struct cgroup *cgroup_from_json(const struct json_object *value, struct err *err);
struct json_object *cgroup_to_json(const struct cgroup *cgroup);
/* By path below the mount points ("/stack/shop/web.1"): cgroupfs driver, every hierarchy. */
struct cgroup *cgroup_open(const char *path, struct err *err);
void cgroup_free(struct cgroup *cgroup);
AUTO_TYPE(cgroup, cgroup_free);

enum cgroup_layout cgroup_layout(const struct cgroup *cgroup);
/* Absolute path of the folder for a controller ("memory"; v2: any), NULL when not mounted.
 * Borrowed. */
const char *cgroup_folder(const struct cgroup *cgroup, const char *controller);
bool cgroup_exists(const struct cgroup *cgroup);

/* A descriptor of the v2 folder for CLONE_INTO_CGROUP, or -1 (v1 without unified). Owned by the
 * handle. */
int cgroup_clone_fd(struct cgroup *cgroup);
/* Once init is in: nothing of ours keeps the cgroup any more. resources as in cgroup_make. */
int cgroup_settle(struct cgroup *cgroup, const struct config_resources *resources, struct err *err);
/* Opens what a child needs to move itself: for every v1 folder (and v2 when v2_too) the file to
 * which "0" is written. Returns the number of descriptors put in fds (at most max), -1 with *err.
 * The caller closes. sub (may be NULL): a sub path that must exist, "CTRL:PATH" allowed. */
int cgroup_join_fds(struct cgroup *cgroup, const char *const *subs, bool v2_too, int *fds,
		    size_t max, struct err *err);
/* Closes what cgroup_join_fds opened, neighbours by one call, and sets the count to 0. */
void cgroup_close_fds(const int *fds, size_t *count);
/* In the child, after fork: writes "0" to each. -1 with errno. */
int cgroup_join_self(const int *fds, size_t count);
/* Moves another process. */
int cgroup_join(struct cgroup *cgroup, pid_t pid, struct err *err);

/* Writes limits (update). Already written ones are put back when one fails. */
int cgroup_set(struct cgroup *cgroup, const struct config_resources *resources, bool update,
	       struct err *err);

/* Blocks up to 1 s each. */
int cgroup_freeze(struct cgroup *cgroup, struct err *err);
int cgroup_thaw(struct cgroup *cgroup, struct err *err);
bool cgroup_is_frozen(struct cgroup *cgroup);

/* Every pid of the subtree, in the caller's pid namespace; *out to be freed. */
int cgroup_pids(struct cgroup *cgroup, pid_t **out, size_t *out_count, struct err *err);
bool cgroup_is_populated(struct cgroup *cgroup);
/* The signal to all of the subtree (SIGKILL: until none is left that could fork; frozen ones are
 * thawed). */
int cgroup_kill(struct cgroup *cgroup, int signal, struct err *err);
/* rmdir of the whole subtree, depth first; EBUSY is retried up to 2 s. Absent: fine. Blocks. */
int cgroup_remove(struct cgroup *cgroup, struct err *err);
/* chown of the delegated files to a user namespace's root. */
int cgroup_delegate(struct cgroup *cgroup, uid_t uid, gid_t gid, struct err *err);

struct cgroup_stats {
	uint64_t cpu_usage_ns, cpu_user_ns, cpu_kernel_ns;
	uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
	uint64_t memory_usage_bytes, memory_max_usage_bytes, memory_limit_bytes, memory_failcnt;
	uint64_t memory_cache_bytes, memory_swap_bytes, memory_swap_limit_bytes;
	uint64_t pids_current, pids_limit; /* limit 0: none */
	uint64_t oom_kills;
};

/* The whole "data" object of `events --stats`. To be put. */
struct json_object *cgroup_stats_json(struct cgroup *cgroup);
/* Readable when memory ran out (or when the cgroup goes): v1 an eventfd, v2 an inotify on
 * memory.events. Read it empty, then compare cgroup_oom_kills. -1 with *err. */
int cgroup_oom_fd(struct cgroup *cgroup, struct err *err);
/* How many were killed by the OOM killer since the cgroup was made; 0 when unknown. */
uint64_t cgroup_oom_kills(struct cgroup *cgroup);

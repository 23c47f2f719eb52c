/* runtime/init - the child's side of create: from the clone to execve.
 *
 * The job is prepared by runtime/create before the clone; the child works on its copy of the
 * memory.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/config.h"
#include "runtime/create.h"
#include "runtime/debug_log.h"
#include "runtime/seccomp.h"

#define INIT_CGROUP_FDS 36
#define NAMESPACE_COUNT 8

struct init_job {
	const struct create_spec *spec;
	const struct config *config;
	struct cgroup *cgroup; /* NULL: none */
	struct debug_log log;  /* the child's way */
	char *state_path;      /* ROOT/ID */
	char *rootfs;          /* absolute path, for messages, hooks and the place of the mount */
	char *hook_state; /* OCI state for hooks of the container's side; pid is put in place of
			     "pid":0 */

	int sync_fd;      /* ours */
	int go_fifo_fd;   /* read end of exec.fifo, or -1 */
	int word_fd;      /* listens on start.sock, or -1 */
	int proc_fd;      /* the caller's /proc */
	int root_tree_fd; /* detached tree of the root, or -1 */
	int *mount_fds; /* detached trees by index of config->mounts, -1 where init opens the source
			 */
	int cgroup_fds[INIT_CGROUP_FDS];
	size_t cgroup_fd_count;
	int namespace_fds[NAMESPACE_COUNT]; /* by index of namespace_table; -1 */
	struct seccomp_program filter;
	bool has_filter, needs_maps, needs_hooks, in_user_namespace, joined_by_helper;
	bool setgroups_denied;
	int dev_null_fd; /* verified /dev/null, attached in our mount namespace; -1 until needed */

	/* While it runs. */
	int root_fd;
	int console_fd; /* slave, -1 */
	int readonly_dev_fd;
	char **env;
	char *program;
	int exit_code;
};

/* Never returns. */
void init_main(struct init_job *job) __attribute__((noreturn));

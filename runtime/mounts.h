/* runtime/mounts - the mount list of config.json, on the container's root. Child side (init). */
#pragma once
#include "base/err.h"
#include "runtime/init.h"

/* linux.mounts in order. *err names the mount. */
int mounts_do_all(struct init_job *job, struct err *err);
/* A detached clone of a bind source (a path of the host, relative to the bundle); recursive with
 * rbind. Used by the parent when the child could not reach it. */
int mounts_open_source(const char *bundle, const struct config_mount *mount, bool recursive,
		       struct err *err);

/* runtime/mounts_cgroup: a mount of type cgroup or cgroup2. target_fd: the folder. */
struct mount_options;
int mounts_cgroup(struct init_job *job, const struct config_mount *mount,
		  const struct mount_options *options, int target_fd, struct err *err);
/* MOUNT_ATTR_*; what another user namespace keeps of the access time mode is no error. */
int mounts_set_attrs(int tree_fd, uint64_t set, uint64_t clear, bool recursive, const char *what,
		     struct err *err);
/* Attributes and move: shared by the two. Consumes nothing. */
int mounts_attach(int tree_fd, int target_fd, const struct mount_options *options, const char *what,
		  struct err *err);
/* tmpcopyup: what `from_fd` shows into `to_fd`. */
int mounts_copy_tree(int from_fd, int to_fd, struct err *err);

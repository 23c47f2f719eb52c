/* runtime/rootfs - the container's root as a mount: attached, pivoted into, closed. Child side
 * (init). */
#pragma once
#include "base/err.h"
#include "runtime/init.h"

/* "/" of our namespace to rslave, or to what config says. */
int rootfs_propagation(struct init_job *job, struct err *err);
/* Puts the root's tree on its place; job->root_fd is its root from here on. */
int rootfs_attach(struct init_job *job, struct err *err);
/* pivot_root, or chroot over a moved mount; the old root goes. */
int rootfs_pivot(struct init_job *job, struct err *err);
/* Propagation of the new root, and root.readonly. */
int rootfs_finish(struct init_job *job, struct err *err);
/* linux.maskedPaths and linux.readonlyPaths; after the pivot. */
int rootfs_close_paths(struct init_job *job, struct err *err);

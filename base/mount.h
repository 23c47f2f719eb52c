/* base/mount - mounts by descriptor through the new mount API (fsopen, fsmount, open_tree,
 * move_mount, mount_setattr). Everything made here is detached until mount_attach; closing a
 * detached mount's fd drops it. Blocks (kernel, disk). Errors: from errno, with the kernel's own
 * text of the fs context where it gives one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mount_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

/* A new detached mount of a file system; attrs are MOUNT_ATTR_*. Returns its fd. */
int mount_new(const char *fs_type, const char *source, const struct mount_option *options,
	      size_t option_count, uint64_t attrs, struct err *err);

/* The upper layer may be lost in a power cut: no sync on unmount. The kernel marks
 * work_fd/work/incompat and refuses the next mount until the caller has removed that folder. */
#define MOUNT_VOLATILE 1u

/* Overlay over lower_fds[0] (the top) .. [count-1] (the bottom), folders or detached mounts' roots.
 * upper_fd = work_fd = -1: read-only (one lower: a clone of it). */
int mount_overlay(const int *lower_fds, size_t count, int upper_fd, int work_fd, unsigned flags,
		  uint64_t attrs, struct err *err);

/* A detached clone of what fd (O_PATH is fine) shows; recursive: with what is mounted below. */
int mount_clone(int fd, bool recursive, struct err *err);

/* mount_setattr; recursive as AT_RECURSIVE. userns_fd -1 or the user namespace of MOUNT_ATTR_IDMAP.
 */
int mount_set(int mount_fd, uint64_t attrs_set, uint64_t attrs_clear, uint64_t propagation,
	      int userns_fd, bool recursive, struct err *err);

/* EROFS from a file: backed by the file itself where the kernel can (>= 6.12), read-only. extra
 * device files (blobs that hold the data) by path. */
int mount_erofs(const char *image_path, const char *const *device_paths, size_t device_count,
		struct err *err);

/* Attaches a detached mount on the target (an O_PATH fd of a file or folder), or at dir_fd/path. */
int mount_attach(int mount_fd, int target_fd, const char *what, struct err *err);
int mount_attach_at(int mount_fd, int dir_fd, const char *path, struct err *err);

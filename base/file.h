/* base/file - whole files in, whole files out; opening below a root; locks. Blocks (disk): pool
 * threads and short-lived processes only. dir_fd always stays the caller's. Errors: from errno,
 * with the name. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* A reader sees the old text or the new one, never half; on return the new one is on disk
 * (temp file, fsync, rename, fsync of the folder). Mode 0600. */
int file_write_atomic(int dir_fd, const char *name, const char *text, size_t len, struct err *err);
/* The same without the two fsyncs: for records that need not outlive a power cut. */
int file_replace(int dir_fd, const char *name, const char *text, size_t len, struct err *err);
/* Writes all of it, through short writes and EINTR. -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);

/* The whole file, NUL-terminated behind *out_len bytes, to be freed. Above max_bytes: ERR_INVALID.
 */
int file_read(int dir_fd, const char *path, size_t max_bytes, char **out_text, size_t *out_len,
	      struct err *err);
int file_read_fd(int fd, const char *what, size_t max_bytes, char **out_text, size_t *out_len,
		 struct err *err);

/* openat2 below root_fd: links are followed inside the root only ("/" is the root). O_CLOEXEC is
 * added. -1 with errno. */
int file_open_in_root(int root_fd, const char *path, int flags, mode_t mode);
/* As above, but leaving the root by ".." or an absolute link is an error (EXDEV). */
int file_open_beneath(int root_fd, const char *path, int flags, mode_t mode);

/* Makes every missing folder of path (0-terminated, relative to dir_fd or absolute) with mode. */
int file_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err);
/* Opens a folder (O_DIRECTORY); with make it is made first, parents too, mode 0700. */
int file_open_dir(int dir_fd, const char *path, bool make, struct err *err);

/* flock on dir_fd/name, made when absent and never removed. Returns the fd that holds it (close =
 * unlock); wait=false: ERR_BUSY when somebody else has it. */
int file_lock(int dir_fd, const char *name, bool wait, struct err *err);

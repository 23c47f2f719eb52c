/* orchestrator/log_files - the files of one slot's log as one row, oldest first.
 *
 * log.json, log.json.1, log.json.2.gz ... are opened at once and stay open, so what happens to
 * their names afterwards does not matter. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct log_part {
	int fd; /* -1 once read to its end */
	bool is_packed;
	ino_t inode;
	dev_t device;
	uint64_t changed_ns; /* mtime */
};

struct log_files {
	struct log_part *parts; /* the oldest first */
	size_t count;
};

/* Opens all that there are below dir_fd; none is fine. */
void log_files_open(int dir_fd, struct log_files *out);
void log_files_close(struct log_files *files);

/* Only those that came after the one which `fd` is open on (by inode; by size when it was
 * compressed meanwhile). *out_known false: it was not found, and *out holds everything there is. */
void log_files_open_after(int dir_fd, int fd, struct log_files *out, bool *out_known);

/* Replaces a packed part's descriptor by one of its plain content (memory). */
int log_part_unpack(struct log_part *part, struct err *err);

/* Where the last `lines` lines begin: part *out_index, byte *out_offset. Later parts are read
 * whole. Unpacks on its way. */
int log_files_tail(struct log_files *files, uint64_t lines, size_t *out_index, off_t *out_offset,
		   struct err *err);

/* True when log.json is still the file that fd is open on. */
bool log_files_is_current(int dir_fd, int fd);

/* runtime/log_file - log.json with its rotated and compressed forms.
 *
 * Whole records in, one a line; the file never ends in half a record that we wrote. Old files are
 * NAME.1 (the youngest), NAME.2 …, or NAME.1.gz …; a child compresses, one at a time, and what it
 * makes takes its place when the child was reaped. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct log_file_spec {
	const char *name;        /* borrowed */
	uint64_t max_size_bytes; /* 0: no rotation */
	unsigned max_file_count; /* with the one that is written; at least 1 */
	bool compress;
};

struct log_file;

/* dir_fd is borrowed. Never NULL: a file that cannot be opened now (*err says why) is tried again
 * at each write. */
struct log_file *log_file_open(int dir_fd, const struct log_file_spec *spec, struct err *err);
/* Ends a running compression and removes what it made so far. */
void log_file_close(struct log_file *file);
AUTO_TYPE(log_file, log_file_close);

/* Writes whole records (text ends in a newline), rotating between them where the size asks for it.
 * Returns how many bytes were written: less than len only when the rest could not be (disk full
 * ...), cut between records. */
size_t log_file_write(struct log_file *file, const char *text, size_t len);
/* Renames now, as at the size limit. A file that somebody else moved away is only opened anew. */
void log_file_rotate(struct log_file *file);
/* A child ended: true when it was this file's compression, which is then put in place. */
bool log_file_reaped(struct log_file *file, pid_t pid, int wait_status);
/* The running compression; 0: none. */
pid_t log_file_child(const struct log_file *file);

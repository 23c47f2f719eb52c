/* runtime/log_writer - a child that writes the log file, for mode non-blocking.
 *
 * The parent never waits for the disk: records go through a socket whose buffer is
 * max_buffer_bytes; what does not fit is refused. The child does rotation and compression and ends
 * when the parent closes or dies, after it has written what it was given.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/log_file.h"

struct log_writer;

/* Forks. *dropped is counted up by the child for records that the disk refused (shared memory of
 * the writer's). NULL with *err when there can be no child. */
struct log_writer *log_writer_start(int dir_fd, const struct log_file_spec *spec,
				    uint64_t max_buffer_bytes, struct err *err);
/* Ends the connection and waits up to timeout_ms for the child to finish its writing.
 * Returns log_writer_dropped. */
uint64_t log_writer_stop(struct log_writer *writer, int timeout_ms);

/* Whole records; false: no room, none of it was taken. Never blocks. */
bool log_writer_put(struct log_writer *writer, const char *text, size_t len);
/* Has it rotate now. */
void log_writer_rotate(struct log_writer *writer);
/* Records that the child lost. */
uint64_t log_writer_dropped(const struct log_writer *writer);
/* True when that was the child: the writer is dead then and is to be stopped and started anew. */
bool log_writer_reaped(struct log_writer *writer, pid_t pid);

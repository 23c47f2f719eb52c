/* runtime/monitor_log - what a container prints, as records in log.json.
 *
 * Records are docker's json-file:
 * {"log":"text\n","stream":"stdout","attrs":{…},"time":"RFC3339Nano"}, one a line. A line above
 * MONITOR_LOG_PART_BYTES is several records, all but the last without the final "\n"; a cut never
 * falls inside a UTF-8 sequence, bytes that are none become U+FFFD. The time is that of the read
 * that completed the record.
 *
 * Nothing here ever fails towards the container: what cannot be written (disk full, journal gone,
 * buffer full) is dropped in whole records and counted, and the next record that can be written is
 * preceded by one on stderr that tells the count. Blocks as the disk does, but with non_blocking:
 * there a child writes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/monitor_spec.h"

#define MONITOR_LOG_PART_BYTES 16384u
#define MONITOR_LOG_FILE       "log.json"

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

struct monitor_log;

/* Opens or makes log.json below slot_dir_fd (which stays the caller's and must stay open) for
 * spec->log. A file that ends in half a record gets a newline first. slot_dir_fd -1 or driver none:
 * everything is swallowed. Never NULL; what is wrong with the file is told in *err (ERR_OK:
 * nothing) and tried again at each write. spec must outlive the log. */
struct monitor_log *monitor_log_open(int slot_dir_fd, const struct monitor_spec *spec,
				     struct err *err);
/* Flushes what is left of unfinished lines (as records without "\n") and closes; a writer gets two
 * seconds to finish. A running compression is given up; the next life does it. Returns the records
 * dropped since the start. */
uint64_t monitor_log_close(struct monitor_log *log);
AUTO_TYPE(monitor_log, monitor_log_close);

/* Room for the next read of that stream: at most *out_room bytes may be put at the returned place,
 * then monitor_log_take(n) makes records of them. So the bytes are copied by read(2) alone. */
char *monitor_log_room(struct monitor_log *log, enum log_stream stream, size_t *out_room);
void monitor_log_take(struct monitor_log *log, enum log_stream stream, size_t n);
/* The stream is at its end: an unfinished line becomes a record without "\n". */
void monitor_log_end(struct monitor_log *log, enum log_stream stream);

/* A child of ours was reaped: true when it was the log's (compression, writer). */
bool monitor_log_reaped(struct monitor_log *log, pid_t pid, int wait_status);
/* Closes log.json and opens it anew (somebody moved it), or rotates now. */
void monitor_log_rotate(struct monitor_log *log);
/* Gives the pages of large buffers back; to be called when nothing was printed for a while. */
void monitor_log_relax(struct monitor_log *log);

/* Records dropped since the start. */
uint64_t monitor_log_dropped(const struct monitor_log *log);

/* runtime/monitor_log - what a container prints, as records in log.json.
 *
 * Owns: where lines begin and end, the batch, the count of what was lost. May not touch: the
 * container.
 */
#include "runtime/monitor_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "runtime/log_file.h"
#include "runtime/log_journal.h"
#include "runtime/log_record.h"
#include "runtime/log_writer.h"

#define BATCH_BYTES     (128u << 10) /* holds the longest record: 16 KiB of control characters */
#define NOTICE_BYTES    256
#define WRITER_END_MS   2000
#define RELAX_MIN_BYTES 4096

struct line {
	char *at; /* MONITOR_LOG_PART_BYTES */
	size_t used;
};

struct monitor_log {
	int dir_fd; /* borrowed; -1: nothing is written */
	const struct log_spec *spec;
	struct log_file_spec file_spec;
	struct log_file *file; /* one of the two, or none */
	struct log_writer *writer;
	struct log_journal *journal; /* or NULL */
	const char *attrs;
	size_t attrs_len;
	char *memory; /* one mapping: the lines, then the batch */
	struct line lines[LOG_STREAM_COUNT];
	char *batch;
	size_t batch_len;
	uint64_t dropped;        /* in this process */
	uint64_t writer_dropped; /* by writers that have ended */
	uint64_t told;           /* of all of these, how many a notice told */
};

#define MEMORY_BYTES (LOG_STREAM_COUNT * MONITOR_LOG_PART_BYTES + BATCH_BYTES)

static void start_writer(struct monitor_log *log, struct err *err)
{
	log->writer =
		log_writer_start(log->dir_fd, &log->file_spec, log->spec->max_buffer_bytes, err);
}

struct monitor_log *monitor_log_open(int slot_dir_fd, const struct monitor_spec *spec,
				     struct err *err)
{
	struct monitor_log *log = xcalloc(1, sizeof(*log));

	log->spec = &spec->log;
	log->dir_fd = spec->log.driver == LOG_DRIVER_NONE ? -1 : slot_dir_fd;
	log->attrs = spec->log.attrs_json;
	log->attrs_len = log->attrs ? strlen(log->attrs) : 0;
	if (log_record_bound(MONITOR_LOG_PART_BYTES, log->attrs_len) > BATCH_BYTES) {
		err_set(err, ERR_INVALID, "log: attrs of %zu bytes are left out", log->attrs_len);
		log->attrs = NULL;
		log->attrs_len = 0;
	}
	log->file_spec = (struct log_file_spec){ .name = MONITOR_LOG_FILE,
						 .max_size_bytes = spec->log.max_size_bytes,
						 .max_file_count = spec->log.max_file_count,
						 .compress = spec->log.compress };
	log->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (log->memory == MAP_FAILED)
		abort();
	for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
		log->lines[i].at = log->memory + i * MONITOR_LOG_PART_BYTES;
	log->batch = log->memory + LOG_STREAM_COUNT * MONITOR_LOG_PART_BYTES;
	if (spec->log.driver == LOG_DRIVER_JOURNALD)
		log->journal = log_journal_open(spec, NULL);
	if (log->dir_fd >= 0 && spec->log.non_blocking)
		start_writer(log, err);
	else if (log->dir_fd >= 0)
		log->file = log_file_open(log->dir_fd, &log->file_spec, err);
	return log;
}

uint64_t monitor_log_dropped(const struct monitor_log *log)
{
	return log->dropped + log->writer_dropped +
	       (log->writer ? log_writer_dropped(log->writer) : 0);
}

static bool put_whole(struct monitor_log *log, const char *text, size_t len, size_t *out_done)
{
	*out_done = 0;
	if (log->file)
		*out_done = log_file_write(log->file, text, len);
	else if (log->writer && log_writer_put(log->writer, text, len))
		*out_done = len;
	return *out_done == len;
}

static void tell_dropped(struct monitor_log *log)
{
	uint64_t dropped = monitor_log_dropped(log), count = dropped - log->told;
	char text[80], record[NOTICE_BYTES], time[STAMP_TEXT_LEN];
	size_t done;
	int len;

	if (count == 0)
		return;
	len = snprintf(text, sizeof(text), "stack: %" PRIu64 " log record%s dropped here\n", count,
		       count == 1 ? " was" : "s were");
	log_record_time(stamp_now_ns(), time);
	/* A notice that is refused counts for nothing: the next one tells all. */
	if (put_whole(log, record, log_record_put(record, text, (size_t)len, true, NULL, time),
		      &done))
		log->told = dropped;
}

static void flush_batch(struct monitor_log *log)
{
	size_t done, left = 0;

	if (log->batch_len == 0)
		return;
	if (log->dir_fd >= 0 && !log->file && !log->writer) {
		struct err err = ERR_NONE;

		start_writer(log, &err);
	}
	tell_dropped(log);
	if (!put_whole(log, log->batch, log->batch_len, &done))
		for (size_t i = done; i < log->batch_len; i++)
			left += log->batch[i] == '\n';
	log->dropped += left;
	log->batch_len = 0;
}

static void add_record(struct monitor_log *log, enum log_stream stream, const char *text, size_t n,
		       const char *time)
{
	if (log->journal &&
	    !log_journal_put(log->journal, text, n, stream == LOG_STDERR, text[n - 1] != '\n') &&
	    log->dir_fd < 0)
		log->dropped++;
	if (log->dir_fd < 0)
		return;
	if (BATCH_BYTES - log->batch_len < log_record_bound(n, log->attrs_len))
		flush_batch(log);
	log->batch_len += log_record_put(log->batch + log->batch_len, text, n, stream == LOG_STDERR,
					 log->attrs, time);
}

char *monitor_log_room(struct monitor_log *log, enum log_stream stream, size_t *out_room)
{
	struct line *line = &log->lines[stream];

	*out_room = MONITOR_LOG_PART_BYTES - line->used;
	return line->at + line->used;
}

void monitor_log_take(struct monitor_log *log, enum log_stream stream, size_t n)
{
	struct line *line = &log->lines[stream];
	char *start = line->at, *end = line->at + line->used + n, *newline;
	char *search = line->at + line->used; /* what was there before has no newline */
	char time[STAMP_TEXT_LEN];

	log_record_time(stamp_now_ns(), time);
	while ((newline = memchr(search, '\n', (size_t)(end - search))) != NULL) {
		add_record(log, stream, start, (size_t)(newline + 1 - start), time);
		start = search = newline + 1;
	}
	line->used = (size_t)(end - start);
	if (line->used == MONITOR_LOG_PART_BYTES) {
		size_t cut = log_record_cut(start, line->used);

		add_record(log, stream, start, cut, time);
		start += cut;
		line->used -= cut;
	}
	if (line->used && start != line->at)
		memmove(line->at, start, line->used);
	flush_batch(log);
}

void monitor_log_end(struct monitor_log *log, enum log_stream stream)
{
	struct line *line = &log->lines[stream];
	char time[STAMP_TEXT_LEN];

	if (line->used == 0)
		return;
	log_record_time(stamp_now_ns(), time);
	add_record(log, stream, line->at, line->used, time);
	line->used = 0;
	flush_batch(log);
}

bool monitor_log_reaped(struct monitor_log *log, pid_t pid, int wait_status)
{
	if (log->file)
		return log_file_reaped(log->file, pid, wait_status);
	if (!log->writer || !log_writer_reaped(log->writer, pid))
		return false;
	/* Killed by somebody: the next record starts another. */
	log->writer_dropped += log_writer_stop(log->writer, 0);
	log->writer = NULL;
	return true;
}

void monitor_log_rotate(struct monitor_log *log)
{
	if (log->file)
		log_file_rotate(log->file);
	else if (log->writer)
		log_writer_rotate(log->writer);
}

void monitor_log_relax(struct monitor_log *log)
{
	for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
		struct line *line = &log->lines[i];

		if (line->used < RELAX_MIN_BYTES)
			madvise(line->at + RELAX_MIN_BYTES,
				MONITOR_LOG_PART_BYTES - RELAX_MIN_BYTES, MADV_DONTNEED);
	}
	madvise(log->batch + RELAX_MIN_BYTES, BATCH_BYTES - RELAX_MIN_BYTES, MADV_DONTNEED);
}

uint64_t monitor_log_close(struct monitor_log *log)
{
	uint64_t dropped;

	for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
		monitor_log_end(log, (enum log_stream)i);
	if (log->file || log->writer)
		tell_dropped(log);
	if (log->file)
		log_file_close(log->file);
	if (log->writer)
		log->writer_dropped += log_writer_stop(log->writer, WRITER_END_MS);
	dropped = log->dropped + log->writer_dropped;
	if (log->journal)
		log_journal_close(log->journal);
	munmap(log->memory, MEMORY_BYTES);
	free(log);
	return dropped;
}

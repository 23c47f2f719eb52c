/* orchestrator/log_reader - a slot's log, read by anybody: tail, since, until, follow.
 *
 * Reads log.json and its rotated forms (log.json.1, log.json.2.gz …) of one slot folder, oldest
 * first. No monitor and no supervisor is involved, no lock is taken; files may be rotated,
 * compressed and removed while they are read. Follow goes over rotation and over lives, until the
 * caller closes. One reader is one thread's. Knows no loop: log_reader_fd becomes readable when
 * there may be more. A record that is no JSON, and an unfinished last line that nobody completes,
 * is passed over without an error.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct log_record {
	uint64_t time_ns; /* since 1970 */
	bool is_stderr;   /* else stdout */
	bool is_partial; /* the line goes on in a later record of the same stream: text has no final
			    "\n" */
	const char
		*text; /* with its "\n"; may hold any byte but is UTF-8; good until the next call */
	size_t text_len;
};

#define LOG_TAIL_ALL UINT64_MAX

struct log_options {
	uint64_t tail;     /* the last N lines (LOG_TAIL_ALL: all); 0: none, only what follows */
	uint64_t since_ns; /* records before it are left out; 0: no bound */
	uint64_t until_ns; /* reading ends at the first record after it; 0: no bound */
	bool follow;
};

struct log_reader;

/* Opens the log of the slot folder dir_fd (borrowed: must stay open until the close). No file yet
 * is fine: it is an empty log, and follow waits for it. Blocks (disk). Errors: from errno. */
struct log_reader *log_reader_open(int dir_fd, const struct log_options *options, struct err *err);
void log_reader_close(struct log_reader *reader);
AUTO_TYPE(log_reader, log_reader_close);

/* The next record: 1 and *out; 0: nothing now (follow: wait on the fd; else: the end); -1 with
 * *err. Blocks on disk only. */
int log_reader_next(struct log_reader *reader, struct log_record *out, struct err *err);
/* An inotify descriptor to poll for reading, drained by log_reader_next; -1 without follow.
 * Borrowed. */
int log_reader_fd(const struct log_reader *reader);
/* True when the bound `until` was passed: nothing will come any more, follow or not. */
bool log_reader_is_done(const struct log_reader *reader);

/* "2026-01-02T15:04:05Z" (fraction and zone optional, date alone too), unix seconds with a
 * fraction, or an age as a Go duration ("42m", "1h30m") counted back from now_ns. Errors: INVALID.
 * For --since and --until. */
int log_time_parse(const char *text, uint64_t now_ns, uint64_t *out_ns, struct err *err);

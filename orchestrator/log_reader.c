/* orchestrator/log_reader - a slot's log, read by anybody.
 *
 * Owns: the place in the row of files, the half line at the end, the inotify descriptor. May not
 * touch: anything that it reads.
 */
#include "orchestrator/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/stamp.h"
#include "orchestrator/log_files.h"
#include "orchestrator/log_line.h"
#include "specs/units.h"

#define CHUNK_BYTES  (64u << 10)
#define LINE_MAX     (4u << 20) /* far above what a writer makes of 16 KiB */
#define NS_PER_S     1000000000ull
#define EVENTS_BYTES 4096

struct log_reader {
	int dir_fd; /* borrowed */
	struct log_options options;
	struct log_files files;
	size_t index; /* the part that is read */
	int watch_fd; /* inotify; -1 without follow */
	char *buffer;
	size_t at, len, room; /* unread bytes: buffer[at .. len) */
	bool is_over_long;    /* dropping a line above LINE_MAX */
	uint64_t last_ns;     /* of the last record read */
	uint64_t skip_to_ns;  /* records up to this time were seen in a file that is gone */
	bool is_done;
};

static int watch_dir(struct log_reader *reader, struct err *err)
{
	char path[40];

	reader->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (reader->watch_fd < 0)
		return err_sys(err, errno, "inotify");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reader->dir_fd);
	if (inotify_add_watch(reader->watch_fd, path,
			      IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE) < 0)
		return err_sys(err, errno, "watch the log's folder");
	return 0;
}

/* Whole old files before `since` are left out by their time of change. */
static void skip_old_files(struct log_reader *reader)
{
	while (reader->index + 1 < reader->files.count &&
	       reader->files.parts[reader->index].changed_ns < reader->options.since_ns)
		reader->index++;
}

static int seek_start(struct log_reader *reader, struct err *err)
{
	struct log_files *files = &reader->files;
	off_t offset = 0;

	if (files->count == 0)
		return 0;
	if (reader->options.tail != LOG_TAIL_ALL) {
		if (log_files_tail(files, reader->options.tail, &reader->index, &offset, err) < 0)
			return -1;
		lseek(files->parts[reader->index].fd, offset, SEEK_SET);
	}
	if (offset == 0)
		skip_old_files(reader);
	return 0;
}

struct log_reader *log_reader_open(int dir_fd, const struct log_options *options, struct err *err)
{
	AUTO(log_reader) struct log_reader *reader = xcalloc(1, sizeof(*reader));

	reader->dir_fd = dir_fd;
	reader->options = *options;
	reader->watch_fd = -1;
	if (options->follow && watch_dir(reader, err) < 0)
		return NULL;
	log_files_open(dir_fd, &reader->files);
	if (seek_start(reader, err) < 0)
		return NULL;
	return TAKE(reader);
}

void log_reader_close(struct log_reader *reader)
{
	log_files_close(&reader->files);
	if (reader->watch_fd >= 0)
		close(reader->watch_fd);
	free(reader->buffer);
	free(reader);
}

int log_reader_fd(const struct log_reader *reader)
{
	return reader->watch_fd;
}

bool log_reader_is_done(const struct log_reader *reader)
{
	return reader->is_done;
}

static void make_room(struct log_reader *reader)
{
	if (reader->at) {
		memmove(reader->buffer, reader->buffer + reader->at, reader->len - reader->at);
		reader->len -= reader->at;
		reader->at = 0;
	}
	if (reader->len >= LINE_MAX) { /* nobody wrote that as a record */
		reader->len = 0;
		reader->is_over_long = true;
	}
	if (reader->room - reader->len < CHUNK_BYTES) {
		reader->room = reader->len + 2 * CHUNK_BYTES;
		reader->buffer = xrealloc(reader->buffer, reader->room, 1);
	}
}

/* More bytes of the current part: 1, 0 at its end, -1. A file that was cut short is read from its
 * start. */
static int read_more(struct log_reader *reader, struct err *err)
{
	struct log_part *part = &reader->files.parts[reader->index];
	struct stat st;
	ssize_t n;

	if (log_part_unpack(part, err) < 0)
		return -1;
	make_room(reader);
	while ((n = read(part->fd, reader->buffer + reader->len, reader->room - reader->len)) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "read the log");
	if (n == 0 && fstat(part->fd, &st) == 0 && lseek(part->fd, 0, SEEK_CUR) > st.st_size) {
		lseek(part->fd, 0, SEEK_SET);
		reader->len = reader->at = 0;
		return st.st_size > 0;
	}
	reader->len += (size_t)n;
	return n > 0;
}

/* The next line that is there whole; its newline is cut. */
static char *next_line(struct log_reader *reader, size_t *out_len)
{
	while (reader->at < reader->len) {
		char *start = reader->buffer + reader->at;
		char *end = memchr(start, '\n', reader->len - reader->at);

		if (!end)
			return NULL;
		reader->at += (size_t)(end - start) + 1;
		if (!reader->is_over_long) {
			*out_len = (size_t)(end - start);
			return start;
		}
		reader->is_over_long = false;
	}
	return NULL;
}

static bool is_wanted(struct log_reader *reader, const struct log_record *record)
{
	if (record->time_ns <= reader->skip_to_ns)
		return false;
	reader->last_ns = record->time_ns;
	if (reader->options.until_ns && record->time_ns > reader->options.until_ns) {
		reader->is_done = true;
		return false;
	}
	return record->time_ns >= reader->options.since_ns;
}

/* Half a line that the file's writer never ended is not carried into the next file. */
static void leave_part(struct log_reader *reader)
{
	reader->at = reader->len = 0;
	reader->is_over_long = false;
}

static void drain_events(struct log_reader *reader)
{
	char events[EVENTS_BYTES];

	while (read(reader->watch_fd, events, sizeof(events)) > 0)
		;
}

/* The last part is read to its end. Follow: are there files behind it now? 1 yes, 0 no. */
static int follow_on(struct log_reader *reader, struct err *err)
{
	struct log_files newer;
	bool known = true;
	int fd, more;

	if (reader->files.count == 0) {
		log_files_open(reader->dir_fd, &reader->files);
		return reader->files.count > 0;
	}
	fd = reader->files.parts[reader->index].fd;
	if (log_files_is_current(reader->dir_fd, fd))
		return 0;
	/* It was moved away: what was written before that is read first. */
	more = read_more(reader, err);
	if (more)
		return more;
	log_files_open_after(reader->dir_fd, fd, &newer, &known);
	if (newer.count == 0) { /* between the rename and the new file */
		log_files_close(&newer);
		return 0;
	}
	if (!known)
		reader->skip_to_ns = reader->last_ns;
	leave_part(reader);
	log_files_close(&reader->files);
	reader->files = newer;
	reader->index = 0;
	return 1;
}

/* More to look at: 1, or 0 nothing now, or -1. */
static int advance(struct log_reader *reader, struct err *err)
{
	int more = reader->files.count ? read_more(reader, err) : 0;

	if (more)
		return more;
	if (reader->index + 1 < reader->files.count) {
		struct log_part *part = &reader->files.parts[reader->index];

		close(TAKE_FD(part->fd));
		leave_part(reader);
		reader->index++;
		return 1;
	}
	return reader->options.follow ? follow_on(reader, err) : 0;
}

int log_reader_next(struct log_reader *reader, struct log_record *out, struct err *err)
{
	bool has_drained = !reader->options.follow;

	while (!reader->is_done) {
		size_t len;
		char *line = next_line(reader, &len);
		int more;

		if (line) {
			if (log_line_decode(line, len, out) && is_wanted(reader, out))
				return 1;
			continue;
		}
		more = advance(reader, err);
		if (more < 0)
			return -1;
		if (more == 0 && has_drained)
			return 0;
		if (more == 0) { /* events first, then one more look: none is lost */
			drain_events(reader);
			has_drained = true;
		}
	}
	return 0;
}

/* "1700000000.5" */
static bool parse_unix(const char *text, uint64_t *out_ns)
{
	struct err err = ERR_NONE;
	size_t len = strlen(text), whole = num_digits(text, len), fraction;
	uint64_t seconds, part = 0;

	if (whole == 0 ||
	    num_parse_u64("time", text, whole, 0, UINT64_MAX / NS_PER_S - 1, &seconds, &err) < 0)
		return false;
	if (text[whole] == '.') {
		fraction = num_digits(text + whole + 1, len - whole - 1);
		for (size_t i = 0; i < 9; i++)
			part = part * 10 +
			       (i < fraction ? (uint64_t)(text[whole + 1 + i] - '0') : 0);
		whole += 1 + fraction;
	}
	if (whole != len)
		return false;
	*out_ns = seconds * NS_PER_S + part;
	return true;
}

/* RFC 3339 with its later parts left out: "2026-01-02", "2026-01-02T15:04", without a zone UTC. */
static bool parse_date(const char *text, uint64_t *out_ns)
{
	static const char rest[] = "0000-01-01T00:00:00Z";
	size_t len = strlen(text);
	char full[sizeof(rest)];

	if (stamp_parse_rfc3339(text, len, out_ns) == 0)
		return true;
	if (len >= sizeof(full) - 1) { /* a fraction, but no zone */
		AUTO(free) char *zoned = xformat("%.60sZ", text);

		return stamp_parse_rfc3339(zoned, strlen(zoned), out_ns) == 0;
	}
	memcpy(full, rest, sizeof(full));
	memcpy(full, text, len);
	return len >= 10 && stamp_parse_rfc3339(full, sizeof(full) - 1, out_ns) == 0;
}

int log_time_parse(const char *text, uint64_t now_ns, uint64_t *out_ns, struct err *err)
{
	struct err ignored = ERR_NONE;
	uint64_t age_us;

	if (parse_unix(text, out_ns) || parse_date(text, out_ns))
		return 0;
	if (units_parse_duration(text, &age_us, &ignored) == 0) {
		*out_ns = age_us * 1000 < now_ns ? now_ns - age_us * 1000 : 0;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "time \"%.60s\": give 2026-01-02T15:04:05Z, unix seconds or an age like 10m",
		       text);
}

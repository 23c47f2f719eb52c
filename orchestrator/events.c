/* orchestrator/events - events.jsonl: one line per change, with its reason.
 *
 * Owns: the file and its sequence numbers. May not touch: what led to a change.
 */
#include "orchestrator/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"

#define FILE_NAME    "events.jsonl"
#define ROTATE_BYTES (10 << 20)
#define TAIL_BYTES   4096

struct events {
	int project_fd; /* borrowed */
	int fd;
	uint64_t seq;
	off_t size;
	void (*hear)(void *ctx, const struct event *event, uint64_t time_ns);
	void *hear_ctx;
};

/* The seq of the last whole line; a torn one at the end is closed with a newline. */
static void find_end(struct events *events)
{
	char tail[TAIL_BYTES + 1], *line;
	struct stat st;
	ssize_t n;

	if (fstat(events->fd, &st) < 0 || st.st_size == 0)
		return;
	events->size = st.st_size;
	n = pread(events->fd, tail, TAIL_BYTES,
		  st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0);
	if (n <= 0)
		return;
	tail[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!tail[i])
			tail[i] = '\n'; /* a power cut leaves holes */
	if (tail[n - 1] != '\n') {
		if (file_write_all(events->fd, "\n", 1) == 0)
			events->size++;
	} else {
		tail[n - 1] = '\0';
	}
	while ((line = strrchr(tail, '\n')) != NULL || tail[0]) {
		struct err err = ERR_NONE;
		const char *text = line ? line + 1 : tail;
		AUTO(json) struct json_object *last = json_parse("event", text, strlen(text), &err);

		if (last) {
			events->seq = (uint64_t)json_int_or(last, "seq", 0);
			return;
		}
		if (!line)
			return;
		*line = '\0';
	}
}

static int open_file(struct events *events, struct err *err)
{
	events->fd = openat(events->project_fd, FILE_NAME, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC,
			    0600);
	events->size = 0;
	return events->fd < 0 ? err_sys(err, errno, "open %s", FILE_NAME) : 0;
}

struct events *events_open(int project_fd, struct err *err)
{
	struct events *events = xcalloc(1, sizeof(*events));

	events->project_fd = project_fd;
	if (open_file(events, err) < 0) {
		free(events);
		return NULL;
	}
	find_end(events);
	return events;
}

void events_close(struct events *events)
{
	if (events->fd >= 0)
		close(events->fd);
	free(events);
}

static void rotate(struct events *events)
{
	struct err err = ERR_NONE;

	if (renameat(events->project_fd, FILE_NAME, events->project_fd, FILE_NAME ".1") < 0)
		return;
	close(events->fd);
	if (open_file(events, &err) < 0)
		events->fd = -1; /* told by the caller's log; the next start opens it again */
}

void events_write(struct events *events, const struct event *event)
{
	AUTO(json) struct json_object *object = json_object_new_object();
	AUTO(free) char *text = NULL;
	uint64_t now = stamp_now_ns();
	char time[STAMP_TEXT_LEN];

	json_add_int(object, "seq", (int64_t)++events->seq);
	json_add_text(object, "time", stamp_rfc3339(now, time));
	json_add_text(object, "event", event->event);
	json_add_text(object, "service", event->service);
	json_add_text(object, "slot", event->slot);
	json_add_text(object, "container", event->container);
	json_add_text(object, "name", event->name);
	json_add_text(object, "image", event->image);
	if (event->has_code)
		json_add_int(object, "code", event->code);
	json_add_text(object, "reason", event->reason);
	text = xformat("%s\n",
		       json_object_to_json_string_ext(
			       object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	if (events->fd >= 0 && file_write_all(events->fd, text, strlen(text)) == 0)
		events->size += (off_t)strlen(text);
	if (events->size > ROTATE_BYTES)
		rotate(events);
	if (events->hear)
		events->hear(events->hear_ctx, event, now);
}

void events_listen(struct events *events,
		   void (*hear)(void *ctx, const struct event *event, uint64_t time_ns), void *ctx)
{
	events->hear = hear;
	events->hear_ctx = ctx;
}

/* orchestrator/build_event - what a build tells while it runs: one JSON object a line.
 *
 * Owns: numbers and clocks of steps, the pipe. May not touch: how it is shown (cli/build_view).
 */
#include "orchestrator/build_event.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"

#define REPLACEMENT "\xef\xbf\xbd"

struct build_events {
	int fd;
	pthread_mutex_t lock;
	uint64_t *starts_us; /* by step - 1 */
	size_t step_count;
};

struct build_events *build_events_new(int fd)
{
	struct build_events *events = xcalloc(1, sizeof(*events));

	events->fd = fd;
	pthread_mutex_init(&events->lock, NULL);
	return events;
}

void build_events_free(struct build_events *events)
{
	if (!events)
		return;
	pthread_mutex_destroy(&events->lock);
	free(events->starts_us);
	free(events);
}

void build_event_send(struct build_events *events, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	AUTO(free) char *line = xformat("%s\n", text);

	pthread_mutex_lock(&events->lock);
	if (events->fd >= 0 && file_write_all(events->fd, line, strlen(line)) < 0)
		events->fd = -1; /* nobody looks any more */
	pthread_mutex_unlock(&events->lock);
	json_object_put(object);
}

static struct json_object *event_of(const char *name, unsigned step)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "event", name);
	json_add_int(object, "step", step);
	return object;
}

static uint64_t since_ms(struct build_events *events, unsigned step)
{
	uint64_t start = 0;

	pthread_mutex_lock(&events->lock);
	if (step && step <= events->step_count)
		start = events->starts_us[step - 1];
	pthread_mutex_unlock(&events->lock);
	return start ? (stamp_monotonic_us() - start) / 1000 : 0;
}

unsigned build_event_step(struct build_events *events, const char *stage, size_t number,
			  size_t count, const char *text)
{
	struct json_object *object;
	unsigned step;

	pthread_mutex_lock(&events->lock);
	*(uint64_t *)xgrow(&events->starts_us, &events->step_count, sizeof(uint64_t)) =
		stamp_monotonic_us();
	step = (unsigned)events->step_count;
	pthread_mutex_unlock(&events->lock);
	object = event_of("step", step);
	json_add_text(object, "stage", stage);
	json_add_int(object, "number", (int64_t)number);
	json_add_int(object, "count", (int64_t)count);
	json_add_text(object, "text", text);
	build_event_send(events, object);
	return step;
}

/* Length of the valid UTF-8 sequence at text, 0 when there is none. */
static size_t sequence_len(const unsigned char *text, size_t len)
{
	size_t need = text[0] < 0x80                      ? 1
		      : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
		      : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
		      : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							  : 0;

	if (!need || need > len || text[0] == '\0')
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

static char *clean_text(const char *text, size_t len)
{
	char *out = xcalloc(len + 1, sizeof(REPLACEMENT));
	size_t at = 0;

	for (size_t i = 0; i < len;) {
		size_t part = sequence_len((const unsigned char *)text + i, len - i);

		if (part)
			memcpy(out + at, text + i, part);
		else
			memcpy(out + at, REPLACEMENT, sizeof(REPLACEMENT) - 1);
		at += part ? part : sizeof(REPLACEMENT) - 1;
		i += part ? part : 1;
	}
	return out;
}

void build_event_log(struct build_events *events, unsigned step, const char *stream,
		     const char *text, size_t len)
{
	AUTO(free) char *clean = clean_text(text, len);
	struct json_object *object = event_of("log", step);

	json_add_text(object, "stream", stream);
	json_add_int(object, "at_ms", (int64_t)since_ms(events, step));
	json_add_text(object, "text", clean);
	build_event_send(events, object);
}

void build_event_done(struct build_events *events, unsigned step)
{
	struct json_object *object = event_of("done", step);

	json_add_int(object, "ms", (int64_t)since_ms(events, step));
	build_event_send(events, object);
}

void build_event_cached(struct build_events *events, unsigned step)
{
	build_event_send(events, event_of("cached", step));
}

void build_event_failed(struct build_events *events, unsigned step, const struct err *err)
{
	struct json_object *object = event_of("failed", step);

	json_add_int(object, "ms", (int64_t)since_ms(events, step));
	json_add_text(object, "code", err_code_name(err->code));
	json_add_text(object, "error", err->msg);
	build_event_send(events, object);
}

void build_event_note(struct build_events *events, unsigned step, const char *fmt, ...)
{
	struct json_object *object = event_of("note", step);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_add_text(object, "text", text);
	build_event_send(events, object);
}

void build_event_warning(struct build_events *events, const char *text)
{
	struct json_object *object = event_of("warning", 0);

	json_add_text(object, "text", text);
	build_event_send(events, object);
}

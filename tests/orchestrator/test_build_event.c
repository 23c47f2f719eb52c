/* tests/orchestrator/test_build_event - mirrors orchestrator/build_event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/build_event.h"

struct told {
	int fd;
	struct build_events *events;
	char *text;
};

static struct told begin(void)
{
	struct told told = { .fd = memfd_create("events", MFD_CLOEXEC) };

	told.events = build_events_new(told.fd);
	return told;
}

/* The n-th line as JSON, to be put; NULL behind the last. */
static struct json_object *line(struct told *told, size_t n)
{
	struct err err = ERR_NONE;
	struct slice rest, part;
	size_t len;

	free(told->text);
	lseek(told->fd, 0, SEEK_SET);
	assert_int_equal(file_read_fd(told->fd, "events", 1u << 20, &told->text, &len, &err), 0);
	rest = SLICE(told->text);
	for (size_t i = 0; slice_next(&rest, '\n', &part); i++)
		if (i == n && part.len)
			return json_parse("event", part.at, part.len, &err);
	return NULL;
}

static void finish(struct told *told)
{
	build_events_free(told->events);
	free(told->text);
	close(told->fd);
}

static void a_step_is_numbered_and_its_events_carry_the_number(void **state)
{
	struct told told = begin();
	struct err err = { ERR_SYSTEM, "exit status 2" };
	static const char *const names[] = { "step", "step", "cached", "done", "failed" };

	(void)state;
	assert_int_equal(build_event_step(told.events, "web", 1, 2, "FROM x"), 1);
	assert_int_equal(build_event_step(told.events, "", 2, 2, "RUN y"), 2);
	build_event_cached(told.events, 1);
	build_event_done(told.events, 2);
	build_event_failed(told.events, 2, &err);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		AUTO(json) struct json_object *event = line(&told, i);

		assert_string_equal(json_text_or(event, "event", ""), names[i]);
		assert_int_equal(json_int_or(event, "step", 0), i == 0 || i == 2 ? 1 : 2);
	}
	finish(&told);
}

static void output_that_is_no_utf8_is_replaced(void **state)
{
	/* clang-format off */
	static const struct { const char *bytes; size_t len; const char *shown; } rows[] = {
		{ "plain", 5, "plain" }, { "", 0, "" },
		{ "\xc3\xa4", 2, "\xc3\xa4" },
		{ "a\xff" "b", 3, "a\xef\xbf\xbd" "b" },
		{ "\xc3", 1, "\xef\xbf\xbd" },
		{ "\xe2\x82\xac", 3, "\xe2\x82\xac" },
		{ "\0x", 2, "\xef\xbf\xbd" "x" },
		{ "\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct told told = begin();
		AUTO(json) struct json_object *event = NULL;

		build_event_log(told.events, 1, "stdout", rows[i].bytes, rows[i].len);
		event = line(&told, 0);
		assert_string_equal(json_text_or(event, "text", "?"), rows[i].shown);
		finish(&told);
	}
}

static void *talk(void *events)
{
	for (int i = 0; i < 200; i++)
		build_event_note(events, 0, "note %d of a thread, long enough to be torn", i);
	return NULL;
}

static void lines_of_threads_stay_whole(void **state)
{
	struct told told = begin();
	pthread_t threads[4];
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, talk, told.events);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	line(&told, SIZE_MAX);
	{
		struct slice rest = SLICE(told.text), part;

		while (slice_next(&rest, '\n', &part)) {
			struct err err = ERR_NONE;
			AUTO(json)
			struct json_object *event =
				part.len ? json_parse("event", part.at, part.len, &err) : NULL;

			count += event != NULL;
		}
	}
	assert_int_equal(count, 800);
	finish(&told);
}

static void a_closed_pipe_ends_nothing(void **state)
{
	struct build_events *events;
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	events = build_events_new(ends[1]);
	build_event_warning(events, "nobody reads");
	build_event_warning(events, "nor this");
	build_events_free(events);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_numbered_and_its_events_carry_the_number),
		cmocka_unit_test(output_that_is_no_utf8_is_replaced),
		cmocka_unit_test(lines_of_threads_stay_whole),
		cmocka_unit_test(a_closed_pipe_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

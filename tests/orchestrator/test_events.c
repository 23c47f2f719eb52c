/* tests/orchestrator/test_events - mirrors orchestrator/events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/events.h"
#include "tests/runtime/folder.h"

static struct events *opened(const struct folder *folder)
{
	struct err err = ERR_NONE;
	struct events *events = events_open(folder->fd, &err);

	assert_non_null(events);
	return events;
}

static void say(struct events *events, const char *name)
{
	struct event event = { .event = name, .service = "web" };

	events_write(events, &event);
}

/* Line number `at` from 0, parsed; to be put. */
static struct json_object *line_of(const struct folder *folder, size_t at)
{
	AUTO(free) char *text = folder_read(folder, "events.jsonl");
	struct err err = ERR_NONE;
	char *line = text;

	while (at-- && line)
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
	assert_non_null(line);
	return json_parse("line", line, strcspn(line, "\n"), &err);
}

static int64_t seq_of(const struct folder *folder, size_t at)
{
	AUTO(json) struct json_object *line = line_of(folder, at);

	return json_int_or(line, "seq", -1);
}

static void a_line_holds_what_was_given_and_nothing_else(void **state)
{
	struct event event = { .event = "die",
			       .service = "web",
			       .slot = "web.1",
			       .container = "abc",
			       .name = "p-web-1",
			       .image = "a/b:1",
			       .reason = "said \"no\"\n",
			       .code = 0,
			       .has_code = true };
	struct folder folder;

	(void)state;
	folder_make(&folder);
	{
		struct events *events = opened(&folder);
		AUTO(json) struct json_object *full = NULL;
		AUTO(json) struct json_object *bare = NULL;

		events_write(events, &event);
		say(events, "start");
		events_close(events);
		full = line_of(&folder, 0);
		assert_string_equal(json_text_or(full, "event", ""), "die");
		assert_string_equal(json_text_or(full, "slot", ""), "web.1");
		assert_string_equal(json_text_or(full, "container", ""), "abc");
		assert_string_equal(json_text_or(full, "name", ""), "p-web-1");
		assert_string_equal(json_text_or(full, "image", ""), "a/b:1");
		assert_string_equal(json_text_or(full, "reason", ""), "said \"no\"\n");
		assert_int_equal(json_int_or(full, "code", -1), 0);
		assert_int_equal(strlen(json_text_or(full, "time", "")), 30);
		bare = line_of(&folder, 1);
		assert_int_equal(json_object_object_length(bare), 4); /* seq time event service */
	}
	folder_drop(&folder);
}

static void the_sequence_goes_on_after_reopening(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	for (int i = 0; i < 3; i++) {
		struct events *events = opened(&folder);

		say(events, "start");
		say(events, "die");
		events_close(events);
	}
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(seq_of(&folder, i), i + 1);
	folder_drop(&folder);
}

struct tail_row {
	const char *before; /* what the file holds */
	size_t line;        /* where the next one stands */
	int64_t seq;
};

static void a_torn_last_line_costs_itself_alone(void **state)
{
	/* clang-format off */
	static const struct tail_row rows[] = {
		{ "", 0, 1 },
		{ "{\"seq\":7}\n", 1, 8 },
		{ "{\"seq\":7}", 1, 8 },
		{ "{\"seq\":7}\n{\"seq\":8,\"ti", 2, 8 },
		{ "{\"seq\":7}\n{\"seq\":8,\"ti\n", 2, 8 },
		{ "{\"seq\":7}\n\n\n", 3, 8 },
		{ "{\"se", 1, 1 },
		{ "\n", 1, 1 },
		{ "{\"seq\":3}\nrubbish\nrubbish\n", 3, 4 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct folder folder;
		struct events *events;

		folder_make(&folder);
		folder_write(&folder, "events.jsonl", rows[i].before);
		events = opened(&folder);
		say(events, "start");
		events_close(events);
		if (seq_of(&folder, rows[i].line) != rows[i].seq)
			fail_msg("row %zu: %lld", i, (long long)seq_of(&folder, rows[i].line));
		folder_drop(&folder);
	}
}

static void the_last_line_is_found_behind_much_text(void **state)
{
	struct folder folder;
	char reason[3000];

	(void)state;
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	folder_make(&folder);
	for (int i = 0; i < 3; i++) {
		struct event event = { .event = "die", .reason = reason };
		struct events *events = opened(&folder);

		events_write(events, &event);
		events_write(events, &event);
		events_close(events);
	}
	assert_int_equal(seq_of(&folder, 5), 6);
	folder_drop(&folder);
}

static void a_large_file_is_put_aside_and_the_sequence_goes_on(void **state)
{
	struct folder folder;
	struct stat st;

	(void)state;
	folder_make(&folder);
	{
		struct events *events;
		int fd;

		folder_write(&folder, "events.jsonl", "");
		fd = openat(folder.fd, "events.jsonl", O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, 10 << 20), 0); /* a hole up to the limit */
		assert_int_equal(pwrite(fd, "\n{\"seq\":41}\n", 12, 10 << 20), 12);
		close(fd);
		events = opened(&folder);
		say(events, "start");
		assert_true(folder_has(&folder, "events.jsonl.1"));
		say(events, "die");
		events_close(events);
	}
	assert_int_equal(seq_of(&folder, 0), 43);
	assert_int_equal(fstatat(folder.fd, "events.jsonl.1", &st, 0), 0);
	assert_true(st.st_size > 10 << 20);
	folder_drop(&folder);
}

static void hear(void *ctx, const struct event *event, uint64_t time_ns)
{
	char *heard = ctx;

	assert_true(time_ns > 0);
	strcat(strcat(heard, event->event), " ");
}

static void a_listener_hears_each_line(void **state)
{
	struct folder folder;
	char heard[64] = "";

	(void)state;
	folder_make(&folder);
	{
		struct events *events = opened(&folder);

		say(events, "create");
		events_listen(events, hear, heard);
		say(events, "start");
		say(events, "die");
		events_listen(events, NULL, NULL);
		say(events, "destroy");
		events_close(events);
	}
	assert_string_equal(heard, "start die ");
	folder_drop(&folder);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	assert_null(events_open(-1, &err));
	assert_int_not_equal(err.code, ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_holds_what_was_given_and_nothing_else),
		cmocka_unit_test(the_sequence_goes_on_after_reopening),
		cmocka_unit_test(a_torn_last_line_costs_itself_alone),
		cmocka_unit_test(the_last_line_is_found_behind_much_text),
		cmocka_unit_test(a_large_file_is_put_aside_and_the_sequence_goes_on),
		cmocka_unit_test(a_listener_hears_each_line),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_log_reader - mirrors orchestrator/log_reader, log_files and log_line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tree.h"
#include "orchestrator/log_line.h"
#include "orchestrator/log_reader.h"

#define T0 1767225600ull /* 2026-01-01T00:00:00Z */
#define NS 1000000000ull

struct slot {
	char path[64];
	int fd;
	unsigned seconds; /* of the next record */
};

static void slot_make(struct slot *slot)
{
	snprintf(slot->path, sizeof(slot->path), "%s/stack_test.XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(slot->path));
	slot->fd = open(slot->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	slot->seconds = 0;
}

static void slot_drop(struct slot *slot)
{
	struct err err = ERR_NONE;
	AUTO(fd) int parent = openat(slot->fd, "..", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	close(slot->fd);
	assert_int_equal(tree_remove(parent, strrchr(slot->path, '/') + 1, &err), 0);
}

static void append_raw(struct slot *slot, const char *name, const char *text)
{
	AUTO(fd) int fd = openat(slot->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

/* One record a second; text is JSON already. */
static void append(struct slot *slot, const char *name, const char *text)
{
	AUTO(free)
	char *line = xformat(
		"{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:%02u:%02uZ\"}\n",
		text, slot->seconds / 60, slot->seconds % 60);

	slot->seconds++;
	append_raw(slot, name, line);
}

static void pack(struct slot *slot, const char *name)
{
	AUTO(free) char *text = NULL;
	AUTO(free) char *packed = xformat("%s.gz", name);
	struct err err = ERR_NONE;
	size_t len;
	gzFile file;

	assert_int_equal(file_read(slot->fd, name, 1 << 20, &text, &len, &err), 0);
	file = gzdopen(openat(slot->fd, packed, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), "wb");
	assert_int_equal(gzwrite(file, text, (unsigned)len), (int)len);
	gzclose(file);
	unlinkat(slot->fd, name, 0);
}

static void rotate(struct slot *slot)
{
	static const char *const suffixes[] = { "", ".gz" };
	char from[32], to[32];

	for (int n = 8; n > 0; n--)
		for (int i = 0; i < 2; i++) {
			snprintf(from, sizeof(from), "log.json.%d%s", n, suffixes[i]);
			snprintf(to, sizeof(to), "log.json.%d%s", n + 1, suffixes[i]);
			renameat(slot->fd, from, slot->fd, to);
		}
	renameat(slot->fd, "log.json", slot->fd, "log.json.1");
	append_raw(slot, "log.json", "");
}

/* What the reader gives now, joined. To be freed. */
static char *drain(struct log_reader *reader)
{
	struct log_record record;
	struct err err = ERR_NONE;
	char *all = xstrdup("");
	int more;

	while ((more = log_reader_next(reader, &record, &err)) > 0) {
		AUTO(free) char *old = all;

		all = xformat("%s%.*s", old, (int)record.text_len, record.text);
	}
	assert_int_equal(more, 0);
	return all;
}

static void expect_now(struct log_reader *reader, const char *text)
{
	AUTO(free) char *got = drain(reader);

	assert_string_equal(got, text);
}

static void expect_read(struct slot *slot, const struct log_options *options, const char *text)
{
	struct err err = ERR_NONE;
	AUTO(log_reader) struct log_reader *reader = log_reader_open(slot->fd, options, &err);

	assert_non_null(reader);
	expect_now(reader, text);
}

/* a b | c d (packed) | e part-ial | f: three files with a line in two records. */
static void fill(struct slot *slot)
{
	append(slot, "log.json", "a\\n");
	append(slot, "log.json", "b\\n");
	rotate(slot);
	append(slot, "log.json", "c\\n");
	append(slot, "log.json", "d\\n");
	rotate(slot);
	pack(slot, "log.json.2");
	append(slot, "log.json", "e\\n");
	append(slot, "log.json", "part-");
	rotate(slot);
	append(slot, "log.json", "ial\\n");
	append(slot, "log.json", "f\\n");
}

static void all_files_are_read_oldest_first(void **state)
{
	struct slot slot;

	(void)state;
	slot_make(&slot);
	expect_read(&slot, &(struct log_options){ .tail = LOG_TAIL_ALL }, "");
	fill(&slot);
	expect_read(&slot, &(struct log_options){ .tail = LOG_TAIL_ALL },
		    "a\nb\nc\nd\ne\npart-ial\nf\n");
	slot_drop(&slot);
}

static void tail_counts_lines_over_files_and_parts(void **state)
{
	/* clang-format off */
	static const struct { uint64_t lines; const char *text; } rows[] = {
		{ 0, "" }, { 1, "f\n" }, { 2, "part-ial\nf\n" }, { 3, "e\npart-ial\nf\n" },
		{ 4, "d\ne\npart-ial\nf\n" }, { 5, "c\nd\ne\npart-ial\nf\n" },
		{ 6, "b\nc\nd\ne\npart-ial\nf\n" }, { 7, "a\nb\nc\nd\ne\npart-ial\nf\n" },
		{ 8, "a\nb\nc\nd\ne\npart-ial\nf\n" }, { 1000000, "a\nb\nc\nd\ne\npart-ial\nf\n" },
	};
	/* clang-format on */
	struct slot slot;

	(void)state;
	slot_make(&slot);
	fill(&slot);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_read(&slot, &(struct log_options){ .tail = rows[i].lines }, rows[i].text);
	append(&slot, "log.json", "half");
	expect_read(&slot, &(struct log_options){ .tail = 1 }, "half");
	expect_read(&slot, &(struct log_options){ .tail = 2 }, "f\nhalf");
	slot_drop(&slot);
}

/* Records around the block size, so that every border falls somewhere. */
static void tail_finds_its_line_in_large_files(void **state)
{
	struct slot slot;
	AUTO(free) char *text = xcalloc(40000, 1);

	(void)state;
	slot_make(&slot);
	for (int i = 0; i < 60; i++) {
		int len = 20 + i * 523 % 30000;

		memset(text, 'a' + i % 26, 40000 - 1);
		snprintf(text, 40000, "%d:", i);
		text[strlen(text)] = 'x';
		memcpy(text + len, "\\n", 3);
		append(&slot, "log.json", text);
	}
	for (unsigned n = 1; n <= 60; n++) {
		struct err err = ERR_NONE;
		struct log_options options = { .tail = n };
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &options, &err);
		struct log_record record;
		unsigned count = 0;

		while (log_reader_next(reader, &record, &err) > 0) {
			assert_int_equal(strtol(record.text, NULL, 10), 60 - n + count);
			count++;
		}
		assert_int_equal(count, n);
	}
	slot_drop(&slot);
}

static void since_and_until_bound_the_times(void **state)
{
	struct slot slot;
	struct log_options between = { .tail = LOG_TAIL_ALL,
				       .since_ns = (T0 + 2) * NS,
				       .until_ns = (T0 + 4) * NS };
	struct err err = ERR_NONE;

	(void)state;
	slot_make(&slot);
	fill(&slot);
	expect_read(&slot, &between, "c\nd\ne\n");
	expect_read(&slot, &(struct log_options){ .tail = LOG_TAIL_ALL, .since_ns = (T0 + 7) * NS },
		    "f\n");
	expect_read(&slot, &(struct log_options){ .tail = 2, .until_ns = (T0 + 6) * NS },
		    "part-ial\n");
	between.follow = true;
	{
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &between, &err);

		expect_now(reader, "c\nd\ne\n");
		assert_true(log_reader_is_done(reader));
		append(&slot, "log.json", "g\\n");
		expect_now(reader, "");
	}
	slot_drop(&slot);
}

static void half_a_last_line_and_foreign_text_are_passed_over(void **state)
{
	struct slot slot;

	(void)state;
	slot_make(&slot);
	append(&slot, "log.json", "a\\n");
	append_raw(&slot, "log.json", "{\"log\":\"cut of");
	append_raw(&slot, "log.json", "\nno json\n{}\n\n[1]\n{\"log\":\"no time\\n\"}\n");
	append(&slot, "log.json", "b\\n");
	append_raw(&slot, "log.json", "{\"log\":\"half\\n\",\"stream\":\"stdout\"");
	expect_read(&slot, &(struct log_options){ .tail = LOG_TAIL_ALL }, "a\nb\n");
	expect_read(&slot, &(struct log_options){ .tail = 1 }, "b\n");
	slot_drop(&slot);
}

static void wait_for_event(struct log_reader *reader)
{
	struct pollfd entry = { .fd = log_reader_fd(reader), .events = POLLIN };

	assert_int_equal(poll(&entry, 1, 5000), 1);
}

static void follow_sees_what_is_appended(void **state)
{
	struct slot slot;
	struct err err = ERR_NONE;
	struct log_options options = { .tail = 1, .follow = true };

	(void)state;
	slot_make(&slot);
	append(&slot, "log.json", "old\\n");
	append(&slot, "log.json", "a\\n");
	{
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &options, &err);

		expect_now(reader, "a\n");
		expect_now(reader, "");
		append_raw(&slot, "log.json", "{\"log\":\"b\\n\",\"stream\":\"stderr\",");
		wait_for_event(reader);
		expect_now(reader, ""); /* half a record: it may still be completed */
		append_raw(&slot, "log.json", "\"time\":\"2026-01-01T00:00:05Z\"}\n");
		wait_for_event(reader);
		expect_now(reader, "b\n");
	}
	slot_drop(&slot);
}

static void follow_waits_for_a_log_that_is_not_there_yet(void **state)
{
	struct slot slot;
	struct err err = ERR_NONE;
	struct log_options options = { .tail = LOG_TAIL_ALL, .follow = true };

	(void)state;
	slot_make(&slot);
	{
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &options, &err);

		expect_now(reader, "");
		append(&slot, "log.json", "a\\n");
		wait_for_event(reader);
		expect_now(reader, "a\n");
	}
	slot_drop(&slot);
}

static void follow_goes_over_rotations_however_many(void **state)
{
	struct slot slot;
	struct err err = ERR_NONE;
	struct log_options options = { .tail = LOG_TAIL_ALL, .follow = true };

	(void)state;
	slot_make(&slot);
	append(&slot, "log.json", "a\\n");
	{
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &options, &err);

		expect_now(reader, "a\n");
		append(&slot, "log.json", "b\\n");
		rotate(&slot);
		append(&slot, "log.json", "c\\n");
		wait_for_event(reader);
		expect_now(reader, "b\nc\n");
		for (int i = 0; i < 3; i++) {
			append(&slot, "log.json", i == 0 ? "d\\n" : i == 1 ? "e\\n" : "f\\n");
			rotate(&slot);
		}
		append(&slot, "log.json", "g\\n");
		expect_now(reader, "d\ne\nf\ng\n");
		/* Ours was compressed and is found by its size. */
		append(&slot, "log.json", "a longer one\\n");
		rotate(&slot);
		append(&slot, "log.json", "h\\n");
		rotate(&slot);
		append(&slot, "log.json", "i\\n");
		pack(&slot, "log.json.2");
		expect_now(reader, "a longer one\nh\ni\n");
	}
	slot_drop(&slot);
}

static void a_log_of_one_file_is_followed_when_replaced_or_emptied(void **state)
{
	struct slot slot;
	struct err err = ERR_NONE;
	struct log_options options = { .tail = LOG_TAIL_ALL, .follow = true };

	(void)state;
	slot_make(&slot);
	append(&slot, "log.json", "a\\n");
	{
		AUTO(log_reader)
		struct log_reader *reader = log_reader_open(slot.fd, &options, &err);

		expect_now(reader, "a\n");
		append(&slot, "log.json", "b\\n");
		unlinkat(slot.fd, "log.json", 0);
		expect_now(reader, "b\n");
		append(&slot, "log.json", "c\\n");
		expect_now(reader, "c\n");
		{
			AUTO(fd)
			int fd = openat(slot.fd, "log.json", O_WRONLY | O_TRUNC | O_CLOEXEC);

			assert_true(fd >= 0);
		}
		expect_now(reader, "");
		append_raw(&slot, "log.json",
			   "{\"log\":\"d\\n\",\"time\":\"2026-01-01T00:09:00Z\"}\n");
		expect_now(reader, "d\n");
	}
	slot_drop(&slot);
}

static void lines_are_decoded_in_any_form(void **state)
{
	/* clang-format off */
	static const struct { const char *line, *text; bool is_stderr, is_partial; } rows[] = {
		{ "{\"log\":\"a\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:00.5Z\"}", "a\n", true, false },
		{ "{\"log\":\"a\",\"stream\":\"stdout\",\"attrs\":{\"x\":\"}\\\"\",\"y\":[1,{}]},\"time\":\"2026-01-01T00:00:00.5Z\"}", "a", false, true },
		{ " { \"time\" : \"2026-01-01T00:00:00.5Z\" , \"n\":12, \"log\":\"\" } ", "", false, true },
		{ "{\"log\":\"\\u0009\\u003c\\u00e9\\u20ac\\ud83d\\ude00\\ud800\\\"\\\\\\/\\b\\f\\r\\t\\n\",\"time\":\"2026-01-01T00:00:00.5Z\"}",
		  "\t<\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\"\\/\b\f\r\t\n", false, false },
		{ "", NULL, false, false },
		{ "{", NULL, false, false },
		{ "{\"log\":\"a\\n\"}", NULL, false, false },
		{ "{\"time\":\"2026-01-01T00:00:00.5Z\"}", NULL, false, false },
		{ "{\"log\":\"a\\n\",\"time\":\"yesterday\"}", NULL, false, false },
		{ "{\"log\":\"a\\x\",\"time\":\"2026-01-01T00:00:00.5Z\"}", NULL, false, false },
		{ "{\"log\":\"a\\u12\",\"time\":\"2026-01-01T00:00:00.5Z\"}", NULL, false, false },
		{ "{\"log\":1,\"time\":\"2026-01-01T00:00:00.5Z\"}", NULL, false, false },
		{ "{\"log\":\"a\",\"time\":\"2026-01-01T00:00:00.5Z\"", NULL, false, false },
		{ "{\"log\":\"a\\", NULL, false, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(free) char *line = xstrdup(rows[i].line);
		struct log_record record = { 0 };
		bool good = log_line_decode(line, strlen(line), &record);

		if (good != (rows[i].text != NULL))
			print_error("row %zu\n", i);
		assert_int_equal(good, rows[i].text != NULL);
		if (!good)
			continue;
		assert_int_equal(record.text_len, strlen(rows[i].text));
		assert_memory_equal(record.text, rows[i].text, record.text_len);
		assert_int_equal(record.is_stderr, rows[i].is_stderr);
		assert_int_equal(record.is_partial, rows[i].is_partial);
		assert_true(record.time_ns == T0 * NS + NS / 2);
	}
}

static void whole_lines_are_told_without_decoding(void **state)
{
	/* clang-format off */
	static const struct { const char *line; bool is_whole; } rows[] = {
		{ "{\"log\":\"a\\n\",\"stream\":\"stdout\"", true },
		{ "{\"log\":\"a\",\"stream\":\"stdout\"", false },
		{ "{\"log\":\"\\\\n\",\"stream\":\"stdout\"", false },   /* a backslash and an n */
		{ "{\"log\":\"\\\\\\n\",\"stream\":\"stdout\"", true },
		{ "{\"log\":\"\",\"stream\":\"stdout\"", false },
		{ "garbage", true },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(log_line_is_whole(rows[i].line, strlen(rows[i].line)),
				 rows[i].is_whole);
}

static void times_are_dates_seconds_or_ages(void **state)
{
	/* clang-format off */
	static const struct { const char *text; uint64_t ns; } rows[] = {
		{ "2026-01-01T00:00:00Z", T0 * NS },
		{ "2026-01-01T01:00:00.25+01:00", T0 * NS + NS / 4 },
		{ "2026-01-01T00:00:00", T0 * NS },
		{ "2026-01-01T00:00:00.5", T0 * NS + NS / 2 },
		{ "2026-01-01T00:01", (T0 + 60) * NS },
		{ "2026-01-02", (T0 + 86400) * NS },
		{ "1767225600", T0 * NS },
		{ "1767225600.000000001", T0 * NS + 1 },
		{ "10m", (T0 + 86400 - 600) * NS },
		{ "1h30m", (T0 + 86400 - 5400) * NS },
		{ "999999h", 0 },
	};
	/* clang-format on */
	static const char *const bad[] = { "", "yesterday", "x10m", "-5m", "1767225600x" };
	struct err err = ERR_NONE;
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (log_time_parse(rows[i].text, (T0 + 86400) * NS, &ns, &err) < 0 ||
		    ns != rows[i].ns)
			print_error("row %s\n", rows[i].text);
		assert_int_equal(log_time_parse(rows[i].text, (T0 + 86400) * NS, &ns, &err), 0);
		assert_true(ns == rows[i].ns || rows[i].ns == 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(log_time_parse(bad[i], T0 * NS, &ns, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_files_are_read_oldest_first),
		cmocka_unit_test(tail_counts_lines_over_files_and_parts),
		cmocka_unit_test(tail_finds_its_line_in_large_files),
		cmocka_unit_test(since_and_until_bound_the_times),
		cmocka_unit_test(half_a_last_line_and_foreign_text_are_passed_over),
		cmocka_unit_test(follow_sees_what_is_appended),
		cmocka_unit_test(follow_waits_for_a_log_that_is_not_there_yet),
		cmocka_unit_test(follow_goes_over_rotations_however_many),
		cmocka_unit_test(a_log_of_one_file_is_followed_when_replaced_or_emptied),
		cmocka_unit_test(lines_are_decoded_in_any_form),
		cmocka_unit_test(whole_lines_are_told_without_decoding),
		cmocka_unit_test(times_are_dates_seconds_or_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/runtime/test_monitor_log - mirrors runtime/monitor_log, log_writer and log_journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stamp.h"
#include "runtime/log_journal.h"
#include "runtime/log_writer.h"
#include "runtime/monitor_log.h"
#include "tests/runtime/folder.h"

static char id_text[] = "0123456789abcdef", name_text[] = "shop-web-1";

static struct monitor_spec spec_of(enum log_driver driver)
{
	return (struct monitor_spec){
		.id = id_text,
		.name = name_text,
		.log = {.driver = driver, .max_file_count = 3, .max_buffer_bytes = 1 << 20}
	};
}

static void feed(struct monitor_log *log, enum log_stream stream, const char *text, size_t n)
{
	while (n) {
		size_t room;
		char *at = monitor_log_room(log, stream, &room);
		size_t part = n < room ? n : room;

		assert_true(room > 0);
		memcpy(at, text, part);
		monitor_log_take(log, stream, part);
		text += part;
		n -= part;
	}
}

static void feed_text(struct monitor_log *log, enum log_stream stream, const char *text)
{
	feed(log, stream, text, strlen(text));
}

/* The texts of all records, streams as "o:" or "e:", separated by "|". */
static char *records_of(const struct folder *folder)
{
	AUTO(free) char *text = folder_read(folder, "log.json");
	char *out = xstrdup("");

	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		struct err err = ERR_NONE;
		AUTO(json)
		struct json_object *record = json_parse("record", line, (size_t)(end - line), &err);
		AUTO(free) char *old = out;

		assert_non_null(record);
		assert_true(json_text_or(record, "time", "")[0] == '2');
		out = xformat("%s%c:%s|", old, json_text_or(record, "stream", "??")[3],
			      json_text_or(record, "log", ""));
	}
	return out;
}

static void expect_records(const struct folder *folder, const char *text)
{
	AUTO(free) char *got = records_of(folder);

	assert_string_equal(got, text);
}

static void lines_become_records_however_they_arrive(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_LOCAL);

	(void)state;
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed_text(log, LOG_STDOUT, "one\ntw");
		feed_text(log, LOG_STDERR, "E");
		feed_text(log, LOG_STDOUT, "o\n\nthree");
		expect_records(&folder, "o:one\n|o:two\n|o:\n|");
		feed_text(log, LOG_STDERR, "!\n");
		expect_records(&folder, "o:one\n|o:two\n|o:\n|e:E!\n|");
		monitor_log_end(log, LOG_STDOUT);
		monitor_log_end(log, LOG_STDOUT);
	}
	expect_records(&folder, "o:one\n|o:two\n|o:\n|e:E!\n|o:three|");
	assert_int_equal(err.code, ERR_OK);
	folder_drop(&folder);
}

static void long_lines_are_parts_of_16_kib_between_sequences(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);
	AUTO(free) char *text = xcalloc(40001, 1);
	AUTO(free) char *got = NULL;
	size_t lens[3] = { 0 }, parts = 0;

	(void)state;
	text[0] = 'x'; /* so that 16384 falls inside a sequence */
	for (size_t i = 1; i < 39999; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed(log, LOG_STDOUT, text, 39999);
		feed(log, LOG_STDOUT, "\n", 1);
	}
	got = records_of(&folder);
	for (char *at = got, *end; (end = strchr(at, '|')) != NULL; at = end + 1, parts++) {
		assert_true(parts < 3);
		lens[parts] = (size_t)(end - at) - 2;
	}
	assert_int_equal(parts, 3);
	assert_int_equal(lens[0], 16383);
	assert_int_equal(lens[1], 16384);
	assert_int_equal(lens[0] + lens[1] + lens[2], 40000);
	assert_null(strstr(got, "\xef\xbf\xbd"));
	folder_drop(&folder);
}

static void a_megabyte_of_binary_survives(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);
	AUTO(free) char *text = xcalloc(1 << 20, 1);
	AUTO(free) char *got = NULL;
	size_t parts = 0;

	(void)state;
	for (size_t i = 0; i < 1 << 20; i++)
		text[i] = (char)(i % 7 ? 1 : 0xff);
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed(log, LOG_STDOUT, text, 1 << 20);
		assert_int_equal(monitor_log_dropped(log), 0);
		monitor_log_relax(log);
	}
	got = records_of(&folder);
	for (char *at = got; (at = strchr(at, '|')) != NULL; at++)
		parts++;
	assert_int_equal(parts, 64);
	folder_drop(&folder);
}

static void attrs_stand_in_each_record(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);
	char attrs[] = "{\"tag\":\"t\"}";
	AUTO(free) char *text = NULL;

	(void)state;
	spec.log.attrs_json = attrs;
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed_text(log, LOG_STDOUT, "a\n");
	}
	text = folder_read(&folder, "log.json");
	assert_non_null(strstr(text, "\"stream\":\"stdout\",\"attrs\":{\"tag\":\"t\"},\"time\":"));
	folder_drop(&folder);
}

static void what_is_dropped_is_counted_and_told(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);
	struct rlimit saved, tight;

	(void)state;
	folder_make(&folder);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &saved);
	tight = (struct rlimit){ 1, saved.rlim_max };
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		setrlimit(RLIMIT_FSIZE, &tight);
		feed_text(log, LOG_STDOUT, "a\nb\n");
		feed_text(log, LOG_STDOUT, "c\n");
		setrlimit(RLIMIT_FSIZE, &saved);
		assert_int_equal(monitor_log_dropped(log), 3);
		feed_text(log, LOG_STDOUT, "d\n");
		feed_text(log, LOG_STDOUT, "e\n");
		assert_int_equal(monitor_log_dropped(log), 3);
	}
	expect_records(&folder, "e:stack: 3 log records were dropped here\n|o:d\n|o:e\n|");
	folder_drop(&folder);
}

static void nothing_is_written_for_driver_none(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_NONE);

	(void)state;
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed_text(log, LOG_STDOUT, "a\n");
		assert_int_equal(monitor_log_dropped(log), 0);
	}
	assert_false(folder_has(&folder, "log.json"));
	folder_drop(&folder);
}

static void non_blocking_mode_writes_all_when_the_disk_is_quick(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);

	(void)state;
	spec.log.non_blocking = true;
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed_text(log, LOG_STDOUT, "a\nb\n");
		feed_text(log, LOG_STDERR, "c\n");
	}
	expect_records(&folder, "o:a\n|o:b\n|e:c\n|");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	folder_drop(&folder);
}

/* The log is a fifo that nobody reads fast: stands for a disk that does not answer. */
static void non_blocking_mode_drops_what_does_not_fit(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec file = { "log.json", 0, 3, false };
	struct log_writer *writer;
	AUTO(free) char *batch = xcalloc(100001, 1);
	int accepted = 0, refused = 0;
	pid_t child = 0;
	uint64_t start_us;

	(void)state;
	folder_make(&folder);
	memset(batch, 'x', 99999);
	batch[99999] = '\n';
	writer = log_writer_start(folder.fd, &file, 1 << 20, &err);
	assert_non_null(writer);
	for (pid_t pid = 2; pid < 5000000 && !child; pid++)
		if (log_writer_reaped(writer, pid))
			child = pid;
	assert_true(child > 0);
	kill(child, SIGSTOP);
	start_us = stamp_monotonic_us();
	for (int i = 0; i < 100; i++)
		log_writer_put(writer, batch, 100000) ? accepted++ : refused++;
	assert_true(stamp_monotonic_us() - start_us < 2000000);
	assert_true(accepted >= 5 && accepted <= 25);
	assert_int_equal(accepted + refused, 100);
	kill(child, SIGCONT);
	log_writer_stop(writer, 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	{
		AUTO(free) char *text = folder_read(&folder, "log.json");

		assert_int_equal(strlen(text), (size_t)accepted * 100000);
	}
	folder_drop(&folder);
}

static void a_killed_writer_is_replaced(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JSON_FILE);
	int status;
	pid_t child;

	(void)state;
	spec.log.non_blocking = true;
	folder_make(&folder);
	{
		AUTO(monitor_log)
		struct monitor_log *log = monitor_log_open(folder.fd, &spec, &err);

		feed_text(log, LOG_STDOUT, "a\n");
		while (!folder_has(&folder, "log.json"))
			usleep(1000);
		for (AUTO(free) char *got = NULL; !got || !strstr(got, "a\\n");) {
			free(got);
			got = folder_read(&folder, "log.json");
		}
		/* The only child of this test. */
		{
			char path[64];
			AUTO(free) char *children = NULL;

			snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
			assert_int_equal(file_read(AT_FDCWD, path, 4096, &children, NULL, &err), 0);
			child = (pid_t)strtol(children, NULL, 10);
		}
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(monitor_log_reaped(log, child, status));
		assert_false(monitor_log_reaped(log, child, status));
		feed_text(log, LOG_STDOUT, "b\n");
	}
	expect_records(&folder, "o:a\n|o:b\n|");
	folder_drop(&folder);
}

static void the_journal_gets_fields_and_bytes(void **state)
{
	struct folder folder;
	struct monitor_spec spec = spec_of(LOG_DRIVER_JOURNALD);
	char attrs[] = "{\"com.example\":\"v\",\"_bad\":\"w\"}";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char got[2048];
	uint64_t le_len = htole64(5);
	char *message;
	ssize_t n;
	int fd;

	(void)state;
	spec.log.attrs_json = attrs;
	folder_make(&folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/journal", folder.path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	{
		AUTO(log_journal)
		struct log_journal *journal = log_journal_open(&spec, address.sun_path);

		assert_false(log_journal_put(journal, "lost\n", 5, false, false));
		assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_true(log_journal_put(journal, "a\nb\0c", 5, true, true));
	}
	n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_non_null(strstr(got, "CONTAINER_ID=0123456789ab\n"));
	assert_non_null(strstr(got, "CONTAINER_ID_FULL=0123456789abcdef\n"));
	assert_non_null(strstr(got, "CONTAINER_NAME=shop-web-1\n"));
	assert_non_null(strstr(got, "SYSLOG_IDENTIFIER=0123456789ab\n"));
	assert_non_null(strstr(got, "COM_EXAMPLE=v\n"));
	assert_null(strstr(got, "_BAD"));
	assert_non_null(strstr(got, "PRIORITY=3\n"));
	assert_non_null(strstr(got, "CONTAINER_PARTIAL_MESSAGE=true\n"));
	message = strstr(got, "MESSAGE\n");
	while (message && message != got && message[-1] != '\n')
		message = strstr(message + 1, "MESSAGE\n");
	assert_non_null(message);
	assert_memory_equal(message + 8, &le_len, 8);
	assert_memory_equal(message + 16, "a\nb\0c\n", 6);
	close(fd);
	folder_drop(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_records_however_they_arrive),
		cmocka_unit_test(long_lines_are_parts_of_16_kib_between_sequences),
		cmocka_unit_test(a_megabyte_of_binary_survives),
		cmocka_unit_test(attrs_stand_in_each_record),
		cmocka_unit_test(what_is_dropped_is_counted_and_told),
		cmocka_unit_test(nothing_is_written_for_driver_none),
		cmocka_unit_test(non_blocking_mode_writes_all_when_the_disk_is_quick),
		cmocka_unit_test(non_blocking_mode_drops_what_does_not_fit),
		cmocka_unit_test(a_killed_writer_is_replaced),
		cmocka_unit_test(the_journal_gets_fields_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

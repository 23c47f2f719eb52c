/* tests/runtime/test_attach_hub - mirrors runtime/attach_hub, attach_replay and poller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/attach_hub.h"

struct bench {
	struct poller *poller;
	struct attach_hub *hub;
	struct timer timer;
	bool is_late;
};

static void late(struct timer *timer)
{
	OWNER_OF(timer, struct bench, timer)->is_late = true;
}

static void bench_open(struct bench *bench)
{
	struct err err = ERR_NONE;

	*bench = (struct bench){ .timer.due = late };
	bench->poller = poller_new(&err);
	bench->hub = attach_hub_new(bench->poller);
}

static void bench_close(struct bench *bench)
{
	attach_hub_free(bench->hub);
	poller_free(bench->poller);
}

/* Lets the hub work until nothing happened for 20 ms. */
static void settle(struct bench *bench)
{
	struct err err = ERR_NONE;

	bench->is_late = false;
	poller_set_timer(bench->poller, &bench->timer, 20);
	while (!bench->is_late)
		assert_int_equal(poller_step(bench->poller, &err), 0);
}

static int attach(struct bench *bench, struct attach_options options)
{
	struct err err = ERR_NONE;
	int fd = attach_hub_add(bench->hub, &options, &err);

	assert_true(fd >= 0);
	return fd;
}

static void expect_bytes(int fd, const char *bytes, size_t n)
{
	AUTO(free) char *got = xcalloc(n + 1, 1);

	assert_int_equal(recv(fd, got, n + 1, MSG_DONTWAIT), (ssize_t)n);
	assert_memory_equal(got, bytes, n);
}

static void expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

static void output_reaches_all_clients_in_frames(void **state)
{
	struct bench bench;
	int framed, raw;

	(void)state;
	bench_open(&bench);
	attach_hub_output(bench.hub, 1, "nobody\n", 7);
	framed = attach(&bench, (struct attach_options){ 0 });
	raw = attach(&bench, (struct attach_options){ .raw = true });
	assert_int_equal(attach_hub_count(bench.hub), 2);
	attach_hub_output(bench.hub, 1, "hello\n", 6);
	attach_hub_output(bench.hub, 2, "oh\n", 3);
	attach_hub_output(bench.hub, 2, "", 0);
	expect_bytes(framed, "\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\3oh\n", 25);
	expect_bytes(raw, "hello\noh\n", 9);
	attach_hub_end(bench.hub);
	expect_end(framed);
	expect_end(raw);
	assert_true(attach_hub_is_flushed(bench.hub));
	close(framed);
	close(raw);
	bench_close(&bench);
}

static void late_clients_get_the_last_lines(void **state)
{
	/* clang-format off */
	static const struct { int lines; const char *text; } rows[] = {
		{ 0, "" }, { 1, "half" }, { 2, "three\nhalf" }, { 3, "two\nthree\nhalf" },
		{ 9, "one\ntwo\nthree\nhalf" }, { -1, "one\ntwo\nthree\nhalf" },
	};
	/* clang-format on */
	struct bench bench;

	(void)state;
	bench_open(&bench);
	attach_hub_output(bench.hub, 1, "one\ntwo\n", 8);
	attach_hub_output(bench.hub, 2, "three\nha", 8);
	attach_hub_output(bench.hub, 1, "lf", 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(fd)
		int fd = attach(&bench, (struct attach_options){ .raw = true,
								 .replay_lines = rows[i].lines });

		if (rows[i].text[0])
			expect_bytes(fd, rows[i].text, strlen(rows[i].text));
		else
			assert_int_equal(recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	}
	bench_close(&bench);
}

static void replay_keeps_the_youngest_16_kib(void **state)
{
	struct bench bench;
	char line[32];
	AUTO(free) char *big = xcalloc(50000, 1);
	AUTO(free) char *got = xcalloc(70000, 1);
	int fd;
	ssize_t n;

	(void)state;
	bench_open(&bench);
	for (int i = 0; i < 5000; i++)
		attach_hub_output(bench.hub, 1, line,
				  (size_t)snprintf(line, sizeof(line), "line %d\n", i));
	fd = attach(&bench, (struct attach_options){ .raw = true, .replay_lines = -1 });
	n = recv(fd, got, 70000, MSG_DONTWAIT);
	assert_true(n > 14000 && n <= 16384);
	assert_non_null(strstr(got, "line 4999\n"));
	close(fd);
	memset(big, 'x', 50000);
	attach_hub_output(bench.hub, 1, big, 50000);
	fd = attach(&bench, (struct attach_options){ .raw = true, .replay_lines = -1 });
	assert_int_equal(recv(fd, got, 70000, MSG_DONTWAIT), 16384 - 8);
	close(fd);
	bench_close(&bench);
}

static void a_slow_client_is_dropped_and_others_are_not(void **state)
{
	struct bench bench;
	AUTO(free) char *chunk = xcalloc(65536, 1);
	int slow, quick;
	size_t got = 0;

	(void)state;
	bench_open(&bench);
	slow = attach(&bench, (struct attach_options){ .raw = true });
	quick = attach(&bench, (struct attach_options){ .raw = true });
	for (int i = 0; i < 40; i++) {
		ssize_t n;

		attach_hub_output(bench.hub, 1, chunk, 65536);
		settle(&bench);
		while ((n = recv(quick, chunk, 65536, MSG_DONTWAIT)) > 0) {
			got += (size_t)n;
			settle(&bench);
		}
		if (attach_hub_count(bench.hub) == 1)
			break;
	}
	assert_int_equal(attach_hub_count(bench.hub), 1);
	assert_true(got >= ATTACH_BEHIND_MAX);
	close(slow);
	close(quick);
	bench_close(&bench);
}

static void what_is_behind_is_sent_later_in_order_even_after_the_end(void **state)
{
	struct bench bench;
	AUTO(free) char *chunk = xcalloc(400001, 1);
	AUTO(free) char *got = xcalloc(800001, 1);
	size_t len = 0;
	int fd;

	(void)state;
	bench_open(&bench);
	for (size_t i = 0; i < 400000; i++)
		chunk[i] = (char)('a' + i % 23);
	fd = attach(&bench, (struct attach_options){ 0 });
	attach_hub_output(bench.hub, 1, chunk, 400000);
	attach_hub_output(bench.hub, 1, chunk, 300000);
	attach_hub_end(bench.hub);
	assert_false(attach_hub_is_flushed(bench.hub));
	for (;;) {
		ssize_t n = recv(fd, got + len, 800000 - len, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		settle(&bench);
	}
	assert_int_equal(len, 700016);
	assert_memory_equal(got + 8, chunk, 400000);
	assert_memory_equal(got + 400016, chunk, 300000);
	assert_true(attach_hub_is_flushed(bench.hub));
	close(fd);
	bench_close(&bench);
}

static void input_of_several_clients_reaches_stdin(void **state)
{
	struct bench bench;
	int first, second, deaf, pipe_fds[2];
	char got[32] = "";

	(void)state;
	bench_open(&bench);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	attach_hub_set_stdin(bench.hub, pipe_fds[1], false);
	first = attach(&bench, (struct attach_options){ .wants_stdin = true });
	second = attach(&bench, (struct attach_options){ .wants_stdin = true, .stdin_eof = true });
	deaf = attach(&bench, (struct attach_options){ 0 });
	assert_int_equal(send(deaf, "no", 2, 0), 2);
	settle(&bench);
	assert_int_equal(send(first, "a", 1, 0), 1);
	settle(&bench);
	assert_int_equal(send(second, "b", 1, 0), 1);
	settle(&bench);
	assert_int_equal(read(pipe_fds[0], got, sizeof(got)), 2);
	assert_string_equal(got, "ab");
	shutdown(first, SHUT_WR); /* means nothing for it */
	settle(&bench);
	assert_int_equal(read(pipe_fds[0], got, sizeof(got)), -1);
	shutdown(second, SHUT_WR); /* the end of input */
	settle(&bench);
	assert_int_equal(read(pipe_fds[0], got, sizeof(got)), 0);
	assert_int_equal(attach_hub_count(bench.hub), 3);
	attach_hub_output(bench.hub, 1, "still", 5);
	expect_bytes(first, "\1\0\0\0\0\0\0\5still", 13);
	close(first);
	close(second);
	close(deaf);
	settle(&bench);
	assert_int_equal(attach_hub_count(bench.hub), 0);
	close(pipe_fds[0]);
	bench_close(&bench);
}

/* A container that does not read: the client waits, the hub does not, and no byte is lost. */
static void input_waits_for_the_container(void **state)
{
	struct bench bench;
	int client, pipe_fds[2];
	AUTO(free) char *bytes = xcalloc(1 << 20, 1);
	size_t sent = 0, got = 0;
	ssize_t n;

	(void)state;
	bench_open(&bench);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	attach_hub_set_stdin(bench.hub, pipe_fds[1], false);
	client = attach(&bench, (struct attach_options){ .wants_stdin = true, .stdin_eof = true });
	while (sent < 1 << 20 && (n = send(client, bytes, (1 << 20) - sent, MSG_DONTWAIT)) > 0) {
		sent += (size_t)n;
		settle(&bench);
	}
	assert_true(sent > 65536 && sent < 1 << 20);
	close(client); /* gone, with bytes still on their way */
	settle(&bench);
	while ((n = read(pipe_fds[0], bytes, 1 << 20)) != 0) {
		if (n > 0)
			got += (size_t)n;
		settle(&bench);
	}
	assert_int_equal(got, sent);
	assert_int_equal(attach_hub_count(bench.hub), 0);
	close(pipe_fds[0]);
	bench_close(&bench);
}

static void a_closed_stdin_is_no_error(void **state)
{
	struct bench bench;
	int client, pipe_fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	bench_open(&bench);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	attach_hub_set_stdin(bench.hub, pipe_fds[1], false);
	close(pipe_fds[0]);
	client = attach(&bench, (struct attach_options){ .wants_stdin = true });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(client, "x", 1, 0), 1);
		settle(&bench);
	}
	assert_int_equal(attach_hub_count(bench.hub), 1);
	close(client);
	bench_close(&bench);
}

static void there_is_a_limit_of_clients(void **state)
{
	struct bench bench;
	int fds[ATTACH_CLIENT_COUNT];
	struct err err = ERR_NONE;

	(void)state;
	bench_open(&bench);
	for (int i = 0; i < ATTACH_CLIENT_COUNT; i++)
		fds[i] = attach(&bench, (struct attach_options){ 0 });
	assert_int_equal(attach_hub_add(bench.hub, &(struct attach_options){ 0 }, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	for (int i = 0; i < ATTACH_CLIENT_COUNT; i++)
		close(fds[i]);
	for (int i = 0; i < 500 && attach_hub_count(bench.hub);
	     i++) /* a slow machine sees some at a time */
		settle(&bench);
	assert_int_equal(attach_hub_count(bench.hub), 0);
	bench_close(&bench);
}

static void timers_fire_in_order_and_can_be_cleared(void **state)
{
	struct err err = ERR_NONE;
	AUTO(poller) struct poller *poller = poller_new(&err);
	struct bench first = { .timer.due = late }, second = { .timer.due = late },
		     never = { .timer.due = late };

	(void)state;
	poller_set_timer(poller, &second.timer, 20);
	poller_set_timer(poller, &never.timer, 10);
	poller_set_timer(poller, &first.timer, 5);
	poller_clear_timer(poller, &never.timer);
	poller_clear_timer(poller, &never.timer);
	while (!first.is_late)
		poller_step(poller, &err);
	assert_false(second.is_late);
	while (!second.is_late)
		poller_step(poller, &err);
	assert_false(never.is_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_reaches_all_clients_in_frames),
		cmocka_unit_test(late_clients_get_the_last_lines),
		cmocka_unit_test(replay_keeps_the_youngest_16_kib),
		cmocka_unit_test(a_slow_client_is_dropped_and_others_are_not),
		cmocka_unit_test(what_is_behind_is_sent_later_in_order_even_after_the_end),
		cmocka_unit_test(input_of_several_clients_reaches_stdin),
		cmocka_unit_test(input_waits_for_the_container),
		cmocka_unit_test(a_closed_stdin_is_no_error),
		cmocka_unit_test(there_is_a_limit_of_clients),
		cmocka_unit_test(timers_fire_in_order_and_can_be_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

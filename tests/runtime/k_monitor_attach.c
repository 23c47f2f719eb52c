/* tests/runtime/k_monitor_attach - mirrors runtime/attach_socket and exec_session in whole lives;
 * needs root. */
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
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/process.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/cgroup.h"
#include "runtime/netns.h"
#include "tests/runtime/monitor_bench.h"

static void expect_text(int fd, const char *text)
{
	char got[256] = "";
	size_t len = 0, want = strlen(text);

	while (len < want) {
		struct pollfd entry = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&entry, 1, 60000), 1);
		n = recv(fd, got + len, want - len, 0);
		if (n <= 0)
			fail_msg("\"%s\" and then the end", got);
		len += (size_t)n;
	}
	assert_string_equal(got, text);
}

static bool is_ok(struct json_object *answer)
{
	return json_bool_or(answer, "ok", false);
}

static void attached_clients_see_output_and_give_input(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *hello = NULL;
	AUTO(json) struct json_object *result = NULL;
	int before, late;
	char byte;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("echo ready; cat; echo bye");
	bench.spec = ",\"stdin_open\":true";
	monitor_bench_start(&bench);
	json_object_put(monitor_bench_word(&bench, "prepared", NULL, NULL));
	json_object_put(monitor_bench_word(&bench, "created", NULL, NULL));
	json_object_put(monitor_bench_ask(&bench, "{\"op\":\"attach\",\"raw\":true}", &before));
	monitor_bench_release(&bench, "{}");
	json_object_put(monitor_bench_word(&bench, "running", NULL, NULL));
	expect_text(before, "ready\n");
	hello = monitor_bench_ask(&bench, "{\"op\":\"hello\",\"id\":7}", NULL);
	assert_true(is_ok(hello));
	assert_int_equal(json_int_or(hello, "id", 0), 7);
	assert_string_equal(json_text_or(hello, "state", ""), "running");
	assert_int_equal(json_int_or(hello, "pid", 0), bench.init);
	assert_int_equal(json_int_or(hello, "attached", 0), 1);
	assert_false(json_bool_or(hello, "tty", true));
	assert_true(json_bool_or(hello, "stdin", false));
	json_object_put(monitor_bench_ask(
		&bench,
		"{\"op\":\"attach\",\"raw\":true,\"stdin\":true,\"stdin_eof\":true,\"replay\":1}",
		&late));
	expect_text(late, "ready\n");
	assert_int_equal(send(late, "hi\n", 3, 0), 3);
	expect_text(late, "hi\n");
	expect_text(before, "hi\n");
	shutdown(late, SHUT_WR);
	expect_text(before, "bye\n");
	expect_text(late, "bye\n");
	assert_int_equal(recv(before, &byte, 1, 0), 0);
	assert_int_equal(recv(late, &byte, 1, 0), 0);
	close(before);
	close(late);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	monitor_bench_drop(&bench);
}

static void a_stalled_client_does_not_hold_the_container(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;
	int stalled;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("read x; seq 1 1000000; echo end");
	bench.spec = ",\"stdin_open\":true";
	bench.log = "{\"max_size\":100000,\"max_file\":1}";
	monitor_bench_run(&bench);
	json_object_put(monitor_bench_ask(&bench, "{\"op\":\"attach\",\"stdin\":true}", &stalled));
	assert_int_equal(send(stalled, "go\n", 3, 0), 3); /* and never reads */
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	log = monitor_bench_log(&bench);
	assert_non_null(strstr(log, "1000000\nend\n"));
	close(stalled);
	monitor_bench_drop(&bench);
}

/* The program closes its terminal for a while: neither the end of the output nor a busy monitor. */
static void a_terminal_that_is_let_go_for_a_while_is_kept(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("exec <&- >&- 2>&-; sleep 0.3; exec >/dev/console; echo back");
	bench.process = ",\"terminal\":true";
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "back\r\n");
	monitor_bench_drop(&bench);
}

static void an_open_connection_is_told_the_end(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(json) struct json_object *event = NULL;
	AUTO(free) char *dir = NULL;
	AUTO(fd) int dir_fd = -1;
	AUTO(fd) int fd = -1;
	struct err err = ERR_NONE;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	monitor_bench_run(&bench);
	dir = xformat("%s/run/%s", bench.path, bench.id);
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = message_connect(dir_fd, "monitor.sock", SOCK_SEQPACKET, &err);
	assert_true(fd >= 0);
	kill(bench.init, SIGKILL);
	assert_int_equal(message_receive(fd, &event, NULL, NULL, &err), 1);
	assert_string_equal(json_text_or(event, "op", ""), "exited");
	assert_int_equal(json_int_or(event, "code", 0), 137);
	close(TAKE_FD(dir_fd));
	result = monitor_bench_end(&bench, false);
	monitor_bench_drop(&bench);
}

static void bad_requests_are_refused_one_by_one(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"op\":\"fly\"}",
		"{\"op\":\"probe\"}",
		"{\"op\":\"probe\",\"listen\":70000}",
		"{\"op\":\"resize\",\"rows\":24,\"cols\":80}",
		"{\"op\":\"attach\",\"session\":\"x\"}",
		"{\"op\":\"sockets\",\"sockets\":[\"x\"]}",
		"{\"op\":\"sockets\",\"sockets\":[1]}",
		"{\"op\":\"exec\"}",
		"{\"op\":\"probe\",\"connect\":1,\"host\":\"x\"}",
	};
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	monitor_bench_run(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) struct json_object *answer = monitor_bench_ask(&bench, rows[i], NULL);

		if (is_ok(answer) || !json_text_or(answer, "err", NULL))
			fail_msg("%s: %s", rows[i], json_object_to_json_string(answer));
	}
	kill(bench.init, SIGKILL);
	result = monitor_bench_end(&bench, false);
	monitor_bench_drop(&bench);
}

static void probes_answer_from_inside(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(json) struct json_object *refused = NULL;
	AUTO(json) struct json_object *connected = NULL;
	bool listens = false;
	int fd = -1;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("sleep 0.1; echo hello | nc -l -p 8080");
	monitor_bench_run(&bench);
	for (int tries = 0; tries < 500 && !listens; tries++) {
		AUTO(json)
		struct json_object *answer =
			monitor_bench_ask(&bench, "{\"op\":\"probe\",\"listen\":8080}", NULL);

		assert_true(is_ok(answer));
		listens = json_bool_or(answer, "listening", false);
		usleep(10000);
	}
	assert_true(listens);
	refused = monitor_bench_ask(&bench, "{\"op\":\"probe\",\"connect\":8081,\"id\":3}", &fd);
	assert_false(is_ok(refused));
	assert_int_equal(json_int_or(refused, "id", 0), 3);
	assert_int_equal(fd, -1);
	connected = monitor_bench_ask(&bench, "{\"op\":\"probe\",\"connect\":8080}", &fd);
	assert_true(is_ok(connected));
	expect_text(fd, "hello\n");
	close(fd);
	result = monitor_bench_end(&bench, false);
	monitor_bench_drop(&bench);
}

static void sockets_are_opened_again_on_request(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(json) struct json_object *answer = NULL;
	int fd = -1, type = 0;
	socklen_t len = sizeof(type);

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	monitor_bench_run(&bench);
	answer = monitor_bench_ask(&bench, "{\"op\":\"sockets\",\"sockets\":[\"dns\"]}", &fd);
	assert_true(is_ok(answer));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(type, SOCK_DGRAM);
	close(fd);
	kill(bench.init, SIGKILL);
	result = monitor_bench_end(&bench, false);
	monitor_bench_drop(&bench);
}

static void a_terminal_has_size_input_and_one_stream(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(json) struct json_object *answer = NULL;
	AUTO(free) char *log = NULL;
	int fd;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("read x; stty size; echo $x >&2; [ -t 0 ] && echo tty");
	bench.process = ",\"terminal\":true";
	monitor_bench_run(&bench);
	answer = monitor_bench_ask(&bench, "{\"op\":\"resize\",\"rows\":33,\"cols\":99}", NULL);
	assert_true(is_ok(answer));
	json_object_put(
		monitor_bench_ask(&bench, "{\"op\":\"attach\",\"raw\":true,\"stdin\":true}", &fd));
	assert_int_equal(send(fd, "hi\n", 3, 0), 3);
	expect_text(fd, "hi\r\n33 99\r\nhi\r\ntty\r\n");
	close(fd);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "hi\r\n33 99\r\nhi\r\ntty\r\n");
	monitor_bench_drop(&bench);
}

static void an_exec_session_outlives_its_client(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(json) struct json_object *answer = NULL;
	AUTO(free) char *again = NULL;
	AUTO(free) char *record = NULL;
	int fd;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	monitor_bench_run(&bench);
	answer = monitor_bench_ask(
		&bench,
		"{\"op\":\"exec\",\"raw\":true,\"stdin\":true,\"rows\":10,\"cols\":20,"
		"\"process\":{\"args\":[\"sh\",\"-c\",\"stty size; read x; echo got $x\"],"
		"\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}}",
		&fd);
	if (!is_ok(answer))
		fail_msg("%s", json_object_to_json_string(answer));
	close(fd);
	again = xformat(
		"{\"op\":\"attach\",\"raw\":true,\"stdin\":true,\"replay\":-1,\"session\":\"%s\"}",
		json_text_or(answer, "session", ""));
	json_object_put(monitor_bench_ask(&bench, again, &fd));
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "it\n", 3, 0), 3);
	{
		char got[256] = "";
		size_t len = 0;
		ssize_t n;

		while ((n = recv(fd, got + len, sizeof(got) - 1 - len, 0)) > 0)
			len += (size_t)n;
		assert_non_null(strstr(got, "got it\r\n"));
	}
	close(fd);
	{
		AUTO(free)
		char *name = xformat("run/%s/exec/%s.json", bench.id,
				     json_text_or(answer, "session", ""));

		record = monitor_bench_read(&bench, name);
	}
	assert_non_null(strstr(record, "\"state\":\"exited\""));
	assert_non_null(strstr(record, "\"code\":0"));
	kill(bench.init, SIGKILL);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 137, 9);
	monitor_bench_drop(&bench);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attached_clients_see_output_and_give_input),
		cmocka_unit_test(a_stalled_client_does_not_hold_the_container),
		cmocka_unit_test(a_terminal_that_is_let_go_for_a_while_is_kept),
		cmocka_unit_test(an_open_connection_is_told_the_end),
		cmocka_unit_test(bad_requests_are_refused_one_by_one),
		cmocka_unit_test(probes_answer_from_inside),
		cmocka_unit_test(sockets_are_opened_again_on_request),
		cmocka_unit_test(a_terminal_has_size_input_and_one_stream),
		cmocka_unit_test(an_exec_session_outlives_its_client),
	};
	int status;

	if (monitor_bench_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
}

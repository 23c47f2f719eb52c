/* tests/orchestrator/test_control - mirrors orchestrator/control: a server on a loop, clients as
 * plain sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"
#include "orchestrator/control.h"
#include "tests/runtime/folder.h"

struct bench {
	struct folder folder;
	uv_loop_t loop;
	struct control_server *server;
	struct control_request *kept; /* by "keep": answered later */
	unsigned gone_count, left_count;
};

static void on_request(void *ctx, struct control_request *request, const char *op,
		       struct json_object *message)
{
	struct bench *bench = ctx;

	if (strcmp(op, "echo") == 0) {
		control_ok(request, json_object_get(json_object_at(message, "what")));
	} else if (strcmp(op, "events") == 0) {
		for (int i = 0; i < 3; i++) {
			struct json_object *event = json_object_new_object();

			json_add_int(event, "n", i);
			control_event(request, event);
		}
		control_ok(request, NULL);
	} else if (strcmp(op, "keep") == 0) {
		bench->kept = request;
		control_set_data(request, bench);
	} else {
		struct err err = ERR_NONE;

		err_set(&err, ERR_UNSUPPORTED, "no such operation: %s", op);
		control_fail(request, &err);
	}
}

static void on_gone(void *ctx, struct control_request *request)
{
	struct bench *bench = ctx;

	assert_ptr_equal(control_data(request), bench);
	bench->gone_count++;
}

static void on_left(void *ctx)
{
	((struct bench *)ctx)->left_count++;
}

static void start(struct bench *bench)
{
	struct control_handler handler = { on_request, on_gone, on_left, bench };
	struct err err = ERR_NONE;
	int fd;

	memset(bench, 0, sizeof(*bench));
	folder_make(&bench->folder);
	assert_int_equal(uv_loop_init(&bench->loop), 0);
	fd = message_listen(bench->folder.fd, "sock", SOCK_STREAM | SOCK_NONBLOCK, true, &err);
	assert_true(fd >= 0);
	bench->server = control_start(&bench->loop, fd, "shop", &handler, &err);
	assert_non_null(bench->server);
}

static void stop(struct bench *bench)
{
	control_stop(bench->server);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&bench->loop), 0);
	folder_drop(&bench->folder);
}

static void turn(struct bench *bench)
{
	uv_run(&bench->loop, UV_RUN_NOWAIT);
	poll(NULL, 0, 1);
}

/* One line from the server, while its loop runs; NULL at the end of the connection. To be put. */
static struct json_object *receive(struct bench *bench, int fd)
{
	struct err err = ERR_NONE;
	size_t len = 0, room = 256;
	AUTO(free) char *line = xrealloc(NULL, room, 1);
	uint64_t end = stamp_monotonic_us() + 10000000;

	while (stamp_monotonic_us() < end) {
		ssize_t n = recv(fd, line + len, 1, MSG_DONTWAIT);

		if (n < 0) {
			turn(bench);
			continue;
		}
		if (n == 0)
			return NULL;
		if (line[len] == '\n')
			return json_parse("line", line, len, &err);
		if (++len == room)
			line = xrealloc(line, room *= 2, 1);
	}
	fail_msg("no line came");
	return NULL;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A connected client that has read its greeting. */
static int client(struct bench *bench)
{
	struct err err = ERR_NONE;
	int fd = message_connect(bench->folder.fd, "sock", SOCK_STREAM, &err);
	AUTO(json) struct json_object *hello = NULL;

	assert_true(fd >= 0);
	hello = receive(bench, fd);
	assert_string_equal(json_text_or(hello, "project", ""), "shop");
	assert_int_equal(json_int_or(hello, "protocol", 0), CONTROL_PROTOCOL);
	assert_int_equal(json_int_or(hello, "pid", 0), getpid());
	assert_string_equal(json_text_or(hello, "stack", ""), STACK_VERSION);
	assert_true(json_bool_or(hello, "says_taken", false));
	return fd;
}

static void expect(struct bench *bench, int fd, const char *wanted)
{
	AUTO(json) struct json_object *line = receive(bench, fd);

	assert_non_null(line);
	assert_string_equal(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN), wanted);
}

static void a_request_is_answered_with_its_number(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	assert_int_equal(control_clients(bench.server), 1);
	send_text(fd, "{\"id\":7,\"op\":\"echo\",\"what\":{\"a\":1}}\n");
	expect(&bench, fd, "{\"id\":7,\"ok\":true,\"result\":{\"a\":1}}");
	send_text(fd, "{\"op\":\"echo\"}\n");
	expect(&bench, fd, "{\"id\":0,\"ok\":true,\"result\":{}}");
	close(fd);
	stop(&bench);
}

static void events_come_before_the_answer(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":1,\"op\":\"events\"}\n");
	expect(&bench, fd, "{\"id\":1,\"event\":{\"n\":0}}");
	expect(&bench, fd, "{\"id\":1,\"event\":{\"n\":1}}");
	expect(&bench, fd, "{\"id\":1,\"event\":{\"n\":2}}");
	expect(&bench, fd, "{\"id\":1,\"ok\":true,\"result\":{}}");
	close(fd);
	stop(&bench);
}

static void failures_carry_code_and_message(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":2,\"op\":\"dance\"}\n");
	expect(&bench, fd,
	       "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"unsupported\",\"message\":\"no such "
	       "operation: dance\"}}");
	close(fd);
	stop(&bench);
}

static void a_line_that_is_no_request_is_refused_and_the_next_goes(void **state)
{
	static const char *const wrong[] = { "nonsense\n", "{\"id\":3}\n", "{\"id\":3,\"op\":5}\n",
					     "[]\n", "{\"id\":3,\"op\":\n" };
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		AUTO(json) struct json_object *answer = NULL;

		send_text(fd, wrong[i]);
		answer = receive(&bench, fd);
		assert_false(json_bool_or(answer, "ok", true));
		assert_string_equal(json_text_or(json_object_at(answer, "error"), "code", ""),
				    "invalid");
	}
	send_text(fd, "{\"id\":4,\"op\":\"echo\"}\n");
	expect(&bench, fd, "{\"id\":4,\"ok\":true,\"result\":{}}");
	close(fd);
	stop(&bench);
}

static void lines_may_come_in_parts_and_several_at_once(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":5,\"op\"");
	for (int i = 0; i < 5; i++)
		turn(&bench);
	send_text(fd, ":\"echo\"}\n\n{\"id\":6,\"op\":\"echo\"}\n{\"id\":7,");
	expect(&bench, fd, "{\"id\":5,\"ok\":true,\"result\":{}}");
	expect(&bench, fd, "{\"id\":6,\"ok\":true,\"result\":{}}");
	send_text(fd, "\"op\":\"echo\"}\n");
	expect(&bench, fd, "{\"id\":7,\"ok\":true,\"result\":{}}");
	close(fd);
	stop(&bench);
}

static void a_line_without_end_costs_the_connection(void **state)
{
	struct bench bench;
	AUTO(free) char *part = xrealloc(NULL, 1 << 20, 1);
	size_t sent = 0;
	int fd;

	(void)state;
	memset(part, ' ', 1 << 20);
	start(&bench);
	fd = client(&bench);
	while (control_clients(bench.server) && sent < (CONTROL_LINE_MAX + (4u << 20))) {
		ssize_t n = send(fd, part, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		uv_run(&bench.loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(control_clients(bench.server), 0);
	assert_true(sent > CONTROL_LINE_MAX);
	assert_int_equal(bench.left_count, 1);
	close(fd);
	stop(&bench);
}

static void a_client_that_goes_is_told_and_its_answer_dropped(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":8,\"op\":\"keep\"}\n");
	while (!bench.kept)
		turn(&bench);
	assert_false(control_is_gone(bench.kept));
	close(fd);
	for (int i = 0; i < 5000 && !bench.left_count; i++)
		turn(&bench);
	assert_int_equal(bench.gone_count, 1);
	assert_int_equal(bench.left_count, 1);
	assert_true(control_is_gone(bench.kept));
	control_event(bench.kept, json_object_new_object());
	control_ok(bench.kept, json_object_new_object());
	assert_int_equal(control_clients(bench.server), 0);
	stop(&bench);
}

static void clients_do_not_hear_each_other(void **state)
{
	struct bench bench;
	int one, two;

	(void)state;
	start(&bench);
	one = client(&bench);
	two = client(&bench);
	assert_int_equal(control_clients(bench.server), 2);
	send_text(one, "{\"id\":1,\"op\":\"keep\"}\n");
	while (!bench.kept)
		turn(&bench);
	send_text(two, "{\"id\":2,\"op\":\"echo\"}\n");
	expect(&bench, two, "{\"id\":2,\"ok\":true,\"result\":{}}");
	control_ok(bench.kept, NULL);
	expect(&bench, one, "{\"id\":1,\"ok\":true,\"result\":{}}");
	close(one);
	close(two);
	stop(&bench);
}

static void a_closed_door_lets_nobody_in_and_serves_who_is_in(void **state)
{
	struct err err = ERR_NONE;
	struct bench bench;
	char byte;
	int in, queued;

	(void)state;
	start(&bench);
	in = client(&bench);
	/* connected for the kernel, not seen by the loop yet */
	queued = message_connect(bench.folder.fd, "sock", SOCK_STREAM, &err);
	assert_true(queued >= 0);
	control_close_door(bench.server);
	control_close_door(bench.server);
	for (int i = 0; i < 5; i++)
		turn(&bench);
	assert_int_equal(control_clients(bench.server), 1);
	assert_true(recv(queued, &byte, 1, 0) <= 0); /* cut off without a greeting */
	assert_int_equal(message_connect(bench.folder.fd, "sock", SOCK_STREAM, &err), -1);
	send_text(in, "{\"id\":1,\"op\":\"echo\"}\n");
	expect(&bench, in, "{\"id\":1,\"ok\":true,\"result\":{}}");
	close(queued);
	close(in);
	stop(&bench);
}

static void who_is_turned_away_is_told_to_ask_again(void **state)
{
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":3,\"op\":\"keep\"}\n");
	while (!bench.kept)
		turn(&bench);
	control_turn_away(bench.kept);
	expect(&bench, fd,
	       "{\"id\":3,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"the supervisor "
	       "ends just now: "
	       "once more, please\",\"again\":true}}");
	bench.kept = NULL;
	send_text(fd, "{\"id\":4,\"op\":\"keep\"}\n");
	while (!bench.kept)
		turn(&bench);
	control_say_taken(bench.kept);
	control_ok(bench.kept, NULL);
	expect(&bench, fd, "{\"id\":4,\"event\":{\"taken\":true}}");
	expect(&bench, fd, "{\"id\":4,\"ok\":true,\"result\":{}}");
	close(fd);
	stop(&bench);
}

static void a_stop_closes_connections_that_still_ask(void **state)
{
	struct control_request *kept;
	struct bench bench;
	int fd;

	(void)state;
	start(&bench);
	fd = client(&bench);
	send_text(fd, "{\"id\":9,\"op\":\"keep\"}\n");
	while (!bench.kept)
		turn(&bench);
	kept = bench.kept;
	stop(&bench);
	assert_int_equal(bench.gone_count, 0); /* nobody is told any more */
	assert_true(control_is_gone(kept));
	control_ok(kept, NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_with_its_number),
		cmocka_unit_test(events_come_before_the_answer),
		cmocka_unit_test(failures_carry_code_and_message),
		cmocka_unit_test(a_line_that_is_no_request_is_refused_and_the_next_goes),
		cmocka_unit_test(lines_may_come_in_parts_and_several_at_once),
		cmocka_unit_test(a_line_without_end_costs_the_connection),
		cmocka_unit_test(a_client_that_goes_is_told_and_its_answer_dropped),
		cmocka_unit_test(clients_do_not_hear_each_other),
		cmocka_unit_test(a_closed_door_lets_nobody_in_and_serves_who_is_in),
		cmocka_unit_test(who_is_turned_away_is_told_to_ask_again),
		cmocka_unit_test(a_stop_closes_connections_that_still_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

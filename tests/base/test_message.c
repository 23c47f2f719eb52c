/* tests/base/test_message - mirrors base/message. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "tests/base/folder.h"

static int open_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void make_pair(int *ends)
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void a_message_and_its_descriptors_arrive(void **state)
{
	AUTO(json) struct json_object *sent = json_object_new_object();
	AUTO(json) struct json_object *got = NULL;
	struct err err = ERR_NONE;
	int ends[2], pipe_fds[2], fds[4];
	size_t count = 4;
	char c = 0;

	(void)state;
	make_pair(ends);
	assert_int_equal(pipe(pipe_fds), 0);
	json_add_text(sent, "word", "prepared");
	assert_int_equal(message_send(ends[0], sent, pipe_fds, 2, &err), 0);
	assert_int_equal(message_receive(ends[1], &got, fds, &count, &err), 1);
	assert_int_equal(count, 2);
	assert_string_equal(json_text_or(got, "word", ""), "prepared");
	assert_int_equal(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(pipe_fds[i]);
		close(ends[i]);
	}
}

static void bad_messages_leave_no_descriptor(void **state)
{
	/* clang-format off */
	static const struct { const char *text; size_t room; int result; enum err_code code; } cases[] = {
		{ "{}",       1, -1, ERR_INVALID }, /* two come, one fits */
		{ "{}",       0, -1, ERR_INVALID },
		{ "not json", 4, -1, ERR_INVALID },
		{ "",         4,  0, ERR_OK },
	};
	/* clang-format on */
	int ends[2], pipe_fds[2], fds[4], before;

	(void)state;
	make_pair(ends);
	assert_int_equal(pipe(pipe_fds), 0);
	before = open_count();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_object *got = NULL;
		struct err err = ERR_NONE;
		size_t count = cases[i].room;

		assert_int_equal(message_send_text(ends[0], cases[i].text, strlen(cases[i].text),
						   pipe_fds, 2, &err),
				 0);
		assert_int_equal(message_receive(ends[1], &got, fds, &count, &err),
				 cases[i].result);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(open_count(), before);
	}
	for (int i = 0; i < 2; i++) {
		close(pipe_fds[i]);
		close(ends[i]);
	}
}

static void nothing_there_is_busy_and_the_end_is_zero(void **state)
{
	struct json_object *got = NULL;
	struct err err = ERR_NONE;
	int ends[2];

	(void)state;
	make_pair(ends);
	assert_int_equal(message_receive(ends[1], &got, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	close(ends[0]);
	assert_int_equal(message_receive(ends[1], &got, NULL, NULL, &err), 0);
	close(ends[1]);
}

static void too_much_is_refused_on_both_sides(void **state)
{
	AUTO(free) char *big = calloc(1, MESSAGE_MAX + 10);
	struct json_object *got = NULL;
	struct err err = ERR_NONE;
	int ends[2], size = 1 << 20;

	(void)state;
	make_pair(ends);
	memset(big, ' ', MESSAGE_MAX + 9);
	assert_int_equal(message_send_text(ends[0], big, MESSAGE_MAX + 1, NULL, 0, &err), -1);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(send(ends[0], big, MESSAGE_MAX + 1, 0), MESSAGE_MAX + 1);
	assert_int_equal(message_receive(ends[1], &got, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	close(ends[0]);
	close(ends[1]);
}

static void sockets_in_folders_with_long_names(void **state)
{
	struct folder folder = folder_make();
	AUTO(fd) int deep = -1;
	AUTO(fd) int listener = -1;
	AUTO(fd) int client = -1;
	AUTO(fd) int server = -1;
	struct err err = ERR_NONE;
	char name[201];
	struct stat st;

	(void)state;
	memset(name, 'd', 200);
	name[200] = '\0';
	assert_int_equal(mkdirat(folder.fd, name, 0700), 0);
	deep = openat(folder.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listener = message_listen(deep, "control.sock", SOCK_STREAM, false, &err);
	assert_true(listener >= 0);
	assert_int_equal(fstatat(deep, "control.sock", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(message_listen(deep, "control.sock", SOCK_STREAM, false, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	client = message_connect(deep, "control.sock", SOCK_STREAM, &err);
	assert_true(client >= 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(message_peer_is_ours(server));
	close(TAKE_FD(listener));
	assert_int_equal(message_connect(deep, "control.sock", SOCK_STREAM, &err), -1);
	listener = message_listen(deep, "control.sock", SOCK_STREAM, true, &err); /* a dead one */
	assert_true(listener >= 0);
	assert_int_equal(message_connect(deep, "nope", SOCK_STREAM, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	unlinkat(deep, "control.sock", 0);
	unlinkat(folder.fd, name, AT_REMOVEDIR);
	assert_true(folder_end(&folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_and_its_descriptors_arrive),
		cmocka_unit_test(bad_messages_leave_no_descriptor),
		cmocka_unit_test(nothing_there_is_busy_and_the_end_is_zero),
		cmocka_unit_test(too_much_is_refused_on_both_sides),
		cmocka_unit_test(sockets_in_folders_with_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

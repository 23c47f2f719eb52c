/* tests/runtime/test_terminal - mirrors runtime/terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/message.h"
#include "runtime/terminal.h"
#include "tests/runtime/folder.h"

static void pair_of(int *out_master, int *out_slave)
{
	struct err err = ERR_NONE;
	AUTO(fd) int dev = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(terminal_open(dev, "ptmx", out_master, out_slave, &err), 0);
}

static void a_pair_carries_bytes_and_size(void **state)
{
	int master, slave;
	unsigned rows, columns;
	struct err err = ERR_NONE;
	char got[16] = "";

	(void)state;
	pair_of(&master, &slave);
	assert_true(isatty(slave));
	assert_true(terminal_number(master) >= 0);
	assert_int_equal(fcntl(master, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(slave, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(terminal_resize(master, 24, 80, &err), 0);
	assert_true(terminal_size(slave, &rows, &columns));
	assert_int_equal(rows, 24);
	assert_int_equal(columns, 80);
	assert_int_equal(terminal_resize(master, 70000, 80, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(write(slave, "a\n", 2), 2);
	assert_int_equal(read(master, got, sizeof(got)), 3);
	assert_string_equal(got, "a\r\n");
	assert_int_equal(terminal_no_cr(slave, &err), 0);
	assert_int_equal(write(slave, "b\n", 2), 2);
	assert_int_equal(read(master, got, sizeof(got)), 2);
	close(master);
	close(slave);
}

static void what_is_no_multiplexer_is_refused(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	int master, slave;

	(void)state;
	folder_make(&folder);
	folder_write(&folder, "ptmx", "");
	assert_int_equal(terminal_open(folder.fd, "ptmx", &master, &slave, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	unlinkat(folder.fd, "ptmx", 0);
	assert_int_equal(symlinkat("/dev/pts/ptmx", folder.fd, "ptmx"), 0);
	assert_int_equal(terminal_open(folder.fd, "ptmx", &master, &slave, &err), -1);
	folder_drop(&folder);
}

static void raw_mode_is_taken_back(void **state)
{
	int master, slave;
	struct termios saved, raw, again;

	(void)state;
	pair_of(&master, &slave);
	assert_true(terminal_raw(slave, &saved));
	assert_int_equal(tcgetattr(slave, &raw), 0);
	assert_false(raw.c_lflag & (ICANON | ECHO));
	assert_true(raw.c_oflag & OPOST);
	terminal_restore(slave, &saved);
	assert_int_equal(tcgetattr(slave, &again), 0);
	assert_int_equal(again.c_lflag, saved.c_lflag);
	close(master);
	close(slave);
	{
		AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		unsigned rows, columns;

		assert_false(terminal_raw(null, &saved));
		assert_false(terminal_size(null, &rows, &columns));
		assert_int_equal(rows, 0);
	}
}

static void the_console_socket_hands_a_master_over(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	int master, slave, got;
	char path[100], text[8] = "";
	AUTO(fd) int listener = -1;

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/console", folder.path);
	listener = message_listen(folder.fd, "console", SOCK_STREAM, false, &err);
	assert_true(listener >= 0);
	assert_int_equal(terminal_receive(listener, 10, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	pair_of(&master, &slave);
	assert_int_equal(terminal_send(path, master, "/dev/pts/0", &err), 0);
	got = terminal_receive(listener, 1000, &err);
	assert_true(got >= 0);
	close(master);
	assert_int_equal(write(slave, "x", 1), 1);
	assert_int_equal(read(got, text, sizeof(text)), 1);
	assert_string_equal(text, "x");
	close(got);
	close(slave);
	folder_drop(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_carries_bytes_and_size),
		cmocka_unit_test(what_is_no_multiplexer_is_refused),
		cmocka_unit_test(raw_mode_is_taken_back),
		cmocka_unit_test(the_console_socket_hands_a_master_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

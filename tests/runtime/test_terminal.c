/* tests/runtime/test_terminal - mirrors runtime/terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/message.h"
#include "runtime/terminal.h"
#include "tests/runtime/folder.h"

/* A pair as the kernel gives it. */
static void pair_of(int *out_master, int *out_slave)
{
	int unlocked = 0;

	*out_master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*out_master >= 0);
	assert_int_equal(ioctl(*out_master, TIOCSPTLCK, &unlocked), 0);
	*out_slave = ioctl(*out_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*out_slave >= 0);
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void a_size_reaches_the_slave(void **state)
{
	static const struct {
		unsigned rows, columns;
		bool fits;
	} rows[] = {
		{24,           80,    true },
                { 0,           0,     true },
                { 65535,       65535, true },
		{ 65536,       80,    false},
                { 24,          65536, false},
                { 4294967295u, 1,     false},
	};
	int master, slave;

	(void)state;
	pair_of(&master, &slave);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct winsize before, after;
		struct err err = ERR_NONE;

		assert_int_equal(ioctl(slave, TIOCGWINSZ, &before), 0);
		assert_int_equal(terminal_resize(master, rows[i].rows, rows[i].columns, &err),
				 rows[i].fits ? 0 : -1);
		assert_int_equal(ioctl(slave, TIOCGWINSZ, &after), 0);
		if (!rows[i].fits)
			assert_int_equal(err.code, ERR_INVALID);
		assert_int_equal(after.ws_row, rows[i].fits ? rows[i].rows : before.ws_row);
		assert_int_equal(after.ws_col, rows[i].fits ? rows[i].columns : before.ws_col);
	}
	close(master);
	close(slave);
}

static void what_is_no_terminal_has_no_size(void **state)
{
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(terminal_resize(null, 24, 80, &err), -1);
	assert_int_not_equal(err.code, ERR_OK);
}

struct socket_of_test {
	struct folder folder;
	int listener, client;
};

static void socket_make(struct socket_of_test *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct err err = ERR_NONE;

	folder_make(&s->folder);
	s->listener = message_listen(s->folder.fd, "console", SOCK_STREAM, false, &err);
	assert_true(s->listener >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/console", s->folder.path);
	s->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(s->client, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void socket_drop(struct socket_of_test *s)
{
	close(s->listener);
	if (s->client >= 0)
		close(s->client);
	folder_drop(&s->folder);
}

static void the_console_socket_hands_a_master_over(void **state)
{
	struct socket_of_test s;
	struct err err = ERR_NONE;
	int master, slave, got;
	char text[8] = "";

	(void)state;
	socket_make(&s);
	pair_of(&master, &slave);
	assert_int_equal(message_send_text(s.client, "/dev/pts/0", 10, &master, 1, &err), 0);
	got = terminal_receive(s.listener, 5000, &err);
	assert_true(got >= 0);
	assert_int_equal(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(master);
	assert_int_equal(write(slave, "x", 1), 1);
	assert_int_equal(read(got, text, sizeof(text)), 1);
	assert_string_equal(text, "x");
	close(got);
	close(slave);
	socket_drop(&s);
}

static void nobody_and_silence_are_waited_for_in_bounds(void **state)
{
	struct socket_of_test s;
	struct err err = ERR_NONE;

	(void)state;
	socket_make(&s); /* a connection that says nothing */
	assert_int_equal(terminal_receive(s.listener, 10, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	err = (struct err)ERR_NONE; /* and now no connection */
	assert_int_equal(terminal_receive(s.listener, 10, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	socket_drop(&s);
}

/* A runtime that is not ours may send anything: it is refused and nothing of it stays open. */
static void what_holds_no_terminal_is_refused_and_closed(void **state)
{
	enum { NO_FD, A_FILE, TWO, MANY, NOTHING } kinds[] = { NO_FD, A_FILE, TWO, MANY, NOTHING };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct socket_of_test s;
		struct err err = ERR_NONE;
		int master, slave, before;
		int fds[5];

		socket_make(&s);
		pair_of(&master, &slave);
		for (size_t k = 0; k < 5; k++)
			fds[k] = master;
		if (kinds[i] == A_FILE)
			fds[0] = s.folder.fd;
		if (kinds[i] == NOTHING) {
			close(s.client);
			s.client = -1;
		} else {
			size_t count = kinds[i] == NO_FD    ? 0
				       : kinds[i] == A_FILE ? 1
				       : kinds[i] == TWO    ? 2
							    : 5;

			assert_int_equal(message_send_text(s.client, "tty", 3, fds, count, &err),
					 0);
		}
		before = open_descriptors();
		assert_int_equal(terminal_receive(s.listener, 5000, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_int_equal(open_descriptors(), before);
		close(master);
		close(slave);
		socket_drop(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_reaches_the_slave),
		cmocka_unit_test(what_is_no_terminal_has_no_size),
		cmocka_unit_test(the_console_socket_hands_a_master_over),
		cmocka_unit_test(nobody_and_silence_are_waited_for_in_bounds),
		cmocka_unit_test(what_holds_no_terminal_is_refused_and_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/test_process - mirrors base/process. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/process.h"

static pid_t sleeper(void)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) (b c"); /* what the parser of stat must survive */
		pause();
		_exit(0);
	}
	return child;
}

static void identity_ends_with_the_process(void **state)
{
	pid_t child = sleeper();
	struct process_id id = process_identity(child);
	AUTO(fd) int fd = process_open(id);
	struct err err = ERR_NONE;

	(void)state;
	assert_true(id.start_ticks > 0);
	assert_true(fd >= 0);
	assert_true(process_is_alive(id));
	assert_int_equal(process_wait_end(fd, 10, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_int_equal(process_signal(fd, SIGKILL), 0);
	assert_int_equal(process_wait_end(fd, 5000, &err), 0);
	assert_false(process_is_alive(id)); /* a zombie is no process any more */
	assert_true(process_start_ticks(child) > 0);
	waitpid(child, NULL, 0);
	assert_int_equal(process_start_ticks(child), 0);
	assert_int_equal(process_signal(fd, SIGKILL), -1);
	assert_int_equal(errno, ESRCH);
}

static void another_start_time_is_another_process(void **state)
{
	struct process_id id = process_identity(getpid());

	(void)state;
	assert_true(process_is_alive(id));
	id.start_ticks++;
	assert_int_equal(process_open(id), -1);
	assert_int_equal(errno, ESRCH);
	assert_false(process_is_alive((struct process_id){ 0, 0 }));
	assert_false(process_is_alive((struct process_id){ -1, 5 }));
}

static void a_daemon_has_left_its_session(void **state)
{
	struct err err = ERR_NONE;
	int ends[2], result;
	pid_t seen[3] = { 0 };

	(void)state;
	assert_int_equal(pipe(ends), 0);
	result = process_daemonise(&err);
	if (result == 0) {
		pid_t mine[3] = { getpid(), getsid(0), getppid() };
		ssize_t n = write(ends[1], mine, sizeof(mine));

		_exit(n == sizeof(mine) ? 0 : 1);
	}
	assert_true(result > 0);
	assert_int_equal(waitpid(result, NULL, WNOHANG), -1); /* reaped already */
	close(ends[1]);
	assert_int_equal(read(ends[0], seen, sizeof(seen)), sizeof(seen));
	close(ends[0]);
	assert_int_not_equal(seen[0], seen[1]); /* no session leader: it cannot get a terminal */
	assert_int_not_equal(seen[1], getsid(0));
	assert_int_not_equal(seen[2], getpid());
}

static void signals_by_name_and_number(void **state)
{
	/* clang-format off */
	static const struct { const char *name; int number; } cases[] = {
		{ "SIGTERM", SIGTERM }, { "term", SIGTERM }, { "15", 15 }, { "SigKill", SIGKILL },
		{ "SIGIOT", SIGABRT }, { "cld", SIGCHLD }, { "64", 64 }, { "65", -1 }, { "0", -1 },
		{ "", -1 }, { "SIG", -1 }, { "-9", -1 }, { "TERMX", -1 }, { "RTMIN+", -1 }, { "9x", -1 },
		{ "RTMIN+99", -1 },
	};
	/* clang-format on */
	char buffer[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(process_signal_number(cases[i].name), cases[i].number);
	assert_int_equal(process_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(process_signal_number("rtmax-1"), SIGRTMAX - 1);
	assert_string_equal(process_signal_name(SIGTERM, buffer), "SIGTERM");
	assert_string_equal(process_signal_name(SIGABRT, buffer), "SIGABRT");
	assert_string_equal(process_signal_name(SIGRTMIN + 3, buffer), "SIGRTMIN+3");
	assert_null(process_signal_name(0, buffer));
	assert_null(process_signal_name(65, buffer));
	for (int i = 1; i < 32; i++) /* there and back */
		assert_int_equal(process_signal_number(process_signal_name(i, buffer)), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_ends_with_the_process),
		cmocka_unit_test(another_start_time_is_another_process),
		cmocka_unit_test(a_daemon_has_left_its_session),
		cmocka_unit_test(signals_by_name_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

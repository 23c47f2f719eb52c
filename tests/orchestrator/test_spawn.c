/* tests/orchestrator/test_spawn - mirrors orchestrator/spawn: /bin/sh as the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/stamp.h"
#include "orchestrator/spawn.h"
#include "tests/runtime/folder.h"

static int shell(const char *script, int log_fd, unsigned timeout_ms, struct spawn_result *out,
		 struct err *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	AUTO(fd) int fd = open("/bin/sh", O_PATH | O_CLOEXEC);

	*err = ERR_NONE;
	return spawn_and_wait_for(fd, argv, log_fd, timeout_ms, out, err);
}

static void how_a_program_ends_is_told(void **state)
{
	/* clang-format off */
	static const struct { const char *script; int status; const char *output; } rows[] = {
		{ "exit 0", 0, "" },
		{ "exit 3", 3, "" },
		{ "echo out; echo err >&2; exit 1", 1, "out\nerr\n" },
		{ "kill -TERM $$", 128 + SIGTERM, "" },
		{ "kill -KILL $$", 128 + SIGKILL, "" },
		{ "printf %s \"$0\"", 0, "sh" },
		{ "cat; echo end", 0, "end\n" }, /* nothing to read */
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct spawn_result result;
		struct err err;

		assert_int_equal(shell(rows[i].script, -1, 0, &result, &err), 0);
		assert_int_equal(result.status, rows[i].status);
		assert_string_equal(result.output, rows[i].output);
		assert_int_equal(result.output_len, strlen(rows[i].output));
	}
}

static void long_output_is_cut_and_read_to_its_end(void **state)
{
	struct spawn_result result;
	struct err err;

	(void)state;
	assert_int_equal(
		shell("head -c 300000 /dev/zero | tr '\\0' x; exit 4", -1, 0, &result, &err), 0);
	assert_int_equal(result.status, 4); /* no SIGPIPE on the way */
	assert_int_equal(result.output_len, SPAWN_OUTPUT_MAX - 1);
	assert_int_equal(strspn(result.output, "x"), SPAWN_OUTPUT_MAX - 1);
}

static void what_takes_too_long_is_killed(void **state)
{
	struct spawn_result result;
	uint64_t start = stamp_monotonic_us();
	struct err err;

	(void)state;
	assert_int_equal(shell("echo begun; exec sleep 100", -1, 300, &result, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, "300 ms"));
	assert_string_equal(result.output, "begun\n");
	assert_int_equal(result.status, 128 + SIGKILL);
	assert_true(stamp_monotonic_us() - start >= 300000);
	assert_int_equal(shell("exec sleep 100", -1, 20, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	assert_int_equal(errno, ECHILD);
}

static void a_heir_of_the_output_does_not_hold_up(void **state)
{
	struct spawn_result result;
	struct err err;

	(void)state;
	assert_int_equal(shell("sleep 3 & echo done", -1, 0, &result, &err), 0);
	assert_string_equal(result.output, "done\n");
	assert_int_equal(result.status, 0);
}

static void without_a_result_failure_is_an_error(void **state)
{
	struct folder folder;
	struct err err;

	(void)state;
	folder_make(&folder);
	{
		AUTO(fd) int log = openat(folder.fd, "log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		AUTO(free) char *text = NULL;

		assert_int_equal(shell("echo to-nobody; echo why >&2; exit 9", log, 0, NULL, &err),
				 -1);
		assert_int_equal(err.code, ERR_SYSTEM);
		assert_string_equal(err.msg, "sh -c ended with status 9");
		text = folder_read(&folder, "log");
		assert_string_equal(text, "why\n");
		assert_int_equal(shell("exit 0", log, 0, NULL, &err), 0);
	}
	folder_drop(&folder);
}

static void what_cannot_be_started_is_named(void **state)
{
	const char *const argv[] = { "nothing", NULL };
	struct spawn_result result;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(spawn_and_wait(-1, argv, -1, &result, &err), -1);
	assert_non_null(strstr(err.msg, "start nothing"));
}

static void signals_are_as_at_birth(void **state)
{
	struct spawn_result result;
	sigset_t all, before;
	const char *ignored;
	struct err err;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status", -1, 0, &result, &err),
			 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_non_null(strstr(result.output, "SigBlk:\t0000000000000000\n"));
	ignored = strstr(result.output, "SigIgn:\t");
	assert_non_null(ignored);
	assert_int_equal(strtoull(ignored + 8, NULL, 16) & 1ull << (SIGPIPE - 1), 0);
}

static void no_descriptor_of_ours_is_inherited(void **state)
{
	AUTO(fd) int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct spawn_result result;
	size_t given = 3, seen = 0;
	struct err err;

	(void)state;
	for (int fd = 3; fd < 1024; fd++) /* what whoever started the test left open */
		given += fcntl(fd, F_GETFD) == 0;
	assert_int_equal(shell("ls /proc/$$/fd", -1, 0, &result, &err), 0);
	for (size_t i = 0; i < result.output_len; i++)
		seen += result.output[i] == '\n';
	assert_int_equal(seen, given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_a_program_ends_is_told),
		cmocka_unit_test(long_output_is_cut_and_read_to_its_end),
		cmocka_unit_test(what_takes_too_long_is_killed),
		cmocka_unit_test(a_heir_of_the_output_does_not_hold_up),
		cmocka_unit_test(without_a_result_failure_is_an_error),
		cmocka_unit_test(what_cannot_be_started_is_named),
		cmocka_unit_test(signals_are_as_at_birth),
		cmocka_unit_test(no_descriptor_of_ours_is_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

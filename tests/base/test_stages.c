/* tests/base/test_stages - mirrors base/stages and base/crash. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/stages.h"

struct job {
	char trail[64];
	bool fail;
};

static void note(struct job *job, const char *word)
{
	strcat(job->trail, word);
}

static int first(void *job, struct err *err)
{
	(void)err;
	note(job, "1");
	return 0;
}

static int second(void *job, struct err *err)
{
	struct job *mine = job;

	note(mine, "2");
	return mine->fail ? err_set(err, ERR_NO_SPACE, "no room") : 0;
}

static void undo_first(void *job)
{
	note(job, "-1");
}

static void undo_second(void *job)
{
	note(job, "-2");
}

static const struct step table[] = {
	{"make-folder", first,  undo_first },
	{ "check",      NULL,   NULL       },
	{ "fill",       second, undo_second},
	{ NULL,         NULL,   NULL       },
};

static void steps_run_in_order(void **state)
{
	struct job job = { .fail = false };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(stages_run("unit", table, &job, &err), 0);
	assert_string_equal(job.trail, "12");
	stages_undo("unit", table, &job);
	assert_string_equal(job.trail, "12-2-1");
}

static void tell(void *context, const char *area, const char *name)
{
	char *heard = context;

	strcat(heard, area);
	strcat(heard, ":");
	strcat(heard, name);
	strcat(heard, " ");
}

static void each_step_is_told_before_it_runs(void **state)
{
	struct job job = { .fail = true };
	struct err err = ERR_NONE;
	char heard[128] = "";

	(void)state;
	assert_int_equal(stages_run_told("unit", table, &job, tell, heard, &err), -1);
	assert_string_equal(heard, "unit:make-folder unit:check unit:fill "); /* that failed */
	assert_string_equal(job.trail, "12-2-1");
}

static void a_failure_walks_back_with_its_name(void **state)
{
	struct job job = { .fail = true };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(stages_run("unit", table, &job, &err), -1);
	assert_string_equal(job.trail, "12-2-1");
	assert_string_equal(err.msg, "fill: no room");
	assert_int_equal(err.code, ERR_NO_SPACE);
}

static void every_step_can_be_made_to_fail(void **state)
{
	/* clang-format off */
	static const struct { const char *at, *trail; } cases[] = {
		{ "unit:make-folder", "-1" }, { "unit:check", "1-1" }, { "unit:fill", "1-2-1" },
		{ "other:fill", "12" }, { "unit:fil", "12" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct job job = { .fail = false };
		struct err err = ERR_NONE;

		setenv("STACK_FAIL_AT", cases[i].at, 1);
		stages_run("unit", table, &job, &err);
		unsetenv("STACK_FAIL_AT");
		assert_string_equal(job.trail, cases[i].trail);
	}
}

static void every_step_is_a_crash_point(void **state)
{
	static const char *const places[] = { "unit:make-folder", "check", "unit:fill" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			struct job job = { .fail = false };
			struct err err = ERR_NONE;

			setenv("STACK_CRASH_AT", places[i], 1);
			stages_run("unit", table, &job, &err);
			_exit(0);
		}
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

static void a_trace_has_a_line_for_each_step(void **state)
{
	static const char begin[] =
		"{\"name\":\"make-folder\",\"cat\":\"unit\",\"ph\":\"X\",\"ts\":";
	struct job job = { .fail = false };
	struct err err = ERR_NONE;
	char text[1024] = "", number[16];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(number, sizeof(number), "%d", ends[1]);
	setenv("STACK_TRACE", number, 1);
	stages_run("unit", table, &job, &err);
	unsetenv("STACK_TRACE");
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	assert_non_null(strstr(text, "\n{\"name\":\"fill\","));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_run_in_order),
		cmocka_unit_test(each_step_is_told_before_it_runs),
		cmocka_unit_test(a_failure_walks_back_with_its_name),
		cmocka_unit_test(every_step_can_be_made_to_fail),
		cmocka_unit_test(every_step_is_a_crash_point),
		cmocka_unit_test(a_trace_has_a_line_for_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

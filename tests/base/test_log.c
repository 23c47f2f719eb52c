/* tests/base/test_log - mirrors base/log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static void values_with_blanks_are_quoted(void **state)
{
	char out[256];
	size_t len;

	(void)state;
	len = log_format(out, sizeof(out), "container-started",
			 LOG_VALUES(KV_S("service", "web"), KV_I("took_ms", -84),
				    KV_S("error", "no \"such\" file\n"), KV_S("empty", ""),
				    KV_S("null", NULL)));
	assert_string_equal(out, "container-started service=web took_ms=-84 "
				 "error=\"no \\\"such\\\" file \" empty=\"\" null=\"\"\n");
	assert_int_equal(len, strlen(out));
}

static void a_long_line_is_cut_before_its_end(void **state)
{
	char out[32], bytes[100], *value = bytes;
	size_t len;

	(void)state;
	memset(value, 'v', sizeof(bytes));
	value[99] = '\0';
	len = log_format(out, sizeof(out), "e", LOG_VALUES(KV_S("k", value)));
	assert_int_equal(len, 31);
	assert_int_equal(out[30], '\n');
	assert_int_equal(out[31], '\0');
}

static size_t written(void (*act)(void), char *out, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	act();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	n = read(ends[0], out, size - 1);
	close(ends[0]);
	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

static void one_of_each(void)
{
	log_info("started", KV_S("service", "web"));
	log_debug("detail", KV_I("n", 1));
	log_error("failed", KV_S("error", "x"));
}

static void levels_stand_in_front(void **state)
{
	char out[256];

	(void)state;
	unsetenv("STACK_DEBUG");
	written(one_of_each, out, sizeof(out));
	assert_string_equal(out, "<6>started service=web\n<3>failed error=x\n");
	setenv("STACK_DEBUG", "1", 1);
	written(one_of_each, out, sizeof(out));
	unsetenv("STACK_DEBUG");
	assert_string_equal(out, "<6>started service=web\n<7>detail n=1\n<3>failed error=x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_with_blanks_are_quoted),
		cmocka_unit_test(a_long_line_is_cut_before_its_end),
		cmocka_unit_test(levels_stand_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

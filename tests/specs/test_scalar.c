/* tests/specs/test_scalar - mirrors specs/scalar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "specs/scalar.h"

struct row {
	const char *text;
	enum node_kind kind;
	const char *want;
};

/* clang-format off */
static const struct row rows[] = {
	{ "", NODE_NULL, NULL }, { "~", NODE_NULL, NULL }, { "Null", NODE_NULL, NULL },
	{ "nULL", NODE_TEXT, "nULL" }, { "true", NODE_BOOL, "true" }, { "FALSE", NODE_BOOL, "false"
	  },
	{ "tRue", NODE_TEXT, "tRue" }, { "yes", NODE_TEXT, "yes" }, { "on", NODE_TEXT, "on" },
	{ "0", NODE_INT, "0" },           { "-0", NODE_INT, "0" },         { "+7", NODE_INT, "7" },
	{ "012", NODE_INT, "10" }, { "0o17", NODE_INT, "15" }, { "0x1F", NODE_INT, "31" },
	{ "0b11", NODE_INT, "3" }, { "1_000", NODE_INT, "1000" }, { "-0x10", NODE_INT, "-16" },
	{ "08", NODE_FLOAT, "8" }, { "1.50", NODE_FLOAT, "1.5" }, { "1e3", NODE_FLOAT, "1000" },
	{ "1.0", NODE_FLOAT, "1" }, { ".5", NODE_FLOAT, "0.5" }, { "1e21", NODE_FLOAT, "1e+21" },
	{ "1e-5", NODE_FLOAT, "1e-05" }, { "0.0001", NODE_FLOAT, "0.0001" }, { "1e20", NODE_FLOAT,
	  "100000000000000000000" },
	{ "0.1", NODE_FLOAT, "0.1" },     { "-2.25", NODE_FLOAT, "-2.25" },
	{ "18446744073709551615", NODE_INT, "18446744073709551615" },
	{ "18446744073709551616", NODE_FLOAT, "18446744073709552000" },
	{ "1:30", NODE_TEXT, "1:30" }, { "22:22", NODE_TEXT, "22:22" }, { "2024-01-01", NODE_TEXT,
	  "2024-01-01" },
	{ "0x", NODE_TEXT, "0x" },        { "1.2.3", NODE_TEXT, "1.2.3" }, { ".", NODE_TEXT, "." },
	{ "-", NODE_TEXT, "-" }, { "1e", NODE_TEXT, "1e" }, { "1e+", NODE_TEXT, "1e+" },
	{ "12k", NODE_TEXT, "12k" }, { "e3", NODE_TEXT, "e3" }, { "1-2", NODE_TEXT, "1-2" },
	{ "1e999", NODE_TEXT, "1e999" },  { "_1", NODE_TEXT, "_1" },
};
/* clang-format on */

static void plain_scalars_mean_what_the_reference_takes_them_for(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *text = NULL;
		enum node_kind kind =
			scalar_resolve(arena, rows[i].text, strlen(rows[i].text), &text);

		if (kind != rows[i].kind || (rows[i].want && strcmp(text, rows[i].want) != 0))
			fail_msg("\"%s\": kind %d, \"%s\"", rows[i].text, kind, text);
	}
	arena_free(arena);
}

static void booleans_of_yaml_1_1_are_told_from_those_of_1_2(void **state)
{
	bool value = false;

	(void)state;
	assert_int_equal(scalar_bool("TRUE", &value), 1);
	assert_true(value);
	assert_int_equal(scalar_bool("No", &value), 2);
	assert_false(value);
	assert_int_equal(scalar_bool("y", &value), 2);
	assert_true(value);
	assert_int_equal(scalar_bool("maybe", &value), 0);
	assert_int_equal(scalar_bool("", &value), 0);
}

static void numbers_have_limits(void **state)
{
	int64_t whole = 5;
	double value = 5;

	(void)state;
	assert_int_equal(scalar_int("9223372036854775807", &whole), 0);
	assert_true(whole == INT64_MAX);
	assert_int_equal(scalar_int("9223372036854775808", &whole), -1);
	assert_int_equal(scalar_int("1.5", &whole), -1);
	assert_int_equal(scalar_int("-5", &whole), 0);
	assert_true(whole == -5);
	assert_int_equal(scalar_number("x", &value), -1);
	assert_int_equal(scalar_number("2.5", &value), 0);
	assert_true(value > 2.4 && value < 2.6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_mean_what_the_reference_takes_them_for),
		cmocka_unit_test(booleans_of_yaml_1_1_are_told_from_those_of_1_2),
		cmocka_unit_test(numbers_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

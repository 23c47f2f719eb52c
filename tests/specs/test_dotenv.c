/* tests/specs/test_dotenv - mirrors specs/dotenv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "specs/dotenv.h"

struct row {
	const char *text;
	const char *name;
	const char *want; /* NULL: not set */
};

/* clang-format off */
static const struct row rows[] = {
	{ "A=1\nA=2\n", "A", "2" }, { "A = b c  # d\n", "A", "b c" }, { "A=a#b", "A", "a#b" },
	{ "A= #x", "A", "#x" }, { "A=\"\" #x", "A", "" }, { "A='it\\'s'", "A", "it's" },
	{ "A='$F'", "A", "$F" }, { "A=\"$F\"", "A", "first" }, { "A=\"\\$F\"", "A", "$F" },
	{ "A=\"a\\nb\\tc\"", "A", "a\nb\tc" }, { "A=\"\\0101\"", "A", "A" }, { "A=\"\\q\"", "A",
	  "\\q" },
	{ "A=\"l1\nl2\"\nB=2", "B", "2" }, { "A=\"1\" B=2", "B", "2" }, { "export A=x", "A", "x" },
	{ "exported=x", "exported", "x" }, { "A: yaml", "A", "yaml" }, { "F", "F", "first" },
	{ "GONE\n", "GONE", NULL }, { "A=1\nB=$A", "B", "1" }, { "F=own\nB=$F", "B", "first" },
	{ "\xef\xbb\xbf" "A=1\r\nB=2\r\n", "A", "1" }, { "A=a\\tb", "A", "a\\tb" }, { "A=$$x", "A",
	  "$x" },
	{ "A.b-c[0]=x", "A.b-c[0]", "x" }, { "# A=1\n", "A", NULL }, { "A=a=b", "A", "a=b" },
	{ "A=${N:-d}", "A", "d" }, { "\n\n  A=1", "A", "1" }, { "A='m\nn'", "A", "m\nn" },
};
/* clang-format on */

static void statements_set_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct problems problems = { .arena = arena };
		struct vars first = { .arena = arena }, into = { .arena = arena };
		const char *got;
		int status;

		vars_set(&first, "F", "first");
		status = dotenv_parse(&problems, "f", "", rows[i].text, strlen(rows[i].text), 0,
				      &first, &into);
		got = vars_get(&into, rows[i].name);
		if (status != 0 || (got == NULL) != (rows[i].want == NULL) ||
		    (got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %d \"%s\"", rows[i].text, status, got ? got : "(not set)");
		arena_free(arena);
	}
}

static void broken_lines_are_named(void **state)
{
	static const struct {
		const char *text;
		enum problem_kind kind;
		unsigned line;
	} bad[] = {
		{"A=1\nB C=2",      PROBLEM_VALUE,   2},
                { "A=1\n\nB@C=1",   PROBLEM_VALUE,   3},
		{ "A=\"open\nB=1",  PROBLEM_VALUE,   1},
                { "=x",             PROBLEM_VALUE,   1},
		{ "A=${N:?tell}",   PROBLEM_MISSING, 1},
                { "A=${",           PROBLEM_VALUE,   1},
		{ "A='1\n2'\nB C=", PROBLEM_VALUE,   3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct arena *arena = arena_new();
		struct problems problems = { .arena = arena };
		struct vars first = { .arena = arena }, into = { .arena = arena };
		char line[16];

		snprintf(line, sizeof(line), "line %u", bad[i].line);
		assert_int_equal(dotenv_parse(&problems, "f.env", "", bad[i].text,
					      strlen(bad[i].text), 0, &first, &into),
				 -1);
		if (problems.errors[0].kind != bad[i].kind ||
		    problems.errors[0].place.line != bad[i].line ||
		    !strstr(problems.errors[0].message, line))
			fail_msg("%s: %s", bad[i].text, problem_text(arena, &problems.errors[0]));
		arena_free(arena);
	}
}

static void raw_lines_are_taken_as_they_are(void **state)
{
	static const char text[] = "A=\"q\" # n\nB=$F\n# c\nC=\nF\n";
	struct arena *arena = arena_new();
	struct problems problems = { .arena = arena };
	struct vars first = { .arena = arena }, into = { .arena = arena };

	(void)state;
	vars_set(&first, "F", "first");
	assert_int_equal(
		dotenv_parse(&problems, "f", "", text, strlen(text), DOTENV_RAW, &first, &into), 0);
	assert_string_equal(vars_get(&into, "A"), "\"q\" # n");
	assert_string_equal(vars_get(&into, "B"), "$F");
	assert_string_equal(vars_get(&into, "C"), "");
	assert_string_equal(vars_get(&into, "F"), "first");
	arena_free(arena);
}

static void a_nul_byte_is_refused(void **state)
{
	struct arena *arena = arena_new();
	struct problems problems = { .arena = arena };
	struct vars first = { .arena = arena }, into = { .arena = arena };

	(void)state;
	assert_int_equal(dotenv_parse(&problems, "f", "", "A=\0b", 4, 0, &first, &into), -1);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_set_what_the_table_says),
		cmocka_unit_test(broken_lines_are_named),
		cmocka_unit_test(raw_lines_are_taken_as_they_are),
		cmocka_unit_test(a_nul_byte_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/base/test_text - mirrors base/text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void slices_keep_empty_parts(void **state)
{
	/* clang-format off */
	static const struct { const char *text; size_t count; const char *parts[4]; } cases[] = {
		{ "a,,b", 3, { "a", "", "b" } },
		{ "",     1, { "" } },
		{ ",",    2, { "", "" } },
		{ "one",  1, { "one" } },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = SLICE(cases[i].text), part;
		size_t count = 0;

		while (slice_next(&rest, ',', &part))
			assert_true(slice_is(part, cases[i].parts[count++]));
		assert_int_equal(count, cases[i].count);
	}
}

static void a_slice_need_not_end_with_nul(void **state)
{
	static const char bytes[] = { 'a', '=', 'b', '!', '!' };
	struct slice left, right;

	(void)state;
	assert_true(slice_split((struct slice){ bytes, 3 }, '=', &left, &right));
	assert_true(slice_is(left, "a") && slice_is(right, "b"));
	assert_false(slice_split((struct slice){ bytes, 1 }, '=', &left, &right));
	assert_true(slice_is(left, "a") && slice_is(right, ""));
	assert_true(slice_split(SLICE("k=v=w"), '=', &left, &right));
	assert_true(slice_is(right, "v=w"));
}

static void trimming_takes_line_ends_too(void **state)
{
	(void)state;
	assert_true(slice_is(slice_trim(SLICE(" \t x y\r\n")), "x y"));
	assert_true(slice_is(slice_trim(SLICE(" \n ")), ""));
	assert_true(slice_is(slice_trim(SLICE("")), ""));
}

static void starts_and_ends(void **state)
{
	(void)state;
	assert_true(text_starts("compose.yml", "compose"));
	assert_false(text_starts("co", "compose"));
	assert_true(text_ends("compose.yml", ".yml"));
	assert_false(text_ends("yml", ".yml"));
	assert_true(text_ends("x", ""));
}

static void near_misses(void **state)
{
	static const char *const names[] = {
		"environment", "expose", "ports", "up", "image", NULL
	};
	/* clang-format off */
	static const struct { const char *word, *near; } cases[] = {
		{ "enviroment",  "environment" }, /* one letter lost */
		{ "environmnet", "environment" }, /* two swapped count once */
		{ "PORTS",       "ports" },
		{ "port",        "ports" },
		{ "exposed",     "expose" },
		{ "px",          NULL }, /* too short to guess */
		{ "volumes",     NULL },
		{ "",            NULL },
		{ "environmentenvironmentenvironmentenvironmentenvironmentenvironment!", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = text_near_in(cases[i].word, names);

		if (!cases[i].near)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].near);
	}
}

static void nothing_for_the_terminal_passes(void **state)
{
	char text[] = "a\033[31mb\nc\177größe";

	(void)state;
	assert_string_equal(text_plain(text), "a?[31mb?c?größe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_keep_empty_parts),
		cmocka_unit_test(a_slice_need_not_end_with_nul),
		cmocka_unit_test(trimming_takes_line_ends_too),
		cmocka_unit_test(starts_and_ends),
		cmocka_unit_test(near_misses),
		cmocka_unit_test(nothing_for_the_terminal_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

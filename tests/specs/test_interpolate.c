/* tests/specs/test_interpolate - mirrors specs/interpolate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "specs/interpolate.h"

struct row {
	const char *text;
	enum interpolate_result result;
	const char *want; /* the text, or a part of the message */
};

/* clang-format off */
static const struct row rows[] = {
	{ "plain", INTERPOLATE_OK, "plain" },           { "$S ${S}", INTERPOLATE_OK, "s s" },
	{ "${E}|${U}", INTERPOLATE_OK, "|" },           { "$$S $$$S", INTERPOLATE_OK, "$S $s" },
	{ "5$ $1 $-", INTERPOLATE_OK, "5$ $1 $-" },     { "${U:-d}${U-d}", INTERPOLATE_OK, "dd" },
	{ "${E:-d}|${E-d}", INTERPOLATE_OK, "d|" },     { "${S:-d}${S-d}", INTERPOLATE_OK, "ss" },
	{ "${S:+p}${S+p}", INTERPOLATE_OK, "pp" },      { "${E:+p}|${E+p}", INTERPOLATE_OK, "|p" },
	{ "${U:+p}${U+p}", INTERPOLATE_OK, "" }, { "${S:?m}${S?m}${E?m}", INTERPOLATE_OK, "ss" },
	{ "${U:-${E:-${S}}}", INTERPOLATE_OK, "s" }, { "${U:-{\"x\":1}}", INTERPOLATE_OK,
	  "{\"x\":1}" },
	{ "${U:-a}b}", INTERPOLATE_OK, "ab}" },         { "${U:-a:+b}", INTERPOLATE_OK, "a:+b" },
	{ "${D}", INTERPOLATE_OK, "$S" },               { "$(x)", INTERPOLATE_OK, "$(x)" },
	{ "${U:-$$x}", INTERPOLATE_OK, "$x" },          { "$Sx", INTERPOLATE_OK, "" },
	{ "${U:?tell ${S}}", INTERPOLATE_MISSING, "tell s" },
	{ "${E:?}", INTERPOLATE_MISSING, "E" },         { "${U?}", INTERPOLATE_MISSING, "U" },
	{ "${", INTERPOLATE_SYNTAX, "${" },             { "${}", INTERPOLATE_SYNTAX, "${}" },
	{ "${1}", INTERPOLATE_SYNTAX, "${1}" },         { "${V.x}", INTERPOLATE_SYNTAX, "${V.x}" },
	{ "${V:=x}", INTERPOLATE_SYNTAX, "${V:=x}" },   { "${V }", INTERPOLATE_SYNTAX, "${V }" },
	{ "${U:-${V}", INTERPOLATE_SYNTAX, "form" },    { "${V:}", INTERPOLATE_SYNTAX, "form" },
};
/* clang-format on */

static void every_form_gives_what_the_table_says(void **state)
{
	struct arena *arena = arena_new();
	struct vars vars = { .arena = arena };
	struct interpolation how = { .arena = arena, .vars = &vars };

	(void)state;
	vars_set(&vars, "S", "s");
	vars_set(&vars, "E", "");
	vars_set(&vars, "D", "$S");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *out = "", *message = "";
		enum interpolate_result result =
			interpolate_text(&how, rows[i].text, &out, &message);
		bool fits = result == INTERPOLATE_OK ? strcmp(out, rows[i].want) == 0
						     : strstr(message, rows[i].want) != NULL;

		if (result != rows[i].result || !fits)
			fail_msg("%s: %d \"%s\" (%s)", rows[i].text, result, out, message);
	}
	arena_free(arena);
}

static void layers_are_asked_from_the_top(void **state)
{
	struct arena *arena = arena_new();
	struct vars below = { .arena = arena }, top = { .arena = arena, .below = &below };
	static const char *const env[] = { "B=env", "C=x=y", "BROKEN", "=z", NULL };

	(void)state;
	vars_set(&below, "A", "below");
	vars_set(&below, "B", "below");
	vars_set(&top, "B", "");
	vars_add_env(&top, env);
	assert_string_equal(vars_get(&top, "A"), "below");
	assert_string_equal(vars_get(&top, "B"), "");
	assert_string_equal(vars_get(&top, "C"), "x=y");
	assert_null(vars_get(&top, "BROKEN"));
	assert_null(vars_get(&top, ""));
	vars_set_default(&top, "B", "no");
	assert_string_equal(vars_get(&top, "B"), "");
	arena_free(arena);
}

static void nesting_and_growth_have_limits(void **state)
{
	struct arena *arena = arena_new();
	struct vars vars = { .arena = arena };
	struct interpolation how = { .arena = arena, .vars = &vars };
	char deep[512] = "", large[8192] = "";
	char *megabyte = arena_alloc(arena, (1 << 20) + 1);
	const char *out, *message = "";

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(deep, "${A:-");
	for (int i = 0; i < 60; i++)
		strcat(deep, "}");
	assert_int_equal(interpolate_text(&how, deep, &out, &message), INTERPOLATE_SYNTAX);
	assert_non_null(strstr(message, "deep"));
	memset(megabyte, 'x', 1 << 20);
	vars_set(&vars, "M", megabyte);
	for (int i = 0; i < 1000; i++)
		strcat(large, "$M ");
	assert_int_equal(interpolate_text(&how, large, &out, &message), INTERPOLATE_LARGE);
	arena_free(arena);
}

static void names_are_listed_once_and_sorted(void **state)
{
	struct arena *arena = arena_new();
	struct variable_list list = { .arena = arena };
	const struct variable *variables;

	(void)state;
	interpolate_list(&list, node_new_text(arena, (struct place){ 0 },
					      "$Z ${A:-${M:-m}} ${R:?why} ${P:+yes} $$NOT ${A}"));
	interpolate_sort(&list);
	variables = list.items;
	assert_int_equal(list.count, 5);
	assert_string_equal(variables[0].name, "A");
	assert_string_equal(variables[0].default_value, "${M:-m}");
	assert_string_equal(variables[1].name, "M");
	assert_string_equal(variables[2].presence_value, "yes");
	assert_true(variables[3].required);
	assert_string_equal(variables[4].name, "Z");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_what_the_table_says),
		cmocka_unit_test(layers_are_asked_from_the_top),
		cmocka_unit_test(nesting_and_growth_have_limits),
		cmocka_unit_test(names_are_listed_once_and_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

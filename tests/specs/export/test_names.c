/* tests/specs/export/test_names - names that a cluster takes, hostile ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "specs/export/names.h"

static void names_become_labels(void **state)
{
	static const struct {
		const char *text, *label;
	} rows[] = {
		{"web",        "web"      },
                { "My_App.v2", "my-app-v2"},
                { "--a--b--",  "a-b"      },
		{ "7zip",      "n7zip"    },
                { "a\nb: c",   "a-b-c"    },
                { "../../etc", "etc"      },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(name_label(arena, rows[i].text, 63), rows[i].label);
	arena_free(arena);
}

static void every_text_has_a_valid_label(void **state)
{
	static const char *const texts[] = {
		"",
		"-",
		"_",
		"...",
		"\xff\xfe",
		"\xc3\xa9",
		"a-",
		"-a",
		"0",
		"A",
		"$(x)",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"a",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_____________________________________b",
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t max = 16; max <= 63; max += 47)
			assert_true(name_is_label(name_label(arena, texts[i], max), max));
	arena_free(arena);
}

static void two_things_never_get_one_name(void **state)
{
	struct arena *arena = arena_new();
	struct name_book *names = name_book_new(arena);
	const char *first = name_book_give(names, "service", "a-b", "a-b", 63);
	const char *second = name_book_give(names, "service", "a_b", "a_b", 63);
	const char *third = name_book_give(names, "service", "A.B", "A.B", 63);

	(void)state;
	assert_string_equal(first, "a-b");
	assert_true(name_is_label(second, 63) && name_is_label(third, 63));
	assert_string_not_equal(second, first);
	assert_string_not_equal(third, first);
	assert_string_not_equal(third, second);
	assert_string_equal(name_book_give(names, "service", "a_b", "a_b", 63), second);
	assert_string_equal(name_book_give(names, "claim", "a_b", "a_b", 63), "a-b");
	assert_true(name_book_has(names, "service", "a_b"));
	assert_false(name_book_has(names, "service", "c"));
	assert_false(name_book_claim(names, "service", "other", "a-b"));
	assert_true(name_book_claim(names, "service", "a-b", "a-b"));
	name_book_free(names);
	arena_free(arena);
}

static void keys_of_annotations_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
	} rows[] = {
		{"a",		       true },
		{ "traefik.http.routers.x", true },
		{ "example.com/owner",      true },
		{ "Example.com/owner",      false},
		{ "a/b/c",                  false},
		{ "/b",                     false},
		{ "a b",                    false},
		{ "",		       false},
		{ "-a",                     false},
		{ "a..b/c",                 false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(name_is_annotation(rows[i].text), rows[i].is_one);
}

static void variables_are_told_apart(void **state)
{
	(void)state;
	assert_true(name_is_variable("PATH"));
	assert_true(name_is_variable("a.b-c_1"));
	assert_false(name_is_variable("1A"));
	assert_false(name_is_variable(""));
	assert_false(name_is_variable("A B"));
	assert_false(name_is_variable(".."));
	assert_false(name_is_variable("..x"));
}

static void keys_of_files_are_plain(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(name_key(arena, "nginx.conf"), "nginx.conf");
	assert_string_equal(name_key(arena, "a b/c"), "a_b_c");
	assert_string_equal(name_key(arena, ".."), "_.");
	assert_string_equal(name_key(arena, ""), "file");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_labels),
		cmocka_unit_test(every_text_has_a_valid_label),
		cmocka_unit_test(two_things_never_get_one_name),
		cmocka_unit_test(keys_of_annotations_are_told_apart),
		cmocka_unit_test(variables_are_told_apart),
		cmocka_unit_test(keys_of_files_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

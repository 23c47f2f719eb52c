/* tests/images/dockerfile/test_ignore - mirrors images/dockerfile/ignore. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "images/dockerfile/ignore.h"

struct row {
	const char *list, *path;
	bool excluded;
	unsigned line; /* that decided */
};

/* clang-format off */
static const struct row rows[] = {
	{ "", "a", false, 0 },                    { "a", "a", true, 1 },
	{ "a", "b", false, 0 },                   { "a", "a/b/c", true, 1 },
	{ "a", "b/a", false, 0 },                 { "a", "ab", false, 0 },
	{ "a/b", "a/b", true, 1 },                { "a/b", "a", false, 0 },
	{ "a/b", "a/c", false, 0 },               { "/a", "a", true, 1 },
	{ "//a", "a", true, 1 },                  { "a/", "a", true, 1 },
	{ "./a", "a", true, 1 },                  { "a/../b", "b", true, 1 },
	{ "../a", "a", true, 1 },                 { "a//b", "a/b", true, 1 },
	{ ".", "a", false, 0 },                   { "/", "a", false, 0 },
	{ "# a\na", "a", true, 2 },               { "#a", "#a", false, 0 },
	{ " #a", "#a", true, 1 },                 { "\\#a", "#a", true, 1 },
	{ "  a  ", "a", true, 1 },                { "\n\na", "a", true, 3 },
	{ "a\r\nb\r\n", "b", true, 2 },           { "\xef\xbb\xbf" "a", "a", true, 1 },
	{ "*", "a", true, 1 },                    { "*", "a/b", true, 1 },
	{ "*.o", "a.o", true, 1 },                { "*.o", "d/a.o", false, 0 },
	{ "*.o", ".o", true, 1 },                 { "*/*.o", "d/a.o", true, 1 },
	{ "*/*.o", "a.o", false, 0 },             { "*/*/x", "a/b/x", true, 1 },
	{ "a*", "abc", true, 1 },                 { "a*c", "abbc", true, 1 },
	{ "a*c", "ab/c", false, 0 },              { "a?", "ab", true, 1 },
	{ "a?", "a", false, 0 },                  { "a?b", "a/b", false, 0 },
	{ "[a-c]", "b", true, 1 },                { "[a-c]", "d", false, 0 },
	{ "[^a-c]", "d", true, 1 },               { "[^a-c]", "b", false, 0 },
	{ "[ab]*", "bx", true, 1 },               { "x[^a]y", "x/y", false, 0 },
	{ "[]]", "]", true, 1 },                  { "[\\]]x", "]x", true, 1 },
	{ "\\*", "*", true, 1 },                  { "\\*", "a", false, 0 },
	{ "**", "a", true, 1 },                   { "**", "a/b/c", true, 1 },
	{ "**/x", "x", true, 1 },                 { "**/x", "a/x", true, 1 },
	{ "**/x", "a/b/x", true, 1 },             { "**/x", "ax", false, 0 },
	{ "**/x", "a/x/y", true, 1 },             { "a/**", "a/b", true, 1 },
	{ "a/**", "a", false, 0 },                { "a/**", "b/a", false, 0 },
	{ "a/**/b", "a/b", true, 1 },             { "a/**/b", "a/x/y/b", true, 1 },
	{ "a/**/b", "a/xb", false, 0 },           { "**/*.go", "a/b/c.go", true, 1 },
	{ "**/*.go", "c.go", true, 1 },           { "**/a/**/b", "x/a/y/b", true, 1 },
	{ "**x", "a/x", true, 1 },                { "**x", "ax", false, 0 },
	{ "*\n!a", "a", false, 2 },               { "*\n!a", "b", true, 1 },
	{ "*\n!a", "a/b", false, 2 },             { "a\n!a/b", "a/b", false, 2 },
	{ "a\n!a/b", "a/c", true, 1 },            { "a\n!a/b\na/b/c", "a/b/c", true, 3 },
	{ "!a\na", "a", true, 2 },                { "! a", "a", false, 1 },
	{ "*.md\n!README*.md\nREADME-x.md", "README-x.md", true, 3 },
	{ "*.md\n!README*.md\nREADME-x.md", "README.md", false, 2 },
	{ "*.md\nREADME-x.md\n!README*.md", "README-x.md", false, 3 },
	{ "**\n!src/**/*.c", "src/a/b.c", false, 2 }, { "**\n!src/**/*.c", "src/a/b.h", true, 1 },
	{ "node_modules", "node_modules/a/b", true, 1 }, { "node_modules", "x/node_modules", false, 0 },
	{ "A", "a", false, 0 },                   { "a b", "a b", true, 1 },
	{ "\xc3\xa4", "\xc3\xa4", true, 1 },      { ".*", ".git", true, 1 },
	{ ".*", "a/.git", false, 0 },             { "a.b", "axb", false, 0 },
};

static const struct {
	const char *list, *path;
	bool skips;
} trees[] = {
	{ "a", "a", true },                 { "a", "b", false },
	{ "*\n!a/b", "a", false },          { "*\n!a/b", "c", true },
	{ "*\n!a/b", "a/c", true },         { "*\n!a/b", "a/b", false },
	{ "!a/b\na", "a", true },           { "*\n!**/x", "a", false },
	{ "*\n!*/x", "a", false },          { "*\n!*/x", "a/b", true },
	{ "*\n!*.c", "a", true },           { "*\n!a*", "b", true },
	{ "a/**", "a", false },             { "a/**", "a/b", true },
};
/* clang-format on */

static struct df_ignore *list_of(struct arena *arena, const char *text)
{
	struct df_ignore *ignore = NULL;
	struct err err = ERR_NONE;

	if (df_ignore_parse(arena, "I", SLICE(text), &ignore, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return ignore;
}

static void every_path_is_judged_by_the_last_match(void **state)
{
	(void)state;
	assert_true(sizeof(rows) / sizeof(*rows) >= 60);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		unsigned line = 99;
		bool excluded =
			df_ignore_excludes(list_of(arena, rows[i].list), rows[i].path, &line);

		if (excluded != rows[i].excluded || line != rows[i].line)
			fail_msg("\"%s\" on %s: %d by line %u", rows[i].list, rows[i].path,
				 excluded, line);
	}
}

static void folders_are_skipped_only_when_nothing_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		AUTO(arena) struct arena *arena = arena_new();

		if (df_ignore_excludes_tree(list_of(arena, trees[i].list), trees[i].path) !=
		    trees[i].skips)
			fail_msg("\"%s\" on %s", trees[i].list, trees[i].path);
	}
}

static void wrong_patterns_are_refused_with_their_line(void **state)
{
	static const char *const wrong[][2] = {
		{"a\n!\n",   "I:2: \"!\" without"       },
		{ "a\n\n[a", "I:3: \"[a\" is no pattern"},
		{ "a\\",     "I:1: "                    },
		{ "[]",      "I:1: "                    }
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct df_ignore *ignore;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err = ERR_NONE;

		assert_int_equal(df_ignore_parse(arena, "I", SLICE(wrong[i][0]), &ignore, &err),
				 -1);
		if (!strstr(err.msg, wrong[i][1]))
			fail_msg("%s", err.msg);
	}
	assert_false(df_ignore_excludes(NULL, "a", NULL));
	assert_false(df_ignore_excludes_tree(NULL, "a"));
}

static void many_stars_take_no_longer(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	char text[400] = "", path[2001];

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(text, i % 2 ? "*a*a" : "**/a");
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	path[700] = path[1400] = '/';
	assert_false(df_ignore_excludes(list_of(arena, strcat(text, "b")), path, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_is_judged_by_the_last_match),
		cmocka_unit_test(folders_are_skipped_only_when_nothing_comes_back),
		cmocka_unit_test(wrong_patterns_are_refused_with_their_line),
		cmocka_unit_test(many_stars_take_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/images/dockerfile/test_expand - mirrors images/dockerfile/expand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "images/dockerfile/expand.h"

struct row {
	const char *text, *want; /* "!message": an error with it */
};

/* S=s E="" U unset F=a/b/c.tar.gz D="$S" W="one two"  P="a*b" */
/* clang-format off */
static const struct row rows[] = {
	/* plain and quotes */
	{ "", "" },                       { "plain", "plain" },             { "a b", "a b" },
	{ "'a b'", "a b" },               { "\"a b\"", "a b" },             { "a'b'c", "abc" },
	{ "a\"b\"c", "abc" },             { "''", "" },                     { "\"\"", "" },
	{ "'$S'", "$S" },                 { "\"$S\"", "s" },                { "'a\"b'", "a\"b" },
	{ "\"a'b\"", "a'b" },             { "\\'", "'" },                   { "\\\"", "\"" },
	{ "\\\\", "\\" },                 { "\\n", "n" },                   { "\\$S", "$S" },
	{ "\\${S}", "${S}" },             { "'\\'", "\\" },                 { "\"\\n\"", "\\n" },
	{ "\"\\\"\"", "\"" },             { "\"\\$S\"", "$S" },             { "\"\\\\\"", "\\" },
	{ "a\\", "a" },                   { "a\\ b", "a b" },               { "'a", "!single quote" },
	{ "\"a", "!double quote" },       { "a'b\"c'd", "ab\"cd" },         { "\\\\$S", "\\s" },
	/* names */
	{ "$S", "s" },                    { "${S}", "s" },                  { "$S$S", "ss" },
	{ "${S}x", "sx" },                { "$Sx", "" },                    { "$S-x", "s-x" },
	{ "$S/x", "s/x" },                { "$U", "" },                     { "${U}", "" },
	{ "$E", "" },                     { "a${E}b", "ab" },               { "$D", "$S" },
	{ "$", "$" },                     { "a$", "a$" },                   { "$ a", "$ a" },
	{ "$/", "$/" },                   { "$.x", "$.x" },                 { "$1", "" },
	{ "$12x", "x" },                  { "$$", "" },                     { "$@", "" },
	{ "${1}", "" },                   { "$W", "one two" },              { "\"$W\"", "one two" },
	{ "$(x)", "$(x)" },               { "$_U", "" },                    { "${S}${S}", "ss" },
	{ "${", "!no closing }" },        { "${}", "!a name is missing" },  { "${S", "!no closing }" },
	{ "${ S}", "!a name is missing" }, { "${S }", "!no form" },         { "${S.x}", "!no form" },
	{ "${:x}", "!a name is missing" }, { "${S:x}", "!no form" },        { "${S:", "!no form" },
	{ "${S:}", "!no form" },          { "${S:=x}", "!no form" },        { "${S:#x}", "!no form" },
	/* defaults */
	{ "${U:-d}", "d" },               { "${U-d}", "d" },                { "${E:-d}", "d" },
	{ "${E-d}", "" },                 { "${S:-d}", "s" },               { "${S-d}", "s" },
	{ "${U:-}", "" },                 { "${U:-$S}", "s" },              { "${U:-${S}}", "s" },
	{ "${U:-${U:-${S}}}", "s" },      { "${U:-'a b'}", "a b" },         { "${U:-\"a}b\"}", "a}b" },
	{ "${U:-a\\}b}", "a}b" },         { "${U:-a b}", "a b" },           { "${U:-a:b}", "a:b" },
	{ "${U:-a/b}", "a/b" },           { "\"${U:-a b}\"", "a b" },       { "${U:-d", "!no closing }" },
	{ "${U:-${S}", "!no closing }" }, { "${U:-'a}", "!single quote" },  { "${U:-a}}", "a}" },
	{ "${S:+p}", "p" },               { "${S+p}", "p" },                { "${E:+p}", "" },
	{ "${E+p}", "p" },                { "${U:+p}", "" },                { "${U+p}", "" },
	{ "${S:+$W}", "one two" },        { "${S:+${S}x}", "sx" },          { "x${U:+p}y", "xy" },
	{ "${S:?m}", "s" },               { "${S?m}", "s" },                { "${E?m}", "" },
	{ "${E:?m}", "!E: m" },           { "${U:?m}", "!U: m" },           { "${U?m}", "!U: m" },
	{ "${U:?}", "!U: is not allowed to be unset" },
	{ "${E:?}", "!E: is not allowed to be empty" },
	{ "${U:?want $S}", "!U: want s" },
	/* patterns */
	{ "${F#*/}", "b/c.tar.gz" },      { "${F##*/}", "c.tar.gz" },       { "${F%.*}", "a/b/c.tar" },
	{ "${F%%.*}", "a/b/c" },          { "${F#x}", "a/b/c.tar.gz" },     { "${F%x}", "a/b/c.tar.gz" },
	{ "${F#a}", "/b/c.tar.gz" },      { "${F%gz}", "a/b/c.tar." },      { "${F#?}", "/b/c.tar.gz" },
	{ "${F%??}", "a/b/c.tar." },      { "${F##*}", "" },                { "${F%%*}", "" },
	{ "${F#*}", "a/b/c.tar.gz" },     { "${P#a\\*}", "b" },             { "${P%\\*b}", "a" },
	{ "${P#a\\?}", "a*b" },           { "${U#x}", "" },                 { "${F%.${U:-gz}}", "a/b/c.tar" },
	{ "${F#}", "a/b/c.tar.gz" },      { "${F/b/x}", "a/x/c.tar.gz" },   { "${F/\\//-}", "a-b/c.tar.gz" },
	{ "${F//\\//-}", "a-b-c.tar.gz" }, { "${F//./}", "a/b/ctargz" },    { "${F/z/}", "a/b/c.tar.g" },
	{ "${F/q/x}", "a/b/c.tar.gz" },   { "${F/*/x}", "x" },              { "${F//?/x}", "xxxxxxxxxxxx" },
	{ "${F/a/$S}", "s/b/c.tar.gz" },  { "${F/a/}", "/b/c.tar.gz" },     { "${W/ /_}", "one_two" },
	{ "${P/\\*/+}", "a+b" },          { "${F/a}", "!no closing /" },    { "${F/a/b", "!no closing }" },
	{ "${E//a/b}", "" },              { "${F//[/x}", "a/b/c.tar.gz" },
};
/* clang-format on */

static const char *lookup(void *context, const char *name)
{
	static const char *const values[][2] = {
		{"S",  "s"           },
                { "E", ""            },
                { "D", "$S"          },
		{ "W", "one two"     },
                { "P", "a*b"         },
                { "F", "a/b/c.tar.gz"}
	};

	(void)context;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (strcmp(values[i][0], name) == 0)
			return values[i][1];
	return NULL;
}

static void note_unset(void *context, const char *name)
{
	strcat(strcat(context, name), ";");
}

static void every_form_gives_what_the_table_says(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_expansion how = { .arena = arena, .escape = '\\', .lookup = lookup };

	(void)state;
	assert_true(sizeof(rows) / sizeof(*rows) >= 120);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].text);
		char *text = malloc(len ? len : 1); /* no NUL behind it */
		struct err err = ERR_NONE;
		const char *got = "";
		int result;

		memcpy(text, rows[i].text, len);
		result = df_expand(&how, (struct slice){ text, len }, &got, NULL, &err);
		free(text);
		if (rows[i].want[0] == '!' ? result == 0 || !strstr(err.msg, rows[i].want + 1)
					   : result < 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\" (%s), want \"%s\"", rows[i].text, got, err.msg,
				 rows[i].want);
	}
}

static void another_escape_byte_leaves_the_backslash_alone(void **state)
{
	static const struct row ticks[] = {
		{"a\\b",       "a\\b" },
                { "`$S",       "$S"   },
                { "C:\\$S",    "C:\\s"},
		{ "``",        "`"    },
                { "\"`\"\\\"", "\"\\" },
                { "a`",        "a"    }
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct df_expansion how = { .arena = arena, .escape = '`', .lookup = lookup };

	(void)state;
	for (size_t i = 0; i < sizeof(ticks) / sizeof(*ticks); i++) {
		struct err err = ERR_NONE;
		const char *got = "";

		assert_int_equal(df_expand(&how, SLICE(ticks[i].text), &got, NULL, &err), 0);
		assert_string_equal(got, ticks[i].want);
	}
}

static void texts_of_heredocs_keep_their_quotes(void **state)
{
	static const struct row texts[] = {
		{"'$S' \"$S\"",    "'s' \"s\""},
		{ "\\$S \\\\ \\n", "$S \\ \\n"},
		{ "it's",          "it's"     },
		{ "a\\",           "a\\"      }
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct df_expansion how = {
		.arena = arena, .escape = '\\', .flags = DF_EXPAND_KEEP_QUOTES, .lookup = lookup
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err err = ERR_NONE;
		const char *got = "";

		assert_int_equal(df_expand(&how, SLICE(texts[i].text), &got, NULL, &err), 0);
		assert_string_equal(got, texts[i].want);
	}
}

static void words_part_at_blanks_outside_of_quotes(void **state)
{
	static const struct row splits[] = {
		{"a b",        "a|b|"      },
                { "  a  ",     "a|"        },
		{ "$W x",      "one|two|x|"},
                { "\"$W\" x",  "one two|x|"},
		{ "'' a",      "|a|"       },
                { "$U $E",     ""          },
		{ "a\\ b",     "a b|"      },
                { "${U:-1 2}", "1|2|"      },
		{ "x$W",       "xone|two|" },
                { "\"\"",      "|"         },
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct df_expansion how = { .arena = arena, .escape = '\\', .lookup = lookup };

	(void)state;
	for (size_t i = 0; i < sizeof(splits) / sizeof(*splits); i++) {
		struct err err = ERR_NONE;
		const char **words = NULL;
		size_t count = 0;
		char got[64] = "";

		assert_int_equal(
			df_expand_words(&how, SLICE(splits[i].text), &words, &count, NULL, &err),
			0);
		for (size_t j = 0; j < count; j++)
			strcat(strcat(got, words[j]), "|");
		assert_string_equal(got, splits[i].want);
	}
}

static void unset_names_are_told_and_errors_have_an_offset(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	char names[64] = "";
	struct df_expansion how = { .arena = arena,
				    .escape = '\\',
				    .lookup = lookup,
				    .unset = note_unset,
				    .context = names };
	struct err err = ERR_NONE;
	const char *got;
	size_t offset;

	(void)state;
	assert_int_equal(
		df_expand(&how, SLICE("$U ${V} ${U:-x} ${E} '$Q' ${U+y}"), &got, NULL, &err), 0);
	assert_string_equal(names, "U;V;");
	assert_int_equal(df_expand(&how, SLICE("ab ${S:x}"), &got, &offset, &err), -1);
	assert_int_equal(offset, 3);
	assert_int_equal(df_expand(&how, SLICE("ab 'c"), &got, &offset, &err), -1);
	assert_int_equal(offset, 3);
}

static void deep_and_large_texts_end(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_expansion how = { .arena = arena, .escape = '\\', .lookup = lookup };
	struct err err = ERR_NONE;
	const char *got;
	char deep[4096] = "";
	size_t len = (size_t)2 << 20;
	AUTO(free) char *large = malloc(len);

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(deep, "${U:-");
	for (int i = 0; i < 40; i++)
		strcat(deep, "}");
	assert_int_equal(df_expand(&how, SLICE(deep), &got, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "too deep"));
	memset(large, 'a', len);
	assert_int_equal(df_expand(&how, (struct slice){ large, len }, &got, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "too large"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_what_the_table_says),
		cmocka_unit_test(another_escape_byte_leaves_the_backslash_alone),
		cmocka_unit_test(texts_of_heredocs_keep_their_quotes),
		cmocka_unit_test(words_part_at_blanks_outside_of_quotes),
		cmocka_unit_test(unset_names_are_told_and_errors_have_an_offset),
		cmocka_unit_test(deep_and_large_texts_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

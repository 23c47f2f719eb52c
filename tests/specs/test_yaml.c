/* tests/specs/test_yaml - mirrors specs/yaml: positions, aliases, merge keys, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "specs/yaml.h"

struct parse {
	struct arena *arena;
	struct problems problems;
	struct documents documents;
	int status;
};

static struct parse parse(const char *text)
{
	struct parse parse = { .arena = arena_new() };

	parse.problems.arena = parse.arena;
	parse.status = yaml_parse(parse.arena, "f.yml", text, strlen(text), &parse.problems,
				  &parse.documents);
	return parse;
}

static void every_node_knows_its_place(void **state)
{
	struct parse p = parse("a:\n  - x\n  -   b: 1\n");
	const struct node *list = node_get(p.documents.items[0], "a");
	struct place place = node_place_of(p.documents.items[0], "a[1].b");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_int_equal(list->members[0].value->place.line, 2);
	assert_int_equal(list->members[0].value->place.column, 5);
	assert_int_equal(place.line, 3);
	assert_int_equal(place.column, 7);
	assert_string_equal(place.file, "f.yml");
	place = node_place_of(p.documents.items[0], "a[1].gone.deeper");
	assert_int_equal(place.line, 3);
	arena_free(p.arena);
}

static void aliases_and_merge_keys_are_resolved(void **state)
{
	struct parse p = parse("x: &x {a: 1, b: 2}\ny: {b: 9, c: 3}\n"
			       "m: {<<: [*x, {a: 7, d: 4}], b: 5}\nn: *x\n");
	const struct node *m = node_get(p.documents.items[0], "m");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_string_equal(node_get_text(m, "a"), "1");
	assert_string_equal(node_get_text(m, "b"), "5");
	assert_string_equal(node_get_text(m, "d"), "4");
	assert_int_equal(m->count, 3);
	assert_true(node_equal(node_get(p.documents.items[0], "n"),
			       node_get(p.documents.items[0], "x")));
	/* a copy: changing one leaves the other */
	node_remove(node_get(p.documents.items[0], "n"), "a");
	assert_non_null(node_get(node_get(p.documents.items[0], "x"), "a"));
	arena_free(p.arena);
}

static void documents_tags_and_marks_are_read(void **state)
{
	struct parse p = parse("\xef\xbb\xbf"
			       "a: !reset 1\r\n---\r\n---\r\nb: !override [x]\r\nc: !!str 12\r\n");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_int_equal(p.documents.count, 3);
	assert_int_equal(node_get(p.documents.items[0], "a")->tag, TAG_RESET);
	assert_null(p.documents.items[1]);
	assert_int_equal(node_get(p.documents.items[2], "b")->tag, TAG_OVERRIDE);
	assert_int_equal(node_get(p.documents.items[2], "c")->kind, NODE_TEXT);
	arena_free(p.arena);
}

static void broken_files_say_where(void **state)
{
	static const struct {
		const char *text;
		enum problem_kind kind;
		unsigned line;
		const char *mention;
	} rows[] = {
		{"a: 1\nb: 2\na: 3\n", PROBLEM_SYNTAX, 3, "line 1"},
		{ "a:\n\tb: 1\n",      PROBLEM_SYNTAX, 2, "line 2"},
		{ "a: *gone\n",        PROBLEM_SYNTAX, 1, "gone"  },
		{ "a: &a [*a]\n",      PROBLEM_CYCLE,  1, "anchor"},
		{ "1: x\n",            PROBLEM_TYPE,   1, "1"     },
		{ "a: [1, 2\n",        PROBLEM_SYNTAX, 2, "line"  },
		{ "a: {<<: 3}\n",      PROBLEM_TYPE,   1, "<<"    },
		{ "[a]: x\n",          PROBLEM_TYPE,   1, "key"   },
		{ "a: \"\\0\"\n",      PROBLEM_SYNTAX, 1, "NUL"   },
		{ "a: \xff\n",         PROBLEM_SYNTAX, 1, "UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parse p = parse(rows[i].text);
		const struct problem *first = &p.problems.errors[0];

		assert_int_equal(p.status, -1);
		if (first->kind != rows[i].kind || first->place.line != rows[i].line ||
		    !strstr(first->message, rows[i].mention))
			fail_msg("%s: %s", rows[i].text, problem_text(p.arena, first));
		arena_free(p.arena);
	}
}

static void doubled_keys_are_found_in_large_maps(void **state)
{
	char text[4096] = "", line[32];
	struct parse p;

	(void)state;
	for (int i = 0; i < 60; i++) {
		snprintf(line, sizeof(line), "key%d: 1\n", i == 59 ? 7 : i);
		strcat(text, line);
	}
	p = parse(text);
	assert_int_equal(p.status, -1);
	assert_int_equal(p.problems.errors[0].place.line, 60);
	assert_non_null(strstr(p.problems.errors[0].message, "line 8"));
	arena_free(p.arena);
}

static void alias_bombs_end_early_and_small(void **state)
{
	char text[2048] = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n", line[128];
	struct parse p;

	(void)state;
	for (int i = 1; i < 12; i++) {
		snprintf(line, sizeof(line),
			 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	p = parse(text);
	assert_int_equal(p.status, -1);
	assert_int_equal(p.problems.errors[0].kind, PROBLEM_LIMIT);
	assert_true(arena_bytes(p.arena) < 128u << 20);
	arena_free(p.arena);
}

static void deep_files_are_refused(void **state)
{
	char *text = xcalloc(20001, 1);
	struct parse p;

	(void)state;
	memset(text, '[', 10000);
	memset(text + 10000, ']', 10000);
	p = parse(text);
	assert_int_equal(p.status, -1);
	assert_int_equal(p.problems.errors[0].kind, PROBLEM_LIMIT);
	arena_free(p.arena);
	free(text);
}

static void chained_aliases_cannot_go_deeper(void **state)
{
	char *text = xcalloc(200000, 1), *at = text;
	struct parse p;

	(void)state;
	at += sprintf(at, "a0: &a0 x\n");
	for (int i = 1; i < 300; i++)
		at += sprintf(at, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	p = parse(text);
	assert_int_equal(p.status, -1);
	assert_int_equal(p.problems.errors[0].kind, PROBLEM_LIMIT);
	arena_free(p.arena);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_node_knows_its_place),
		cmocka_unit_test(aliases_and_merge_keys_are_resolved),
		cmocka_unit_test(documents_tags_and_marks_are_read),
		cmocka_unit_test(broken_files_say_where),
		cmocka_unit_test(doubled_keys_are_found_in_large_maps),
		cmocka_unit_test(alias_bombs_end_early_and_small),
		cmocka_unit_test(deep_files_are_refused),
		cmocka_unit_test(chained_aliases_cannot_go_deeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

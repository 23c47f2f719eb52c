/* tests/base/test_json - mirrors base/json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/base/folder.h"

static struct json_object *parse(const char *text, struct err *err)
{
	*err = ERR_NONE;
	return json_parse("t", text, strlen(text), err);
}

static void whole_values_are_taken(void **state)
{
	static const char *const good[] = { "{}",   " [1,2] \n", "\"x\"",        "true", "12",
					    "-3.5", "12 ",       "{\"a\":null}", "0" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		AUTO(json) struct json_object *value = parse(good[i], &err);

		if (!value)
			fail_msg("%s: %s", good[i], err.msg);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = { "",         " ",       "{",        "{} x",
					   "[1,]",     "nul",     "{'a':1}",  "01",
					   "\"\xff\"", "[1] [2]", "{\"a\":}", "null" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(json) struct json_object *value = parse(bad[i], &err);

		if (value)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
		assert_memory_equal(err.msg, "t: ", 3);
	}
}

static void nul_and_depth_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{"{}\0",               3 },
                { "{\0}",              3 },
                { "{\"a\\u0000b\":1}", 14}
	};
	struct err err = ERR_NONE;
	char deep[300];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(json)
		struct json_object *value = json_parse("t", cases[i].text, cases[i].len, &err);

		if (value)
			fail_msg("case %zu was taken", i);
	}
	memset(deep, '[', 150);
	memset(deep + 150, ']', 150);
	assert_null(json_parse("t", deep, 300, &err));
	assert_int_equal(err.code, ERR_INVALID);
}

static void reads_have_defaults(void **state)
{
	struct err err;
	AUTO(json)
	struct json_object *o =
		parse("{\"s\":\"x\",\"n\":7,\"b\":true,\"o\":{},\"a\":[1,2],\"z\":null}", &err);
	int64_t number = 5;
	const char *text = "kept";

	(void)state;
	assert_string_equal(json_text_or(o, "s", "d"), "x");
	assert_string_equal(json_text_or(o, "n", "d"), "d");
	assert_string_equal(json_text_or(NULL, "n", "d"), "d");
	assert_int_equal(json_int_or(o, "n", 1), 7);
	assert_int_equal(json_int_or(o, "z", 1), 1);
	assert_true(json_bool_or(o, "b", false));
	assert_non_null(json_object_at(o, "o"));
	assert_null(json_object_at(o, "a"));
	assert_int_equal(json_array_count(json_array_at(o, "a")), 2);
	assert_int_equal(json_array_count(json_array_at(o, "nope")), 0);
	assert_int_equal(json_array_count(json_object_at(o, "o")), 0);
	assert_int_equal(json_need_int(o, "f", "s", &number, &err), -1);
	assert_string_equal(err.msg, "f: s: must be a int");
	assert_int_equal(json_need_text(o, "f", "q", &text, &err), -1);
	assert_string_equal(err.msg, "f: q: is missing");
	assert_int_equal(number, 5);
	assert_string_equal(text, "kept");
}

static void files_there_and_back(void **state)
{
	struct folder folder = folder_make();
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *o = json_object_new_object();
	AUTO(json) struct json_object *back = NULL;

	(void)state;
	json_add_text(o, "path", "/a/b");
	json_add_text(o, "absent", NULL);
	json_add_int(json_add_object(o, "in"), "n", 1);
	json_push_text(json_add_array(o, "list"), "x");
	json_add_bool(o, "on", true);
	assert_int_equal(json_write_file(folder.fd, "f", o, JSON_SYNC | JSON_PRETTY, &err), 0);
	assert_int_equal(json_write_file(folder.fd, "f", o, 0, &err), 0);
	back = json_read_file(folder.fd, "f", 1000, &err);
	assert_non_null(back);
	assert_int_equal(json_object_equal(o, back), 1);
	assert_false(json_object_object_get_ex(back, "absent", NULL));
	assert_null(json_read_file(folder.fd, "f", 5, &err));
	assert_string_equal(err.msg, "f is larger than 5 bytes");
	unlinkat(folder.fd, "f", 0);
	assert_null(json_read_file(folder.fd, "f", 5, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_true(folder_end(&folder));
}

static void entries_of_other_types_are_empty_texts(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *wanted;
	} rows[] = {
		{"[\"a\",\"b\"]",  0,        "a"},
		{ "[\"a\",\"b\"]", 1,        "b"},
		{ "[\"a\"]",       1,        "" },
		{ "[\"a\"]",       SIZE_MAX, "" },
		{ "[]",            0,        "" },
		{ "[null]",        0,        "" },
		{ "[5]",           0,        "" },
		{ "[[\"a\"]]",     0,        "" },
		{ "[{}]",          0,        "" },
		{ "{\"0\":\"a\"}", 0,        "" },
		{ "\"a\"",         0,        "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct json_object *value = json_tokener_parse(rows[i].text);

		assert_string_equal(json_array_text(value, rows[i].at), rows[i].wanted);
		json_object_put(value);
	}
	assert_string_equal(json_array_text(NULL, 0), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_values_are_taken),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(nul_and_depth_are_refused),
		cmocka_unit_test(reads_have_defaults),
		cmocka_unit_test(files_there_and_back),
		cmocka_unit_test(entries_of_other_types_are_empty_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

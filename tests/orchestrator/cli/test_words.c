/* tests/orchestrator/cli/test_words - KEY=VALUE words, filters, and SERVICE:PATH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "orchestrator/cli/copy_between.h"
#include "orchestrator/cli/words.h"

static void words_are_split_at_the_first_sign(void **state)
{
	static const struct {
		const char *word;
		unsigned flags;
		int status;
		const char *key, *value;
	} rows[] = {
		{"a=1",    0,                0,  "a",  "1"  },
		{ "a=b=c", 0,                0,  "a",  "b=c"},
		{ "a=",    0,                0,  "a",  ""   },
		{ "a",     0,                -1, NULL, NULL },
		{ "a",     WORD_MAY_BE_BARE, 0,  "a",  ""   },
		{ "=1",    0,                -1, NULL, NULL },
		{ "",      WORD_MAY_BE_BARE, -1, NULL, NULL },
	};
	AUTO(arena) struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *key = NULL, *value = NULL;
		struct err err = ERR_NONE;

		assert_int_equal(
			word_split(arena, "opt", rows[i].word, rows[i].flags, &key, &value, &err),
			rows[i].status);
		if (rows[i].status == 0) {
			assert_string_equal(key, rows[i].key);
			assert_string_equal(value, rows[i].value);
		} else {
			assert_non_null(strstr(err.msg, "--opt"));
		}
	}
}

static void unknown_filters_are_named_with_the_known_ones(void **state)
{
	static const char *const known[] = { "name", "label", NULL };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(
		filter_check((const char *const[]){ "name=x", "label=a=b", NULL }, known, &err), 0);
	assert_int_equal(filter_check((const char *const[]){ "names=x", NULL }, known, &err), -1);
	assert_string_equal(err.msg, "unknown filter names=x (there are: name=, label=)");
	err = ERR_NONE;
	assert_int_equal(filter_check((const char *const[]){ "name", NULL }, known, &err), -1);
}

static void every_filter_of_a_key_must_hold(void **state)
{
	static const char *const filters[] = { "name=a", "name=b", "label=k", "label=l=2", NULL };
	struct err err = ERR_NONE;
	AUTO(json)
	struct json_object *labels = json_parse("labels", "{\"k\":\"1\",\"l\":\"2\"}", 17, &err);

	(void)state;
	assert_true(filter_passes(filters, "name", filter_holds_text, "xaby"));
	assert_false(filter_passes(filters, "name", filter_holds_text, "xa"));
	assert_false(filter_passes(filters, "name", filter_is_text, "a"));
	assert_true(filter_passes(filters, "other", filter_is_text, "a"));
	assert_true(filter_passes(filters, "label", filter_has_label, labels));
	assert_false(filter_has_label(labels, "l=3"));
	assert_false(filter_has_label(labels, "m"));
	assert_false(filter_has_label(NULL, "k"));
}

static void a_service_and_its_path_are_told_from_files(void **state)
{
	static const struct {
		const char *word, *service, *path;
	} rows[] = {
		{"web:/a",      "web", "/a" },
                { "web:a:b",    "web", "a:b"},
		{ "web:",       "web", ""   },
                { "./web:/a",   NULL,  NULL },
		{ "/web:/a",    NULL,  NULL },
                { "dir/web:/a", NULL,  NULL },
		{ "-",          NULL,  NULL },
                { "file",       NULL,  NULL },
		{ ":/a",        NULL,  NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(free) char *service = NULL;
		const char *path = NULL;

		assert_int_equal(copy_word_split(rows[i].word, &service, &path),
				 rows[i].service != NULL);
		if (rows[i].service) {
			assert_string_equal(service, rows[i].service);
			assert_string_equal(path, rows[i].path);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_at_the_first_sign),
		cmocka_unit_test(unknown_filters_are_named_with_the_known_ones),
		cmocka_unit_test(every_filter_of_a_key_must_hold),
		cmocka_unit_test(a_service_and_its_path_are_told_from_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

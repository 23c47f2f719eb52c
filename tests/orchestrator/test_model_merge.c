/* tests/orchestrator/test_model_merge - mirrors orchestrator/model_merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/model_merge.h"

struct row {
	const char *wanted, *before, *merged;
};

static struct json_object *parse(const char *text)
{
	struct err err = ERR_NONE;
	struct json_object *json = json_parse("test", text, strlen(text), &err);

	assert_string_equal(err.msg, "");
	return json;
}

static void what_is_set_aside_stays_as_it_is_in_force(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ "{\"services\":{\"a\":{\"v\":2}},\"stack\":{\"disabled_services\":{\"b\":{\"v\":2}}}}",
		  "{\"services\":{\"a\":{\"v\":1},\"b\":{\"v\":1}}}",
		  "{\"services\":{\"a\":{\"v\":2},\"b\":{\"v\":1}},\"stack\":{\"disabled_services\":{}}}" },
		{ "{\"services\":{\"a\":{}},\"stack\":{\"disabled_services\":{\"b\":{},\"c\":{}}}}",
		  "{\"services\":{\"b\":{}},\"networks\":{\"n\":{\"x\":1}},\"volumes\":{\"v\":{}}}",
		  "{\"services\":{\"a\":{},\"b\":{}},\"stack\":{\"disabled_services\":{\"c\":{}}},"
		  "\"networks\":{\"n\":{\"x\":1}},\"volumes\":{\"v\":{}}}" },
		{ "{\"services\":{\"a\":{}},\"networks\":{\"n\":{\"new\":1}},\"stack\":{\"disabled_services\":{\"b\":{}}}}",
		  "{\"services\":{\"b\":{}},\"networks\":{\"n\":{\"old\":1},\"m\":{}}}",
		  "{\"services\":{\"a\":{},\"b\":{}},\"networks\":{\"n\":{\"new\":1},\"m\":{}},\"stack\":{\"disabled_services\":{}}}" },
		/* gone from the file: an orphan, and not brought back */
		{ "{\"services\":{\"a\":{}},\"stack\":{\"disabled_services\":{}}}",
		  "{\"services\":{\"old\":{}},\"volumes\":{\"v\":{}}}",
		  "{\"services\":{\"a\":{}},\"stack\":{\"disabled_services\":{}}}" },
		{ "{\"services\":{\"a\":{}},\"stack\":{}}", "{\"services\":{\"b\":{}}}", "{\"services\":{\"a\":{}},\"stack\":{}}" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(json) struct json_object *wanted = parse(rows[i].wanted);
		AUTO(json) struct json_object *merged = parse(rows[i].merged);
		struct model before = { .text = (char *)(uintptr_t)rows[i].before };
		struct err err = ERR_NONE;

		assert_int_equal(model_merge(wanted, &before, &err), 0);
		if (!json_object_equal(wanted, merged))
			fail_msg("row %zu: %s", i, json_object_to_json_string(wanted));
	}
}

static void a_damaged_model_is_an_error(void **state)
{
	AUTO(json) struct json_object *wanted = parse("{\"services\":{}}");
	struct model before = { .text = (char *)(uintptr_t) "{" };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(model_merge(wanted, &before, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_aside_stays_as_it_is_in_force),
		cmocka_unit_test(a_damaged_model_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

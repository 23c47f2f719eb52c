/* tests/orchestrator/test_request_check - mirrors orchestrator/request_check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/request_check.h"

/* word: what the error names first; NULL: the request is fine. */
/* clang-format off */
static const struct {
	const char *request, *word;
} rows[] = {
	{ "{}", NULL },
	{ "{\"services\":[],\"options\":{},\"model\":{},\"values\":{},\"run\":{}}", NULL },
	{ "{\"services\":null,\"options\":null,\"model\":null}", NULL },
	{ "{\"services\":[\"web\",\"\"]}", NULL },
	{ "{\"unknown\":[null],\"options\":{\"unknown\":[null]}}", NULL },
	{ "{\"container\":5,\"name\":[]}", NULL }, /* of one operation: it looks itself */

	{ "{\"services\":\"web\"}", "services:" },
	{ "{\"services\":{\"web\":1}}", "services:" },
	{ "{\"services\":false}", "services:" },
	{ "{\"services\":[null]}", "services:" },
	{ "{\"services\":[\"web\",5]}", "services:" },
	{ "{\"services\":[[\"web\"]]}", "services:" },
	{ "{\"model\":[]}", "model:" },
	{ "{\"model\":\"x\"}", "model:" },
	{ "{\"values\":1}", "values:" },
	{ "{\"run\":[]}", "run:" },
	{ "{\"options\":[]}", "options:" },
	{ "{\"options\":\"\"}", "options:" },

	{ "{\"options\":{\"timeout_us\":0,\"wait_timeout_us\":5,\"parallel\":1}}", NULL },
	{ "{\"options\":{\"timeout_us\":-1}}", NULL },
	{ "{\"options\":{\"timeout_us\":\"5\"}}", "options.timeout_us:" },
	{ "{\"options\":{\"timeout_us\":1.5}}", "options.timeout_us:" },
	{ "{\"options\":{\"wait_timeout_us\":true}}", "options.wait_timeout_us:" },
	{ "{\"options\":{\"parallel\":[]}}", "options.parallel:" },
	{ "{\"options\":{\"pull\":\"always\",\"signal\":\"SIGHUP\",\"trace\":\"/t\"}}", NULL },
	{ "{\"options\":{\"pull\":1}}", "options.pull:" },
	{ "{\"options\":{\"signal\":9}}", "options.signal:" },
	{ "{\"options\":{\"trace\":true}}", "options.trace:" },

	{ "{\"options\":{\"scale\":{\"web\":0,\"db\":3}}}", NULL },
	{ "{\"options\":{\"scale\":{}}}", NULL },
	{ "{\"options\":{\"scale\":{\"web\":\"3\"}}}", "options.scale:" }, /* would be none */
	{ "{\"options\":{\"scale\":{\"web\":null}}}", "options.scale:" },
	{ "{\"options\":{\"scale\":{\"web\":1.5}}}", "options.scale:" },
	{ "{\"options\":{\"scale\":[3]}}", "options.scale:" },

	{ "{\"options\":{\"containers\":[\"abc\"]}}", NULL },
	{ "{\"options\":{\"containers\":true}}", NULL }, /* of `end` */
	{ "{\"options\":{\"containers\":[null]}}", "options.containers:" },
	{ "{\"options\":{\"containers\":\"abc\"}}", "options.containers:" },
	{ "{\"options\":{\"containers\":{}}}", "options.containers:" },
};
/* clang-format on */

static void every_member_has_its_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(json) struct json_object *request = json_tokener_parse(rows[i].request);
		struct err err = ERR_NONE;
		int result = request_check(request, &err);

		assert_non_null(request);
		if (result != (rows[i].word ? -1 : 0))
			fail_msg("%s: %d \"%s\"", rows[i].request, result, err.msg);
		if (!rows[i].word)
			continue;
		assert_int_equal(err.code, ERR_INVALID);
		if (strncmp(err.msg, rows[i].word, strlen(rows[i].word)) != 0)
			fail_msg("%s: \"%s\"", rows[i].request, err.msg);
		assert_non_null(strstr(err.msg, "wanted"));
	}
}

static void flags_are_true_or_false(void **state)
{
	static const char *const flags[] = {
		"wait",
		"force_recreate",
		"no_recreate",
		"no_deps",
		"always_recreate_deps",
		"renew_anon_volumes",
		"remove_orphans",
		"volumes",
		"stop_first",
		"quiet_pull",
		"ignore_orphans",
		"dry_run",
	};
	static const struct {
		const char *value;
		int result;
	} values[] = {
		{"true",      0 },
                { "false",    0 },
                { "null",     0 },
                { "1",        -1},
		{ "\"true\"", -1},
                { "[]",       -1},
                { "{}",       -1}
	};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		for (size_t k = 0; k < sizeof(values) / sizeof(*values); k++) {
			AUTO(json) struct json_object *request = json_object_new_object();
			struct err err = ERR_NONE;

			json_object_object_add(json_add_object(request, "options"), flags[i],
					       json_tokener_parse(values[k].value));
			assert_int_equal(request_check(request, &err), values[k].result);
			if (values[k].result < 0)
				assert_non_null(strstr(err.msg, flags[i]));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_has_its_type),
		cmocka_unit_test(flags_are_true_or_false),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/cli/test_request - mirrors orchestrator/cli/request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/cli/request.h"

static void expect(struct json_object *json, const char *wanted)
{
	assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), wanted);
}

static void services_are_listed_and_options_are_there(void **state)
{
	const char *const names[] = { "web", "db", NULL };
	struct json_object *options;
	AUTO(json) struct json_object *named = request_new(names, &options);
	AUTO(json) struct json_object *all = NULL;

	(void)state;
	json_add_bool(options, "x", true);
	expect(named, "{\"services\":[\"web\",\"db\"],\"options\":{\"x\":true}}");
	all = request_new(NULL, &options);
	expect(all, "{\"services\":[],\"options\":{}}");
}

struct scale_row {
	const char *words[4];
	const char *wanted; /* NULL: refused */
	const char *message;
};

static void scale_words_become_numbers(void **state)
{
	/* clang-format off */
	static const struct scale_row rows[] = {
		{ { NULL }, "{}", NULL },
		{ { "web=3", NULL }, "{\"scale\":{\"web\":3}}", NULL },
		{ { "web=0", "db=10000", NULL }, "{\"scale\":{\"web\":0,\"db\":10000}}", NULL },
		{ { "web=3", "web=4", NULL }, "{\"scale\":{\"web\":4}}", NULL },
		{ { "web", NULL }, NULL, "must be SERVICE=NUMBER" },
		{ { "=3", NULL }, NULL, "must be SERVICE=NUMBER" },
		{ { "web=", NULL }, NULL, "web=" },
		{ { "web=-1", NULL }, NULL, "replicas" },
		{ { "web=1.5", NULL }, NULL, "replicas" },
		{ { "web=10001", NULL }, NULL, "replicas" },
		{ { "web=99999999999999999999", NULL }, NULL, "replicas" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(json) struct json_object *options = json_object_new_object();
		struct err err = ERR_NONE;
		int status = request_add_scale(options, rows[i].words, &err);

		if (rows[i].wanted) {
			assert_int_equal(status, 0);
			expect(options, rows[i].wanted);
		} else {
			assert_int_equal(status, -1);
			assert_int_equal(err.code, ERR_INVALID);
			assert_non_null(strstr(err.msg, rows[i].message));
		}
	}
}

static void no_words_are_no_scale(void **state)
{
	AUTO(json) struct json_object *options = json_object_new_object();
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(request_add_scale(options, NULL, &err), 0);
	expect(options, "{}");
}

static void a_name_too_long_is_refused(void **state)
{
	AUTO(json) struct json_object *options = json_object_new_object();
	char word[400];
	const char *const words[] = { word, NULL };
	struct err err = ERR_NONE;

	(void)state;
	memset(word, 'a', sizeof(word));
	memcpy(word + 390, "=3", 3);
	assert_int_equal(request_add_scale(options, words, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void a_model_travels_with_its_values_beside_it(void **state)
{
	struct service service = { .name = "web", .image = "i" };
	struct project project = { .name = "p", .services = &service, .service_count = 1 };
	struct json_object *options;
	AUTO(json) struct json_object *request = request_new(NULL, &options);

	(void)state;
	request_add_model(request, &project);
	assert_string_equal(json_text_or(json_object_at(request, "model"), "name", ""), "p");
	assert_non_null(json_object_at(json_object_at(request, "model"), "stack"));
	assert_non_null(json_object_at(request, "values"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_listed_and_options_are_there),
		cmocka_unit_test(scale_words_become_numbers),
		cmocka_unit_test(no_words_are_no_scale),
		cmocka_unit_test(a_name_too_long_is_refused),
		cmocka_unit_test(a_model_travels_with_its_values_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

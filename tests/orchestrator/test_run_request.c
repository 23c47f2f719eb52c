/* tests/orchestrator/test_run_request - mirrors orchestrator/run_request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/run_request.h"
#include "specs/model_json.h"

static const char file[] =
	"{\"name\":\"shop\",\"stack\":{\"version\":1,\"working_dir\":\"/w\"},"
	"\"services\":{\"web\":{\"image\":\"i\",\"command\":[\"serve\"],\"restart\":\"always\","
	"\"container_name\":\"front\",\"environment\":{\"A\":\"1\",\"B\":\"2\"},"
	"\"deploy\":{\"replicas\":3,\"resources\":{\"limits\":{\"memory\":\"1048576\"}}},"
	"\"healthcheck\":{\"test\":[\"CMD\",\"x\"]},"
	"\"networks\":{\"default\":{\"aliases\":[\"front\"]}}}},"
	"\"networks\":{\"default\":{\"name\":\"shop_default\"}}}";

static struct model *model_of(const char *text)
{
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *json = json_parse("file", text, strlen(text), &err);
	struct model *model = json ? model_from_json(json, &err) : NULL;

	assert_string_equal(err.msg, "");
	assert_non_null(model);
	return model;
}

/* The service `web` of the file as this `run` wants it; its model in *out, to be unref'd. */
static const struct service *run(const char *text, struct model **out)
{
	struct err err = ERR_NONE;
	struct model *base = model_of(file);
	AUTO(json) struct json_object *json = json_parse("run", text, strlen(text), &err);

	assert_non_null(json);
	*out = run_model(base, "web", json, &err);
	model_unref(base);
	assert_string_equal(err.msg, "");
	assert_non_null(*out);
	return project_find_service((*out)->project, "web");
}

static void a_one_off_container_loses_what_makes_a_replica(void **state)
{
	struct model *model;
	const struct service *web = run("{}", &model);

	(void)state;
	assert_string_equal(web->restart, "no");
	assert_null(web->container_name);
	assert_null(web->healthcheck);
	assert_int_equal(service_replicas(web), 1);
	assert_int_equal(service_memory_limit(web).bytes, 1048576);
	assert_int_equal(web->networks[0].aliases.count, 0);
	assert_string_equal(web->command.items[0], "serve");
	model_unref(model);
}

static void aliases_stay_when_they_are_asked_for(void **state)
{
	struct model *model;
	const struct service *web = run("{\"use_aliases\":true}", &model);

	(void)state;
	assert_int_equal(web->networks[0].aliases.count, 1);
	model_unref(model);
}

static void words_of_the_command_line_go_over_the_file(void **state)
{
	struct model *model;
	const struct service *web = run("{\"command\":[\"sh\",\"-c\",\"x\"],\"user\":\"1:2\","
					"\"working_dir\":\"/tmp\",\"tty\":true,\"stdin\":true,"
					"\"environment\":{\"B\":\"3\",\"C\":\"4\"}}",
					&model);

	(void)state;
	assert_int_equal(web->command.count, 3);
	assert_string_equal(web->user, "1:2");
	assert_string_equal(web->working_dir, "/tmp");
	assert_true(web->tty && web->stdin_open);
	assert_string_equal(pairs_get(&web->environment, "A"), "1");
	assert_string_equal(pairs_get(&web->environment, "B"), "3");
	assert_string_equal(pairs_get(&web->environment, "C"), "4");
	model_unref(model);
}

static void an_entrypoint_alone_drops_the_command(void **state)
{
	struct model *model;
	const struct service *web = run("{\"entrypoint\":[\"sh\"]}", &model);

	(void)state;
	assert_string_equal(web->entrypoint.items[0], "sh");
	assert_false(web->command.is_set && web->command.count);
	model_unref(model);
}

static void a_definition_takes_the_services_place(void **state)
{
	struct model *model;
	const struct service *web =
		run("{\"definition\":{\"image\":\"j\",\"volumes\":[{\"type\":\"volume\","
		    "\"source\":\"cache\",\"target\":\"/c\"}]},\"user\":\"7\"}",
		    &model);

	(void)state;
	assert_string_equal(web->image, "j");
	assert_string_equal(web->user, "7");
	assert_string_equal(project_find_volume(model->project, "cache")->name, "cache");
	model_unref(model);
}

static void what_an_adopted_container_was_made_of_is_found_again(void **state)
{
	struct model *first, *second;
	const struct service *web = run("{\"command\":[\"a\"],\"user\":\"5\"}", &first), *again;
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *kept = json_object_new_object();

	(void)state;
	json_object_object_add(kept, "definition", model_json_service(web, MODEL_JSON_STATE));
	second = run_model(first, "web", kept, &err);
	assert_non_null(second);
	again = project_find_service(second->project, "web");
	assert_string_equal(again->user, "5");
	assert_string_equal(again->command.items[0], "a");
	model_unref(first);
	model_unref(second);
}

static void an_unknown_service_is_named(void **state)
{
	struct err err = ERR_NONE;
	struct model *base = model_of(file);
	AUTO(json) struct json_object *nothing = json_object_new_object();

	(void)state;
	assert_null(run_model(base, "db", nothing, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no such service: db");
	model_unref(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_one_off_container_loses_what_makes_a_replica),
		cmocka_unit_test(aliases_stay_when_they_are_asked_for),
		cmocka_unit_test(words_of_the_command_line_go_over_the_file),
		cmocka_unit_test(an_entrypoint_alone_drops_the_command),
		cmocka_unit_test(a_definition_takes_the_services_place),
		cmocka_unit_test(what_an_adopted_container_was_made_of_is_found_again),
		cmocka_unit_test(an_unknown_service_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

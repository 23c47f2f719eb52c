/* tests/orchestrator/test_update - mirrors orchestrator/update: what a change by hand makes of a
 * model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/update.h"

static const char base_text[] =
	"{\"name\":\"p\",\"services\":{\"web\":{\"image\":\"i\",\"restart\":\"no\",\"cpus\":2,"
	"\"deploy\":{\"resources\":{\"limits\":{\"memory\":\"1048576\",\"pids\":9},"
	"\"reservations\":{\"memory\":\"4096\"}},\"restart_policy\":{\"condition\":\"none\"}}},"
	"\"db\":{\"image\":\"j\",\"mem_limit\":\"7340032\"}}}";

static struct model *base_model(void)
{
	struct err err = ERR_NONE;
	AUTO(json)
	struct json_object *json = json_parse("test", base_text, strlen(base_text), &err);
	struct model *model = model_from_json(json, &err);

	assert_string_equal(err.msg, "");
	model->seq = 7;
	return model;
}

static struct model *updated(const char *set_text, struct err *err)
{
	AUTO(json) struct json_object *set = json_parse("set", set_text, strlen(set_text), err);
	struct model *base = base_model(), *model = update_model(base, "web", set, err);

	model_unref(base);
	return model;
}

static void what_is_set_by_hand_stands_over_both_spellings_of_the_file(void **state)
{
	struct err err = ERR_NONE;
	struct model *model =
		updated("{\"mem_limit\":\"2097152\",\"pids_limit\":\"5\",\"cpus\":\"0.5\","
			"\"mem_reservation\":\"8192\",\"restart\":\"always\"}",
			&err);
	const struct service *web, *db;

	(void)state;
	assert_string_equal(err.msg, "");
	web = project_find_service(model->project, "web");
	db = project_find_service(model->project, "db");
	assert_int_equal(service_memory_limit(web).bytes, 2097152);
	assert_int_equal(service_memory_reservation(web).bytes, 8192);
	assert_int_equal(service_pids_limit(web).value, 5);
	assert_true(service_cpus(web).value == 0.5);
	assert_int_equal(service_restart(web).when, RESTART_ALWAYS);
	assert_int_equal(service_memory_limit(db).bytes, 7340032);
	assert_int_equal(model->seq, 7);
	model_unref(model);
}

static void null_takes_a_limit_away(void **state)
{
	struct err err = ERR_NONE;
	struct model *model = updated("{\"mem_limit\":null,\"pids_limit\":null}", &err);
	const struct service *web;

	(void)state;
	assert_string_equal(err.msg, "");
	web = project_find_service(model->project, "web");
	assert_false(service_memory_limit(web).is_set);
	assert_false(service_pids_limit(web).is_set);
	assert_int_equal(service_memory_reservation(web).bytes, 4096);
	model_unref(model);
}

static void what_is_no_limit_is_refused(void **state)
{
	static const char *const rows[] = {
		"{\"image\":\"other\"}", "{\"privileged\":true}",  "{\"restart\":\"sometimes\"}",
		"{\"cpus\":\"many\"}",   "{\"mem_limit\":\"1x\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;

		if (updated(rows[i], &err))
			fail_msg("taken: %s", rows[i]);
		assert_int_not_equal(err.code, ERR_OK);
	}
}

static void the_record_tells_limits_in_dockers_words_and_what_was_changed(void **state)
{
	AUTO(json) struct json_object *info = json_object_new_object();
	AUTO(json) struct json_object *set = json_object_new_object();
	struct err err = ERR_NONE;
	struct model *model = updated("{\"mem_limit\":\"2097152\",\"cpus\":\"0.5\"}", &err);
	const struct service *web = project_find_service(model->project, "web");
	struct json_object *limits;

	(void)state;
	json_add_text(set, "mem_limit", "2097152");
	update_note(info, web, set);
	limits = json_object_at(info, "limits");
	assert_int_equal(json_int_or(limits, "Memory", 0), 2097152);
	assert_int_equal(json_int_or(limits, "NanoCpus", 0), 500000000);
	assert_int_equal(json_int_or(limits, "PidsLimit", 0), 9);
	assert_string_equal(json_text_or(json_object_at(info, "updated"), "mem_limit", ""),
			    "2097152");
	update_note(info, web, NULL);
	assert_null(json_object_at(info, "updated"));
	model_unref(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_by_hand_stands_over_both_spellings_of_the_file),
		cmocka_unit_test(null_takes_a_limit_away),
		cmocka_unit_test(what_is_no_limit_is_refused),
		cmocka_unit_test(the_record_tells_limits_in_dockers_words_and_what_was_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_model_mix - mirrors orchestrator/model_mix: one model made of two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "orchestrator/model_mix.h"
#include "tests/orchestrator/project_room.h"

/* A model of project "shop": services, further members, services that are set aside. */
static struct model *make(const char *services, const char *more, const char *aside)
{
	struct err err = ERR_NONE;
	AUTO(free)
	char *text = xformat("{\"name\":\"shop\",\"services\":{%s},%s\"stack\":{\"version\":1,"
			     "\"disabled_services\":{%s}}}",
			     services, more, aside);
	AUTO(json) struct json_object *json = json_parse("model", text, strlen(text), &err);
	struct model *model = json ? model_from_json(json, &err) : NULL;

	if (!model)
		fail_msg("%s: %s", text, err.msg);
	return model;
}

static const char *image_of(const struct model *model, const char *service)
{
	const struct service *found = project_find_service(model->project, service);

	return found ? found->image : "none";
}

#define WEB_OLD "\"web\":{\"image\":\"web:1\",\"networks\":{\"back\":null}}"
#define WEB_NEW "\"web\":{\"image\":\"web:2\"}"
#define DB_OLD  "\"db\":{\"image\":\"db:1\"}"
#define DB_NEW  "\"db\":{\"image\":\"db:2\"}"
#define BACK    "\"networks\":{\"back\":{\"name\":\"shop_back\"}},"

static void one_service_goes_back_with_what_it_needs(void **state)
{
	static const char *const web[] = { "web" };
	struct model *now = make(WEB_NEW "," DB_NEW, "", ""),
		     *former = make(WEB_OLD "," DB_OLD, BACK, "");
	struct err err = ERR_NONE;
	struct model *mixed = model_mix(now, former, web, 1, &err);

	(void)state;
	assert_non_null(mixed);
	assert_string_equal(image_of(mixed, "web"), "web:1");
	assert_string_equal(image_of(mixed, "db"), "db:2");
	assert_non_null(project_find_network(mixed->project, "back"));
	model_unref(mixed);
	mixed = model_mix(now, former, NULL, 0, &err);
	assert_string_equal(mixed->text, former->text);
	model_unref(mixed);
	model_unref(now);
	model_unref(former);
}

static const char *content_of(const struct model *model, const char *config)
{
	return project_find_config(model->project, config)->content;
}

static void a_service_goes_back_with_what_its_configs_said(void **state)
{
	static const char *const web[] = { "web" };
	static const char page[] =
		"\"web\":{\"image\":\"web:1\",\"configs\":[{\"source\":\"page\"},{\"source\":"
		"\"both\"}]},"
		"\"db\":{\"image\":\"db:1\",\"configs\":[{\"source\":\"both\"}]}";
	struct model *now = make(page,
				 "\"configs\":{\"page\":{\"name\":\"p\",\"content\":\"two\"},"
				 "\"both\":{\"name\":\"b\",\"content\":\"two\"}},",
				 ""),
		     *former = make(page,
				    "\"configs\":{\"page\":{\"name\":\"p\",\"content\":\"one\"},"
				    "\"both\":{\"name\":\"b\",\"content\":\"one\"}},",
				    "");
	struct err err = ERR_NONE;
	struct model *mixed = model_mix(now, former, web, 1, &err);

	(void)state;
	assert_non_null(mixed);
	assert_string_equal(content_of(mixed, "page"), "one");
	assert_string_equal(content_of(mixed, "both"), "two"); /* db has it, too */
	model_unref(mixed);
	model_unref(now);
	model_unref(former);
}

static bool all_exist(void *ctx, const char *service)
{
	(void)ctx;
	(void)service;
	return true;
}

static bool is_named(void *ctx, const char *service)
{
	return strcmp(ctx, service) == 0;
}

static void what_is_set_aside_stays_active_when_it_was(void **state)
{
	char db[] = "db";
	struct model *before = make(WEB_OLD "," DB_OLD, BACK, ""),
		     *now = make(DB_NEW, "", WEB_OLD ",\"new\":{\"image\":\"new:1\"}"),
		     *kept = model_keep_active(now, before, all_exist, NULL);

	(void)state;
	assert_non_null(kept);
	assert_string_equal(image_of(kept, "web"), "web:1");
	assert_string_equal(image_of(kept, "db"), "db:2");
	assert_string_equal(image_of(kept, "new"), "none"); /* it never was */
	assert_non_null(project_find_disabled(kept->project, "new"));
	assert_null(project_find_disabled(kept->project, "web"));
	assert_non_null(project_find_network(kept->project, "back"));
	model_unref(kept);
	assert_null(model_keep_active(now, before, is_named, db)); /* nothing of web is there */
	assert_null(model_keep_active(before, now, all_exist, NULL));
	model_unref(before);
	model_unref(now);
}

static void former_models_go_but_those_in_use(void **state)
{
	const uint64_t in_use[] = { 2 };
	struct model *before = NULL;
	struct project_room room;
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	for (unsigned i = 1; i <= 6; i++) {
		AUTO(free) char *text = xformat("\"web\":{\"image\":\"web:%u\"}", i);
		struct model *model = make(text, "", "");

		assert_int_equal(model_save(room.dirs, model, before, &err), 0);
		assert_int_equal(model->seq, i);
		model_unref(before);
		before = model;
	}
	model_prune(room.dirs, 6, 2, in_use, 1);
	for (unsigned i = 1; i <= 6; i++) {
		struct model *model = model_load(room.dirs, i, &err);

		assert_int_equal(model != NULL, i == 2 || i >= 5);
		model_unref(model);
	}
	model_unref(before);
	room_drop(&room);
}

static void another_image_is_another_model(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	struct model *first = make(WEB_NEW, "", ""), *second = make(WEB_NEW, "", ""),
		     *third = make(WEB_NEW, "", ""), *read;

	(void)state;
	room_make(&room);
	first->images = xstrdup("{\"web\":\"sha256:1\"}");
	second->images = xstrdup("{\"web\":\"sha256:1\"}");
	third->images = xstrdup("{\"web\":\"sha256:2\"}");
	assert_int_equal(model_save(room.dirs, first, NULL, &err), 0);
	assert_int_equal(model_save(room.dirs, second, first, &err), 0);
	assert_int_equal(second->seq, 1);
	assert_int_equal(model_save(room.dirs, third, second, &err), 0);
	assert_int_equal(third->seq, 2);
	read = model_load(room.dirs, 1, &err);
	assert_non_null(strstr(read->images, "sha256:1"));
	model_unref(read);
	model_unref(first);
	model_unref(second);
	model_unref(third);
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_service_goes_back_with_what_it_needs),
		cmocka_unit_test(a_service_goes_back_with_what_its_configs_said),
		cmocka_unit_test(what_is_set_aside_stays_active_when_it_was),
		cmocka_unit_test(former_models_go_but_those_in_use),
		cmocka_unit_test(another_image_is_another_model),
	};

	return cmocka_run_group_tests_name("orchestrator/model_mix", tests, NULL, NULL);
}

/* tests/orchestrator/test_bundle_monitor - mirrors orchestrator/bundle_monitor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json_pointer.h>

#include "orchestrator/bundle.h"
#include "tests/orchestrator/project_room.h"

struct row {
	const char *service; /* members beside image */
	const char *at, *wanted;
};

/* clang-format off */
static const struct row rows[] = {
	{ "", "/version", "1" },
	{ "", "/project", "\"shop\"" },
	{ "", "/service", "\"web\"" },
	{ "", "/name", "\"shop-web-1\"" },
	{ "", "/life", "3" },
	{ "", "/container_dir", "\"/state/c\"" },
	{ "", "/slot_dir", "\"/slot\"" },
	{ "", "/run_dir", "\"/run/p\"" },
	{ "", "/rootfs", "{\"lowers\":[\"/l2\",\"/l1\"],\"upper\":\"/state/c/upper\",\"work\":\"/state/c/work\"}" },
	{ "", "/netns", "{\"path\":\"/ns\",\"make\":true}" },
	{ "", "/sockets", "[\"route\",\"netfilter\",\"dns\",\"dns-tcp\"]" },
	{ "", "/log", "{\"driver\":\"json-file\"}" },
	{ "", "/stdin_open", "false" },
	{ "\"stdin_open\":true", "/stdin_open", "true" },
	{ "\"logging\":{\"driver\":\"none\"}", "/log/driver", "\"none\"" },
	{ "\"logging\":{\"options\":{\"max-size\":\"10m\",\"max-file\":\"3\"}}", "/log", "{\"driver\":\"json-file\",\"max_size\":10485760,\"max_file\":3}" },
	{ "\"logging\":{\"options\":{\"compress\":\"true\",\"mode\":\"non-blocking\",\"max-buffer-size\":\"1k\",\"tag\":\"t\"}}", "/log",
	  "{\"driver\":\"json-file\",\"max_buffer\":1024,\"compress\":true,\"mode\":\"non-blocking\",\"tag\":\"t\",\"attrs\":{\"tag\":\"t\"}}" },
	{ "\"logging\":{\"options\":{\"tag\":\"{{.Name}}/{{ .ID }} {{.ImageName}} {{.ImageID}}.\"}}", "/log/tag", "\"shop-web-1/0123456789ab reg/i:1 fedcba987654.\"" },
	{ "\"labels\":{\"a\":\"1\",\"ab\":\"2\",\"c\":\"3\"},\"logging\":{\"options\":{\"labels\":\"c, none\",\"labels-regex\":\"^a.\"}}", "/log/attrs", "{\"ab\":\"2\",\"c\":\"3\"}" },
	{ "\"environment\":{\"A\":\"1\",\"B\":\"2\"},\"logging\":{\"options\":{\"env\":\"B\"}}", "/log/attrs", "{\"B\":\"2\"}" },
	{ "\"labels\":{\"a\":\"1\"},\"logging\":{\"options\":{\"labels\":\"b\"}}", "/log/attrs", NULL },
	{ "\"logging\":{\"options\":{\"compress\":\"false\"}}", "/log/compress", "false" },
	{ "", "/runtime", NULL },
};

static const struct { const char *service, *message; } wrong[] = {
	{ "\"logging\":{\"options\":{\"tag\":\"{{.Colour}}\"}}", "logging.options.tag: there is no field .Colour" },
	{ "\"logging\":{\"options\":{\"tag\":\"{{Name}}\"}}", "logging.options.tag: there is no field Name" },
	{ "\"logging\":{\"options\":{\"env-regex\":\"(\"}}", "logging.options.env-regex" },
	{ "\"logging\":{\"options\":{\"max-size\":\"large\"}}", "logging.options.max-size" },
	{ "\"logging\":{\"options\":{\"max-buffer-size\":\"-1\"}}", "logging.options.max-buffer-size" },
	{ "\"logging\":{\"options\":{\"max-file\":\"three\"}}", "logging.options.max-file: \"three\"" },
	{ "\"logging\":{\"options\":{\"max-file\":\"1.5\"}}", "logging.options.max-file: \"1.5\"" },
	{ "\"logging\":{\"options\":{\"max-file\":\"\"}}", "logging.options.max-file" },
};
/* clang-format on */

static struct json_object *made(const char *members, struct err *err)
{
	static const char *const lowers[] = { "/l2", "/l1" };
	AUTO(free)
	char *services = xformat("{\"web\":{\"image\":\"i\"%s%s}}", *members ? "," : "", members);
	AUTO(record) struct record *record = record_new("web", 1);
	struct model *model = room_model(services);
	struct bundle_monitor spec = { .project = "shop",
				       .state_dir = "/state/c",
				       .slot_dir = "/slot",
				       .run_dir = "/run/p",
				       .record = record,
				       .service = &model->project->services[0],
				       .lowers = lowers,
				       .lower_count = 2,
				       .netns_path = "/ns",
				       .netns_make = true,
				       .want_sockets = true };
	struct json_object *monitor;

	record->name = xstrdup("shop-web-1");
	strcpy(record->id, "0123456789abcdef");
	free(record->image_ref);
	free(record->image_id);
	record->image_ref = xstrdup("reg/i:1");
	record->image_id = xstrdup("sha256:fedcba9876543210");
	record->life = 3;
	monitor = bundle_monitor(&spec, err);
	model_unref(model);
	return monitor;
}

static void the_monitor_is_told_what_it_needs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		AUTO(json) struct json_object *monitor = made(rows[i].service, &err);
		struct json_object *found = NULL;
		const char *got = NULL;

		assert_non_null(monitor);
		if (json_pointer_get(monitor, rows[i].at, &found) == 0)
			got = json_object_to_json_string_ext(
				found, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		if (!got != !rows[i].wanted || (got && strcmp(got, rows[i].wanted) != 0))
			fail_msg("row %zu: %s: got %s", i, rows[i].at, got ? got : "nothing");
	}
}

static void wrong_log_options_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err = ERR_NONE;

		assert_null(made(wrong[i].service, &err));
		if (err.code != ERR_INVALID || !strstr(err.msg, wrong[i].message))
			fail_msg("row %zu: %s: %s", i, err_code_name(err.code), err.msg);
	}
}

static void the_layer_of_what_is_removed_at_its_end_is_volatile(void **state)
{
	AUTO(record) struct record *record = record_new("web", 1);
	struct bundle_monitor spec = {
		.project = "shop", .state_dir = "/c", .run_dir = "/r", .record = record
	};

	(void)state;
	for (int passing = 0; passing < 2; passing++) {
		struct err err = ERR_NONE;
		AUTO(json) struct json_object *monitor = NULL;

		spec.is_passing = passing;
		monitor = bundle_monitor(&spec, &err);
		assert_non_null(monitor);
		assert_int_equal(json_bool_or(json_object_at(monitor, "rootfs"), "volatile", false),
				 passing);
	}
}

static void without_a_namespace_no_sockets_are_asked_for(void **state)
{
	AUTO(record) struct record *record = record_new("web", 1);
	struct bundle_monitor spec = { .project = "shop",
				       .state_dir = "/c",
				       .run_dir = "/r",
				       .record = record,
				       .want_sockets = true,
				       .runtime = "/usr/bin/crun" };
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *monitor = bundle_monitor(&spec, &err);

	(void)state;
	assert_non_null(monitor);
	assert_null(json_object_at(monitor, "netns"));
	assert_null(json_array_at(monitor, "sockets"));
	assert_string_equal(json_text_or(monitor, "runtime", ""), "/usr/bin/crun");
	assert_string_equal(json_text_or(json_object_at(monitor, "log"), "driver", ""),
			    "json-file");
	assert_false(json_bool_or(monitor, "stdin_open", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monitor_is_told_what_it_needs),
		cmocka_unit_test(wrong_log_options_are_named),
		cmocka_unit_test(the_layer_of_what_is_removed_at_its_end_is_volatile),
		cmocka_unit_test(without_a_namespace_no_sockets_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/images/test_config - mirrors images/config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/config.h"

#define DIG           "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMAGE(config) "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{" config "}}"

static struct arena *arena;

static int new_arena(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct image_config *parsed(const char *text)
{
	struct image_config *config = NULL;
	struct err err = ERR_NONE;

	if (config_parse(arena, text, strlen(text), SIZE_MAX, &config, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return config;
}

static struct config_list list_of(const char *const *items)
{
	struct config_list list = { .items = (const char **)(uintptr_t)items, .is_set = true };

	while (items[list.count])
		list.count++;
	return list;
}

static void assert_list(const struct config_list *list, const char *const *wanted)
{
	size_t i = 0;

	for (; wanted[i]; i++) {
		assert_true(i < list->count);
		assert_string_equal(list->items[i], wanted[i]);
	}
	assert_int_equal(list->count, i);
}
#define ASSERT_LIST(list, ...) assert_list((list), (const char *const[]){ __VA_ARGS__, NULL })

static void every_field_is_read(void **state)
{
	struct image_config *config = parsed(
		"{\"os\":\"linux\",\"architecture\":\"arm64\",\"created\":\"2024-01-01T00:00:00Z\","
		"\"config\":{\"User\":\"app:web\",\"WorkingDir\":\"srv\",\"StopSignal\":"
		"\"SIGQUIT\","
		"\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\",\"d\"],\"Env\":[\"A=1\",\"B=x=y\"],"
		"\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"8000-8010\":{}},"
		"\"Volumes\":{\"/data\":{},\"/a\":null},\"Labels\":{\"b\":\"2\",\"a\":\"1\"},"
		"\"Shell\":[\"/bin/bash\",\"-c\"],\"OnBuild\":[\"RUN x\"],"
		"\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":5000000000,\"Retries\":"
		"4}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIG "\"]},"
		"\"history\":[{\"created_by\":\"RUN "
		"a\"},{\"empty_layer\":true,\"comment\":\"x\"}]}");

	(void)state;
	assert_string_equal(config->platform.variant, "v8");
	assert_string_equal(config->user, "app:web");
	assert_string_equal(config_working_dir(arena, config), "/srv");
	assert_string_equal(config->stop_signal, "SIGQUIT");
	ASSERT_LIST(&config->entrypoint, "/e");
	ASSERT_LIST(&config->cmd, "c", "d");
	ASSERT_LIST(&config->env, "A=1", "B=x=y");
	ASSERT_LIST(&config->exposed_ports, "53/udp", "80/tcp", "8000-8010/tcp");
	ASSERT_LIST(&config->volumes, "/a", "/data");
	ASSERT_LIST(&config->labels, "a=1", "b=2");
	ASSERT_LIST(&config->shell, "/bin/bash", "-c");
	ASSERT_LIST(&config->healthcheck.test, "CMD", "true");
	assert_int_equal(config->healthcheck.interval_ns, 5000000000);
	assert_int_equal(config->healthcheck.retries, 4);
	assert_int_equal(config->diff_id_count, 1);
	assert_int_equal(config->history_count, 2);
	assert_true(config->history[1].empty_layer);
	assert_string_equal(config_label(config, "b"), "2");
	assert_null(config_label(config, "c"));
}

static void null_and_absent_fields_are_nothing(void **state)
{
	static const char *const rows[] = {
		"{}",
		IMAGE(""),
		"{\"config\":null}",
		IMAGE("\"Env\":null,\"Cmd\":null,\"Volumes\":null,\"Labels\":null,\"User\":null,"
		      "\"Healthcheck\":null,\"ExposedPorts\":null"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_config *config = parsed(rows[i]);

		assert_int_equal(config->env.count + config->cmd.count, 0);
		assert_false(config->cmd.is_set);
		assert_string_equal(config->user, "");
		assert_string_equal(config_working_dir(arena, config), "/");
	}
}

static void a_wrong_type_is_refused_by_name(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *says; enum err_code code; } rows[] = {
		{ IMAGE("\"Env\":{}"), "Env", ERR_INVALID },
		{ IMAGE("\"Env\":[1]"), "Env", ERR_INVALID },
		{ IMAGE("\"Cmd\":7"), "Cmd", ERR_INVALID },
		{ IMAGE("\"User\":0"), "User", ERR_INVALID },
		{ IMAGE("\"User\":\"a\\u0000b\""), "User", ERR_INVALID },
		{ IMAGE("\"Cmd\":[\"a\\u0000b\"]"), "Cmd", ERR_INVALID },
		{ IMAGE("\"Labels\":[]"), "Labels", ERR_INVALID },
		{ IMAGE("\"Labels\":{\"a\":1}"), "Labels", ERR_INVALID },
		{ IMAGE("\"Volumes\":\"/a\""), "Volumes", ERR_INVALID },
		{ IMAGE("\"Healthcheck\":[]"), "Healthcheck", ERR_INVALID },
		{ IMAGE("\"Healthcheck\":{\"Interval\":\"5s\"}"), "Interval", ERR_INVALID },
		{ IMAGE("\"Healthcheck\":{\"Interval\":-1}"), "Interval", ERR_INVALID },
		{ "{\"config\":[]}", "config", ERR_INVALID },
		{ "{\"os\":\"windows\"}", "windows", ERR_UNSUPPORTED },
		{ "{\"os\":5}", "os", ERR_INVALID },
		{ "{\"rootfs\":{\"diff_ids\":[\"x\"]}}", "diff_ids", ERR_INVALID },
		{ "{\"rootfs\":{\"diff_ids\":[5]}}", "diff_ids", ERR_INVALID },
		{ "{\"history\":[5]}", "history", ERR_INVALID },
		{ "{\"os\":\"linux\",\"os\":\"linux\"}", "twice", ERR_INVALID },
		{ "not json", "JSON", ERR_INVALID },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_config *config = NULL;
		struct err err = ERR_NONE;

		if (config_parse(arena, rows[i].text, strlen(rows[i].text), SIZE_MAX, &config,
				 &err) == 0)
			fail_msg("taken: %s", rows[i].text);
		if (err.code != rows[i].code || !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void diff_ids_are_as_many_as_layers(void **state)
{
	static const char text[] = "{\"rootfs\":{\"diff_ids\":[\"" DIG "\"]}}";
	struct image_config *config;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(config_parse(arena, text, strlen(text), 1, &config, &err), 0);
	assert_int_equal(config_parse(arena, text, strlen(text), 2, &config, &err), -1);
	assert_non_null(strstr(err.msg, "1 entries for 2 layers"));
}

static void entrypoint_and_command_override_as_docker_has_it(void **state)
{
	static const char *const none[] = { NULL }, *const e[] = { "E", NULL },
				 *const c[] = { "C", NULL };
	struct image_config *both = parsed(IMAGE("\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]"));
	struct image_config *nothing = parsed(IMAGE(""));
	struct config_list no = list_of(none), entry = list_of(e), command = list_of(c), out;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(config_argv(arena, both, NULL, NULL, &out, &err), 0);
	ASSERT_LIST(&out, "e", "c");
	assert_null(out.items[out.count]);
	config_argv(arena, both, NULL, &command, &out, &err);
	ASSERT_LIST(&out, "e", "C");
	config_argv(arena, both, &entry, NULL, &out, &err);
	ASSERT_LIST(&out, "E");
	config_argv(arena, both, &entry, &command, &out, &err);
	ASSERT_LIST(&out, "E", "C");
	config_argv(arena, both, &no, NULL, &out, &err);
	ASSERT_LIST(&out, "c");
	config_argv(arena, both, NULL, &no, &out, &err);
	ASSERT_LIST(&out, "e");
	assert_int_equal(config_argv(arena, nothing, NULL, NULL, &out, &err), -1);
	assert_string_equal(err.msg, "no command given and the image has none");
	assert_int_equal(config_argv(arena, both, &no, &no, &out, &err), -1);
}

static void the_environment_is_merged_in_order(void **state)
{
	static const char *const service[] = { "B=service", "C", "NEW=1", "HOME=/mine" };
	struct image_config *config =
		parsed(IMAGE("\"Env\":[\"A=1\",\"B=2\",\"A=3\",\"C=4\",\"=x\",\"bad\",\"\"]"));
	const struct config_env_spec spec = { service, 4, "/root", "host", true };
	struct config_list out;

	(void)state;
	assert_int_equal(config->warnings.count, 3);
	config_environment(arena, config, &spec, &out);
	ASSERT_LIST(&out, "A=3", "B=service",
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		    "HOSTNAME=host", "HOME=/mine", "TERM=xterm", "NEW=1");
}

static void an_images_own_path_stays(void **state)
{
	struct image_config *config = parsed(IMAGE("\"Env\":[\"PATH=/x\"]"));
	const struct config_env_spec spec = { 0 };
	struct config_list out;

	(void)state;
	config_environment(arena, config, &spec, &out);
	ASSERT_LIST(&out, "PATH=/x");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, new_arena, drop_arena)
	const struct CMUnitTest tests[] = {
		TEST(every_field_is_read),
		TEST(null_and_absent_fields_are_nothing),
		TEST(a_wrong_type_is_refused_by_name),
		TEST(diff_ids_are_as_many_as_layers),
		TEST(entrypoint_and_command_override_as_docker_has_it),
		TEST(the_environment_is_merged_in_order),
		TEST(an_images_own_path_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

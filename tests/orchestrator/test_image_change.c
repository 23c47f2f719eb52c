/* tests/orchestrator/test_image_change - mirrors orchestrator/image_change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "orchestrator/image_change.h"

static char *changed(struct arena *arena, const char *const *changes, size_t count)
{
	const char *config = NULL;
	struct err err = ERR_NONE;

	if (image_change(arena, changes, count, &config, &err) < 0)
		return arena_format(arena, "E:%s", err.msg);
	return arena_strdup(arena, config);
}

static void instructions_become_the_config(void **state)
{
	static const char *const changes[] = {
		"CMD [\"serve\", \"-v\"]",
		"ENV A=b C=\"$A d\"",
		"EXPOSE 80 53/udp",
		"USER 1000:users",
		"WORKDIR /srv",
		"LABEL who=me",
		"VOLUME /data",
		"STOPSIGNAL SIGINT",
		"entrypoint [\"/init\"]",
	};
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	char *text = changed(arena, changes, sizeof(changes) / sizeof(changes[0]));
	struct json_object *config = json_parse("config", text, strlen(text), &err);

	(void)state;
	if (!config)
		fail_msg("%s", text);
	assert_string_equal(json_object_get_string(json_array_at(config, "Cmd")),
			    "[ \"serve\", \"-v\" ]");
	assert_string_equal(json_object_get_string(json_array_at(config, "Entrypoint")),
			    "[ \"\\/init\" ]");
	assert_non_null(strstr(text, "\"A=b\""));
	assert_non_null(strstr(text, "\"C= d\"")); /* what stood before the instruction counts */
	assert_non_null(strstr(text, "\"80/tcp\""));
	assert_non_null(strstr(text, "\"53/udp\""));
	assert_string_equal(json_text_or(config, "User", ""), "1000:users");
	assert_string_equal(json_text_or(config, "WorkingDir", ""), "/srv");
	assert_string_equal(json_text_or(config, "StopSignal", ""), "SIGINT");
	assert_string_equal(json_text_or(json_object_at(config, "Labels"), "who", ""), "me");
	assert_non_null(json_object_at(json_object_at(config, "Volumes"), "/data"));
	json_object_put(config);
	arena_free(arena);
}

static void what_needs_a_build_or_is_none_is_refused(void **state)
{
	static const struct {
		const char *change, *says;
	} rows[] = {
		{"RUN make",            "needs a build"  },
		{ "COPY a b",           "needs a build"  },
		{ "FROM scratch",       "FROM"           },
		{ "",                   "one instruction"},
		{ "CMD a\nCMD b",       "one instruction"},
		{ "EXPOSE 99999999",    "99999999"       },
		{ "NONSENSE x",         "NONSENSE"       },
		{ "STOPSIGNAL SIGNONE", "SIGNONE"        },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new();
		const char *text = changed(arena, &rows[i].change, 1);

		if (strncmp(text, "E:change \"", 10) != 0 || !strstr(text, rows[i].says))
			fail_msg("%s: %s", rows[i].change, text);
		arena_free(arena);
	}
}

static void no_change_is_an_empty_config(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(changed(arena, NULL, 0), "{}");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_become_the_config),
		cmocka_unit_test(what_needs_a_build_or_is_none_is_refused),
		cmocka_unit_test(no_change_is_an_empty_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/specs/test_config_view - mirrors specs/config_view, specs/explain and specs/yaml_write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "specs/config_view.h"
#include "tests/specs/load_text.h"

static const char file[] = "name: shop\n"
			   "services:\n"
			   "  web:\n"
			   "    image: app:${TAG:-1}\n"
			   "    x-note: {a: 1}\n"
			   "    profiles: []\n"
			   "  db: {build: .}\n"
			   "  off: {image: z, profiles: [p, o]}\n";

/* What a view prints for a text; the options' load flags are added. */
static const char *view(struct arena *arena, const char *text, struct config_options options)
{
	static const char *const env[] = { "B=2", "A=1", NULL };
	const struct load_options load = { .env = env, .flags = config_load_flags(&options) };
	struct load_result result;
	struct err err = ERR_NONE;
	const char *out = NULL;

	if (load_text(arena, text, &load, &result) < 0)
		fail_msg("%s", problem_text(arena, &result.problems.errors[0]));
	if (config_view(arena, &result, &options, &out, &err) < 0)
		return arena_strdup(arena, err.msg);
	return out;
}

static void lists_are_one_name_a_line(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(view(arena, file, (struct config_options){ .what = CONFIG_SERVICES }),
			    "db\nweb\n");
	assert_string_equal(view(arena, file, (struct config_options){ .what = CONFIG_NETWORKS }),
			    "default\n");
	assert_string_equal(view(arena, file, (struct config_options){ .what = CONFIG_IMAGES }),
			    "app:1\nshop-db\n");
	assert_string_equal(view(arena, file, (struct config_options){ .what = CONFIG_PROFILES }),
			    "o\np\n");
	assert_string_equal(
		view(arena, file, (struct config_options){ .what = CONFIG_ENVIRONMENT }),
		"A=1\nB=2\nCOMPOSE_PROJECT_NAME=shop\nPWD=/project\n");
	assert_string_equal(view(arena, file, (struct config_options){ .what = CONFIG_QUIET }), "");
	arena_free(arena);
}

static void variables_are_a_table_or_a_map(void **state)
{
	struct arena *arena = arena_new();
	const char *table = view(arena, file, (struct config_options){ .what = CONFIG_VARIABLES });
	const char *map = view(
		arena, file, (struct config_options){ .what = CONFIG_VARIABLES, .format = "json" });

	(void)state;
	assert_non_null(strstr(table, "NAME"));
	assert_non_null(strstr(table, "TAG"));
	assert_non_null(strstr(map, "\"DefaultValue\": \"1\""));
	arena_free(arena);
}

static void a_limit_of_nothing_is_two_halves_in_yaml_and_reads_back(void **state)
{
	static const char limits[] =
		"name: shop\nservices:\n  web: {image: a, ulimits: {core: 0}}\n";
	struct arena *arena = arena_new();
	const char *yaml = view(arena, limits, (struct config_options){ .what = CONFIG_MODEL });
	const char *json = view(arena, limits,
				(struct config_options){ .what = CONFIG_MODEL, .format = "json" });

	(void)state;
	assert_non_null(strstr(yaml, "core:\n        soft: 0\n        hard: 0\n"));
	assert_non_null(strstr(json, "\"core\": {}"));
	assert_string_equal(view(arena, yaml, (struct config_options){ .what = CONFIG_MODEL }),
			    yaml);
	arena_free(arena);
}

static void hashes_are_sorted_and_unknown_services_refused(void **state)
{
	struct arena *arena = arena_new();
	const char *all =
		view(arena, file, (struct config_options){ CONFIG_HASH, .hash_services = "*" });
	const char *two = view(arena, file,
			       (struct config_options){ CONFIG_HASH, .hash_services = "web,db" });

	(void)state;
	assert_string_equal(all, two);
	assert_true(strncmp(all, "db ", 3) == 0);
	assert_non_null(strstr(
		view(arena, file, (struct config_options){ CONFIG_HASH, .hash_services = "gone" }),
		"no such service: gone"));
	arena_free(arena);
}

static void unknown_formats_are_refused(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_non_null(
		strstr(view(arena, file, (struct config_options){ .format = "xml" }), "xml"));
	arena_free(arena);
}

static void digests_take_the_place_of_images(void **state)
{
	struct pair pair = { "app:1", "app:1@sha256:abc" };
	struct arena *arena = arena_new();
	struct config_options options = {
		.digests = {&pair, 1}
	};

	(void)state;
	assert_non_null(strstr(view(arena, file, options), "image: app:1@sha256:abc\n"));
	options.lock_only = true;
	assert_string_equal(view(arena, file, options),
			    "services:\n  db: {}\n  web:\n    image: app:1@sha256:abc\n");
	arena_free(arena);
}

static void explain_names_file_and_line_of_every_value(void **state)
{
	struct arena *arena = arena_new();
	const char *text = view(arena, file, (struct config_options){ .what = CONFIG_EXPLAIN });
	const char *line = strstr(text, "services.web.image: app:1");

	(void)state;
	assert_non_null(line);
	assert_true(strstr(line, "<stdin>:4\n") == strchr(line, '\n') - 9);
	line = strstr(text, "networks.default.name: shop_default");
	assert_non_null(line);
	assert_true(strstr(line, "default\n") != NULL);
	assert_non_null(strstr(text, "services.db.build.context: /project"));
	arena_free(arena);
}

static void yaml_text_has_quotes_where_a_reader_needs_them(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{"plain text",      "plain text"               },
		{ "\"\"",           "\"\""                     },
		{ "\"1\"",          "\"1\""                    },
		{ "\"yes\"",        "\"yes\""                  },
		{ "\"null\"",       "\"null\""                 },
		{ "\"2024-01-01\"", "\"2024-01-01\""           },
		{ "'a: b'",         "'a: b'"                   },
		{ "'#x'",           "'#x'"                     },
		{ "'it''s: x'",     "'it''s: x'"               },
		{ "\"a\\tb\"",      "\"a\\tb\""                },
		{ "\"l1\\nl2\\n\"", "|\n        l1\n        l2"},
		{ "'- x'",          "'- x'"                    },
		{ "-x",             "-x"                       },
		{ "\"\\e[0m\"",     "\"\\x1b[0m\""             },
		{ "'x '",           "'x '"                     },
		{ "a#b",            "a#b"                      },
		{ "\"1:30\"",       "\"1:30\""                 },
		{ "\"0x1F\"",       "\"0x1F\""                 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		const char *text =
			view(arena,
			     arena_format(arena, "services: {a: {image: x, labels: {l: %s}}}\n",
					  rows[i].value),
			     (struct config_options){ 0 });
		const char *want = arena_format(arena, "        l: %s\n", rows[i].want);

		if (!strstr(text, want + 2))
			fail_msg("%s: %s", rows[i].value, text);
		arena_free(arena);
	}
}

static void nested_extensions_are_in_yaml_alone(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_non_null(strstr(view(arena, file, (struct config_options){ 0 }), "x-note"));
	assert_null(
		strstr(view(arena, file, (struct config_options){ .format = "json" }), "x-note"));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_one_name_a_line),
		cmocka_unit_test(variables_are_a_table_or_a_map),
		cmocka_unit_test(a_limit_of_nothing_is_two_halves_in_yaml_and_reads_back),
		cmocka_unit_test(hashes_are_sorted_and_unknown_services_refused),
		cmocka_unit_test(unknown_formats_are_refused),
		cmocka_unit_test(digests_take_the_place_of_images),
		cmocka_unit_test(explain_names_file_and_line_of_every_value),
		cmocka_unit_test(yaml_text_has_quotes_where_a_reader_needs_them),
		cmocka_unit_test(nested_extensions_are_in_yaml_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

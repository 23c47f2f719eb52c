/* tests/images/dockerfile/test_scope - mirrors images/dockerfile/scope. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "images/dockerfile/scope.h"

#define VALUE_IS(scope, name, want) assert_string_equal(df_scope_get(scope, name), want)

static const struct df_build_arg given[] = {
	{"A",		  "cli"     },
        { "HTTP_PROXY",        "http://p"},
        { "NOPE",              "1"       },
        { "X",                 NULL      },
	{ "NOPE",              "2"       },
        { "SOURCE_DATE_EPOCH", "0"       }
};
static const struct df_build_arg platform[] = {
	{"TARGETARCH", "amd64"}
};

static struct df_inputs inputs_in(struct arena *arena)
{
	return (struct df_inputs){ arena, given, 6, platform, 1 };
}

static void env_beats_arg_and_build_args_beat_defaults(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_inputs inputs = inputs_in(arena);
	struct df_scope *stage = df_scope_new_stage(df_scope_new_global(&inputs), NULL);

	(void)state;
	assert_null(df_scope_get(stage, "A")); /* given, but not declared */
	df_scope_declare(stage, "A", "default");
	VALUE_IS(stage, "A", "cli");
	df_scope_declare(stage, "B", "default");
	VALUE_IS(stage, "B", "default");
	df_scope_declare(stage, "X", "default"); /* "--build-arg X" with no variable to take */
	VALUE_IS(stage, "X", "default");
	df_scope_set_env(stage, "A", "env");
	VALUE_IS(stage, "A", "env");
	df_scope_declare(stage, "A", "later");
	VALUE_IS(stage, "A", "env");
	df_scope_declare(stage, "N", NULL);
	assert_null(df_scope_get(stage, "N"));
	VALUE_IS(stage, "HTTP_PROXY", "http://p");
	assert_null(df_scope_get(stage, "http_proxy"));
}

static void global_args_need_a_declaration_in_the_stage(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_inputs inputs = inputs_in(arena);
	struct df_scope *global = df_scope_new_global(&inputs), *stage;

	(void)state;
	df_scope_declare(global, "VERSION", "1");
	df_scope_declare(global, "A", "default");
	VALUE_IS(global, "VERSION", "1");
	VALUE_IS(global, "A", "cli");
	VALUE_IS(global, "TARGETARCH", "amd64");
	stage = df_scope_new_stage(global, NULL);
	assert_null(df_scope_get(stage, "VERSION"));
	assert_null(df_scope_get(stage, "TARGETARCH"));
	df_scope_declare(stage, "VERSION", NULL);
	df_scope_declare(stage, "TARGETARCH", NULL);
	VALUE_IS(stage, "VERSION", "1");
	VALUE_IS(stage, "TARGETARCH", "amd64");
	df_scope_declare(stage, "VERSION", "2");
	VALUE_IS(stage, "VERSION", "2");
	df_scope_declare(global, "TARGETARCH", NULL);
	VALUE_IS(global, "TARGETARCH", "amd64");
}

static void a_stage_inherits_what_its_parent_had(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_inputs inputs = inputs_in(arena);
	struct df_scope *global = df_scope_new_global(&inputs), *parent, *child;

	(void)state;
	parent = df_scope_new_stage(global, NULL);
	df_scope_declare(parent, "B", "b");
	df_scope_set_env(parent, "E", "e");
	child = df_scope_new_stage(global, parent);
	VALUE_IS(child, "B", "b");
	VALUE_IS(child, "E", "e");
	df_scope_set_env(child, "E", "other");
	VALUE_IS(parent, "E", "e");
	df_scope_set_env(parent, "LATE", "1");
	assert_null(df_scope_get(child, "LATE"));
}

static void environments_are_sorted_and_proxies_stay_out_of_keys(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_inputs inputs = inputs_in(arena);
	struct df_scope *stage = df_scope_new_stage(df_scope_new_global(&inputs), NULL);
	const char **texts;
	size_t count;

	(void)state;
	df_scope_set_env(stage, "Z", "z");
	df_scope_declare(stage, "A", NULL);
	df_scope_declare(stage, "NOTHING", NULL);
	df_scope_declare(stage, "Z", "arg");
	texts = df_scope_environment(stage, 0, &count);
	assert_int_equal(count, 2);
	assert_string_equal(texts[0], "A=cli");
	assert_string_equal(texts[1], "Z=z");
	texts = df_scope_environment(stage, DF_SCOPE_WITH_PROXIES, &count);
	assert_int_equal(count, 3);
	assert_string_equal(texts[1], "HTTP_PROXY=http://p");
	assert_null(texts[3]);
	df_scope_declare(stage, "HTTP_PROXY", NULL); /* declared: now it counts */
	texts = df_scope_environment(stage, 0, &count);
	assert_int_equal(count, 3);
	texts = df_scope_args(stage, &count);
	assert_int_equal(count, 3);
	assert_string_equal(texts[2], "Z=arg");
}

static void build_args_that_nobody_declared_are_named_once(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_inputs inputs = inputs_in(arena);
	struct df_scope *global = df_scope_new_global(&inputs);
	const char **names;
	size_t count;

	(void)state;
	names = df_scope_unused(global, &count);
	assert_int_equal(count, 3);
	df_scope_declare(df_scope_new_stage(global, NULL), "A", NULL);
	df_scope_declare(global, "X", NULL);
	names = df_scope_unused(global, &count);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "NOPE");
	assert_null(names[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(env_beats_arg_and_build_args_beat_defaults),
		cmocka_unit_test(global_args_need_a_declaration_in_the_stage),
		cmocka_unit_test(a_stage_inherits_what_its_parent_had),
		cmocka_unit_test(environments_are_sorted_and_proxies_stay_out_of_keys),
		cmocka_unit_test(build_args_that_nobody_declared_are_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/specs/test_load - mirrors specs/load: the public entry as somebody who embeds it would use
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/specs/load_text.h"

static bool has_error(const struct load_result *result, const char *path, const char *part)
{
	for (size_t i = 0; i < result->problems.error_count && i < PROBLEMS_MAX; i++)
		if (strcmp(result->problems.errors[i].path, path) == 0 &&
		    strstr(result->problems.errors[i].message, part))
			return true;
	return false;
}

static void all_errors_of_a_file_come_in_one_go(void **state)
{
	static const char text[] = "services:\n"
				   "  a:\n"
				   "    imagee: x\n"
				   "    privileged: maybe\n"
				   "    ports: [\"99999:80\"]\n"
				   "  b:\n"
				   "    image: app\n"
				   "    mem_limit: 5parsecs\n";
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	assert_int_equal(load_text(arena, text, NULL, &result), -1);
	assert_int_equal(result.problems.error_count, 4);
	assert_true(has_error(&result, "services.a", "did you mean \"image\"?"));
	assert_true(has_error(&result, "services.a.privileged", "maybe"));
	assert_true(has_error(&result, "services.a.ports[0]", "99999"));
	assert_true(has_error(&result, "services.b.mem_limit", "parsecs"));
	assert_null(result.project);
	arena_free(arena);
}

static void references_are_checked_all_together(void **state)
{
	static const char text[] =
		"services:\n"
		"  a: {image: x, networks: [n], volumes: ['v:/v'], secrets: [s]}\n"
		"  b: {depends_on: [gone]}\n";
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	assert_int_equal(load_text(arena, text, NULL, &result), -1);
	assert_true(has_error(&result, "services.a.networks", "\"n\""));
	assert_true(has_error(&result, "services.a.volumes[0]", "\"v\""));
	assert_true(has_error(&result, "services.a.secrets[0]", "\"s\""));
	assert_true(has_error(&result, "services.b", "neither image nor build"));
	assert_true(has_error(&result, "services.b.depends_on.gone", "not declared"));
	arena_free(arena);
}

static void at_most_twenty_errors_are_kept_and_all_are_counted(void **state)
{
	char text[4096] = "services:\n", line[64];
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(line, sizeof(line), "  s%d: {image: a, odd%d: 1}\n", i, i);
		strcat(text, line);
	}
	assert_int_equal(load_text(arena, text, NULL, &result), -1);
	assert_int_equal(result.problems.error_count, 30);
	arena_free(arena);
}

static void a_message_shows_place_path_and_caret(void **state)
{
	struct arena *arena = arena_new();
	struct load_result result;
	struct err err = ERR_NONE;

	(void)state;
	load_text(arena, "services:\n  a: {image: x, tty: maybe}\n", NULL, &result);
	assert_string_equal(problem_text(arena, &result.problems.errors[0]),
			    "<stdin>:2:22: services.a.tty: want true or false, here is text: "
			    "\"maybe\"\n"
			    "    a: {image: x, tty: maybe}\n"
			    "                       ^");
	assert_int_equal(load_result_error(&result, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "<stdin>:2:22: services.a.tty:"));
	arena_free(arena);
}

static void control_characters_never_reach_a_message(void **state)
{
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	load_text(arena, "services: {\"a\\eb\": {image: x, user: [1]}}\n", NULL, &result);
	for (const char *c = problem_text(arena, &result.problems.errors[0]); *c; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t');
	arena_free(arena);
}

static void the_environment_is_what_the_caller_hands_in(void **state)
{
	static const char *const env[] = { "TAG=9", "HOME=/home/u", NULL };
	const struct load_options options = { .env = env, .uid = 1000, .gid = 100 };
	struct arena *arena = arena_new();
	struct load_result result;
	const struct service *service;

	(void)state;
	setenv("STACK_TEST_LEAK", "leaked", 1);
	assert_int_equal(load_text(arena,
				   "services:\n"
				   "  a:\n"
				   "    image: app:$TAG\n"
				   "    user: \"${UID}:${GID}\"\n"
				   "    environment: [STACK_TEST_LEAK, TAG]\n"
				   "    volumes: ['~/x:/x']\n"
				   "    labels: {l: \"${STACK_TEST_LEAK-none}\"}\n",
				   &options, &result),
			 0);
	service = project_find_service(result.project, "a");
	assert_string_equal(service->image, "app:9");
	assert_string_equal(service->user, "1000:100");
	assert_string_equal(service->environment.items[0].name, "STACK_TEST_LEAK");
	assert_null(service->environment.items[0].value);
	assert_string_equal(pairs_get(&service->environment, "TAG"), "9");
	assert_string_equal(service->volumes[0].source, "/home/u/x");
	assert_string_equal(pairs_get(&service->labels, "l"), "none");
	arena_free(arena);
}

static void a_name_alone_needs_no_file(void **state)
{
	const struct load_options options = {
		.working_dir = "/nonexistent",
		.project_name = "shop",
		.flags = LOAD_NAME_ONLY,
	};
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	assert_int_equal(project_load(arena, &options, &result), 0);
	assert_string_equal(result.name, "shop");
	assert_null(result.project);
	arena_free(arena);
}

static void a_missing_file_is_not_found(void **state)
{
	static const char *const file = "gone.yml";
	const struct load_options options = {
		.working_dir = "/nonexistent",
		.files = &file,
		.file_count = 1,
	};
	struct arena *arena = arena_new();
	struct load_result result;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(project_load(arena, &options, &result), -1);
	assert_int_equal(load_result_error(&result, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "gone.yml"));
	arena_free(arena);
}

static void services_that_are_off_stay_known(void **state)
{
	struct arena *arena = arena_new();
	const struct project *project =
		load_good(arena, "services: {b: {image: x, profiles: [p]}, a: {image: x}}\n");

	(void)state;
	assert_int_equal(project->service_count, 1);
	assert_null(project_find_service(project, "b"));
	assert_non_null(project_find_disabled(project, "b"));
	arena_free(arena);
}

static void secrets_from_the_environment_have_values_beside_the_model(void **state)
{
	static const char *const env[] = { "TOKEN=t0p", "CONF=text", NULL };
	const struct load_options options = { .env = env };
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	assert_int_equal(
		load_text(arena,
			  "services: {a: {image: x, secrets: [s], configs: [c]}}\n"
			  "secrets: {s: {environment: TOKEN}}\nconfigs: {c: {environment: CONF}}\n",
			  &options, &result),
		0);
	assert_string_equal(project_find_secret(result.project, "s")->value, "t0p");
	assert_string_equal(project_find_config(result.project, "c")->content, "text");
	arena_free(arena);
}

static void two_loads_share_nothing(void **state)
{
	struct arena *first = arena_new(), *second = arena_new();
	struct project *one = load_good(first, "services: {a: {image: x}}\n");
	struct project *two = load_good(second, "services: {a: {image: y}}\n");

	(void)state;
	arena_free(second);
	assert_string_equal(one->services[0].image, "x");
	(void)two;
	arena_free(first);
}

static void circles_are_named(void **state)
{
	struct arena *arena = arena_new();
	struct load_result result;

	(void)state;
	load_text(arena,
		  "services: {a: {image: x, depends_on: [b]}, b: {image: x, links: [c]},\n"
		  "  c: {image: x, network_mode: 'service:a'}}\n",
		  NULL, &result);
	assert_int_equal(result.problems.errors[0].kind, PROBLEM_CYCLE);
	assert_non_null(strstr(result.problems.errors[0].message, "a -> b -> c -> a"));
	arena_free(arena);
}

static void long_chains_of_dependencies_are_no_trouble(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct arena *arena = arena_new();
	const struct project *project;

	(void)state;
	fputs("services:\n", out);
	for (int i = 0; i < 3000; i++)
		fprintf(out, "  s%04d: {image: x, depends_on: [s%04d]}\n", i, i + 1);
	fputs("  s3000: {image: x}\n", out);
	fclose(out);
	project = load_good(arena, text);
	assert_int_equal(project->service_count, 3001);
	free(text);
	arena_free(arena);
}

/* A text of many lines; %d in the format is the number of the line. */
static char *many_lines(const char *head, const char *format, int count, const char *tail)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	fputs(head, out);
	for (int i = 0; i < count; i++) {
		char number[16], *line = strdup(format), *at;

		snprintf(number, sizeof(number), "%05d", i);
		while ((at = strstr(line, "#####")))
			memcpy(at, number, 5);
		fputs(line, out);
		free(line);
	}
	fputs(tail, out);
	fclose(out);
	return text;
}

static void check_limit(char *text, const char *part)
{
	struct arena *arena = arena_new();
	struct load_result result;

	assert_int_equal(load_text(arena, text, NULL, &result), -1);
	assert_int_equal(result.problems.errors[0].kind, PROBLEM_LIMIT);
	assert_non_null(strstr(result.problems.errors[0].message, part));
	arena_free(arena);
	free(text);
}

static void hostile_sizes_are_refused(void **state)
{
	(void)state;
	check_limit(many_lines("services:\n", "  s#####: {image: x}\n", 10001, ""),
		    "10000 services");
	check_limit(many_lines("services:\n", "  s#####: {image: x, user: !reset u}\n", 5001, ""),
		    "5000 tags");
	check_limit(many_lines("x: [", "x#####,", 400001, "]\n"), "too many values");
}

static void long_chains_of_bases_are_refused(void **state)
{
	char *text = strdup("services:\n  s0: {image: x}\n"), *more;

	(void)state;
	for (int i = 150; i > 0; i--) {
		if (asprintf(&more, "%s  s%d: {extends: s%d}\n", text, i, i - 1) < 0)
			abort();
		free(text);
		text = more;
	}
	check_limit(text, "bases of bases");
}

static void large_lists_and_maps_take_no_square_of_their_size(void **state)
{
	struct arena *arena = arena_new();
	char *text = many_lines("services: {a: {image: x, labels: [\n",
				"l#####=1, 'm#####=${V#####-x}',\n", 30000, "]}}\n");
	const struct project *project = load_good(arena, text);

	(void)state;
	assert_int_equal(project->services[0].labels.count, 60000);
	assert_string_equal(pairs_get(&project->services[0].labels, "m29999"), "x");
	free(text);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_errors_of_a_file_come_in_one_go),
		cmocka_unit_test(references_are_checked_all_together),
		cmocka_unit_test(at_most_twenty_errors_are_kept_and_all_are_counted),
		cmocka_unit_test(a_message_shows_place_path_and_caret),
		cmocka_unit_test(control_characters_never_reach_a_message),
		cmocka_unit_test(the_environment_is_what_the_caller_hands_in),
		cmocka_unit_test(a_name_alone_needs_no_file),
		cmocka_unit_test(a_missing_file_is_not_found),
		cmocka_unit_test(services_that_are_off_stay_known),
		cmocka_unit_test(secrets_from_the_environment_have_values_beside_the_model),
		cmocka_unit_test(two_loads_share_nothing),
		cmocka_unit_test(circles_are_named),
		cmocka_unit_test(long_chains_of_dependencies_are_no_trouble),
		cmocka_unit_test(hostile_sizes_are_refused),
		cmocka_unit_test(long_chains_of_bases_are_refused),
		cmocka_unit_test(large_lists_and_maps_take_no_square_of_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/cli/test_options - mirrors orchestrator/cli/options and help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "orchestrator/cli/help.h"
#include "orchestrator/cli/options.h"

#define WORDS(...)                                                                                 \
	(int)(sizeof((char *[]){ "stack", __VA_ARGS__ }) / sizeof(char *)), (char *[])             \
	{                                                                                          \
		"stack", __VA_ARGS__, NULL                                                         \
	}

static int nothing(struct cli *cli, const struct options *options, struct err *err)
{
	(void)cli;
	(void)options;
	(void)err;
	return 0;
}

/* clang-format off */
static const struct option_row global_rows[] = {
	OPT_LIST("file", 'f', "FILE", "Compose file", .env = "COMPOSE_FILE", .flags = OPTION_PATHS),
	OPT_TEXT("project-name", 'p', "NAME", "Name of the project", .env = "COMPOSE_PROJECT_NAME"),
	OPT_LIST("profile", 0, "PROFILE", "Switch a profile on", .env = "COMPOSE_PROFILES"),
	OPT_NUMBER("parallel", 0, "N", "Jobs at once", .fallback = "-1", .min = -1, .max = 1000,
		   .env = "COMPOSE_PARALLEL_LIMIT"),
	OPT_CHOICE("ansi", 0, "never|always|auto", "Colours", .fallback = "auto", .env = "COMPOSE_ANSI"),
	OPT_FLAG("dry-run", 0, "Show the steps only"),
	OPT_FLAG("verbose", 0, "Say more", .flags = OPTION_HIDDEN),
	OPT_END
};
static const struct option_row up_rows[] = {
	OPT_FLAG("detach", 'd', "Return when all has started"),
	OPT_FLAG("menu", 0, "Offer keys", .fallback = "true", .env = "COMPOSE_MENU"),
	OPT_NUMBER("timeout", 't', "SECONDS", "Time to stop"),
	OPT_CHOICE("pull", 0, "always|missing|never", "When to pull"),
	OPT_LIST("scale", 0, "SERVICE=N", "Replicas"),
	OPT_FLAG("wait", 'w', "Wait until healthy"),
	OPT_END
};
static const struct option_row exec_rows[] = {
	OPT_FLAG("detach", 'd', "In the background"),
	OPT_FLAG("no-tty", 'T', "No terminal", .alias = "no-TTY"),
	OPT_LIST("env", 'e', "KEY[=VALUE]", "Set a variable"),
	OPT_TEXT("file", 0, "FILE", "One of its own"),
	OPT_END
};
static const char *const examples[] = { "stack up -d", "start all in the background", NULL };
static const struct command image_commands[] = {
	{ .name = "ls", .alias = "list|dir", .summary = "List images", .run = nothing, .examples = examples,
	  .arguments_max = 1 },
	{ .name = NULL },
};
static const struct command commands[] = {
	{ .name = "up", .arguments = "[SERVICE...]", .summary = "Make and start", .options = up_rows,
	  .run = nothing, .arguments_max = ARGUMENTS_ANY, .examples = examples, .heading = "Life cycle" },
	{ .name = "exec", .arguments = "SERVICE COMMAND", .summary = "Enter", .options = exec_rows,
	  .run = nothing, .arguments_min = 2, .arguments_max = ARGUMENTS_ANY, .flags = COMMAND_STOPS,
	  .examples = examples },
	{ .name = "version", .summary = "Tell the version", .run = nothing, .examples = examples },
	{ .name = "image", .summary = "Images", .children = image_commands },
	{ .name = "secretly", .summary = "Not shown", .run = nothing, .flags = COMMAND_HIDDEN },
	{ .name = NULL },
};
static const struct command root = { .name = "stack", .summary = "Runs what a file describes",
	.options = global_rows, .children = commands };
/* clang-format on */

static struct options *parsed(int argc, char **argv)
{
	struct options *options = options_new(&root);
	struct err err = ERR_NONE;

	if (options_parse(options, argc, argv, &err) < 0)
		fail_msg("%s", err.msg);
	return options;
}

static void flags_stand_before_and_behind_arguments(void **state)
{
	AUTO(options)
	struct options *o = parsed(WORDS("-f", "a.yml", "--file=b.yml", "up", "web", "-d", "db",
					 "-t", "5", "-fc.yml"));
	size_t count = 0;

	(void)state;
	assert_string_equal(options_command(o)->name, "up");
	assert_string_equal(options_path(o), "stack up");
	assert_int_equal(options_argument_count(o), 2);
	assert_string_equal(options_argument(o, 0), "web");
	assert_string_equal(options_arguments(o)[1], "db");
	assert_null(options_argument(o, 2));
	assert_true(options_flag(o, "detach"));
	assert_int_equal(options_number(o, "timeout"), 5);
	assert_string_equal(options_list(o, "file", &count)[2], "c.yml");
	assert_int_equal(count, 3);
	assert_null(options_list(o, "file", NULL)[3]);
}

static void booleans_have_three_states(void **state)
{
	AUTO(options) struct options *absent = parsed(WORDS("up"));
	AUTO(options) struct options *on = parsed(WORDS("up", "--menu"));
	AUTO(options) struct options *off = parsed(WORDS("up", "--menu=false", "-d=0"));

	(void)state;
	assert_true(options_flag(absent, "menu")); /* its default */
	assert_false(options_is_given(absent, "menu"));
	assert_true(options_flag(on, "menu") && options_is_given(on, "menu"));
	assert_false(options_flag(off, "menu"));
	assert_true(options_is_given(off, "menu"));
	assert_false(options_flag(off, "detach"));
}

static void short_flags_join(void **state)
{
	AUTO(options) struct options *o = parsed(WORDS("up", "-dwt7", "-t=8"));

	(void)state;
	assert_true(options_flag(o, "detach") && options_flag(o, "wait"));
	assert_int_equal(options_number(o, "timeout"), 8); /* the last one wins */
}

static void exec_leaves_the_command_alone(void **state)
{
	AUTO(options)
	struct options *o =
		parsed(WORDS("exec", "-dT", "-e", "A=1", "web", "ls", "-d", "--", "--nope", "-f"));

	(void)state;
	assert_int_equal(options_argument_count(o), 6);
	assert_string_equal(options_argument(o, 2), "-d");
	assert_string_equal(options_argument(o, 3), "--");
	assert_string_equal(options_argument(o, 5), "-f");
	assert_true(options_flag(o, "no-tty"));
	assert_string_equal(options_list(o, "env", NULL)[0], "A=1");
}

static void argv_may_be_overwritten(void **state)
{
	char project[] = "shop", service[] = "web";
	char *argv[] = { "stack", "-p", project, "up", service, NULL };
	AUTO(options) struct options *o = parsed(5, argv);

	(void)state;
	memset(project, 'x', 4); /* as a process does that changes its title */
	memset(service, 'x', 3);
	assert_string_equal(options_text(o, "project-name"), "shop");
	assert_string_equal(options_argument(o, 0), "web");
}

static void two_dashes_end_the_flags(void **state)
{
	AUTO(options) struct options *o = parsed(WORDS("up", "--", "-d", "--wait"));

	(void)state;
	assert_false(options_flag(o, "detach"));
	assert_int_equal(options_argument_count(o), 2);
	assert_string_equal(options_argument(o, 1), "--wait");
}

static void inner_names_hide_global_ones(void **state)
{
	AUTO(options)
	struct options *o = parsed(WORDS("-f", "global.yml", "exec", "--file", "own", "web", "id"));

	(void)state;
	assert_string_equal(options_text(o, "file"), "own");
	assert_string_equal(options_list(options_globals(o), "file", NULL)[0], "global.yml");
}

static void groups_and_aliases(void **state)
{
	AUTO(options) struct options *o = parsed(WORDS("image", "dir", "nginx"));
	AUTO(options) struct options *group = parsed(WORDS("image"));
	AUTO(options) struct options *help = parsed(WORDS("help", "image", "ls"));

	(void)state;
	assert_string_equal(options_path(o), "stack image ls");
	assert_false(options_wants_help(o));
	assert_true(options_wants_help(group));
	assert_true(options_wants_help(help));
	assert_string_equal(options_command(help)->name, "ls");
}

static void numbers_and_defaults(void **state)
{
	AUTO(options) struct options *o = parsed(WORDS("up"));
	AUTO(options) struct options *given = parsed(WORDS("--parallel", "-1", "up", "-t", "-1"));

	(void)state;
	assert_int_equal(options_number(o, "parallel"), -1);
	assert_int_equal(options_number(o, "timeout"), 0);
	assert_false(options_is_set(o, "timeout"));
	assert_int_equal(options_number(given, "timeout"), -1);
	assert_string_equal(options_text(o, "ansi"), "auto");
	assert_null(options_text(o, "project-name"));
	assert_null(options_text(o, "pull"));
}

static const char *fake_environment(void *ctx, const char *name)
{
	const char *const *pairs = ctx;

	for (; *pairs; pairs += 2)
		if (strcmp(pairs[0], name) == 0)
			return pairs[1];
	return NULL;
}

static void variables_fill_what_was_not_given(void **state)
{
	const char *first[] = { "COMPOSE_FILE",
				"a.yml::b.yml",
				"COMPOSE_PROFILES",
				"x,y",
				"COMPOSE_PROJECT_NAME",
				"",
				"COMPOSE_MENU",
				"0",
				NULL };
	const char *second[] = { "COMPOSE_PROJECT_NAME",
				 "shop",
				 "COMPOSE_PROFILES",
				 "z",
				 "COMPOSE_PARALLEL_LIMIT",
				 "3",
				 NULL };
	AUTO(options) struct options *o = parsed(WORDS("--ansi", "never", "up"));
	struct err err = ERR_NONE;
	size_t count = 0;

	(void)state;
	assert_int_equal(options_apply_env(o, fake_environment, first, &err), 0);
	assert_int_equal(options_apply_env(o, fake_environment, second, &err), 0);
	assert_string_equal(options_list(o, "file", &count)[1], "b.yml");
	assert_int_equal(count, 2);
	assert_string_equal(options_list(o, "profile", &count)[1], "y");
	assert_int_equal(count, 2);
	assert_string_equal(options_text(o, "project-name"), "shop");
	assert_int_equal(options_number(o, "parallel"), 3);
	assert_false(options_flag(o, "menu"));
	assert_true(options_is_set(o, "menu") && !options_is_given(o, "menu"));
}

static void a_separator_of_ones_own(void **state)
{
	const char *pairs[] = { "COMPOSE_FILE", "a:b.yml;c.yml", "COMPOSE_PATH_SEPARATOR", ";",
				NULL };
	const char *bad[] = { "COMPOSE_ANSI", "pink", NULL };
	AUTO(options) struct options *o = parsed(WORDS("up"));
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(options_apply_env(o, fake_environment, pairs, &err), 0);
	assert_string_equal(options_list(o, "file", NULL)[0], "a:b.yml");
	assert_int_equal(options_apply_env(o, fake_environment, bad, &err), -1);
	assert_string_equal(err.msg, "COMPOSE_ANSI: --ansi: \"pink\" is none of never|always|auto");
}

static void mistakes_are_named(void **state)
{
	/* clang-format off */
	static const struct {
		const char *words[6];
		enum err_code code;
		const char *message;
	} rows[] = {
		{ { "up", "--detahc" },
		  ERR_INVALID,
		  "unknown flag: --detahc (did you mean --detach?); see 'stack up --help'" },
		{ { "up", "--zzzzzz" }, ERR_INVALID, "unknown flag: --zzzzzz; see 'stack up --help'" },
		{ { "up", "-dZ" }, ERR_INVALID, "unknown flag: -Z in -dZ; see 'stack up --help'" },
		{ { "up", "--pull" },
		  ERR_INVALID,
		  "--pull needs a value: always|missing|never; see 'stack up --help'" },
		{ { "up", "--pull", "allways" },
		  ERR_INVALID,
		  "--pull: \"allways\" is none of always|missing|never; see 'stack up --help'" },
		{ { "up", "-t", "soon" },
		  ERR_INVALID,
		  "--timeout: \"soon\" is no whole number; see 'stack up --help'" },
		{ { "--parallel", "-2", "up" },
		  ERR_INVALID,
		  "--parallel: -2 is outside -1..1000; see 'stack --help'" },
		{ { "up", "--detach=maybe" },
		  ERR_INVALID,
		  "--detach: \"maybe\" is neither true nor false; see 'stack up --help'" },
		{ { "upp" }, ERR_NOT_FOUND, "unknown command: stack upp (did you mean \"stack up\"?)" },
		{ { "image", "lss" },
		  ERR_NOT_FOUND,
		  "unknown command: stack image lss (did you mean \"stack image ls\"?)" },
		{ { "frobnicate" }, ERR_NOT_FOUND, "unknown command: stack frobnicate" },
		{ { "exec", "web" },
		  ERR_INVALID,
		  "\"stack exec\" needs at least 2 arguments: stack exec SERVICE COMMAND; see 'stack exec "
		  "--help'" },
		{ { "version", "x" },
		  ERR_INVALID,
		  "\"stack version\" takes no arguments, but got \"x\"; see 'stack version --help'" },
		{ { "image", "ls", "a", "b" },
		  ERR_INVALID,
		  "\"stack image ls\" takes at most 1 argument, but got 2; see 'stack image ls --help'" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(options) struct options *o = options_new(&root);
		char *argv[8] = { "stack" };
		struct err err = ERR_NONE;
		int argc = 1;

		for (size_t w = 0; rows[i].words[w]; w++)
			argv[argc++] = (char *)(uintptr_t)rows[i].words[w];
		assert_int_equal(options_parse(o, argc, argv, &err), -1);
		assert_string_equal(err.msg, rows[i].message);
		assert_int_equal(err.code, rows[i].code);
	}
}

static void help_wins_over_missing_arguments(void **state)
{
	AUTO(options) struct options *o = parsed(WORDS("exec", "--help"));
	AUTO(options) struct options *none = options_new(&root);
	char *argv[] = { "stack", NULL };
	struct err err = ERR_NONE;

	(void)state;
	assert_true(options_wants_help(o));
	assert_int_equal(options_parse(none, 1, argv, &err), 0);
	assert_true(options_wants_help(none));
}

static char *help_of(const struct options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	help_print(out, options);
	fclose(out);
	return text;
}

static void help_shows_the_table(void **state)
{
	AUTO(options) struct options *up = parsed(WORDS("up", "-h"));
	AUTO(options) struct options *top = parsed(WORDS("--help"));
	AUTO(free) char *up_text = help_of(up);
	AUTO(free) char *top_text = help_of(top);

	(void)state;
	assert_string_equal(
		up_text,
		"Usage:  stack up [OPTIONS] [SERVICE...]\n"
		"\n"
		"Make and start\n"
		"\n"
		"Options:\n"
		"  -d, --detach                     Return when all has started\n"
		"      --menu                       Offer keys (default true) [$COMPOSE_MENU]\n"
		"  -t, --timeout SECONDS            Time to stop\n"
		"      --pull always|missing|never  When to pull\n"
		"      --scale SERVICE=N            Replicas (may be repeated)\n"
		"  -w, --wait                       Wait until healthy\n"
		"\n"
		"Examples:\n"
		"  stack up -d  start all in the background\n"
		"\n"
		"Global options: see 'stack --help'.\n");
	assert_non_null(strstr(top_text, "Usage:  stack [OPTIONS] COMMAND\n"));
	assert_non_null(
		strstr(top_text, "\nLife cycle:\n  up       Make and start\n\nCommands:\n"));
	assert_non_null(strstr(top_text, "\nGlobal options:\n"));
	assert_null(strstr(top_text, "secretly"));
	assert_null(strstr(top_text, "verbose"));
}

static void tables_are_checked(void **state)
{
	/* clang-format off */
	static const struct option_row doubled[] = { OPT_FLAG("a", 'a', "x"), OPT_FLAG("b", 'a', "x"), OPT_END };
	static const struct option_row no_help[] = { OPT_FLAG("a", 0, NULL), OPT_END };
	static const struct option_row bad_default[] = {
		OPT_CHOICE("a", 0, "x|y", "help", .fallback = "z"), OPT_END };
	static const struct command no_example = { .name = "stack", .summary = "x", .run = nothing };
	static const struct { const struct option_row *rows; const char *message; } rows[] = {
		{ doubled,     "stack: -a stands for --a and --b" },
		{ no_help,     "stack: --a has no help" },
		{ bad_default, "stack: --a: its default is none of its words" },
	};
	/* clang-format on */
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(options_check(&root, &err), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command bad = { .name = "stack",
				       .summary = "x",
				       .run = nothing,
				       .examples = examples,
				       .options = rows[i].rows };

		assert_int_equal(options_check(&bad, &err), -1);
		assert_string_equal(err.msg, rows[i].message);
	}
	assert_int_equal(options_check(&no_example, &err), -1);
	assert_string_equal(err.msg, "stack: no example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_stand_before_and_behind_arguments),
		cmocka_unit_test(booleans_have_three_states),
		cmocka_unit_test(short_flags_join),
		cmocka_unit_test(exec_leaves_the_command_alone),
		cmocka_unit_test(argv_may_be_overwritten),
		cmocka_unit_test(two_dashes_end_the_flags),
		cmocka_unit_test(inner_names_hide_global_ones),
		cmocka_unit_test(groups_and_aliases),
		cmocka_unit_test(numbers_and_defaults),
		cmocka_unit_test(variables_fill_what_was_not_given),
		cmocka_unit_test(a_separator_of_ones_own),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(help_wins_over_missing_arguments),
		cmocka_unit_test(help_shows_the_table),
		cmocka_unit_test(tables_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

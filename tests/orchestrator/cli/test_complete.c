/* tests/orchestrator/cli/test_complete - mirrors orchestrator/cli/complete and manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/cli/complete.h"
#include "orchestrator/cli/manual.h"

static int nothing(struct cli *cli, const struct options *options, struct err *err)
{
	(void)cli;
	(void)options;
	(void)err;
	return 0;
}

/* clang-format off */
static const struct option_row global_rows[] = {
	OPT_LIST("file", 'f', "FILE", "Compose file"),
	OPT_TEXT("root", 0, "DIR", "State folder"),
	OPT_END
};
static const struct option_row up_rows[] = {
	OPT_FLAG("detach", 'd', "In the background"),
	OPT_CHOICE("pull", 0, "always|missing|never", "When to pull", .fallback = "missing"),
	OPT_FLAG("secret", 0, "Not shown", .flags = OPTION_HIDDEN),
	OPT_END
};
static const char *const examples[] = { "stack up -d", "start all", NULL };
static const struct command image_commands[] = {
	{ .name = "ls", .summary = "List images", .run = nothing, .examples = examples },
	{ .name = NULL },
};
static const struct command commands[] = {
	{ .name = "up", .summary = "Make and start", .options = up_rows, .run = nothing, .examples = examples,
	  .arguments_max = ARGUMENTS_ANY, .argument_kind = ARGUMENT_SERVICE },
	{ .name = "unpause", .summary = "Go on", .run = nothing, .examples = examples },
	{ .name = "exec", .summary = "Enter", .run = nothing, .examples = examples, .flags = COMMAND_STOPS,
	  .arguments_max = ARGUMENTS_ANY, .argument_kind = ARGUMENT_SERVICE },
	{ .name = "image", .summary = "Images", .children = image_commands },
	{ .name = "__complete", .summary = "hidden", .run = nothing, .flags = COMMAND_HIDDEN },
	{ .name = NULL },
};
static const struct command root = { .name = "stack", .summary = "Runs what a file describes",
	.options = global_rows, .children = commands };
/* clang-format on */

static void services(void *ctx, enum argument_kind kind, const struct options *so_far,
		     void (*add)(void *add_ctx, const char *name), void *add_ctx)
{
	(void)ctx;
	(void)kind;
	add(add_ctx, "web");
	add(add_ctx, "worker");
	add(add_ctx, options_list(so_far, "file", NULL)[0] ? "from-file" : "db");
}

static void words_and_what_is_offered(void **state)
{
	/* clang-format off */
	static const struct { const char *words[5]; const char *want; } cases[] = {
		{ { "u" }, "up\tMake and start\nunpause\tGo on\n:none\n" },
		{ { "" },  "up\tMake and start\nunpause\tGo on\nexec\tEnter\nimage\tImages\n:none\n" },
		{ { "image", "" }, "ls\tList images\n:none\n" },
		{ { "up", "w" }, "web\t\nworker\t\n:none\n" },
		{ { "-f", "x.yml", "up", "f" }, "from-file\t\n:none\n" },
		{ { "up", "--d" }, "--detach\tIn the background\n:none\n" },
		{ { "up", "--pull", "" }, "always\tWhen to pull\nmissing\tWhen to pull\nnever\tWhen to pull\n:none\n" },
		{ { "up", "--pull=n" }, "--pull=never\tWhen to pull\n:none\n" },
		{ { "-f", "" }, ":files\n" },
		{ { "--root", "" }, ":folders\n" },
		{ { "up", "--s" }, ":none\n" },
		{ { "exec", "web", "-" }, ":files\n" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[5] = { NULL }, *text = NULL;
		size_t size = 0;
		int count = 0;
		FILE *out = open_memstream(&text, &size);

		while (cases[i].words[count]) {
			words[count] = (char *)(uintptr_t)cases[i].words[count];
			count++;
		}
		complete_print(out, &root, count, words, services, NULL);
		fclose(out);
		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

static void every_shell_has_its_script(void **state)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		assert_int_equal(complete_print_script(out, &root, shells[i], &err), 0);
		fclose(out);
		assert_non_null(strstr(text, "stack __complete --"));
		free(text);
	}
	assert_int_equal(complete_print_script(stderr, &root, "csh", &err), -1);
	assert_string_equal(err.msg, "no completion for \"csh\": bash, zsh or fish");
}

static void the_manual_has_every_command(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	manual_print(out, &root, "1.2");
	fclose(out);
	assert_int_equal(strncmp(text, ".TH STACK 1 \"\" \"stack 1.2\"", 26), 0);
	assert_non_null(strstr(text, ".SS stack up [OPTIONS]\nMake and start.\n.TP\n"));
	assert_non_null(strstr(text, ".SS stack image ls\n"));
	assert_non_null(strstr(text,
			       "\\fB\\-\\-pull\\fR \\fIalways|missing|never\\fR\nWhen to pull; "
			       "default missing.\n"));
	assert_non_null(strstr(text, ".EX\nstack up \\-d\n.EE"));
	assert_null(strstr(text, "__complete"));
	assert_null(strstr(text, "Not shown"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_what_is_offered),
		cmocka_unit_test(every_shell_has_its_script),
		cmocka_unit_test(the_manual_has_every_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

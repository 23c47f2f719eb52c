/* tests/orchestrator/cli/test_build_flags - mirrors orchestrator/cli/build_flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/cli/build_flags.h"
#include "orchestrator/cli/commands.h"

struct parsed {
	struct cli cli;
	struct options *options;
	struct build_spec spec;
	struct err err;
	int status;
};

/* words end with NULL; the context is always /tmp. */
static struct parsed parse(const char *const *words)
{
	const struct command root = { .name = "stack",
				      .summary = "x",
				      .options = image_build_options,
				      .run = image_build_command,
				      .arguments_max = 1 };
	struct parsed parsed = { .cli = { .arena = arena_new() }, .err = ERR_NONE };
	char *argv[40] = { "stack", "/tmp" };
	int argc = 2;

	while (*words)
		argv[argc++] = (char *)(uintptr_t)*words++;
	parsed.options = options_new(&root);
	parsed.cli.options = parsed.options;
	assert_int_equal(options_parse(parsed.options, argc, argv, &parsed.err), 0);
	parsed.status = build_flags_read(&parsed.cli, parsed.options, &parsed.spec, &parsed.err);
	return parsed;
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static void finish(struct parsed *parsed)
{
	options_free(parsed->options);
	arena_free(parsed->cli.arena);
}

static void every_flag_finds_its_field(void **state)
{
	struct parsed p = PARSE("-t", "a:1", "-t", "b", "--target", "x", "--label", "k=v=w",
				"--network", "none", "--no-cache", "--pull", "--platform",
				"linux/arm64", "--no-cache-filter", "one", "--allow",
				"network.host", "--add-host", "h:1.2.3.4", "--add-host", "six=::1",
				"--shm-size", "1m", "--ulimit", "nofile=5:6", "-m", "64m");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_string_equal(p.spec.context, "/tmp");
	assert_int_equal(p.spec.tags.count, 2);
	assert_string_equal(p.spec.labels.items[0].value, "v=w");
	assert_string_equal(p.spec.network, "none");
	assert_string_equal(p.spec.platform, "linux/arm64");
	assert_int_equal(p.spec.flags, BUILD_NO_CACHE | BUILD_PULL | BUILD_ALLOW_HOST_NET);
	assert_string_equal(p.spec.limits->extra_hosts.items[0], "h=1.2.3.4");
	assert_string_equal(p.spec.limits->extra_hosts.items[1], "six=::1");
	assert_int_equal(p.spec.limits->shm_size.bytes, 1 << 20);
	assert_int_equal(p.spec.limits->mem_limit.bytes, 64 << 20);
	assert_int_equal(p.spec.limits->ulimits[0].soft.value, 5);
	assert_int_equal(p.spec.limits->ulimits[0].hard.value, 6);
	finish(&p);
}

static void files_and_contexts_are_made_absolute(void **state)
{
	struct parsed p = PARSE("-f", "/x/Dockerfile", "--build-context", "a=/b", "--build-context",
				"i=docker-image://x", "-o", "type=tar,dest=/out.tar", "-o",
				"/folder", "-o", "-");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_string_equal(p.spec.dockerfile, "/x/Dockerfile");
	assert_string_equal(p.spec.contexts[0].value, "/b");
	assert_string_equal(p.spec.contexts[1].value, "docker-image://x");
	assert_string_equal(p.spec.outputs[0].type, "tar");
	assert_string_equal(p.spec.outputs[1].type, "local");
	assert_string_equal(p.spec.outputs[1].dest, "/folder");
	assert_string_equal(p.spec.outputs[2].type, "tar");
	assert_string_equal(p.spec.outputs[2].dest, "-");
	finish(&p);
}

static void arguments_and_secrets_take_the_callers_variables(void **state)
{
	struct parsed p;

	(void)state;
	setenv("STACK_TEST_WORD", "from the caller", 1);
	unsetenv("STACK_TEST_UNSET");
	p = PARSE("--build-arg", "A=1", "--build-arg", "STACK_TEST_WORD", "--build-arg",
		  "STACK_TEST_UNSET", "--build-arg", "SOURCE_DATE_EPOCH=9", "--secret",
		  "id=one,env=STACK_TEST_WORD", "--secret", "id=two,src=/etc/passwd", "--secret",
		  "STACK_TEST_WORD");
	assert_int_equal(p.status, 0);
	assert_int_equal(p.spec.epoch_s, 9);
	assert_string_equal(p.spec.args[p.spec.arg_count - 2].value, "from the caller");
	assert_string_equal(p.spec.secrets[0].value, "from the caller");
	assert_string_equal(p.spec.secrets[1].file, "/etc/passwd");
	assert_string_equal(p.spec.secrets[2].id, "STACK_TEST_WORD");
	assert_int_equal(p.spec.secrets[2].len, strlen("from the caller"));
	finish(&p);
}

static void wrong_values_are_refused_by_their_flag(void **state)
{
	/* clang-format off */
	static const struct { const char *flag, *value, *said; } rows[] = {
		{ "--allow", "everything", "--allow" },
		{ "--add-host", "nothing", "--add-host" },
		{ "--ulimit", "nofile", "--ulimit" },
		{ "--ulimit", "nofile=x", "--ulimit" },
		{ "--shm-size", "much", "--shm-size" },
		{ "--label", "=v", "--label" },
		{ "--build-context", "alone", "--build-context" },
		{ "--output", "dest=/x", "type=" },
		{ "--output", "type=local", "dest=" },
		{ "--secret", "src=/etc/passwd", "id=" },
		{ "--secret", "id=x,src=/no/such/file", "--secret" },
		{ "--secret", "id=x,env=STACK_TEST_UNSET", "STACK_TEST_UNSET" },
	};
	/* clang-format on */

	(void)state;
	unsetenv("STACK_TEST_UNSET");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parsed p = PARSE(rows[i].flag, rows[i].value);

		assert_int_equal(p.status, -1);
		if (!strstr(p.err.msg, rows[i].said))
			fail_msg("%s %s: \"%s\"", rows[i].flag, rows[i].value, p.err.msg);
		finish(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flag_finds_its_field),
		cmocka_unit_test(files_and_contexts_are_made_absolute),
		cmocka_unit_test(arguments_and_secrets_take_the_callers_variables),
		cmocka_unit_test(wrong_values_are_refused_by_their_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/images/test_platform - mirrors images/platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/platform.h"

static struct platform parsed(const char *text)
{
	struct platform platform = { .os = "" };
	struct err err = ERR_NONE;

	if (platform_parse(text, &platform, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return platform;
}

static void aliases_and_implied_variants_come_to_one_form(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *form; } rows[] = {
		{ "linux/amd64", "linux/amd64" },         { "linux/x86_64", "linux/amd64" },
		{ "linux/x86-64", "linux/amd64" },        { "amd64", "linux/amd64" },
		{ "linux/amd64/v1", "linux/amd64" },      { "linux/amd64/v3", "linux/amd64/v3" },
		{ "linux/arm64", "linux/arm64/v8" },      { "linux/aarch64", "linux/arm64/v8" },
		{ "arm64", "linux/arm64/v8" },            { "linux/arm64/8", "linux/arm64/v8" },
		{ "linux/arm", "linux/arm/v7" },          { "linux/armhf", "linux/arm/v7" },
		{ "linux/armel", "linux/arm/v6" },        { "linux/arm/v6", "linux/arm/v6" },
		{ "arm/v6", "linux/arm/v6" },             { "linux/i386", "linux/386" },
		{ "LINUX/AMD64", "linux/amd64" },         { "windows/amd64", "windows/amd64" },
		{ "linux/riscv64", "linux/riscv64" },     { "linux/s390x", "linux/s390x" },
	};
	/* clang-format on */
	char text[PLATFORM_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct platform platform = parsed(rows[i].text);

		assert_string_equal(platform_text(&platform, text), rows[i].form);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const rows[] = { "",
					    "/",
					    "linux/",
					    "/amd64",
					    "foo",
					    "a/b/c/d",
					    "linux/am d64",
					    "linux//v7",
					    "..",
					    "linux/\n",
					    "linux/aaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct platform platform;
		struct err err = ERR_NONE;

		if (platform_parse(rows[i], &platform, &err) == 0)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void the_order_of_preference_holds(void **state)
{
	/* wanted, explicit, better, worse (NULL: better must serve, "none": better must not) */
	/* clang-format off */
	static const struct { const char *wanted; bool is_explicit; const char *better, *worse; } rows[] = {
		{ "linux/amd64/v3", false, "linux/amd64/v3", "linux/amd64/v2" },
		{ "linux/amd64/v3", false, "linux/amd64/v2", "linux/amd64" },
		{ "linux/amd64/v3", false, "linux/amd64", "linux/386" },
		{ "linux/amd64/v2", false, "linux/amd64/v3", "none" },
		{ "linux/amd64", true, "linux/amd64/v2", "none" },
		{ "linux/amd64", false, "linux/386", NULL },
		{ "linux/amd64", true, "linux/386", "none" },
		{ "linux/arm64", false, "linux/arm64", "linux/arm/v7" },
		{ "linux/arm64", false, "linux/arm/v8", "linux/arm/v7" },
		{ "linux/arm64", false, "linux/arm/v7", "linux/arm/v6" },
		{ "linux/arm64", true, "linux/arm/v7", "none" },
		{ "linux/arm/v7", true, "linux/arm/v7", "linux/arm/v6" },
		{ "linux/arm/v7", true, "linux/arm/v6", "linux/arm/v5" },
		{ "linux/arm/v6", true, "linux/arm/v7", "none" },
		{ "linux/amd64", false, "linux/arm64", "none" },
		{ "linux/amd64", false, "windows/amd64", "none" },
		{ "linux/386", false, "linux/amd64", "none" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct platform wanted = parsed(rows[i].wanted), better = parsed(rows[i].better),
				worse;
		unsigned score = platform_score(&wanted, rows[i].is_explicit, &better);

		if (rows[i].worse && strcmp(rows[i].worse, "none") == 0) {
			if (score)
				fail_msg("row %zu: must not serve", i);
			continue;
		}
		assert_true(score > 0);
		if (!rows[i].worse)
			continue;
		worse = parsed(rows[i].worse);
		if (score <= platform_score(&wanted, rows[i].is_explicit, &worse))
			fail_msg("row %zu: wrong order", i);
	}
}

static void a_variable_is_an_explicit_wish(void **state)
{
	struct platform platform;
	struct err err = ERR_NONE;
	bool is_explicit;

	(void)state;
	unsetenv("STACK_DEFAULT_PLATFORM");
	unsetenv("DOCKER_DEFAULT_PLATFORM");
	assert_int_equal(platform_wanted(NULL, &platform, &is_explicit, &err), 0);
	assert_false(is_explicit);
	assert_string_equal(platform.os, "linux");
	assert_true(platform.arch[0] != '\0');
	setenv("STACK_DEFAULT_PLATFORM", "linux/s390x", 1);
	assert_int_equal(platform_wanted(NULL, &platform, &is_explicit, &err), 0);
	assert_true(is_explicit);
	assert_string_equal(platform.arch, "s390x");
	assert_int_equal(platform_wanted("arm", &platform, &is_explicit, &err), 0);
	assert_string_equal(platform.arch, "arm");
	unsetenv("STACK_DEFAULT_PLATFORM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aliases_and_implied_variants_come_to_one_form),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_order_of_preference_holds),
		cmocka_unit_test(a_variable_is_an_explicit_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_limits - mirrors orchestrator/limits: flags of an update in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "orchestrator/limits.h"

static void expect(const struct service *service, const char *wanted)
{
	struct arena *arena = arena_new();
	const char *const *flags = limits_flags(arena, service);
	char text[400] = "";

	for (; *flags; flags++) {
		assert_true(strlen(text) + strlen(*flags) + 2 < sizeof(text));
		strcat(strcat(text, *text ? " " : ""), *flags);
	}
	assert_string_equal(text, wanted);
	arena_free(arena);
}

static void what_is_not_limited_is_unlimited(void **state)
{
	const struct service nothing = { .name = "web" };

	(void)state;
	expect(&nothing,
	       "--memory=-1 --cpu-period=100000 --cpu-quota=-1 --cpu-share=1024 --pids-limit=-1");
}

static void limits_of_both_spellings(void **state)
{
	struct resource_limits limits = {
		.cpus = {2,        true},
                  .memory = { 1 << 20, true}
	};
	struct resources resources = { .limits = &limits };
	struct deploy deploy = { .resources = &resources };
	const struct service plain = { .mem_limit = { 64 << 20, true },
				       .memswap_limit = { 128 << 20, true },
				       .cpus = { 0.5, true },
				       .cpu_shares = { 512, true },
				       .pids_limit = { 20, true } },
			     quota = { .cpu_quota = { 5000, true }, .cpu_period = { 10000, true } },
			     deployed = { .deploy = &deploy };

	(void)state;
	expect(&plain,
	       "--memory=67108864 --memory-swap=134217728 --cpu-period=100000 --cpu-quota=50000 "
	       "--cpu-share=512 --pids-limit=20");
	expect(&quota,
	       "--memory=-1 --cpu-period=10000 --cpu-quota=5000 --cpu-share=1024 --pids-limit=-1");
	expect(&deployed,
	       "--memory=1048576 --cpu-period=100000 --cpu-quota=200000 --cpu-share=1024 "
	       "--pids-limit=-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_limited_is_unlimited),
		cmocka_unit_test(limits_of_both_spellings),
	};

	return cmocka_run_group_tests_name("orchestrator/limits", tests, NULL, NULL);
}

/* tests/orchestrator/test_health - mirrors the pure half of orchestrator/health: is there a test at
 * all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/health.h"

static const char *cmd[] = { "CMD", "true" }, *shell[] = { "CMD-SHELL", "exit 0" },
		  *none[] = { "NONE" };

static void a_test_is_the_services_own_or_the_images(void **state)
{
	struct probe probe = { .tcp_port = 80 };
	struct healthcheck own[] = {
		{.test = { cmd, 2 }   },
		{ .test = { shell, 2 }},
		{ .test = { none, 1 } },
		{ .disable = true     },
		{ .test = { cmd, 2 },   .disable = true },
		{ .probe = &probe                   },
		{ .retries = { 3, true } },
	};
	static const enum health_state without[] = { HEALTH_STARTING, HEALTH_STARTING,
						     HEALTH_NONE,     HEALTH_NONE,
						     HEALTH_NONE,     HEALTH_STARTING,
						     HEALTH_NONE },
				       with[] = { HEALTH_STARTING, HEALTH_STARTING, HEALTH_NONE,
						  HEALTH_NONE,     HEALTH_NONE,     HEALTH_STARTING,
						  HEALTH_STARTING };
	struct image_config image = { 0 }, plain = { 0 };
	struct service service = { .name = "web" };

	(void)state;
	image.healthcheck.is_set = true;
	image.healthcheck.test.items = (void *)cmd;
	image.healthcheck.test.count = 2;
	assert_int_equal(health_first_state(&service, &plain), HEALTH_NONE);
	assert_int_equal(health_first_state(&service, NULL), HEALTH_NONE);
	assert_int_equal(health_first_state(&service, &image), HEALTH_STARTING);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		service.healthcheck = &own[i];
		if (health_first_state(&service, &plain) != without[i] ||
		    health_first_state(&service, &image) != with[i])
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_test_is_the_services_own_or_the_images),
	};

	return cmocka_run_group_tests_name("orchestrator/health", tests, NULL, NULL);
}

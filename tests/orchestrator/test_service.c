/* tests/orchestrator/test_service - mirrors orchestrator/service: the pure half, policy and
 * backoff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/service.h"

struct policy_row {
	enum restart_when when;
	uint64_t max_attempts;
	int code;
	unsigned restarts;
	bool by_hand, wanted;
};

/* clang-format off */
static const struct policy_row policies[] = {
	/* when                  max code had  hand   wanted */
	{ RESTART_NO,             0,   0,  0, false, false },
	{ RESTART_NO,             0,   1,  0, false, false },
	{ RESTART_NO,             5,   1,  0, false, false },
	{ RESTART_ALWAYS,         0,   0,  0, false, true },
	{ RESTART_ALWAYS,         0, 137,  0, false, true },
	{ RESTART_ALWAYS,         0,   0, 99, false, true },
	{ RESTART_ALWAYS,         0,   0,  0, true,  false },
	{ RESTART_ALWAYS,         2,   0,  1, false, true },
	{ RESTART_ALWAYS,         2,   0,  2, false, false },
	{ RESTART_UNLESS_STOPPED, 0,   0,  0, false, true },
	{ RESTART_UNLESS_STOPPED, 0,   1,  7, false, true },
	{ RESTART_UNLESS_STOPPED, 0,   1,  0, true,  false },
	{ RESTART_ON_FAILURE,     0,   0,  0, false, false },
	{ RESTART_ON_FAILURE,     0,   1,  0, false, true },
	{ RESTART_ON_FAILURE,     0, 255, 50, false, true },
	{ RESTART_ON_FAILURE,     3,   1,  2, false, true },
	{ RESTART_ON_FAILURE,     3,   1,  3, false, false },
	{ RESTART_ON_FAILURE,     3,   1,  4, false, false },
	{ RESTART_ON_FAILURE,     3,   1,  0, true,  false },
};
/* clang-format on */

static void a_policy_decides_by_exit_code_count_and_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		const struct policy_row *row = &policies[i];
		struct restart_rule rule = { .when = row->when, .max_attempts = row->max_attempts };
		struct record_exit last = { .code = row->code };

		if (service_wants_restart(&rule, &last, row->restarts, row->by_hand) != row->wanted)
			fail_msg("row %zu: wanted %d", i, row->wanted);
	}
}

static void the_delay_doubles_up_to_a_minute(void **state)
{
	/* clang-format off */
	static const struct { unsigned streak; uint64_t ms; } rows[] = {
		{ 0, 100 }, { 1, 100 }, { 2, 200 }, { 3, 400 }, { 4, 800 }, { 7, 6400 }, { 10, 51200 },
		{ 11, 60000 }, { 12, 60000 }, { 1000, 60000 }, { 4000000000u, 60000 },
	};
	/* clang-format on */
	const struct restart_rule rule = { .when = RESTART_ALWAYS };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(service_backoff_us(&rule, rows[i].streak, 0), rows[i].ms * 1000);
}

static void jitter_adds_a_tenth_at_most(void **state)
{
	const struct restart_rule rule = { .when = RESTART_ALWAYS };
	uint64_t before = 0;

	(void)state;
	for (unsigned jitter = 0; jitter <= 10; jitter++) {
		uint64_t delay = service_backoff_us(&rule, 1, jitter);

		assert_in_range(delay, 100000, 110000);
		if (jitter)
			assert_true(delay > before);
		before = delay;
	}
	assert_int_equal(service_backoff_us(&rule, 1, 10), 110000);
	assert_int_equal(service_backoff_us(&rule, 1, 11), 100000);
	assert_in_range(service_backoff_us(&rule, 1, 4294967295u), 100000, 110000);
}

static void a_delay_of_the_file_is_taken_as_it_is(void **state)
{
	struct restart_rule rule = {
		.when = RESTART_ALWAYS, .delay = {5000000, true}
	};

	(void)state;
	assert_int_equal(service_backoff_us(&rule, 1, 7), 5000000);
	assert_int_equal(service_backoff_us(&rule, 20, 7), 5000000);
	rule.delay.us = 0;
	assert_int_equal(service_backoff_us(&rule, 20, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_decides_by_exit_code_count_and_hand),
		cmocka_unit_test(the_delay_doubles_up_to_a_minute),
		cmocka_unit_test(jitter_adds_a_tenth_at_most),
		cmocka_unit_test(a_delay_of_the_file_is_taken_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

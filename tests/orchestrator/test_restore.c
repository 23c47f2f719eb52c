/* tests/orchestrator/test_restore - mirrors orchestrator/restore: which container comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/restore.h"

enum autostart { UNSAID, YES, NO };

struct row {
	const char *restart;
	enum autostart autostart;
	bool cut_off, by_hand;
	uint64_t life;
	bool wanted, needed;
};

/* clang-format off */
static const struct row rows[] = {
	/* restart          autostart cut    hand   life wanted needed */
	{ "always",         UNSAID,   true,  false, 1,   true,  true },
	{ "unless-stopped", UNSAID,   true,  false, 7,   true,  true },
	{ "on-failure",     UNSAID,   true,  false, 1,   true,  true },
	{ "on-failure:3",   UNSAID,   true,  false, 1,   true,  true },
	{ "no",             UNSAID,   true,  false, 1,   false, true },
	{ NULL,             UNSAID,   true,  false, 1,   false, true },
	{ "no",             YES,      true,  false, 1,   true,  true },
	{ "always",         NO,       true,  false, 1,   false, true },
	/* ended by itself: policy has spoken already */
	{ "always",         UNSAID,   false, false, 1,   false, false },
	{ "on-failure",     UNSAID,   false, false, 3,   false, false },
	{ "no",             YES,      false, false, 1,   false, false },
	/* made, and the machine went down before it began */
	{ "always",         UNSAID,   false, false, 0,   true,  true },
	{ "no",             UNSAID,   false, false, 0,   false, true },
	{ "no",             YES,      false, false, 0,   false, true },
	/* stopped by hand stays stopped */
	{ "always",         UNSAID,   true,  true,  1,   false, false },
	{ "unless-stopped", YES,      true,  true,  1,   false, false },
	{ "always",         YES,      false, true,  0,   false, false },
};
/* clang-format on */

static void policy_autostart_and_the_end_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct service service = { .restart = row->restart };
		struct record record = { .cut_off = row->cut_off,
					 .stopped_by_hand = row->by_hand,
					 .life = row->life };
		struct opt_bool autostart = { row->autostart == YES, row->autostart != UNSAID };

		if (restore_wants(&service, &record, autostart) != row->wanted)
			fail_msg("row %zu: wanted %d", i, row->wanted);
		if (restore_needs(&record) != row->needed)
			fail_msg("row %zu: needed %d", i, row->needed);
	}
}

static void pauses_double_from_a_second_to_a_minute(void **state)
{
	static const struct {
		unsigned tries;
		uint64_t pause_ms;
	} cases[] = {
		{0,            1000 },
                { 1,           1000 },
                { 2,           2000 },
                { 3,           4000 },
		{ 6,           32000},
                { 7,           60000},
                { 4000000000u, 60000}
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(restore_pause_ms(cases[i].tries), cases[i].pause_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_from_a_second_to_a_minute),
		cmocka_unit_test(policy_autostart_and_the_end_decide),
	};

	return cmocka_run_group_tests_name("orchestrator/restore", tests, NULL, NULL);
}

/* tests/orchestrator/test_ready - mirrors the judgement of orchestrator/ready and settle: a state,
 * and what it means to those who wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "orchestrator/ready.h"
#include "orchestrator/settle.h"

/* clang-format off */
static const struct {
	enum slot_state state;
	enum health_state health;
	enum ready_state ready;
	int code;
	int judged;  /* ready_judge: 1 well, 0 not yet, -1 never */
	bool any;    /* something judges */
	int settled; /* settle_judge */
} rows[] = {
	{ SLOT_RUNNING,  HEALTH_NONE,     READY_NONE,  0,  1, false,  1 },
	{ SLOT_RUNNING,  HEALTH_STARTING, READY_NONE,  0,  0, true,   0 },
	{ SLOT_RUNNING,  HEALTH_GOOD,     READY_NONE,  0,  1, true,   1 },
	{ SLOT_RUNNING,  HEALTH_BAD,      READY_NONE,  0, -1, true,  -1 },
	{ SLOT_RUNNING,  HEALTH_NONE,     READY_WAITS, 0,  0, true,   0 },
	{ SLOT_RUNNING,  HEALTH_NONE,     READY_YES,   0,  1, true,   1 },
	{ SLOT_RUNNING,  HEALTH_NONE,     READY_LATE,  0, -1, true,  -1 },
	{ SLOT_RUNNING,  HEALTH_GOOD,     READY_WAITS, 0,  0, true,   0 },
	{ SLOT_RUNNING,  HEALTH_GOOD,     READY_LATE,  0, -1, true,  -1 },
	{ SLOT_RUNNING,  HEALTH_BAD,      READY_YES,   0, -1, true,  -1 },
	{ SLOT_STARTING, HEALTH_NONE,     READY_NONE,  0,  1, false,  0 },
	{ SLOT_BACKOFF,  HEALTH_NONE,     READY_NONE,  1,  1, false, -1 },
	{ SLOT_EXITED,   HEALTH_NONE,     READY_NONE,  3,  1, false, -1 },
	{ SLOT_EXITED,   HEALTH_NONE,     READY_NONE,  0,  1, false,  1 },
};
/* clang-format on */

static void every_state_has_a_meaning(void **state)
{
	char name[] = "shop-web-1";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct record record = { .name = name,
					 .health = rows[i].health,
					 .last_exit = { .code = rows[i].code } };
		struct slot slot = { .record = &record,
				     .state = rows[i].state,
				     .ready_state = rows[i].ready };
		struct err err = ERR_NONE;
		bool any = !rows[i].any;

		if (ready_judge(&slot, &any, &err) != rows[i].judged || any != rows[i].any)
			fail_msg("row %zu: judged", i);
		if (rows[i].judged < 0)
			assert_non_null(strstr(err.msg, name));
		err = ERR_NONE;
		if (settle_judge(&slot, &err) != rows[i].settled)
			fail_msg("row %zu: settled", i);
	}
}

static void without_a_container_nothing_settles(void **state)
{
	const struct slot slot = { .state = SLOT_EMPTY };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(settle_judge(&slot, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_has_a_meaning),
		cmocka_unit_test(without_a_container_nothing_settles),
	};

	return cmocka_run_group_tests_name("orchestrator/ready", tests, NULL, NULL);
}

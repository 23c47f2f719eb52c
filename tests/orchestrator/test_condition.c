/* tests/orchestrator/test_condition - mirrors orchestrator/condition: replicas in their states, and
 * whether a condition of depends_on holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "orchestrator/change.h"
#include "orchestrator/slot.h"

#define REPLICAS_MAX 3

struct replica {
	enum slot_state state;
	enum health_state health;
	uint64_t life;
	int code;
};

#define UP                                                                                         \
	{                                                                                          \
		SLOT_RUNNING, HEALTH_NONE, 1, 0                                                    \
	}
#define WELL                                                                                       \
	{                                                                                          \
		SLOT_RUNNING, HEALTH_GOOD, 1, 0                                                    \
	}
#define ILL                                                                                        \
	{                                                                                          \
		SLOT_RUNNING, HEALTH_BAD, 1, 0                                                     \
	}
#define SOON                                                                                       \
	{                                                                                          \
		SLOT_RUNNING, HEALTH_STARTING, 1, 0                                                \
	}
#define BEGINS                                                                                     \
	{                                                                                          \
		SLOT_STARTING, HEALTH_NONE, 1, 0                                                   \
	}
#define MADE                                                                                       \
	{                                                                                          \
		SLOT_CREATED, HEALTH_NONE, 0, 0                                                    \
	}
#define DONE                                                                                       \
	{                                                                                          \
		SLOT_EXITED, HEALTH_NONE, 1, 0                                                     \
	}
#define FAILED                                                                                     \
	{                                                                                          \
		SLOT_EXITED, HEALTH_NONE, 1, 3                                                     \
	}
#define RESTARTS                                                                                   \
	{                                                                                          \
		SLOT_BACKOFF, HEALTH_NONE, 4, 1                                                    \
	}

static const struct {
	const char *condition;
	bool required;
	size_t count;
	struct replica replicas[REPLICAS_MAX];
	int wanted;
	const char *text; /* of the error, for -1 */
} rows[] = {
	{"service_started",                 true,  1, { UP },               1,  NULL                },
	{ "service_started",                true,  1, { SOON },             1,  NULL                },
	{ "service_started",                true,  1, { BEGINS },           0,  NULL                },
	{ "service_started",                true,  1, { MADE },             0,  NULL                },
	{ "service_started",                true,  1, { DONE },             1,  NULL                },
	{ "service_started",                true,  2, { UP, BEGINS },       0,  NULL                },
	{ "service_started",                true,  0, { UP },               0,  NULL                },
	{ "service_started",                false, 0, { UP },               1,  NULL                },
	{ NULL,			     true,  1, { UP },               1,  NULL                },
	{ "service_healthy",                true,  1, { WELL },             1,  NULL                },
	{ "service_healthy",                true,  1, { SOON },             0,  NULL                },
	{ "service_healthy",                true,  1, { BEGINS },           0,  NULL                },
	{ "service_healthy",                true,  1, { RESTARTS },         0,  NULL                },
	{ "service_healthy",                true,  1, { ILL },              -1, "is unhealthy"      },
	{ "service_healthy",                false, 1, { ILL },              1,  NULL                },
	{ "service_healthy",                true,  1, { UP },               -1, "has no healthcheck"},
	{ "service_healthy",                true,  1, { FAILED },           -1, "exited (3)"        },
	{ "service_healthy",                true,  1, { MADE },             0,  NULL                },
	{ "service_healthy",                true,  3, { WELL, WELL, SOON }, 0,  NULL                },
	{ "service_healthy",                true,  3, { WELL, WELL, WELL }, 1,  NULL                },
	{ "service_completed_successfully", true,  1, { DONE },             1,  NULL                },
	{ "service_completed_successfully", true,  1, { UP },               0,  NULL                },
	{ "service_completed_successfully", true,  1, { MADE },             0,  NULL                },
	{ "service_completed_successfully", true,  1, { RESTARTS },         0,  NULL                },
	{ "service_completed_successfully", true,  1, { FAILED },           -1, "exit 3"            },
	{ "service_completed_successfully", false, 1, { FAILED },           1,  NULL                },
	{ "service_completed_successfully", true,  2, { DONE, UP },         0,  NULL                },
};

static void conditions_hold_for_all_replicas_or_say_why(void **state)
{
	char service[] = "db", other[] = "other", name[] = "shop-db-1";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct record records[REPLICAS_MAX + 1] = { 0 };
		struct slot slots[REPLICAS_MAX + 1] = { 0 };
		struct supervisor sv = { 0 };
		struct plan_wait wait = { service, rows[i].condition, rows[i].required };
		struct err err = ERR_NONE;
		int got;

		LIST_INIT(&sv.slots);
		for (size_t k = 0; k <= rows[i].count; k++) {
			bool own =
				k <
				rows[i].count; /* the last one is of another service, and broken */

			records[k] = (struct record){
				.name = name,
				.health = own ? rows[i].replicas[k].health : HEALTH_BAD,
				.life = own ? rows[i].replicas[k].life : 1,
				.last_exit = { .code = rows[i].replicas[k % REPLICAS_MAX].code }
			};
			slots[k] = (struct slot){ .sv = &sv,
						  .service = own ? service : other,
						  .record = &records[k],
						  .state = own ? rows[i].replicas[k].state
							       : SLOT_EXITED };
			LIST_INSERT_HEAD(&sv.slots, &slots[k], link);
		}
		got = apply_condition(&sv, &wait, &err);
		if (got != rows[i].wanted)
			fail_msg("row %zu: wanted %d, got %d (%s)", i, rows[i].wanted, got,
				 err.msg);
		if (rows[i].text && !strstr(err.msg, rows[i].text))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err.msg, rows[i].text);
	}
}

static void one_off_containers_and_empty_slots_do_not_count(void **state)
{
	char service[] = "db", hex[] = "0123456789ab", name[] = "shop-db-run";
	struct record record = { .name = name, .life = 1 };
	struct supervisor sv = { 0 };
	struct slot oneoff = { .service = service,
			       .oneoff = hex,
			       .record = &record,
			       .state = SLOT_RUNNING },
		    empty = { .service = service, .state = SLOT_EMPTY };
	struct plan_wait wait = { service, "service_started", true };
	struct err err = ERR_NONE;

	(void)state;
	LIST_INIT(&sv.slots);
	LIST_INSERT_HEAD(&sv.slots, &oneoff, link);
	LIST_INSERT_HEAD(&sv.slots, &empty, link);
	assert_int_equal(apply_condition(&sv, &wait, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold_for_all_replicas_or_say_why),
		cmocka_unit_test(one_off_containers_and_empty_slots_do_not_count),
	};

	return cmocka_run_group_tests_name("orchestrator/condition", tests, NULL, NULL);
}

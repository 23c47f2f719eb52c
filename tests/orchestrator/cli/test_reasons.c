/* tests/orchestrator/cli/test_reasons - the sentences of why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "orchestrator/cli/reasons.h"

#define NOW 1000000000ull

static struct json_object *parse(const char *text)
{
	struct err err = ERR_NONE;
	struct json_object *value = json_parse("test", text, strlen(text), &err);

	assert_non_null(value);
	return value;
}

static void events_become_sentences(void **state)
{
	static const struct {
		const char *event, *text;
	} rows[] = {
		{"{\"event\":\"die\",\"code\":137,\"reason\":\"the monitor died\"}",
                 "ended with status 137 (SIGKILL): the monitor died"                                          },
		{ "{\"event\":\"die\",\"code\":0,\"reason\":\"\"}",                    "ended with status 0"  },
		{ "{\"event\":\"die\",\"code\":128}",                                  "ended with status 128"},
		{ "{\"event\":\"create\",\"reason\":\"not there yet\"}",
                 "was created: not there yet"								 },
		{ "{\"event\":\"health_status: unhealthy\",\"reason\":\"no answer\"}",
                 "became unhealthy: no answer"								},
		{ "{\"event\":\"not-ready\",\"reason\":\"HTTP status 404\"}",
                 "did not become ready: HTTP status 404"                                                      },
		{ "{\"event\":\"die\",\"reason\":\"two\\nlines\\n\"}",                 "ended: two lines"     },
		{ "{\"event\":\"something new\"}",                                     "something new"        },
		{ "{}",								"?"                    },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(json) struct json_object *event = parse(rows[i].event);
		AUTO(free) char *text = reason_event(event);

		assert_string_equal(text, rows[i].text);
	}
}

static void the_chain_ends_at_the_creation_of_the_present_container(void **state)
{
	AUTO(json)
	struct json_object *events = parse("[{\"event\":\"create\",\"slot\":\"web.1\"},{\"event\":"
					   "\"destroy\",\"slot\":\"web.1\"},"
					   "{\"event\":\"create\",\"slot\":\"web.1\"},{\"event\":"
					   "\"create\",\"slot\":\"web.2\"},"
					   "{\"event\":\"start\",\"slot\":\"web.1\"}]");
	size_t at[5];

	(void)state;
	assert_int_equal(reason_chain(events, "web.1", at), 2);
	assert_int_equal(at[0], 4);
	assert_int_equal(at[1], 2);
	assert_int_equal(reason_chain(events, "web.3", at), 0);
	assert_int_equal(reason_chain(NULL, "web.1", at), 0);
}

static struct observed_container exited(struct record *record, int code)
{
	record->state = RECORD_EXITED;
	record->last_exit = (struct record_exit){ .code = code, .finished_at_us = NOW - 5000000 };
	return (struct observed_container){ .record = record, .status = "exited" };
}

static void states_are_told(void **state)
{
	struct record record = { .name = "p-web-1",
				 .service = "web",
				 .started_at_us = NOW - 3000000 };
	struct observed_container container = { .record = &record,
						.status = "running",
						.alive = true };
	AUTO(free) char *runs = reason_state(&container, NOW);
	AUTO(free) char *healthy = NULL, *ended = NULL;

	(void)state;
	assert_string_equal(runs, "runs since 3 seconds");
	record.health = HEALTH_BAD;
	healthy = reason_state(&container, NOW);
	assert_string_equal(healthy, "runs since 3 seconds, unhealthy");
	container = exited(&record, 1);
	record.last_exit.oom = true;
	ended = reason_state(&container, NOW);
	assert_string_equal(ended, "exited with status 1 5 seconds ago: out of memory");
}

static void the_outlook_names_the_policy(void **state)
{
	static const struct {
		const char *restart;
		int code;
		unsigned restarts;
		bool by_hand;
		const char *holds;
	} rows[] = {
		{"no",            1, 0, false, "is \"no\""           },
		{ NULL,           1, 0, false, "is \"no\""           },
		{ "on-failure",   0, 0, false, "it ended well"       },
		{ "on-failure:2", 1, 2, false, "allows 2 attempts"   },
		{ "always",       1, 0, true,  "stopped by hand"     },
		{ "always",       1, 0, false, "would start it again"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct record record = { .name = "p-web-1",
					 .service = "web",
					 .restarts = rows[i].restarts };
		struct service service = { .name = "web", .restart = rows[i].restart };
		struct observed_container container = exited(&record, rows[i].code);
		AUTO(free) char *text = reason_outlook(&container, &service, rows[i].by_hand);

		assert_non_null(strstr(text, rows[i].holds));
	}
}

static void conditions_that_do_not_hold_are_told(void **state)
{
	static const struct {
		const char *condition;
		bool alive;
		const char *status;
		enum health_state health;
		int code;
		const char *text;
	} rows[] = {
		{"service_started",                 true,  "running", HEALTH_NONE, 0, NULL},
		{ "service_started",                false, "created", HEALTH_NONE, 0,
                 "db to run, but p-db-1 is created"                                       },
		{ "service_started",                false, "exited",  HEALTH_NONE, 1,
                 "db to run, but p-db-1 has exited"                                       },
		{ "service_healthy",                true,  "running", HEALTH_GOOD, 0, NULL},
		{ "service_healthy",                true,  "running", HEALTH_BAD,  0,
                 "db to be healthy, but p-db-1 is unhealthy"                              },
		{ "service_healthy",                true,  "running", HEALTH_NONE, 0,
                 "db to be healthy, but p-db-1 has no healthcheck"                        },
		{ "service_completed_successfully", true,  "running", HEALTH_NONE, 0,
                 "db to end well, but p-db-1 still runs"                                  },
		{ "service_completed_successfully", false, "exited",  HEALTH_NONE, 2,
                 "db to end well, but p-db-1 ended with status 2"                         },
		{ "service_completed_successfully", false, "exited",  HEALTH_NONE, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct record record = { .name = "p-db-1",
					 .service = "db",
					 .health = rows[i].health,
					 .last_exit = { .code = rows[i].code } };
		struct observed_container container = { &record, rows[i].alive, rows[i].status,
							NULL };
		struct observed observed = { .containers = &container, .count = 1 };
		struct dependency dependency = { .service = "db", .condition = rows[i].condition };
		AUTO(free) char *text = reason_wait(&observed, &dependency);

		if (rows[i].text)
			assert_string_equal(text, rows[i].text);
		else
			assert_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_become_sentences),
		cmocka_unit_test(the_chain_ends_at_the_creation_of_the_present_container),
		cmocka_unit_test(states_are_told),
		cmocka_unit_test(the_outlook_names_the_policy),
		cmocka_unit_test(conditions_that_do_not_hold_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

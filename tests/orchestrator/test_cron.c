/* tests/orchestrator/test_cron - mirrors orchestrator/cron: the next time of a schedule, by hand
 * computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/cron.h"

struct row {
	const char *zone, *schedule, *now, *wanted; /* local times; wanted NULL: never */
};

/* clang-format off */
static const struct row rows[] = {
	{ "UTC", "* * * * *",        "2026-01-01 00:00:00", "2026-01-01 00:01:00" },
	{ "UTC", "* * * * *",        "2026-01-01 00:00:59", "2026-01-01 00:01:00" },
	{ "UTC", "*/15 * * * *",     "2026-01-01 00:46:10", "2026-01-01 01:00:00" },
	{ "UTC", "5 * * * *",        "2026-01-01 00:05:00", "2026-01-01 01:05:00" },
	{ "UTC", "0 3 * * *",        "2026-01-01 02:59:59", "2026-01-01 03:00:00" },
	{ "UTC", "0 3 * * *",        "2026-01-01 03:00:00", "2026-01-02 03:00:00" },
	{ "UTC", "0 0 1 * *",        "2026-01-31 12:00:00", "2026-02-01 00:00:00" },
	{ "UTC", "0 0 31 * *",       "2026-01-31 12:00:00", "2026-03-31 00:00:00" },
	{ "UTC", "30 8 * * 1-5",     "2026-01-02 09:00:00", "2026-01-05 08:30:00" }, /* a Friday */
	{ "UTC", "0 0 * * 0",        "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
	{ "UTC", "0 0 * * 7",        "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
	{ "UTC", "0 0 13 * 5",       "2026-01-01 00:00:00", "2026-01-02 00:00:00" }, /* either day */
	{ "UTC", "0 0 13 * *",       "2026-01-01 00:00:00", "2026-01-13 00:00:00" },
	{ "UTC", "0,30 9-17/4 * * *", "2026-01-01 09:30:00", "2026-01-01 13:00:00" },
	{ "UTC", "10/20 * * * *",    "2026-01-01 00:31:00", "2026-01-01 00:50:00" },
	{ "UTC", "0 0 29 2 *",       "2026-03-01 00:00:00", "2028-02-29 00:00:00" },
	{ "UTC", "0 0 29 2 *",       "2096-03-01 00:00:00", "2104-02-29 00:00:00" },
	{ "UTC", "0 0 30 2 *",       "2026-01-01 00:00:00", NULL },
	{ "UTC", "59 23 31 12 *",    "2026-12-31 23:59:00", "2027-12-31 23:59:00" },
	{ "UTC", "@yearly",          "2026-06-01 00:00:00", "2027-01-01 00:00:00" },
	{ "UTC", "@annually",        "2026-06-01 00:00:00", "2027-01-01 00:00:00" },
	{ "UTC", "@monthly",         "2026-06-01 00:00:00", "2026-07-01 00:00:00" },
	{ "UTC", "@weekly",          "2026-01-01 00:00:00", "2026-01-04 00:00:00" },
	{ "UTC", "@daily",           "2026-01-01 00:00:00", "2026-01-02 00:00:00" },
	{ "UTC", "@midnight",        "2026-01-01 23:59:59", "2026-01-02 00:00:00" },
	{ "UTC", "@hourly",          "2026-01-01 00:00:00", "2026-01-01 01:00:00" },
	/* summer time: the hour that is passed over runs right behind it, the one that comes twice runs once */
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "30 2 * * *", "2026-03-28 12:00:00", "2026-03-30 02:30:00" },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "0 4 * * *",  "2026-03-28 12:00:00", "2026-03-29 04:00:00" },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "0 12 * * *", "2026-10-25 00:00:00", "2026-10-25 12:00:00" },
};
/* clang-format on */

static int64_t seconds(const char *text)
{
	struct tm tm = { .tm_isdst = -1 };

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return mktime(&tm);
}

static void five_fields_and_their_nicknames(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		char text[40] = "never";
		int64_t got;

		setenv("TZ", row->zone, 1);
		tzset();
		got = cron_next(row->schedule, seconds(row->now), 0);
		if (got >= 0) {
			time_t at = (time_t)got;
			struct tm tm;

			localtime_r(&at, &tm);
			strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
		}
		if (strcmp(text, row->wanted ? row->wanted : "never") != 0) {
			print_error("row %zu: %s after %s: wanted %s, got %s\n", i, row->schedule,
				    row->now, row->wanted ? row->wanted : "never", text);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void every_counts_from_the_base(void **state)
{
	static const struct {
		const char *schedule;
		int64_t now, base, wanted;
	} every[] = {
		{"@every 10m",    1000, 1000, 1600},
                { "@every 10m",   1599, 1000, 1600},
		{ "@every 10m",   1600, 1000, 2200},
                { "@every 1s",    5,    5,    6   },
		{ "@every 100ms", 5,    5,    6   },
                { "@every 10m",   10,   1000, 1600},
		{ "@every 1h30m", 0,    0,    5400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(every) / sizeof(*every); i++)
		assert_int_equal(cron_next(every[i].schedule, every[i].now, every[i].base),
				 every[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_fields_and_their_nicknames),
		cmocka_unit_test(every_counts_from_the_base),
	};

	return cmocka_run_group_tests_name("orchestrator/cron", tests, NULL, NULL);
}

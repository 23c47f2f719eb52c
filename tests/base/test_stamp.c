/* tests/base/test_stamp - mirrors base/stamp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/stamp.h"

#define S 1000000000ull

static void times_as_text(void **state)
{
	char out[STAMP_TEXT_LEN];

	(void)state;
	assert_string_equal(stamp_rfc3339(0, out), "1970-01-01T00:00:00.000000000Z");
	assert_string_equal(stamp_rfc3339(1795258538ull * S + 1, out),
			    "2026-11-21T10:55:38.000000001Z");
}

/* Every day of 330 years, leap days and centuries without one among them, as the C library has it.
 */
static void dates_are_those_of_the_calendar(void **state)
{
	char out[STAMP_TEXT_LEN], wanted[STAMP_TEXT_LEN];

	(void)state;
	for (uint64_t day = 0; day < 330 * 365; day++) {
		time_t seconds = (time_t)(day * 86400 + day % 86400);
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
		assert_string_equal(stamp_rfc3339((uint64_t)seconds * S, out), wanted);
	}
}

static void text_as_times(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int result; uint64_t ns; } cases[] = {
		{ "1970-01-01T00:00:01Z",                0, S },
		{ "1970-01-01T00:00:01.5Z",              0, S + S / 2 },
		{ "1970-01-01t01:00:00.000000001+01:00", 0, 1 },
		{ "1970-01-01 00:00:00-00:30",           0, 1800 * S },
		{ "2026-11-21T10:55:38.123456789123Z",   0, 1795258538ull * S + 123456789 },
		{ "1969-12-31T23:59:59Z",               -1, 0 },
		{ "1970-01-01T00:00:00+00:01",          -1, 0 }, /* before 1970 */
		{ "2026-13-01T00:00:00Z",               -1, 0 },
		{ "2026-00-01T00:00:00Z",               -1, 0 },
		{ "2026-11-00T00:00:00Z",               -1, 0 },
		{ "2026-11-21T24:00:00Z",               -1, 0 },
		{ "2026-11-21T10:55:38",                -1, 0 },
		{ "2026-11-21",                         -1, 0 },
		{ "2026-11-21T10:55:38Zx",              -1, 0 },
		{ "2026-11-21T10:55:38+1:00",           -1, 0 },
		{ "",                                   -1, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 0;

		if (stamp_parse_rfc3339(cases[i].text, strlen(cases[i].text), &ns) !=
		    cases[i].result)
			fail_msg("%s", cases[i].text);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void a_nul_is_no_separator(void **state)
{
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(stamp_parse_rfc3339("2026\0"
					     "11-21T10:55:38Z",
					     20, &ns),
			 -1);
	assert_int_equal(stamp_parse_rfc3339("2026-11-21T10:55:38\0", 20, &ns), -1);
}

static void there_and_back(void **state)
{
	char out[STAMP_TEXT_LEN];
	uint64_t now = stamp_now_ns(), back = 0;

	(void)state;
	stamp_rfc3339(now, out);
	assert_int_equal(stamp_parse_rfc3339(out, strlen(out), &back), 0);
	assert_int_equal(back, now);
}

static void ids_are_random_hex(void **state)
{
	char a[STAMP_ID_LEN + 1], b[STAMP_ID_LEN + 1], shorter[13];

	(void)state;
	stamp_id(a, STAMP_ID_LEN);
	stamp_id(b, STAMP_ID_LEN);
	stamp_id(shorter, 12);
	assert_int_equal(strlen(a), STAMP_ID_LEN);
	assert_int_equal(strspn(a, "0123456789abcdef"), STAMP_ID_LEN);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(shorter), 12);
}

static void the_clocks_go_on(void **state)
{
	uint64_t before = stamp_monotonic_us();
	char boot[40];

	(void)state;
	assert_true(stamp_monotonic_us() >= before);
	assert_true(stamp_now_us() > 1700000000000000ull);
	stamp_boot_id(boot);
	assert_int_equal(strlen(boot), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_as_text),
		cmocka_unit_test(dates_are_those_of_the_calendar),
		cmocka_unit_test(text_as_times),
		cmocka_unit_test(a_nul_is_no_separator),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(ids_are_random_hex),
		cmocka_unit_test(the_clocks_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

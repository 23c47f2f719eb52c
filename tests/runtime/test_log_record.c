/* tests/runtime/test_log_record - mirrors runtime/log_record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/stamp.h"
#include "runtime/log_record.h"

/* What a record says after "log":" up to the closing quote. */
static void text_becomes(const char *text, size_t n, const char *expected)
{
	char out[512], want[512];
	size_t len = log_record_put(out, text, n, false, NULL, "T");

	assert_true(len <= log_record_bound(n, 0));
	snprintf(want, sizeof(want), "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"T\"}\n",
		 expected);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
}

static void records_have_dockers_form(void **state)
{
	char out[256];
	size_t n =
		log_record_put(out, "hello\n", 6, true, "{\"tag\":\"x\"}", "2026-01-02T03:04:05Z");

	(void)state;
	out[n] = '\0';
	assert_string_equal(out,
			    "{\"log\":\"hello\\n\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"x\"},"
			    "\"time\":\"2026-01-02T03:04:05Z\"}\n");
}

static void every_kind_of_byte_is_escaped_or_kept(void **state)
{
	/* clang-format off */
	static const struct { const char *in; size_t n; const char *out; } rows[] = {
		{ "", 0, "" },
		{ "plain ~", 7, "plain ~" },
		{ "\"\\\n\r", 4, "\\\"\\\\\\n\\r" },
		{ "\t\0\033\177", 4, "\\u0009\\u0000\\u001b\177" },
		{ "<a&b>", 5, "\\u003ca\\u0026b\\u003e" },
		{ "\xc3\xa9", 2, "\xc3\xa9" },                                 /* é */
		{ "\xe2\x82\xac", 3, "\xe2\x82\xac" },                         /* € */
		{ "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
		{ "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9, "\\u2028\\u2029\xe2\x80\xaa" },
		{ "\xff" "a\x80", 3, "\\ufffda\\ufffd" },
		{ "\xc0\xaf", 2, "\\ufffd\\ufffd" },                           /* overlong */
		{ "\xe0\x80\x80", 3, "\\ufffd\\ufffd\\ufffd" },
		{ "\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd" },                /* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd" },     /* above U+10FFFF */
		{ "\xf0\x8f\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd" },
		{ "\xc3", 1, "\\ufffd" },
		{ "\xe2\x82", 2, "\\ufffd\\ufffd" },
		{ "\xe2\x82z", 3, "\\ufffd\\ufffdz" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		text_becomes(rows[i].in, rows[i].n, rows[i].out);
}

/* Whatever the bytes, a record is JSON in one line that fits its bound. */
static void random_bytes_stay_json(void **state)
{
	unsigned seed = 20260102;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[64], out[1024];
		size_t n = (size_t)rand_r(&seed) % sizeof(text), len;
		struct err err = ERR_NONE;
		AUTO(json) struct json_object *object = NULL;

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(rand_r(&seed) % 3 ? rand_r(&seed)
							   : 0xe2 + rand_r(&seed) % 16);
		len = log_record_put(out, text, n, false, NULL, "T");
		assert_true(len <= log_record_bound(n, 0));
		assert_ptr_equal(memchr(out, '\n', len), out + len - 1);
		object = json_parse("record", out, len, &err);
		assert_non_null(object);
	}
}

static void cuts_fall_between_sequences(void **state)
{
	/* clang-format off */
	static const struct { const char *in; size_t n, cut; } rows[] = {
		{ "", 0, 0 }, { "abc", 3, 3 },
		{ "ab\xc3", 3, 2 }, { "ab\xc3\xa9", 4, 4 },
		{ "a\xe2", 2, 1 }, { "a\xe2\x82", 3, 1 }, { "a\xe2\x82\xac", 4, 4 },
		{ "\xf0\x9f\x98", 3, 0 }, { "\xf0\x9f\x98\x80", 4, 4 },
		{ "\x80\x80\x80\x80", 4, 4 }, { "a\xff", 2, 2 }, { "\xe0\x80", 2, 2 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(log_record_cut(rows[i].in, rows[i].n), rows[i].cut);
}

static void times_have_no_trailing_zeros(void **state)
{
	/* clang-format off */
	static const struct { unsigned long long ns; const char *text; } rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1700000000000000000ull, "2023-11-14T22:13:20Z" },
		{ 1700000000500000000ull, "2023-11-14T22:13:20.5Z" },
		{ 1700000000000000001ull, "2023-11-14T22:13:20.000000001Z" },
		{ 1700000000123456780ull, "2023-11-14T22:13:20.12345678Z" },
	};
	/* clang-format on */
	char out[STAMP_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(log_record_time(rows[i].ns, out), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_have_dockers_form),
		cmocka_unit_test(every_kind_of_byte_is_escaped_or_kept),
		cmocka_unit_test(random_bytes_stay_json),
		cmocka_unit_test(cuts_fall_between_sequences),
		cmocka_unit_test(times_have_no_trailing_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

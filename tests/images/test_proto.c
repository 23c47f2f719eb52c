/* tests/images/test_proto - mirrors images/proto. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/proto.h"

static struct proto begun(size_t endpoints)
{
	struct proto proto;

	proto_begin(&proto, endpoints, true);
	return proto;
}

static enum proto_step step(struct proto *proto, enum proto_event event)
{
	const struct proto_news news = { .retry_after_ms = -1, .dice = 123 };

	return proto_next(proto, event, &news);
}

static void every_pair_of_state_and_event_has_an_answer(void **state)
{
	(void)state;
	for (unsigned s = 0; s < PROTO_STATE_COUNT; s++)
		for (unsigned e = 0; e < PROTO_EVENT_COUNT; e++) {
			struct proto proto = begun(2);

			proto.state = (enum proto_state)s;
			step(&proto, (enum proto_event)e);
			assert_true(proto.state < PROTO_STATE_COUNT);
		}
}

static void the_plain_way_is_one_request(void **state)
{
	struct proto proto = begun(1);

	(void)state;
	assert_int_equal(step(&proto, PROTO_DONE), PROTO_SUCCEED);
	assert_int_equal(proto.state, PROTO_OVER);
}

static void a_challenge_is_answered_once_and_a_stale_token_renewed_once(void **state)
{
	struct proto proto = begun(1);
	const struct proto_news stale = { -1, .token_was_refused = true, .token_is_stale = true };
	const struct proto_news wrong = { -1, .token_was_refused = true };

	(void)state;
	assert_int_equal(step(&proto, PROTO_UNAUTHORIZED), PROTO_AUTHORIZE);
	assert_int_equal(step(&proto, PROTO_READY), PROTO_SEND_ORIGIN);
	assert_int_equal(proto_next(&proto, PROTO_UNAUTHORIZED, &stale), PROTO_AUTHORIZE);
	assert_int_equal(step(&proto, PROTO_READY), PROTO_SEND_ORIGIN);
	assert_int_equal(proto_next(&proto, PROTO_UNAUTHORIZED, &stale), PROTO_FAIL);
	proto = begun(1);
	step(&proto, PROTO_UNAUTHORIZED);
	step(&proto, PROTO_READY);
	assert_int_equal(proto_next(&proto, PROTO_UNAUTHORIZED, &wrong), PROTO_FAIL);
}

static void a_token_may_die_again_and_again_as_long_as_bytes_come(void **state)
{
	struct proto proto = begun(1);
	struct proto_news stale = { -1, .token_was_refused = true, .token_is_stale = true };

	(void)state;
	for (int i = 0; i < 50; i++) {
		stale.progress_bytes += 1000;
		assert_int_equal(proto_next(&proto, PROTO_UNAUTHORIZED, &stale), PROTO_AUTHORIZE);
		assert_int_equal(step(&proto, PROTO_READY), PROTO_SEND_ORIGIN);
	}
}

static void waits_grow_are_bounded_and_end(void **state)
{
	struct proto proto = begun(1);
	const struct proto_news news = { .retry_after_ms = -1, .dice = UINT32_MAX };
	uint64_t ceiling = 500;
	int waits = 0;

	(void)state;
	while (proto_next(&proto, PROTO_CUT, &news) == PROTO_WAIT) {
		assert_true(proto.wait_ms <= ceiling);
		ceiling = ceiling * 2 > 30000 ? 30000 : ceiling * 2;
		assert_int_equal(step(&proto, PROTO_READY), PROTO_SEND_ORIGIN);
		waits++;
	}
	assert_int_equal(waits, 5);
	assert_int_equal(proto.state, PROTO_OVER);
}

static void progress_gives_new_attempts_but_not_for_ever(void **state)
{
	struct proto proto = begun(1);
	struct proto_news news = { .retry_after_ms = -1 };
	int waits = 0;

	(void)state;
	for (;;) {
		news.progress_bytes += 1 << 20;
		if (proto_next(&proto, PROTO_CUT, &news) != PROTO_WAIT)
			break;
		step(&proto, PROTO_READY);
		waits++;
	}
	assert_int_equal(waits, 19);
}

static void nobody_at_home_is_told_sooner(void **state)
{
	struct proto proto = begun(1);
	const struct proto_news news = { .retry_after_ms = -1, .refused_connection = true };
	int waits = 0;

	(void)state;
	while (proto_next(&proto, PROTO_CUT, &news) == PROTO_WAIT) {
		step(&proto, PROTO_READY);
		waits++;
	}
	assert_int_equal(waits, 3);
}

static void retry_after_is_obeyed_up_to_two_minutes(void **state)
{
	struct proto proto = begun(1);
	const struct proto_news soon = { .retry_after_ms = 120000 },
				late = { .retry_after_ms = 121000 };

	(void)state;
	assert_int_equal(proto_next(&proto, PROTO_LATER, &soon), PROTO_WAIT);
	assert_int_equal(proto.wait_ms, 120000);
	step(&proto, PROTO_READY);
	assert_int_equal(proto_next(&proto, PROTO_LATER, &late), PROTO_FAIL_RATE);
}

static void a_mirror_that_fails_leads_to_the_next_endpoint(void **state)
{
	static const enum proto_event events[] = { PROTO_MISSING, PROTO_LATER, PROTO_CUT,
						   PROTO_REFUSED, PROTO_FORBIDDEN };

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct proto proto = begun(2);

		assert_int_equal(step(&proto, events[i]), PROTO_NEXT_ENDPOINT);
		assert_int_equal(step(&proto, PROTO_DONE), PROTO_SUCCEED);
	}
}

static void redirects_are_counted_and_expired_ones_asked_for_anew(void **state)
{
	struct proto proto = begun(1);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(step(&proto, PROTO_REDIRECT), PROTO_SEND_TARGET);
	assert_int_equal(step(&proto, PROTO_REDIRECT), PROTO_FAIL);
	proto = begun(1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(step(&proto, PROTO_REDIRECT), PROTO_SEND_TARGET);
		assert_int_equal(step(&proto, PROTO_FORBIDDEN), PROTO_SEND_ORIGIN);
	}
	step(&proto, PROTO_REDIRECT);
	assert_int_equal(step(&proto, PROTO_FORBIDDEN), PROTO_FAIL);
	proto_begin(&proto, 1, false);
	assert_int_equal(step(&proto, PROTO_REDIRECT), PROTO_FAIL);
}

static void a_cut_at_the_target_goes_on_there(void **state)
{
	struct proto proto = begun(1);

	(void)state;
	step(&proto, PROTO_REDIRECT);
	assert_int_equal(step(&proto, PROTO_CUT), PROTO_WAIT);
	assert_int_equal(step(&proto, PROTO_READY), PROTO_SEND_TARGET);
}

static void a_bad_range_starts_over_once(void **state)
{
	struct proto proto = begun(1);

	(void)state;
	assert_int_equal(step(&proto, PROTO_BAD_RANGE), PROTO_RESTART);
	assert_int_equal(step(&proto, PROTO_BAD_RANGE), PROTO_FAIL);
}

static void a_token_server_that_is_busy_is_asked_again(void **state)
{
	struct proto proto = begun(1);

	(void)state;
	step(&proto, PROTO_UNAUTHORIZED);
	assert_int_equal(step(&proto, PROTO_LATER), PROTO_WAIT);
	assert_int_equal(step(&proto, PROTO_READY), PROTO_AUTHORIZE);
	assert_int_equal(step(&proto, PROTO_UNAUTHORIZED), PROTO_FAIL);
}

static void header_values_are_read(void **state)
{
	uint64_t first, last, total;

	(void)state;
	assert_int_equal(proto_retry_after_ms("120", 0), 120000);
	assert_int_equal(proto_retry_after_ms(" 0 ", 0), 0);
	assert_int_equal(proto_retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 30), 30000);
	assert_int_equal(proto_retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 90), 0);
	assert_int_equal(proto_retry_after_ms("soon", 0), -1);
	assert_int_equal(proto_retry_after_ms("-1", 0), -1);
	assert_int_equal(proto_retry_after_ms("", 0), -1);
	assert_true(proto_content_range("bytes 100-199/200", &first, &last, &total));
	assert_int_equal(first, 100);
	assert_int_equal(last, 199);
	assert_int_equal(total, 200);
	assert_true(proto_content_range("bytes 0-0/*", &first, &last, &total));
	assert_true(total == UINT64_MAX);
	assert_false(proto_content_range("", &first, &last, &total));
	assert_false(proto_content_range("bytes 5-4/9", &first, &last, &total));
	assert_false(proto_content_range("bytes */9", &first, &last, &total));
	assert_false(proto_content_range("items 0-1/2", &first, &last, &total));
	assert_false(proto_content_range("bytes 0-99999999999999999999/2", &first, &last, &total));
}

static void statuses_and_failures_become_events(void **state)
{
	(void)state;
	assert_int_equal(proto_event_of_status(206), PROTO_DONE);
	assert_int_equal(proto_event_of_status(307), PROTO_REDIRECT);
	assert_int_equal(proto_event_of_status(304), PROTO_REFUSED);
	assert_int_equal(proto_event_of_status(503), PROTO_LATER);
	assert_int_equal(proto_event_of_status(501), PROTO_REFUSED);
	assert_int_equal(proto_event_of_status(0), PROTO_REFUSED);
	assert_int_equal(proto_event_of_failure(FETCH_CUT), PROTO_CUT);
	assert_int_equal(proto_event_of_failure(FETCH_TLS), PROTO_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_state_and_event_has_an_answer),
		cmocka_unit_test(the_plain_way_is_one_request),
		cmocka_unit_test(a_challenge_is_answered_once_and_a_stale_token_renewed_once),
		cmocka_unit_test(a_token_may_die_again_and_again_as_long_as_bytes_come),
		cmocka_unit_test(waits_grow_are_bounded_and_end),
		cmocka_unit_test(progress_gives_new_attempts_but_not_for_ever),
		cmocka_unit_test(nobody_at_home_is_told_sooner),
		cmocka_unit_test(retry_after_is_obeyed_up_to_two_minutes),
		cmocka_unit_test(a_mirror_that_fails_leads_to_the_next_endpoint),
		cmocka_unit_test(redirects_are_counted_and_expired_ones_asked_for_anew),
		cmocka_unit_test(a_cut_at_the_target_goes_on_there),
		cmocka_unit_test(a_bad_range_starts_over_once),
		cmocka_unit_test(a_token_server_that_is_busy_is_asked_again),
		cmocka_unit_test(header_values_are_read),
		cmocka_unit_test(statuses_and_failures_become_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

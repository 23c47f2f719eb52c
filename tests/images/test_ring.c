/* tests/images/test_ring - bytes come out as they went in, for each reader; nobody waits for ever.
 */
#include "images/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RING_BYTES  4096u
#define TOTAL_BYTES (300u << 10)

/* Every byte says where it is, in a cycle that fits no power of two. */
static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at % 251);
}

struct reading {
	struct ring *ring;
	unsigned number;
	size_t least, most; /* of one piece */
	size_t got;
	size_t give_up_at; /* 0: never */
	bool is_right, is_whole;
};

static void *read_all(void *ctx)
{
	struct reading *reading = ctx;
	const uint8_t *piece;
	size_t len;

	reading->is_right = true;
	while ((len = ring_peek(reading->ring, reading->number, reading->least, &piece)) > 0) {
		len = len < reading->most ? len : reading->most;
		for (size_t i = 0; i < len; i++)
			reading->is_right &= piece[i] == byte_at(reading->got + i);
		reading->got += len;
		ring_take(reading->ring, reading->number, len);
		if (reading->give_up_at && reading->got >= reading->give_up_at) {
			ring_give_up(reading->ring);
			break;
		}
	}
	reading->is_whole = ring_is_whole(reading->ring);
	return NULL;
}

/* By ring_put and, every other time, into the room itself. */
static bool put_some(struct ring *ring, size_t *at, size_t len, bool in_room)
{
	uint8_t bytes[RING_BYTES], *room = bytes;

	if (in_room) {
		size_t size = ring_room(ring, &room);

		if (size == 0)
			return false;
		len = len < size ? len : size;
	}
	for (size_t i = 0; i < len; i++)
		room[i] = byte_at(*at + i);
	*at += len;
	if (!in_room)
		return ring_put(ring, bytes, len);
	ring_add(ring, len);
	return true;
}

static size_t put_all(struct ring *ring)
{
	size_t at = 0;

	for (unsigned turn = 0; at < TOTAL_BYTES; turn++) {
		size_t len = 1 + (turn * 397u) % 3001;

		len = len < TOTAL_BYTES - at ? len : TOTAL_BYTES - at;
		if (!put_some(ring, &at, len, turn % 2))
			break;
	}
	return at;
}

static void start(pthread_t *thread, struct reading *reading)
{
	assert_int_equal(pthread_create(thread, NULL, read_all, reading), 0);
}

static void one_reader_gets_all_in_order(void **state)
{
	struct ring *ring = ring_new(RING_BYTES, 1);
	struct reading reading = { .ring = ring, .least = 1024, .most = 1500 };
	pthread_t thread;

	(void)state;
	start(&thread, &reading);
	assert_int_equal(put_all(ring), TOTAL_BYTES);
	ring_close(ring, true);
	pthread_join(thread, NULL);
	assert_int_equal(reading.got, TOTAL_BYTES);
	assert_true(reading.is_right);
	assert_true(reading.is_whole);
	ring_free(ring);
}

static void two_readers_of_different_speed_both_get_all(void **state)
{
	struct ring *ring = ring_new(RING_BYTES, 2);
	struct reading fast = { .ring = ring, .number = 0, .least = 1, .most = RING_BYTES };
	struct reading slow = { .ring = ring, .number = 1, .least = 700, .most = 37 };
	pthread_t threads[2];

	(void)state;
	start(&threads[0], &fast);
	start(&threads[1], &slow);
	assert_int_equal(put_all(ring), TOTAL_BYTES);
	ring_close(ring, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(fast.got, TOTAL_BYTES);
	assert_int_equal(slow.got, TOTAL_BYTES);
	assert_true(fast.is_right && slow.is_right);
	assert_true(fast.is_whole && slow.is_whole);
	ring_free(ring);
}

static void room_is_what_both_readers_have_taken(void **state)
{
	struct ring *ring = ring_new(16, 2);
	const uint8_t *piece;

	(void)state;
	assert_int_equal(ring_try_put(ring, "0123456789abcdef", 16), 1);
	assert_int_equal(ring_peek(ring, 0, 16, &piece), 16);
	assert_false(ring_take(ring, 0, 16));
	assert_int_equal(ring_try_put(ring, "x", 1), 0);
	assert_int_equal(ring_peek(ring, 1, 1, &piece), 16);
	assert_memory_equal(piece, "0123456789abcdef", 16);
	assert_false(ring_take(ring, 1, 7)); /* less than half */
	assert_true(ring_take(ring, 1, 1));  /* the putter is told once */
	assert_false(ring_take(ring, 1, 1));
	assert_int_equal(ring_try_put(ring, "ghijklmn", 8), 1);
	assert_int_equal(ring_peek(ring, 0, 8, &piece), 8);
	assert_memory_equal(piece, "ghijklmn", 8);
	ring_free(ring);
}

static void bytes_round_the_end_come_in_two_pieces(void **state)
{
	struct ring *ring = ring_new(8, 1);
	const uint8_t *piece;

	(void)state;
	assert_int_equal(ring_try_put(ring, "abcdef", 6), 1);
	assert_int_equal(ring_peek(ring, 0, 6, &piece), 6);
	ring_take(ring, 0, 6);
	assert_int_equal(ring_try_put(ring, "ghijkl", 6), 1);
	assert_int_equal(ring_peek(ring, 0, 6, &piece), 2);
	assert_memory_equal(piece, "gh", 2);
	ring_take(ring, 0, 2);
	assert_int_equal(ring_peek(ring, 0, 4, &piece), 4);
	assert_memory_equal(piece, "ijkl", 4);
	ring_free(ring);
}

static void a_reader_that_gives_up_frees_the_putter_and_the_other_reader(void **state)
{
	struct ring *ring = ring_new(RING_BYTES, 2);
	struct reading quitter = { .ring = ring, .number = 0, .least = 1, .most = 100 };
	struct reading other = { .ring = ring, .number = 1, .least = 1, .most = RING_BYTES };
	pthread_t threads[2];

	(void)state;
	quitter.give_up_at = 20000;
	start(&threads[0], &quitter);
	start(&threads[1], &other);
	assert_true(put_all(ring) < TOTAL_BYTES);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL); /* without a close */
	assert_int_equal(ring_try_put(ring, "x", 1), -1);
	ring_close(ring, true);
	assert_false(ring_is_whole(ring));
	assert_true(other.is_right);
	ring_free(ring);
}

static void what_was_put_before_a_cut_is_still_read(void **state)
{
	struct ring *ring = ring_new(RING_BYTES, 2);
	const uint8_t *piece;

	(void)state;
	assert_true(ring_put(ring, "abc", 3));
	ring_close(ring, false);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ring_peek(ring, i, 1024, &piece), 3);
		ring_take(ring, i, 3);
		assert_int_equal(ring_peek(ring, i, 1, &piece), 0);
	}
	assert_false(ring_is_whole(ring));
	ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reader_gets_all_in_order),
		cmocka_unit_test(two_readers_of_different_speed_both_get_all),
		cmocka_unit_test(room_is_what_both_readers_have_taken),
		cmocka_unit_test(bytes_round_the_end_come_in_two_pieces),
		cmocka_unit_test(a_reader_that_gives_up_frees_the_putter_and_the_other_reader),
		cmocka_unit_test(what_was_put_before_a_cut_is_still_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

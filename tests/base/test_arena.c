/* tests/base/test_arena - mirrors base/arena and base/alloc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"

static void memory_is_zeroed_and_aligned(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();

	(void)state;
	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *memory = arena_alloc(arena, size);

		assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		if (size)
			memset(memory, 0xff, size); /* the next one must not see it */
	}
}

static void big_requests_leave_room_for_small_ones(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	char *first = arena_strdup(arena, "first");
	size_t before;

	(void)state;
	memset(arena_alloc(arena, 5u << 20), 1, 5u << 20);
	before = arena_bytes(arena);
	assert_true(before > 5u << 20);
	arena_strdup(arena, "second"); /* still fits the first block */
	assert_int_equal(arena_bytes(arena), before);
	assert_string_equal(first, "first");
}

static void texts_are_copies(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	char source[] = "service web";
	char *copy = arena_strdup(arena, source), *part = arena_strndup(arena, source, 7);

	(void)state;
	memset(source, 'x', sizeof(source) - 1);
	assert_string_equal(copy, "service web");
	assert_string_equal(part, "service");
	assert_string_equal(arena_strndup(arena, NULL, 0), "");
	assert_null(arena_strdup(arena, NULL));
	assert_string_equal(arena_format(arena, "%s-%d", "web", 3), "web-3");
}

static void arrays_grow_and_keep_what_they_hold(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	int *in_arena = NULL, *in_heap = NULL;
	size_t arena_count = 0, heap_count = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int *a = arena_grow(arena, &in_arena, &arena_count, sizeof(int));
		int *h = xgrow(&in_heap, &heap_count, sizeof(int));

		assert_int_equal(*a, 0);
		assert_int_equal(*h, 0);
		*a = *h = i;
	}
	assert_int_equal(arena_count, 1000);
	for (int i = 0; i < 1000; i++)
		assert_true(in_arena[i] == i && in_heap[i] == i);
	free(in_heap);
}

static int exit_status_of(void (*act)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		close(STDERR_FILENO);
		act();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void overflow(void)
{
	xrealloc(NULL, SIZE_MAX / 2, 3);
}

static void a_size_that_overflows_ends_the_process(void **state)
{
	(void)state;
	assert_in_range(exit_status_of(overflow), 70, 71);
}

static void heap_texts(void **state)
{
	char *formatted = xformat("%d%%", 50), *part = xstrndup("abc", 2), *zero = xcalloc(0, 0);

	(void)state;
	assert_string_equal(formatted, "50%");
	assert_string_equal(part, "ab");
	assert_non_null(zero);
	assert_null(xstrdup(NULL));
	free(formatted);
	free(part);
	free(zero);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(big_requests_leave_room_for_small_ones),
		cmocka_unit_test(texts_are_copies),
		cmocka_unit_test(arrays_grow_and_keep_what_they_hold),
		cmocka_unit_test(a_size_that_overflows_ends_the_process),
		cmocka_unit_test(heap_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

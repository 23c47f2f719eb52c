/* tests/orchestrator/test_desired - mirrors orchestrator/desired: operations in a row, and what is
 * wanted then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/desired.h"
#include "tests/orchestrator/project_room.h"

struct step {
	enum plan_op op;
	const char *service; /* NULL: all */
	const char *wanted;  /* "STATE STOPPED..." */
};

#define END                                                                                        \
	{                                                                                          \
		PLAN_OP_COUNT, NULL, NULL                                                          \
	}

/* clang-format off */
static const struct step rows[][7] = {
	{ { PLAN_UP, NULL, "up" }, { PLAN_STOP, NULL, "stopped" }, { PLAN_START, NULL, "up" }, { PLAN_DOWN, NULL, "down" }, END },
	{ { PLAN_STOP, NULL, "stopped" }, END },
	{ { PLAN_DOWN, NULL, "down" }, END },
	{ { PLAN_UP, NULL, "up" }, { PLAN_STOP, "web", "up web" }, { PLAN_STOP, "db", "up web db" },
	  { PLAN_STOP, "web", "up db web" }, { PLAN_START, "db", "up web" }, { PLAN_UP, NULL, "up" }, END },
	{ { PLAN_UP, "web", "up" }, { PLAN_STOP, "web", "up web" }, { PLAN_RESTART, "web", "up" }, END },
	{ { PLAN_UP, NULL, "up" }, { PLAN_STOP, "web", "up web" }, { PLAN_RESTART, NULL, "up" }, END },
	{ { PLAN_UP, NULL, "up" }, { PLAN_DOWN, "web", "up" }, END },
	{ { PLAN_UP, NULL, "up" }, { PLAN_REMOVE, NULL, "up" }, { PLAN_CREATE, NULL, "up" }, { PLAN_NOTHING, NULL, "up" }, END },
};
/* clang-format on */

static void read_back(const struct project_room *room, char *out, size_t size)
{
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	const char *word;
	struct texts stopped;
	size_t len;

	assert_int_equal(desired_read(room->dirs, arena, &word, &stopped, &err), 0);
	len = (size_t)snprintf(out, size, "%s", word);
	for (size_t i = 0; i < stopped.count; i++)
		len += (size_t)snprintf(out + len, size - len, " %s", stopped.items[i]);
	arena_free(arena);
}

static void operations_leave_what_the_user_wants(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct project_room room;

		room_make(&room);
		for (const struct step *step = rows[i]; step->op != PLAN_OP_COUNT; step++) {
			const char *const names[] = { step->service };
			struct plan_options options = { .op = step->op,
							.services = names,
							.service_count = step->service ? 1 : 0 };
			struct err err = ERR_NONE;
			char got[128];

			assert_int_equal(desired_write(room.dirs, &options, "", &err), 0);
			read_back(&room, got, sizeof(got));
			if (strcmp(got, step->wanted) != 0)
				fail_msg("row %zu step %td: \"%s\", wanted \"%s\"", i,
					 step - rows[i], got, step->wanted);
		}
		room_drop(&room);
	}
}

static void nothing_is_written_when_nothing_changes(void **state)
{
	struct plan_options up = { .op = PLAN_UP };
	struct project_room room;
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	assert_int_equal(desired_write(room.dirs, &up, "", &err), 0);
	assert_int_equal(unlinkat(room.dirs->state_fd, "desired", 0), 0);
	assert_int_equal(
		file_replace(room.dirs->state_fd, "desired", "{\"state\":\"up\"}", 14, &err), 0);
	assert_int_equal(desired_write(room.dirs, &up, "", &err), 0);
	{
		AUTO(free) char *text = NULL;

		assert_int_equal(file_read(room.dirs->state_fd, "desired", 4096, &text, NULL, &err),
				 0);
		assert_string_equal(text, "{\"state\":\"up\"}"); /* still the text of the test */
	}
	room_drop(&room);
}

static void a_damaged_file_is_an_error_and_stays(void **state)
{
	struct plan_options up = { .op = PLAN_UP };
	struct project_room room;
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	const char *word;
	struct texts stopped;

	(void)state;
	room_make(&room);
	assert_int_equal(file_replace(room.dirs->state_fd, "desired", "{\"sta", 5, &err), 0);
	assert_int_equal(desired_read(room.dirs, arena, &word, &stopped, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	err = ERR_NONE;
	assert_int_equal(desired_write(room.dirs, &up, "", &err), -1);
	arena_free(arena);
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_leave_what_the_user_wants),
		cmocka_unit_test(nothing_is_written_when_nothing_changes),
		cmocka_unit_test(a_damaged_file_is_an_error_and_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

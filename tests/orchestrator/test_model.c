/* tests/orchestrator/test_model - mirrors orchestrator/model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/orchestrator/project_room.h"

#define ONE "{\"web\":{\"image\":\"a\"}}"
#define TWO "{\"web\":{\"image\":\"b\"}}"

static void a_saved_model_is_read_back_with_its_number(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	struct model *model, *current, *first;

	(void)state;
	room_make(&room);
	model = room_model(ONE);
	assert_int_equal(model->seq, 0);
	assert_int_equal(model_save(room.dirs, model, NULL, &err), 0);
	assert_int_equal(model->seq, 1);
	current = model_load_current(room.dirs, &err);
	assert_non_null(current);
	assert_int_equal(current->seq, 1);
	assert_string_equal(current->project->name, "shop");
	assert_string_equal(current->project->services[0].image, "a");
	assert_string_equal(current->text, model->text);
	first = model_load(room.dirs, 1, &err);
	assert_non_null(first);
	assert_string_equal(first->text, model->text);
	model_unref(first);
	model_unref(current);
	model_unref(model);
	room_drop(&room);
}

static void another_model_takes_the_next_number_and_the_old_one_stays(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	struct model *one = room_model(ONE), *two = room_model(TWO), *back;

	(void)state;
	room_make(&room);
	assert_int_equal(model_save(room.dirs, one, NULL, &err), 0);
	assert_int_equal(model_save(room.dirs, two, one, &err), 0);
	assert_int_equal(two->seq, 2);
	back = model_load_current(room.dirs, &err);
	assert_string_equal(back->project->services[0].image, "b");
	model_unref(back);
	back = model_load(room.dirs, 1, &err);
	assert_string_equal(back->project->services[0].image, "a");
	model_unref(back);
	model_unref(one);
	model_unref(two);
	room_drop(&room);
}

static void the_same_model_keeps_its_number_and_writes_nothing(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	struct model *one = room_model(ONE), *again = room_model(ONE);

	(void)state;
	room_make(&room);
	one->seq = 5;
	assert_int_equal(model_save(room.dirs, again, one, &err), 0);
	assert_int_equal(again->seq, 5);
	assert_int_equal(faccessat(room.dirs->state_fd, "model.json", F_OK, 0), -1);
	assert_int_equal(faccessat(room.dirs->state_fd, "history", F_OK, 0), -1);
	model_unref(one);
	model_unref(again);
	room_drop(&room);
}

static void write_state(const struct project_room *room, const char *name, const char *text)
{
	struct err err = ERR_NONE;

	assert_int_equal(file_replace(room->dirs->state_fd, name, text, strlen(text), &err), 0);
}

static void what_is_not_there_and_what_is_damaged_are_told_apart(void **state)
{
	/* clang-format off */
	static const struct { const char *text; enum err_code code; } rows[] = {
		{ "{\"version\":1,\"seq\":1}", ERR_INVALID },
		{ "{\"version\":1,\"seq\":1,\"model\":{\"na", ERR_INVALID },
		{ "{\"version\":1,\"seq\":1,\"model\":[]}", ERR_INVALID },
		{ "{\"version\":1,\"seq\":1,\"model\":{\"name\":\"shop\",\"stack\":{\"version\":99}}}", ERR_UNSUPPORTED },
	};
	/* clang-format on */
	struct project_room room;
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	assert_null(model_load_current(room.dirs, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	err = ERR_NONE;
	assert_null(model_load(room.dirs, 12345678901234567890ull, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_state(&room, "model.json", rows[i].text);
		err = ERR_NONE;
		assert_null(model_load_current(room.dirs, &err));
		if (err.code != rows[i].code)
			fail_msg("row %zu: %s", i, err.msg);
	}
	room_drop(&room);
}

static void references_are_counted(void **state)
{
	struct model *model = room_model(ONE);

	(void)state;
	assert_ptr_equal(model_ref(model), model);
	assert_int_equal(model->refs, 2);
	model_unref(model);
	assert_string_equal(model->project->name, "shop"); /* still there */
	model_unref(model);
	model_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_saved_model_is_read_back_with_its_number),
		cmocka_unit_test(another_model_takes_the_next_number_and_the_old_one_stays),
		cmocka_unit_test(the_same_model_keeps_its_number_and_writes_nothing),
		cmocka_unit_test(what_is_not_there_and_what_is_damaged_are_told_apart),
		cmocka_unit_test(references_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

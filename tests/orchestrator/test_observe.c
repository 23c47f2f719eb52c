/* tests/orchestrator/test_observe - mirrors orchestrator/observe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/message.h"
#include "orchestrator/observe.h"
#include "tests/orchestrator/project_room.h"

/* A record of web.SLOT whose monitor is this process (alive) or nobody. Its id in out. */
static void add_container(const struct project_room *room, unsigned slot, enum record_state state,
			  bool alive, char *out_id)
{
	AUTO(record) struct record *record = record_new("web", slot);
	struct err err = ERR_NONE;

	record->name = xformat("shop-web-%u", slot);
	record->state = state;
	record->life = 2;
	if (alive)
		record->monitor = process_identity(getpid());
	assert_int_equal(mkdirat(room->dirs->containers_fd, record->id, 0700), 0);
	assert_int_equal(record_save(room->dirs->containers_fd, record, &err), 0);
	if (out_id)
		strcpy(out_id, record->id);
}

static struct observed *look(const struct project_room *room)
{
	struct err err = ERR_NONE;
	struct observed *observed = observe_project(room->dirs, &err);

	assert_non_null(observed);
	return observed;
}

static void an_empty_project_has_neither_model_nor_containers(void **state)
{
	struct project_room room;
	struct observed *observed;

	(void)state;
	room_make(&room);
	observed = look(&room);
	assert_null(observed->model);
	assert_int_equal(observed->count, 0);
	assert_false(observed_has_service(observed, "web"));
	assert_null(observed_find(observed, "web", 0));
	assert_int_equal(observe_supervisor(room.dirs), 0);
	observed_free(observed);
	room_drop(&room);
}

static void records_and_living_monitors_give_the_status(void **state)
{
	struct project_room room;
	struct observed *observed;

	(void)state;
	room_make(&room);
	add_container(&room, 1, RECORD_RUNNING, true, NULL);
	add_container(&room, 2, RECORD_RUNNING, false, NULL);
	add_container(&room, 3, RECORD_CREATED, false, NULL);
	observed = look(&room);
	assert_int_equal(observed->count, 3);
	assert_true(observed->containers[0].alive);
	assert_string_equal(observed->containers[0].status, "running");
	assert_false(observed->containers[1].alive);
	assert_string_equal(observed->containers[1].status, "exited");
	assert_string_equal(observed->containers[2].status, "created");
	observed_free(observed);
	room_drop(&room);
}

static void an_end_that_nobody_saw_is_read_from_its_file(void **state)
{
	struct project_room room;
	struct observed *observed;
	char id[STAMP_ID_LEN + 1];
	AUTO(free) char *path = NULL;
	struct err err = ERR_NONE;
	const char *text = "{\"life\":2,\"code\":42,\"finished_at\":\"2026-01-01T00:00:00Z\"}";

	(void)state;
	room_make(&room);
	add_container(&room, 1, RECORD_RUNNING, false, id);
	path = xformat("%s/exit.json", id);
	{
		AUTO(fd) int fd = file_open_dir(room.dirs->containers_fd, id, false, &err);

		assert_int_equal(file_replace(fd, "exit.json", text, strlen(text), &err), 0);
	}
	observed = look(&room);
	assert_int_equal(observed->containers[0].record->last_exit.code, 42);
	observed_free(observed);
	room_drop(&room);
}

static void a_container_is_found_by_index_or_the_first_that_lives(void **state)
{
	struct project_room room;
	struct observed *observed;

	(void)state;
	room_make(&room);
	add_container(&room, 1, RECORD_EXITED, false, NULL);
	add_container(&room, 2, RECORD_RUNNING, true, NULL);
	add_container(&room, 3, RECORD_RUNNING, true, NULL);
	observed = look(&room);
	assert_int_equal(observed_find(observed, "web", 0)->record->slot, 2);
	assert_int_equal(observed_find(observed, "web", 1)->record->slot, 1);
	assert_int_equal(observed_find(observed, "web", 3)->record->slot, 3);
	assert_null(observed_find(observed, "web", 4));
	assert_null(observed_find(observed, "db", 0));
	observed_free(observed);
	room_drop(&room);
}

static void a_service_is_known_by_model_or_by_container(void **state)
{
	struct project_room room;
	struct observed *observed;
	struct model *model = room_model("{\"db\":{\"image\":\"a\"}}");
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	assert_int_equal(model_save(room.dirs, model, NULL, &err), 0);
	add_container(&room, 1, RECORD_EXITED, false, NULL);
	observed = look(&room);
	assert_true(observed_has_service(observed, "db"));
	assert_true(observed_has_service(observed, "web")); /* an orphan's */
	assert_false(observed_has_service(observed, "cache"));
	observed_free(observed);
	model_unref(model);
	room_drop(&room);
}

static void the_supervisor_is_who_listens(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	int fd;

	(void)state;
	room_make(&room);
	fd = message_listen(room.dirs->run_fd, "control.sock", SOCK_STREAM, false, &err);
	assert_true(fd >= 0);
	assert_int_equal(observe_supervisor(room.dirs), getpid());
	close(fd);
	assert_int_equal(observe_supervisor(room.dirs), 0); /* the file is there, nobody listens */
	room_drop(&room);
}

static void a_damaged_model_is_an_error(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	assert_int_equal(file_replace(room.dirs->state_fd, "model.json", "{", 1, &err), 0);
	assert_null(observe_project(room.dirs, &err));
	assert_int_equal(err.code, ERR_INVALID);
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_project_has_neither_model_nor_containers),
		cmocka_unit_test(records_and_living_monitors_give_the_status),
		cmocka_unit_test(an_end_that_nobody_saw_is_read_from_its_file),
		cmocka_unit_test(a_container_is_found_by_index_or_the_first_that_lives),
		cmocka_unit_test(a_service_is_known_by_model_or_by_container),
		cmocka_unit_test(the_supervisor_is_who_listens),
		cmocka_unit_test(a_damaged_model_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_records - mirrors orchestrator/records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/json.h"
#include "orchestrator/records.h"
#include "tests/runtime/folder.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct record *filled(const struct folder *folder, const char *service, unsigned slot)
{
	struct record *record = record_new(service, slot);

	record->name = xformat("p-%s-%u", service, slot);
	record->image_ref = xstrdup("nginx:1.27");
	record->image_id = xstrdup("sha256:abc");
	record->config_hash = xstrdup("hash");
	record->info = xstrdup("{\"labels\":{\"a\":\"b/c\"},\"ports\":[1,2]}");
	assert_int_equal(mkdirat(folder->fd, record->id, 0700), 0);
	return record;
}

static void what_is_saved_is_read_back(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	{
		AUTO(record) struct record *record = filled(&folder, "web", 3);
		AUTO(record) struct record *back = NULL;

		record->state = RECORD_RUNNING;
		record->paused = true;
		record->stopped_by_hand = true;
		record->contents = xstrdup("digest");
		record->life = 7;
		record->started_at_us = 1234567890123456;
		record->monitor = (struct process_id){ 41, 1ull << 50 };
		record->init = (struct process_id){ 42, 99 };
		record->restarts = 5;
		record->health = HEALTH_BAD;
		record->last_exit = (struct record_exit){ .life = 6,
							  .code = 137,
							  .signal = 9,
							  .oom = true,
							  .started_at_us = 1,
							  .finished_at_us = 2,
							  .error = "said \"no\"" };
		assert_int_equal(record_save(folder.fd, record, &err), 0);
		back = record_read(folder.fd, record->id, &err);
		assert_non_null(back);
		assert_string_equal(back->id, record->id);
		assert_string_equal(back->name, "p-web-3");
		assert_string_equal(back->service, "web");
		assert_int_equal(back->slot, 3);
		assert_null(back->oneoff);
		assert_int_equal(back->created_at_us, record->created_at_us);
		assert_string_equal(back->image_ref, "nginx:1.27");
		assert_string_equal(back->image_id, "sha256:abc");
		assert_string_equal(back->config_hash, "hash");
		assert_string_equal(back->contents, "digest");
		assert_string_equal(back->info, record->info);
		assert_int_equal(back->state, RECORD_RUNNING);
		assert_true(back->paused);
		assert_true(back->stopped_by_hand);
		assert_int_equal(back->life, 7);
		assert_int_equal(back->started_at_us, 1234567890123456);
		assert_int_equal(back->monitor.pid, 41);
		assert_int_equal(back->monitor.start_ticks, 1ull << 50);
		assert_int_equal(back->init.pid, 42);
		assert_int_equal(back->restarts, 5);
		assert_int_equal(back->health, HEALTH_BAD);
		assert_memory_equal(&back->last_exit, &record->last_exit,
				    sizeof(back->last_exit) - 190);
		assert_string_equal(back->last_exit.error, "said \"no\"");
	}
	folder_drop(&folder);
}

static void a_record_without_info_and_without_exit_is_whole(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	{
		AUTO(record) struct record *record = filled(&folder, "web", 0);
		AUTO(record) struct record *back = NULL;
		AUTO(json) struct json_object *info = NULL;

		free(record->info);
		record->info = NULL;
		record->oneoff = xstrdup("0123456789ab");
		assert_int_equal(record_save(folder.fd, record, &err), 0);
		back = record_read(folder.fd, record->id, &err);
		assert_non_null(back);
		assert_string_equal(back->oneoff, "0123456789ab");
		assert_int_equal(back->last_exit.finished_at_us, 0);
		info = record_info(back);
		assert_int_equal(json_object_object_length(info), 0);
	}
	folder_drop(&folder);
}

static void every_state_is_read_back_as_itself(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	for (int i = 0; i < RECORD_STATE_COUNT; i++) {
		AUTO(record) struct record *record = filled(&folder, "web", 1), *back = NULL;

		record->state = (enum record_state)i;
		assert_int_equal(record_save(folder.fd, record, &err), 0);
		back = record_read(folder.fd, record->id, &err);
		assert_non_null(back);
		assert_int_equal(back->state, i);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(record_state_name((enum record_state)i),
						record_state_name((enum record_state)j));
	}
	folder_drop(&folder);
}

static void put_record(const struct folder *folder, const char *id, const char *text)
{
	AUTO(free) char *path = xformat("%s/record.json", id);

	mkdirat(folder->fd, id, 0700);
	folder_write(folder, path, text);
}

static void damaged_records_are_told_by_kind(void **state)
{
	/* clang-format off */
	static const struct { const char *text; enum err_code code; const char *message; } rows[] = {
		{ "", ERR_INVALID, "" },
		{ "{\"version\":1,\"id\":\"" ID_A "\",\"serv", ERR_INVALID, "" },
		{ "[1]", ERR_UNSUPPORTED, "version 0" },
		{ "{\"version\":2,\"id\":\"" ID_A "\",\"service\":\"web\"}", ERR_UNSUPPORTED, "newer" },
		{ "{\"version\":1,\"id\":\"bbbb\",\"service\":\"web\"}", ERR_INVALID, "damaged" },
		{ "{\"version\":1,\"id\":\"" ID_A "\"}", ERR_INVALID, "damaged" },
	};
	/* clang-format on */
	struct folder folder;

	(void)state;
	folder_make(&folder);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;

		put_record(&folder, ID_A, rows[i].text);
		assert_null(record_read(folder.fd, ID_A, &err));
		if (err.code != rows[i].code || !strstr(err.msg, rows[i].message))
			fail_msg("row %zu: %s: %s", i, err_code_name(err.code), err.msg);
	}
	folder_drop(&folder);
}

static void an_absent_record_is_not_found(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	assert_null(record_read(folder.fd, ID_A, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	folder_drop(&folder);
}

static void unknown_members_and_states_are_borne(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	put_record(&folder, ID_A,
		   "{\"version\":1,\"id\":\"" ID_A "\",\"service\":\"web\",\"state\":\"dreaming\","
		   "\"health\":\"odd\",\"later\":{\"x\":[1]},\"restarts\":\"many\"}");
	{
		AUTO(record) struct record *record = record_read(folder.fd, ID_A, &err);

		assert_non_null(record);
		assert_int_equal(record->state, RECORD_CREATING);
		assert_int_equal(record->health, HEALTH_NONE);
		assert_int_equal(record->restarts, 0);
		assert_string_equal(record->name, ID_A);
	}
	folder_drop(&folder);
}

static void what_ran_in_another_boot_has_ended(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	put_record(&folder, ID_A,
		   "{\"version\":1,\"id\":\"" ID_A
		   "\",\"service\":\"web\",\"state\":\"running\",\"paused\":true,"
		   "\"life\":{\"number\":4,\"boot_id\":\"another\",\"started_at_us\":100,"
		   "\"monitor\":{\"pid\":1,\"start\":1},\"init\":{\"pid\":1,\"start\":1}}}");
	{
		AUTO(record) struct record *record = record_read(folder.fd, ID_A, &err);

		assert_non_null(record);
		assert_int_equal(record->state, RECORD_EXITED);
		assert_false(record->paused);
		assert_int_equal(record->monitor.pid, 0);
		assert_int_equal(record->init.pid, 0);
		assert_int_equal(record->last_exit.life, 4);
		assert_int_equal(record->last_exit.code, 255);
		assert_true(record->last_exit.finished_at_us > record->last_exit.started_at_us);
		assert_string_equal(record->last_exit.error, "the machine went down");
	}
	folder_drop(&folder);
}

static void no_policy_goes_on_in_another_boot(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	put_record(&folder, ID_A,
		   "{\"version\":1,\"id\":\"" ID_A "\",\"service\":\"web\",\"state\":\"backoff\","
		   "\"life\":{\"number\":4,\"boot_id\":\"another\"},"
		   "\"last_exit\":{\"life\":4,\"code\":3,\"finished_at_us\":9}}");
	{
		AUTO(record) struct record *record = record_read(folder.fd, ID_A, &err);

		assert_non_null(record);
		assert_int_equal(record->state, RECORD_EXITED);
		assert_int_equal(record->last_exit.code, 3); /* this end was seen */
	}
	folder_drop(&folder);
}

static void all_are_read_by_service_and_slot_without_the_torn(void **state)
{
	static const struct {
		const char *service;
		unsigned slot;
	} order[] = {
		{"db",   1 },
                { "web", 2 },
                { "web", 10}
	};
	struct folder folder;
	struct err err = ERR_NONE;
	struct record **records;
	size_t count = 0;

	(void)state;
	folder_make(&folder);
	for (size_t i = 3; i-- > 0;) {
		AUTO(record)
		struct record *record = filled(&folder, order[i].service, order[i].slot);

		assert_int_equal(record_save(folder.fd, record, &err), 0);
	}
	put_record(&folder, "torn", "{\"ver");
	folder_write(&folder, ".hidden", "x");
	records = records_read(folder.fd, &count, &err);
	assert_non_null(records);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(records[i]->service, order[i].service);
		assert_int_equal(records[i]->slot, order[i].slot);
	}
	records_free(records, count);
	folder_drop(&folder);
}

static void an_empty_folder_has_no_records_and_no_error(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct record **records;
	size_t count = 9;

	(void)state;
	folder_make(&folder);
	records = records_read(folder.fd, &count, &err);
	assert_non_null(records);
	assert_int_equal(count, 0);
	records_free(records, count);
	assert_null(records_read(-1, &count, &err));
	assert_int_not_equal(err.code, ERR_OK);
	folder_drop(&folder);
}

static void the_exit_of_a_life_is_read_and_no_other(void **state)
{
	struct folder folder;
	struct record_exit out = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	folder_make(&folder);
	assert_int_equal(mkdirat(folder.fd, "c", 0700), 0);
	assert_int_equal(record_read_exit(folder.fd, "c", 3, &out, &err), 0); /* not there */
	folder_write(&folder, "c/exit.json",
		     "{\"life\":3,\"code\":137,\"signal\":9,\"oom\":true,\"error\":\"why\","
		     "\"started_at\":\"1970-01-01T00:00:01Z\",\"finished_at\":\"1970-01-01T00:00:"
		     "02.5Z\"}");
	assert_int_equal(record_read_exit(folder.fd, "c", 2, &out, &err), 0);
	assert_int_equal(record_read_exit(folder.fd, "c", 4, &out, &err), 0);
	assert_int_equal(record_read_exit(folder.fd, "c", 3, &out, &err), 1);
	assert_int_equal(out.code, 137);
	assert_int_equal(out.signal, 9);
	assert_true(out.oom);
	assert_int_equal(out.started_at_us, 1000000);
	assert_int_equal(out.finished_at_us, 2500000);
	assert_string_equal(out.error, "why");
	folder_write(&folder, "c/exit.json", "{\"life\":3,\"code\":1}");
	assert_int_equal(record_read_exit(folder.fd, "c", 3, &out, &err), 1);
	assert_true(out.finished_at_us > 0); /* an end without a time has ended all the same */
	folder_write(&folder, "c/exit.json", "{\"life\":3,");
	assert_int_equal(record_read_exit(folder.fd, "c", 3, &out, &err), -1);
	folder_drop(&folder);
}

static void a_slot_has_a_name(void **state)
{
	AUTO(record) struct record *record = record_new("web", 12);
	char name[64];

	(void)state;
	assert_int_equal(strlen(record->id), STAMP_ID_LEN);
	assert_string_equal(record_slot_name(record, name, sizeof(name)), "web.12");
	record->oneoff = xstrdup("0123456789ab");
	assert_string_equal(record_slot_name(record, name, sizeof(name)), "web.run-0123456789ab");
}

static void the_status_is_told_in_docker_words(void **state)
{
	/* clang-format off */
	static const struct { enum record_state state; bool paused, alive; uint64_t life; const char *status; } rows[] = {
		{ RECORD_CREATING, false, false, 0, "created" },
		{ RECORD_CREATED,  false, false, 0, "created" },
		{ RECORD_STARTING, false, true,  1, "created" },
		{ RECORD_STARTING, false, false, 2, "restarting" },
		{ RECORD_STARTING, false, true,  2, "restarting" },
		{ RECORD_BACKOFF,  false, false, 2, "restarting" },
		{ RECORD_RUNNING,  false, true,  0, "running" },
		{ RECORD_RUNNING,  true,  true,  0, "paused" },
		{ RECORD_RUNNING,  true,  false, 0, "exited" },
		{ RECORD_RUNNING,  false, false, 0, "exited" },
		{ RECORD_EXITED,   false, false, 0, "exited" },
		{ RECORD_REMOVING, false, false, 0, "removing" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct record record = { .state = rows[i].state,
					 .paused = rows[i].paused,
					 .life = rows[i].life };

		assert_string_equal(record_status(&record, rows[i].alive), rows[i].status);
	}
	assert_string_equal(health_name(HEALTH_NONE), "");
	assert_string_equal(health_name(HEALTH_STARTING), "starting");
	assert_string_equal(health_name(HEALTH_GOOD), "healthy");
	assert_string_equal(health_name(HEALTH_BAD), "unhealthy");
	for (int i = 0; i < RECORD_STATE_COUNT; i++)
		assert_non_null(record_state_name((enum record_state)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_is_read_back),
		cmocka_unit_test(a_record_without_info_and_without_exit_is_whole),
		cmocka_unit_test(every_state_is_read_back_as_itself),
		cmocka_unit_test(damaged_records_are_told_by_kind),
		cmocka_unit_test(an_absent_record_is_not_found),
		cmocka_unit_test(unknown_members_and_states_are_borne),
		cmocka_unit_test(what_ran_in_another_boot_has_ended),
		cmocka_unit_test(no_policy_goes_on_in_another_boot),
		cmocka_unit_test(all_are_read_by_service_and_slot_without_the_torn),
		cmocka_unit_test(an_empty_folder_has_no_records_and_no_error),
		cmocka_unit_test(the_exit_of_a_life_is_read_and_no_other),
		cmocka_unit_test(a_slot_has_a_name),
		cmocka_unit_test(the_status_is_told_in_docker_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

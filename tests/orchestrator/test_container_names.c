/* tests/orchestrator/test_container_names - mirrors orchestrator/container_names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "orchestrator/container_names.h"
#include "orchestrator/records.h"
#include "tests/orchestrator/project_room.h"

static void put(struct project_room *room, const char *service, unsigned slot, const char *name)
{
	struct record *record = record_new(service, slot);
	struct err err = ERR_NONE;

	record->name = strdup(name);
	record->image_ref = strdup("i");
	record->image_id = strdup("sha256:0");
	record->config_hash = strdup("h");
	record->info = strdup("{}");
	if (!slot)
		record->oneoff = strdup("0123456789ab");
	assert_int_equal(mkdirat(room->dirs->containers_fd, record->id, 0700), 0);
	assert_int_equal(record_save(room->dirs->containers_fd, record, &err), 0);
	record_free(record);
}

static void a_name_is_free_unless_another_container_has_it(void **state)
{
	static const struct {
		const char *name, *project, *service;
		enum err_code code;
	} rows[] = {
		{NULL,       NULL,    NULL,  ERR_OK     },
		{ "free",    NULL,    NULL,  ERR_OK     },
		{ "front",   NULL,    NULL,  ERR_EXISTS },
		{ "front",   "shop",  "web", ERR_OK     }, /* gives way to its successor */
		{ "front",   "shop",  "db",  ERR_EXISTS },
		{ "front",   "other", "web", ERR_EXISTS },
		{ "once",    "shop",  "web", ERR_EXISTS }, /* a one-off container does not */
		{ "a",       NULL,    NULL,  ERR_INVALID},
		{ "-a",      NULL,    NULL,  ERR_INVALID},
		{ "a b",     NULL,    NULL,  ERR_INVALID},
		{ "a/b",     NULL,    NULL,  ERR_INVALID},
		{ "",        NULL,    NULL,  ERR_INVALID},
		{ "a_b.c-1", NULL,    NULL,  ERR_OK     },
	};
	struct project_room room;

	(void)state;
	room_make(&room);
	put(&room, "web", 1, "front");
	put(&room, "web", 0, "once");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;

		container_name_check(room.dirs->roots, rows[i].name, rows[i].project,
				     rows[i].service, &err);
		if (err.code != rows[i].code)
			fail_msg("row %zu: %s", i, err.msg);
	}
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_free_unless_another_container_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

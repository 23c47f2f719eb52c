/* tests/orchestrator/test_container_find - mirrors orchestrator/container_find: containers of
 * several projects, found by name and ID, and whose network they have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "orchestrator/container_find.h"
#include "orchestrator/records.h"
#include "tests/orchestrator/project_room.h"

/* id: the first digits, filled up with zeroes. */
static const struct {
	const char *project, *name, *service, *id, *mode;
	unsigned slot;
} containers[] = {
	{"shop",  "shop-web-1", "web",    "abcd1", NULL,                   1},
	{ "shop", "shop-web-2", "web",    "abcd2", "bridge",               2},
	{ "shop", "side",       "side",   "1234",  "service:web",          1},
	{ "shop", "host",       "host",   "aaaa",  "host",                 1},
	{ "zoo",  "abcd",       "cage",   "ffff",  NULL,                   3}, /* a name like the beginning of an ID */
	{ "zoo",  "guest",      "guest",  "eeee",  "container:shop-web-2", 1},
	{ "zoo",  "second",     "second", "dddd",  "container:guest",      1},
	{ "zoo",  "lost",       "lost",   "cccc",  "container:nobody",     1},
	{ "zoo",  "ring-a",     "ring",   "bbb1",  "container:ring-b",     1},
	{ "zoo",  "ring-b",     "ring",   "bbb2",  "container:ring-a",     2},
};

static void put_containers(const struct project_room *room)
{
	for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++) {
		struct err err = ERR_NONE;
		AUTO(project_dirs)
		struct project_dirs *dirs =
			project_dirs_open(room->roots, containers[i].project, true, &err);
		AUTO(record)
		struct record *record = record_new(containers[i].service, containers[i].slot);

		assert_non_null(dirs);
		memset(record->id, '0', sizeof(record->id) - 1);
		memcpy(record->id, containers[i].id, strlen(containers[i].id));
		record->name = xstrdup(containers[i].name);
		record->image_ref = xstrdup("x");
		record->image_id = xstrdup("x");
		record->config_hash = xstrdup("x");
		record->info = containers[i].mode
				       ? xformat("{\"network_mode\":\"%s\"}", containers[i].mode)
				       : xstrdup("{}");
		assert_int_equal(mkdirat(dirs->containers_fd, record->id, 0700), 0);
		assert_int_equal(record_save(dirs->containers_fd, record, &err), 0);
	}
}

static void a_container_is_found_and_its_network_followed(void **state)
{
	static const struct {
		const char *text, *place; /* "PROJECT SLOT", or a word of the error */
		enum err_code code;
		bool is_host;
	} rows[] = {
		{"shop-web-1", "shop web.1",                  ERR_OK,        false},
		{ "abcd1",     "shop web.1",                  ERR_OK,        false},
		{ "abcd2",     "shop web.2",                  ERR_OK,        false},
		{ "abcd",      "zoo cage.3",                  ERR_OK,        false}, /* its name; not the ID of shop-web-1 */
		{ "ffff",      "zoo cage.3",                  ERR_OK,        false},
		{ "side",      "shop web.1",                  ERR_OK,        false},
		{ "host",      "shop host.1",                 ERR_OK,        true },
		{ "guest",     "shop web.2",                  ERR_OK,        false},
		{ "second",    "shop web.2",                  ERR_OK,        false},
		{ "fff",       "no such container: fff",      ERR_NOT_FOUND, false}, /* too short an ID */
		{ "",          "no such container",           ERR_NOT_FOUND, false},
		{ "shop-web",  "no such container: shop-web", ERR_NOT_FOUND, false},
		{ "lost",      "no such container: nobody",   ERR_NOT_FOUND, false},
		{ "ring-a",    "circle",                      ERR_INVALID,   false},
	};
	struct project_room room;

	(void)state;
	room_make(&room);
	put_containers(&room);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct container_place place = { 0 };
		struct err err = ERR_NONE;
		int result = container_find_network(arena, room.roots, rows[i].text, &place, &err);

		assert_int_equal(err.code, rows[i].code);
		assert_int_equal(result, rows[i].code == ERR_OK ? 0 : -1);
		if (result < 0) {
			assert_non_null(strstr(err.msg, rows[i].place));
		} else {
			AUTO(free) char *got = xformat("%s %s", place.project, place.slot);

			assert_string_equal(got, rows[i].place);
			assert_int_equal(place.is_host, rows[i].is_host);
		}
		arena_free(arena);
	}
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_is_found_and_its_network_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_damaged_state - what the supervisor wrote comes back torn, from another
 * version, or with other values: every reader refuses it with a sentence or reads it as something
 * that the rest can work with. Under the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "orchestrator/connections.h"
#include "orchestrator/desired.h"
#include "orchestrator/observe.h"
#include "orchestrator/records.h"
#include "tests/base/damage.h"
#include "tests/orchestrator/project_room.h"

struct reading {
	struct project_room room;
	const char *id;
	size_t refused, taken;
};

static void put(int dir_fd, const char *name, const char *text, size_t len)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, len), 0);
}

/* A refusal says what; a cut document is always one. */
static void count(struct reading *r, enum damage kind, bool is_taken, const struct err *err)
{
	if (is_taken) {
		r->taken++;
		assert_int_not_equal(kind, DAMAGE_CUT);
		return;
	}
	r->refused++;
	assert_int_not_equal(err->code, ERR_OK);
	assert_true(strlen(err->msg) > 5);
}

/* ---- containers/ID/record.json ---- */

static const char info_text[] =
	"{\"labels\":{\"a\":\"b\"},\"ports\":[{\"host_ip\":\"0.0.0.0\",\"host_port\":80,\"target\":"
	"8080,"
	"\"protocol\":\"tcp\"}],\"networks\":[{\"name\":\"shop_default\",\"ip4\":\"10.1.0.2\"}],"
	"\"mounts\":[{\"type\":\"volume\",\"source\":\"v\",\"target\":\"/"
	"v\"}],\"command\":\"nginx\","
	"\"network_mode\":\"bridge\",\"attached\":[{\"network\":\"back\",\"interface\":\"eth1\","
	"\"ip4\":\"10.2.0.9\",\"priority\":3,\"aliases\":[\"a\",\"b\"],\"link_local\":[\"169.254.1."
	"1\"],"
	"\"driver_opts\":{\"x\":\"y\"}}]}";

static char *damaged_record_text(struct reading *r, struct record **out)
{
	struct record *record = record_new("web", 1);
	AUTO(free) char *name = xformat("%s/record.json", record->id);
	struct err err = ERR_NONE;
	char *text = NULL;

	record->name = xstrdup("shop-web-1");
	record->image_ref = xstrdup("nginx:1.27");
	record->image_id = xstrdup("sha256:abc");
	record->config_hash = xstrdup("hash");
	record->info = xstrdup(info_text);
	record->state = RECORD_RUNNING;
	record->life = 2;
	record->last_exit = (struct record_exit){ .life = 1, .code = 3, .finished_at_us = 9 };
	assert_int_equal(mkdirat(r->room.dirs->containers_fd, record->id, 0700), 0);
	assert_int_equal(record_save(r->room.dirs->containers_fd, record, &err), 0);
	assert_int_equal(file_read(r->room.dirs->containers_fd, name, 1 << 20, &text, NULL, &err),
			 0);
	*out = record;
	return text;
}

/* What everybody does with a record: its slot, its networks, its row of `ps`. */
static void use_record(const struct record *record)
{
	struct arena *arena = arena_new();
	struct service service = { .name = "web" };
	const struct service *now = connections_service(arena, &service, record);
	char slot[300];

	assert_true((unsigned)record->state < RECORD_STATE_COUNT);
	assert_true((unsigned)record->health <= HEALTH_BAD);
	assert_non_null(record_status(record, true));
	assert_non_null(record_slot_name(record, slot, sizeof(slot)));
	assert_non_null(record->name);
	assert_non_null(record->image_ref);
	for (size_t i = 0; i < now->network_count; i++) {
		assert_non_null(now->networks[i].network);
		for (size_t k = 0; k < now->networks[i].aliases.count; k++)
			assert_non_null(now->networks[i].aliases.items[k]);
		for (size_t k = 0; k < now->networks[i].driver_opts.count; k++)
			assert_non_null(now->networks[i].driver_opts.items[k].value);
	}
	arena_free(arena);
}

static void read_record(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct err err = ERR_NONE;
	AUTO(free) char *name = xformat("%s/record.json", r->id);
	AUTO(record) struct record *record = NULL;

	put(r->room.dirs->containers_fd, name, text, len);
	record = record_read(r->room.dirs->containers_fd, r->id, &err);
	count(r, kind, record != NULL, &err);
	if (record) {
		assert_string_equal(record->id, r->id);
		assert_true(record->service[0] != '\0');
		use_record(record);
	}
}

static void a_damaged_record_is_refused_or_usable(void **state)
{
	struct reading r = { .refused = 0 };
	struct record *record;

	(void)state;
	room_make(&r.room);
	{
		AUTO(free) char *text = damaged_record_text(&r, &record);

		r.id = record->id;
		damage_each(text, 1000, read_record, &r);
		assert_true(r.refused > 500);
		assert_true(r.taken > 200);
	}
	record_free(record);
	room_drop(&r.room);
}

/* A record of another container (a folder that was copied), or of a stack to come. */
static void records_of_others_are_told_apart(void **state)
{
	static const struct {
		const char *key, *value;
		enum err_code code;
		const char *word;
	} rows[] = {
		{"version",  "2",        ERR_UNSUPPORTED, "newer"  },
		{ "version", "99",       ERR_UNSUPPORTED, "99"     },
		{ "version", "0",        ERR_UNSUPPORTED, "version"},
		{ "version", "\"1\"",    ERR_UNSUPPORTED, "version"},
		{ "id",      "\"bbbb\"", ERR_INVALID,     "damaged"},
		{ "service", "\"\"",     ERR_INVALID,     "damaged"},
		{ "service", "[]",       ERR_INVALID,     "damaged"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reading r = { .refused = 0 };
		struct record *record;
		struct err err = ERR_NONE;

		room_make(&r.room);
		{
			AUTO(free) char *text = damaged_record_text(&r, &record);
			AUTO(free) char *name = xformat("%s/record.json", record->id);
			AUTO(json) struct json_object *object = json_tokener_parse(text);
			const char *changed;
			size_t found_count;
			struct record **found;

			json_object_object_add(object, rows[i].key,
					       json_tokener_parse(rows[i].value));
			changed = json_object_to_json_string(object);
			put(r.room.dirs->containers_fd, name, changed, strlen(changed));
			assert_null(record_read(r.room.dirs->containers_fd, record->id, &err));
			assert_int_equal(err.code, rows[i].code);
			assert_non_null(strstr(err.msg, rows[i].word));
			/* The others of the project are read all the same. */
			found = records_read(r.room.dirs->containers_fd, &found_count, &err);
			assert_non_null(found);
			assert_int_equal(found_count, 0);
			records_free(found, found_count);
		}
		record_free(record);
		room_drop(&r.room);
	}
}

/* ---- containers/ID/exit.json: written by the monitor ---- */

static void read_exit_file(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct err err = ERR_NONE;
	struct record_exit out;
	int result;

	put(r->room.dirs->containers_fd, "x/exit.json", text, len);
	result = record_read_exit(r->room.dirs->containers_fd, "x", 3, &out, &err);
	if (result == 0) { /* of another life */
		assert_int_not_equal(kind, DAMAGE_CUT);
		return;
	}
	count(r, kind, result == 1, &err);
	if (result == 1)
		assert_int_equal(out.life, 3);
}

static void a_damaged_end_is_refused_or_of_another_life(void **state)
{
	struct reading r = { .refused = 0 };

	(void)state;
	room_make(&r.room);
	assert_int_equal(mkdirat(r.room.dirs->containers_fd, "x", 0700), 0);
	damage_each("{\"version\":1,\"life\":3,\"code\":137,\"signal\":9,\"oom\":true,\"started_at_"
		    "us\":5,"
		    "\"finished_at_us\":6,\"error\":\"no such file\"}",
		    1000, read_exit_file, &r);
	assert_true(r.refused > 100);
	assert_true(r.taken > 40);
	room_drop(&r.room);
}

/* ---- desired, model.json ---- */

static void read_desired(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	const char *word = NULL;
	struct texts stopped;
	int result;

	put(r->room.dirs->state_fd, "desired", text, len);
	result = desired_read(r->room.dirs, arena, &word, &stopped, &err);
	count(r, kind, result == 0, &err);
	if (result == 0) {
		assert_non_null(word);
		for (size_t i = 0; i < stopped.count; i++)
			assert_non_null(stopped.items[i]);
	}
	arena_free(arena);
}

static void a_damaged_wish_is_refused_or_usable(void **state)
{
	const char *const services[] = { "web", "db" };
	struct plan_options options = { .op = PLAN_UP };
	struct reading r = { .refused = 0 };
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;

	(void)state;
	room_make(&r.room);
	assert_int_equal(desired_write(r.room.dirs, &options, "", &err), 0);
	options =
		(struct plan_options){ .op = PLAN_STOP, .services = services, .service_count = 2 };
	assert_int_equal(desired_write(r.room.dirs, &options, "", &err), 0);
	assert_int_equal(file_read(r.room.dirs->state_fd, "desired", 4096, &text, NULL, &err), 0);
	damage_each(text, 1000, read_desired, &r);
	assert_true(r.refused > 20);
	assert_true(r.taken > 10);
	room_drop(&r.room);
}

static void read_model(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct err err = ERR_NONE;
	struct model *model;

	put(r->room.dirs->state_fd, "model.json", text, len);
	model = model_load_current(r->room.dirs, &err);
	count(r, kind, model != NULL, &err);
	if (model) {
		assert_non_null(model->project->name);
		for (size_t i = 0; i < model->project->service_count; i++)
			assert_non_null(model->project->services[i].name);
	}
	model_unref(model);
}

static void a_damaged_model_is_refused_or_whole(void **state)
{
	struct reading r = { .refused = 0 };
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;
	struct model *model;

	(void)state;
	room_make(&r.room);
	model = room_model(
		"{\"web\":{\"image\":\"nginx\",\"command\":[\"a\",\"b\"],\"environment\":{\"A\":"
		"\"1\"},"
		"\"ports\":[{\"target\":80,\"published\":\"8080\"}],\"deploy\":{\"replicas\":2},"
		"\"depends_on\":{\"db\":{\"condition\":\"service_healthy\"}}},"
		"\"db\":{\"image\":\"redis\",\"healthcheck\":{\"test\":[\"CMD\",\"x\"],"
		"\"interval\":\"2s\"}}}");
	assert_int_equal(model_save(r.room.dirs, model, NULL, &err), 0);
	assert_int_equal(file_read(r.room.dirs->state_fd, "model.json", 1 << 20, &text, NULL, &err),
			 0);
	damage_each(text, 500, read_model, &r);
	assert_true(r.refused > 200);
	assert_true(r.taken > 100);
	model_unref(model);
	room_drop(&r.room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_record_is_refused_or_usable),
		cmocka_unit_test(records_of_others_are_told_apart),
		cmocka_unit_test(a_damaged_end_is_refused_or_of_another_life),
		cmocka_unit_test(a_damaged_wish_is_refused_or_usable),
		cmocka_unit_test(a_damaged_model_is_refused_or_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

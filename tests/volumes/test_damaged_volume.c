/* tests/volumes/test_damaged_volume - volume.json torn, or with other values: the volume is refused
 * with a sentence or used, never made anew over its data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "base/json.h"
#include "tests/base/damage.h"
#include "tests/volumes/ground.h"

struct reading {
	struct ground ground;
	size_t refused, taken;
};

static void put_record(const struct ground *ground, const char *text, size_t len)
{
	AUTO(fd)
	int fd = openat(ground->fd, "state/volumes/shop_db/volume.json",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, len), 0);
}

static void read_volume(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct volume_def def = { .name = "shop_db", .project = "shop", .key = "db" };
	struct err err = ERR_NONE, why = ERR_NONE;
	AUTO(json) struct json_object *record = NULL;
	enum volume_outcome outcome;

	put_record(&r->ground, text, len);
	record = volume_find(r->ground.store, "shop_db", 0, &err);
	if (record) {
		r->taken++;
		assert_int_not_equal(kind, DAMAGE_CUT);
		assert_true(json_object_is_type(record, json_type_object));
	} else {
		r->refused++;
		assert_int_not_equal(err.code, ERR_OK);
		assert_int_not_equal(err.code, ERR_NOT_FOUND); /* it is there */
		assert_non_null(strstr(err.msg, "shop_db"));
	}
	/* A start with it: whatever comes of it, the data is as it was. */
	if (volume_ensure(r->ground.store, &def, 0, &outcome, &why) == 0)
		assert_int_not_equal(outcome, VOLUME_RECREATED);
	else
		assert_true(why.code != ERR_OK && strlen(why.msg) > 5);
	assert_int_equal(faccessat(r->ground.fd, "state/volumes/shop_db/_data/x", F_OK, 0), 0);
}

static void a_damaged_record_never_costs_the_data(void **state)
{
	const struct volume_pair options[] = {
		{"type",    "tmpfs"  },
                { "device", "tmpfs"  },
                { "o",      "size=1m"}
	};
	const struct volume_pair labels[] = {
		{"a", "b"}
	};
	struct volume_def def = { .name = "shop_db",
				  .project = "shop",
				  .key = "db",
				  .labels = labels,
				  .label_count = 1 };
	struct reading r = { .refused = 0 };
	struct err err = ERR_NONE;
	enum volume_outcome outcome;

	(void)state;
	for (size_t with_options = 0; with_options < 2; with_options++) {
		AUTO(free) char *text = NULL;

		def.options = with_options ? options : NULL;
		def.option_count = with_options ? 3 : 0;
		ground_open(&r.ground);
		assert_int_equal(volume_ensure(r.ground.store, &def, 0, &outcome, &err), 0);
		assert_int_equal(file_read(r.ground.fd, "state/volumes/shop_db/volume.json", 65536,
					   &text, NULL, &err),
				 0);
		{
			AUTO(fd)
			int fd = openat(r.ground.fd, "state/volumes/shop_db/_data/x",
					O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			assert_true(fd >= 0);
		}
		damage_each(text, 500, read_volume, &r);
		ground_close(&r.ground);
	}
	assert_true(r.refused > 300);
	assert_true(r.taken > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_record_never_costs_the_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

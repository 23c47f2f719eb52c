/* tests/volumes/test_volume - mirrors volumes/volume, volume_list, volume_device and store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "tests/volumes/ground.h"
#include "volumes/volume_device.h"

static void names_are_checked_before_they_become_paths(void **state)
{
	static const char *const bad[] = { "",   "a",   "..",  "../x", "a/b",
					   "-a", ".ab", "a b", "ab\n", "a\xc3\xa4" };
	char longest[300];
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(volume_store_check_name(bad[i], &err), -1);
	memset(longest, 'a', sizeof(longest));
	longest[255] = '\0';
	assert_int_equal(volume_store_check_name(longest, &err), 0);
	longest[255] = 'a';
	longest[256] = '\0';
	assert_int_equal(volume_store_check_name(longest, &err), -1);
	assert_int_equal(volume_store_check_name("shop_db.data-1", &err), 0);
}

static void a_volume_is_made_once_and_then_kept(void **state)
{
	const struct volume_pair labels[] = {
		{"com.docker.compose.volume", "db"}
	};
	const struct volume_pair more[] = {
		{"com.docker.compose.volume", "db"},
                { "a",                        "b" }
	};
	struct volume_def def = { .name = "shop_db",
				  .labels = labels,
				  .label_count = 1,
				  .project = "shop",
				  .key = "db" };
	AUTO(json) struct json_object *record = NULL;
	enum volume_outcome outcome;
	struct err err = ERR_NONE;
	struct ground ground;
	struct stat st;

	(void)state;
	ground_open(&ground);
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), 0);
	assert_int_equal(outcome, VOLUME_CREATED);
	put_text(ground_path(&ground, "state/volumes/shop_db/_data/x"), "data");
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), 0);
	assert_int_equal(outcome, VOLUME_KEPT);
	def.labels = more;
	def.label_count = 2;
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), 0);
	assert_int_equal(outcome, VOLUME_RELABELLED);
	record = volume_find(ground.store, "shop_db", 0, &err);
	assert_string_equal(json_text_or(json_object_at(record, "labels"), "a", ""), "b");
	assert_string_equal(json_text_or(record, "project", ""), "shop");
	assert_int_equal(stat(ground_path(&ground, "state/volumes/shop_db/_data"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_string_equal(get_text(ground_path(&ground, "state/volumes/shop_db/_data/x")),
			    "data");
	ground_close(&ground);
}

static void a_changed_definition_destroys_nothing_unless_told_to(void **state)
{
	const struct volume_pair options[] = {
		{"type",    "tmpfs"                  },
                { "device", "tmpfs"                  },
                { "o",      "size=1m,password=geheim"}
	};
	struct volume_def def = { .name = "shop_db" };
	enum volume_outcome outcome;
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "shop_db");
	put_text(ground_path(&ground, "state/volumes/shop_db/_data/x"), "data");
	def.options = options;
	def.option_count = 3;
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.msg, "--recreate-volumes"));
	assert_null(strstr(err.msg, "geheim"));
	assert_true(is_there(ground_path(&ground, "state/volumes/shop_db/_data/x")));
	assert_int_equal(volume_ensure(ground.store, &def, VOLUME_RECREATE, &outcome, &err), 0);
	assert_int_equal(outcome, VOLUME_RECREATED);
	assert_false(is_there(ground_path(&ground, "state/volumes/shop_db/_data/x")));
	ground_close(&ground);
}

static void external_volumes_are_only_looked_for(void **state)
{
	struct volume_def def = { .name = "theirs", .external = true };
	enum volume_outcome outcome;
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "stack volume create theirs"));
	make_volume(&ground, "theirs");
	assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), 0);
	assert_int_equal(outcome, VOLUME_KEPT);
	ground_close(&ground);
}

static const struct {
	const char *key, *value, *key2, *value2, *says;
} bad_options[] = {
  /* clang-format off */
	{ "tipe", "nfs", NULL, NULL, "did you mean \"type\"" },
	{ "type", "nfs", NULL, NULL, "needs device" },
	{ "device", "/x", NULL, NULL, "type is missing" },
	{ "o", "bind", "device", "relative", "absolute path" },
	{ "size", "10G", NULL, NULL, "quotas" },
  /* clang-format on */
};

static void options_that_cannot_work_are_refused_before_anything_is_made(void **state)
{
	struct ground ground;

	(void)state;
	ground_open(&ground);
	for (size_t i = 0; i < sizeof(bad_options) / sizeof(*bad_options); i++) {
		const struct volume_pair options[] = {
			{bad_options[i].key,   bad_options[i].value },
			{ bad_options[i].key2, bad_options[i].value2}
		};
		const struct volume_def def = { .name = "vol",
						.options = options,
						.option_count = bad_options[i].key2 ? 2 : 1 };
		enum volume_outcome outcome;
		struct err err = ERR_NONE;

		assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), -1);
		assert_non_null(strstr(err.msg, bad_options[i].says));
		assert_false(is_there(ground_path(&ground, "state/volumes/vol")));
	}
	{
		const struct volume_def def = { .name = "vol", .driver = "rexray" };
		enum volume_outcome outcome;
		struct err err = ERR_NONE;

		assert_int_equal(volume_ensure(ground.store, &def, 0, &outcome, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "rexray"));
	}
	ground_close(&ground);
}

static void a_volume_in_use_is_not_removed_and_its_users_are_named(void **state)
{
	const struct volume_user user = { "id1", "shop", "shop-db-1", true };
	AUTO(json) struct json_object *inspected = NULL;
	struct err err = ERR_NONE;
	struct ground ground;
	size_t running;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "data");
	assert_int_equal(
		file_make_dirs(ground.fd, "state/projects/shop/containers/id1", 0700, &err), 0);
	assert_int_equal(volume_store_use(ground.store, "data", &user, &err), 0);
	assert_int_equal(volume_remove(ground.store, "data", &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.msg, "shop-db-1 (running)"));
	assert_int_equal(volume_store_stop_use(ground.store, "data", "id1", &running, &err), 0);
	assert_int_equal(running, 0);
	assert_int_equal(volume_remove(ground.store, "data", &err), -1);
	assert_non_null(strstr(err.msg, "shop-db-1 (stopped)"));
	inspected = volume_inspect(ground.store, "data", &err);
	assert_int_equal(json_array_count(json_array_at(inspected, "UsedBy")), 1);
	assert_int_equal(volume_store_unuse_all(ground.store, "id1", &err), 0);
	assert_int_equal(volume_remove(ground.store, "data", &err), 0);
	assert_int_equal(volume_remove(ground.store, "data", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	ground_close(&ground);
}

static void the_record_of_a_container_that_is_gone_is_cleared(void **state)
{
	const struct volume_user user = { "id1", "shop", "shop-db-1", true };
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "data");
	assert_int_equal(volume_store_use(ground.store, "data", &user, &err), 0);
	assert_true(is_there(ground_path(&ground, "state/volumes/data/users/id1")));
	assert_int_equal(volume_remove(ground.store, "data", &err), 0); /* no projects/shop */
	ground_close(&ground);
}

static void removal_follows_no_link(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "data");
	mkdir(ground_path(&ground, "outside"), 0755);
	put_text(ground_path(&ground, "outside/precious"), "x");
	assert_int_equal(symlink(ground_path(&ground, "outside"),
				 ground_path(&ground, "state/volumes/data/_data/link")),
			 0);
	assert_int_equal(volume_remove(ground.store, "data", &err), 0);
	assert_true(is_there(ground_path(&ground, "outside/precious")));
	ground_close(&ground);
}

static void left_overs_of_a_crash_are_swept_at_the_next_opening(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	file_make_dirs(ground.fd, "state/volumes/.trash-1/_data/deep", 0700, &err);
	file_make_dirs(ground.fd, "state/volumes/.new-1/_data", 0700, &err);
	volume_store_close(ground.store);
	ground.store = volume_store_open(ground.state, ground.runtime, &err);
	assert_non_null(ground.store);
	assert_false(is_there(ground_path(&ground, "state/volumes/.trash-1")));
	assert_false(is_there(ground_path(&ground, "state/volumes/.new-1")));
	ground_close(&ground);
}

static void lists_are_sorted_and_inspect_has_dockers_shape(void **state)
{
	static const char *const keys[] = { "CreatedAt", "Driver",  "Labels", "Mountpoint",
					    "Name",      "Options", "Scope" };
	AUTO(json) struct json_object *inspected = NULL;
	struct err err = ERR_NONE;
	struct ground ground;
	char **names;
	size_t count;
	uint64_t bytes;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "zz");
	make_volume(&ground, "aa");
	assert_int_equal(volume_names(ground.store, &names, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "aa");
	volume_names_free(names, count);
	inspected = volume_inspect(ground.store, "aa", &err);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		assert_true(json_object_object_get_ex(inspected, keys[i], NULL));
	assert_string_equal(json_text_or(inspected, "Mountpoint", ""),
			    ground_path(&ground, "state/volumes/aa/_data"));
	put_text(ground_path(&ground, "state/volumes/aa/_data/x"), "1234");
	assert_int_equal(volume_size(ground.store, "aa", &bytes, &err), 0);
	assert_in_range(bytes, 1, 1 << 20);
	ground_close(&ground);
}

static void a_subpath_stays_inside_its_volume(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	int fd;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "data");
	file_make_dirs(ground.fd, "state/volumes/data/_data/a/b", 0755, &err);
	symlink("a/b", ground_path(&ground, "state/volumes/data/_data/inner"));
	symlink("/etc", ground_path(&ground, "state/volumes/data/_data/outer"));
	symlink("../../..", ground_path(&ground, "state/volumes/data/_data/up"));
	fd = volume_open(ground.store, "data", "a/b", &err);
	assert_true(fd >= 0);
	close(fd);
	fd = volume_open(ground.store, "data", "inner", &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(volume_open(ground.store, "data", "none", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "does not exist in volume data"));
	assert_int_equal(volume_open(ground.store, "data", "outer", &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(volume_open(ground.store, "data", "up", &err), -1);
	assert_int_equal(volume_open(ground.store, "data", "../..", &err), -1);
	assert_int_equal(volume_open(ground.store, "data", "/etc", &err), -1);
	ground_close(&ground);
}

static void passwords_in_options_are_masked(void **state)
{
	AUTO(json) struct json_object *options = json_object_new_object();
	AUTO(json) struct json_object *masked = NULL;

	(void)state;
	json_add_text(options, "o", "addr=1.2.3.4,username=u,password=geheim,ro,pass=x");
	masked = device_mask(options);
	assert_string_equal(json_text_or(masked, "o", ""),
			    "addr=1.2.3.4,username=u,password=***,ro,pass=***");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked_before_they_become_paths),
		cmocka_unit_test(a_volume_is_made_once_and_then_kept),
		cmocka_unit_test(a_changed_definition_destroys_nothing_unless_told_to),
		cmocka_unit_test(external_volumes_are_only_looked_for),
		cmocka_unit_test(options_that_cannot_work_are_refused_before_anything_is_made),
		cmocka_unit_test(a_volume_in_use_is_not_removed_and_its_users_are_named),
		cmocka_unit_test(the_record_of_a_container_that_is_gone_is_cleared),
		cmocka_unit_test(removal_follows_no_link),
		cmocka_unit_test(left_overs_of_a_crash_are_swept_at_the_next_opening),
		cmocka_unit_test(lists_are_sorted_and_inspect_has_dockers_shape),
		cmocka_unit_test(a_subpath_stays_inside_its_volume),
		cmocka_unit_test(passwords_in_options_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

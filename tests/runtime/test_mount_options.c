/* tests/runtime/test_mount_options - mirrors runtime/mount_options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/mount.h>

#include "runtime/mount_options.h"

static struct mount_options parse(struct arena *arena, const char **words, size_t count)
{
	struct config_texts texts = { words, count };
	struct mount_options options;

	mount_options_parse(arena, &texts, &options);
	return options;
}

static void later_words_win(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct mount_options o = parse(arena, (const char *[]){ "ro", "nosuid", "rw", "suid" }, 4);

	(void)state;
	assert_int_equal(o.attr_set, 0);
	assert_int_equal(o.attr_clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	o = parse(arena, (const char *[]){ "rw", "ro" }, 2);
	assert_int_equal(o.attr_set, MOUNT_ATTR_RDONLY);
	assert_int_equal(o.attr_clear, 0);
}

static void access_time_modes_exclude_each_other(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct mount_options o = parse(arena, (const char *[]){ "noatime", "strictatime" }, 2);

	(void)state;
	assert_int_equal(o.attr_set, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(o.attr_clear, MOUNT_ATTR__ATIME);
	o = parse(arena, (const char *[]){ "rnoatime" }, 1);
	assert_int_equal(o.attr_set, 0);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOATIME);
}

static void unknown_words_are_data(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct mount_options o = parse(
		arena, (const char *[]){ "size=64m", "newinstance", "sync", "", "mode=755" }, 5);

	(void)state;
	assert_int_equal(o.data_count, 4);
	assert_string_equal(o.data[0].key, "size");
	assert_string_equal(o.data[0].value, "64m");
	assert_null(o.data[1].value);
	assert_string_equal(o.data[3].value, "755");
}

static void bind_and_propagation_are_no_attributes(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct mount_options o =
		parse(arena, (const char *[]){ "rbind", "rslave", "unbindable", "ridmap" }, 4);

	(void)state;
	assert_true(o.bind && o.recursive_bind && o.idmap && o.recursive_idmap);
	assert_int_equal(o.propagation_count, 2);
	assert_int_equal(o.propagation[0], MS_SLAVE);
	assert_true(o.propagation_recursive[0]);
	assert_false(o.propagation_recursive[1]);
	assert_int_equal(o.data_count, 0);
	assert_int_equal(o.attr_set | o.attr_clear | o.rec_set | o.rec_clear, 0);
}

static void the_table_is_sorted_and_has_no_doubles(void **state)
{
	(void)state;
	for (size_t i = 1; mount_option_name(i); i++)
		assert_true(strcmp(mount_option_name(i - 1), mount_option_name(i)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_words_win),
		cmocka_unit_test(access_time_modes_exclude_each_other),
		cmocka_unit_test(unknown_words_are_data),
		cmocka_unit_test(bind_and_propagation_are_no_attributes),
		cmocka_unit_test(the_table_is_sorted_and_has_no_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

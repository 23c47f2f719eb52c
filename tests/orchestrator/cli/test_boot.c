/* tests/orchestrator/cli/test_boot - mirrors orchestrator/cli/boot: links and drop-ins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "orchestrator/cli/boot.h"
#include "tests/runtime/folder.h"

struct place {
	struct folder folder;
	char *units, *own;
	const char *list[3];
	struct boot_dirs dirs;
};

static void place_make(struct place *place)
{
	struct err err = ERR_NONE;

	folder_make(&place->folder);
	place->units = xformat("%s/lib", place->folder.path);
	place->own = xformat("%s/etc", place->folder.path);
	assert_int_equal(file_make_dirs(AT_FDCWD, place->units, 0755, &err), 0);
	place->list[0] = place->own;
	place->list[1] = place->units;
	place->list[2] = NULL;
	place->dirs = (struct boot_dirs){ place->list, place->own };
}

static void place_drop(struct place *place)
{
	free(place->units);
	free(place->own);
	folder_drop(&place->folder);
}

static void put_template(const struct place *place)
{
	struct err err = ERR_NONE;
	int fd = open(place->units, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_write_atomic(fd, "stack@.service", "[Service]\n", 10, &err), 0);
	close(fd);
}

static void without_the_template_nothing_is_linked(void **state)
{
	const struct roots roots = { .state = "/var/lib/stack", .run = "/run/stack" };
	struct err err = ERR_NONE;
	struct place place;
	bool is_new;

	(void)state;
	place_make(&place);
	assert_int_equal(boot_enable(&place.dirs, &roots, "shop", &is_new, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "make install"));
	assert_int_equal(access(place.own, F_OK), -1);
	place_drop(&place);
}

static void enable_and_disable_leave_nothing(void **state)
{
	char state_root[] = "/var/lib/stack", run_root[] = "/run/stack", other[] = "/data/stack";
	struct roots roots = { .state = state_root, .run = run_root };
	struct err err = ERR_NONE;
	struct place place;
	struct stat st;
	bool flag;

	(void)state;
	place_make(&place);
	put_template(&place);
	for (int i = 0; i < 2; i++) {
		AUTO(free)
		char *link = xformat("%s/multi-user.target.wants/stack@shop.service", place.own);
		AUTO(free) char *drop_in = xformat("%s/stack@shop.service.d", place.own);

		assert_int_equal(boot_enable(&place.dirs, &roots, "shop", &flag, &err), 0);
		assert_true(flag);
		assert_int_equal(boot_enable(&place.dirs, &roots, "shop", &flag, &err), 0);
		assert_false(flag);
		assert_int_equal(stat(link, &st), 0);
		assert_int_equal(access(drop_in, F_OK), i ? 0 : -1); /* only for roots of its own */
		assert_int_equal(boot_disable(&place.dirs, "shop", &flag, &err), 0);
		assert_true(flag);
		assert_int_equal(lstat(link, &st), -1);
		assert_int_equal(access(drop_in, F_OK), -1);
		assert_int_equal(boot_disable(&place.dirs, "shop", &flag, &err), 0);
		assert_false(flag);
		roots.state = other;
	}
	place_drop(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_template_nothing_is_linked),
		cmocka_unit_test(enable_and_disable_leave_nothing),
	};

	return cmocka_run_group_tests_name("orchestrator/cli/boot", tests, NULL, NULL);
}

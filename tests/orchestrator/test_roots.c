/* tests/orchestrator/test_roots - mirrors orchestrator/roots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "tests/orchestrator/project_room.h"

static unsigned mode_of(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, 0) < 0 ? 0 : st.st_mode & 07777;
}

static void the_folders_are_made_for_their_owner_alone(void **state)
{
	struct project_room room;

	(void)state;
	room_make(&room);
	assert_int_equal(mode_of(room.roots->state_fd, "projects"), 0700);
	assert_int_equal(mode_of(room.roots->state_fd, "volumes"), 0700);
	assert_int_equal(mode_of(room.roots->state_fd, "secrets"), 0700);
	assert_int_equal(mode_of(room.roots->run_fd, "netns"), 0700);
	assert_int_equal(mode_of(room.roots->state_fd, "projects/shop/containers"), 0700);
	assert_int_equal(mode_of(room.roots->state_fd, "projects/shop/slots"), 0700);
	assert_int_equal(mode_of(room.roots->run_fd, "projects/shop"), 0700);
	room_drop(&room);
}

static void the_environment_chooses_where_no_flag_does(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct roots *roots;
	char *state_path, *run_path;

	(void)state;
	folder_make(&folder);
	state_path = xformat("%s/s", folder.path);
	run_path = xformat("%s/r", folder.path);
	setenv("STACK_ROOT", state_path, 1);
	setenv("STACK_RUNTIME_ROOT", run_path, 1);
	roots = roots_open(NULL, "", &err);
	assert_non_null(roots);
	assert_string_equal(roots->state, state_path);
	assert_string_equal(roots->run, run_path);
	roots_close(roots);
	unsetenv("STACK_ROOT");
	unsetenv("STACK_RUNTIME_ROOT");
	free(state_path);
	free(run_path);
	folder_drop(&folder);
}

static void a_relative_folder_that_is_not_there_is_refused(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	assert_null(roots_open("no/such/folder", "/tmp", &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void an_unknown_project_is_not_made_by_looking(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;

	(void)state;
	room_make(&room);
	assert_null(project_dirs_open(room.roots, "other", false, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no such project: other");
	assert_int_equal(mode_of(room.roots->state_fd, "projects/other"), 0);
	room_drop(&room);
}

static void a_project_without_its_run_folder_opens_all_the_same(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	struct project_dirs *dirs;

	(void)state;
	room_make(&room);
	assert_int_equal(unlinkat(room.roots->run_fd, "projects/shop", AT_REMOVEDIR), 0);
	dirs = project_dirs_open(room.roots, "shop", false, &err);
	assert_non_null(dirs);
	assert_int_equal(err.code, ERR_OK);
	assert_int_equal(dirs->run_fd, -1);
	assert_true(dirs->containers_fd >= 0);
	project_dirs_close(dirs);
	room_drop(&room);
}

static void projects_are_listed_by_name(void **state)
{
	struct project_room room;
	struct err err = ERR_NONE;
	char **names;

	(void)state;
	room_make(&room);
	assert_int_equal(mkdirat(room.roots->state_fd, "projects/zoo", 0700), 0);
	assert_int_equal(mkdirat(room.roots->state_fd, "projects/art", 0700), 0);
	assert_int_equal(mkdirat(room.roots->state_fd, "projects/.hidden", 0700), 0);
	names = project_names(room.roots, &err);
	assert_string_equal(names[0], "art");
	assert_string_equal(names[1], "shop");
	assert_string_equal(names[2], "zoo");
	assert_null(names[3]);
	names_free(names);
	room_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_folders_are_made_for_their_owner_alone),
		cmocka_unit_test(the_environment_chooses_where_no_flag_does),
		cmocka_unit_test(a_relative_folder_that_is_not_there_is_refused),
		cmocka_unit_test(an_unknown_project_is_not_made_by_looking),
		cmocka_unit_test(a_project_without_its_run_folder_opens_all_the_same),
		cmocka_unit_test(projects_are_listed_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

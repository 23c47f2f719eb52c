/* tests/images/test_user - mirrors images/user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "images/user.h"

static char dir[] = P_tmpdir "/test_user.XXXXXX";
static int root_fd;

static void put(const char *name, const char *text)
{
	AUTO(fd) int fd = openat(root_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	root_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root_fd, "etc", 0700), 0);
	put("etc/passwd",
	    "root:x:0:0:root:/root:/bin/sh\n# comment\n\nbroken\nwww:x:33:33:w:/var/www:/bin/sh\r\n"
	    "1000:x:77:78::/by-name:\nuser:x:1000:1001::/home/user:\nnohome:x:5:6:::\nbad:x:x:1::/"
	    "x:\n"
	    "huge:x:4294967295:0::/x:\n");
	put("etc/group",
	    "root:x:0:\nwww:x:33:\nextra:x:40:www,user\nmore:x:41: www ,other\nuser:x:1001:user\n"
	    "wheel:x:10:root\n");
	return 0;
}

static int tear_down(void **state)
{
	AUTO(fd) int tmp_fd = open(P_tmpdir, O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	(void)state;
	close(root_fd);
	return tree_remove(tmp_fd, strrchr(dir, '/') + 1, &err);
}

static void users_resolve_as_docker_has_it(void **state)
{
	/* clang-format off */
	static const struct { const char *text; uint32_t uid, gid; size_t groups; const char *home; } rows[] = {
		{ "", 0, 0, 1, "/root" },          { "root", 0, 0, 1, "/root" },      { "0", 0, 0, 1, "/root" },
		{ "www", 33, 33, 2, "/var/www" },  { "33", 33, 33, 2, "/var/www" },   { "www:extra", 33, 40, 0, "/var/www" },
		{ "www:41", 33, 41, 0, "/var/www" }, { "www:9999", 33, 9999, 0, "/var/www" },
		{ "1000", 77, 78, 0, "/by-name" }, { "user", 1000, 1001, 1, "/home/user" },
		{ "4711", 4711, 0, 0, "/" },       { "4711:12", 4711, 12, 0, "/" },   { "4711:www", 4711, 33, 0, "/" },
		{ "nohome", 5, 6, 0, "/" },        { ":www", 0, 33, 0, "/root" },     { "www:", 33, 33, 2, "/var/www" },
		{ "2147483647", 2147483647, 0, 0, "/" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		struct image_user user;

		if (user_resolve(root_fd, rows[i].text, NULL, 0, &user, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		if (user.uid != rows[i].uid || user.gid != rows[i].gid ||
		    user.group_count != rows[i].groups || strcmp(user.home, rows[i].home) != 0)
			fail_msg("%s: %u:%u %zu groups, %s", rows[i].text, user.uid, user.gid,
				 user.group_count, user.home);
	}
}

static void unknown_names_and_numbers_out_of_range_are_refused(void **state)
{
	static const char *const rows[] = { "nobody", "www:nobody", "bad", "huge",  "2147483648",
					    "-1",     "4294967296", "1.5", "www:-1" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		struct image_user user;

		if (user_resolve(root_fd, rows[i], NULL, 0, &user, &err) == 0)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, ERR_NOT_FOUND);
		assert_non_null(strstr(err.msg, "unable to find"));
	}
}

static void further_groups_of_a_service_are_added_once(void **state)
{
	const char *const more[] = { "wheel", "40", "10", "5000" };
	struct err err = ERR_NONE;
	struct image_user user;

	(void)state;
	assert_int_equal(user_resolve(root_fd, "www", more, 4, &user, &err), 0);
	assert_int_equal(user.group_count, 4); /* extra, more, wheel, 5000 */
}

static void an_image_without_the_files_knows_numbers_only(void **state)
{
	struct err err = ERR_NONE;
	struct image_user user;

	(void)state;
	unlinkat(root_fd, "etc/passwd", 0);
	unlinkat(root_fd, "etc/group", 0);
	assert_int_equal(user_resolve(root_fd, "", NULL, 0, &user, &err), 0);
	assert_int_equal(user_resolve(root_fd, "7:8", NULL, 0, &user, &err), 0);
	assert_int_equal(user.gid, 8);
	assert_int_equal(user_resolve(root_fd, "root", NULL, 0, &user, &err), -1);
}

static void the_hosts_files_are_out_of_reach(void **state)
{
	struct err err = ERR_NONE;
	struct image_user user;

	(void)state;
	/* An absolute link leads inside the image; a fifo and a folder are nothing to read. */
	unlinkat(root_fd, "etc/passwd", 0);
	put("etc/inside", "inside:x:9:9::/in:\n");
	assert_int_equal(symlinkat("/etc/inside", root_fd, "etc/passwd"), 0);
	assert_int_equal(user_resolve(root_fd, "inside", NULL, 0, &user, &err), 0);
	unlinkat(root_fd, "etc/passwd", 0);
	assert_int_equal(symlinkat("../../../../../../etc/passwd", root_fd, "etc/passwd"), 0);
	assert_int_equal(user_resolve(root_fd, "daemon", NULL, 0, &user, &err), -1);
	unlinkat(root_fd, "etc/passwd", 0);
	assert_int_equal(mkfifoat(root_fd, "etc/passwd", 0600), 0);
	assert_int_equal(user_resolve(root_fd, "0", NULL, 0, &user, &err), 0);
}

static void a_file_above_the_limit_is_refused(void **state)
{
	AUTO(free) char *path = xformat("%s/etc/passwd", dir);
	struct err err = ERR_NONE;
	struct image_user user;

	(void)state;
	assert_int_equal(truncate(path, (4 << 20) + 1), 0);
	assert_int_equal(user_resolve(root_fd, "0", NULL, 0, &user, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(users_resolve_as_docker_has_it),
		TEST(unknown_names_and_numbers_out_of_range_are_refused),
		TEST(further_groups_of_a_service_are_added_once),
		TEST(an_image_without_the_files_knows_numbers_only),
		TEST(the_hosts_files_are_out_of_reach),
		TEST(a_file_above_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

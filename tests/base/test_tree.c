/* tests/base/test_tree - mirrors base/tree. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/tree.h"
#include "tests/base/folder.h"

static void everything_below_goes_and_no_link_is_followed(void **state)
{
	struct folder folder = folder_make(), kept = folder_make();
	struct err err = ERR_NONE;

	(void)state;
	assert_true(folder_put(&kept, "precious", "x"));
	mkdirat(folder.fd, "t", 0700);
	mkdirat(folder.fd, "t/a", 0700);
	mkdirat(folder.fd, "t/a/b", 0700);
	assert_true(folder_put(&folder, "t/a/file", "x"));
	symlinkat(kept.path, folder.fd, "t/a/b/link");
	symlinkat("nowhere", folder.fd, "t/dangling");
	mkfifoat(folder.fd, "t/fifo", 0600);
	assert_int_equal(tree_remove(folder.fd, "t", &err), 0);
	assert_int_equal(tree_remove(folder.fd, "t", &err), 0); /* absent is fine */
	assert_int_equal(faccessat(kept.fd, "precious", F_OK, 0), 0);
	unlinkat(kept.fd, "precious", 0);
	assert_true(folder_end(&kept));
	assert_true(folder_end(&folder));
}

static void a_link_itself_goes(void **state)
{
	struct folder folder = folder_make(), kept = folder_make();
	struct err err = ERR_NONE;

	(void)state;
	symlinkat(kept.path, folder.fd, "link");
	assert_int_equal(tree_remove(folder.fd, "link", &err), 0);
	assert_true(folder_end(&kept));
	assert_true(folder_end(&folder));
}

static void emptying_keeps_the_folder(void **state)
{
	struct folder folder = folder_make();
	struct err err = ERR_NONE;

	(void)state;
	mkdirat(folder.fd, "d", 0700);
	assert_true(folder_put(&folder, "d/f", "x"));
	assert_true(folder_put(&folder, "f", "x"));
	assert_int_equal(tree_empty(folder.fd, &err), 0);
	assert_true(folder_end(&folder));
}

/* Any program can make a tree that is deeper than a process may have descriptors. */
static void a_very_deep_tree_goes_too(void **state)
{
	struct rlimit limit, few;
	struct folder folder = folder_make();
	struct err err = ERR_NONE;
	int fd = dup(folder.fd), result;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		if (i % 100 == 0) {
			int file = openat(fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

			assert_true(file >= 0);
			close(file);
		}
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ 256, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	result = tree_remove(folder.fd, "d", &err);
	setrlimit(RLIMIT_NOFILE, &limit);
	if (result < 0)
		fail_msg("%s", err.msg);
	unlinkat(folder.fd, "f", 0);
	assert_true(folder_end(&folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_below_goes_and_no_link_is_followed),
		cmocka_unit_test(a_link_itself_goes),
		cmocka_unit_test(emptying_keeps_the_folder),
		cmocka_unit_test(a_very_deep_tree_goes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

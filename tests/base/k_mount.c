/* tests/base/k_mount - mirrors base/mount; needs root, mounts in a namespace of its own. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "base/tree.h"
#include "tests/base/folder.h"

/* Every test works on a tmpfs of its own, which also takes overlay's upper folders. */
struct ground {
	struct folder folder;
	int fd; /* the tmpfs */
};

static struct ground begin(void)
{
	const struct mount_option options[] = {
		{"size",  "16m" },
                { "mode", "0700"}
	};
	struct ground ground = { folder_make(), -1 };
	struct err err = ERR_NONE;

	ground.fd = mount_new("tmpfs", "stack", options, 2, 0, &err);
	if (ground.fd < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(mount_attach(ground.fd, ground.folder.fd, ground.folder.path, &err), 0);
	return ground;
}

static void finish(struct ground *ground)
{
	close(ground->fd);
	close(ground->folder.fd);
	assert_int_equal(umount2(ground->folder.path, MNT_DETACH), 0);
	ground->folder.fd = open(ground->folder.path, O_DIRECTORY | O_CLOEXEC);
	assert_true(folder_end(&ground->folder));
}

static int folder_at(int dir_fd, const char *name)
{
	mkdirat(dir_fd, name, 0755);
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int dir_fd, const char *name, const char *text)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void has(int dir_fd, const char *name, const char *text)
{
	char got[64] = "";
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, text);
}

static void an_overlay_shows_the_top_first(void **state)
{
	struct ground ground = begin();
	AUTO(fd) int top = folder_at(ground.fd, "top");
	AUTO(fd) int bottom = folder_at(ground.fd, "bottom");
	AUTO(fd) int upper = folder_at(ground.fd, "upper");
	AUTO(fd) int work = folder_at(ground.fd, "work");
	AUTO(fd) int target = folder_at(ground.fd, "target");
	AUTO(fd) int mount = -1;
	struct err err = ERR_NONE;

	(void)state;
	put(top, "both", "top");
	put(bottom, "both", "bottom");
	put(bottom, "low", "low");
	mount = mount_overlay((int[]){ top, bottom }, 2, upper, work, 0, 0, &err);
	if (mount < 0)
		fail_msg("%s", err.msg);
	has(mount, "both", "top"); /* before it is attached anywhere */
	assert_int_equal(mount_attach_at(mount, ground.fd, "target", &err), 0);
	put(mount, "low", "changed");
	has(upper, "low", "changed");
	has(bottom, "low", "low");
	finish(&ground);
}

static void an_overlay_without_upper_is_read_only(void **state)
{
	struct ground ground = begin();
	AUTO(fd) int top = folder_at(ground.fd, "top");
	AUTO(fd) int bottom = folder_at(ground.fd, "bottom");
	struct err err = ERR_NONE;

	(void)state;
	put(bottom, "f", "x");
	for (size_t count = 1; count <= 2; count++) {
		AUTO(fd)
		int mount = mount_overlay((int[]){ bottom, top }, count, -1, -1, 0, 0, &err);

		if (mount < 0)
			fail_msg("%zu: %s", count, err.msg);
		has(mount, "f", "x");
		assert_int_equal(openat(mount, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
	}
	finish(&ground);
}

static void a_dirty_volatile_overlay_is_refused(void **state)
{
	struct ground ground = begin();
	AUTO(fd) int low = folder_at(ground.fd, "low");
	AUTO(fd) int upper = folder_at(ground.fd, "upper");
	AUTO(fd) int work = folder_at(ground.fd, "work");
	struct err err = ERR_NONE;
	int mount = mount_overlay(&low, 1, upper, work, MOUNT_VOLATILE, 0, &err);

	(void)state;
	assert_true(mount >= 0);
	close(mount);
	assert_int_equal(mount_overlay(&low, 1, upper, work, MOUNT_VOLATILE, 0, &err), -1);
	assert_int_equal(tree_remove(work, "work/incompat", &err), 0);
	mount = mount_overlay(&low, 1, upper, work, MOUNT_VOLATILE, 0, &err);
	if (mount < 0)
		fail_msg("%s", err.msg);
	close(mount);
	finish(&ground);
}

static void a_hundred_layers_fit(void **state)
{
	struct ground ground = begin();
	struct err err = ERR_NONE;
	int lowers[100], mount, count = 100;
	char name[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-%d", i);
		lowers[i] = folder_at(ground.fd, name);
		snprintf(name, sizeof(name), "f%d", i);
		put(lowers[i], name, "x");
	}
	mount = mount_overlay(lowers, (size_t)count, -1, -1, 0, 0, &err);
	if (mount < 0 && err.code == ERR_UNSUPPORTED && strstr(err.msg, "before 6.7")) {
		count = 60;
		mount = mount_overlay(lowers, (size_t)count, -1, -1, 0, 0, &err);
	}
	if (mount < 0)
		fail_msg("%s", err.msg);
	snprintf(name, sizeof(name), "f%d", count - 1);
	has(mount, "f0", "x");
	has(mount, name, "x");
	close(mount);
	for (int i = 0; i < 100; i++)
		close(lowers[i]);
	finish(&ground);
}

static void a_clone_can_be_made_read_only(void **state)
{
	struct ground ground = begin();
	AUTO(fd) int source = folder_at(ground.fd, "source");
	AUTO(fd) int target = folder_at(ground.fd, "target");
	AUTO(fd) int clone = -1;
	struct err err = ERR_NONE;

	(void)state;
	put(source, "f", "x");
	clone = mount_clone(source, true, &err);
	assert_true(clone >= 0);
	assert_int_equal(mount_set(clone, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, -1, true, &err), 0);
	assert_int_equal(mount_attach(clone, target, "target", &err), 0);
	has(ground.fd, "target/f", "x");
	assert_int_equal(openat(ground.fd, "target/f", O_WRONLY | O_CLOEXEC), -1);
	put(source, "f", "still writable");
	finish(&ground);
}

static void errors_say_what_the_kernel_said(void **state)
{
	const struct mount_option wrong = { "sise", "16m" };
	struct ground ground = begin();
	AUTO(fd) int low = folder_at(ground.fd, "low");
	AUTO(fd) int upper = folder_at(ground.fd, "upper");
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(mount_new("nofs", NULL, NULL, 0, 0, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_int_equal(mount_new("tmpfs", NULL, &wrong, 1, 0, &err), -1);
	assert_non_null(strstr(err.msg, "sise"));
	assert_int_equal(mount_overlay(&low, 1, upper, low, 0, 0, &err), -1);
	assert_int_equal(mount_attach_at(low, ground.fd, "absent", &err), -1);
	assert_int_equal(mount_erofs("/dev/null", NULL, 0, &err), -1);
	finish(&ground);
}

static void a_mount_below_is_not_removed(void **state)
{
	struct ground ground = begin();
	AUTO(fd) int tree = folder_at(ground.fd, "tree");
	AUTO(fd) int inner = folder_at(tree, "inner");
	AUTO(fd) int mount = -1;
	struct err err = ERR_NONE;

	(void)state;
	mount = mount_new("tmpfs", "stack", NULL, 0, 0, &err);
	assert_true(mount >= 0);
	put(mount, "precious", "x");
	assert_int_equal(mount_attach(mount, inner, "inner", &err), 0);
	assert_int_equal(tree_remove(ground.fd, "tree", &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.msg, "inner"));
	has(mount, "precious", "x");
	finish(&ground);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_overlay_shows_the_top_first),
		cmocka_unit_test(an_overlay_without_upper_is_read_only),
		cmocka_unit_test(a_dirty_volatile_overlay_is_refused),
		cmocka_unit_test(a_hundred_layers_fit),
		cmocka_unit_test(a_clone_can_be_made_read_only),
		cmocka_unit_test(errors_say_what_the_kernel_said),
		cmocka_unit_test(a_mount_below_is_not_removed),
	};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("k_mount: needs root");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/volumes/k_seed - mirrors volumes/seed and volumes/copy_tree: copy-up, with owners, links
 * and crashes.
 *
 * Root. In a mount namespace of its own, on a tmpfs of its own; crash points need a test build.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "tests/volumes/ground.h"
#include "volumes/copy_tree.h"
#include "volumes/folder.h"
#include "volumes/seed.h"

static const uint8_t cap_net_raw[20] = { 1, 0, 0, 2, 0, 0x20 };

/* An image of two layers: the target /var/lib/db with one of everything, and /empty owned by
 * 1000:1001 2750. */
struct image {
	int fds[2];
};

static void image_open(struct ground *ground, struct image *image)
{
	struct err err = ERR_NONE;
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	char lower[200];
	int fd;

	file_make_dirs(ground->fd, "base/var/lib/db/sub", 0755, &err);
	file_make_dirs(ground->fd, "base/empty", 0755, &err);
	file_make_dirs(ground->fd, "top/var/lib/db", 0755, &err);
	snprintf(lower, sizeof(lower), "%s", ground_path(ground, "base/var/lib/db"));
	put_text(ground_path(ground, "base/var/lib/db/hidden"), "below");
	put_text(ground_path(ground, "top/var/lib/db/hidden"), "above");
	put_text(ground_path(ground, "base/var/lib/db/setuid"), "s");
	chown(ground_path(ground, "base/var/lib/db/setuid"), 5, 6);
	chmod(ground_path(ground, "base/var/lib/db/setuid"), 06755);
	setxattr(ground_path(ground, "base/var/lib/db/setuid"), "security.capability", cap_net_raw,
		 sizeof(cap_net_raw), 0);
	put_text(ground_path(ground, "base/var/lib/db/sub/one"), "linked");
	link(ground_path(ground, "base/var/lib/db/sub/one"),
	     ground_path(ground, "base/var/lib/db/two"));
	symlink("/etc/shadow", ground_path(ground, "base/var/lib/db/link"));
	mkfifo(ground_path(ground, "base/var/lib/db/pipe"), 0640);
	mknod(ground_path(ground, "base/var/lib/db/null"), S_IFCHR | 0666, makedev(1, 3));
	fd = open(ground_path(ground, "base/var/lib/db/sparse"), O_CREAT | O_WRONLY | O_CLOEXEC,
		  0600);
	pwrite(fd, "end", 3, 8 << 20);
	ftruncate(fd, 16 << 20);
	close(fd);
	utimensat(AT_FDCWD, ground_path(ground, "base/var/lib/db/sub/one"), old, 0);
	utimensat(AT_FDCWD, ground_path(ground, "base/var/lib/db/sub"), old, 0);
	chown(ground_path(ground, "base/empty"), 1000, 1001);
	chmod(ground_path(ground, "base/empty"), 02750);
	chown(ground_path(ground, "top/var/lib/db"), 999, 998);
	chmod(ground_path(ground, "top/var/lib/db"), 0700);
	symlink("../var/lib/db", ground_path(ground, "base/empty-link"));
	symlink("/../../../..", ground_path(ground, "base/root-link"));
	image->fds[0] = open(ground_path(ground, "top"), O_PATH | O_CLOEXEC);
	image->fds[1] = open(ground_path(ground, "base"), O_PATH | O_CLOEXEC);
}

static void image_close(struct image *image)
{
	close(image->fds[0]);
	close(image->fds[1]);
}

static int seed(struct ground *ground, const struct image *image, const char *volume,
		const char *subpath, const char *target, bool nocopy, bool *copied)
{
	const struct seed_spec spec = { .volume = volume,
					.subpath = subpath,
					.lower_fds = image->fds,
					.lower_count = 2,
					.target = target,
					.nocopy = nocopy };
	struct err err = ERR_NONE;
	int status = seed_volume(ground->store, &spec, copied, &err);

	if (status < 0)
		print_message("%s\n", err.msg);
	return status;
}

static struct stat stat_of(struct ground *ground, const char *name)
{
	struct stat st = { 0 };

	lstat(ground_path(ground, "state/volumes/%s", name), &st);
	return st;
}

static void everything_of_the_image_arrives(void **state)
{
	struct ground ground;
	struct image image;
	struct stat st, one;
	char target[64] = "";
	uint8_t value[64];
	bool copied;

	(void)state;
	ground_open(&ground);
	image_open(&ground, &image);
	make_volume(&ground, "vol");
	assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied), 0);
	assert_true(copied);
	st = stat_of(&ground, "vol/_data");
	assert_int_equal(st.st_uid, 999);
	assert_int_equal(st.st_gid, 998);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/hidden")),
			    "above");
	st = stat_of(&ground, "vol/_data/setuid");
	assert_int_equal(st.st_mode & 07777, 06755);
	assert_true(st.st_uid == 5 && st.st_gid == 6);
	assert_int_equal(getxattr(ground_path(&ground, "state/volumes/vol/_data/setuid"),
				  "security.capability", value, sizeof(value)),
			 sizeof(cap_net_raw));
	one = stat_of(&ground, "vol/_data/sub/one");
	st = stat_of(&ground, "vol/_data/two");
	assert_true(one.st_ino == st.st_ino && one.st_nlink == 2);
	assert_int_equal(one.st_mtim.tv_sec, 1000000000);
	assert_int_equal(stat_of(&ground, "vol/_data/sub").st_mtim.tv_sec, 1000000000);
	readlink(ground_path(&ground, "state/volumes/vol/_data/link"), target, sizeof(target) - 1);
	assert_string_equal(target, "/etc/shadow");
	assert_true(S_ISFIFO(stat_of(&ground, "vol/_data/pipe").st_mode));
	st = stat_of(&ground, "vol/_data/null");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	st = stat_of(&ground, "vol/_data/sparse");
	assert_int_equal(st.st_size, 16 << 20);
	assert_in_range(st.st_blocks, 1, 256); /* holes stay holes */
	assert_int_equal(folder_count(ground.fd, "state/volumes/vol/_data"), 8);
	image_close(&image);
	ground_close(&ground);
}

static const struct {
	const char *target, *before; /* a file in the volume before */
	bool nocopy, copied;
	unsigned uid, mode;
} cases[] = {
  /* clang-format off */
	{ "/empty",      NULL,   false, true,  1000, 02750 }, /* the owner alone */
	{ "/empty",      NULL,   true,  false, 0,    0755 },
	{ "/empty",      "data", false, false, 0,    0755 },
	{ "/nowhere",    NULL,   false, false, 0,    0755 },
	{ "/empty-link", NULL,   false, true,  999,  0700 },  /* followed inside the image */
	{ "/var/lib/db/hidden", NULL, false, false, 0, 0755 }, /* a file */
	{ "/var/lib/db/link", NULL, false, false, 0, 0755 },   /* to a file that the image does not have */
  /* clang-format on */
};

static void a_volume_takes_the_images_folder_only_when_it_is_empty(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ground ground;
		struct image image;
		struct stat st;
		bool copied;

		ground_open(&ground);
		image_open(&ground, &image);
		make_volume(&ground, "vol");
		if (cases[i].before)
			put_text(ground_path(&ground, "state/volumes/vol/_data/old"),
				 cases[i].before);
		assert_int_equal(seed(&ground, &image, "vol", NULL, cases[i].target,
				      cases[i].nocopy, &copied),
				 0);
		assert_int_equal(copied, cases[i].copied);
		st = stat_of(&ground, "vol/_data");
		assert_int_equal(st.st_uid, cases[i].uid);
		assert_int_equal(st.st_mode & 07777, cases[i].mode);
		image_close(&image);
		ground_close(&ground);
	}
}

static void an_emptied_volume_is_filled_again_and_a_subpath_too(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	struct image image;
	AUTO(fd) int data = -1;
	bool copied;

	(void)state;
	ground_open(&ground);
	image_open(&ground, &image);
	make_volume(&ground, "vol");
	assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied), 0);
	data = open(ground_path(&ground, "state/volumes/vol/_data"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(tree_empty(data, &err), 0);
	assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied), 0);
	assert_true(copied);
	assert_int_equal(tree_empty(data, &err), 0);
	mkdirat(data, "inner", 0755);
	put_text(ground_path(&ground, "state/volumes/vol/_data/other"), "stays");
	assert_int_equal(seed(&ground, &image, "vol", "inner", "/var/lib/db", false, &copied), 0);
	assert_true(copied);
	assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/inner/two")),
			    "linked");
	assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/other")),
			    "stays");
	image_close(&image);
	ground_close(&ground);
}

static void *ensure_race(void *ctx)
{
	const struct volume_def def = { .name = "vol" };
	enum volume_outcome outcome = VOLUME_KEPT;
	struct err err = ERR_NONE;

	if (volume_ensure(((struct ground *)ctx)->store, &def, 0, &outcome, &err) < 0)
		abort();
	return outcome == VOLUME_CREATED ? ctx : NULL;
}

static void of_ten_that_want_a_volume_one_makes_it(void **state)
{
	pthread_t threads[10];
	struct ground ground;
	int made = 0;

	(void)state;
	ground_open(&ground);
	for (int i = 0; i < 10; i++)
		pthread_create(&threads[i], NULL, ensure_race, &ground);
	for (int i = 0; i < 10; i++) {
		void *mine;

		pthread_join(threads[i], &mine);
		made += mine != NULL;
	}
	assert_int_equal(made, 1);
	assert_int_equal(folder_count(ground.fd, "state/volumes"), 2); /* lock, vol */
	ground_close(&ground);
}

struct racer {
	struct ground *ground;
	struct image *image;
	bool copied;
};

static void *race(void *ctx)
{
	struct racer *racer = ctx;

	if (seed(racer->ground, racer->image, "vol", NULL, "/var/lib/db", false, &racer->copied) <
	    0)
		abort();
	return NULL;
}

static void of_ten_that_start_at_once_one_copies(void **state)
{
	struct racer racers[10];
	pthread_t threads[10];
	struct ground ground;
	struct image image;
	int copied = 0;

	(void)state;
	ground_open(&ground);
	image_open(&ground, &image);
	make_volume(&ground, "vol");
	for (int i = 0; i < 10; i++) {
		racers[i] = (struct racer){ &ground, &image, false };
		pthread_create(&threads[i], NULL, race, &racers[i]);
	}
	for (int i = 0; i < 10; i++) {
		pthread_join(threads[i], NULL);
		copied += racers[i].copied;
	}
	assert_int_equal(copied, 1);
	assert_int_equal(folder_count(ground.fd, "state/volumes/vol/_data"), 8);
	image_close(&image);
	ground_close(&ground);
}

#ifdef CRASH_POINTS
static void a_copy_that_was_killed_is_completed_by_the_next(void **state)
{
	static const char *const places[] = { "seed:begun", "seed:copied", "seed:complete",
					      "seed:moved-one" };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct ground ground;
		struct image image;
		int status;
		bool copied;
		pid_t pid;

		ground_open(&ground);
		image_open(&ground, &image);
		make_volume(&ground, "vol");
		pid = fork();
		if (pid == 0) {
			setenv("STACK_CRASH_AT", places[i], 1);
			seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied),
				 0);
		assert_int_equal(folder_count(ground.fd, "state/volumes/vol/_data"), 8);
		assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/two")),
				    "linked");
		assert_int_equal(stat_of(&ground, "vol/_data").st_uid, 999);
		image_close(&image);
		ground_close(&ground);
	}
}
#endif

static void a_full_disk_leaves_the_volume_as_it_was(void **state)
{
	char dir[] = P_tmpdir "/small.XXXXXX", text[200];
	struct ground ground;
	struct image image;
	struct stat before, after;
	bool copied;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount("small", dir, "tmpfs", 0, "size=4m"), 0);
	ground_open_in(&ground, dir);
	image_open(&ground, &image);
	make_volume(&ground, "vol");
	snprintf(text, sizeof(text), "%s", ground_path(&ground, "base/var/lib/db/large"));
	fd = open(text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	for (int i = 0; i < 5 << 9; i++) { /* 2.5 MiB: twice is too much */
		char block[1024] = "x";

		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	}
	close(fd);
	before = stat_of(&ground, "vol/_data");
	assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied), -1);
	after = stat_of(&ground, "vol/_data");
	assert_int_equal(folder_count(ground.fd, "state/volumes/vol/_data"), 0);
	assert_true(before.st_uid == after.st_uid && before.st_mode == after.st_mode);
	image_close(&image);
	ground_close(&ground);
	assert_int_equal(umount2(dir, 0), 0);
	rmdir(dir);
}

static void what_a_container_planted_under_our_names_does_no_harm(void **state)
{
	struct ground ground;
	struct image image;
	bool copied;

	(void)state;
	ground_open(&ground);
	image_open(&ground, &image);
	make_volume(&ground, "vol");
	mkdir(ground_path(&ground, "outside"), 0755);
	put_text(ground_path(&ground, "outside/precious"), "x");
	symlink(ground_path(&ground, "outside"),
		ground_path(&ground, "state/volumes/vol/_data/.stack-seed.full"));
	assert_int_equal(seed(&ground, &image, "vol", NULL, "/var/lib/db", false, &copied), 0);
	assert_true(copied); /* the link is gone, then the volume is empty */
	assert_true(is_there(ground_path(&ground, "outside/precious")));
	make_volume(&ground, "two");
	symlink(ground_path(&ground, "outside"),
		ground_path(&ground, "state/volumes/two/_data/.stack-seed.part"));
	assert_int_equal(seed(&ground, &image, "two", NULL, "/var/lib/db", false, &copied), 0);
	assert_true(is_there(ground_path(&ground, "outside/precious")));
	assert_int_equal(folder_count(ground.fd, "outside"), 1);
	image_close(&image);
	ground_close(&ground);
}

static void a_copied_tree_can_be_copied_again_with_all_it_has(void **state)
{
	struct copy_tree_result result;
	struct err err = ERR_NONE;
	struct ground ground;
	struct image image;
	AUTO(fd) int from = -1;
	AUTO(fd) int to = -1;

	(void)state;
	ground_open(&ground);
	image_open(&ground, &image);
	mkdir(ground_path(&ground, "copy"), 0700);
	from = open(ground_path(&ground, "base"), O_RDONLY | O_CLOEXEC);
	to = open(ground_path(&ground, "copy"), O_RDONLY | O_CLOEXEC);
	/* something mounted in the source is not followed */
	assert_int_equal(mount("t", ground_path(&ground, "base/empty"), "tmpfs", 0, NULL), 0);
	put_text(ground_path(&ground, "base/empty/inside"), "x");
	assert_int_equal(copy_tree(from, to, &result, &err), 0);
	assert_true(result.has_copied);
	assert_false(is_there(ground_path(&ground, "copy/empty/inside")));
	assert_string_equal(get_text(ground_path(&ground, "copy/var/lib/db/two")), "linked");
	umount2(ground_path(&ground, "base/empty"), MNT_DETACH);
	image_close(&image);
	ground_close(&ground);
}

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("k_seed", P_tmpdir, "tmpfs", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_the_image_arrives),
		cmocka_unit_test(a_volume_takes_the_images_folder_only_when_it_is_empty),
		cmocka_unit_test(an_emptied_volume_is_filled_again_and_a_subpath_too),
		cmocka_unit_test(of_ten_that_want_a_volume_one_makes_it),
		cmocka_unit_test(of_ten_that_start_at_once_one_copies),
#ifdef CRASH_POINTS
		cmocka_unit_test(a_copy_that_was_killed_is_completed_by_the_next),
#endif
		cmocka_unit_test(a_full_disk_leaves_the_volume_as_it_was),
		cmocka_unit_test(what_a_container_planted_under_our_names_does_no_harm),
		cmocka_unit_test(a_copied_tree_can_be_copied_again_with_all_it_has),
	};

	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}

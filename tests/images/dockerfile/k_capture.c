/* tests/images/dockerfile/k_capture - images/dockerfile/capture over real overlays: what a step
 * changes shows again when the layer stands over the same base. Root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mount.h"
#include "images/dockerfile/capture.h"
#include "images/layer.h"
#include "tests/images/dockerfile/build_cases.h"

#define BASE "a=1 b=2 d/x=1 d/y=2 d/s/z=3 l->a etc/hosts=old etc/@755 m/n/o=1"

/* A step over the base: a shell command that the test runs in the overlay. */
struct step {
	struct build_case it;
	bool is_again; /* the store is that of the row before */
	unsigned number;
	char base[DIGEST_TEXT_MAX];
	int lower_fd, upper_fd, work_fd, root_fd;
	char root[96]; /* where it is mounted */
};

static int make_dir(struct step *step, const char *name)
{
	AUTO(free) char *path = xformat("%s/%s%u", step->it.test.dir, name, step->number);
	int fd;

	assert_int_equal(mkdir(path, 0755), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void step_open(struct step *step, enum store_backend backend)
{
	struct err err = ERR_NONE;
	const char *base = step->base;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	int mounted;

	if (!step->is_again)
		build_case_open(&step->it, backend);
	step->number++;
	build_layer(&step->it, BASE, step->base);
	snapshot = snapshot_open_layers(step->it.lease, &base, 1, &err);
	assert_non_null(snapshot);
	step->lower_fd = open(snapshot->lowers[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	step->upper_fd = make_dir(step, "upper");
	step->work_fd = make_dir(step, "work");
	close(make_dir(step, "merged"));
	snprintf(step->root, sizeof(step->root), "%s/merged%u", step->it.test.dir, step->number);
	mounted = mount_overlay(&step->lower_fd, 1, step->upper_fd, step->work_fd, 0, 0, &err);
	if (mounted < 0 || mount_attach_at(mounted, AT_FDCWD, step->root, &err) < 0)
		fail_msg("%s", err.msg);
	close(mounted);
	step->root_fd = open(step->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(step->root_fd >= 0);
}

static char *step_list(int fd)
{
	AUTO(fd) int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	build_list(out, dir, "");
	fclose(out);
	return text;
}

static void step_unmount(struct step *step)
{
	close(step->root_fd);
	assert_int_equal(umount2(step->root, 0), 0);
}

static void step_close(struct step *step)
{
	close(step->lower_fd);
	close(step->upper_fd);
	close(step->work_fd);
	if (!step->is_again)
		build_case_close(&step->it);
}

static struct df_layer capture(struct step *step, const char *const *points, size_t count)
{
	struct df_layer_spec spec = { .lease = step->it.lease,
				      .now_unix_ns = CASE_NOW,
				      .lower_fd = step->lower_fd,
				      .mount_points = points,
				      .mount_point_count = count };
	struct df_layer layer;
	struct err err = ERR_NONE;

	if (df_capture(step->upper_fd, &spec, &layer, &err) < 0)
		fail_msg("%s", err.msg);
	return layer;
}

static void sh(const struct step *step, const char *command)
{
	AUTO(free) char *line = xformat("cd %s && { %s; }", step->root, command);

	assert_int_equal(system(line), 0);
}

/* clang-format off */
static const struct { const char *name, *command; } changes[] = {
	{ "a new file",              "echo new > n" },
	{ "a changed file",          "echo more >> a" },
	{ "a changed mode",          "chmod 600 a" },
	{ "a changed owner",         "chown 7:8 d" },
	{ "a deleted file",          "rm a" },
	{ "a deleted folder",        "rm -r d" },
	{ "a folder made anew",      "rm -r d && mkdir d && echo 1 > d/new" },
	{ "a folder made anew, empty", "rm -r d && mkdir -m 700 d" },
	{ "a file for a folder",     "rm -r d && echo f > d" },
	{ "a folder for a file",     "rm a && mkdir a && echo f > a/f" },
	{ "a link for a folder",     "rm -r d && ln -s m d" },
	{ "a folder in an opaque one", "rm -r d && mkdir -p d/s/t && echo 1 > d/s/t/u" },
	{ "a renamed file",          "mv a c" },
	{ "a copied folder",         "cp -a d e && rm -r d" },
	{ "hard links",              "ln a h1 && ln a h2 && echo q > k && ln k d/k2" },
	{ "a hard link deleted",     "ln a h1 && rm a" },
	{ "links",                   "ln -s /nowhere s1 && ln -sf b l" },
	{ "a fifo and devices",      "mkfifo p && mknod c c 1 3 && mknod k b 7 200" },
	{ "special bits",            "cp a su && chmod 4755 su && chmod 1777 d && chmod 2755 m" },
	{ "an empty folder",         "mkdir -p e/f" },
	{ "names with blanks and more", "echo 1 > 'x y' && echo 2 > 'tab\tz' && mkdir 'new\nline' && echo 3 > -n" },
	{ "a long name",             "mkdir -p $(printf 'long%.0s' $(seq 50))/$(printf 'deep%.0s' $(seq 50)) && echo 1 > $(printf 'long%.0s' $(seq 50))/f" },
	{ "deep folders",            "mkdir -p $(printf 'd/%.0s' $(seq 60)) && echo 1 > $(printf 'd/%.0s' $(seq 60))f" },
	{ "deleted and made again",  "rm a && echo again > a" },
	{ "deleted in a new folder", "mkdir q && echo 1 > q/r && rm q/r" },
	{ "a folder moved into the deleted one's place", "rm -r d && cp -a m d" },
};
/* clang-format on */

static void check_changes(enum store_backend backend)
{
	size_t failed = 0;
	struct step step = { 0 };

	build_case_open(&step.it, backend);
	step.is_again = true;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct df_layer layer;
		AUTO(free) char *wanted = NULL;
		AUTO(free) char *got = NULL;
		const char *stack[2];

		step_open(&step, backend);
		sh(&step, changes[i].command);
		wanted = step_list(step.root_fd);
		step_unmount(&step);
		layer = capture(&step, NULL, 0);
		stack[0] = step.base;
		stack[1] = layer.diff_id;
		got = build_show(&step.it, stack, 2);
		if (strcmp(wanted, got) != 0) {
			print_error("%s:\n  wanted %s\n  got    %s\n", changes[i].name, wanted,
				    got);
			failed++;
		}
		step_close(&step);
	}
	build_case_close(&step.it);
	assert_int_equal(failed, 0);
}

static void every_change_shows_again_with_folders(void **state)
{
	(void)state;
	check_changes(STORE_DIR);
}

static void every_change_shows_again_with_erofs(void **state)
{
	(void)state;
	check_changes(STORE_EROFS);
}

static void an_unchanged_step_makes_no_layer(void **state)
{
	struct step step = { 0 };
	struct df_layer layer;

	(void)state;
	step_open(&step, STORE_DIR);
	sh(&step, "cat a b d/x > /dev/null; ls -R . > /dev/null");
	step_unmount(&step);
	layer = capture(&step, NULL, 0);
	assert_string_equal(layer.diff_id, "");
	step_close(&step);
}

static void equal_changes_give_equal_layers(void **state)
{
	char diff_ids[2][DIGEST_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct step step = { 0 };
		struct df_layer layer;

		step_open(&step, STORE_DIR);
		/* In another order, with other times of access. */
		sh(&step, i ? "mkdir e; echo 2 > e/z; echo 1 > e/a; rm b; cat e/a"
			    : "rm b; mkdir e; echo 1 > e/a; echo 2 > e/z");
		sh(&step, "touch -h -d @1600000000 e e/a e/z .");
		step_unmount(&step);
		layer = capture(&step, NULL, 0);
		memcpy(diff_ids[i], layer.diff_id, DIGEST_TEXT_MAX);
		step_close(&step);
	}
	assert_string_equal(diff_ids[0], diff_ids[1]);
}

static void mount_points_leave_no_trace(void **state)
{
	static const char *const points[] = { "/etc/resolv.conf", "/etc/hosts", "/run/secrets/x",
					      "/mnt/cache",       "/d/used",    "/proc" };
	struct step step = { 0 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	AUTO(free) char *got = NULL;

	(void)state;
	step_open(&step, STORE_DIR);
	/* What a runtime makes to mount on, and a step that wrote into one of them. */
	sh(&step, "touch etc/resolv.conf; mkdir -p run/secrets mnt/cache d/used proc; "
		  "touch run/secrets/x; echo 1 > d/used/file");
	step_unmount(&step);
	layer = capture(&step, points, 6);
	got = build_show(&step.it, &diff_id, 1);
	assert_string_equal(got, "d/ 755 0:0\nd/used/ 755 0:0\nd/used/file 644 0:0 =1\n\n");
	step_close(&step);
}

static void only_mount_points_are_no_change(void **state)
{
	static const char *const points[] = { "/etc/resolv.conf", "/run/secrets/x", "/proc" };
	struct step step = { 0 };
	struct df_layer layer;

	(void)state;
	step_open(&step, STORE_DIR);
	sh(&step, "touch etc/resolv.conf; mkdir -p run/secrets proc; touch run/secrets/x");
	step_unmount(&step);
	layer = capture(&step, points, 3);
	assert_string_equal(layer.diff_id, "");
	step_close(&step);
}

static void a_mount_point_that_was_there_stays(void **state)
{
	static const char *const points[] = { "/d/x", "/m/n" };
	struct step step = { 0 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	AUTO(free) char *got = NULL;

	(void)state;
	step_open(&step, STORE_DIR);
	sh(&step, ": > d/x; chmod 700 m/n");
	step_unmount(&step);
	layer = capture(&step, points, 2);
	got = build_show(&step.it, &diff_id, 1);
	assert_string_equal(got, "d/ 755 0:0\nd/x 644 0:0 =\nm/ 755 0:0\nm/n/ 700 0:0\n");
	step_close(&step);
}

static void sockets_are_left_out_and_attributes_kept(void **state)
{
	struct step step = { 0 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	AUTO(free) char *got = NULL;
	AUTO(free) char *path = NULL;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	struct err err = ERR_NONE;
	char value[16];

	(void)state;
	step_open(&step, STORE_DIR);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", step.root);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	sh(&step, "echo 1 > f");
	path = xformat("%s/f", step.root);
	assert_int_equal(setxattr(path, "user.mine", "yes", 3, 0), 0);
	assert_int_equal(setxattr(path, "trusted.other", "no", 2, 0), 0);
	step_unmount(&step);
	layer = capture(&step, NULL, 0);
	got = build_show(&step.it, &diff_id, 1);
	assert_string_equal(got, "f 644 0:0 =1\n\n");
	snapshot = snapshot_open_layers(step.it.lease, &diff_id, 1, &err);
	free(path);
	path = xformat("%s/f", snapshot->lowers[0]);
	assert_int_equal(getxattr(path, "user.mine", value, sizeof(value)), 3);
	assert_int_equal(getxattr(path, "trusted.other", value, sizeof(value)), -1);
	step_close(&step);
}

static void times_are_clamped_when_asked(void **state)
{
	struct step step = { 0 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	struct err err = ERR_NONE;
	struct stat st;

	(void)state;
	step_open(&step, STORE_DIR);
	sh(&step, "echo 1 > new; echo 2 > old; touch -d @1000000 old");
	step_unmount(&step);
	{
		struct df_layer_spec spec = { .lease = step.it.lease,
					      .max_mtime_ns = 1500000000ull * 1000000000,
					      .lower_fd = -1 };
		AUTO(df_context) struct df_context *context = NULL;
		int root;

		assert_int_equal(df_capture(step.upper_fd, &spec, &layer, &err), 0);
		context = df_context_open_layers(step.it.lease, &diff_id, 1, "layer");
		root = df_context_root(context, &err);
		assert_int_equal(fstatat(root, "new", &st, 0), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1500000000);
		assert_int_equal(fstatat(root, "old", &st, 0), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000000);
	}
	step_close(&step);
}

static void holes_stay_holes(void **state)
{
	struct step step = { 0 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	struct err err = ERR_NONE;
	char text[8] = "";

	(void)state;
	step_open(&step, STORE_EROFS);
	sh(&step, "truncate -s 200M f && printf end | dd of=f bs=1 seek=199000000 conv=notrunc "
		  "status=none");
	step_unmount(&step);
	layer = capture(&step, NULL, 0);
	assert_true(layer.tar_bytes < 1 << 20);
	{
		AUTO(df_context)
		struct df_context *context =
			df_context_open_layers(step.it.lease, &diff_id, 1, "layer");
		int root = df_context_root(context, &err);
		AUTO(fd) int fd = openat(root, "f", O_RDONLY);

		assert_int_equal(pread(fd, text, 3, 199000000), 3);
		assert_string_equal(text, "end");
		assert_int_equal(lseek(fd, 0, SEEK_END), 200 << 20);
	}
	step_close(&step);
}

static void a_folder_that_was_renamed_by_the_kernel_is_refused(void **state)
{
	struct step step = { 0 };
	struct df_layer layer;
	struct df_layer_spec spec = { .lower_fd = -1 };
	struct err err = ERR_NONE;
	AUTO(free) char *path = NULL;

	(void)state;
	step_open(&step, STORE_DIR);
	sh(&step, "mkdir q");
	step_unmount(&step);
	spec.lease = step.it.lease;
	path = xformat("%s/upper1/q", step.it.test.dir);
	assert_int_equal(setxattr(path, "trusted.overlay.redirect", "/d", 2, 0), 0);
	assert_int_equal(df_capture(step.upper_fd, &spec, &layer, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "redirect"));
	step_close(&step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_change_shows_again_with_folders),
		cmocka_unit_test(every_change_shows_again_with_erofs),
		cmocka_unit_test(an_unchanged_step_makes_no_layer),
		cmocka_unit_test(equal_changes_give_equal_layers),
		cmocka_unit_test(mount_points_leave_no_trace),
		cmocka_unit_test(only_mount_points_are_no_change),
		cmocka_unit_test(a_mount_point_that_was_there_stays),
		cmocka_unit_test(sockets_are_left_out_and_attributes_kept),
		cmocka_unit_test(times_are_clamped_when_asked),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(a_folder_that_was_renamed_by_the_kernel_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

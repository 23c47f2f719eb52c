/* tests/volumes/k_volume - mirrors volumes/volume, stage, secret, rootfs and idmap with real
 * mounts.
 *
 * Root. In a mount namespace of its own, on a tmpfs of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mount.h"
#include "base/stamp.h"
#include "tests/volumes/ground.h"
#include "volumes/bind.h"
#include "volumes/folder.h"
#include "volumes/rootfs.h"
#include "volumes/secret.h"
#include "volumes/seed.h"
#include "volumes/stage.h"
#include "volumes/volume_device.h"

static void make_with_options(struct ground *ground, const char *name,
			      const struct volume_pair *options, size_t count)
{
	const struct volume_def def = { .name = name, .options = options, .option_count = count };
	enum volume_outcome outcome;
	struct err err = ERR_NONE;

	assert_int_equal(volume_ensure(ground->store, &def, 0, &outcome, &err), 0);
}

static struct volume_user user_of(const char *id)
{
	struct volume_user user = { .project = "shop" };

	snprintf(user.id, sizeof(user.id), "%s", id);
	snprintf(user.container, sizeof(user.container), "shop-%s", id);
	return user;
}

static bool is_mounted(const char *path)
{
	AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);

	return folder_is_mount(fd);
}

static void a_tmpfs_volume_lives_from_its_first_user_to_its_last(void **state)
{
	const struct volume_pair options[] = {
		{"type",    "tmpfs"                         },
		{ "device", "tmpfs"                         },
		{ "o",      "size=1m,mode=0750,uid=7,noexec"}
	};
	const struct volume_user one = user_of("c1"), two = user_of("c2");
	struct err err = ERR_NONE;
	struct ground ground;
	struct stat st;

	(void)state;
	ground_open(&ground);
	make_with_options(&ground, "vol", options, 3);
	assert_int_equal(volume_activate(ground.store, "vol", &one, &err), 0);
	assert_int_equal(volume_activate(ground.store, "vol", &two, &err), 0);
	assert_true(is_mounted(ground_path(&ground, "state/volumes/vol/_data")));
	stat(ground_path(&ground, "state/volumes/vol/_data"), &st);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_uid, 7);
	put_text(ground_path(&ground, "state/volumes/vol/_data/x"), "1");
	assert_int_equal(volume_deactivate(ground.store, "vol", "c1", &err), 0);
	assert_true(is_there(ground_path(&ground, "state/volumes/vol/_data/x")));
	assert_int_equal(volume_deactivate(ground.store, "vol", "c2", &err), 0);
	assert_false(is_mounted(ground_path(&ground, "state/volumes/vol/_data")));
	assert_false(is_there(ground_path(&ground, "state/volumes/vol/_data/x")));
	assert_int_equal(volume_deactivate(ground.store, "vol", "c2", &err), 0); /* again: fine */
	ground_close(&ground);
}

static void a_bind_volume_is_never_deleted_at_its_device(void **state)
{
	char device[200];
	const struct volume_pair options[] = {
		{"type",    "none"   },
                { "device", device   },
                { "o",      "bind,ro"}
	};
	const struct volume_user one = user_of("c1");
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	snprintf(device, sizeof(device), "%s", ground_path(&ground, "device"));
	make_with_options(&ground, "vol", options, 3);
	assert_int_equal(volume_activate(ground.store, "vol", &one, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, device));
	mkdir(device, 0755);
	put_text(ground_path(&ground, "device/precious"), "x");
	assert_int_equal(volume_activate(ground.store, "vol", &one, &err), 0);
	assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/precious")),
			    "x");
	assert_int_equal(
		open(ground_path(&ground, "state/volumes/vol/_data/new"), O_CREAT | O_WRONLY, 0600),
		-1);
	assert_int_equal(errno, EROFS);
	/* removed while it is still mounted (its container is gone): only the mount goes */
	assert_int_equal(volume_remove(ground.store, "vol", &err), 0);
	assert_string_equal(get_text(ground_path(&ground, "device/precious")), "x");
	ground_close(&ground);
}

static void removal_crosses_no_mount(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	mkdir(ground_path(&ground, "outside"), 0755);
	put_text(ground_path(&ground, "outside/precious"), "x");
	mkdir(ground_path(&ground, "state/volumes/vol/_data/m"), 0755);
	assert_int_equal(mount(ground_path(&ground, "outside"),
			       ground_path(&ground, "state/volumes/vol/_data/m"), NULL, MS_BIND,
			       NULL),
			 0);
	assert_int_equal(volume_remove(ground.store, "vol", &err), -1);
	assert_true(is_there(ground_path(&ground, "outside/precious")));
	assert_false(is_there(ground_path(&ground, "state/volumes/vol"))); /* the name is free */
	make_volume(&ground, "vol");
	{ /* the mount has moved with its folder */
		AUTO(folder) DIR *dir = folder_open(ground.store->volumes_fd, ".");
		const char *name;

		while ((name = folder_next(dir)) != NULL)
			if (strncmp(name, ".trash-", 7) == 0)
				assert_int_equal(
					umount2(ground_path(&ground, "state/volumes/%s/_data/m",
							    name),
						0),
					0);
	}
	volume_store_close(ground.store);
	ground.store = volume_store_open(ground.state, ground.runtime, &err);
	assert_int_equal(folder_count(ground.fd, "state/volumes"), 2); /* lock, vol */
	ground_close(&ground);
}

static void a_file_system_that_the_kernel_lacks_is_named(void **state)
{
	const struct volume_pair options[] = {
		{"type",    "nosuchfs" },
                { "device", "/dev/null"}
	};
	const struct volume_pair ext4[] = {
		{"type",    "ext4"          },
                { "device", "/dev/null"     },
                { "o",      "nosuchoption=7"}
	};
	const struct volume_user one = user_of("c1");
	struct err err = ERR_NONE;
	struct ground ground;

	(void)state;
	ground_open(&ground);
	make_with_options(&ground, "vol", options, 2);
	assert_int_equal(volume_activate(ground.store, "vol", &one, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "nosuchfs"));
	make_with_options(&ground, "two", ext4, 3);
	assert_int_equal(volume_activate(ground.store, "two", &one, &err), -1);
	assert_non_null(strstr(err.msg, "volume two"));
	ground_close(&ground);
}

/* A swapper in the role of a hostile container: the last part of the subpath is a folder now, a
 * link to outside then. */
struct swapper {
	struct ground *ground;
	atomic_bool is_over;
};

static void *swap(void *ctx)
{
	struct swapper *swapper = ctx;
	char sub[300], real[310], link[310];

	snprintf(sub, sizeof(sub), "%s",
		 ground_path(swapper->ground, "state/volumes/vol/_data/sub"));
	snprintf(real, sizeof(real), "%s.real", sub);
	snprintf(link, sizeof(link), "%s.link", sub);
	symlink(ground_path(swapper->ground, "outside"), link);
	mkdir(real, 0755);
	while (!atomic_load(&swapper->is_over)) {
		rename(real, sub);
		syscall(SYS_renameat2, AT_FDCWD, sub, AT_FDCWD, link, RENAME_EXCHANGE);
		syscall(SYS_renameat2, AT_FDCWD, sub, AT_FDCWD, link, RENAME_EXCHANGE);
		rename(sub, real);
	}
	return NULL;
}

static void a_swapped_subpath_never_shows_the_outside(void **state)
{
	struct swapper swapper = { 0 };
	struct ground ground;
	pthread_t thread;
	int mounted = 0, refused = 0;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	mkdir(ground_path(&ground, "outside"), 0755);
	put_text(ground_path(&ground, "outside/secret"), "x");
	swapper.ground = &ground;
	pthread_create(&thread, NULL, swap, &swapper);
	for (int i = 0; i < 1000; i++) {
		struct err err = ERR_NONE;
		AUTO(volume_stage)
		struct volume_stage *stage = stage_open(ground.runtime, "c1", &err);
		AUTO(free) char *path = NULL;
		char inside[400];

		assert_non_null(stage);
		path = volume_source(ground.store, "vol", "sub", stage, &err);
		if (path) {
			snprintf(inside, sizeof(inside), "%s/secret", path);
			assert_false(is_there(inside));
		}
		mounted += path != NULL;
		refused += path == NULL;
		assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	}
	atomic_store(&swapper.is_over, true);
	pthread_join(thread, NULL);
	assert_int_equal(mounted + refused, 1000);
	assert_true(mounted > 0 && refused > 0);
	ground_close(&ground);
}

static void a_stage_is_private_and_goes_whole(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(volume_stage) struct volume_stage *stage = NULL;
	AUTO(fd) int dir = -1;
	AUTO(fd) int file = -1;
	AUTO(free) char *first = NULL, *second = NULL;

	(void)state;
	ground_open(&ground);
	mount(NULL, P_tmpdir, NULL, MS_SHARED, NULL); /* as /run is under systemd */
	mkdir(ground_path(&ground, "src"), 0755);
	put_text(ground_path(&ground, "src/file"), "text");
	dir = open(ground_path(&ground, "src"), O_PATH | O_CLOEXEC);
	file = open(ground_path(&ground, "src/file"), O_PATH | O_CLOEXEC);
	stage = stage_open(ground.runtime, "c1", &err);
	assert_non_null(stage);
	first = stage_clone(stage, dir, true, &err);
	second = stage_clone(stage, file, true, &err);
	assert_string_equal(first, ground_path(&ground, "run/stage/c1/0"));
	assert_string_equal(second, ground_path(&ground, "run/stage/c1/1"));
	assert_string_equal(get_text(second), "text");
	{
		static char info[65536];
		AUTO(fd) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		size_t len = 0;
		ssize_t n;

		while ((n = read(fd, info + len, sizeof(info) - 1 - len)) > 0)
			len += (size_t)n;
		for (char *line = strtok(info, "\n"); line; line = strtok(NULL, "\n"))
			if (strstr(line, "/stage"))
				assert_null(strstr(line, "shared:"));
	}
	assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	assert_false(is_there(ground_path(&ground, "run/stage"))); /* the last one takes all down */
	assert_null(stage_open(ground.runtime, "../c1", &err));
	mount(NULL, P_tmpdir, NULL, MS_PRIVATE, NULL);
	ground_close(&ground);
}

static void a_part_of_a_detached_mount_is_found_inside_it_alone(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(volume_stage) struct volume_stage *stage = NULL;
	AUTO(fd) int image = -1;
	AUTO(free) char *part = NULL;
	char inside[200];

	(void)state;
	ground_open(&ground);
	image = mount_new("tmpfs", "image", NULL, 0, 0, &err);
	mkdirat(image, "a", 0755);
	mkdirat(image, "a/b", 0755);
	symlinkat("/a/b", image, "link");
	close(openat(image, "a/b/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	stage = stage_open(ground.runtime, "c1", &err);
	part = stage_attach_below(stage, image, "link", &err);
	assert_non_null(part);
	snprintf(inside, sizeof(inside), "%s/file", part);
	assert_true(is_there(inside));
	assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	ground_close(&ground);
}

static void secrets_are_files_in_memory_that_their_binds_alone_keep(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(volume_stage) struct volume_stage *stage = NULL;
	/* clang-format off */
	struct secret_grant grants[3] = {
		{ .name = "secret a", .kind = SECRET_FILE, .uid = 7, .gid = 8, .mode = 0400 },
		{ .name = "secret b", .kind = SECRET_VALUE, .value = "a\0b", .value_len = 3,
		  .mode = SECRET_DEFAULT_MODE },
		{ .name = "secret c", .kind = SECRET_EXTERNAL, .source = "kept", .mode = 0440 },
	};
	/* clang-format on */
	char file[200];
	struct stat st;

	(void)state;
	ground_open(&ground);
	snprintf(file, sizeof(file), "%s", ground_path(&ground, "password"));
	put_text(file, "geheim");
	grants[0].source = file;
	assert_int_equal(secret_check(ground.store, &grants[2], &err), -1);
	assert_non_null(strstr(err.msg, "stack secret create kept"));
	assert_int_equal(secret_create(ground.store, "kept", "k", 1, &err), 0);
	assert_int_equal(secret_create(ground.store, "kept", "k", 1, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(secret_check(ground.store, &grants[i], &err), 0);
	stage = stage_open(ground.runtime, "c1", &err);
	assert_int_equal(secret_deliver(ground.store, stage, grants, 3, &err), 0);
	assert_string_equal(get_text(grants[0].out_source), "geheim");
	stat(grants[0].out_source, &st);
	assert_true(st.st_uid == 7 && st.st_gid == 8 && (st.st_mode & 07777) == 0400);
	stat(grants[1].out_source, &st);
	assert_true(st.st_size == 3 && (st.st_mode & 07777) == 0444);
	assert_int_equal(open(grants[1].out_source, O_WRONLY), -1); /* read-only even for root */
	mkdir(ground_path(&ground, "target"), 0755);
	put_text(ground_path(&ground, "target/f"), "");
	assert_int_equal(
		mount(grants[0].out_source, ground_path(&ground, "target/f"), NULL, MS_BIND, NULL),
		0);
	assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	assert_false(is_there(grants[0].out_source));
	assert_string_equal(get_text(ground_path(&ground, "target/f")),
			    "geheim"); /* the bind holds it */
	assert_int_equal(umount2(ground_path(&ground, "target/f"), 0), 0);
	for (size_t i = 0; i < 3; i++)
		free(grants[i].out_source);
	ground_close(&ground);
}

extern char **environ;

static void *spawn_all_the_time(void *ctx)
{
	const atomic_bool *ends = ctx;

	while (!atomic_load(ends)) {
		char name[] = "true";
		char *const argv[] = { name, NULL };
		pid_t pid;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0)
			waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* A process between its birth and its program has our files open that we have closed: the tmpfs is
 * busy then. */
static void secrets_are_delivered_while_other_threads_start_processes(void **state)
{
	atomic_bool ends = false;
	struct err err = ERR_NONE;
	struct ground ground;
	pthread_t threads[3];

	(void)state;
	ground_open(&ground);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, spawn_all_the_time, &ends), 0);
	for (int i = 0; i < 300; i++) {
		struct secret_grant grant = { .name = "secret a",
					      .kind = SECRET_VALUE,
					      .value = "v",
					      .value_len = 1,
					      .mode = SECRET_DEFAULT_MODE };
		struct volume_stage *stage = stage_open(ground.runtime, "c1", &err);

		if (secret_deliver(ground.store, stage, &grant, 1, &err) < 0)
			fail_msg("delivery %d: %s", i, err.msg);
		free(grant.out_source);
		stage_close(stage);
		assert_int_equal(stage_drop(ground.runtime, "c1", &err), 0);
	}
	atomic_store(&ends, true);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ground_close(&ground);
}

static void a_secret_that_cannot_be_is_told_without_its_value(void **state)
{
	struct secret_grant missing = { .name = "secret a", .kind = SECRET_FILE };
	struct err err = ERR_NONE;
	struct ground ground;
	char path[200];

	(void)state;
	ground_open(&ground);
	snprintf(path, sizeof(path), "%s", ground_path(&ground, "none"));
	missing.source = path;
	assert_int_equal(secret_check(ground.store, &missing, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	snprintf(path, sizeof(path), "%s", ground.dir);
	assert_int_equal(secret_check(ground.store, &missing, &err), -1);
	assert_non_null(strstr(err.msg, "is a folder"));
	missing = (struct secret_grant){ .name = "config b",
					 .kind = SECRET_VALUE,
					 .value = "geheim",
					 .value_len = SECRET_CONTENT_MAX + 1 };
	assert_int_equal(secret_check(ground.store, &missing, &err), -1);
	assert_null(strstr(err.msg, "geheim"));
	ground_close(&ground);
}

static void digests_tell_contents_apart_and_need_the_machines_key(void **state)
{
	const struct secret_grant one = {
		.name = "a", .kind = SECRET_VALUE, .value = "x", .value_len = 1
	};
	const struct secret_grant two = {
		.name = "a", .kind = SECRET_VALUE, .value = "y", .value_len = 1
	};
	struct secret_grant file = { .name = "a", .kind = SECRET_FILE };
	char a[65], b[65], c[65], path[200];
	struct err err = ERR_NONE;
	struct ground ground;
	struct stat st;

	(void)state;
	ground_open(&ground);
	snprintf(path, sizeof(path), "%s", ground_path(&ground, "f"));
	put_text(path, "x");
	file.source = path;
	assert_int_equal(secret_digest(ground.store, &one, a, &err), 0);
	assert_int_equal(secret_digest(ground.store, &two, b, &err), 0);
	assert_int_equal(secret_digest(ground.store, &file, c, &err), 0);
	assert_string_not_equal(a, b);
	assert_string_equal(a, c);
	stat(ground_path(&ground, "state/key"), &st);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 32);
	unlink(ground_path(&ground, "state/key"));
	assert_int_equal(secret_digest(ground.store, &one, b, &err), 0);
	assert_string_not_equal(a, b);
	ground_close(&ground);
}

static void a_writable_layer_has_the_images_root_and_survives_restarts(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(fd) int lower = -1;
	AUTO(fd) int container = -1;
	AUTO(fd) int root = -1;
	struct stat st;
	uint64_t bytes;

	(void)state;
	ground_open(&ground);
	mkdir(ground_path(&ground, "lower"), 0755);
	chown(ground_path(&ground, "lower"), 3, 4);
	chmod(ground_path(&ground, "lower"), 0711);
	put_text(ground_path(&ground, "lower/file"), "image");
	mkdir(ground_path(&ground, "c1"), 0700);
	lower = open(ground_path(&ground, "lower"), O_RDONLY | O_CLOEXEC);
	container = open(ground_path(&ground, "c1"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(rootfs_prepare(container, lower, &err), 0);
	stat(ground_path(&ground, "c1/upper"), &st);
	assert_true(st.st_uid == 3 && st.st_gid == 4 && (st.st_mode & 07777) == 0711);
	put_text(ground_path(&ground, "c1/upper/new"), "mine");
	/* the mark of a volatile mount, which the kernel would refuse */
	file_make_dirs(container, "work/work/incompat/volatile", 0700, &err);
	chown(ground_path(&ground, "lower"), 9, 9);
	assert_int_equal(rootfs_prepare(container, lower, &err), 0);
	assert_int_equal(folder_count(container, "work"), 0);
	stat(ground_path(&ground, "c1/upper"), &st);
	assert_int_equal(st.st_uid, 3);
	root = rootfs_open_stopped(container, &lower, 1, &err);
	assert_true(root >= 0);
	assert_int_equal(faccessat(root, "file", F_OK, 0), 0);
	assert_int_equal(faccessat(root, "new", F_OK, 0), 0);
	close(TAKE_FD(root));
	assert_int_equal(rootfs_size(container, &bytes, &err), 0);
	assert_in_range(bytes, 4096, 65536);
	assert_int_equal(rootfs_drop(container, &err), 0);
	assert_int_equal(folder_count(AT_FDCWD, ground_path(&ground, "c1")), 0);
	assert_int_equal(rootfs_drop(container, &err), 0);
	ground_close(&ground);
}

static void idmap_works_on_this_file_system_or_says_which_cannot(void **state)
{
	struct bind_source source = { .fd = -1 };
	struct bind_spec spec = { .source = P_tmpdir };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	assert_int_equal(bind_idmap_check(&source, &err), 0);
	close(source.fd);
	spec.source = "/proc";
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	assert_int_equal(bind_idmap_check(&source, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "proc"));
	close(source.fd);
}

/* The ranges as the kernel takes them: what root makes is the caller's outside, and the reverse. */
static void exchange_on(const char *parent)
{
	struct id_range ranges[BIND_RANGES_MAX];
	size_t count = bind_idmap_ranges(999, 1000, ranges);
	char map[200] = "", path[64];
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(fd) int dir = -1;
	AUTO(fd) int mapped = -1;
	AUTO(fd) int userns = -1;
	struct stat st;
	pid_t pid;

	ground_open_in(&ground, parent);
	for (size_t i = 0; i < count; i++)
		snprintf(map + strlen(map), sizeof(map) - strlen(map), "%u %u %u\n",
			 ranges[i].container, ranges[i].host, ranges[i].size);
	pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL,
			     NULL);
	if (pid == 0)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	put_text(path, map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	put_text(path, map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	mkdir(ground_path(&ground, "src"), 0777);
	chmod(ground_path(&ground, "src"), 0777);
	put_text(ground_path(&ground, "src/theirs"), "");
	chown(ground_path(&ground, "src/theirs"), 1000, 1000);
	dir = open(ground_path(&ground, "src"), O_PATH | O_CLOEXEC);
	mapped = mount_clone(dir, false, &err);
	assert_int_equal(mount_set(mapped, MOUNT_ATTR_IDMAP, 0, 0, userns, false, &err), 0);
	assert_int_equal(fstatat(mapped, "theirs", &st, 0), 0);
	assert_true(st.st_uid == 999 && st.st_gid == 999);
	pid = fork();
	if (pid == 0) {
		int fd;

		setresgid(999, 999, 999);
		setresuid(999, 999, 999);
		fd = openat(mapped, "made", O_CREAT | O_WRONLY, 0600);
		_exit(fd < 0);
	}
	assert_int_equal(waitpid(pid, (int *)&st.st_dev, 0), pid);
	lstat(ground_path(&ground, "src/made"), &st);
	assert_true(st.st_uid == 1000 && st.st_gid == 1000);
	assert_int_equal(openat(mapped, "by-root", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0, 1);
	lstat(ground_path(&ground, "src/by-root"), &st);
	assert_int_equal(st.st_uid, 0); /* every other id stays */
	ground_close(&ground);
}

static void files_made_through_the_exchange_belong_to_the_host_user(void **state)
{
	(void)state;
	exchange_on(P_tmpdir);   /* tmpfs */
	exchange_on("/var/tmp"); /* the machine's disk, ext4 mostly */
}

static void shared_propagation_needs_a_shared_mount(void **state)
{
	const struct bind_spec spec = { .source = P_tmpdir, .propagation = "rshared" };
	struct bind_source source;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(bind_open(&spec, &source, &err), -1);
	assert_non_null(strstr(err.msg, "make-shared"));
	mount(NULL, P_tmpdir, NULL, MS_SHARED, NULL);
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	close(source.fd);
	mount(NULL, P_tmpdir, NULL, MS_PRIVATE, NULL);
}

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("k_volume", P_tmpdir, "tmpfs", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tmpfs_volume_lives_from_its_first_user_to_its_last),
		cmocka_unit_test(a_bind_volume_is_never_deleted_at_its_device),
		cmocka_unit_test(removal_crosses_no_mount),
		cmocka_unit_test(a_file_system_that_the_kernel_lacks_is_named),
		cmocka_unit_test(a_swapped_subpath_never_shows_the_outside),
		cmocka_unit_test(a_stage_is_private_and_goes_whole),
		cmocka_unit_test(a_part_of_a_detached_mount_is_found_inside_it_alone),
		cmocka_unit_test(secrets_are_files_in_memory_that_their_binds_alone_keep),
		cmocka_unit_test(secrets_are_delivered_while_other_threads_start_processes),
		cmocka_unit_test(a_secret_that_cannot_be_is_told_without_its_value),
		cmocka_unit_test(digests_tell_contents_apart_and_need_the_machines_key),
		cmocka_unit_test(a_writable_layer_has_the_images_root_and_survives_restarts),
		cmocka_unit_test(idmap_works_on_this_file_system_or_says_which_cannot),
		cmocka_unit_test(files_made_through_the_exchange_belong_to_the_host_user),
		cmocka_unit_test(shared_propagation_needs_a_shared_mount),
	};

	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}

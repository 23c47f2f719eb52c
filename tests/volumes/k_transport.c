/* tests/volumes/k_transport - mirrors volumes/transport, copy, tree_out and tree_in.
 *
 * Root. In a mount namespace of its own, on a tmpfs of its own; GNU tar is the other reader and
 * writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/tar_out.h"
#include "tests/volumes/ground.h"
#include "volumes/copy.h"
#include "volumes/folder.h"
#include "volumes/transport.h"

/* One of everything in a folder. */
static void fill(const char *dir)
{
	const struct timespec old[2] = {
		{.tv_sec = 1000000000,  .tv_nsec = 5},
                { .tv_sec = 1000000000, .tv_nsec = 5}
	};
	char path[400], other[400], longest[256];
	int fd;

#define AT(name) (snprintf(path, sizeof(path), "%s/%s", dir, (name)), path)
	mkdir(AT("sub"), 0750);
	chown(AT("sub"), 7, 8);
	put_text(AT("sub/file"), "text");
	snprintf(other, sizeof(other), "%s/sub/file", dir);
	link(other, AT("again"));
	chown(AT("sub/file"), 70000, 3000000);
	chmod(AT("sub/file"), 04711);
	setxattr(AT("sub/file"), "user.note", "a\0b", 3, 0);
	symlink("sub/file", AT("link"));
	mkfifo(AT("pipe"), 0620);
	mknod(AT("null"), S_IFCHR | 0666, makedev(1, 3));
	memset(longest, 'n', 255);
	longest[255] = '\0';
	put_text(AT(longest), "long");
	fd = open(AT("sparse"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	pwrite(fd, "middle", 6, 4 << 20);
	ftruncate(fd, 9 << 20);
	close(fd);
	utimensat(AT_FDCWD, AT("sub/file"), old, 0);
	utimensat(AT_FDCWD, AT("sub"), old, 0);
#undef AT
}

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *fmt, ...)
{
	char command[2000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command); /* NOLINT: a test, with names of its own */
}

/* Two folders are equal in all that `find` can print, and in content, attributes and holes. */
static void assert_same(const char *a, const char *b)
{
	static const char list[] = "find . -printf '%p %y %m %U %G %s %l %n %T@\\n' | sort";

	assert_int_equal(run("cd %s && (%s; find . ! -type l | sort | xargs getfattr -h -d -m - "
			     "2>/dev/null; find . -type f | sort | "
			     "xargs md5sum) > %s.list",
			     a, list, a),
			 0);
	assert_int_equal(run("cd %s && (%s; find . ! -type l | sort | xargs getfattr -h -d -m - "
			     "2>/dev/null; find . -type f | sort | "
			     "xargs md5sum) > %s.list",
			     b, list, b),
			 0);
	assert_int_equal(run("diff %s.list %s.list", a, b), 0);
	assert_int_equal(run("rm %s.list %s.list", a, b), 0);
}

static void exported_and_imported_is_the_same(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	char a[200], b[200];
	struct stat st;
	AUTO(fd) int file = -1;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "from");
	snprintf(a, sizeof(a), "%s", ground_path(&ground, "state/volumes/from/_data"));
	snprintf(b, sizeof(b), "%s", ground_path(&ground, "state/volumes/to/_data"));
	fill(a);
	chown(a, 5, 6);
	chmod(a, 01770);
	file = open(ground_path(&ground, "x.tar"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(transport_export(ground.store, "from", 0, file, &err), 0);
	fstat(file, &st);
	assert_true(st.st_size < 1 << 20); /* holes stay out */
	lseek(file, 0, SEEK_SET);
	assert_int_equal(transport_import(ground.store, "to", 0, file, &err), 0);
	assert_same(a, b);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(transport_import(ground.store, "to", 0, file, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	put_text(ground_path(&ground, "state/volumes/to/_data/more"), "x");
	lseek(file, 0, SEEK_SET);
	assert_int_equal(transport_import(ground.store, "to", TRANSPORT_REPLACE, file, &err), 0);
	assert_same(a, b);
	/* GNU tar reads it, too */
	assert_int_equal(mkdir(ground_path(&ground, "gnu"), 0700), 0);
	assert_int_equal(run("tar -C %s --xattrs --xattrs-include='*' --numeric-owner -xpf %s",
			     ground_path(&ground, "gnu"), ground_path(&ground, "x.tar")),
			 0);
	assert_same(a, ground_path(&ground, "gnu"));
	ground_close(&ground);
}

static void an_archive_that_ends_early_leaves_no_volume(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	struct stat st;
	AUTO(fd) int file = -1;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "from");
	fill(ground_path(&ground, "state/volumes/from/_data"));
	file = open(ground_path(&ground, "x.tar"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(transport_export(ground.store, "from", 0, file, &err), 0);
	fstat(file, &st);
	for (off_t cut = 1024; cut < st.st_size; cut += 512) {
		ftruncate(file, st.st_size - cut);
		lseek(file, 0, SEEK_SET);
		assert_int_equal(transport_import(ground.store, "to", 0, file, &err), -1);
		assert_false(is_there(ground_path(&ground, "state/volumes/to")));
	}
	assert_int_equal(folder_count(ground.fd, "state/volumes"), 2); /* lock, from */
	ground_close(&ground);
}

static void clones_and_snapshots_carry_everything(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	char a[200], tag[64], **tags;
	size_t count;
	bool shared;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	snprintf(a, sizeof(a), "%s", ground_path(&ground, "state/volumes/vol/_data"));
	fill(a);
	assert_int_equal(transport_clone(ground.store, "vol", "copy", 0, &shared, &err), 0);
	assert_false(shared); /* a tmpfs shares no blocks */
	assert_same(a, ground_path(&ground, "state/volumes/copy/_data"));
	assert_int_equal(transport_clone(ground.store, "vol", "copy", 0, &shared, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(transport_snapshot(ground.store, "vol", "first", 0, tag, &shared, &err),
			 0);
	assert_string_equal(tag, "first");
	assert_int_equal(transport_snapshot(ground.store, "vol", "first", 0, tag, &shared, &err),
			 -1);
	assert_int_equal(transport_snapshot(ground.store, "vol", "../x", 0, tag, &shared, &err),
			 -1);
	assert_int_equal(transport_snapshot(ground.store, "vol", NULL, 0, tag, &shared, &err), 0);
	assert_int_equal(transport_snapshot_names(ground.store, "vol", &tags, &count, &err), 0);
	assert_int_equal(count, 2);
	volume_names_free(tags, count);
	run("rm -rf %s/*", a);
	put_text(ground_path(&ground, "state/volumes/vol/_data/later"), "x");
	assert_int_equal(transport_restore(ground.store, "vol", "first", 0, &shared, &err), 0);
	assert_same(a, ground_path(&ground, "state/volumes/copy/_data"));
	assert_int_equal(transport_restore(ground.store, "vol", "none", 0, &shared, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(transport_snapshot_remove(ground.store, "vol", "first", &err), 0);
	assert_int_equal(transport_snapshot_remove(ground.store, "vol", "first", &err), -1);
	ground_close(&ground);
}

static void a_volume_in_use_is_refused_unless_the_caller_answers_for_it(void **state)
{
	const struct volume_user user = { "c1", "", "by-hand", false };
	struct err err = ERR_NONE;
	struct ground ground;
	char tag[64];
	bool shared;
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	assert_int_equal(volume_store_use(ground.store, "vol", &user, &err), 0);
	assert_int_equal(transport_export(ground.store, "vol", 0, null, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.msg, "by-hand"));
	assert_int_equal(transport_clone(ground.store, "vol", "copy", 0, &shared, &err), -1);
	assert_int_equal(transport_snapshot(ground.store, "vol", NULL, 0, tag, &shared, &err), -1);
	assert_int_equal(transport_import(ground.store, "vol", TRANSPORT_REPLACE, null, &err), -1);
	assert_int_equal(transport_export(ground.store, "vol", TRANSPORT_IN_USE, null, &err), 0);
	assert_int_equal(
		transport_clone(ground.store, "vol", "copy", TRANSPORT_IN_USE, &shared, &err), 0);
	ground_close(&ground);
}

static bool keeps_shop(void *ctx, const char *project)
{
	(void)ctx;
	return strcmp(project, "shop") == 0;
}

static void prune_takes_unused_anonymous_ones_and_named_ones_when_told(void **state)
{
	const struct volume_def defs[] = {
		{.name = "named"    },
		{		  .name = "anonymous",  .anonymous = true },
		{                 .name = "of-shop",  .anonymous = true, .project = "shop" },
		{ .name = "of-other", .anonymous = true, .project = "other" },
		{ .name = "used",                  .anonymous = true },
	};
	const struct volume_user user = { "c1", "", "by-hand", false };
	struct err err = ERR_NONE;
	enum volume_outcome outcome;
	struct ground ground;
	char **names;
	size_t count;

	(void)state;
	ground_open(&ground);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(volume_ensure(ground.store, &defs[i], 0, &outcome, &err), 0);
	assert_int_equal(volume_store_use(ground.store, "used", &user, &err), 0);
	assert_int_equal(
		transport_prune_list(ground.store, 0, keeps_shop, NULL, &names, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "anonymous");
	assert_string_equal(names[1], "of-other");
	volume_names_free(names, count);
	assert_int_equal(transport_prune_list(ground.store, PRUNE_NAMED, keeps_shop, NULL, &names,
					      &count, &err),
			 0);
	assert_int_equal(count, 3);
	volume_names_free(names, count);
	ground_close(&ground);
}

static void who_reads_a_volume_keeps_nobody_from_starting_with_it(void **state)
{
	const struct volume_user user = { "c1", "", "by-hand", false };
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(fd) int reader = -1;
	AUTO(fd) int writer = -1;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	reader = volume_store_lock_volume(ground.store, "vol", VOLUME_LOCK_SHARED, NULL, &err);
	assert_true(reader >= 0);
	assert_int_equal(volume_activate(ground.store, "vol", &user, &err), 0);
	assert_int_equal(volume_deactivate(ground.store, "vol", "c1", &err), 0);
	assert_int_equal(volume_store_unuse_all(ground.store, "c1", &err), 0);
	writer = volume_store_lock_volume(ground.store, "vol", VOLUME_LOCK_TRY, NULL, &err);
	assert_int_equal(writer, -1);
	assert_int_equal(volume_remove(ground.store, "vol", &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	close(TAKE_FD(reader));
	assert_int_equal(volume_remove(ground.store, "vol", &err), 0);
	ground_close(&ground);
}

#ifdef CRASH_POINTS
static void whatever_dies_a_volume_is_old_or_new_and_never_half(void **state)
{
	static const struct {
		const char *place;
		bool is_restored;
	} cases[] = {
		{"transport:filled",     false},
                { "transport:exchanged", true }
	};
	static const char *const others[] = { "volume:folders-made", "volume:record-written",
					      "transport:snapshot-copied", "volume:in-trash" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct err err = ERR_NONE;
		struct ground ground;
		char tag[64];
		bool shared;
		pid_t pid;
		int status;

		ground_open(&ground);
		make_volume(&ground, "vol");
		put_text(ground_path(&ground, "state/volumes/vol/_data/a"), "old");
		transport_snapshot(ground.store, "vol", "tag", 0, tag, &shared, &err);
		put_text(ground_path(&ground, "state/volumes/vol/_data/a"), "new");
		if (i == 5)
			make_volume(&ground, "gone");
		pid = fork();
		if (pid == 0) {
			setenv("STACK_CRASH_AT", i < 2 ? cases[i].place : others[i - 2], 1);
			if (i < 2)
				transport_restore(ground.store, "vol", "tag", 0, &shared, &err);
			else if (i < 4)
				transport_clone(ground.store, "vol", "copy", 0, &shared, &err);
			else if (i < 5)
				transport_snapshot(ground.store, "vol", "two", 0, tag, &shared,
						   &err);
			else
				volume_remove(ground.store, "gone", &err);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		volume_store_close(ground.store);
		ground.store = volume_store_open(ground.state, ground.runtime, &err);
		assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/a")),
				    i < 2 && cases[i].is_restored ? "old" : "new");
		assert_int_equal(folder_count(ground.fd, "state/volumes"), 2); /* lock, vol */
		assert_int_equal(transport_restore(ground.store, "vol", "tag", 0, &shared, &err),
				 0);
		assert_false(is_there(ground_path(&ground, "state/volumes/vol/.new-data")));
		assert_string_equal(get_text(ground_path(&ground, "state/volumes/vol/_data/a")),
				    "old");
		ground_close(&ground);
	}
}
#endif

/* A container's root: /etc/hosts, /data, /link -> /etc, /up -> ../../.., and a mount on /vol. */
static int open_root(struct ground *ground)
{
	struct err err = ERR_NONE;

	file_make_dirs(ground->fd, "root/etc", 0755, &err);
	file_make_dirs(ground->fd, "root/vol", 0755, &err);
	file_make_dirs(ground->fd, "root/data", 0755, &err);
	mkdir(ground_path(ground, "outside"), 0755);
	put_text(ground_path(ground, "outside/precious"), "x");
	put_text(ground_path(ground, "root/etc/hosts"), "hosts");
	symlink("/etc", ground_path(ground, "root/link"));
	symlink("../../../../../../..", ground_path(ground, "root/up"));
	symlink("/etc/hosts", ground_path(ground, "root/data/hosts"));
	mount("vol", ground_path(ground, "root/vol"), "tmpfs", 0, NULL);
	put_text(ground_path(ground, "root/vol/inside"), "v");
	return open(ground_path(ground, "root"), O_PATH | O_CLOEXEC);
}

static void close_root(struct ground *ground)
{
	umount2(ground_path(ground, "root/vol"), MNT_DETACH);
}

static const struct {
	const char *path;
	unsigned flags;
	const char *names; /* what GNU tar lists, blank between; NULL: not found */
} out_cases[] = {
  /* clang-format off */
	{ "/etc/hosts", 0, "hosts" },
	{ "etc", 0, "etc/ etc/hosts" },
	{ "/etc/", 0, "etc/ etc/hosts" },
	{ "/etc/.", 0, "./ ./hosts" },
	{ "/link", 0, "link" },
	{ "/link/.", 0, "./ ./hosts" },
	{ "/link", COPY_FOLLOW, "link/ link/hosts" },
	{ "/data/hosts", COPY_FOLLOW, "hosts" },
	{ "/up/up/etc/hosts", 0, "hosts" },
	{ "/vol", 0, "vol/ vol/inside" },
	{ "/none", 0, NULL },
	{ "/etc/hosts/x", 0, NULL },
  /* clang-format on */
};

static void a_path_means_what_it_means_inside_the_container(void **state)
{
	struct ground ground;
	AUTO(fd) int root = -1;

	(void)state;
	ground_open(&ground);
	root = open_root(&ground);
	for (size_t i = 0; i < sizeof(out_cases) / sizeof(*out_cases); i++) {
		struct err err = ERR_NONE;
		AUTO(fd)
		int file = open(ground_path(&ground, "x.tar"),
				O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
		int status = copy_out(root, out_cases[i].path, out_cases[i].flags, file, &err);
		char got[4096];

		if (!out_cases[i].names) {
			assert_int_equal(status, -1);
			assert_int_equal(err.code, ERR_NOT_FOUND);
			continue;
		}
		assert_int_equal(status, 0);
		run("tar -tf %s | sort | tr '\\n' ' ' > %s", ground_path(&ground, "x.tar"),
		    ground_path(&ground, "list"));
		snprintf(got, sizeof(got), "%s", get_text(ground_path(&ground, "list")));
		got[strlen(got) - 1] = '\0';
		assert_string_equal(got, out_cases[i].names);
	}
	close_root(&ground);
	ground_close(&ground);
}

/* A tar of one entry, and of a file "inside" below it when `below` says so. */
static int hostile_tar(struct ground *ground, enum tar_type type, const char *name,
		       const char *link, const char *below)
{
	int fd = open(ground_path(ground, "h.tar"), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	struct tar_entry entry = { .type = type, .path = name, .link = link, .mode = 0644 };
	AUTO(tar_out) struct tar_out *out = tar_out_new(fd);
	struct err err = ERR_NONE;

	tar_out_entry(out, &entry, &err);
	tar_out_done(out, &err);
	if (below)
		tar_out_file(out, below, "evil", 4, &err);
	tar_out_end(out, &err);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void no_archive_writes_outside_the_root(void **state)
{
	static const struct {
		enum tar_type type;
		const char *name, *link, *below;
	} rows[] = {
		{TAR_FILE,      "../outside/evil",         "",                       NULL            },
		{ TAR_FILE,     "a/../../../outside/evil", "",                       NULL            },
		{ TAR_FILE,     "..",                      "",                       NULL            },
		{ TAR_SYMLINK,  "l",                       "../../outside",          "l/evil"        },
		{ TAR_SYMLINK,  "precious",                "../outside/precious",    "precious"      },
		{ TAR_SYMLINK,  "l",                       "/proc/self/root",        "l/outside/evil"},
		{ TAR_HARDLINK, "l",                       "../outside/precious",    "l"             },
		{ TAR_HARDLINK, "l",                       "../../../../etc/passwd", NULL            },
		{ TAR_FILE,     "up/up/outside/evil",      "",                       NULL            },
	};
	struct ground ground;
	AUTO(fd) int root = -1;

	(void)state;
	ground_open(&ground);
	root = open_root(&ground);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		AUTO(fd)
		int tar = hostile_tar(&ground, rows[i].type, rows[i].name, rows[i].link,
				      rows[i].below);

		copy_in(root, "/data", 0, tar, &err);
		assert_int_equal(folder_count(ground.fd, "outside"), 1);
		assert_string_equal(get_text(ground_path(&ground, "outside/precious")), "x");
		run("rm -rf %s/*", ground_path(&ground, "root/data"));
	}
	close_root(&ground);
	ground_close(&ground);
}

static void what_is_in_the_way_is_replaced_or_refused(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(fd) int root = -1;
	AUTO(fd) int first = -1;
	AUTO(fd) int second = -1;
	AUTO(fd) int third = -1;
	struct stat st;

	(void)state;
	ground_open(&ground);
	root = open_root(&ground);
	first = hostile_tar(&ground, TAR_FILE, "/hosts", "", NULL); /* over a link: the link goes */
	assert_int_equal(copy_in(root, "/data", 0, first, &err), 0);
	lstat(ground_path(&ground, "root/data/hosts"), &st);
	assert_true(S_ISREG(st.st_mode) && st.st_uid == 0);
	assert_string_equal(get_text(ground_path(&ground, "root/etc/hosts")), "hosts");
	mkdir(ground_path(&ground, "root/data/d"), 0755);
	second = hostile_tar(&ground, TAR_FILE, "d", "", NULL);
	assert_int_equal(copy_in(root, "/data", COPY_NO_REPLACE, second, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	put_text(ground_path(&ground, "root/data/d/x"), "");
	lseek(second, 0, SEEK_SET);
	assert_int_equal(copy_in(root, "/data", 0, second, &err), -1); /* not empty: never */
	assert_int_equal(err.code, ERR_EXISTS);
	third = hostile_tar(&ground, TAR_DIR, "d/", "", "d/new");
	assert_int_equal(copy_in(root, "/data", 0, third, &err), 0);
	assert_true(is_there(ground_path(&ground, "root/data/d/x")));
	assert_true(is_there(ground_path(&ground, "root/data/d/new")));
	lseek(third, 0, SEEK_SET);
	assert_int_equal(copy_in(root, "/none", 0, third, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(copy_in(root, "/etc/hosts", 0, third, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	close_root(&ground);
	ground_close(&ground);
}

struct swapper {
	char dir[300], real[310], link[310];
	atomic_bool is_over;
};

static void *swap(void *ctx)
{
	struct swapper *swapper = ctx;

	while (!atomic_load(&swapper->is_over)) {
		syscall(SYS_renameat2, AT_FDCWD, swapper->dir, AT_FDCWD, swapper->link,
			RENAME_EXCHANGE);
		sched_yield();
	}
	return NULL;
}

static void a_folder_that_is_swapped_for_a_link_leads_nowhere_else(void **state)
{
	struct swapper swapper = { 0 };
	struct ground ground;
	pthread_t thread;
	AUTO(fd) int root = -1;
	AUTO(fd) int tar = -1;
	AUTO(fd) int out = -1;
	int written = 0;

	(void)state;
	ground_open(&ground);
	root = open_root(&ground);
	snprintf(swapper.dir, sizeof(swapper.dir), "%s", ground_path(&ground, "root/data/d"));
	snprintf(swapper.link, sizeof(swapper.link), "%s", ground_path(&ground, "root/data/l"));
	mkdir(swapper.dir, 0755);
	symlink(ground_path(&ground, "outside"), swapper.link);
	tar = hostile_tar(&ground, TAR_DIR, "d/", "", "d/evil");
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pthread_create(&thread, NULL, swap, &swapper);
	for (int i = 0; i < 1000; i++) {
		struct err err = ERR_NONE;

		lseek(tar, 0, SEEK_SET);
		written += copy_in(root, "/data", 0, tar, &err) == 0;
		copy_out(root, "/data/d/.", 0, out, &err);
		/* a plain folder in its place again, whatever became of it */
		if (i % 50 == 0)
			mkdir(swapper.dir, 0755);
	}
	atomic_store(&swapper.is_over, true);
	pthread_join(thread, NULL);
	assert_true(written > 0);
	assert_int_equal(folder_count(ground.fd, "outside"), 1);
	assert_string_equal(get_text(ground_path(&ground, "outside/precious")), "x");
	close_root(&ground);
	ground_close(&ground);
}

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("k_transport", P_tmpdir, "tmpfs", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exported_and_imported_is_the_same),
		cmocka_unit_test(an_archive_that_ends_early_leaves_no_volume),
		cmocka_unit_test(clones_and_snapshots_carry_everything),
		cmocka_unit_test(a_volume_in_use_is_refused_unless_the_caller_answers_for_it),
		cmocka_unit_test(prune_takes_unused_anonymous_ones_and_named_ones_when_told),
		cmocka_unit_test(who_reads_a_volume_keeps_nobody_from_starting_with_it),
#ifdef CRASH_POINTS
		cmocka_unit_test(whatever_dies_a_volume_is_old_or_new_and_never_half),
#endif
		cmocka_unit_test(a_path_means_what_it_means_inside_the_container),
		cmocka_unit_test(no_archive_writes_outside_the_root),
		cmocka_unit_test(what_is_in_the_way_is_replaced_or_refused),
		cmocka_unit_test(a_folder_that_is_swapped_for_a_link_leads_nowhere_else),
	};

	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}

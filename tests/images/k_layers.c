/* tests/images/k_layers - images/layer, apply, unpack, erofs, chain and snapshot on a real kernel:
 * what the merged tree shows, the same with both back-ends. Root; runs in namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "images/archive.h"
#include "images/snapshot.h"
#include "tests/images/layer_cases.h"

static const enum store_backend backends[] = { STORE_DIR, STORE_EROFS };

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static void describe_xattrs(FILE *out, int dir_fd, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	char list[4096], value[256];
	ssize_t len = fd < 0 ? -1 : flistxattr(fd, list, sizeof(list));

	for (char *at = list; len > 0 && at < list + len; at += strlen(at) + 1) {
		ssize_t n = fgetxattr(fd, at, value, sizeof(value));

		fprintf(out, " %s:%zd", at, n);
	}
}

static void describe(FILE *out, int dir_fd, const char *name, const char *path)
{
	struct stat st;
	char text[256];
	ssize_t n;

	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	fprintf(out, "%s %o %u:%u %ld", *path ? path : ".", st.st_mode, st.st_uid, st.st_gid,
		(long)st.st_mtim.tv_sec);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		fprintf(out, " x%lu", (unsigned long)st.st_nlink);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		fprintf(out, " %u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir_fd, name, text, sizeof(text) - 1);
		fprintf(out, " -> %.*s", (int)n, text);
	}
	if (S_ISREG(st.st_mode)) {
		AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW);

		n = read(fd, text, 40);
		assert_true(n >= 0);
		fprintf(out, " %ld=%.*s", (long)st.st_size, (int)n, text);
	}
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		describe_xattrs(out, dir_fd, name);
	fputc('\n', out);
}

static void list(FILE *out, int dir_fd, const char *path)
{
	struct dirent **entries;
	int count = scandirat(dir_fd, ".", &entries, NULL, by_name);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			AUTO(free) char *full = xformat("%s%s%s", path, *path ? "/" : "", name);
			AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			describe(out, dir_fd, name, full);
			if (fd >= 0)
				list(out, fd, full);
		}
		free(entries[i]);
	}
	free(entries);
}

/* The merged tree of an image over these layers, as text; or "E:" and why not. To be freed. */
static char *merged(enum store_backend backend, struct tarball *tars, size_t count)
{
	struct test_store test;
	char id[DIGEST_TEXT_MAX], *text = NULL;
	struct err err = ERR_NONE;
	size_t len, swept = 0;
	FILE *out;

	test_store_open(&test, backend);
	if (test_image(test.store, tars, count, "docker.io/library/x:1", id, &err) < 0) {
		text = xformat("E:%s", err.msg);
		assert_int_equal(test_count(&test, "layers"), 0);
		assert_int_equal(test_count(&test, "chains"), 0);
		assert_int_equal(test_count(&test, "records"), 0);
		assert_int_equal(test_count(&test, "tmp"), 0);
		assert_int_equal(test_count(&test, "trash"), 0);
	} else {
		AUTO(snapshot)
		struct snapshot *snapshot = snapshot_open(test.store, id, "owner", &err);
		AUTO(fd) int root = snapshot ? snapshot_mount(snapshot, &err) : -1;

		if (root < 0)
			fail_msg("%s", err.msg);
		out = open_memstream(&text, &len);
		fprintf(out, "root %o %u:%u\n", snapshot->root_mode, snapshot->root_uid,
			snapshot->root_gid);
		list(out, root, "");
		fclose(out);
	}
	assert_int_equal(snapshot_release(test.store, "owner", &err), 0);
	assert_int_equal(snapshot_sweep(test.store, &swept, &err), 0);
	test_store_close(&test);
	return text;
}

/* Both back-ends show that; frees the tars. */
static void expect(struct tarball *tars, size_t count, const char *wanted)
{
	for (size_t i = 0; i < 2; i++) {
		AUTO(free) char *got = merged(backends[i], tars, count);

		if (*wanted == 'E' ? strncmp(got, "E:", 2) != 0 || !strstr(got, wanted + 2)
				   : strcmp(got, wanted) != 0)
			fail_msg("back-end %zu:\n%s\nwanted:\n%s", i, got, wanted);
	}
	for (size_t i = 0; i < count; i++)
		free(tars[i].bytes);
}

#define T "1600000000"

static void one_layer_shows_what_it_holds(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	tarball_add(&tar, &(struct tar_head){ .name = "./", .type = '5', .mode = 0711, .uid = 3 });
	tarball_dir(&tar, "a/");
	tarball_add(&tar, &(struct tar_head){ .name = "a/f",
					      .mode = 06755,
					      .uid = 1000,
					      .gid = 2000,
					      .data = "hello",
					      .size = 5 });
	tarball_link(&tar, "a/h", '1', "a/f");
	tarball_link(&tar, "a/s", '2', "../nowhere");
	tarball_add(&tar, &(struct tar_head){ .name = "c", .type = '3', .major = 1, .minor = 3 });
	tarball_add(&tar, &(struct tar_head){ .name = "p", .type = '6' });
	tarball_pax(&tar, "SCHILY.xattr.user.k", "v");
	tarball_file(&tar, "x", "");
	expect(&tar, 1,
	       "root 711 3:0\n"
	       "a 40755 0:0 " T "\n"
	       "a/f 106755 1000:2000 " T " x2 5=hello\n"
	       "a/h 106755 1000:2000 " T " x2 5=hello\n"
	       "a/s 120777 0:0 " T " -> ../nowhere\n"
	       "c 20644 0:0 " T " 1:3\n"
	       "p 10644 0:0 " T "\n"
	       "x 100644 0:0 " T " 0= user.k:1\n");
}

static void later_entries_replace_earlier_ones(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	tarball_file(&tar, "f", "first");
	tarball_link(&tar, "h", '1', "f");
	tarball_file(&tar, "f", "second"); /* a new inode: h keeps the first */
	tarball_dir(&tar, "d");
	tarball_file(&tar, "d/in", "");
	tarball_add(&tar, &(struct tar_head){ .name = "d", .type = '5', .mode = 0700 });
	tarball_dir(&tar, "e");
	tarball_file(&tar, "e/in", "");
	tarball_file(&tar, "e", "file now");
	tarball_link(&tar, "s", '2', "/etc");
	tarball_dir(&tar, "s");
	tarball_file(&tar, "was", "file");
	tarball_file(&tar, "was/below", "");
	expect(&tar, 1,
	       "root 755 0:0\n"
	       "d 40700 0:0 " T "\n"
	       "d/in 100644 0:0 " T " 0=\n"
	       "e 100644 0:0 " T " 8=file now\n"
	       "f 100644 0:0 " T " 6=second\n"
	       "h 100644 0:0 " T " 5=first\n"
	       "s 40755 0:0 " T "\n"
	       "was 40755 0:0 0\n"
	       "was/below 100644 0:0 " T " 0=\n");
}

/* Modes and owners are set by the call only where they are not so already. */
static void no_umask_changes_what_a_layer_holds(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0137, 0777 };
	mode_t before = umask(0);

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		umask(masks[i]);
		one_layer_shows_what_it_holds(state);
		later_entries_replace_earlier_ones(state);
	}
	umask(before);
}

static void whiteouts_hide_lower_layers_only(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_dir(&tars[0], "d");
	tarball_file(&tars[0], "d/gone", "1");
	tarball_file(&tars[0], "d/kept", "1");
	tarball_file(&tars[0], "d/new", "old");
	tarball_dir(&tars[0], "o");
	tarball_file(&tars[0], "o/low", "1");
	tarball_dir(&tars[0], "sub");
	tarball_file(&tars[0], "sub/low", "1");
	tarball_dir(&tars[1], "d");
	tarball_file(&tars[1], "d/.wh.gone", "data of a whiteout");
	tarball_file(&tars[1], "d/new", "new");
	tarball_file(&tars[1], "d/.wh.new", ""); /* of this layer: stays */
	tarball_file(&tars[1], "d/.wh.never", "");
	tarball_dir(&tars[1], "o");
	tarball_file(&tars[1], "o/high", "1");
	tarball_file(&tars[1], "o/.wh..wh..opq", "");
	tarball_file(&tars[1], ".wh.sub", "");
	tarball_dir(&tars[1], "sub"); /* whiteout and folder: without the lower content */
	tarball_dir(&tars[1], ".wh..wh.plnk");
	tarball_file(&tars[1], ".wh..wh.plnk/1.2", "aufs");
	expect(tars, 2,
	       "root 755 0:0\n"
	       "d 40755 0:0 " T "\n"
	       "d/kept 100644 0:0 " T " 1=1\n"
	       "d/new 100644 0:0 " T " 3=new\n"
	       "o 40755 0:0 " T "\n"
	       "o/high 100644 0:0 " T " 1=1\n"
	       "sub 40755 0:0 " T "\n");
}

static void whiteouts_in_a_folder_of_one_layer_do_not_show(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_file(&tars[0], "base", "1");
	tarball_dir(&tars[1], "only");
	tarball_file(&tars[1], "only/.wh.x", "");
	tarball_file(&tars[1], "only/y", "");
	expect(tars, 2,
	       "root 755 0:0\n"
	       "base 100644 0:0 " T " 1=1\n"
	       "only 40755 0:0 " T "\n"
	       "only/y 100644 0:0 " T " 0=\n");
}

static void an_opaque_root_hides_everything_below(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_file(&tars[0], "low", "1");
	tarball_file(&tars[1], ".wh..wh..opq", "");
	tarball_file(&tars[1], "high", "");
	expect(tars, 2, "root 755 0:0\nhigh 100644 0:0 " T " 0=\n");
}

static void a_parent_without_an_entry_looks_like_the_lower_one(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_add(&tars[0],
		    &(struct tar_head){ .name = "a", .type = '5', .mode = 0700, .uid = 5 });
	tarball_file(&tars[0], "a/x", "low");
	tarball_file(&tars[1], "a/y", "high");
	tarball_file(&tars[1], "made/z", "");
	expect(tars, 2,
	       "root 755 0:0\n"
	       "a 40700 5:0 " T "\n"
	       "a/x 100644 0:0 " T " 3=low\n"
	       "a/y 100644 0:0 " T " 4=high\n"
	       "made 40755 0:0 0\n"
	       "made/z 100644 0:0 " T " 0=\n");
}

static void a_parent_that_is_a_lower_link_is_followed(void **state)
{
	struct tarball tars[3] = { 0 };

	(void)state;
	tarball_dir(&tars[0], "usr");
	tarball_dir(&tars[0], "usr/bin");
	tarball_file(&tars[0], "usr/bin/sh", "shell");
	tarball_link(&tars[0], "bin", '2', "usr/bin");
	tarball_link(&tars[0], "abs", '2', "/usr/bin");
	tarball_file(&tars[1], "bin/tool", "tool");
	tarball_file(&tars[1], "abs/other", "other");
	tarball_dir(&tars[2], "bin"); /* an entry of its own replaces the link */
	tarball_file(&tars[2], "bin/last", "");
	expect(tars, 3,
	       "root 755 0:0\n"
	       "abs 120777 0:0 " T " -> /usr/bin\n"
	       "bin 40755 0:0 " T "\n"
	       "bin/last 100644 0:0 " T " 0=\n"
	       "usr 40755 0:0 " T "\n"
	       "usr/bin 40755 0:0 " T "\n"
	       "usr/bin/other 100644 0:0 " T " 5=other\n"
	       "usr/bin/sh 100644 0:0 " T " 5=shell\n"
	       "usr/bin/tool 100644 0:0 " T " 4=tool\n");
}

static void a_hard_link_to_a_lower_file_joins_both_names(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_dir(&tars[0], "d");
	tarball_add(&tars[0],
		    &(struct tar_head){
			    .name = "d/f", .mode = 0640, .uid = 7, .data = "lower", .size = 5 });
	tarball_dir(&tars[1], "d");
	tarball_link(&tars[1], "d/link", '1', "d/f");
	tarball_link(&tars[1], "d/more", '1', "d/link");
	expect(tars, 2,
	       "root 755 0:0\n"
	       "d 40755 0:0 " T "\n"
	       "d/f 100640 7:0 " T " x3 5=lower\n"
	       "d/link 100640 7:0 " T " x3 5=lower\n"
	       "d/more 100640 7:0 " T " x3 5=lower\n");
}

static void a_hard_link_to_nothing_is_refused(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_link(&tars[0], "l", '1', "missing");
	expect(tars, 1, "E:hard link to \"missing\"");
	memset(tars, 0, sizeof(tars));
	tarball_file(&tars[0], "f", "");
	tarball_link(&tars[1], "l", '1', "missing");
	expect(tars, 2, "E:layer 2 of 2");
}

static void links_to_folders_are_followed_inside_the_root(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	tarball_link(&tar, "etc", '2', "/../../real/../real");
	tarball_file(&tar, "etc/passwd", "inside");
	expect(&tar, 1,
	       "root 755 0:0\n"
	       "etc 120777 0:0 " T " -> /../../real/../real\n"
	       "real 40755 0:0 0\n"
	       "real/passwd 100644 0:0 " T " 6=inside\n");
}

static void attributes_that_steer_the_overlay_are_dropped(void **state)
{
	static const char *const names[] = { "trusted.overlay.opaque",   "trusted.overlay.metacopy",
					     "trusted.overlay.redirect", "user.overlay.opaque",
					     "security.selinux",         "trusted.other" };
	struct tarball tars[2] = { 0 };

	(void)state;
	tarball_dir(&tars[0], "d");
	tarball_file(&tars[0], "d/low", "seen");
	for (size_t i = 0; i < 6; i++) {
		AUTO(free) char *key = xformat("SCHILY.xattr.%s", names[i]);

		tarball_pax(&tars[1], key, "y");
		tarball_dir(&tars[1], "d");
	}
	expect(tars, 2,
	       "root 755 0:0\n"
	       "d 40755 0:0 " T "\n"
	       "d/low 100644 0:0 " T " 4=seen\n");
}

static void sparse_files_keep_their_content(void **state)
{
	struct tarball tar = { 0 }, records = { 0 };
	static const char *const maps[] = { "4096,512,8192,512", "100,3,1000,3" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		records = (struct tarball){ 0 };
		tarball_record(&records, "GNU.sparse.map", maps[i], strlen(maps[i]));
		tarball_record(&records, "GNU.sparse.size", "100000", 6);
		tarball_meta(&tar, 'x', records.bytes, records.len);
		free(records.bytes);
		records = (struct tarball){ 0 };
		if (i == 0)
			tarball_zeros(&records, 1024);
		else
			tarball_put(&records, "abcdef", 6);
		tarball_add(&tar, &(struct tar_head){ .name = i ? "odd" : "even",
						      .data = records.bytes,
						      .size = records.len });
		free(records.bytes);
	}
	{
		struct test_store test;
		char id[DIGEST_TEXT_MAX], buffer[2000];
		struct err err = ERR_NONE;

		for (size_t b = 0; b < 2; b++) {
			test_store_open(&test, backends[b]);
			if (test_image(test.store, &tar, 1, NULL, id, &err) < 0)
				fail_msg("%s", err.msg);
			AUTO(snapshot)
			struct snapshot *snapshot = snapshot_open(test.store, id, NULL, &err);
			AUTO(fd) int root = snapshot_mount(snapshot, &err);
			AUTO(fd) int odd = openat(root, "odd", O_RDONLY);
			struct stat st;

			assert_int_equal(fstat(odd, &st), 0);
			assert_int_equal(st.st_size, 100000);
			assert_int_equal(pread(odd, buffer, 2000, 0), 2000);
			assert_memory_equal(buffer + 100, "abc", 3);
			assert_memory_equal(buffer + 1000, "def", 3);
			assert_int_equal(buffer[99] | buffer[103] | buffer[999] | buffer[1003], 0);
			close(TAKE_FD(root));
			assert_int_equal(snapshot_sweep(test.store, NULL, &err), 0);
			test_store_close(&test);
		}
	}
	free(tar.bytes);
}

/* Random layers: both back-ends show the same, or refuse both. */
static void random_layers_look_alike_with_both_back_ends(void **state)
{
	static const char *const names[] = { "a",
					     "b",
					     "a/x",
					     "a/y",
					     "b/x",
					     "b/y",
					     "a/x/z",
					     "b/y/z",
					     "c",
					     "c/x",
					     "a/.wh.x",
					     ".wh.a",
					     "b/.wh..wh..opq",
					     ".wh.c" };
	static const char types[] = "000055512";
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct tarball tars[3] = { 0 };
		AUTO(free) char *first = NULL;
		AUTO(free) char *second = NULL;

		for (size_t layer = 0; layer < 3; layer++)
			for (int i = 0; i < 7; i++) {
				const char *name = names[rand_r(&seed) % 14];
				char type = types[rand_r(&seed) % 9];
				const char *link = names[rand_r(&seed) % 10];

				tarball_add(
					&tars[layer],
					&(struct tar_head){
						.name = name,
						.type = type,
						.link = type == '1' || type == '2' ? link : NULL,
						.uid = (unsigned)rand_r(&seed) % 5,
						.data = "content",
						.size = type == '0' ? (size_t)(rand_r(&seed) % 7)
								    : 0 });
			}
		first = merged(STORE_DIR, tars, 3);
		second = merged(STORE_EROFS, tars, 3);
		if (strcmp(first, second) != 0)
			fail_msg("round %d:\n%s\nand:\n%s", round, first, second);
		for (size_t layer = 0; layer < 3; layer++)
			free(tars[layer].bytes);
	}
}

static void many_layers_mount(void **state)
{
	struct tarball tars[127];
	struct err err = ERR_NONE;

	(void)state;
	for (size_t b = 0; b < 2; b++) {
		struct test_store test;
		char id[DIGEST_TEXT_MAX], name[32];

		test_store_open(&test, backends[b]);
		for (size_t i = 0; i < 127; i++) {
			tars[i] = (struct tarball){ 0 };
			snprintf(name, sizeof(name), "f%zu", i);
			tarball_file(&tars[i], name, name);
		}
		if (test_image(test.store, tars, 127, NULL, id, &err) < 0)
			fail_msg("%s", err.msg);
		AUTO(snapshot)
		struct snapshot *snapshot = snapshot_open(test.store, id, NULL, &err);
		assert_int_equal(snapshot->lower_count, 127);
		AUTO(fd) int root = snapshot_mount(snapshot, &err);
		if (root < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(faccessat(root, "f0", F_OK, 0), 0);
		assert_int_equal(faccessat(root, "f126", F_OK, 0), 0);
		close(TAKE_FD(root));
		assert_int_equal(snapshot_sweep(test.store, NULL, &err), 0);
		test_store_close(&test);
		for (size_t i = 0; i < 127; i++)
			free(tars[i].bytes);
	}
}

static void equal_layers_and_none_at_all_mount(void **state)
{
	struct tarball tars[3] = { 0 };

	(void)state;
	tarball_file(&tars[0], "f", "1");
	tarball_file(&tars[1], "g", "1");
	tarball_file(&tars[2], "f", "1");
	expect(tars, 3, "root 755 0:0\nf 100644 0:0 " T " 1=1\ng 100644 0:0 " T " 1=1\n");
	expect(tars, 0, "root 755 0:0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_layer_shows_what_it_holds),
		cmocka_unit_test(no_umask_changes_what_a_layer_holds),
		cmocka_unit_test(whiteouts_hide_lower_layers_only),
		cmocka_unit_test(whiteouts_in_a_folder_of_one_layer_do_not_show),
		cmocka_unit_test(an_opaque_root_hides_everything_below),
		cmocka_unit_test(a_parent_without_an_entry_looks_like_the_lower_one),
		cmocka_unit_test(a_parent_that_is_a_lower_link_is_followed),
		cmocka_unit_test(a_hard_link_to_a_lower_file_joins_both_names),
		cmocka_unit_test(a_hard_link_to_nothing_is_refused),
		cmocka_unit_test(later_entries_replace_earlier_ones),
		cmocka_unit_test(links_to_folders_are_followed_inside_the_root),
		cmocka_unit_test(attributes_that_steer_the_overlay_are_dropped),
		cmocka_unit_test(sparse_files_keep_their_content),
		cmocka_unit_test(random_layers_look_alike_with_both_back_ends),
		cmocka_unit_test(many_layers_mount),
		cmocka_unit_test(equal_layers_and_none_at_all_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/images/k_archive - mirrors images/archive_save, archive_export and archive_source: what
 * goes out is the same with both back-ends and comes in again. Root; namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "images/archive.h"
#include "images/snapshot.h"
#include "tests/images/layer_cases.h"

static const enum store_backend backends[] = { STORE_DIR, STORE_EROFS };

static void two_layers(struct tarball tars[2])
{
	tarball_add(&tars[0], &(struct tar_head){ .name = "./", .type = '5', .mode = 0711 });
	tarball_dir(&tars[0], "b");
	tarball_pax(&tars[0], "mtime", "-3.25");
	tarball_pax(&tars[0], "SCHILY.xattr.user.k", "v");
	tarball_file(&tars[0], "b/f", "content");
	tarball_link(&tars[0], "b/h", '1', "b/f");
	tarball_file(&tars[0], "gone", "x");
	tarball_file(&tars[1], "a", "above");
	tarball_file(&tars[1], ".wh.gone", "");
}

static void take(int fd, struct tarball *out)
{
	char buffer[65536];
	ssize_t n;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		tarball_put(out, buffer, (size_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

static void export(struct test_store *test, const char *id, struct tarball *out)
{
	AUTO(fd) int fd = open(test->dir, O_TMPFILE | O_RDWR, 0600);
	struct err err = ERR_NONE;

	if (archive_export(test->store, id, fd, &err) < 0)
		fail_msg("%s", err.msg);
	take(fd, out);
}

static void an_export_is_the_same_everywhere(void **state)
{
	struct tarball tars[2] = { 0 }, out[2] = { 0 }, again = { 0 };

	(void)state;
	two_layers(tars);
	for (size_t b = 0; b < 2; b++) {
		struct test_store test;
		struct archive_import how = { .name = "docker.io/library/i:1" };
		struct err err = ERR_NONE;
		char id[DIGEST_TEXT_MAX];
		AUTO(fd) int fd = -1;

		test_store_open(&test, backends[b]);
		assert_int_equal(test_image(test.store, tars, 2, NULL, id, &err), 0);
		export(&test, id, &out[b]);
		/* back in as an image of one layer, and out again */
		fd = open(test.dir, O_TMPFILE | O_RDWR, 0600);
		assert_int_equal(write(fd, out[b].bytes, out[b].len), out[b].len);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		if (archive_import(test.store, fd, &how, id, &err) < 0)
			fail_msg("%s", err.msg);
		again.len = 0;
		export(&test, id, &again);
		assert_int_equal(again.len, out[b].len);
		assert_memory_equal(again.bytes, out[b].bytes, again.len);
		assert_int_equal(snapshot_sweep(test.store, NULL, &err), 0);
		test_store_close(&test);
	}
	assert_int_equal(out[0].len, out[1].len);
	assert_memory_equal(out[0].bytes, out[1].bytes, out[0].len);
	assert_string_equal((const char *)out[0].bytes, "./"); /* the root first, with its mode */
	assert_memory_equal(out[0].bytes + 100, "0000711", 7);
	for (size_t i = 0; i < 2; i++) {
		free(tars[i].bytes);
		free(out[i].bytes);
	}
	free(again.bytes);
}

static void what_is_saved_loads_elsewhere(void **state)
{
	struct tarball tars[2] = { 0 };

	(void)state;
	two_layers(tars);
	for (size_t b = 0; b < 4; b++) {
		struct test_store from, to;
		struct err err = ERR_NONE;
		char id[DIGEST_TEXT_MAX];
		struct archive_item item = { .id = id, .name = "docker.io/library/s:1" };
		struct archive_loaded *loaded;
		size_t count;
		AUTO(fd) int fd = -1;

		test_store_open(&from, backends[b & 1]);
		test_store_open(&to, backends[b / 2]);
		assert_int_equal(test_image(from.store, tars, 2, NULL, id, &err), 0);
		fd = open(from.dir, O_TMPFILE | O_RDWR, 0600);
		if (archive_save(from.store, &item, 1, b & 1 ? ARCHIVE_OCI : 0, fd, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		if (archive_load(to.store, fd, &loaded, &count, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(count, 1);
		assert_string_equal(loaded[0].id, id);
		assert_string_equal(loaded[0].name, "docker.io/library/s:1");
		archive_loaded_free(loaded, count);
		test_store_close(&from);
		test_store_close(&to);
	}
	free(tars[0].bytes);
	free(tars[1].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_export_is_the_same_everywhere),
		cmocka_unit_test(what_is_saved_loads_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/images/k_hostile - every image of tests/hostile-images is refused with one line that names
 * the fault, or stays inside; nothing is left in the store, nothing outside is touched. Root;
 * namespaces of its own.
 *
 * HOSTILE_OUT=FOLDER writes the archives there instead, as NAME.tar: for `stack image load` and
 * other tools.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

#include "images/archive.h"
#include "images/snapshot.h"
#include "tests/hostile-images/archives.h"
#include "tests/hostile-images/layers.h"
#include "tests/images/layer_cases.h"

#define LAYER_LIMIT (16u << 20)

static const enum store_backend backends[] = { STORE_DIR, STORE_EROFS };
static const char *const folders[] = { "layers", "chains",  "records", "names",        "tmp",
				       "trash",  "partial", "leases",  "blobs/sha256", "digests" };

static void open_store(struct test_store *test, enum store_backend backend, char canary[100])
{
	struct err err = ERR_NONE;
	AUTO(fd) int fd = -1;
	AUTO(free) char *file = NULL;

	test_store_open(test, backend);
	store_close(test->store);
	test->options.max_layer_bytes = LAYER_LIMIT;
	test->store = store_open(&test->options, &err);
	assert_non_null(test->store);
	snprintf(canary, 100, "%s/canary", test->dir);
	assert_int_equal(mkdir(canary, 0700), 0);
	file = xformat("%s/file", canary);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "alive", 5), 5);
}

static void check_canary(const char *name, const char *canary)
{
	AUTO(free) char *path = xformat("%s/file", canary);
	AUTO(fd) int fd = open(path, O_RDONLY);
	char text[8] = "";
	struct stat st, folder;

	if (fd < 0 || read(fd, text, sizeof(text)) != 5 || strcmp(text, "alive") != 0 ||
	    fstat(fd, &st) < 0 || st.st_nlink != 1 || st.st_mode != (S_IFREG | 0600) ||
	    stat(canary, &folder) < 0 || folder.st_mode != (S_IFDIR | 0700) || folder.st_nlink != 2)
		fail_msg("%s: the folder outside has changed", name);
}

static void check_empty(const char *name, const struct test_store *test)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (test_count(test, folders[i]) != 0)
			fail_msg("%s: %s is not empty", name, folders[i]);
}

static int load(struct test_store *test, const struct tarball *archive, struct err *err)
{
	AUTO(fd) int fd = open(test->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct archive_loaded *loaded;
	size_t count;
	int rc;

	assert_int_equal(write(fd, archive->bytes, archive->len), archive->len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	rc = archive_load(test->store, fd, &loaded, &count, err);
	archive_loaded_free(loaded, count);
	return rc;
}

static void expect_refused(const char *name, struct test_store *test, const struct tarball *archive,
			   const char *refusal)
{
	struct err err = ERR_NONE;

	if (load(test, archive, &err) == 0)
		fail_msg("%s was taken", name);
	if (!strstr(err.msg, refusal) || strchr(err.msg, '\n') || strchr(err.msg, '\x1b'))
		fail_msg("%s: \"%s\", wanted \"%s\"", name, err.msg, refusal);
	if (err.code != ERR_INVALID && err.code != ERR_UNSUPPORTED && err.code != ERR_NOT_FOUND)
		fail_msg("%s: code %s", name, err_code_name(err.code));
	check_empty(name, test);
}

/* It is taken and can be mounted; then all of it goes. */
static void expect_contained(const char *name, struct test_store *test,
			     const struct tarball *archive)
{
	struct err err = ERR_NONE;
	char id[DIGEST_TEXT_MAX];

	if (load(test, archive, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	if (store_resolve(test->store, "hostile:1", id, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	{
		AUTO(snapshot)
		struct snapshot *snapshot = snapshot_open(test->store, id, NULL, &err);
		AUTO(fd) int root = snapshot ? snapshot_mount(snapshot, &err) : -1;

		if (root < 0)
			fail_msg("%s: %s", name, err.msg);
	}
	assert_int_equal(snapshot_sweep(test->store, NULL, &err), 0);
}

static void hostile_layers_are_refused_or_stay_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTILE_LAYER_COUNT * 4; i++) {
		const struct hostile_layer *row = &hostile_layers[i / 4];
		struct tarball layer = { 0 }, archive = { 0 };
		struct test_store test;
		char canary[100];

		open_store(&test, backends[i & 1], canary);
		row->build(&layer, canary);
		if (i & 2)
			hostile_layout(&archive, &(struct layout){ .layer = &layer });
		else
			hostile_docker(&archive, &layer, NULL, NULL);
		if (row->refusal)
			expect_refused(row->name, &test, &archive, row->refusal);
		else
			expect_contained(row->name, &test, &archive);
		check_canary(row->name, canary);
		free(layer.bytes);
		free(archive.bytes);
		test_store_close(&test);
	}
}

static void hostile_archives_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTILE_ARCHIVE_COUNT * 2; i++) {
		const struct hostile_archive *row = &hostile_archives[i / 2];
		struct tarball archive = { 0 };
		struct test_store test;
		char canary[100];

		open_store(&test, backends[i & 1], canary);
		hostile_archive_build(row, &archive);
		expect_refused(row->name, &test, &archive, row->refusal);
		check_canary(row->name, canary);
		free(archive.bytes);
		test_store_close(&test);
	}
}

/* A refused archive takes nothing away that was there before. */
static void a_refusal_leaves_other_images_alone(void **state)
{
	struct tarball layer = { 0 }, good = { 0 }, bad = { 0 };
	struct test_store test;
	struct err err = ERR_NONE;
	char canary[100], id[DIGEST_TEXT_MAX];

	(void)state;
	open_store(&test, STORE_AUTO, canary);
	tarball_file(&layer, "file", "content");
	tarball_end(&layer);
	hostile_docker(&good, &layer, NULL, NULL);
	assert_int_equal(load(&test, &good, &err), 0);
	hostile_layout(&bad, &(struct layout){ .layer = &layer, .diff_id = SOME_DIGEST });
	assert_int_equal(load(&test, &bad, &err), -1);
	err = ERR_NONE;
	assert_int_equal(store_resolve(test.store, "hostile:1", id, &err), 0);
	{
		AUTO(snapshot)
		struct snapshot *snapshot = snapshot_open(test.store, id, NULL, &err);

		if (!snapshot)
			fail_msg("%s", err.msg);
	}
	assert_int_equal(snapshot_sweep(test.store, NULL, &err), 0);
	test_store_close(&test);
	free(layer.bytes);
	free(good.bytes);
	free(bad.bytes);
}

static void write_out(const char *folder, const char *name, const struct tarball *archive)
{
	AUTO(free) char *path = xformat("%s/%s.tar", folder, name);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, archive->bytes, archive->len) != (ssize_t)archive->len)
		abort();
}

/* Rows that are to be refused only: who loads them expects a failure of every file. */
static int generate(const char *folder)
{
	for (size_t i = 0; i < HOSTILE_LAYER_COUNT; i++) {
		struct tarball layer = { 0 }, archive = { 0 };

		if (!hostile_layers[i].refusal || strstr(hostile_layers[i].refusal, "limit"))
			continue;
		hostile_layers[i].build(&layer, "/nonexistent");
		hostile_docker(&archive, &layer, NULL, NULL);
		write_out(folder, hostile_layers[i].name, &archive);
		free(layer.bytes);
		free(archive.bytes);
	}
	for (size_t i = 0; i < HOSTILE_ARCHIVE_COUNT; i++) {
		struct tarball archive = { 0 };

		hostile_archive_build(&hostile_archives[i], &archive);
		write_out(folder, hostile_archives[i].name, &archive);
		free(archive.bytes);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_layers_are_refused_or_stay_inside),
		cmocka_unit_test(hostile_archives_are_refused),
		cmocka_unit_test(a_refusal_leaves_other_images_alone),
	};

	if (getenv("HOSTILE_OUT"))
		return generate(getenv("HOSTILE_OUT"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

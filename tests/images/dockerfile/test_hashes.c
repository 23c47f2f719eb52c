/* tests/images/dockerfile/test_hashes - mirrors images/dockerfile/hashes: which digests are kept,
 * and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tree.h"
#include "images/dockerfile/hashes.h"

#include <fcntl.h>

#define NOW 1700000000000000000ull

static char folder[] = "/tmp/stack-hashes.XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	AUTO(fd) int tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	struct err err = ERR_NONE;
	int rc = tree_remove(tmp, strrchr(folder, '/') + 1, &err);

	(void)state;
	strcpy(folder, "/tmp/stack-hashes.XXXXXX");
	return rc;
}

static struct stat file(uint64_t inode, int64_t ctime_s)
{
	return (struct stat){
		.st_dev = 1,
		.st_ino = inode,
		.st_size = 10,
		.st_mtim = {.tv_sec = 5,        .tv_nsec = 6},
		.st_ctim = { .tv_sec = ctime_s, .tv_nsec = 7}
	};
}

static void digest_for(uint64_t inode, uint8_t out[HASHES_BYTES])
{
	memset(out, (int)(inode & 0xff), HASHES_BYTES);
}

static void add(struct df_hashes *hashes, const struct stat *st)
{
	uint8_t digest[HASHES_BYTES];

	digest_for(st->st_ino, digest);
	df_hashes_add(hashes, st, NOW, digest, st->st_ino % 2);
}

static bool knows(struct df_hashes *hashes, const struct stat *st)
{
	uint8_t digest[HASHES_BYTES], wanted[HASHES_BYTES];
	bool has_xattrs;

	if (!df_hashes_find(hashes, st, digest, &has_xattrs))
		return false;
	digest_for(st->st_ino, wanted);
	assert_memory_equal(digest, wanted, HASHES_BYTES);
	assert_int_equal(has_xattrs, st->st_ino % 2);
	return true;
}

static void what_was_hashed_is_known_in_the_next_build(void **state)
{
	struct df_hashes *hashes = df_hashes_open(folder, "context");

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++) {
		struct stat st = file(i, 1000);

		assert_false(knows(hashes, &st));
		add(hashes, &st);
		assert_true(knows(hashes, &st));
	}
	df_hashes_close(hashes);
	hashes = df_hashes_open(folder, "context");
	for (uint64_t i = 1; i <= 5000; i++) {
		struct stat st = file(i, 1000);

		assert_true(knows(hashes, &st));
	}
	df_hashes_close(hashes);
	hashes = df_hashes_open(folder, "another context");
	{
		struct stat st = file(1, 1000);

		assert_false(knows(hashes, &st));
	}
	df_hashes_close(hashes);
}

static void any_change_of_stat_is_another_file(void **state)
{
	struct df_hashes *hashes = df_hashes_open(NULL, "x");
	struct stat st = file(1, 1000), other;

	(void)state;
	add(hashes, &st);
	other = st;
	other.st_size++;
	assert_false(knows(hashes, &other));
	other = st;
	other.st_mtim.tv_nsec++;
	assert_false(knows(hashes, &other));
	other = st;
	other.st_ctim.tv_nsec++;
	assert_false(knows(hashes, &other));
	other = st;
	other.st_dev++;
	assert_false(knows(hashes, &other));
	other = st;
	other.st_mode = 0100600; /* a change of mode changes ctime, too; alone it says nothing */
	assert_true(knows(hashes, &other));
	df_hashes_close(hashes);
}

static void what_is_young_is_not_kept(void **state)
{
	static const struct {
		int64_t ctime_s;
		bool kept;
	} rows[] = {
		{1700000000,  false},
                { 1699999999, false},
                { 1699999997, true },
		{ 1700000001, false},
                { 1800000000, false},
                { 0,          true },
	};
	struct df_hashes *hashes = df_hashes_open(NULL, "x");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stat st = file(100 + i, rows[i].ctime_s);

		add(hashes, &st);
		assert_int_equal(knows(hashes, &st), rows[i].kept);
	}
	df_hashes_close(hashes);
}

static void what_nobody_asks_for_is_dropped_in_time(void **state)
{
	struct stat old = file(1, 1000), used = file(2, 1000);
	struct df_hashes *hashes = df_hashes_open(folder, "x");

	(void)state;
	add(hashes, &old);
	add(hashes, &used);
	df_hashes_close(hashes);
	for (uint64_t i = 0; i < HASHES_UNUSED + 1; i++) {
		struct stat more = file(1000 + i, 1000);

		hashes = df_hashes_open(folder, "x");
		assert_true(knows(hashes, &used));
		add(hashes, &more); /* something to write */
		df_hashes_close(hashes);
	}
	hashes = df_hashes_open(folder, "x");
	assert_true(knows(hashes, &used));
	assert_false(knows(hashes, &old));
	df_hashes_close(hashes);
}

/* Any byte of the file may be wrong: then nothing of it is believed. */
static void a_damaged_file_counts_as_none(void **state)
{
	struct stat st = file(7, 1000);
	struct df_hashes *hashes = df_hashes_open(folder, "x");
	char command[200], path[200];
	FILE *stream;
	long size;

	(void)state;
	add(hashes, &st);
	df_hashes_close(hashes);
	snprintf(command, sizeof(command), "mv %s/* %s/good", folder, folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/good", folder);
	stream = fopen(path, "r");
	fseek(stream, 0, SEEK_END);
	size = ftell(stream);
	fclose(stream);
	hashes = df_hashes_open(folder, "x");
	add(hashes, &st);
	df_hashes_close(hashes);
	for (long at = 0; at < size; at += 7) {
		snprintf(command, sizeof(command),
			 "cd %s && for f in [0-9a-f]*; do [ $f = good ] || { cp good $f; printf "
			 "'\\377' | "
			 "dd of=$f bs=1 seek=%ld conv=notrunc status=none; }; done",
			 folder, at);
		assert_int_equal(system(command), 0);
		hashes = df_hashes_open(folder, "x");
		if (knows(hashes, &st)) /* behind the end of the digest's text */
			assert_true(at >= 16 && at < 160);
		df_hashes_close(hashes);
	}
	for (long cut = 0; cut < size; cut += 31) {
		snprintf(command, sizeof(command),
			 "cd %s && for f in [0-9a-f]*; do [ $f = good ] || head -c %ld good > $f; "
			 "done",
			 folder, cut);
		assert_int_equal(system(command), 0);
		hashes = df_hashes_open(folder, "x");
		assert_false(knows(hashes, &st));
		df_hashes_close(hashes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_hashed_is_known_in_the_next_build,
						make_folder, drop_folder),
		cmocka_unit_test(any_change_of_stat_is_another_file),
		cmocka_unit_test(what_is_young_is_not_kept),
		cmocka_unit_test_setup_teardown(what_nobody_asks_for_is_dropped_in_time,
						make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(a_damaged_file_counts_as_none, make_folder,
						drop_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

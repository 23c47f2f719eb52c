/* tests/images/k_space - mirrors images/space: what does not fit is known before it is fetched.
 * Root; a small tmpfs in a mount namespace of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "images/store_internal.h"
#include "tests/images/layer_cases.h"

#define MIB  (1ull << 20)
#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define TAR  "application/vnd.oci.image.layer.v1.tar"

static char diff_ids[4][DIGEST_TEXT_MAX], digests[4][DIGEST_TEXT_MAX];

static void open_small(struct test_store *test, unsigned flags)
{
	struct err err = ERR_NONE;

	test_store_open(test, STORE_DIR);
	store_close(test->store);
	assert_int_equal(mount("tmpfs", test->root, "tmpfs", 0, "size=16m,mode=700"), 0);
	test->options.min_free_bytes = 2 * MIB;
	test->options.flags = flags;
	test->store = store_open(&test->options, &err);
	assert_non_null(test->store);
}

static void close_small(struct test_store *test)
{
	store_close(test->store);
	test->store = NULL;
	assert_int_equal(umount2(test->root, MNT_DETACH), 0);
	test_store_close(test);
}

static struct image_layer row(size_t number, const char *type, uint64_t bytes)
{
	return (struct image_layer){ .diff_id = diff_ids[number],
				     .digest = digests[number],
				     .media_type = (char *)(uintptr_t)type,
				     .size_bytes = bytes };
}

/* 16 MiB less what the store's own folders take, 2 MiB kept free. */
static void sums_of_packed_sizes_must_fit(void **state)
{
	/* clang-format off */
	static const struct { enum store_backend backend; unsigned flags; const char *types[2]; uint64_t mib[2]; bool fits; } rows[] = {
		{ STORE_EROFS, 0,                { GZIP, GZIP }, { 8, 5 },      true },
		{ STORE_EROFS, 0,                { GZIP, ZSTD }, { 8, 7 },      false },
		{ STORE_EROFS, STORE_KEEP_BLOBS, { GZIP, GZIP }, { 3, 3 },      true },
		{ STORE_EROFS, STORE_KEEP_BLOBS, { GZIP, GZIP }, { 4, 4 },      false },
		{ STORE_DIR,   0,                { GZIP, GZIP }, { 3, 3 },      true },
		{ STORE_DIR,   0,                { GZIP, GZIP }, { 4, 4 },      false },
		{ STORE_DIR,   0,                { TAR, TAR },   { 400, 400 },  true }, /* may be zeros */
		{ STORE_DIR,   0,                { TAR, GZIP },  { 400, 20 },   false },
		{ STORE_DIR,   0,                { NULL, "" },   { 400, 400 },  true },
		{ STORE_EROFS, 0,                { GZIP, GZIP }, { 1ull << 32, 1ull << 32 }, false },
	};
	/* clang-format on */
	struct test_store test;

	(void)state;
	open_small(&test, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct image_layer layers[] = {
			row(0, rows[i].types[0], rows[i].mib[0] * MIB),
			row(1, rows[i].types[1], rows[i].mib[1] * MIB),
		};
		struct err err = ERR_NONE;
		uint64_t bytes = 0;

		test.store->backend = rows[i].backend; /* what would be written is not */
		test.store->flags = rows[i].flags;
		if ((store_check_fit(test.store, layers, 2, &bytes, &err) == 0) != rows[i].fits)
			fail_msg("row %zu: %s", i, err.msg);
		assert_int_equal(bytes, (rows[i].mib[0] + rows[i].mib[1]) * MIB);
		if (rows[i].fits)
			continue;
		assert_int_equal(err.code, ERR_NO_SPACE);
		assert_non_null(strstr(err.msg, test.root));
		assert_non_null(strstr(err.msg, "2.0 MiB are kept free"));
	}
	close_small(&test);
}

static void what_is_here_or_half_here_is_not_asked_for_twice(void **state)
{
	struct test_store test;
	struct tarball tar = { 0 };
	struct image_layer layers[] = { row(0, GZIP, 12 * MIB), row(0, GZIP, 12 * MIB) };
	struct err err = ERR_NONE;
	char id[DIGEST_TEXT_MAX], part[STORE_KEY_MAX], key[STORE_KEY_MAX];
	AUTO(free) char *zeros = calloc(1, 4 * MIB);
	uint64_t bytes;

	(void)state;
	open_small(&test, 0);
	test.store->backend = STORE_EROFS;
	assert_int_equal(store_check_fit(test.store, layers, 2, &bytes, &err), 0);
	assert_int_equal(bytes, 12 * MIB);
	/* 4 MiB of a part leave 12, which are enough for what begins with these four. */
	snprintf(part, sizeof(part), "%s.part", store_key(digests[0], key));
	{
		AUTO(fd)
		int fd = openat(test.store->partial_fd, part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_int_equal(write(fd, zeros, 4 * MIB), 4 * MIB);
	}
	assert_int_equal(store_check_fit(test.store, layers, 2, &bytes, &err), 0);
	layers[1] = row(1, GZIP, 12 * MIB);
	assert_int_equal(store_check_fit(test.store, layers + 1, 1, &bytes, &err), -1);
	assert_int_equal(unlinkat(test.store->partial_fd, part, 0), 0);
	/* A layer that is here needs nothing, whatever its size is said to be. */
	test.store->backend = STORE_DIR;
	err = ERR_NONE;
	tarball_dir(&tar, "d");
	tarball_end(&tar);
	assert_int_equal(test_image(test.store, &tar, 1, "docker.io/library/t:1", id, &err), 0);
	test_digest(&tar, diff_ids[3]);
	layers[0] = row(3, GZIP, 4096 * MIB);
	assert_int_equal(store_check_fit(test.store, layers, 1, &bytes, &err), 0);
	assert_int_equal(bytes, 0);
	free(tar.bytes);
	close_small(&test);
}

static void a_full_file_system_says_what_it_lacks(void **state)
{
	struct test_store test;
	struct err err = ERR_NONE;

	(void)state;
	open_small(&test, 0);
	assert_int_equal(store_no_space(test.store, &err), -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "MiB are left on the file system of"));
	test.store->min_free_bytes = 1ull << 40;
	assert_int_equal(store_check_space(test.store, &err), -1);
	assert_non_null(strstr(err.msg, "1048576.0 MiB of them are kept free"));
	assert_int_equal(mount("tmpfs", test.root, "tmpfs", MS_REMOUNT, "nr_inodes=1"), -1);
	assert_int_equal(mount("tmpfs", test.root, "tmpfs", MS_REMOUNT, "nr_inodes=40"), 0);
	for (int i = 0; i < 40; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "x%d", i);
		fd = openat(test.store->tmp_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	assert_int_equal(store_no_space(test.store, &err), -1);
	assert_non_null(strstr(err.msg, "no inode left"));
	close_small(&test);
}

static int set_up_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		digest_of(&i, sizeof(i), diff_ids[i]);
		digest_of(diff_ids[i], 10, digests[i]);
	}
	digest_of("one", 3, digests[0]);
	digest_of("two", 3, digests[1]);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_of_packed_sizes_must_fit),
		cmocka_unit_test(what_is_here_or_half_here_is_not_asked_for_twice),
		cmocka_unit_test(a_full_file_system_says_what_it_lacks),
	};

	return cmocka_run_group_tests(tests, set_up_all, NULL);
}

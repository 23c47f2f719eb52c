/* tests/images/k_large - mirrors images/layer_write: a layer that is too large for the page cache,
 * one that is small beside another. Root; runs where the tests' folder is on a disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "images/maintain.h"
#include "images/store_internal.h"
#include "tests/images/layer_cases.h"

#define MIB       (1u << 20)
#define PAGE      4096u
#define BIG_BYTES (48u * MIB + 12345)
#define ZERO_FROM (40u * MIB)
#define ZERO_LEN  (4u * MIB)

/* 48 MiB and a bit of noise with a stretch of zeros in it, then a small file. */
static void make_tar(struct tarball *tar)
{
	char *noise = malloc(BIG_BYTES);
	uint64_t seed = 88172645463325252ull;

	for (size_t i = 0; i < BIG_BYTES; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		noise[i] = (char)seed;
	}
	memset(noise + ZERO_FROM, 0, ZERO_LEN);
	tarball_dir(tar, "d");
	tarball_add(tar, &(struct tar_head){ .name = "d/big", .data = noise, .size = BIG_BYTES });
	tarball_add(tar, &(struct tar_head){ .name = "d/end", .data = "end\n", .size = 4 });
	tarball_end(tar);
	free(noise);
}

static int open_data_tar(struct test_store *test, const struct tarball *tar)
{
	char diff_id[DIGEST_TEXT_MAX], key[STORE_KEY_MAX];
	AUTO(free) char *path = NULL;
	int fd;

	test_digest(tar, diff_id);
	path = xformat("%s/data.tar", store_key(diff_id, key));
	fd = openat(test->store->layers_fd, path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* How many pages of a range of the file are in memory. */
static size_t resident(int fd, size_t from, size_t len)
{
	size_t pages = len / PAGE, count = 0;
	unsigned char *map = calloc(pages, 1);
	void *at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)from);

	assert_true(at != MAP_FAILED);
	assert_int_equal(mincore(at, len, map), 0);
	for (size_t i = 0; i < pages; i++)
		count += map[i] & 1;
	munmap(at, len);
	free(map);
	return count;
}

static bool has_direct_io(const struct test_store *test)
{
	AUTO(free) char *path = xformat("%s/probe", test->dir);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	AUTO(free) void *page = aligned_alloc(PAGE, PAGE);
	bool works;

	memset(page, 0, PAGE);
	works = fd >= 0 && write(fd, page, PAGE) == PAGE;
	unlink(path);
	return works;
}

static void pull_large(struct test_store *test, struct tarball *tar, unsigned flags,
		       bool *out_direct)
{
	struct err err = ERR_NONE;
	char id[DIGEST_TEXT_MAX];

	test_store_open(test, STORE_AUTO);
	if (store_backend(test->store) != STORE_EROFS) {
		test_store_close(test);
		skip();
	}
	*out_direct = has_direct_io(test);
	test->store->flags = flags;
	make_tar(tar);
	if (test_image(test->store, tar, 1, "docker.io/library/t:1", id, &err) < 0)
		fail_msg("%s", err.msg);
}

static void must_be_as_it_came(struct test_store *test, const struct tarball *tar, int fd)
{
	char *kept = malloc(tar->len);
	struct err err = ERR_NONE;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, tar->len);
	assert_true((uint64_t)st.st_blocks * 512 < tar->len - ZERO_LEN / 2); /* a hole */
	assert_int_equal(pread(fd, kept, tar->len, 0), tar->len);
	assert_memory_equal(kept, tar->bytes, tar->len);
	assert_int_equal(maintain_check(test->store, NULL, 0, NULL, NULL, &err), 0);
	free(kept);
}

static void behind_its_first_part_a_large_layer_is_not_kept_in_memory(void **state)
{
	struct test_store test;
	struct tarball tar = { 0 };
	bool direct;
	int fd;

	(void)state;
	pull_large(&test, &tar, 0, &direct);
	fd = open_data_tar(&test, &tar);
	if (direct) {
		assert_int_equal(resident(fd, 33 * MIB, 6 * MIB), 0);
		assert_true(resident(fd, 0, 8 * MIB) > 0);
	}
	must_be_as_it_came(&test, &tar, fd);
	close(fd);
	free(tar.bytes);
	test_store_close(&test);
}

static void without_a_sync_all_of_it_is(void **state)
{
	struct test_store test;
	struct tarball tar = { 0 };
	bool direct;
	int fd;

	(void)state;
	pull_large(&test, &tar, STORE_NO_SYNC, &direct);
	fd = open_data_tar(&test, &tar);
	assert_true(resident(fd, 33 * MIB, 6 * MIB) > 0);
	must_be_as_it_came(&test, &tar, fd);
	close(fd);
	free(tar.bytes);
	test_store_close(&test);
}

/* Threads of this process with that nice value. */
static unsigned threads_of(int nice)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			count += getpriority(PRIO_PROCESS, (id_t)atoi(entry->d_name)) == nice;
	closedir(dir);
	return count;
}

static void a_layer_after_others_is_nicer_in_all_its_threads(void **state)
{
	struct test_store test;
	struct err err = ERR_NONE;
	struct layer *layer;
	const struct layer_spec spec = { .size_bytes = -1, .flags = LAYER_AFTER_OTHERS };
	struct lease *lease;
	unsigned before;

	(void)state;
	test_store_open(&test, STORE_AUTO);
	lease = lease_begin(test.store, &err);
	before = threads_of(5);
	assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
	for (int i = 0; i < 3000 && threads_of(5) < before + 3; i++)
		usleep(10000);
	assert_true(threads_of(5) >=
		    before + 3); /* feeder, keeper, maker; a writer where a tar is kept */
	layer_abort(layer);
	lease_end(lease, 0);
	test_store_close(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_its_first_part_a_large_layer_is_not_kept_in_memory),
		cmocka_unit_test(without_a_sync_all_of_it_is),
		cmocka_unit_test(a_layer_after_others_is_nicer_in_all_its_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

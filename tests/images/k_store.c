/* tests/images/k_store - layers that are interrupted, shared, torn or too large; crashes at every
 * named place; a full disk. Root; namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <zlib.h>

#include "images/archive.h"
#include "images/maintain.h"
#include "images/snapshot.h"
#include "tests/images/layer_cases.h"

static const enum store_backend backends[] = { STORE_DIR, STORE_EROFS };

/* A tar with one file of `size` bytes of noise, and its gzip form. */
static void make_layer(struct tarball *tar, struct tarball *gz, size_t size, unsigned seed)
{
	char *noise = malloc(size + 1);
	uLongf len = compressBound(size + 4096) + 64;
	z_stream stream = { 0 };

	for (size_t i = 0; i < size; i++)
		noise[i] = (char)rand_r(&seed);
	tarball_dir(tar, "d");
	tarball_add(tar, &(struct tar_head){ .name = "d/noise", .data = noise, .size = size });
	tarball_end(tar);
	free(noise);
	if (!gz)
		return;
	gz->bytes = malloc(len);
	gz->room = len;
	assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, 0), Z_OK);
	stream.next_in = tar->bytes;
	stream.avail_in = (unsigned)tar->len;
	stream.next_out = gz->bytes;
	stream.avail_out = (unsigned)len;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	gz->len = len - stream.avail_out;
	deflateEnd(&stream);
}

static struct layer_spec spec_of(const struct tarball *gz, char digest[DIGEST_TEXT_MAX],
				 const struct tarball *tar, char diff_id[DIGEST_TEXT_MAX])
{
	test_digest(gz, digest);
	test_digest(tar, diff_id);
	return (struct layer_spec){ .digest = digest,
				    .size_bytes = (int64_t)gz->len,
				    .diff_id = diff_id };
}

static void an_interrupted_layer_goes_on_where_it_was(void **state)
{
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX];

	(void)state;
	for (size_t b = 0; b < 2; b++) {
		struct tarball tar = { 0 }, gz = { 0 };
		struct test_store test;
		struct err err = ERR_NONE;
		struct layer_result result;
		struct layer *layer;
		struct lease *lease;
		struct layer_spec spec;

		make_layer(&tar, &gz, 3000000, 1);
		spec = spec_of(&gz, digest, &tar, diff_id);
		test_store_open(&test, backends[b]);
		lease = lease_begin(test.store, &err);
		assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
		assert_int_equal(layer_offset(layer), 0);
		assert_int_equal(layer_write(layer, gz.bytes, 1000000, &err), 0);
		layer_abort(layer);
		lease_end(lease, 0);
		assert_int_equal(test_count(&test, "tmp"), 0);
		assert_int_equal(test_count(&test, "partial"), 1);
		lease = lease_begin(test.store, &err);
		assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
		assert_int_equal(layer_offset(layer), 1000000);
		assert_int_equal(layer_write(layer, gz.bytes + 1000000, gz.len - 1000000, &err), 0);
		if (layer_finish(layer, &result, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(result.diff_id, diff_id);
		assert_string_equal(result.digest, digest);
		assert_int_equal(result.entry_count, 2);
		assert_int_equal(test_count(&test, "partial"), 0);
		assert_true(store_has_layer(test.store, diff_id));
		assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
		assert_null(layer);
		lease_end(lease, 0);
		test_store_close(&test);
		free(tar.bytes);
		free(gz.bytes);
	}
}

static void a_part_that_is_not_what_it_says_goes(void **state)
{
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX];
	struct tarball tar = { 0 }, gz = { 0 };
	struct test_store test;
	struct err err = ERR_NONE;
	struct layer *layer;
	struct lease *lease;
	struct layer_spec spec;

	(void)state;
	make_layer(&tar, &gz, 500000, 2);
	spec = spec_of(&gz, digest, &tar, diff_id);
	test_store_open(&test, STORE_AUTO);
	lease = lease_begin(test.store, &err);
	assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
	gz.bytes[100000] ^= 1;
	assert_int_equal(layer_write(layer, gz.bytes, 200000, &err), 0);
	layer_abort(layer);
	gz.bytes[100000] ^= 1;
	/* The bad byte may have been noticed already; then the part is gone. */
	assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
	if (layer_offset(layer) > 0) {
		size_t at = (size_t)layer_offset(layer);

		layer_write(layer, gz.bytes + at, gz.len - at, &err);
		err = ERR_NONE;
		assert_int_equal(layer_finish(layer, NULL, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_int_equal(test_count(&test, "partial"), 0);
		err = ERR_NONE;
		assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
		assert_int_equal(layer_offset(layer), 0);
	}
	assert_int_equal(layer_write(layer, gz.bytes, gz.len, &err), 0);
	assert_int_equal(layer_finish(layer, NULL, &err), 0);
	lease_end(lease, 0);
	test_store_close(&test);
	free(tar.bytes);
	free(gz.bytes);
}

static void lies_about_a_layer_are_named(void **state)
{
	static const char other[] =
		"sha256:1111111111111111111111111111111111111111111111111111111111111111";
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX];
	struct tarball tar = { 0 }, gz = { 0 };
	struct test_store test;
	struct layer_spec good;

	(void)state;
	make_layer(&tar, &gz, 100000, 3);
	good = spec_of(&gz, digest, &tar, diff_id);
	test_store_open(&test, STORE_AUTO);
	for (int i = 0; i < 4; i++) {
		static const char *const errors[] = { "digest is", "diff-id is", "larger than its",
						      "blob has" };
		struct err err = ERR_NONE;
		struct lease *lease = lease_begin(test.store, &err);
		struct layer_spec spec = good;
		struct layer_result result;

		spec.number = 3;
		spec.total = 7;
		if (i == 0)
			spec.digest = other;
		else if (i == 1)
			spec.diff_id = other;
		else
			spec.size_bytes += i == 2 ? -1 : 1;
		assert_int_equal(test_feed(lease, &gz, &spec, &result, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!strstr(err.msg, errors[i]) ||
		    strncmp(err.msg, "layer 3 of 7 (sha256:", 21) != 0)
			fail_msg("%s", err.msg);
		lease_end(lease, LEASE_DROP);
		assert_int_equal(test_count(&test, "layers"), 0);
		assert_int_equal(test_count(&test, "partial"), 0);
		assert_int_equal(test_count(&test, "tmp"), 0);
	}
	test_store_close(&test);
	free(tar.bytes);
	free(gz.bytes);
}

/* The other process: begins when told, says so, waits in layer_open, then finds the layer. */
static int second_process(const struct store_options *options, struct layer_spec *spec, int from,
			  int to)
{
	struct err err = ERR_NONE;
	struct store *store = store_open(options, &err);
	struct lease *lease = store ? lease_begin(store, &err) : NULL;
	struct layer *layer = NULL;
	char byte;

	if (!lease || read(from, &byte, 1) != 1)
		return 1;
	spec->flags = LAYER_NO_WAIT;
	if (layer_open(lease, spec, &layer, &err) == 0 || err.code != ERR_BUSY)
		return 2;
	spec->flags = 0;
	if (write(to, "r", 1) != 1 || layer_open(lease, spec, &layer, &err) < 0)
		return 3;
	return layer ? 4 : 0;
}

static void two_processes_load_a_layer_once(void **state)
{
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX], byte;
	struct tarball tar = { 0 }, gz = { 0 };
	struct test_store test;
	struct err err = ERR_NONE;
	struct layer *layer;
	struct lease *lease;
	struct layer_spec spec;
	int status, go[2], ready[2];
	pid_t child;

	(void)state;
	make_layer(&tar, &gz, 500000, 4);
	spec = spec_of(&gz, digest, &tar, diff_id);
	test_store_open(&test, STORE_AUTO);
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(second_process(&test.options, &spec, go[0], ready[1]));
	lease = lease_begin(test.store, &err);
	assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(layer_write(layer, gz.bytes, gz.len, &err), 0);
	assert_int_equal(layer_finish(layer, NULL, &err), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	lease_end(lease, 0);
	test_store_close(&test);
	free(tar.bytes);
	free(gz.bytes);
}

static void woken(void *ctx)
{
	char byte = 'w';

	if (write(*(int *)ctx, &byte, 1) != 1)
		abort();
}

static void a_full_queue_says_when_there_is_room(void **state)
{
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX], byte;
	struct tarball tar = { 0 }, gz = { 0 };
	struct test_store test;
	struct err err = ERR_NONE;
	struct layer *layer;
	struct lease *lease;
	struct layer_spec spec;
	int ends[2];

	(void)state;
	make_layer(&tar, &gz, 20000000, 5);
	spec = spec_of(&gz, digest, &tar, diff_id);
	assert_int_equal(pipe(ends), 0);
	spec.wake = woken;
	spec.wake_ctx = &ends[1];
	test_store_open(&test, STORE_AUTO);
	lease = lease_begin(test.store, &err);
	assert_int_equal(layer_open(lease, &spec, &layer, &err), 0);
	for (size_t at = 0; at < gz.len;) {
		size_t n = gz.len - at < 16384 ? gz.len - at : 16384;
		ssize_t taken = layer_try_write(layer, gz.bytes + at, n, &err);

		assert_true(taken >= 0);
		at += (size_t)taken;
		if (taken == 0)
			assert_int_equal(read(ends[0], &byte, 1), 1);
	}
	layer_end(layer);
	while (!layer_is_done(layer))
		assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(layer_finish(layer, NULL, &err), 0);
	close(ends[0]);
	close(ends[1]);
	lease_end(lease, 0);
	test_store_close(&test);
	free(tar.bytes);
	free(gz.bytes);
}

static void a_layer_comes_out_as_it_went_in(void **state)
{
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX], got[DIGEST_TEXT_MAX],
		again[DIGEST_TEXT_MAX];

	(void)state;
	for (size_t b = 0; b < 2; b++) {
		struct tarball tar = { 0 }, gz = { 0 };
		struct test_store test;
		struct err err = ERR_NONE;
		struct lease *lease;
		struct layer_result result;
		struct layer_spec spec;
		AUTO(fd) int null = open("/dev/null", O_WRONLY);
		const char *type;
		uint64_t size;

		make_layer(&tar, &gz, 300000, 6);
		spec = spec_of(&gz, digest, &tar, diff_id);
		test_store_open(&test, backends[b]);
		lease = lease_begin(test.store, &err);
		assert_int_equal(test_feed(lease, &gz, &spec, &result, &err), 0);
		assert_int_equal(layer_copy_tar(test.store, diff_id, null, &err), 0);
		for (int form = LAYER_TAR; form <= LAYER_ZSTD; form++) {
			AUTO(fd)
			int one = layer_open_blob(test.store, diff_id, (enum layer_compression)form,
						  NULL, got, &size, &type, &err);
			AUTO(fd)
			int two = layer_open_blob(test.store, diff_id, (enum layer_compression)form,
						  NULL, again, &size, &type, &err);
			struct tarball bytes = { 0 };

			if (one < 0 || two < 0)
				fail_msg("%s", err.msg);
			assert_string_equal(got, again);
			bytes.bytes = malloc(size);
			bytes.len = size;
			assert_int_equal(pread(one, bytes.bytes, size, 0), size);
			test_digest(&bytes, again);
			assert_string_equal(got, again);
			free(bytes.bytes);
			if (form == LAYER_TAR)
				assert_string_equal(got, diff_id);
			if (form == LAYER_GZIP && backends[b] == STORE_DIR)
				assert_string_equal(got, digest); /* the bytes that came */
		}
		lease_end(lease, 0);
		test_store_close(&test);
		free(tar.bytes);
		free(gz.bytes);
	}
}

/* ---- crashes ---- */

static int load_all(const struct store_options *options, struct tarball *tars, size_t count)
{
	struct err err = ERR_NONE;
	char id[DIGEST_TEXT_MAX];
	struct store *store = store_open(options, &err);
	int rc = store ? test_image(store, tars, count, "docker.io/library/crash:1", id, &err) : -1;

	store_close(store);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.msg);
	return rc;
}

/* In a process of its own, which is to die at that place. */
static void die_at(const char *place, const struct store_options *options, struct tarball *tars,
		   size_t count, bool prunes)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct err err = ERR_NONE;

		setenv("STACK_CRASH_AT", place, 1);
		if (prunes)
			maintain_gc(store_open(options, &err), NULL, &err);
		else
			load_all(options, tars, count);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s: was not reached (status %x)", place, status);
}

static void no_finding(void *ctx, const char *line, bool fixed)
{
	(void)ctx;
	(void)fixed;
	fail_msg("check: %s", line);
}

static void a_crash_anywhere_is_made_good_by_the_next_try(void **state)
{
	static const char *const places[] = { "layer:verified", "layer:renamed", "pull:layers",
					      "pull:sync",      "pull:record",   "pull:name" };
	struct tarball tars[2] = { 0 };

	(void)state;
	make_layer(&tars[0], NULL, 100000, 7);
	tarball_file(&tars[1], "d/implicit", "leans on the lower one");
	for (size_t i = 0; i < 12; i++) {
		struct test_store test;
		struct err err = ERR_NONE;
		struct image_record **records;
		struct removal removal;
		char id[DIGEST_TEXT_MAX];
		size_t count;

		test_store_open(&test, backends[i & 1]);
		die_at(places[i / 2], &test.options, tars, 2, false);
		/* whatever is visible is whole */
		assert_int_equal(maintain_check(test.store, NULL, 0, no_finding, NULL, &err), 0);
		assert_int_equal(load_all(&test.options, tars, 2), 0);
		assert_int_equal(maintain_check(test.store, NULL, 0, no_finding, NULL, &err), 0);
		assert_int_equal(store_resolve(test.store, "crash:1", id, &err), 0);
		assert_int_equal(store_list(test.store, &records, &count, &err), 0);
		assert_int_equal(count, 1);
		image_records_free(records, count);
		assert_int_equal(maintain_remove(test.store, "crash:1", 0, &removal, &err), 0);
		removal_free(&removal);
		assert_int_equal(test_count(&test, "layers"), 0);
		assert_int_equal(test_count(&test, "chains"), 0);
		assert_int_equal(test_count(&test, "tmp"), 0);
		assert_int_equal(test_count(&test, "leases"), 0);
		assert_int_equal(test_count(&test, "trash"), 0);
		assert_int_equal(test_count(&test, "blobs/sha256"), 0);
		test_store_close(&test);
	}
	free(tars[0].bytes);
	free(tars[1].bytes);
}

static void a_crash_of_gc_leaves_garbage_alone(void **state)
{
	struct tarball tar = { 0 };
	struct test_store test;
	struct err err = ERR_NONE;
	char id[DIGEST_TEXT_MAX];

	(void)state;
	make_layer(&tar, NULL, 1000, 8);
	test_store_open(&test, STORE_AUTO);
	assert_int_equal(test_image(test.store, &tar, 1, "docker.io/library/g:1", id, &err), 0);
	assert_int_equal(store_untag(test.store, "docker.io/library/g:1", &err), 0);
	{
		AUTO(free)
		char *record = xformat("%s/images/records/%s.json", test.root, digest_hex(id));

		assert_int_equal(unlink(record), 0);
	}
	die_at("gc:trash", &test.options, NULL, 0, true);
	assert_int_equal(maintain_gc(test.store, NULL, &err), 0);
	assert_int_equal(test_count(&test, "layers"), 0);
	assert_int_equal(test_count(&test, "trash"), 0);
	assert_int_equal(test_count(&test, "blobs/sha256"), 0);
	test_store_close(&test);
	free(tar.bytes);
}

static void a_torn_layer_is_found_and_comes_anew(void **state)
{
	static const char *const files[] = { "fs/d/noise", "data.tar" };
	struct tarball tar = { 0 };

	(void)state;
	make_layer(&tar, NULL, 50000, 9);
	for (size_t b = 0; b < 2; b++) {
		struct test_store test;
		struct err err = ERR_NONE;
		char id[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX];
		AUTO(free) char *path = NULL;
		AUTO(fd) int fd = -1;

		test_store_open(&test, backends[b]);
		test_digest(&tar, diff_id);
		assert_int_equal(test_image(test.store, &tar, 1, "docker.io/library/t:1", id, &err),
				 0);
		path = xformat("%s/images/layers/%s/%s", test.root, digest_hex(diff_id), files[b]);
		fd = open(path, O_WRONLY);
		assert_int_equal(pwrite(fd, "torn", 4, 20000), 4);
		assert_int_equal(maintain_check(test.store, NULL, CHECK_FAST, NULL, NULL, &err), 0);
		assert_int_equal(maintain_check(test.store, NULL, 0, NULL, NULL, &err), 1);
		assert_int_equal(maintain_check(test.store, NULL, CHECK_FIX, NULL, NULL, &err), 0);
		assert_int_equal(store_resolve(test.store, "t:1", id, &err), -1);
		assert_int_equal(test_count(&test, "layers"), 0);
		err = ERR_NONE;
		assert_int_equal(test_image(test.store, &tar, 1, "docker.io/library/t:1", id, &err),
				 0);
		assert_int_equal(maintain_check(test.store, NULL, 0, no_finding, NULL, &err), 0);
		test_store_close(&test);
	}
	free(tar.bytes);
}

/* ---- a full disk ---- */

static void a_full_disk_is_told_and_leaves_the_store_intact(void **state)
{
	struct tarball small = { 0 }, large = { 0 };

	(void)state;
	make_layer(&small, NULL, 100000, 10);
	make_layer(&large, NULL, 40u << 20, 11);
	{
		struct test_store test;
		struct err err = ERR_NONE;
		struct statvfs before, after;
		char id[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX];

		test_store_open(&test, STORE_EROFS);
		store_close(test.store);
		assert_int_equal(mount("tmpfs", test.root, "tmpfs", 0, "size=24m,mode=700"), 0);
		assert_null(store_open(&test.options, &err)); /* no EROFS over files of tmpfs */
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		err = ERR_NONE;
		test.options.backend = STORE_AUTO;
		test.store = store_open(&test.options, &err);
		assert_non_null(test.store);
		assert_int_equal(store_backend(test.store), STORE_DIR);
		assert_int_equal(
			test_image(test.store, &small, 1, "docker.io/library/s:1", id, &err), 0);
		assert_int_equal(statvfs(test.root, &before), 0);
		assert_int_equal(
			test_image(test.store, &large, 1, "docker.io/library/l:1", other, &err),
			-1);
		if (err.code != ERR_NO_SPACE)
			fail_msg("%s: %s", err_code_name(err.code), err.msg);
		assert_int_equal(statvfs(test.root, &after), 0);
		assert_true(after.f_bfree + 8 >= before.f_bfree);
		assert_int_equal(test_count(&test, "tmp"), 0);
		assert_int_equal(test_count(&test, "partial"), 0);
		err = ERR_NONE;
		{
			AUTO(snapshot)
			struct snapshot *snapshot = snapshot_open(test.store, id, NULL, &err);
			AUTO(fd) int root = snapshot ? snapshot_mount(snapshot, &err) : -1;

			if (root < 0)
				fail_msg("%s", err.msg);
			assert_int_equal(faccessat(root, "d/noise", F_OK, 0), 0);
		}
		assert_int_equal(maintain_check(test.store, NULL, 0, no_finding, NULL, &err), 0);
		assert_int_equal(snapshot_sweep(test.store, NULL, &err), 0);
		store_close(test.store);
		test.store = NULL;
		assert_int_equal(umount2(test.root, MNT_DETACH), 0);
		test_store_close(&test);
	}
	free(small.bytes);
	free(large.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupted_layer_goes_on_where_it_was),
		cmocka_unit_test(a_part_that_is_not_what_it_says_goes),
		cmocka_unit_test(lies_about_a_layer_are_named),
		cmocka_unit_test(two_processes_load_a_layer_once),
		cmocka_unit_test(a_full_queue_says_when_there_is_room),
		cmocka_unit_test(a_layer_comes_out_as_it_went_in),
		cmocka_unit_test(a_crash_anywhere_is_made_good_by_the_next_try),
		cmocka_unit_test(a_crash_of_gc_leaves_garbage_alone),
		cmocka_unit_test(a_torn_layer_is_found_and_comes_anew),
		cmocka_unit_test(a_full_disk_is_told_and_leaves_the_store_intact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

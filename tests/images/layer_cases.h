/* tests/images/layer_cases - a small store for tests, and feeding it. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/tree.h"
#include "images/layer.h"
#include "images/store.h"
#include "tests/hostile-images/tarball.h"

struct test_store {
	char dir[64], root[80], run[80];
	struct store_options options;
	struct store *store;
};

static inline void test_store_open(struct test_store *test, enum store_backend backend)
{
	struct err err = ERR_NONE;

	snprintf(test->dir, sizeof(test->dir), "%s/stack-images.XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(test->dir));
	snprintf(test->root, sizeof(test->root), "%s/root", test->dir);
	snprintf(test->run, sizeof(test->run), "%s/run", test->dir);
	test->options = (struct store_options){ .root = test->root,
						.runtime_root = test->run,
						.backend = backend,
						.flags = STORE_NO_SYNC,
						.min_free_bytes = 1 };
	test->store = store_open(&test->options, &err);
	if (!test->store)
		fail_msg("%s", err.msg);
}

static inline void test_store_close(struct test_store *test)
{
	struct err err = ERR_NONE;
	AUTO(fd) int parent = open(P_tmpdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	store_close(test->store);
	if (tree_remove(parent, strrchr(test->dir, '/') + 1, &err) < 0)
		fail_msg("left behind: %s", err.msg);
}

static inline void test_digest(const struct tarball *bytes, char out[DIGEST_TEXT_MAX])
{
	digest_of(bytes->bytes, bytes->len, out);
}

/* Feeds a tar as a layer, in pieces; 0, or -1 with *err. */
static inline int test_feed(struct lease *lease, const struct tarball *bytes,
			    const struct layer_spec *spec, struct layer_result *result,
			    struct err *err)
{
	struct layer *layer;

	if (layer_open(lease, spec, &layer, err) < 0)
		return -1;
	if (!layer) {
		snprintf(result->diff_id, DIGEST_TEXT_MAX, "%s", spec->diff_id);
		return 0;
	}
	for (size_t at = (size_t)layer_offset(layer); at < bytes->len; at += 10000) {
		size_t n = bytes->len - at < 10000 ? bytes->len - at : 10000;

		if (layer_write(layer, bytes->bytes + at, n, err) < 0) {
			layer_abort(layer);
			return -1;
		}
	}
	return layer_finish(layer, result, err);
}

/* An image over these tars (bottom first) under the name; its id. */
static inline int test_image(struct store *store, const struct tarball *tars, size_t count,
			     const char *name, char id[DIGEST_TEXT_MAX], struct err *err)
{
	struct lease *lease = lease_begin(store, err);
	struct image_layer rows[200] = { 0 };
	struct layer_result results[200];
	struct tarball config = { 0 };
	struct image_commit commit = { .name = name, .layers = rows, .layer_count = count };
	static const char head[] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{},"
				   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[";
	int rc = 0;

	assert_non_null(lease);
	tarball_put(&config, head, strlen(head));
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct layer_spec spec = { .size_bytes = -1 };
		AUTO(free) char *item = NULL;

		rc = test_feed(lease, &tars[i], &spec, &results[i], err);
		if (rc < 0)
			break;
		rows[i].diff_id = results[i].diff_id;
		item = xformat("%s\"%s\"", i ? "," : "", results[i].diff_id);
		tarball_put(&config, item, strlen(item));
	}
	tarball_put(&config, "]}}", 3);
	commit.config = (const char *)config.bytes;
	commit.config_len = config.len;
	if (rc == 0)
		rc = store_commit_image(lease, &commit, id, err);
	lease_end(lease, rc < 0 ? LEASE_DROP : 0);
	free(config.bytes);
	return rc;
}

/* How many entries a folder of the store has. */
static inline size_t test_count(const struct test_store *test, const char *folder)
{
	AUTO(free) char *command = xformat("%s/images/%s", test->root, folder);
	struct stat st;
	AUTO(fd) int fd = open(command, O_RDONLY | O_DIRECTORY);
	char buffer[4096];
	ssize_t n;
	size_t count = 0;

	(void)st;
	if (fd < 0)
		return 0;
	while ((n = getdents64(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buffer + at);

			count += entry->d_name[0] != '.';
			at += entry->d_reclen;
		}
	return count;
}

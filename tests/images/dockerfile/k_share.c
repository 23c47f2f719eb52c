/* tests/images/dockerfile/k_share - images/dockerfile/share and image_commit, and what is left when
 * a step is cut off: no space, a killed process. Root; runs in namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "images/archive.h"
#include "images/dockerfile/share.h"
#include "images/maintain.h"
#include "tests/images/dockerfile/build_cases.h"

static const char keys[3][DF_KEY_SIZE] = {
	"0000000000000000000000000000000000000000000000000000000000000001",
	"0000000000000000000000000000000000000000000000000000000000000002",
	"0000000000000000000000000000000000000000000000000000000000000003",
};

/* Two layers, and one step without. */
static void make_steps(struct build_case *it, struct df_share_step steps[3])
{
	memset(steps, 0, 3 * sizeof(*steps));
	for (size_t i = 0; i < 3; i++) {
		memcpy(steps[i].key, keys[i], DF_KEY_SIZE);
		steps[i].step.created_unix_ns = 100 + i;
	}
	build_layer(it, "a=1", steps[0].step.diff_id);
	build_layer(it, "b=2", steps[2].step.diff_id);
}

static void steps_travel_with_an_image(void **state)
{
	struct build_case it;
	struct df_share_step steps[3];
	struct df_shared_step found;
	char id[DIGEST_TEXT_MAX];
	AUTO(free) char *manifest = NULL;
	AUTO(df_shared) struct df_shared *shared = NULL;
	struct err err = ERR_NONE;
	size_t len;

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_steps(&it, steps);
	assert_int_equal(df_share_export(it.lease, steps, 3, id, &err), 0);
	assert_int_equal(store_image_manifest(it.test.store, id, &manifest, &len, &err), 0);
	shared = df_shared_parse(manifest, len, &err);
	assert_non_null(shared);
	assert_int_equal(df_shared_find(shared, keys[0], &found), 1);
	assert_string_equal(found.diff_id, steps[0].step.diff_id);
	assert_int_equal(found.created_unix_ns, 100);
	assert_int_equal(df_shared_find(shared, keys[1], &found), 1);
	assert_null(found.digest);
	assert_int_equal(df_shared_find(shared, keys[2], &found), 1);
	assert_string_equal(found.diff_id, steps[2].step.diff_id);
	assert_int_equal(
		df_shared_find(shared,
			       "0000000000000000000000000000000000000000000000000000000000000004",
			       &found),
		0);
	build_case_close(&it);
}

static void a_layout_in_a_folder_gives_its_layers_back(void **state)
{
	struct build_case it, other;
	struct df_share_step steps[3];
	struct df_shared_step found;
	struct archive_item item = { 0 };
	char id[DIGEST_TEXT_MAX];
	AUTO(free) char *path = NULL;
	AUTO(free) char *line = NULL;
	AUTO(df_shared) struct df_shared *shared = NULL;
	struct err err = ERR_NONE;
	const char *diff_id;
	AUTO(free) char *got = NULL;
	int fd;

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_steps(&it, steps);
	assert_int_equal(df_share_export(it.lease, steps, 3, id, &err), 0);
	path = xformat("%s/layout.tar", it.test.dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	item.id = id;
	assert_int_equal(archive_save(it.test.store, &item, 1, ARCHIVE_OCI, fd, &err), 0);
	close(fd);
	line = xformat("cd %s && mkdir layout && tar -xf layout.tar -C layout", it.test.dir);
	assert_int_equal(system(line), 0);
	free(path);
	path = xformat("%s/layout", it.test.dir);
	shared = df_shared_open_dir(path, &err);
	if (!shared)
		fail_msg("%s", err.msg);
	build_case_open(&other, STORE_DIR);
	assert_int_equal(df_shared_find(shared, keys[2], &found), 1);
	assert_int_equal(df_shared_load(shared, other.lease, &found, &err), 0);
	diff_id = found.diff_id;
	got = build_show(&other, &diff_id, 1);
	assert_string_equal(got, "b 644 0:0 =2\n");
	build_case_close(&other);
	build_case_close(&it);
}

static void what_is_no_cache_is_told(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"manifests\":[]}",
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
		"\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		"\"size\":2},\"layers\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_NONE;

		assert_null(df_shared_parse(texts[i], strlen(texts[i]), &err));
		assert_true(err.code == ERR_INVALID || err.code == ERR_UNSUPPORTED);
	}
}

static void an_image_that_is_there_is_only_named(void **state)
{
	static const struct platform platform = { .os = "linux", .arch = "amd64" };
	static const char *const names[] = { "docker.io/library/one:1", "docker.io/library/two:1" };
	struct build_case it;
	struct df_image_step step = { "COPY a /", NULL, CASE_NOW };
	struct df_image_commit commit = { .names = names, .name_count = 1 };
	char layer[DIGEST_TEXT_MAX], id[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];
	AUTO(df_image) struct df_image *image = df_image_scratch(&platform);
	struct image_name name;
	struct err err = ERR_NONE;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_layer(&it, "a=1", layer);
	step.diff_id = layer;
	df_image_add_step(image, &step);
	if (df_image_commit(image, it.lease, &commit, id, &err) < 0)
		fail_msg("%s", err.msg);
	commit.names = names + 1;
	assert_int_equal(df_image_commit(image, it.lease, &commit, again, &err), 0);
	assert_string_equal(id, again);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(store_name(it.test.store, names[i], &name, &err), 0);
		assert_string_equal(name.id, id);
	}
	assert_int_equal(test_count(&it.test, "records"), 1);
	build_case_close(&it);
}

/* ---- cut off ---- */

static int copy_big(struct build_case *it, struct err *err)
{
	static const char *const all[] = { "." };
	AUTO(df_context) struct df_context *context = df_context_open_dir(it->folder, NULL, err);
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .context = context,
				     .sources = all,
				     .source_count = 1,
				     .destination = "/",
				     .cwd = "/",
				     .lease = it->lease };
	struct df_layer_spec how = { .lease = it->lease, .now_unix_ns = CASE_NOW, .lower_fd = -1 };
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct df_layer layer;

	if (df_copy_plan(&spec, &copy, err) < 0)
		return -1;
	return df_copy_run(copy, -1, &how, &layer, err);
}

/* Another store on a file system of 12 MB; the context is beside it. */
static void no_space_is_told_and_leaves_nothing(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	AUTO(free) char *line = NULL;
	AUTO(free) char *root = NULL;
	AUTO(free) char *check = NULL;
	char layer[DIGEST_TEXT_MAX];

	(void)state;
	build_case_open(&it, STORE_DIR);
	lease_end(it.lease, 0);
	store_close(it.test.store);
	root = xformat("%s/small", it.test.dir);
	assert_int_equal(mkdir(root, 0755), 0);
	assert_int_equal(mount("none", root, "tmpfs", 0, "size=12m"), 0);
	line = xformat("head -c 30000000 /dev/urandom > %s/big", it.folder);
	assert_int_equal(system(line), 0);
	it.test.options.root = root;
	it.test.store = store_open(&it.test.options, &err);
	assert_non_null(it.test.store);
	it.lease = lease_begin(it.test.store, &err);
	assert_int_equal(copy_big(&it, &err), -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	check = xformat("[ -z \"$(ls -A %s/images/tmp %s/images/layers | grep -v :)\" ]", root,
			root);
	assert_int_equal(system(check), 0);
	build_layer(&it, "a=1", layer); /* what is small fits again */
	lease_end(it.lease, 0);
	store_close(it.test.store);
	assert_int_equal(umount2(root, 0), 0);
	it.test.options.root = it.test.root;
	it.test.store = store_open(&it.test.options, &err);
	it.lease = lease_begin(it.test.store, &err);
	build_case_close(&it);
}

static void a_killed_step_leaves_nothing_behind(void **state)
{
	static const char *const places[] = { "build:copy-planned", "build:captured",
					      "layer:verified", "layer:renamed",
					      "build:copy-written" };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct build_case it;
		struct err err = ERR_NONE;
		uint64_t freed;
		int status;
		pid_t pid;

		build_case_open(&it, STORE_DIR);
		build_things(it.folder, "a=1 d/b=2");
		lease_end(it.lease, 0);
		store_close(it.test.store);
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			setenv("STACK_CRASH_AT", places[i], 1);
			it.test.store = store_open(&it.test.options, &err);
			it.lease = lease_begin(it.test.store, &err);
			copy_big(&it, &err);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("%s was not reached", places[i]);
		it.test.store = store_open(&it.test.options, &err);
		assert_non_null(it.test.store);
		assert_int_equal(test_count(&it.test, "tmp"), 0);
		assert_int_equal(maintain_check(it.test.store, NULL, 0, NULL, NULL, &err), 0);
		assert_int_equal(maintain_gc(it.test.store, &freed, &err), 0);
		assert_int_equal(test_count(&it.test, "layers"), 0);
		it.lease = lease_begin(it.test.store, &err);
		assert_int_equal(copy_big(&it, &err), 0);
		build_case_close(&it);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_travel_with_an_image),
		cmocka_unit_test(a_layout_in_a_folder_gives_its_layers_back),
		cmocka_unit_test(what_is_no_cache_is_told),
		cmocka_unit_test(an_image_that_is_there_is_only_named),
		cmocka_unit_test(no_space_is_told_and_leaves_nothing),
		cmocka_unit_test(a_killed_step_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

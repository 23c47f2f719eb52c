/* tests/images/test_store - mirrors images/store, record, root, lease and maintain, with images
 * without layers: no rights needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "images/maintain.h"
#include "tests/images/layer_cases.h"

/* An image without layers whose config differs by `label`. */
static void commit(struct test_store *test, const char *name, const char *label,
		   char id[DIGEST_TEXT_MAX])
{
	AUTO(free)
	char *config = xformat("{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":"
			       "\"2026-01-02T03:04:05Z\",\"config\":{\"Labels\":{\"kind\":\"%s\"}},"
			       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
			       label);
	struct image_commit commit = { .name = name,
				       .config = config,
				       .config_len = strlen(config) };
	struct err err = ERR_NONE;
	struct lease *lease = lease_begin(test->store, &err);

	if (!lease || store_commit_image(lease, &commit, id, &err) < 0)
		fail_msg("%s", err.msg);
	lease_end(lease, 0);
}

static void names_point_to_images(void **state)
{
	struct test_store test;
	char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX], id[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct image_name name;

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, "docker.io/library/a:1", "one", one);
	commit(&test, "docker.io/library/a:2", "two", two);
	assert_int_equal(store_resolve(test.store, "a:1", id, &err), 0);
	assert_string_equal(id, one);
	assert_int_equal(store_resolve(test.store, "docker.io/library/a:2", id, &err), 0);
	assert_string_equal(id, two);
	assert_int_equal(store_tag(test.store, "docker.io/library/a:1", two, NULL, &err), 0);
	assert_int_equal(store_resolve(test.store, "a:1", id, &err), 0);
	assert_string_equal(id, two);
	assert_int_equal(store_name(test.store, "docker.io/library/a:1", &name, &err), 0);
	assert_true(name.pulled_unix_ns > 0);
	assert_int_equal(store_resolve(test.store, "a", id, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(store_untag(test.store, "docker.io/library/a:1", &err), 0);
	assert_int_equal(store_untag(test.store, "docker.io/library/a:1", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	test_store_close(&test);
}

static void ids_resolve_by_prefix_but_names_win(void **state)
{
	struct test_store test;
	char ids[40][DIGEST_TEXT_MAX], got[DIGEST_TEXT_MAX], text[100], name[64];
	struct err err = ERR_NONE;

	(void)state;
	test_store_open(&test, STORE_DIR);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d", i);
		commit(&test, NULL, name, ids[i]);
	}
	assert_int_equal(store_resolve(test.store, ids[7], got, &err), 0);
	assert_string_equal(got, ids[7]);
	snprintf(text, sizeof(text), "%.16s", ids[7] + 7);
	assert_int_equal(store_resolve(test.store, text, got, &err), 0);
	assert_string_equal(got, ids[7]);
	assert_int_equal(store_resolve(test.store, "0000beef0000", got, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	/* a name that looks like a prefix */
	snprintf(name, sizeof(name), "docker.io/library/%.8s:latest", ids[7] + 7);
	err = ERR_NONE;
	assert_int_equal(store_tag(test.store, name, ids[3], NULL, &err), 0);
	snprintf(text, sizeof(text), "%.8s", ids[7] + 7);
	assert_int_equal(store_resolve(test.store, text, got, &err), 0);
	assert_string_equal(got, ids[3]);
	test_store_close(&test);
}

static void records_tell_what_an_image_is(void **state)
{
	struct test_store test;
	char id[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct image_record **records;
	size_t count, len;
	AUTO(free) char *config = NULL;
	AUTO(free) char *manifest = NULL;

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, "docker.io/library/b:1", "x", id);
	commit(&test, "docker.io/library/b:2", "x", id);
	assert_int_equal(store_list(test.store, &records, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(records[0]->id, id);
	assert_int_equal(records[0]->name_count, 2);
	assert_string_equal(records[0]->names[1], "docker.io/library/b:2");
	assert_string_equal(records[0]->architecture, "amd64");
	assert_true(records[0]->created_unix_ns == 1767323045000000000ull);
	image_records_free(records, count);
	assert_int_equal(store_image_config(test.store, id, &config, &len, &err), 0);
	assert_non_null(strstr(config, "\"kind\""));
	assert_int_equal(store_image_manifest(test.store, id, &manifest, &len, &err), 0);
	assert_non_null(strstr(manifest, id));
	assert_null(store_image(test.store, "sha256:nonsense", &err));
	test_store_close(&test);
}

static void used_images_are_not_removed(void **state)
{
	struct test_store test;
	char id[DIGEST_TEXT_MAX], got[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct removal removal;

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, "docker.io/library/c:1", "x", id);
	assert_int_equal(store_root_add(test.store, "container1", id, &err), 0);
	assert_true(store_is_used(test.store, id));
	assert_int_equal(maintain_remove(test.store, "c:1", 0, &removal, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	err = ERR_NONE;
	assert_int_equal(maintain_remove(test.store, "c:1", REMOVE_FORCE, &removal, &err), 0);
	assert_int_equal(removal.count, 1);
	removal_free(&removal);
	assert_int_equal(store_resolve(test.store, id, got, &err), 0); /* stays without a name */
	assert_int_equal(maintain_prune(test.store, &(struct prune_options){ .flags = PRUNE_ALL },
					&removal, &err),
			 0);
	assert_int_equal(removal.count, 0);
	assert_int_equal(store_root_remove(test.store, "container1", &err), 0);
	assert_int_equal(store_root_remove(test.store, "container1", &err), 0);
	assert_int_equal(maintain_prune(test.store, &(struct prune_options){ 0 }, &removal, &err),
			 0);
	assert_int_equal(removal.count, 1);
	assert_string_equal(removal.items[0].text, id);
	removal_free(&removal);
	assert_int_equal(test_count(&test, "blobs/sha256"), 0);
	assert_int_equal(store_root_add(test.store, "../x", id, &err), -1);
	test_store_close(&test);
}

static void an_image_of_many_names_goes_with_its_last(void **state)
{
	struct test_store test;
	char id[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct removal removal;

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, "docker.io/library/d:1", "x", id);
	assert_int_equal(store_tag(test.store, "docker.io/library/d:2", id, NULL, &err), 0);
	assert_int_equal(maintain_remove(test.store, id, 0, &removal, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	err = ERR_NONE;
	assert_int_equal(maintain_remove(test.store, "d:1", 0, &removal, &err), 0);
	assert_int_equal(removal.count, 1);
	assert_true(removal.items[0].untagged);
	removal_free(&removal);
	assert_int_equal(maintain_remove(test.store, "d:2", 0, &removal, &err), 0);
	assert_int_equal(removal.count, 2);
	assert_false(removal.items[1].untagged);
	removal_free(&removal);
	assert_int_equal(test_count(&test, "records"), 0);
	test_store_close(&test);
}

static void prune_looks_at_labels_and_age(void **state)
{
	struct test_store test;
	char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct removal removal;
	struct prune_options options = { .label = "kind", .value = "one", .dry_run = true };

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, NULL, "one", one);
	commit(&test, NULL, "two", two);
	assert_int_equal(maintain_prune(test.store, &options, &removal, &err), 0);
	assert_int_equal(removal.count, 1);
	assert_string_equal(removal.items[0].text, one);
	removal_free(&removal);
	assert_int_equal(test_count(&test, "records"), 2);
	options = (struct prune_options){ .until_unix_ns = 1 };
	assert_int_equal(maintain_prune(test.store, &options, &removal, &err), 0);
	assert_int_equal(removal.count, 0);
	options = (struct prune_options){ .label = "kind" };
	assert_int_equal(maintain_prune(test.store, &options, &removal, &err), 0);
	assert_int_equal(removal.count, 2);
	removal_free(&removal);
	test_store_close(&test);
}

static void blobs_are_checked_and_held_by_leases(void **state)
{
	struct test_store test;
	char digest[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	struct lease *lease;
	AUTO(free) char *text = NULL;
	size_t len;

	(void)state;
	test_store_open(&test, STORE_DIR);
	digest_of("hello", 5, digest);
	lease = lease_begin(test.store, &err);
	assert_int_equal(store_put_blob(lease, digest, "hellO", 5, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	err = ERR_NONE;
	assert_int_equal(store_put_blob(lease, digest, "hello", 5, &err), 0);
	assert_int_equal(maintain_gc(test.store, NULL, &err), 0);
	assert_int_equal(store_read_blob(test.store, digest, 100, &text, &len, &err), 0);
	assert_string_equal(text, "hello");
	lease_end(lease, 0);
	assert_int_equal(maintain_gc(test.store, NULL, &err), 0);
	assert_int_equal(store_open_blob(test.store, digest, NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	test_store_close(&test);
}

static void a_newer_format_is_refused(void **state)
{
	struct test_store test;
	struct err err = ERR_NONE;
	AUTO(free) char *path = NULL;
	AUTO(fd) int fd = -1;

	(void)state;
	test_store_open(&test, STORE_DIR);
	path = xformat("%s/images/format", test.root);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "99\n", 3), 3);
	assert_null(store_open(&test.options, &err));
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "99"));
	test_store_close(&test);
}

static char told[2000];

static void note(void *ctx, const char *line, bool fixed)
{
	(void)ctx;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s;", fixed ? "fixed: " : "",
		 line);
}

static void check_finds_and_repairs_what_is_torn(void **state)
{
	struct test_store test;
	char id[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX];
	struct err err = ERR_NONE;
	AUTO(free) char *path = NULL;
	AUTO(free) char *stray = NULL;
	AUTO(fd) int fd = -1;

	(void)state;
	test_store_open(&test, STORE_DIR);
	commit(&test, "docker.io/library/e:1", "x", id);
	commit(&test, "docker.io/library/e:2", "y", other);
	assert_int_equal(maintain_check(test.store, NULL, 0, note, NULL, &err), 0);
	path = xformat("%s/images/blobs/sha256/%s", test.root, digest_hex(id));
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 5), 1);
	close(TAKE_FD(fd));
	stray = xformat("%s/images/records/%064d.json", test.root, 0);
	fd = open(stray, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{", 1), 1);
	told[0] = '\0';
	assert_int_equal(maintain_check(test.store, NULL, 0, note, NULL, &err), 2);
	assert_non_null(strstr(told, "record 000000000000 is unreadable"));
	assert_non_null(strstr(told, "config: stored blob: digest is"));
	told[0] = '\0';
	assert_int_equal(maintain_check(test.store, NULL, CHECK_FIX, note, NULL, &err), 0);
	assert_non_null(strstr(told, "(docker.io/library/e:1) is not whole; pull it again"));
	assert_int_equal(maintain_check(test.store, NULL, 0, note, NULL, &err), 0);
	assert_int_equal(test_count(&test, "records"), 1);
	assert_int_equal(test_count(&test, "names"), 1);
	test_store_close(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_point_to_images),
		cmocka_unit_test(ids_resolve_by_prefix_but_names_win),
		cmocka_unit_test(records_tell_what_an_image_is),
		cmocka_unit_test(used_images_are_not_removed),
		cmocka_unit_test(an_image_of_many_names_goes_with_its_last),
		cmocka_unit_test(prune_looks_at_labels_and_age),
		cmocka_unit_test(blobs_are_checked_and_held_by_leases),
		cmocka_unit_test(a_newer_format_is_refused),
		cmocka_unit_test(check_finds_and_repairs_what_is_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

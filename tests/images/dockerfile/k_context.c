/* tests/images/dockerfile/k_context - contexts that mean harm, or change under the build: nothing
 * outside is read, nothing stale is copied. Root; runs in namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/images/dockerfile/build_cases.h"

/* Plans COPY source /t/ and runs it, with a shell command in between; what the layer shows, or
 * "E:...". */
static char *copy_with(struct build_case *it, const char *source, const char *between,
		       struct err *err)
{
	AUTO(df_context) struct df_context *context = df_context_open_dir(it->folder, NULL, err);
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .context = context,
				     .sources = &source,
				     .source_count = 1,
				     .destination = "/t/",
				     .cwd = "/",
				     .lease = it->lease };
	struct df_layer_spec how = { .lease = it->lease, .now_unix_ns = CASE_NOW, .lower_fd = -1 };
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct df_layer layer;
	const char *diff_id = layer.diff_id;

	if (df_copy_plan(&spec, &copy, err) < 0)
		return xformat("E:%s", err->msg);
	if (between) {
		AUTO(free) char *line = xformat("cd %s && { %s; }", it->folder, between);

		assert_int_equal(system(line), 0);
	}
	if (df_copy_run(copy, -1, &how, &layer, err) < 0)
		return xformat("E:%s", err->msg);
	return build_show(it, &diff_id, *layer.diff_id ? 1 : 0);
}

static void what_changes_after_the_plan_is_never_copied(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *command; enum err_code code; } rows[] = {
		{ "nothing", "true", ERR_OK },
		{ "other bytes", "printf 9 > d/f", ERR_BUSY },
		{ "more bytes", "printf 999 > d/f", ERR_BUSY },
		{ "another file with the same bytes", "cp d/f n && mv n d/f", ERR_BUSY },
		{ "the mode", "chmod 600 d/f", ERR_BUSY },
		{ "gone", "rm d/f", ERR_BUSY },
		{ "a link to a secret", "rm d/f; ln -s ../../secret d/f", ERR_BUSY },
		{ "a folder that is a link by now", "mv d e; ln -s .. d", ERR_BUSY },
		{ "a folder that is a link to the same", "mv d e; ln -s e d", ERR_BUSY },
		{ "a fifo", "rm d/f; mkfifo d/f", ERR_BUSY },
		{ "a folder", "rm d/f; mkdir d/f", ERR_BUSY },
		{ "a device", "rm d/f; mknod d/f c 1 5", ERR_BUSY },
	};
	/* clang-format on */
	struct build_case it;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.test.dir, "secret=s");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *got = NULL;

		build_case_again(&it);
		build_things(it.folder, "d/f=1");
		got = copy_with(&it, "d", rows[i].command, &err);
		assert_null(strstr(got, "=s"));
		if (err.code != rows[i].code)
			fail_msg("%s: %s", rows[i].name, got);
		assert_int_equal(test_count(&it.test, "tmp"), 0);
	}
	build_case_close(&it);
}

struct racer {
	atomic_bool stop;
	char one[200], other[200], name[200];
};

/* Exchanges a folder with a link to a secret as fast as it can. */
static void *race(void *ctx)
{
	struct racer *racer = ctx;

	while (!racer->stop) {
		renameat2(AT_FDCWD, racer->name, AT_FDCWD, racer->other, RENAME_EXCHANGE);
		usleep(50);
	}
	return NULL;
}

static void a_folder_that_becomes_a_link_meanwhile_leads_nowhere(void **state)
{
	struct build_case it;
	struct racer racer = { 0 };
	pthread_t thread;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.test.dir, "outside/f=secret outside/g=secret");
	build_things(it.folder, "d/f=1 d/g=2");
	snprintf(racer.name, sizeof(racer.name), "%s/d", it.folder);
	snprintf(racer.other, sizeof(racer.other), "%s/other", it.folder);
	{
		AUTO(free) char *target = xformat("%s/outside", it.test.dir);

		assert_int_equal(symlink(target, racer.other), 0);
	}
	assert_int_equal(pthread_create(&thread, NULL, race, &racer), 0);
	for (int i = 0; i < 200; i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *got = copy_with(&it, i % 2 ? "." : "d/f", NULL, &err);

		if (strstr(got, "secret"))
			fail_msg("round %d: %s", i, got);
	}
	racer.stop = true;
	pthread_join(thread, NULL);
	build_case_close(&it);
}

static void devices_are_refused_and_sockets_left_out(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	AUTO(free) char *got = NULL;
	AUTO(free) char *path = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.folder, "d/f=1");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/d/sock", it.folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	got = copy_with(&it, "d", NULL, &err);
	assert_string_equal(got, "t/ 755 0:0\nt/f 644 0:0 =1\n");
	free(got);
	got = copy_with(&it, "d/sock", NULL, &err);
	assert_string_equal(got, "E:\"d/sock\" is a socket");
	free(got);
	path = xformat("%s/d/null", it.folder);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
	err = ERR_NONE;
	got = copy_with(&it, "d", NULL, &err);
	assert_string_equal(got, "E:\"d/null\" is a device: a context has none");
	build_case_close(&it);
}

static void a_huge_file_is_refused_before_it_is_read(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	AUTO(free) char *got = NULL;
	AUTO(free) char *path = NULL;
	AUTO(fd) int fd = -1;

	(void)state;
	build_case_open(&it, STORE_DIR);
	path = xformat("%s/huge", it.folder);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(ftruncate(fd, 8ll << 40), 0);
	got = copy_with(&it, ".", NULL, &err);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(got, "larger than the limit"));
	build_case_close(&it);
}

static void a_context_may_be_deep_but_not_endless(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	AUTO(free) char *got = NULL;
	int fd;

	(void)state;
	build_case_open(&it, STORE_DIR);
	fd = open(it.folder, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 600; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	got = copy_with(&it, ".", NULL, &err);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(got, "deep"));
	build_case_close(&it);
}

static void dockerfiles_and_their_lists_are_found(void **state)
{
	/* clang-format off */
	static const struct { const char *things, *file, *text; } rows[] = {
		{ "Dockerfile=1 dockerfile=2", NULL, "1" },
		{ "dockerfile=2", NULL, "2" },
		{ "x/D=3", "x/D", "3" },
		{ "x/D=3", "./x/../x/D", "3" },
		{ "D->x/E x/E=4", "D", "4" },
		{ "x=1", NULL, "E:no file Dockerfile" },
		{ "x=1", "D", "E:no file D" },
		{ "x/f=1", "x", "E:is no file" },
		{ "D->/etc/passwd", "D", "E:no file D" },
		{ "D->../secret", "D", "E:no file D" },
		{ "f|", "f", "E:is no file" },
	};
	/* clang-format on */
	struct build_case it;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.test.dir, "secret=s");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		AUTO(df_context) struct df_context *context = NULL;
		AUTO(free) char *text = NULL;
		const char *name;
		size_t len;

		build_case_again(&it);
		build_things(it.folder, rows[i].things);
		context = df_context_open_dir(it.folder, NULL, &err);
		if (df_context_read_file(context, rows[i].file, NULL, &text, &len, &name, &err) < 0)
			text = xformat("E:%s", err.msg);
		if (strncmp(rows[i].text, "E:", 2) == 0 ? !strstr(text, rows[i].text + 2)
							: strcmp(text, rows[i].text) != 0)
			fail_msg("%zu: %s", i, text);
	}
	build_case_close(&it);
}

static void the_list_beside_the_dockerfile_wins(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	AUTO(df_context) struct df_context *context = NULL;
	AUTO(free) char *text = NULL;
	AUTO(free) char *outside = NULL;
	const char *name, *source = "b";
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .sources = &source,
				     .source_count = 1,
				     .destination = "/",
				     .cwd = "/" };
	struct df_copy *copy;
	size_t len;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.folder, ".dockerignore=a a=1 b=1");
	build_things(it.test.dir, "D=FROM D.dockerignore=b");
	context = df_context_open_dir(it.folder, NULL, &err);
	outside = xformat("%s/D", it.test.dir);
	assert_int_equal(df_context_read_file(context, outside, NULL, &text, &len, &name, &err), 0);
	assert_string_equal(text, "FROM");
	spec.context = context;
	spec.lease = it.lease;
	assert_int_equal(df_copy_plan(&spec, &copy, &err), -1);
	assert_non_null(strstr(err.msg, "D.dockerignore line 1"));
	build_case_close(&it);
}

static void digests_of_an_unchanged_context_are_known(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	AUTO(free) char *hashes = NULL;
	const char *all = ".";
	struct df_copy_spec spec = {
		.kind = DF_COPY, .sources = &all, .source_count = 1, .destination = "/", .cwd = "/"
	};

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.folder, "a=1 b=2 d/c=3");
	hashes = xformat("%s/hashes", it.test.dir);
	spec.lease = it.lease;
	sleep(3); /* older than what is not believed */
	for (int i = 0; i < 3; i++) {
		struct df_copy *copy;

		if (i == 2) {
			build_things(it.folder, "b=9");
		}
		spec.context = df_context_open_dir(it.folder, hashes, &err);
		assert_int_equal(df_copy_plan(&spec, &copy, &err), 0);
		df_copy_free(copy);
		df_context_free(spec.context);
		{
			struct df_hashes *kept = df_hashes_open(hashes, it.folder);
			AUTO(free) char *path = xformat("%s/a", it.folder);
			uint8_t digest[HASHES_BYTES];
			bool has_xattrs;
			struct stat st;

			assert_int_equal(stat(path, &st), 0);
			assert_true(df_hashes_find(kept, &st, digest, &has_xattrs));
			assert_false(has_xattrs);
			df_hashes_close(kept);
		}
	}
	build_case_close(&it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changes_after_the_plan_is_never_copied),
		cmocka_unit_test(a_folder_that_becomes_a_link_meanwhile_leads_nowhere),
		cmocka_unit_test(devices_are_refused_and_sockets_left_out),
		cmocka_unit_test(a_huge_file_is_refused_before_it_is_read),
		cmocka_unit_test(a_context_may_be_deep_but_not_endless),
		cmocka_unit_test(dockerfiles_and_their_lists_are_found),
		cmocka_unit_test(the_list_beside_the_dockerfile_wins),
		cmocka_unit_test(digests_of_an_unchanged_context_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

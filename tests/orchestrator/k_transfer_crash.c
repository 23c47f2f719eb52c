/* tests/orchestrator/k_transfer_crash - power cuts at every place that a pull and a prune name, and
 * a disk that is full: the same command once more ends as if nothing had happened, and nothing is
 * left over.
 *
 * The places are not listed here: a run that is noted (STACK_CRASH_LIST, base/crash) says which
 * there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mount.h>

#include "base/text.h"
#include "images/maintain.h"
#include "tests/orchestrator/transfer_room.h"

#define PLACES_MAX 64

struct places {
	char *names[PLACES_MAX];
	size_t count;
};

static const char *const snapshotters[] = { "dir", "auto" };

static void choose(const char *snapshotter)
{
	AUTO(free) char *text = xformat("{\"images\":{\"snapshotter\":\"%s\"}}", snapshotter);

	put("stack.json", text);
}

/* ---- what is run ---- */

static int pull_once(void)
{
	struct seen seen = { 0 };
	struct err err;

	return pull("plain", &seen, &err);
}

/* The image loses its name and goes, its layers with it. */
static int prune_once(void)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = transfer_store_open(root, run, NULL, &err);
	const struct prune_options options = { .flags = PRUNE_ALL };
	struct removal removal = { 0 };
	int rc = store ? maintain_prune(store, &options, &removal, &err) : -1;

	removal_free(&removal);
	return rc;
}

/* In a process of its own, with one variable set; its wait status. */
static int in_child(int (*act)(void), const char *variable, const char *value)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (variable)
			setenv(variable, value, 1);
		_exit(act() < 0 ? 1 : 0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void must_end_well(int (*act)(void), const char *after)
{
	if (in_child(act, NULL, NULL) != 0)
		fail_msg("after %s: the next try fails", after);
}

/* ---- what is there ---- */

static void list(FILE *out, const char *path)
{
	AUTO(free) struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		AUTO(free) char *below = xformat("%s/%s", path, name);

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			fprintf(out, "%s\n", below);
			if (entries[i]->d_type == DT_DIR)
				list(out, below);
		}
		free(entries[i]);
	}
}

/* Every name below both roots. */
static char *all_names(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	list(out, root);
	list(out, run);
	fclose(out);
	return text;
}

static unsigned findings;

static void found(void *ctx, const char *line, bool fixed)
{
	(void)ctx;
	(void)fixed;
	findings++;
	fprintf(stderr, "check: %s\n", line);
}

static void must_be_whole(const char *after)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = transfer_store_open(root, run, NULL, &err);

	findings = 0;
	assert_non_null(store);
	if (maintain_check(store, NULL, 0, found, NULL, &err) != 0 || findings)
		fail_msg("after %s: %u findings %s", after, findings, err.msg);
}

static void must_be_as(const char *wanted, const char *after)
{
	AUTO(free) char *have = all_names();

	if (strcmp(have, wanted) != 0)
		fail_msg("after %s:\n%s\nwanted:\n%s", after, have, wanted);
}

/* ---- the places ---- */

static bool has(const struct places *places, const char *name)
{
	for (size_t i = 0; i < places->count; i++)
		if (strcmp(places->names[i], name) == 0)
			return true;
	return false;
}

static void places_of(int (*act)(void), struct places *out)
{
	AUTO(free) char *file = xformat("%s/places", dir);
	AUTO(free) char *text = NULL;
	struct err err = ERR_NONE;
	char *rest, *line;

	memset(out, 0, sizeof(*out));
	unlink(file);
	assert_int_equal(in_child(act, "STACK_CRASH_LIST", file), 0);
	assert_int_equal(file_read(AT_FDCWD, file, 1 << 20, &text, NULL, &err), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line && !has(out, line) && out->count < PLACES_MAX)
			out->names[out->count++] = xstrdup(line);
}

static void places_clear(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->names[i]);
}

static void must_die(int (*act)(void), const char *place)
{
	int status = in_child(act, "STACK_CRASH_AT", place);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s: was not reached", place);
}

static void a_pull_killed_at_any_place_is_made_good_by_the_next(void **state)
{
	for (size_t s = 0; s < 2; s++) {
		AUTO(free) char *wanted = NULL;
		struct places places;

		assert_int_equal(set_up(state), 0);
		choose(snapshotters[s]);
		places_of(pull_once, &places);
		assert_true(places.count >= 8);
		wanted = all_names();
		for (size_t i = 0; i < places.count; i++) {
			assert_int_equal(set_up(state), 0);
			choose(snapshotters[s]);
			must_die(pull_once, places.names[i]);
			must_end_well(pull_once, places.names[i]);
			must_be_as(wanted, places.names[i]);
			must_be_whole(places.names[i]);
		}
		places_clear(&places);
	}
}

static void a_pull_killed_twice_keeps_what_it_had(void **state)
{
	AUTO(free) char *wanted = NULL;
	struct places places;

	(void)state;
	places_of(pull_once, &places);
	wanted = all_names();
	assert_int_equal(set_up(state), 0);
	for (size_t i = 0; i < places.count; i++)
		in_child(pull_once, "STACK_CRASH_AT", places.names[i]);
	must_end_well(pull_once, "all places");
	must_be_as(wanted, "all places");
	places_clear(&places);
}

static void a_prune_killed_at_any_place_is_made_good_by_the_next(void **state)
{
	AUTO(free) char *wanted = NULL;
	struct places places;

	assert_int_equal(pull_once(), 0);
	places_of(prune_once, &places);
	assert_true(places.count >= 1);
	wanted = all_names();
	for (size_t i = 0; i < places.count; i++) {
		assert_int_equal(set_up(state), 0);
		assert_int_equal(pull_once(), 0);
		must_die(prune_once, places.names[i]);
		must_end_well(prune_once, places.names[i]);
		must_be_as(wanted, places.names[i]);
		must_be_whole(places.names[i]);
	}
	places_clear(&places);
}

/* ---- a full disk ---- */

/* 4 MiB: the small image fits; the plain one, 3 MiB as it comes and 3 MiB as it is kept, does not.
 */
static void a_full_disk_is_told_and_what_was_there_stays(void **state)
{
	static const char *const small[] = { HOST "/small/x:1" };
	static const char *const large[] = { HOST "/plain/x:1" };
	const struct transfer_options options = { .root = root, .runtime_root = run };

	for (size_t s = 0; s < 2; s++) {
		struct err err = ERR_NONE;

		assert_int_equal(set_up(state), 0);
		put("stack.json", s ? "{\"images\":{\"snapshotter\":\"auto\",\"min_free\":4096}}"
				    : "{\"images\":{\"snapshotter\":\"dir\",\"min_free\":4096}}");
		assert_int_equal(mkdir(root, 0700), 0);
		assert_int_equal(mount("tiny", root, "tmpfs", 0, "size=4m,mode=700"), 0);
		assert_int_equal(transfer_pull(small, 1, &options, &err), 0);
		if (transfer_pull(large, 1, &options, &err) == 0)
			fail_msg("%s: fits", snapshotters[s]);
		if (err.code != ERR_NO_SPACE || !strstr(err.msg, "space") || !strstr(err.msg, root))
			fail_msg("%s: %s (%s)", snapshotters[s], err.msg, err_code_name(err.code));
		assert_null(strchr(err.msg, '\n'));
		must_be_whole("a full disk");
		assert_int_equal(images_in_store(), 1);
		assert_int_equal(entries("tmp") + entries("leases") + entries("trash"), 0);
		assert_int_equal(umount2(root, MNT_DETACH), 0);
	}
}

/* ---- the first of all ---- */

static int open_once(void)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = transfer_store_open(root, run, NULL, &err);

	if (!store)
		fprintf(stderr, "open: %s\n", err.msg);
	return store ? 0 : -1;
}

static void processes_that_find_no_store_make_one_together(void **state)
{
	enum { ROUNDS = 20, AT_ONCE = 8 };

	for (int round = 0; round < ROUNDS; round++) {
		pid_t children[AT_ONCE];
		int gate[2];

		assert_int_equal(set_up(state), 0);
		assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
		for (int i = 0; i < AT_ONCE; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				char byte;

				close(gate[1]);
				if (read(gate[0], &byte, 1) != 0) /* all start when it closes */
					_exit(2);
				_exit(open_once() < 0 ? 1 : 0);
			}
		}
		close(gate[0]);
		close(gate[1]);
		for (int i = 0; i < AT_ONCE; i++) {
			int status;

			waitpid(children[i], &status, 0);
			assert_int_equal(status, 0);
		}
		must_be_whole("eight at once");
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		TEST(processes_that_find_no_store_make_one_together),
		TEST(a_pull_killed_at_any_place_is_made_good_by_the_next),
		TEST(a_pull_killed_twice_keeps_what_it_had),
		TEST(a_prune_killed_at_any_place_is_made_good_by_the_next),
		TEST(a_full_disk_is_told_and_what_was_there_stays),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}

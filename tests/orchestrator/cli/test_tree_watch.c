/* tests/orchestrator/cli/test_tree_watch - mirrors orchestrator/cli/tree_watch and sync_in. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "orchestrator/cli/sync_in.h"
#include "orchestrator/cli/tree_watch.h"

/* A folder of its own, and what was told, one "+path" or "-path" a line. */
struct room {
	char folder[64];
	int fd;
	char told[4096];
};

static void enter(struct room *room)
{
	*room = (struct room){ .folder = "/tmp/stack-tree.XXXXXX" };
	assert_non_null(mkdtemp(room->folder));
	room->fd = open(room->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(room->fd >= 0);
}

static void leave(struct room *room)
{
	struct err err = ERR_NONE;

	assert_int_equal(tree_empty(room->fd, &err), 0);
	close(room->fd);
	assert_int_equal(rmdir(room->folder), 0);
}

static bool skips(void *ctx, const char *path)
{
	(void)ctx;
	return strcmp(strrchr(path, '/'), "/skip") == 0;
}

static void changed(void *ctx, const char *path, bool gone)
{
	struct room *room = ctx;
	size_t used = strlen(room->told);

	snprintf(room->told + used, sizeof(room->told) - used, "%c%s\n", gone ? '-' : '+',
		 path + strlen(room->folder) + 1);
}

static void put(const struct room *room, const char *path, const char *text)
{
	AUTO(fd) int fd = openat(room->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool was_told(const struct room *room, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = room->told; (at = strstr(at, line)) != NULL; at++)
		if (at[len] == '\n')
			return true;
	return false;
}

static void files_in_new_folders_are_told_and_skipped_ones_not(void **state)
{
	struct room room;
	struct tree_watch_handler handler = { skips, changed, &room };
	struct err err = ERR_NONE;
	AUTO(tree_watch) struct tree_watch *watch = NULL;

	(void)state;
	enter(&room);
	mkdirat(room.fd, "old", 0755);
	mkdirat(room.fd, "skip", 0755);
	put(&room, "old/gone", "x");
	watch = tree_watch_new(&handler, &err);
	assert_int_equal(tree_watch_add(watch, room.folder, &err), 0);
	put(&room, "a", "1");
	put(&room, "old/b", "2");
	put(&room, "skip/c", "3");
	mkdirat(room.fd, "new", 0755);
	put(&room, "new/d", "4");
	unlinkat(room.fd, "old/gone", 0);
	assert_int_equal(tree_watch_read(watch, &err), 0);
	assert_true(was_told(&room, "+a"));
	assert_true(was_told(&room, "+old/b"));
	assert_true(was_told(&room, "+new"));
	assert_true(was_told(&room, "+new/d"));
	assert_true(was_told(&room, "-old/gone"));
	assert_null(strstr(room.told, "skip/c"));
	room.told[0] = '\0';
	put(&room, "new/e", "5");
	renameat(room.fd, "new/d", room.fd, "old/moved");
	assert_int_equal(tree_watch_read(watch, &err), 0);
	assert_true(was_told(&room, "+new/e"));
	assert_true(was_told(&room, "-new/d"));
	assert_true(was_told(&room, "+old/moved"));
	leave(&room);
}

static void a_single_file_is_followed_through_its_replacement(void **state)
{
	struct room room;
	struct tree_watch_handler handler = { skips, changed, &room };
	struct err err = ERR_NONE;
	AUTO(tree_watch) struct tree_watch *watch = NULL;
	char path[128];

	(void)state;
	enter(&room);
	put(&room, "one", "x");
	snprintf(path, sizeof(path), "%s/one", room.folder);
	watch = tree_watch_new(&handler, &err);
	assert_int_equal(tree_watch_add(watch, path, &err), 0);
	put(&room, "one.new", "y");
	renameat(room.fd, "one.new", room.fd, "one");
	assert_int_equal(tree_watch_read(watch, &err), 0);
	assert_true(was_told(&room, "+one"));
	snprintf(path, sizeof(path), "%s/nothing", room.folder);
	assert_int_equal(tree_watch_add(watch, path, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	leave(&room);
}

static void a_walk_tells_everything_once(void **state)
{
	struct room room;
	struct tree_watch_handler handler = { skips, changed, &room };

	(void)state;
	enter(&room);
	mkdirat(room.fd, "d", 0755);
	mkdirat(room.fd, "skip", 0755);
	put(&room, "d/f", "x");
	put(&room, "skip/g", "x");
	tree_walk(&handler, room.folder);
	assert_true(was_told(&room, "+d"));
	assert_true(was_told(&room, "+d/f"));
	assert_null(strstr(room.told, "skip"));
	leave(&room);
}

static void a_synced_file_appears_whole_below_missing_folders(void **state)
{
	struct room room;
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;
	char from[128];
	struct stat st;

	(void)state;
	enter(&room);
	put(&room, "source", "content");
	fchmodat(room.fd, "source", 0750, 0);
	snprintf(from, sizeof(from), "%s/source", room.folder);
	assert_int_equal(sync_put(room.fd, from, "/x/y/target", getuid(), getgid(), &err), 0);
	assert_int_equal(file_read(room.fd, "x/y/target", 100, &text, NULL, &err), 0);
	assert_string_equal(text, "content");
	assert_int_equal(fstatat(room.fd, "x/y/target", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fstatat(room.fd, "x/y/.stack-sync", &st, 0), -1);
	assert_int_equal(sync_remove(room.fd, "/x/y", &err), 0);
	assert_int_equal(fstatat(room.fd, "x/y", &st, 0), -1);
	assert_int_equal(sync_remove(room.fd, "/x/y/target", &err), 0);
	snprintf(from, sizeof(from), "%s/nothing", room.folder);
	assert_int_equal(sync_put(room.fd, from, "/x/n", 0, 0, &err), 0);
	leave(&room);
}

static void links_in_the_container_lead_nowhere_else(void **state)
{
	struct room outside, inside;
	struct err err = ERR_NONE;
	char from[128];
	struct stat st;

	(void)state;
	enter(&outside);
	enter(&inside);
	put(&outside, "source", "x");
	symlinkat(outside.folder, inside.fd, "out");
	snprintf(from, sizeof(from), "%s/source", outside.folder);
	sync_put(inside.fd, from, "/out/planted", getuid(), getgid(), &err);
	assert_int_equal(fstatat(outside.fd, "planted", &st, 0), -1);
	err = ERR_NONE;
	sync_remove(inside.fd, "/out/source", &err);
	assert_int_equal(fstatat(outside.fd, "source", &st, 0), 0);
	leave(&inside);
	leave(&outside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_in_new_folders_are_told_and_skipped_ones_not),
		cmocka_unit_test(a_single_file_is_followed_through_its_replacement),
		cmocka_unit_test(a_walk_tells_everything_once),
		cmocka_unit_test(a_synced_file_appears_whole_below_missing_folders),
		cmocka_unit_test(links_in_the_container_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

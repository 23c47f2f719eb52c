/* tests/orchestrator/cli/test_watch_rules - mirrors orchestrator/cli/watch_rules. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "orchestrator/cli/watch_rules.h"

/* A project of one service with one rule over /src. */
struct room {
	struct arena *arena;
	struct watch_rule rule;
	struct develop develop;
	struct build build;
	struct mount mount;
	struct service service;
	struct project project;
	struct watch_rules rules;
	struct texts notes;
};

static void enter(struct room *room, const char *action)
{
	*room = (struct room){
		.arena = arena_new(),
		.rule = {.path = "/src", .action = action, .target = "/app/"}
	};
	room->develop = (struct develop){ .watch = &room->rule, .watch_count = 1 };
	room->service = (struct service){ .name = "web", .develop = &room->develop };
	room->project = (struct project){ .services = &room->service, .service_count = 1 };
}

static int make(struct room *room, struct err *err)
{
	*err = ERR_NONE;
	return watch_rules_make(room->arena, &room->project, NULL, &room->rules, &room->notes, err);
}

struct row {
	const char *ignore[3], *include[3];
	const char *path;
	bool taken;
};

static void paths_are_taken_by_pattern(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ { NULL }, { NULL }, "/src/a", true },
		{ { NULL }, { NULL }, "/src", true },
		{ { NULL }, { NULL }, "/src/deep/er/a", true },
		{ { NULL }, { NULL }, "/srcs/a", false },
		{ { NULL }, { NULL }, "/other", false },
		{ { "node_modules/" }, { NULL }, "/src/node_modules/x/y", false },
		{ { "*.tmp" }, { NULL }, "/src/a.tmp", false },
		{ { "*.tmp" }, { NULL }, "/src/a.c", true },
		{ { "*.log", "!keep.log" }, { NULL }, "/src/keep.log", true },
		{ { NULL }, { "*.js" }, "/src/a.js", true },
		{ { NULL }, { "*.js" }, "/src/a.css", false },
		{ { "b.js" }, { "*.js" }, "/src/b.js", false },
		{ { NULL }, { NULL }, "/src/.git/HEAD", false },
		{ { NULL }, { NULL }, "/src/a.c~", false },
		{ { NULL }, { NULL }, "/src/x/.a.c.swp", false },
		{ { NULL }, { NULL }, "/src/4913", false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *ignore[3], *include[3];
		struct room room;
		struct err err;

		memcpy(ignore, rows[i].ignore, sizeof(ignore));
		memcpy(include, rows[i].include, sizeof(include));
		enter(&room, "sync");
		room.rule.ignore = (struct texts){ ignore, 0 };
		while (ignore[room.rule.ignore.count])
			room.rule.ignore.count++;
		room.rule.include = (struct texts){ include, 0 };
		while (include[room.rule.include.count])
			room.rule.include.count++;
		assert_int_equal(make(&room, &err), 0);
		if (watch_item_takes(&room.rules.items[0], rows[i].path) != rows[i].taken)
			fail_msg("row %zu: %s", i, rows[i].path);
		arena_free(room.arena);
	}
}

static void folders_that_nobody_wants_need_no_watch(void **state)
{
	const char *ignore[] = { "node_modules", "part", "!part/kept" };
	struct room room;
	struct err err;

	(void)state;
	enter(&room, "sync");
	room.rule.ignore = (struct texts){ ignore, 3 };
	assert_int_equal(make(&room, &err), 0);
	assert_true(watch_rules_skip(&room.rules, "/src/node_modules"));
	assert_true(watch_rules_skip(&room.rules, "/src/.git"));
	assert_false(watch_rules_skip(&room.rules, "/src/part"));
	assert_false(watch_rules_skip(&room.rules, "/src"));
	assert_true(watch_rules_skip(&room.rules, "/elsewhere"));
	assert_false(watch_rules_skip(&room.rules, "/"));
	arena_free(room.arena);
}

static void a_path_has_its_place_in_the_container(void **state)
{
	static const struct {
		const char *target, *path, *wanted;
	} rows[] = {
		{"/app/", "/src/a/b", "/app/a/b"},
		{ "/app", "/src",     "/app"    },
		{ "/",    "/src/a",   "/a"      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct room room;
		struct err err;

		enter(&room, "sync+restart");
		room.rule.target = rows[i].target;
		assert_int_equal(make(&room, &err), 0);
		assert_true(watch_item_syncs(&room.rules.items[0]));
		assert_string_equal(
			watch_item_target(room.arena, &room.rules.items[0], rows[i].path),
			rows[i].wanted);
		arena_free(room.arena);
	}
}

static void what_is_mounted_already_is_not_synced(void **state)
{
	struct room room;
	struct err err;

	(void)state;
	enter(&room, "sync");
	room.mount = (struct mount){ .type = "bind", .source = "/src", .target = "/x" };
	room.service.volumes = &room.mount;
	room.service.volume_count = 1;
	assert_int_equal(make(&room, &err), 0);
	assert_int_equal(room.rules.count, 0);
	assert_int_equal(room.notes.count, 1);
	room.rule.action = "restart";
	assert_int_equal(make(&room, &err), 0);
	assert_int_equal(room.rules.count, 1);
	arena_free(room.arena);
}

static void dockerignore_of_the_context_counts(void **state)
{
	char context[] = "/tmp/stack-watch.XXXXXX", path[64];
	struct room room;
	struct err err = ERR_NONE;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(context));
	snprintf(path, sizeof(path), "%s/.dockerignore", context);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "dist\n", 5), 5);
	close(fd);
	enter(&room, "rebuild");
	room.rule.path = context;
	room.build.context = context;
	room.service.build = &room.build;
	assert_int_equal(make(&room, &err), 0);
	snprintf(path, sizeof(path), "%s/dist/x", context);
	assert_false(watch_item_takes(&room.rules.items[0], path));
	snprintf(path, sizeof(path), "%s/lib/x", context);
	assert_true(watch_item_takes(&room.rules.items[0], path));
	arena_free(room.arena);
	snprintf(path, sizeof(path), "%s/.dockerignore", context);
	unlink(path);
	assert_int_equal(rmdir(context), 0);
}

static void without_rules_there_is_nothing_to_watch(void **state)
{
	struct room room;
	struct err err;

	(void)state;
	enter(&room, "sync");
	room.service.develop = NULL;
	assert_int_equal(make(&room, &err), -1);
	assert_non_null(strstr(err.msg, "develop"));
	arena_free(room.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_taken_by_pattern),
		cmocka_unit_test(folders_that_nobody_wants_need_no_watch),
		cmocka_unit_test(a_path_has_its_place_in_the_container),
		cmocka_unit_test(what_is_mounted_already_is_not_synced),
		cmocka_unit_test(dockerignore_of_the_context_counts),
		cmocka_unit_test(without_rules_there_is_nothing_to_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

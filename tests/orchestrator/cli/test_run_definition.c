/* tests/orchestrator/cli/test_run_definition - mirrors orchestrator/cli/run_definition. */
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
#include "orchestrator/cli/run_definition.h"

#define WORDS_MAX 32

static int nothing(struct cli *cli, const struct options *options, struct err *err)
{
	(void)cli;
	(void)options;
	(void)err;
	return 0;
}

/* What a test works with; the words live as long as the room. */
struct room {
	struct cli cli;
	struct options *options;
	struct service service;
	struct err err;
};

static void leave(struct room *room)
{
	options_free(room->options);
	arena_free(room->cli.arena);
}

/* `run` with these words (blanks between) over a service that has a bit of everything. */
static int define(struct room *room, const char *line)
{
	static const struct command root = { .name = "run",
					     .options = run_options,
					     .run = nothing,
					     .arguments_max = ARGUMENTS_ANY,
					     .flags = COMMAND_STOPS };
	struct arena *arena = arena_new();
	struct service *service = &room->service;
	AUTO(free) char *text = strdup(line);
	char *argv[WORDS_MAX] = { (char *)(uintptr_t) "run" }, *save = NULL;
	int argc = 1;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	*room = (struct room){ .cli = { .arena = arena }, .options = options_new(&root) };
	*service = (struct service){ .name = "web", .image = "i" };
	service->volumes = arena_alloc(arena, sizeof(struct mount));
	service->volumes[0] = (struct mount){ .type = "volume", .source = "d", .target = "/data" };
	service->volume_count = 1;
	service->ports = arena_alloc(arena, sizeof(struct port));
	service->ports[0] = (struct port){ .target = 80, .protocol = "tcp" };
	service->port_count = 1;
	service->command.items = arena_alloc(arena, sizeof(char *));
	service->command.items[0] = "serve";
	service->command.count = 1;
	service->command.is_set = true;
	assert_int_equal(options_parse(room->options, argc, argv, &room->err), 0);
	return run_define(&room->cli, room->options, service, &room->err);
}

static void flags_change_the_service(void **state)
{
	struct room room;

	(void)state;
	assert_int_equal(define(&room,
				"-u 1:2 -w /tmp -l a=b -l c --cap-add NET_ADMIN --cap-drop ALL "
				"-e B=2 -e A=1 web sh -c x"),
			 0);
	assert_string_equal(room.service.user, "1:2");
	assert_string_equal(room.service.working_dir, "/tmp");
	assert_string_equal(pairs_get(&room.service.labels, "a"), "b");
	assert_string_equal(pairs_get(&room.service.labels, "c"), "");
	assert_true(texts_has(&room.service.cap_add, "NET_ADMIN"));
	assert_true(texts_has(&room.service.cap_drop, "ALL"));
	assert_string_equal(room.service.environment.items[0].name, "A");
	assert_string_equal(room.service.environment.items[1].value, "2");
	assert_int_equal(room.service.command.count, 3);
	assert_string_equal(room.service.command.items[2], "x");
	leave(&room);
}

static void ports_are_published_only_when_asked_for(void **state)
{
	static const struct {
		const char *line;
		size_t count;
	} rows[] = {
		{"web",				       0},
		{ "-P web",				   1},
		{ "-p 8080:90 web",                           1},
		{ "-P -p 8080:90 -p 7000-7001:7000-7001 web", 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct room room;

		assert_int_equal(define(&room, rows[i].line), 0);
		assert_int_equal(room.service.port_count, rows[i].count);
		leave(&room);
	}
}

static void mounts_go_over_those_of_the_same_target(void **state)
{
	struct room room;
	AUTO(free) char *here = getcwd(NULL, 0);

	(void)state;
	assert_int_equal(define(&room, "-v ./x:/data:ro -v cache:/c -v /anon web"), 0);
	assert_int_equal(room.service.volume_count, 3);
	assert_string_equal(room.service.volumes[0].type, "bind");
	assert_true(room.service.volumes[0].read_only);
	assert_memory_equal(room.service.volumes[0].source, here, strlen(here));
	assert_string_equal(room.service.volumes[1].source, "cache");
	assert_null(room.service.volumes[2].source);
	leave(&room);
}

static void an_entrypoint_is_split_and_drops_the_command(void **state)
{
	struct room room;

	(void)state;
	assert_int_equal(define(&room, "--entrypoint=sh web"), 0);
	assert_int_equal(room.service.entrypoint.count, 1);
	assert_int_equal(room.service.command.count, 0);
	leave(&room);
	assert_int_equal(define(&room, "--entrypoint=sh web a"), 0);
	assert_int_equal(room.service.command.count, 1);
	leave(&room);
}

static void variables_of_a_file_come_before_those_of_flags(void **state)
{
	char path[] = "/tmp/stack-env.XXXXXX", line[200];
	struct room room;
	AUTO(fd) int fd = mkstemp(path);
	static const char text[] = "A=file\nB='two words'\n";

	(void)state;
	assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	snprintf(line, sizeof(line), "-e A=flag --env-from-file %s web", path);
	assert_int_equal(define(&room, line), 0);
	unlink(path);
	assert_string_equal(pairs_get(&room.service.environment, "A"), "flag");
	assert_string_equal(pairs_get(&room.service.environment, "B"), "two words");
	leave(&room);
}

static void what_does_not_fit_is_named_with_its_flag(void **state)
{
	static const struct {
		const char *line, *message;
	} rows[] = {
		{"-v a:b web",                         "--volume"               },
		{ "-v /a:/b:nonsense web",             "unknown option nonsense"},
		{ "-p http web",                       "--publish"              },
		{ "--entrypoint=sh;ls web",            "--entrypoint"           },
		{ "--env-from-file /no/such/file web", "--env-from-file"        },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct room room;

		assert_int_equal(define(&room, rows[i].line), -1);
		assert_non_null(strstr(room.err.msg, rows[i].message));
		leave(&room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_change_the_service),
		cmocka_unit_test(ports_are_published_only_when_asked_for),
		cmocka_unit_test(mounts_go_over_those_of_the_same_target),
		cmocka_unit_test(an_entrypoint_is_split_and_drops_the_command),
		cmocka_unit_test(variables_of_a_file_come_before_those_of_flags),
		cmocka_unit_test(what_does_not_fit_is_named_with_its_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/test_plan_ops - mirrors orchestrator/plan_ops: operations on single
 * containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/plan.h"

/* Two replicas of web and a one-off container; the second replica has ended. */
static const struct seen_container there[] = {
	{.id = "w1",  .name = "p-web-1", .service = "web", .slot = 1, .state = SEEN_RUNNING},
	{ .id = "w2", .name = "p-web-2", .service = "web", .slot = 2, .state = SEEN_EXITED },
	{ .id = "r1",
         .name = "p-web-run-1",
         .service = "web",
         .oneoff = true,
         .state = SEEN_RUNNING							     },
};

struct row {
	enum plan_op op;
	unsigned flags;
	const char *ids[4];
	const char *wanted; /* "stop p-web-1 ..." */
};

static void check(const struct row *row)
{
	struct arena *arena = arena_new();
	struct service web = {
		.name = "web", .image = "i", .scale = {2, true}
	};
	struct project project = { .name = "p", .services = &web, .service_count = 1 };
	struct plan_wanted wanted = { .config_hash = "h", .image_id = "i" };
	struct seen seen = { .containers = there, .container_count = 3 };
	const char *services[] = { "web" };
	struct plan_options options = { .op = row->op,
					.flags = row->flags,
					.services = services,
					.service_count = 1,
					.containers = row->ids };
	struct err err = ERR_NONE;
	struct plan plan;
	char text[300] = "";
	size_t used = 0;

	while (row->ids[options.container_count])
		options.container_count++;
	assert_int_equal(plan_make(arena, &project, &wanted, &seen, &options, &plan, &err), 0);
	for (size_t i = 0; i < plan.count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s", i ? " " : "",
					 action_kind_name(plan.actions[i].kind),
					 plan.actions[i].name);
	assert_string_equal(text, row->wanted);
	arena_free(arena);
}

static void only_the_listed_containers_are_touched(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ PLAN_STOP, 0, { "w1" }, "stop p-web-1" },
		{ PLAN_STOP, 0, { "w2" }, "" },
		{ PLAN_STOP, 0, { "r1" }, "stop p-web-run-1" },
		{ PLAN_STOP, 0, { "w1", "r1" }, "stop p-web-1 stop p-web-run-1" },
		{ PLAN_STOP, 0, { "nobody" }, "" },
		{ PLAN_START, PLAN_NO_DEPS, { "w2" }, "start p-web-2" },
		{ PLAN_START, PLAN_NO_DEPS, { "w1" }, "" },
		{ PLAN_RESTART, PLAN_NO_DEPS, { "w1" }, "stop p-web-1 start p-web-1" },
		{ PLAN_RESTART, PLAN_NO_DEPS, { "w2" }, "start p-web-2" },
		{ PLAN_REMOVE, 0, { "w2" }, "remove p-web-2" },
		{ PLAN_REMOVE, 0, { "w1" }, "" },
		{ PLAN_REMOVE, PLAN_STOP_FIRST, { "w1" }, "stop p-web-1 remove p-web-1" },
		{ PLAN_REMOVE, PLAN_STOP_FIRST, { "r1" }, "stop p-web-run-1 remove p-web-run-1" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check(&rows[i]);
}

static void without_a_list_replicas_are_meant_and_rm_takes_what_ended(void **state)
{
	(void)state;
	check(&(struct row){ PLAN_STOP, 0, { NULL }, "stop p-web-1" });
	check(&(struct row){ PLAN_REMOVE, 0, { NULL }, "remove p-web-2" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_listed_containers_are_touched),
		cmocka_unit_test(without_a_list_replicas_are_meant_and_rm_takes_what_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

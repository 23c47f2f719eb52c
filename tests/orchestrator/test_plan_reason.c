/* tests/orchestrator/test_plan_reason - mirrors orchestrator/plan_reason: two versions of a
 * service, and the words for what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/plan_reason.h"
#include "tests/orchestrator/project_room.h"

struct row {
	const char *before, *after; /* members beside image */
	const char *part;           /* of the reason */
};

/* clang-format off */
static const struct row rows[] = {
	{ "", "\"environment\":{\"DEBUG\":\"1\"}", "environment" },
	{ "\"environment\":{\"DEBUG\":\"1\"}", "", "environment" },
	{ "\"environment\":{\"A\":\"1\",\"B\":\"2\"}", "\"environment\":{\"A\":\"1\",\"B\":\"3\"}", "B" },
	{ "\"command\":[\"a\"]", "\"command\":[\"b\"]", "command" },
	{ "\"tty\":true", "", "tty" },
	{ "", "\"cap_add\":[\"NET_ADMIN\"]", "cap_add" },
	{ "\"mem_limit\":\"1048576\"", "\"mem_limit\":\"2097152\"", "mem_limit" },
	{ "", "\"labels\":{\"a\":\"b\"}", "labels" },
};
/* clang-format on */

static struct model *model_of(const char *members)
{
	AUTO(free)
	char *services = xformat("{\"web\":{\"image\":\"i\"%s%s}}", *members ? "," : "", members);

	return room_model(services);
}

static const char *reason_of(struct arena *arena, const struct model *before,
			     const struct model *after)
{
	return plan_reason(arena, &before->project->services[0], &after->project->services[0]);
}

static void what_differs_is_named_by_its_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct model *before = model_of(rows[i].before), *after = model_of(rows[i].after);
		const char *reason = reason_of(arena, before, after);

		assert_non_null(reason);
		if (!strstr(reason, rows[i].part))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, reason, rows[i].part);
		assert_null(strchr(reason, '\n'));
		model_unref(before);
		model_unref(after);
		arena_free(arena);
	}
}

static void many_differences_stay_one_line(void **state)
{
	struct arena *arena = arena_new();
	char members[8192] = "\"environment\":{", reason_text[16];
	size_t len = strlen(members);
	struct model *before = model_of("\"environment\":{\"VARIABLE_0\":\"x\"}"), *after;
	const char *reason;

	(void)state;
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(members + len, sizeof(members) - len,
					"%s\"VARIABLE_%d\":\"%064d\"", i ? "," : "", i, i);
	snprintf(members + len, sizeof(members) - len, "}");
	after = model_of(members);
	reason = reason_of(arena, before, after);
	assert_true(strlen(reason) <= 410);
	snprintf(reason_text, sizeof(reason_text), "%s", reason + strlen(reason) - 3);
	assert_string_equal(reason_text, "...");
	model_unref(before);
	model_unref(after);
	arena_free(arena);
}

static void without_the_old_version_there_is_a_reason_all_the_same(void **state)
{
	struct arena *arena = arena_new();
	struct model *after = model_of("");
	const char *reason = plan_reason(arena, NULL, &after->project->services[0]);

	(void)state;
	assert_non_null(reason);
	assert_true(strlen(reason) > 0);
	model_unref(after);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs_is_named_by_its_key),
		cmocka_unit_test(many_differences_stay_one_line),
		cmocka_unit_test(without_the_old_version_there_is_a_reason_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

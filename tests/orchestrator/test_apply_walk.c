/* tests/orchestrator/test_apply_walk - mirrors orchestrator/apply_walk: the walk over a plan. The
 * single actions are played here: each writes down that it began, and ends when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/apply_internal.h"
#include "orchestrator/slot.h"

#define ACTIONS_MAX 8

struct table {
	uv_loop_t loop;
	struct supervisor sv;
	struct change change;
	struct project project;
	struct model model;
	struct action actions[ACTIONS_MAX];
	size_t after[ACTIONS_MAX][ACTIONS_MAX];
	char trail[64]; /* "0 1 ~2": begun in this order; ~: failed without a beginning */
	struct err result;
	bool over;
};

static struct table *table_of(struct change *change)
{
	return change->flow.job == change ? change->pull_job : NULL; /* what no test pulls with */
}

static void note(struct change *change, const char *sign, size_t at)
{
	char *trail = table_of(change)->trail;

	snprintf(trail + strlen(trail), sizeof(table_of(change)->trail) - strlen(trail), "%s%s%zu",
		 *trail ? " " : "", sign, at);
}

/* ---- the actions (apply), played ---- */

void apply_action(struct change *change, size_t at)
{
	change->states[at] = ACTION_RUNNING;
	change->running++;
	note(change, "", at);
}

void apply_note_failure(struct change *change, const struct action *action, const struct err *err)
{
	note(change, "~", (size_t)(action - change->plan.actions));
	if (!(change->flags & CHANGE_KEEP_GOING) && change->failure.code == ERR_OK)
		change->failure = *err;
}

void apply_tell_failure(struct change *change, const struct action *action, const struct err *err)
{
	(void)change;
	(void)action;
	(void)err;
}

struct slot *apply_slot_of(const struct change *change, const struct action *action)
{
	(void)change;
	(void)action;
	return NULL;
}

bool apply_stops(enum action_kind kind)
{
	return kind == ACTION_STOP || kind == ACTION_REMOVE;
}

/* ---- the bench ---- */

static void over(struct flow *flow, const struct err *err)
{
	struct table *t = table_of(flow->job);

	t->result = *err;
	t->over = true;
	uv_close((uv_handle_t *)&t->change.wait_timer, NULL);
}

static void turn(struct table *t)
{
	for (int i = 0; i < 5; i++)
		uv_run(&t->loop, UV_RUN_NOWAIT);
}

/* "start:0,1" waits for actions 0 and 1; kinds: start, stop. */
static void begin(struct table *t, const char *const *rows, size_t parallel, unsigned flags)
{
	static const struct stage stages[] = {
		{"apply",      ON_LOOP, apply_begin, apply_cancel, 0 },
                { 0}
	};
	struct change *change = &t->change;

	uv_loop_init(&t->loop);
	LIST_INIT(&t->sv.slots);
	TAILQ_INIT(&t->sv.changes);
	LIST_INIT(&change->settles);
	t->sv.loop = &t->loop;
	t->sv.runtime_fd = t->sv.log_fd = t->sv.trace_fd = -1;
	t->sv.nursery = (struct nursery *)(void *)t; /* there is one: none is opened */
	t->model.project = &t->project;
	change->sv = &t->sv;
	change->model = &t->model;
	change->arena = arena_new();
	change->parallel = parallel;
	change->flags = flags;
	change->plan.actions = t->actions;
	change->pull_job = t;
	for (size_t i = 0; rows[i]; i++, change->plan.count++) {
		struct action *action = &t->actions[i];
		const char *colon = strchr(rows[i], ':');

		*action = (struct action){ .kind = strncmp(rows[i], "stop", 4) == 0 ? ACTION_STOP
										    : ACTION_START,
					   .service = "s",
					   .name = "s-1",
					   .after = t->after[i] };
		for (const char *c = colon ? colon + 1 : ""; *c; c++)
			if (*c != ',')
				t->after[i][action->after_count++] = (size_t)(*c - '0');
	}
	uv_timer_init(&t->loop, &change->wait_timer);
	change->wait_timer.data = change;
	change->flow =
		(struct flow){ .name = "test", .table = stages, .job = change, .done = over };
	flow_start(&change->flow, &t->loop);
	turn(t);
}

static void finish(struct table *t, size_t at)
{
	assert_int_equal(t->change.states[at], ACTION_RUNNING);
	t->change.running--;
	t->change.states[at] = ACTION_DONE;
	apply_look(&t->change);
	turn(t);
}

static void break_off(struct table *t, size_t at, const char *why)
{
	t->change.running--;
	t->change.states[at] = ACTION_FAILED;
	if (!(t->change.flags & CHANGE_KEEP_GOING) && t->change.failure.code == ERR_OK)
		err_set(&t->change.failure, ERR_SYSTEM, "%s", why);
	apply_look(&t->change);
	turn(t);
}

static void end(struct table *t)
{
	assert_true(t->over);
	turn(t);
	arena_free(t->change.arena);
	assert_int_equal(uv_loop_close(&t->loop), 0);
}

/* ---- tests ---- */

static void all_that_may_begin_begins_and_edges_are_kept(void **state)
{
	static const char *const rows[] = { "start", "start", "start:0,1", "start:2", NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 0, 0);
	assert_string_equal(t.trail, "0 1");
	finish(&t, 1);
	assert_string_equal(t.trail, "0 1");
	finish(&t, 0);
	assert_string_equal(t.trail, "0 1 2");
	finish(&t, 2);
	assert_false(t.over);
	finish(&t, 3);
	assert_int_equal(t.result.code, ERR_OK);
	end(&t);
}

static void an_empty_plan_is_over_at_once(void **state)
{
	static const char *const rows[] = { NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 0, 0);
	assert_int_equal(t.result.code, ERR_OK);
	end(&t);
}

static void parallel_bounds_what_runs_at_once(void **state)
{
	static const char *const rows[] = { "start", "start", "start", "start", NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 2, 0);
	assert_string_equal(t.trail, "0 1");
	finish(&t, 0);
	assert_string_equal(t.trail, "0 1 2");
	finish(&t, 2);
	assert_string_equal(t.trail, "0 1 2 3");
	finish(&t, 1);
	finish(&t, 3);
	end(&t);
}

static void a_failure_holds_back_what_is_brought_up_and_not_what_is_taken_down(void **state)
{
	static const char *const rows[] = { "start", "start:0", "start", "start:2",
					    "stop",  "stop:4",  NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 0, 0);
	assert_string_equal(t.trail, "0 2 4");
	break_off(&t, 0, "no such file");
	finish(&t, 4);
	assert_string_equal(t.trail, "0 2 4 5"); /* 1 never; 3 not, although 2 goes well */
	finish(&t, 2);
	assert_false(t.over); /* what runs is waited for */
	finish(&t, 5);
	assert_int_equal(t.result.code, ERR_SYSTEM);
	assert_string_equal(t.result.msg, "no such file");
	end(&t);
}

static void with_keep_going_only_those_behind_the_failed_one_are_left(void **state)
{
	static const char *const rows[] = { "start", "start:0", "start", "start:2", NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 0, CHANGE_KEEP_GOING);
	break_off(&t, 0, "no such file");
	assert_string_equal(t.trail, "0 2 ~1");
	finish(&t, 2);
	assert_string_equal(t.trail, "0 2 ~1 3");
	finish(&t, 3);
	assert_int_equal(t.result.code, ERR_OK);
	end(&t);
}

static void a_cancel_waits_for_what_runs_and_begins_nothing(void **state)
{
	static const char *const rows[] = { "start", "start:0", "start", NULL };
	struct table t = { 0 };

	(void)state;
	begin(&t, rows, 0, 0);
	flow_cancel(&t.change.flow);
	turn(&t);
	assert_false(t.over);
	finish(&t, 0);
	assert_string_equal(t.trail, "0 2");
	assert_false(t.over);
	finish(&t, 2);
	assert_int_equal(t.result.code, ERR_CANCELLED);
	end(&t);
}

static void an_action_waits_for_the_condition_of_its_service(void **state)
{
	static const char *const rows[] = { "start", NULL };
	char name[] = "db", container[] = "shop-db-1";
	struct record record = { .name = container, .life = 1 };
	struct table t = { 0 };
	struct slot slot = {
		.sv = &t.sv, .service = name, .record = &record, .state = SLOT_STARTING
	};
	const struct plan_wait wait = { name, "service_started", true };

	(void)state;
	t.actions[0].wait_count = 0;
	begin(&t, rows, 1, 0);
	assert_string_equal(t.trail, "0"); /* without a condition */
	finish(&t, 0);
	end(&t);
	memset(&t, 0, sizeof(t));
	{
		/* the condition is there before the first look */
		static const char *const two[] = { "start", "start:0", NULL };

		begin(&t, two, 0, 0);
		LIST_INSERT_HEAD(&t.sv.slots, &slot, link);
		t.actions[1].waits = &wait;
		t.actions[1].wait_count = 1;
		finish(&t, 0);
		assert_string_equal(t.trail, "0");
		slot.state = SLOT_RUNNING;
		apply_look(&t.change);
		assert_string_equal(t.trail, "0 1");
		finish(&t, 1);
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_may_begin_begins_and_edges_are_kept),
		cmocka_unit_test(an_empty_plan_is_over_at_once),
		cmocka_unit_test(parallel_bounds_what_runs_at_once),
		cmocka_unit_test(
			a_failure_holds_back_what_is_brought_up_and_not_what_is_taken_down),
		cmocka_unit_test(with_keep_going_only_those_behind_the_failed_one_are_left),
		cmocka_unit_test(a_cancel_waits_for_what_runs_and_begins_nothing),
		cmocka_unit_test(an_action_waits_for_the_condition_of_its_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

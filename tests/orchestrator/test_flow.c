/* tests/orchestrator/test_flow - mirrors orchestrator/flow: each run writes down what was called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "orchestrator/flow.h"

struct job {
	struct flow flow;
	char trail[256]; /* "a b B A": small letters ran, big ones were taken back */
	struct err result;
	unsigned done_count;
	pthread_t loop_thread;
	bool wrong_thread;
	uv_timer_t timer;
	void (*on_timer)(struct job *job);
};

static void note(struct job *job, char what)
{
	size_t len = strlen(job->trail);

	snprintf(job->trail + len, sizeof(job->trail) - len, "%s%c", len ? " " : "", what);
}

static int on_loop(struct job *job, char what)
{
	job->wrong_thread |= !pthread_equal(pthread_self(), job->loop_thread);
	note(job, what);
	return 0;
}

static int in_pool(struct job *job, char what)
{
	job->wrong_thread |= pthread_equal(pthread_self(), job->loop_thread) != 0;
	note(job, what);
	return 0;
}

/* clang-format off */
static int run_a(void *job, struct err *err)  { (void)err; return on_loop(job, 'a'); }
static int undo_a(void *job, struct err *err) { (void)err; return on_loop(job, 'A'); }
static int run_b(void *job, struct err *err)  { (void)err; return in_pool(job, 'b'); }
static int undo_b(void *job, struct err *err) { (void)err; return in_pool(job, 'B'); }
static int run_c(void *job, struct err *err)  { (void)err; return in_pool(job, 'c'); }
static int undo_c(void *job, struct err *err) { (void)err; return in_pool(job, 'C'); }
static int wait_w(void *job, struct err *err) { (void)err; on_loop(job, 'w'); return STAGE_WAITS; }
static int undo_w(void *job, struct err *err) { (void)err; return on_loop(job, 'W'); }
static int fail_f(void *job, struct err *err) { in_pool(job, 'f'); return err_set(err, ERR_BUSY, "f broke"); }
static int undo_f(void *job, struct err *err) { (void)err; return in_pool(job, 'F'); }
static int fail_g(void *job, struct err *err) { on_loop(job, 'g'); return err_set(err, ERR_DENIED, "g broke"); }
static int bad_undo(void *job, struct err *err) { in_pool(job, 'X'); return err_set(err, ERR_SYSTEM, "undo broke"); }
/* clang-format on */

static int cancel_while_in_pool(void *pointer, struct err *err)
{
	struct job *job = pointer;

	(void)err;
	in_pool(job, 'p');
	job->flow.cancelled = true; /* as flow_cancel does on the loop while the pool works */
	return 0;
}

static void done(struct flow *flow, const struct err *err)
{
	struct job *job = flow->job;

	job->result = *err;
	job->done_count++;
}

static void timer_fired(uv_timer_t *timer)
{
	struct job *job = timer->data;

	job->on_timer(job);
	uv_close((uv_handle_t *)timer, NULL);
}

static void run(struct job *job, const struct stage *table, void (*on_timer)(struct job *))
{
	uv_loop_t loop;

	memset(job, 0, sizeof(*job));
	job->loop_thread = pthread_self();
	job->flow = (struct flow){ .name = "test", .table = table, .job = job, .done = done };
	job->on_timer = on_timer;
	assert_int_equal(uv_loop_init(&loop), 0);
	flow_start(&job->flow, &loop);
	assert_int_equal(job->done_count, 0);
	assert_string_equal(job->trail, ""); /* nothing runs inside flow_start */
	if (on_timer) {
		job->timer.data = job;
		uv_timer_init(&loop, &job->timer);
		uv_timer_start(&job->timer, timer_fired, 5, 0);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0); /* no handle is left */
	assert_int_equal(job->done_count, 1);
	assert_false(job->wrong_thread);
}

static void stages_run_in_order_each_in_its_place(void **state)
{
	static const struct stage table[] = {
		{"a",    ON_LOOP, run_a, undo_a, 0 },
		{ "b", IN_POOL, run_b, undo_b, 0 },
		{ "c",     IN_POOL, run_c, undo_c, 0 },
		{ "a",   ON_LOOP, run_a, undo_a, 0 },
		{ 0}
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "a b c a");
	assert_int_equal(job.result.code, ERR_OK);
}

static void an_empty_table_is_over_at_once(void **state)
{
	static const struct stage table[] = { { 0 } };
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_int_equal(job.result.code, ERR_OK);
}

static void a_failure_walks_back_from_its_own_stage(void **state)
{
	static const struct stage table[] = {
		{"a",    ON_LOOP, run_a, undo_a, 0 },
		{ "b", IN_POOL, run_b, undo_b, 0 },
		{ "f",     IN_POOL, fail_f, undo_f, 0 },
		{ "c",   IN_POOL, run_c, undo_c, 0 },
		{ 0}
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "a b f F B A");
	assert_int_equal(job.result.code, ERR_BUSY);
	assert_string_equal(job.result.msg, "f broke");
}

static void a_stage_without_undo_is_passed_over_on_the_way_back(void **state)
{
	static const struct stage table[] = {
		{"a",    ON_LOOP, run_a, undo_a, 0 },
		{ "b", IN_POOL, run_b, NULL, 0 },
		{ "g",     ON_LOOP, fail_g, NULL, 0 },
		{ 0  }
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "a b g A");
	assert_int_equal(job.result.code, ERR_DENIED);
}

static void a_failing_undo_is_kept_and_the_way_back_goes_on(void **state)
{
	static const struct stage table[] = {
		{"a",    ON_LOOP, run_a, undo_a, 0 },
		{ "b", IN_POOL, run_b, bad_undo, 0 },
		{ "f",     IN_POOL, fail_f, undo_f, 0 },
		{ 0  }
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "a b f F X A");
	assert_string_equal(job.result.msg, "f broke");
	assert_string_equal(job.flow.undo_err.msg, "undo broke");
}

static const struct stage waiting_table[] = {
	{"b",    IN_POOL, run_b, undo_b, 0 },
	{ "w", ON_LOOP, wait_w, undo_w, 10000 },
	{ "c",     IN_POOL, run_c, undo_c, 0 },
	{ 0  }
};

static void resume_well(struct job *job)
{
	flow_resume(&job->flow, NULL);
	flow_resume(&job->flow, NULL); /* nothing waits any more */
}

static void resume_badly(struct job *job)
{
	struct err failure = { ERR_NOT_FOUND, "the other side is gone" };

	flow_resume(&job->flow, &failure);
}

static void cancel(struct job *job)
{
	flow_cancel(&job->flow);
	flow_cancel(&job->flow);
}

static void a_wait_ends_well_or_badly(void **state)
{
	struct job job;

	(void)state;
	run(&job, waiting_table, resume_well);
	assert_string_equal(job.trail, "b w c");
	assert_int_equal(job.result.code, ERR_OK);
	run(&job, waiting_table, resume_badly);
	assert_string_equal(job.trail, "b w W B");
	assert_string_equal(job.result.msg, "the other side is gone");
}

static void a_cancelled_wait_walks_back(void **state)
{
	struct job job;

	(void)state;
	run(&job, waiting_table, cancel);
	assert_string_equal(job.trail, "b w W B");
	assert_int_equal(job.result.code, ERR_CANCELLED);
}

static void a_cancel_during_a_pool_stage_waits_for_its_end(void **state)
{
	static const struct stage table[] = {
		{"p",                   IN_POOL, cancel_while_in_pool, undo_b, 0 },
		{ "c", IN_POOL, run_c, undo_c, 0 },
		{ 0                   }
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "p B");
	assert_int_equal(job.result.code, ERR_CANCELLED);
}

static void a_wait_that_takes_too_long_fails_by_name(void **state)
{
	static const struct stage table[] = {
		{"b",    IN_POOL, run_b, undo_b, 0 },
                { "w", ON_LOOP, wait_w, undo_w, 1 },
                { 0    }
	};
	struct job job;

	(void)state;
	run(&job, table, NULL);
	assert_string_equal(job.trail, "b w W B");
	assert_int_equal(job.result.code, ERR_TIMEOUT);
	assert_string_equal(job.result.msg, "w: not over after 1 ms");
}

static void a_trace_has_a_line_for_each_stage(void **state)
{
	static const struct stage table[] = {
		{"first", ON_LOOP, run_a, NULL, 0 },
                { "second",  IN_POOL, run_b, NULL, 0 },
                { 0     }
	};
	struct job job;
	char text[1024] = "";
	uv_loop_t loop;
	int ends[2];

	(void)state;
	memset(&job, 0, sizeof(job));
	job.loop_thread = pthread_self();
	assert_int_equal(pipe(ends), 0);
	job.flow = (struct flow){
		.name = "test", .table = table, .job = &job, .done = done, .trace_fd = ends[1]
	};
	uv_loop_init(&loop);
	flow_start(&job.flow, &loop);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_non_null(strstr(text, "\"name\":\"first\",\"cat\":\"test\",\"ph\":\"X\""));
	assert_non_null(strstr(text, "\"name\":\"second\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_run_in_order_each_in_its_place),
		cmocka_unit_test(an_empty_table_is_over_at_once),
		cmocka_unit_test(a_failure_walks_back_from_its_own_stage),
		cmocka_unit_test(a_stage_without_undo_is_passed_over_on_the_way_back),
		cmocka_unit_test(a_failing_undo_is_kept_and_the_way_back_goes_on),
		cmocka_unit_test(a_wait_ends_well_or_badly),
		cmocka_unit_test(a_cancelled_wait_walks_back),
		cmocka_unit_test(a_cancel_during_a_pool_stage_waits_for_its_end),
		cmocka_unit_test(a_wait_that_takes_too_long_fails_by_name),
		cmocka_unit_test(a_trace_has_a_line_for_each_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

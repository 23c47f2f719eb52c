/* orchestrator/flow - runs a table of stages, in order, on a libuv loop; walks back when one fails.
 *
 * Owns: the place in the table, the direction, the time-out, the hop into the pool and back.
 * May not touch: what a job means, files, the log.
 */
#include "orchestrator/flow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/stamp.h"

static void step(struct flow *flow);

static stage_fn current_fn(const struct flow *flow)
{
	const struct stage *stage = &flow->table[flow->at];

	return flow->back ? stage->undo : stage->run;
}

static void closed(uv_handle_t *timer)
{
	struct flow *flow = timer->data;

	flow->done(flow, &flow->err);
}

static void trace(const struct flow *flow)
{
	char line[256];
	uint64_t now = stamp_monotonic_us();
	int len = snprintf(line, sizeof(line),
			   "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%" PRIu64
			   ",\"dur\":%" PRIu64 ",\"pid\":%d,\"tid\":%u},\n",
			   flow->table[flow->at].name, flow->name, flow->stage_start_us,
			   now - flow->stage_start_us, (int)getpid(),
			   (unsigned)((uintptr_t)flow >> 6) & 0xffffu);

	if (len > 0 && len < (int)sizeof(line) && write(flow->trace_fd, line, (size_t)len) < 0)
		return; /* nobody reads the trace any more */
}

/* Takes in how the stage at `at` ended, and moves on by one in the present direction. */
static void stage_over(struct flow *flow)
{
	if (flow->trace_fd > 0)
		trace(flow);
	if (flow->back) {
		if (flow->stage_result < 0)
			flow->undo_err = flow->stage_err;
		flow->at--;
		return;
	}
	if (flow->stage_result == 0 && flow->cancelled)
		flow->stage_result = err_set(&flow->stage_err, ERR_CANCELLED, "cancelled");
	if (flow->stage_result < 0) {
		flow->err = flow->stage_err;
		flow->back = true; /* the failed stage takes its own half back too */
		return;
	}
	flow->at++;
}

static void begin(struct flow *flow)
{
	crash_point(flow->name, flow->table[flow->at].name);
	flow->stage_err = ERR_NONE;
	flow->stage_result = 0;
	if (flow->trace_fd > 0)
		flow->stage_start_us = stamp_monotonic_us();
}

static bool next_is_pool(const struct flow *flow)
{
	return flow->at >= 0 && flow->table[flow->at].name && current_fn(flow) &&
	       flow->table[flow->at].where == IN_POOL;
}

static void pool_work(uv_work_t *work)
{
	struct flow *flow = work->data;
	bool back = flow->back;

	for (;;) {
		flow->stage_result = current_fn(flow)(flow->job, &flow->stage_err);
		assert(flow->stage_result != STAGE_WAITS);
		stage_over(flow);
		if (flow->back != back || !next_is_pool(flow))
			return;
		begin(flow);
	}
}

static void pool_done(uv_work_t *work, int status)
{
	(void)status;
	step(work->data);
}

static void timed_out(uv_timer_t *timer)
{
	struct flow *flow = timer->data;
	struct err late = ERR_NONE;

	err_set(&late, ERR_TIMEOUT, "%s: not over after %u ms", flow->table[flow->at].name,
		flow->table[flow->at].timeout_ms);
	flow_resume(flow, &late);
}

static void step(struct flow *flow)
{
	while (flow->at >= 0 && flow->table[flow->at].name) {
		const struct stage *stage = &flow->table[flow->at];

		begin(flow);
		if (!current_fn(flow)) {
			stage_over(flow);
			continue;
		}
		if (stage->where == IN_POOL) {
			uv_queue_work(flow->timer.loop, &flow->work, pool_work, pool_done);
			return;
		}
		flow->stage_result = current_fn(flow)(flow->job, &flow->stage_err);
		if (flow->stage_result == STAGE_WAITS) {
			flow->waiting = true;
			if (!flow->back && stage->timeout_ms)
				uv_timer_start(&flow->timer, timed_out, stage->timeout_ms, 0);
			return;
		}
		stage_over(flow);
	}
	uv_close((uv_handle_t *)&flow->timer, closed);
}

static void first_tick(uv_timer_t *timer)
{
	step(timer->data);
}

void flow_start(struct flow *flow, uv_loop_t *loop)
{
	flow->err = flow->undo_err = flow->stage_err = ERR_NONE;
	flow->at = 0;
	flow->back = flow->waiting = flow->cancelled = false;
	flow->work.data = flow->timer.data = flow;
	uv_timer_init(loop, &flow->timer);
	uv_timer_start(&flow->timer, first_tick, 0, 0);
}

void flow_resume(struct flow *flow, const struct err *failure)
{
	if (!flow->waiting)
		return;
	flow->waiting = false;
	uv_timer_stop(&flow->timer);
	flow->stage_err = failure ? *failure : ERR_NONE;
	flow->stage_result = failure ? -1 : 0;
	stage_over(flow);
	step(flow);
}

void flow_cancel(struct flow *flow)
{
	struct err cancelled = { ERR_CANCELLED, "cancelled" };

	flow->cancelled = true;
	if (!flow->back)
		flow_resume(flow, &cancelled);
}

/* orchestrator/flow - runs a table of stages, in order, on a libuv loop; walks back when one fails.
 *
 * The table says WHAT happens and where; this file alone knows threads, timers and the way back.
 * A stage function is blocking and loop-free (IN_POOL), or quick and evented (ON_LOOP).
 * Neighbouring pool stages run in one hop to the pool.
 *
 * Undo is written so that it may find the stage done, half done or not begun, because it is called
 * in four cases: its stage failed, a later one failed, the flow was cancelled, or a new supervisor
 * finds the record of a flow that a crash cut off. A failing undo is kept in undo_err, and the way
 * back goes on.
 *
 * Threads: every flow_ function belongs to the loop's thread. Memory: struct flow and the job are
 * the caller's and must live until done() has been called; done() may free both.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define STAGE_WAITS 1 /* "not over yet: somebody will call flow_resume" (ON_LOOP only) */

enum stage_where { ON_LOOP, IN_POOL };

/* 0: over. -1: failed, *err filled. STAGE_WAITS: see above. */
typedef int (*stage_fn)(void *job, struct err *err);

struct stage {
	const char *name; /* also its name in events and crash points; NULL ends the table */
	enum stage_where where;
	stage_fn run;
	stage_fn undo;       /* NULL: nothing to take back */
	unsigned timeout_ms; /* for a run that waits; 0: for ever */
};

struct flow {
	const char *name;
	const struct stage *table;
	void *job;
	/* Last call. err->code is ERR_OK when every stage ran, else the first failure. */
	void (*done)(struct flow *flow, const struct err *err);
	int trace_fd; /* Chrome-trace lines of every stage go there; 0 or -1: nowhere */

	/* The engine's own from here on. */
	struct err err, undo_err, stage_err;
	int at; /* -1: walked back past the first stage */
	int stage_result;
	bool back, waiting;
	volatile bool cancelled; /* set on the loop, looked at in the pool */
	uint64_t stage_start_us;
	uv_work_t work;
	uv_timer_t timer;
};

/* Starts; done() never comes before flow_start has returned. */
void flow_start(struct flow *flow, uv_loop_t *loop);

/* Ends the wait of the current stage; failure == NULL: it went well. Ignored if nothing waits. */
void flow_resume(struct flow *flow, const struct err *failure);

/* Ends a wait at once and a pool stage when it returns, then walks back. Repeating is harmless. */
void flow_cancel(struct flow *flow);

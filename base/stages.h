/* base/stages - a table of steps that block: runs them in order and walks back when one fails.
 *
 * The blocking sister of orchestrator/flow, for processes with one thread (runtime, monitor). Undo
 * may find its step done, half done or not begun. Every step is a crash point (base/crash)
 * "AREA:NAME", and in test builds STACK_FAIL_AT=AREA:NAME makes it fail. STACK_TRACE=FD writes
 * name, start and end (ns) of each as a line of Chrome-trace JSON.
 */
#pragma once
#include "base/err.h"

struct step {
	const char *name; /* NULL ends the table */
	int (*run)(void *job, struct err *err);
	void (*undo)(void *job); /* NULL: nothing to take back; it logs its own failures */
};

/* Runs all. On failure: *err is wrapped "NAME: ...", undo of the failed step and of all before it
 * is called in reverse order. */
int stages_run(const char *area, const struct step *table, void *job, struct err *err);
/* The same, and tell (may be NULL) hears of each step before it runs. */
int stages_run_told(const char *area, const struct step *table, void *job,
		    void (*tell)(void *context, const char *area, const char *name), void *context,
		    struct err *err);
/* The way back alone, over the whole table: after a crash, or at the end of a life. */
void stages_undo(const char *area, const struct step *table, void *job);
/* Crash and failure point by hand, for what is no table. -1 only in test builds. */
int stages_point(const char *area, const char *name, struct err *err);

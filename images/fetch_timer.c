/* images/fetch_timer - one timer of the caller's loop, for curl and for who waits.
 *
 * Owns: the list of what is due. May not touch: requests.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "images/fetch_state.h"

struct fetch_timer {
	LIST_ENTRY(fetch_timer) link;
	uint64_t number, due_us;
	void (*call)(void *ctx);
	void *ctx;
};

void fetch_timers_arm(struct fetch *fetch)
{
	uint64_t now = stamp_monotonic_us(), due = fetch->curl_due_us;
	struct fetch_timer *timer;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		if (!due || timer->due_us < due)
			due = timer->due_us;
	if (!due)
		fetch->loop.timer(fetch->loop.ctx, -1);
	else
		fetch->loop.timer(fetch->loop.ctx,
				  due <= now ? 0 : (long)((due - now + 999) / 1000));
}

int fetch_curl_wants_timer(CURLM *multi, long ms, void *ctx)
{
	struct fetch *fetch = ctx;

	(void)multi;
	fetch->curl_due_us = ms < 0 ? 0 : stamp_monotonic_us() + (uint64_t)ms * 1000;
	fetch_timers_arm(fetch);
	return 0;
}

uint64_t fetch_after(struct fetch *fetch, uint64_t ms, void (*call)(void *ctx), void *ctx)
{
	struct fetch_timer *timer = xcalloc(1, sizeof(*timer));

	timer->number = ++fetch->next_number;
	timer->due_us = stamp_monotonic_us() + ms * 1000;
	timer->call = call;
	timer->ctx = ctx;
	LIST_INSERT_HEAD(&fetch->timers, timer, link);
	fetch_timers_arm(fetch);
	return timer->number;
}

void fetch_after_cancel(struct fetch *fetch, uint64_t number)
{
	struct fetch_timer *timer;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		if (timer->number == number) {
			LIST_REMOVE(timer, link);
			free(timer);
			return;
		}
}

/* One due timer after the other: a call may add and cancel others. */
static bool run_due_timer(struct fetch *fetch, uint64_t now)
{
	struct fetch_timer *timer, due;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		/* analyzer: what is freed has left the list */
		if (timer->due_us <= now) {
			due = *timer;
			LIST_REMOVE(timer, link);
			free(timer);
			due.call(due.ctx);
			return true;
		}
	return false;
}

void fetch_timers_run(struct fetch *fetch, uint64_t now_us)
{
	while (run_due_timer(fetch, now_us))
		;
}

void fetch_timers_free(struct fetch *fetch)
{
	struct fetch_timer *timer;

	while ((timer = LIST_FIRST(&fetch->timers))) {
		LIST_REMOVE(timer, link);
		free(timer);
	}
}

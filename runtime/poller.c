/* runtime/poller - one thread waits for descriptors and for times.
 *
 * Owns: the epoll descriptor, the list of timers (few). May not touch: what is watched.
 */
#include "runtime/poller.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/stamp.h"

struct poller {
	int fd;
	struct timer *timers; /* the next due first */
};

struct poller *poller_new(struct err *err)
{
	struct poller *poller = xcalloc(1, sizeof(*poller));

	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd >= 0)
		return poller;
	err_sys(err, errno, "epoll");
	free(poller);
	return NULL;
}

void poller_free(struct poller *poller)
{
	close(poller->fd);
	free(poller);
}

int poller_watch(struct poller *poller, struct watch *watch, uint32_t events, struct err *err)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->is_added && watch->events == events)
		return 0;
	if (epoll_ctl(poller->fd, watch->is_added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
		      &event) < 0)
		return err_sys(err, errno, "watch a descriptor");
	watch->is_added = true;
	watch->events = events;
	return 0;
}

void poller_unwatch(struct poller *poller, struct watch *watch)
{
	if (watch->is_added)
		epoll_ctl(poller->fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->is_added = false;
}

void poller_clear_timer(struct poller *poller, struct timer *timer)
{
	struct timer **at = &poller->timers;

	if (!timer->is_set)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->is_set = false;
}

void poller_set_timer(struct poller *poller, struct timer *timer, unsigned after_ms)
{
	struct timer **at = &poller->timers;

	poller_clear_timer(poller, timer);
	timer->at_us = stamp_monotonic_us() + after_ms * 1000ull;
	while (*at && (*at)->at_us <= timer->at_us)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	timer->is_set = true;
}

/* Calls what is due: true when something was. *out_wait_ms: to the next timer, -1 without timers.
 */
static bool run_timers(struct poller *poller, int *out_wait_ms)
{
	bool was_due = false;

	*out_wait_ms = -1;
	while (poller->timers) {
		struct timer *timer = poller->timers;
		uint64_t now_us = stamp_monotonic_us();

		if (timer->at_us > now_us) {
			*out_wait_ms = (int)((timer->at_us - now_us + 999) / 1000);
			break;
		}
		poller_clear_timer(poller, timer);
		timer->due(timer);
		was_due = true;
	}
	return was_due;
}

int poller_step(struct poller *poller, struct err *err)
{
	struct epoll_event event;
	int wait_ms, n;

	if (run_timers(poller, &wait_ms))
		return 0; /* the caller looks at what has changed */
	n = epoll_wait(poller->fd, &event, 1, wait_ms);
	if (n < 0 && errno != EINTR)
		return err_sys(err, errno, "epoll_wait");
	if (n > 0) {
		struct watch *watch = event.data.ptr;

		watch->ready(watch, event.events);
	}
	return 0;
}

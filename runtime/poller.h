/* runtime/poller - one thread waits for descriptors and for times (epoll).
 *
 * Watches and timers live in their owners' structs; the poller only links them. A callback may add
 * and remove any of them, its own included, and free what they lie in. One event is handed out at a
 * time, so that no stale one ever is. Level-triggered.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/err.h"

struct poller;

struct watch {
	int fd; /* borrowed */
	void (*ready)(struct watch *watch, uint32_t events);
	uint32_t events; /* EPOLLIN, EPOLLOUT; set by poller_watch */
	bool is_added;
};

struct timer {
	void (*due)(struct timer *timer);
	uint64_t at_us; /* monotonic */
	struct timer *next;
	bool is_set;
};

/* Watches and timers that are still there at the end are forgotten, not closed. */
struct poller *poller_new(struct err *err);
void poller_free(struct poller *poller);
AUTO_TYPE(poller, poller_free);

/* Adds the watch, or changes what it waits for. events 0: hang-ups and errors are still told. */
int poller_watch(struct poller *poller, struct watch *watch, uint32_t events, struct err *err);
/* Takes it out, before its descriptor is closed. Not added: fine. */
void poller_unwatch(struct poller *poller, struct watch *watch);
/* Sets or moves the timer. */
void poller_set_timer(struct poller *poller, struct timer *timer, unsigned after_ms);
void poller_clear_timer(struct poller *poller, struct timer *timer);

/* Waits for one event or for the timers that are due, and calls. Blocks. */
int poller_step(struct poller *poller, struct err *err);

/* The struct that a member lies in. */
#define OWNER_OF(pointer, type, member)                                                            \
	((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

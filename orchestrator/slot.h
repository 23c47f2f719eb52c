/* orchestrator/slot - the N-th replica of a service: what runs in it, and what is being done to it.
 *
 * A slot owns what outlives containers (network namespace, addresses, log folder) and at most one
 * container. slot_start, slot_stop and slot_remove begin one job each and report once through done,
 * on the loop; one job at a time. Everything here is the loop's; the jobs' blocking halves run in
 * the pool.
 */
#pragma once
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/err.h"
#include "orchestrator/flow.h"
#include "orchestrator/records.h"
#include "orchestrator/supervisor.h"

enum slot_state {
	SLOT_EMPTY, /* no container */
	SLOT_CREATED,
	SLOT_STARTING,
	SLOT_RUNNING,
	SLOT_STOPPING,
	SLOT_EXITED,
	SLOT_BACKOFF, /* exited, starts again when the timer is due */
	SLOT_REMOVING,
	SLOT_STATE_COUNT
};

struct slot;
struct health;
struct idle;
struct start_job;
struct ready;

/* x-stack.ready of this start. */
enum ready_state { READY_NONE, READY_WAITS, READY_YES, READY_LATE };

/* The end of a job; err->code ERR_OK when it went well. */
typedef void (*slot_done)(void *ctx, struct slot *slot, const struct err *err);

/* A stop that came while a start was on its way. */
struct stop_wish {
	bool waits, by_hand, cuts_off;
	int64_t timeout_us;
	const char *reason;
	slot_done done;
	void *ctx;
};

struct slot {
	LIST_ENTRY(slot) link;
	struct supervisor *sv;
	char *service;
	unsigned number; /* 0 for one-off containers */
	char *oneoff;    /* 12 hex, or NULL */
	char *name;      /* "web.1" */
	struct record *record;
	struct slot_net *net; /* NULL before its first net_prepare */
	struct model
		*model; /* the one the container was made from; of a one-off: as `run` changed it */
	enum slot_state state;

	struct start_job *starting;
	slot_done done; /* of the present job */
	void *done_ctx;
	struct stop_wish stop_next; /* as soon as the start is over */
	int monitor_pidfd;
	uv_poll_t monitor_poll;
	bool is_watched;
	uv_timer_t timer;    /* grace period, or backoff */
	unsigned streak;     /* lives in a row that ended before RESET_AFTER */
	bool stop_wanted;    /* the present end was asked for */
	bool outlived_grace; /* the last stop needed SIGKILL */
	bool is_killed;      /* SIGKILL was sent: nothing of it needs the network any more */
	bool is_deferred;    /* the record on disk is older than record: see slots_write_deferred */
	bool kept_down;      /* stopped by hand: policy does not start it again */
	bool hold_start;     /* wait between "created" and "release" until slot_go (run) */
	bool remove_after;   /* run --rm */
	bool unsettled;      /* the newcomer of a start-first update: has no ports yet */
	bool awaits_needs;   /* in BACKOFF: starts as soon as what it depends on is as it must be */
	bool use_aliases;    /* a one-off that answers to its service's names */
	bool discarding; /* slot_discard is on its way: a removal asked for meanwhile ends with it
			  */
	slot_done also;  /* that removal's */
	void *also_ctx;
	struct health *health;
	struct idle *idle;   /* x-stack.idle: its watch, NULL: none */
	struct ready *ready; /* the watch, while READY_WAITS */
	enum ready_state ready_state;
	uint64_t begun_us;  /* wall clock at the begin of the present start */
	bool run_queued;    /* x-stack.overlap: queue */
	const char *reason; /* why the present job runs; for events */
	unsigned closing;   /* handles that must close before the memory goes */
};

/* Finds or makes. oneoff NULL for replicas. */
struct slot *slot_find(struct supervisor *sv, const char *service, unsigned number);
struct slot *slot_make(struct supervisor *sv, const char *service, unsigned number,
		       const char *oneoff);
struct slot *slot_by_container(struct supervisor *sv, const char *id);
/* Forgets a slot without container; the memory goes when its handles have closed. */
void slot_forget(struct slot *slot);

/* The service the slot runs, of its model. NULL: the file no longer knows it. */
const struct service *slot_service(const struct slot *slot);
bool slot_is_live(const struct slot *slot); /* a process of it may run */
const char *slot_state_name(enum slot_state state);

/* Takes the record over and makes its folders; quick, in the pool through apply. With defers the
 * record on disk keeps saying "creating" until a start that follows at once. ERR from disk. */
int slot_create_blocking(const struct supervisor *sv, struct record *record, const char *slot_name,
			 const char *image_id, bool defers, struct err *err);

/* One that starts already is not started twice: done hears of its end. */
void slot_start(struct slot *slot, const char *reason, slot_done done, void *ctx);
/* After hold_start: the client is attached, the program may run. */
void slot_go(struct slot *slot);
/* timeout_us < 0: the service's stop_grace_period. by_hand: remembered, no policy starts it again.
 * A start that is on its way comes to its end first, for the grace time at most; then it is cut
 * off. */
void slot_stop(struct slot *slot, int64_t timeout_us, bool by_hand, const char *reason,
	       slot_done done, void *ctx);
/* A signal to the running process; ERR_NOT_FOUND when none runs. Not a stop: policy holds
 * afterwards. */
int slot_signal(struct slot *slot, int signal, struct err *err);
#define SLOT_REMOVE_VOLUMES 1u /* its anonymous volumes, too */
#define SLOT_KEEP_SLOT      2u /* recreate: log folder and anonymous volumes stay */
void slot_remove(struct slot *slot, unsigned flags, slot_done done, void *ctx);

/* Removes container, anonymous volumes, network and slot, outside of any change (run --rm). */
void slot_discard(struct slot *slot, const char *reason);

/* Ends a start that has not come to its end (the way back runs, done reports ERR_CANCELLED), or a
 * backoff. */
void slot_cancel(struct slot *slot);

/* The start is over, well or not: the stop that has waited for it. */
void slot_stop_waiting(struct slot *slot);

/* Begins to watch a monitor that runs already (adoption); takes over pidfd. */
void slot_watch(struct slot *slot, int pidfd);
/* The monitor has ended: exit.json, policy. Called by the watch, and by adoption for what ended
 * unseen. */
void slot_ended(struct slot *slot);

/* For the rooms that make up a slot: state with record, event and the news to whoever waits. */
void slot_set_state(struct slot *slot, enum slot_state state);
void slot_event(struct slot *slot, const char *event, const char *reason);
void slot_write_record(struct slot *slot);
/* Whose next step writes the record anyway leaves this one out (is_deferred); where that step does
 * not come, at the end of a change, it is written here. */
void slots_write_deferred(struct supervisor *sv);
void slot_job_over(struct slot *slot, const struct err *err);
/* Out of the wait for a restart: exited. */
void slot_end_backoff(struct slot *slot, bool by_hand);
/* Policy after an end that nobody asked for (service.c). */
void slot_apply_policy(struct slot *slot);
/* Out of the policy's rhythm: a start now, or as soon as depends_on holds (schedule). */
void slot_start_when_due(struct slot *slot, const char *reason);
/* As after a crash, whatever the policy: a start after the pause of its streak
 * (x-stack.on_unhealthy: restart). */
void slot_restart_soon(struct slot *slot);
/* Into BACKOFF until every condition of its depends_on holds; then it starts. Told once by an
 * event. */
void slot_await_needs(struct slot *slot, const char *reason);
/* Something changed: those that wait for it start (service.c). */
void slots_look(struct supervisor *sv);

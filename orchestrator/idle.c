/* orchestrator/idle - x-stack.idle: stopped when nobody is connected, started by a connection.
 *
 * Owns: the phases of one slot between awake and asleep. May not touch: sockets and rules
 * (idle_ports), how a container starts or stops (slot).
 */
#include "orchestrator/idle.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/idle_ports.h"
#include "orchestrator/ready.h"
#include "specs/units.h"

#define LOOK_LEAST_MS  200
#define LOOK_MOST_MS   30000
#define SERVED_MS      50
#define SERVED_MOST_US 60000000ull /* nothing listens for so long: who waits is told so */

enum phase {
	AWAKE,
	FALLING,  /* in the pool: the placeholders begin to listen */
	STOPPING, /* the container ends */
	ASLEEP,
	WAKING,  /* the container starts, until it serves its ports */
	HANDING, /* in the pool: who waits goes to the container */
	ENDING,  /* in the pool: as if nobody had ever slept */
};

/* A connection waits at one of the ports. */
struct waiter {
	uv_poll_t poll;
	struct idle *idle;
	size_t port;
};

struct idle {
	struct slot *slot; /* NULL: forgotten */
	struct supervisor *sv;
	struct idle_ports *ports;
	struct waiter *waiters; /* while ASLEEP */
	size_t waiter_count;
	enum phase phase;
	uint64_t active_us; /* monotonic: somebody was connected */
	uint64_t woken_us;
	uv_timer_t timer;
	uv_work_t work;
	bool busy;       /* the pool has it */
	bool stop_waits; /* idle_stop */
	bool active, served;
	int pid;
	unsigned closing;
	struct err err;
};

static const struct opt_time *after_of(const struct slot *slot)
{
	const struct service *service = slot->oneoff || !slot->record ? NULL : slot_service(slot);

	return service && service->stack && service->stack->idle_after.is_set
		       ? &service->stack->idle_after
		       : NULL;
}

bool idle_is_asleep(const struct slot *slot)
{
	return slot->idle && slot->idle->phase >= ASLEEP && slot->idle->phase <= WAKING &&
	       slot->state != SLOT_RUNNING;
}

/* ---- the end ---- */

static void free_closed(uv_handle_t *handle)
{
	struct idle *idle = handle->data;

	if (--idle->closing)
		return;
	idle_ports_free(idle->ports);
	free(idle->waiters);
	free(idle);
}

static void waiter_closed(uv_handle_t *handle)
{
	free_closed(handle);
}

static void listen_no_more(struct idle *idle)
{
	for (size_t i = 0; i < idle->waiter_count; i++)
		uv_poll_stop(&idle->waiters[i].poll);
}

static void let_go(struct idle *idle)
{
	if (idle->busy || idle->closing)
		return;
	idle->closing = 1 + (unsigned)idle->waiter_count;
	uv_close((uv_handle_t *)&idle->timer, free_closed);
	for (size_t i = 0; i < idle->waiter_count; i++)
		uv_close((uv_handle_t *)&idle->waiters[i].poll, waiter_closed);
}

void idle_forget(struct slot *slot)
{
	struct idle *idle = slot->idle;

	if (!idle)
		return;
	slot->idle = NULL;
	idle->slot = NULL;
	uv_timer_stop(&idle->timer);
	listen_no_more(idle);
	let_go(idle);
}

static void note(struct slot *slot, bool asleep)
{
	if (!slot->record || slot->record->asleep == asleep)
		return;
	slot->record->asleep = asleep;
	slot_write_record(slot);
}

/* ---- in the pool ---- */

static void work_in_pool(uv_work_t *work)
{
	struct idle *idle = work->data;

	idle->err = ERR_NONE;
	switch (idle->phase) {
	case AWAKE:
		idle->active = true;
		idle_ports_look(idle->ports, idle->pid, &idle->active, &idle->err);
		break;
	case FALLING:
		idle->active = true;
		if (idle_ports_hold(idle->sv, idle->ports, &idle->err) == 0)
			idle_ports_look(idle->ports, idle->pid, &idle->active, &idle->err);
		break;
	case WAKING:
		idle->served = idle_ports_served(idle->ports, idle->pid);
		break;
	case HANDING:
		idle_ports_hand(idle->sv, idle->ports, &idle->err);
		break;
	case ENDING:
		idle_ports_give_up(idle->sv, idle->ports, &idle->err);
		break;
	default:
		break;
	}
}

static void worked(uv_work_t *work, int status);

static void in_pool(struct idle *idle, enum phase phase)
{
	idle->phase = phase;
	idle->busy = true;
	idle->pid = idle->slot->record ? idle->slot->record->init.pid : 0;
	idle->work.data = idle;
	uv_queue_work(idle->sv->loop, &idle->work, work_in_pool, worked);
}

/* ---- awake ---- */

static void look_due(uv_timer_t *timer);

static void look_later(struct idle *idle)
{
	const struct opt_time *after = after_of(idle->slot);
	uint64_t ms = after ? (uint64_t)after->us / 4000 : LOOK_MOST_MS;

	ms = ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms > LOOK_MOST_MS ? LOOK_MOST_MS : ms;
	uv_timer_start(&idle->timer, look_due, ms, 0);
}

static void look_due(uv_timer_t *timer)
{
	struct idle *idle = timer->data;

	if (!after_of(idle->slot))
		idle_forget(idle->slot); /* the file says so no more */
	else
		in_pool(idle, AWAKE);
}

/* Nobody else may have begun something with it. */
static bool may_fall(const struct idle *idle)
{
	const struct slot *slot = idle->slot;

	return slot->state == SLOT_RUNNING && !slot->done && !slot->record->paused &&
	       TAILQ_EMPTY(&idle->sv->changes) && !idle->sv->ending;
}

static void looked(struct idle *idle)
{
	uint64_t now = stamp_monotonic_us();

	if (idle->err.code)
		log_warn("idle-not-known", KV_S("slot", idle->slot->name),
			 KV_S("error", idle->err.msg));
	if (idle->active)
		idle->active_us = now;
	if (now - idle->active_us < (uint64_t)after_of(idle->slot)->us || !may_fall(idle))
		look_later(idle);
	else
		in_pool(idle, FALLING);
}

static void fallen(struct idle *idle)
{
	char reason[96], text[UNITS_DURATION_LEN];

	if (idle->err.code || idle->active || !may_fall(idle)) {
		if (idle->err.code)
			log_warn("not-asleep", KV_S("slot", idle->slot->name),
				 KV_S("error", idle->err.msg));
		idle->active_us = stamp_monotonic_us();
		in_pool(idle, HANDING); /* who has come meanwhile goes on to the container */
		return;
	}
	idle->phase = STOPPING;
	note(idle->slot, true);
	units_print_duration((uint64_t)after_of(idle->slot)->us, text);
	snprintf(reason, sizeof(reason), "x-stack.idle: no connection for %s", text);
	slot_event(idle->slot, "sleep", reason);
	slot_stop(idle->slot, -1, false, "x-stack.idle", NULL, NULL);
}

/* ---- asleep ---- */

void idle_wake(struct slot *slot, const char *reason)
{
	struct idle *idle = slot->idle;

	if (!idle || idle->phase != ASLEEP || idle->sv->ending)
		return;
	listen_no_more(idle);
	idle->phase = WAKING;
	idle->woken_us = stamp_monotonic_us();
	slot_event(slot, "wake", reason);
	slot->record->restarts = 0;
	slot->streak = 0;
	slot_start_when_due(slot, reason);
}

static void somebody_came(uv_poll_t *poll, int status, int events)
{
	struct waiter *waiter = poll->data;
	struct idle *idle = waiter->idle;
	const struct idle_port *port = &idle->ports->ports[waiter->port];
	char reason[64];

	(void)status;
	(void)events;
	uv_poll_stop(poll);
	snprintf(reason, sizeof(reason), "a connection to port %u/%s", port->host_port,
		 port->protocol == IPPROTO_UDP ? "udp" : "tcp");
	if (idle->slot)
		idle_wake(idle->slot, reason);
}

static void listen_all(struct idle *idle)
{
	idle->phase = ASLEEP;
	if (!idle->waiters)
		idle->waiters = xcalloc(idle->ports->count, sizeof(*idle->waiters));
	for (size_t i = 0; i < idle->ports->count; i++) {
		struct waiter *waiter = &idle->waiters[idle->waiter_count];

		waiter->idle = idle;
		waiter->port = i;
		waiter->poll.data = waiter;
		if (idle->ports->ports[i].fd < 0 ||
		    uv_poll_init(idle->sv->loop, &waiter->poll, idle->ports->ports[i].fd) < 0)
			continue;
		idle->waiter_count++;
		uv_poll_start(&waiter->poll, UV_READABLE, somebody_came);
	}
}

/* ---- awake again ---- */

static void served_due(uv_timer_t *timer)
{
	in_pool(timer->data, WAKING);
}

static void served_known(struct idle *idle)
{
	struct err ignored = ERR_NONE;
	struct slot *slot = idle->slot;
	bool waits = stamp_monotonic_us() - idle->woken_us < SERVED_MOST_US;

	if (slot->state == SLOT_EXITED)
		in_pool(idle, ENDING);
	if (slot->state != SLOT_RUNNING)
		return; /* idle_look hears what becomes of it */
	if ((!idle->served || ready_judge(slot, NULL, &ignored) == 0) && waits)
		uv_timer_start(&idle->timer, served_due, SERVED_MS, 0);
	else
		in_pool(idle, HANDING);
}

static void over(struct idle *idle)
{
	struct slot *slot = idle->slot;
	const struct err fine = ERR_NONE;
	bool stop_waits = idle->stop_waits;

	if (idle->err.code)
		log_warn("ports-not-given-back", KV_S("slot", slot->name),
			 KV_S("error", idle->err.msg));
	note(slot, false);
	idle_forget(slot);
	slot_set_state(slot, slot->state); /* running: a new watch begins */
	if (stop_waits)
		slot_job_over(slot, &fine);
}

static void worked(uv_work_t *work, int status)
{
	struct idle *idle = work->data;

	(void)status;
	idle->busy = false;
	if (!idle->slot) {
		let_go(idle);
		return;
	}
	switch (idle->phase) {
	case AWAKE:
		if (after_of(idle->slot))
			looked(idle);
		else
			idle_forget(idle->slot);
		break;
	case FALLING:
		fallen(idle);
		break;
	case WAKING:
		served_known(idle);
		break;
	default:
		over(idle);
		break;
	}
}

/* ---- what the slot does ---- */

static void begin(struct slot *slot)
{
	struct idle *idle = xcalloc(1, sizeof(*idle));

	idle->slot = slot;
	idle->sv = slot->sv;
	idle->ports = idle_ports_new(slot->net);
	idle->active_us = stamp_monotonic_us();
	uv_timer_init(slot->sv->loop, &idle->timer);
	idle->timer.data = idle;
	slot->idle = idle;
}

static void ended(struct idle *idle)
{
	if (idle->phase == STOPPING && !idle->slot->kept_down)
		listen_all(idle);
	else if (!idle->busy)
		in_pool(idle, ENDING);
}

void idle_look(struct slot *slot)
{
	struct idle *idle = slot->idle;
	bool rests = slot->state == SLOT_EXITED;

	if (!idle) {
		if (slot->state != SLOT_RUNNING || !after_of(slot) || slot->unsettled ||
		    !slot->net || !slot->net->port_count || !slot->net->link_count)
			return;
		begin(slot);
		look_later(slot->idle);
		return;
	}
	switch (idle->phase) {
	case AWAKE:
		if (slot->state != SLOT_RUNNING)
			idle_forget(slot);
		else if (idle->ports->net != slot->net) { /* other ports by now */
			idle_forget(slot);
			idle_look(slot);
		}
		break;
	case STOPPING:
		if (rests)
			ended(idle);
		break;
	case ASLEEP:
		if (slot->state == SLOT_STARTING || slot->state == SLOT_RUNNING) {
			listen_no_more(idle);
			idle->phase = WAKING; /* by hand, or for another service */
			idle->woken_us = stamp_monotonic_us();
		}
		break;
	case WAKING:
		if (slot->state == SLOT_RUNNING && !idle->busy)
			uv_timer_start(&idle->timer, served_due, 0, 0);
		else if (rests)
			ended(idle);
		break;
	default: /* the pool has it: what it does fits a container that has ended meanwhile, too */
		break;
	}
}

bool idle_stop(struct slot *slot)
{
	if (!idle_is_asleep(slot) || slot->idle->phase != ASLEEP)
		return false;
	listen_no_more(slot->idle);
	slot->record->stopped_by_hand = slot->kept_down;
	slot_event(slot, "stop", slot->reason);
	slot->idle->stop_waits = true;
	in_pool(slot->idle, ENDING);
	return true;
}

static void adopted(uv_work_t *work, int status)
{
	struct idle *idle = work->data;

	(void)status;
	idle->busy = false;
	if (!idle->slot) {
		let_go(idle);
	} else if (idle->err.code) {
		over(idle);
	} else if (idle->slot->state == SLOT_EXITED) {
		listen_all(idle);
	} else {
		idle->phase = WAKING; /* it was about to take what waits */
		idle->woken_us = stamp_monotonic_us();
		idle_look(idle->slot);
	}
}

static void adopt_in_pool(uv_work_t *work)
{
	struct idle *idle = work->data;

	idle_ports_hold(idle->sv, idle->ports, &idle->err);
}

void idle_adopt(struct slot *slot)
{
	bool fits = slot->state == SLOT_RUNNING || slot->state == SLOT_BACKOFF ||
		    (slot->state == SLOT_EXITED && !slot->kept_down);

	if (!slot->record || !slot->record->asleep) {
		idle_look(slot);
		return;
	}
	if (!fits || !after_of(slot) || !slot->net || !slot->net->port_count ||
	    !slot->net->link_count) {
		note(slot, false);
		return;
	}
	begin(slot);
	slot->idle->phase = FALLING;
	slot->idle->busy = true;
	slot->idle->work.data = slot->idle;
	uv_queue_work(slot->sv->loop, &slot->idle->work, adopt_in_pool, adopted);
}

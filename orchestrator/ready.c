/* orchestrator/ready - x-stack.ready: may those who depend on a container begin.
 *
 * Owns: the watch on one start: probes at growing distances, the log, the time-out. May not touch:
 * how a port is asked (probe), what follows (condition, change_ready, settle).
 */
#include "orchestrator/ready.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/log_reader.h"
#include "orchestrator/probe.h"

#define FIRST_MS           20
#define MOST_MS            500
#define PROBE_MS           2000
#define DEFAULT_TIMEOUT_US 60000000ull
#define RECORDS_A_TURN     2000

struct ready {
	struct slot *slot; /* NULL: forgotten while a probe was on its way */
	struct supervisor *sv;
	struct model *model; /* the probe lives in it */
	const struct probe *probe;
	char id[STAMP_ID_LEN + 1];
	uint64_t deadline_us;
	unsigned distance_ms;
	uv_timer_t timer;
	uv_work_t work;
	struct err err;
	bool probing;
	unsigned closing;
	/* of `log` */
	int log_dir_fd;
	struct log_reader *reader;
	regex_t regex;
	uv_poll_t poll;
	bool polls;
};

static void free_closed(uv_handle_t *handle)
{
	struct ready *ready = handle->data;

	if (--ready->closing)
		return;
	if (ready->reader) {
		log_reader_close(ready->reader);
		regfree(&ready->regex);
	}
	if (ready->log_dir_fd >= 0)
		close(ready->log_dir_fd);
	model_unref(ready->model);
	free(ready);
}

static void let_go(struct ready *ready)
{
	if (ready->probing || ready->closing)
		return;
	ready->closing = 1 + ready->polls;
	uv_close((uv_handle_t *)&ready->timer, free_closed);
	if (ready->polls)
		uv_close((uv_handle_t *)&ready->poll, free_closed);
}

void ready_forget(struct slot *slot)
{
	struct ready *ready = slot->ready;

	slot->ready_state = READY_NONE;
	if (!ready)
		return;
	slot->ready = NULL;
	ready->slot = NULL;
	uv_timer_stop(&ready->timer);
	let_go(ready);
}

static void decide(struct ready *ready, enum ready_state state, const char *event, const char *why)
{
	struct slot *slot = ready->slot;

	ready_forget(slot);
	slot->ready_state = state;
	slot_event(slot, event, why);
	slot_set_state(slot, slot->state);
}

static bool is_late(const struct ready *ready)
{
	return stamp_monotonic_us() >= ready->deadline_us;
}

static void late(struct ready *ready)
{
	char why[sizeof(ready->err.msg) + 32];

	snprintf(why, sizeof(why), "not within its time%s%s", ready->err.code ? ": " : "",
		 ready->err.code ? ready->err.msg : "");
	decide(ready, READY_LATE, "not-ready", why);
}

/* ---- ports ---- */

static void due(uv_timer_t *timer);

static void probed(uv_work_t *work, int status)
{
	struct ready *ready = work->data;

	(void)status;
	ready->probing = false;
	if (!ready->slot) {
		let_go(ready);
		return;
	}
	if (ready->err.code == ERR_OK) {
		decide(ready, READY_YES, "ready", "x-stack.ready holds");
		return;
	}
	if (is_late(ready)) {
		late(ready);
		return;
	}
	uv_timer_start(&ready->timer, due, ready->distance_ms, 0);
	ready->distance_ms = ready->distance_ms * 2 > MOST_MS ? MOST_MS : ready->distance_ms * 2;
}

static void probe_in_pool(uv_work_t *work)
{
	struct ready *ready = work->data;

	ready->err = ERR_NONE;
	probe_once(ready->sv, ready->id, ready->probe, PROBE_MS, &ready->err);
}

static void due(uv_timer_t *timer)
{
	struct ready *ready = timer->data;

	ready->probing = true;
	ready->work.data = ready;
	uv_queue_work(ready->sv->loop, &ready->work, probe_in_pool, probed);
}

/* ---- the log ---- */

static bool matches(const struct ready *ready, const struct log_record *record)
{
	AUTO(free) char *line = xstrndup(record->text, record->text_len);

	line[strcspn(line, "\n")] = '\0';
	return regexec(&ready->regex, line, 0, NULL, 0) == 0;
}

static void log_due(uv_timer_t *timer);

/* A turn at a time: a service that logs without end does not hold the loop. */
static void read_log(struct ready *ready)
{
	struct log_record record;

	for (unsigned i = 0; i < RECORDS_A_TURN; i++) {
		int status = log_reader_next(ready->reader, &record, &ready->err);

		if (status <= 0)
			return;
		if (matches(ready, &record)) {
			decide(ready, READY_YES, "ready", "x-stack.ready.log was found");
			return;
		}
	}
	uv_timer_start(&ready->timer, log_due, 1, 0);
}

static void log_due(uv_timer_t *timer)
{
	struct ready *ready = timer->data;
	uint64_t now = stamp_monotonic_us();

	if (is_late(ready)) {
		late(ready);
		return;
	}
	uv_timer_start(&ready->timer, log_due, (ready->deadline_us - now) / 1000 + 1, 0);
	read_log(ready);
}

static void log_grew(uv_poll_t *poll, int status, int events)
{
	struct ready *ready = poll->data;

	(void)status;
	(void)events;
	if (ready->slot)
		read_log(ready);
}

static int open_log(struct ready *ready, uint64_t begun_us, struct err *err)
{
	struct log_options options = { .tail = LOG_TAIL_ALL,
				       .since_ns = begun_us * 1000,
				       .follow = true };

	ready->log_dir_fd = file_open_dir(ready->sv->dirs->slots_fd, ready->slot->name, true, err);
	if (ready->log_dir_fd < 0)
		return -1;
	if (regcomp(&ready->regex, ready->probe->log, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(err, ERR_INVALID, "x-stack.ready.log: no regular expression");
	ready->reader = log_reader_open(ready->log_dir_fd, &options, err);
	if (!ready->reader) {
		regfree(&ready->regex);
		return -1;
	}
	if (uv_poll_init(ready->sv->loop, &ready->poll, log_reader_fd(ready->reader)) < 0)
		return err_set(err, ERR_SYSTEM, "watch the log");
	ready->polls = true;
	ready->poll.data = ready;
	return uv_poll_start(&ready->poll, UV_READABLE, log_grew) < 0
		       ? err_set(err, ERR_SYSTEM, "watch the log")
		       : 0;
}

/* ---- begin ---- */

void ready_watch(struct slot *slot, uint64_t begun_us)
{
	const struct service *service = slot_service(slot);
	const struct probe *probe = service && service->stack ? service->stack->ready : NULL;
	struct ready *ready;

	ready_forget(slot);
	if (!probe || slot->oneoff || !slot->model)
		return;
	ready = xcalloc(1, sizeof(*ready));
	ready->slot = slot;
	ready->sv = slot->sv;
	ready->model = model_ref(slot->model);
	ready->probe = probe;
	ready->log_dir_fd = -1;
	ready->distance_ms = FIRST_MS;
	ready->deadline_us = stamp_monotonic_us() + (probe->timeout.is_set && probe->timeout.us > 0
							     ? (uint64_t)probe->timeout.us
							     : DEFAULT_TIMEOUT_US);
	memcpy(ready->id, slot->record->id, sizeof(ready->id));
	uv_timer_init(slot->sv->loop, &ready->timer);
	ready->timer.data = ready;
	slot->ready = ready;
	slot->ready_state = READY_WAITS;
	if (probe->log && open_log(ready, begun_us, &ready->err) < 0) {
		log_warn("log-not-followed", KV_S("slot", slot->name),
			 KV_S("error", ready->err.msg));
		ready->deadline_us = 0;
	}
	uv_timer_start(&ready->timer, probe->log ? log_due : due, 0, 0);
}

int ready_judge(const struct slot *slot, bool *out_any, struct err *err)
{
	const struct record *record = slot->record;
	bool any = record->health != HEALTH_NONE || slot->ready_state != READY_NONE;

	if (out_any)
		*out_any = any;
	if (record->health == HEALTH_BAD)
		return err_set(err, ERR_SYSTEM, "container %s is unhealthy", record->name);
	if (slot->ready_state == READY_LATE)
		return err_set(err, ERR_SYSTEM, "container %s was not ready within its time",
			       record->name);
	return record->health != HEALTH_STARTING && slot->ready_state != READY_WAITS;
}

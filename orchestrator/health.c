/* orchestrator/health - healthchecks: when, how long, how many; what their results mean.
 *
 * Owns: the timer and the count of failures of one container. May not touch: how a command gets in
 * (exec).
 */
#include "orchestrator/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/exec.h"
#include "orchestrator/probe.h"

#define DEFAULT_INTERVAL_US       30000000ull
#define DEFAULT_TIMEOUT_US        30000000ull
#define DEFAULT_START_INTERVAL_US 5000000ull
#define DEFAULT_RETRIES           3

/* What is tested and when; texts in the arena. */
struct check {
	const char **argv;
	size_t argc;
	const struct probe *probe; /* from outside, in the place of argv */
	uint64_t interval_us, timeout_us, start_period_us, start_interval_us;
	unsigned retries;
};

struct health {
	struct slot *slot; /* NULL: stopped while a test was on its way */
	struct supervisor *sv;
	struct arena *arena;
	struct check check;
	char id[STAMP_ID_LEN + 1];
	uint64_t started_us;
	unsigned failures;
	uv_timer_t timer;
	uv_work_t work;
	bool testing, closing;
	struct spawn_result result;
	struct err err;
};

static uint64_t time_or(struct opt_time own, uint64_t image_ns, uint64_t fallback_us)
{
	if (own.is_set && own.us > 0)
		return (uint64_t)own.us;
	return image_ns ? image_ns / 1000 : fallback_us;
}

/* The test's words: ["CMD", ...], ["CMD-SHELL", "..."], ["NONE"]. False: there is no test. */
static bool take_words(struct arena *arena, struct check *check, const char *const *words,
		       size_t count)
{
	bool shell;

	if (count < 2 || strcmp(words[0], "NONE") == 0)
		return false;
	shell = strcmp(words[0], "CMD-SHELL") == 0;
	check->argc = shell ? 3 : count - 1;
	check->argv = arena_alloc(arena, (check->argc + 1) * sizeof(char *));
	if (shell) {
		check->argv[0] = "/bin/sh";
		check->argv[1] = "-c";
		check->argv[2] = arena_strdup(arena, words[1]);
		return true;
	}
	for (size_t i = 0; i < check->argc; i++)
		check->argv[i] = arena_strdup(arena, words[i + 1]);
	return true;
}

static bool compose(struct arena *arena, struct check *check, const struct service *service,
		    const struct image_config *image)
{
	static const struct healthcheck nothing;
	const struct healthcheck *own = service->healthcheck ? service->healthcheck : &nothing;
	struct config_healthcheck other = { 0 };

	if (image)
		other = image->healthcheck;
	if (own->disable)
		return false;
	check->probe = own->probe;
	check->interval_us = time_or(own->interval, other.interval_ns, DEFAULT_INTERVAL_US);
	check->timeout_us = time_or(own->timeout, other.timeout_ns, DEFAULT_TIMEOUT_US);
	check->start_period_us = time_or(own->start_period, other.start_period_ns, 0);
	check->start_interval_us =
		time_or(own->start_interval, other.start_interval_ns, DEFAULT_START_INTERVAL_US);
	check->retries = own->retries.is_set && own->retries.value > 0
				 ? (unsigned)own->retries.value
			 : other.retries ? other.retries
					 : DEFAULT_RETRIES;
	if (check->probe)
		return true;
	if (own->test.count)
		return take_words(arena, check, own->test.items, own->test.count);
	return other.is_set && take_words(arena, check, other.test.items, other.test.count);
}

enum health_state health_first_state(const struct service *service,
				     const struct image_config *image)
{
	struct arena *arena = arena_new();
	struct check check = { 0 };
	bool has = compose(arena, &check, service, image);

	arena_free(arena);
	return has ? HEALTH_STARTING : HEALTH_NONE;
}

static bool in_start_period(const struct health *health)
{
	return health->slot->record->health == HEALTH_STARTING &&
	       stamp_monotonic_us() - health->started_us < health->check.start_period_us;
}

static void test_due(uv_timer_t *timer);

static void wait_for_next(struct health *health)
{
	uint64_t us = in_start_period(health) ? health->check.start_interval_us
					      : health->check.interval_us;

	uv_timer_start(&health->timer, test_due, us / 1000 ? us / 1000 : 1, 0);
}

static void free_closed(uv_handle_t *handle)
{
	struct health *health = handle->data;

	arena_free(health->arena);
	free(health);
}

static void release(struct health *health)
{
	if (health->testing || health->closing)
		return;
	health->closing = true;
	uv_close((uv_handle_t *)&health->timer, free_closed);
}

static void set_state(struct health *health, enum health_state state, const char *why)
{
	struct slot *slot = health->slot;
	char text[64];

	if (slot->record->health == state)
		return;
	slot->record->health = state;
	slot_write_record(slot);
	snprintf(text, sizeof(text), "health_status: %s", health_name(state));
	slot_event(slot, text, why);
	slot_set_state(slot, slot->state);
}

static void stopped_for_restart(void *ctx, struct slot *slot, const struct err *err)
{
	(void)ctx;
	if (err->code == ERR_OK && !slot->kept_down && !slot->sv->ending)
		slot_restart_soon(slot);
}

static void unhealthy(struct health *health)
{
	struct slot *slot = health->slot;
	const struct service *service = slot_service(slot);
	const char *wish = service && service->stack ? service->stack->on_unhealthy : NULL;

	if (!wish || strcmp(wish, "ignore") == 0 || slot->state != SLOT_RUNNING)
		return;
	if (strcmp(wish, "stop") == 0)
		slot_stop(slot, -1, true, "x-stack.on_unhealthy: stop", NULL, NULL);
	else
		slot_stop(slot, -1, false, "x-stack.on_unhealthy: restart", stopped_for_restart,
			  NULL);
}

static void judge(struct health *health)
{
	bool passed = health->err.code == ERR_OK && health->result.status == 0;
	const char *why = health->err.code ? health->err.msg : health->result.output;

	if (passed) {
		health->failures = 0;
		set_state(health, HEALTH_GOOD, "the test passed");
		return;
	}
	if (in_start_period(health))
		return;
	health->failures++;
	if (health->failures < health->check.retries)
		return;
	set_state(health, HEALTH_BAD, why);
	unhealthy(health);
}

static void tested(uv_work_t *work, int status)
{
	struct health *health = work->data;

	(void)status;
	health->testing = false;
	if (!health->slot) {
		release(health);
		return;
	}
	judge(health);
	if (health->slot)
		wait_for_next(health);
}

static void test_in_pool(uv_work_t *work)
{
	struct health *health = work->data;
	struct exec_request request = { .container_id = health->id,
					.argv = health->check.argv,
					.argc = health->check.argc,
					.timeout_ms = (unsigned)(health->check.timeout_us / 1000) };

	health->err = ERR_NONE;
	memset(&health->result, 0, sizeof(health->result));
	if (health->check.probe)
		probe_once(health->sv, health->id, health->check.probe, request.timeout_ms,
			   &health->err);
	else
		exec_run(health->sv, &request, &health->result, &health->err);
}

static void test_due(uv_timer_t *timer)
{
	struct health *health = timer->data;

	health->testing = true;
	uv_queue_work(health->sv->loop, &health->work, test_in_pool, tested);
}

void health_start(struct slot *slot, const struct image_config *image)
{
	const struct service *service = slot_service(slot);
	struct arena *arena = arena_new();
	struct check check = { 0 };
	struct health *health;

	health_stop(slot);
	if (!service || !compose(arena, &check, service, image)) {
		arena_free(arena);
		return;
	}
	health = xcalloc(1, sizeof(*health));
	health->slot = slot;
	health->sv = slot->sv;
	health->arena = arena;
	health->check = check;
	health->started_us = stamp_monotonic_us();
	memcpy(health->id, slot->record->id, sizeof(health->id));
	health->work.data = health->timer.data = health;
	uv_timer_init(slot->sv->loop, &health->timer);
	health->timer.data = health;
	slot->health = health;
	if (slot->record->health == HEALTH_NONE)
		slot->record->health = HEALTH_STARTING;
	wait_for_next(health);
}

void health_stop(struct slot *slot)
{
	struct health *health = slot->health;

	if (!health)
		return;
	slot->health = NULL;
	health->slot = NULL;
	uv_timer_stop(&health->timer);
	release(health);
}

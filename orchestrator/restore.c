/* orchestrator/restore - what comes back after the machine was down.
 *
 * Owns: the choice of services, the tries. May not touch: how they start (change, apply), the wish
 * itself (desired).
 */
#include "orchestrator/restore.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/change.h"
#include "orchestrator/desired.h"
#include "orchestrator/slot.h"

static bool was_interrupted(const struct record *record)
{
	return !record->stopped_by_hand && (record->cut_off || record->life == 0);
}

bool restore_needs(const struct record *record)
{
	return was_interrupted(record);
}

bool restore_wants(const struct service *service, const struct record *record,
		   struct opt_bool autostart)
{
	struct restart_rule rule = service_restart(service);

	if (!was_interrupted(record) || (autostart.is_set && !autostart.value))
		return false;
	return rule.when != RESTART_NO || (autostart.is_set && record->cut_off);
}

#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS   60000

uint64_t restore_pause_ms(unsigned tries)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;

	for (unsigned i = 1; i < tries && pause_ms < PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

/* ---- the choice ---- */

struct choice {
	struct supervisor *sv;
	struct arena *arena;
	const struct project *project;
	struct texts stopped; /* by hand */
	bool *taken;          /* by service of the project */
};

static bool rests(const struct slot *slot, const struct service *service)
{
	return !slot->oneoff && slot->record && strcmp(slot->service, service->name) == 0 &&
	       (slot->state == SLOT_EXITED || slot->state == SLOT_CREATED);
}

static void take_with_needs(struct choice *choice, size_t at)
{
	const struct service *service = &choice->project->services[at];
	struct slot *slot;

	choice->taken[at] = true;
	for (size_t d = 0; d < service->depends_on_count; d++) {
		const struct service *need =
			project_find_service(choice->project, service->depends_on[d].service);
		bool wanted = false;

		if (!need || texts_has(&choice->stopped, need->name) ||
		    choice->taken[need - choice->project->services])
			continue;
		LIST_FOREACH(slot, &choice->sv->slots, link)
		wanted |= rests(slot, need) && restore_needs(slot->record);
		if (wanted)
			take_with_needs(choice, (size_t)(need - choice->project->services));
	}
}

static void choose(struct choice *choice)
{
	for (size_t i = 0; i < choice->project->service_count; i++) {
		const struct service *service = &choice->project->services[i];
		struct slot *slot;
		bool wanted = false;

		if (choice->taken[i] || texts_has(&choice->stopped, service->name))
			continue;
		LIST_FOREACH(slot, &choice->sv->slots, link)
		wanted |= rests(slot, service) &&
			  restore_wants(service, slot->record, choice->project->autostart);
		if (wanted)
			take_with_needs(choice, i);
	}
}

/* ---- the change ---- */

/* As many replicas as there are: --scale is not in the model. */
static void keep_scale(struct change *change, const struct project *project)
{
	struct plan_scale *list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < project->service_count; i++) {
		struct slot *slot;
		unsigned have = 0;

		LIST_FOREACH(slot, &change->sv->slots, link)
		have += !slot->oneoff && slot->record &&
			strcmp(slot->service, project->services[i].name) == 0;
		if (have)
			*(struct plan_scale *)arena_grow(change->arena, &list, &count,
							 sizeof(*list)) =
				(struct plan_scale){ project->services[i].name, have };
	}
	change->options.scale = list;
	change->options.scale_count = count;
}

static struct change *compose(struct supervisor *sv, const struct choice *choice)
{
	struct change *change = xcalloc(1, sizeof(*change));
	struct texts names = { NULL, 0 };

	change->sv = sv;
	change->arena = arena_new();
	change->op = "restore";
	change->flags = CHANGE_KEEP_WISH | CHANGE_KEEP_GOING;
	change->timeout_us = -1;
	change->pull = "missing";
	change->model = model_ref(sv->model);
	change->options.op = PLAN_UP;
	change->options.flags = PLAN_NO_RECREATE | PLAN_ONLY_NAMED;
	for (size_t i = 0; i < choice->project->service_count; i++)
		if (choice->taken[i])
			*(const char **)arena_grow(change->arena, &names.items, &names.count,
						   sizeof(char *)) =
				choice->project->services[i].name;
	change->options.services = names.items;
	change->options.service_count = names.count;
	keep_scale(change, choice->project);
	return change;
}

/* ---- the tries ---- */

struct restorer {
	struct supervisor *sv;
	struct control_request *request; /* answered behind the first round; NULL: nobody asks */
	struct err failure;              /* the first one of this round */
	unsigned tries;                  /* rounds that left something */
	size_t at;                       /* service of the model that this round comes to next */
	bool busy;                       /* a change of ours is on its way */
	uv_timer_t timer;
};

static void try_next(struct restorer *r);

static struct choice choose_now(struct supervisor *sv)
{
	struct choice choice = { .sv = sv, .arena = arena_new() };
	struct err err = ERR_NONE;
	const char *state = "down";

	if (desired_read(sv->dirs, choice.arena, &state, &choice.stopped, &err) < 0)
		log_warn("wish-not-read", KV_S("error", err.msg));
	if (!sv->model || strcmp(state, "up") != 0)
		return choice;
	choice.project = sv->model->project;
	choice.taken = arena_alloc(choice.arena, choice.project->service_count + 1);
	choose(&choice);
	return choice;
}

static size_t count_taken(const struct choice *choice)
{
	size_t count = 0;

	for (size_t i = 0; choice->project && i < choice->project->service_count; i++)
		count += choice->taken[i];
	return count;
}

static void next_turn(uv_timer_t *timer)
{
	try_next(timer->data);
}

/* Behind the last change of a round: whoever is not back comes again. */
static void round_over(struct restorer *r)
{
	struct choice choice = choose_now(r->sv);
	size_t left = count_taken(&choice);

	arena_free(choice.arena);
	r->tries = left ? r->tries + 1 : 0;
	if (left) {
		log_warn("not-restored", KV_I("services", (long long)left), KV_I("tries", r->tries),
			 KV_I("again_ms", (long long)restore_pause_ms(r->tries)),
			 KV_S("error", r->failure.msg));
		uv_timer_start(&r->timer, next_turn, restore_pause_ms(r->tries), 0);
	}
	if (r->request && r->failure.code) {
		err_wrap(&r->failure, "not everything is back, it is tried again (stack status)");
		control_fail(r->request, &r->failure);
	} else if (r->request) {
		control_ok(r->request, NULL);
	}
	r->request = NULL;
	r->failure = ERR_NONE;
	r->at = 0;
	supervisor_look_idle(r->sv);
}

static void note(struct slot *slot, const struct err *err)
{
	struct record *record = slot->record;
	bool known = strncmp(record->not_back, err->msg, sizeof(record->not_back) - 1) == 0;

	snprintf(record->not_back, sizeof(record->not_back), "%.199s", err->msg);
	slot_write_record(slot);
	if (!known) /* once, not with every try */
		slot_event(slot, "not-back", err->msg);
}

/* The services of a change that failed as a whole stay as they were. */
static void note_all(const struct change *change, const struct err *err)
{
	struct slot *slot;

	LIST_FOREACH(slot, &change->sv->slots, link)
	for (size_t i = 0; slot->record && i < change->options.service_count; i++)
		if (!slot->oneoff && strcmp(slot->service, change->options.services[i]) == 0 &&
		    (slot->state == SLOT_EXITED || slot->state == SLOT_CREATED) &&
		    was_interrupted(slot->record))
			note(slot, err);
}

static void keep_failure(struct restorer *r, const struct err *err)
{
	if (r->failure.code == ERR_OK)
		r->failure = *err;
}

static void single_over(struct change *change, const struct err *err)
{
	struct restorer *r = change->sv->restorer;

	if (err->code && err->code != ERR_CANCELLED) {
		note_all(change, err);
		keep_failure(r, err);
	}
	r->busy = false;
	try_next(r);
}

static void all_over(struct change *change, const struct err *err)
{
	struct restorer *r = change->sv->restorer;

	r->busy = false;
	r->request = change->request; /* answered behind the round */
	if (r->request)
		control_set_data(r->request, NULL);
	change->request = NULL;
	if (err->code && err->code != ERR_CANCELLED)
		try_next(r);
	else
		round_over(r);
}

void restore_start_failed(struct slot *slot, const struct err *err)
{
	if (slot->state == SLOT_EXITED && slot->sv->restorer) {
		slot->record->cut_off = true; /* still */
		keep_failure(slot->sv->restorer, err);
		note(slot, err);
	}
}

/* Each service by itself, with those that it needs. Only when nobody else changes anything: one
 * that waits behind a `down` would bring back what that took away. */
static void try_next(struct restorer *r)
{
	struct supervisor *sv = r->sv;
	struct choice choice, one;
	struct change *change;

	if (!TAILQ_EMPTY(&sv->changes)) {
		uv_timer_start(&r->timer, next_turn, PAUSE_FIRST_MS, 0);
		return;
	}
	choice = choose_now(sv);
	while (choice.project && r->at < choice.project->service_count && !choice.taken[r->at])
		r->at++;
	if (!choice.project || r->at >= choice.project->service_count) {
		arena_free(choice.arena);
		round_over(r);
		return;
	}
	one = choice;
	one.taken = arena_alloc(choice.arena, choice.project->service_count + 1);
	take_with_needs(&one, r->at++);
	change = compose(sv, &one);
	arena_free(choice.arena);
	change->over = single_over;
	r->busy = true;
	change_submit(change);
}

static struct restorer *restorer_of(struct supervisor *sv)
{
	if (sv->restorer)
		return sv->restorer;
	sv->restorer = xcalloc(1, sizeof(*sv->restorer));
	sv->restorer->sv = sv;
	sv->restorer->timer.data = sv->restorer;
	uv_timer_init(sv->loop, &sv->restorer->timer);
	return sv->restorer;
}

bool restore_is_pending(const struct supervisor *sv)
{
	return sv->restorer &&
	       (sv->restorer->busy || uv_is_active((const uv_handle_t *)&sv->restorer->timer));
}

void restore_begin(struct supervisor *sv, struct control_request *request)
{
	struct restorer *r = restorer_of(sv);
	struct choice choice = choose_now(sv);
	struct change *change;

	if (!count_taken(&choice) || r->busy || r->request) {
		arena_free(choice.arena);
		if (request)
			control_ok(request, NULL);
		return;
	}
	uv_timer_stop(&r->timer);
	log_info("restore", KV_I("services", (long long)count_taken(&choice)));
	change = compose(sv, &choice);
	arena_free(choice.arena);
	change->over = all_over;
	r->at = 0;
	r->busy = true;
	change->request = request;
	if (request)
		control_set_data(request, change);
	change_submit(change);
}

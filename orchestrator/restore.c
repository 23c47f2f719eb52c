/* orchestrator/restore - what comes back after the machine was down.
 *
 * Owns: the choice of services. May not touch: how they start (change, apply), the wish itself
 * (desired).
 */
#include "orchestrator/restore.h"

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

void restore_begin(struct supervisor *sv, struct control_request *request)
{
	struct choice choice = { .sv = sv, .arena = arena_new() };
	struct err err = ERR_NONE;
	const char *state = "down";
	struct change *change = NULL;

	if (desired_read(sv->dirs, choice.arena, &state, &choice.stopped, &err) < 0)
		log_warn("wish-not-read", KV_S("error", err.msg));
	if (sv->model && strcmp(state, "up") == 0) {
		choice.project = sv->model->project;
		choice.taken = arena_alloc(choice.arena, choice.project->service_count + 1);
		choose(&choice);
		change = compose(sv, &choice);
	}
	arena_free(choice.arena);
	if (change && change->options.service_count) {
		log_info("restore", KV_I("services", (long long)change->options.service_count));
		change->request = request;
		if (request)
			control_set_data(request, change);
		change_submit(change);
		return;
	}
	if (change)
		change_free(change);
	if (request)
		control_ok(request, NULL);
}

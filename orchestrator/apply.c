/* orchestrator/apply - the actions of a plan, as wide as the edges allow.
 *
 * Owns: how an action is done, its progress lines. May not touch: what is to be done (plan), when
 * it may begin (apply_walk).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stamp.h"
#include "orchestrator/apply_internal.h"
#include "orchestrator/idle.h"
#include "orchestrator/limits.h"
#include "orchestrator/publish.h"
#include "orchestrator/record_make.h"
#include "orchestrator/restore.h"
#include "orchestrator/settle.h"
#include "orchestrator/slot.h"
#include "orchestrator/update.h"
#include "volumes/volume.h"

/* One action on its way. */
struct step {
	uv_work_t work;
	struct change *change;
	size_t at;
	struct slot *slot;
	struct record *record; /* of a CREATE, until the slot has it */
	bool defers;           /* of a CREATE: the start that follows writes the record */
	bool whole;            /* REMOVE_NETWORK of a project that ends: all at once */
	struct err err;
};

static const struct {
	const char *kind, *doing, *done;
} verbs[ACTION_KIND_COUNT] = {
	[ACTION_CREATE_NETWORK] = {"Network",    "Creating", "Created"},
	[ACTION_CREATE_VOLUME] = { "Volume",    "Creating", "Created"},
	[ACTION_CREATE] = { "Container", "Creating", "Created"},
	[ACTION_START] = { "Container", "Starting", "Started"},
	[ACTION_UPDATE] = { "Container", "Updating", "Updated"},
	[ACTION_SETTLE] = { "Container", "Proving",  "Settled"},
	[ACTION_STOP] = { "Container", "Stopping", "Stopped"},
	[ACTION_REMOVE] = { "Container", "Removing", "Removed"},
	[ACTION_REMOVE_NETWORK] = { "Network",   "Removing", "Removed"},
	[ACTION_REMOVE_VOLUME] = { "Volume",    "Removing", "Removed"},
};

static const char *object_name(const struct change *change, const struct action *action)
{
	const struct project *project = change->model->project;

	if (action->kind == ACTION_CREATE_NETWORK ||
	    (action->kind == ACTION_REMOVE_NETWORK && action->replaces)) {
		const struct network *network = project_find_network(project, action->name);

		return network ? network->name : action->name;
	}
	if (action->kind == ACTION_CREATE_VOLUME || action->kind == ACTION_REMOVE_VOLUME) {
		const struct volume *volume = project_find_volume(project, action->name);

		return volume ? volume->name : action->name;
	}
	return action->name;
}

static void tell(struct change *change, size_t at, bool done)
{
	const struct action *action = &change->plan.actions[at];
	const char *verb = done ? verbs[action->kind].done : verbs[action->kind].doing;

	if (action->replaces && action->kind == ACTION_CREATE)
		verb = done ? "Recreated" : "Recreate";
	else if (action->replaces && action->kind != ACTION_CREATE_NETWORK)
		return; /* stop and remove of a recreate are not told apart */
	change_progress(change, verbs[action->kind].kind, object_name(change, action), verb,
			done ? "done" : "working", NULL);
}

/* The first failure is the change's answer, unless each of its actions stands for itself. */
void apply_note_failure(struct change *change, const struct action *action, const struct err *err)
{
	if (change->flags & CHANGE_KEEP_GOING)
		log_warn("not-done", KV_S("op", change->op), KV_S("name", action->name),
			 KV_S("error", err->msg));
	else if (change->failure.code == ERR_OK)
		change->failure = *err;
}

void apply_tell_failure(struct change *change, const struct action *action, const struct err *err)
{
	change_progress(change, verbs[action->kind].kind, object_name(change, action), "Error",
			"failed", err->msg);
}

static void step_over(struct step *step, const struct err *err)
{
	struct change *change = step->change;
	const struct action *action = &change->plan.actions[step->at];

	change->running--;
	if (err->code == ERR_OK) {
		change->states[step->at] = ACTION_DONE;
		tell(change, step->at, true);
	} else {
		change->states[step->at] = ACTION_FAILED;
		apply_note_failure(change, action, err);
		apply_tell_failure(change, action, err);
		if (change->flags & CHANGE_KEEP_GOING && action->kind == ACTION_START &&
		    step->slot && step->slot->record) {
			slot_apply_policy(step->slot);
			restore_start_failed(step->slot, err);
		}
	}
	free(step);
	apply_look(change);
}

/* ---- containers ---- */

/* Ten seconds of waiting that the user can spare: told once for each service. */
static void hint_at_init(struct change *change, const struct slot *slot)
{
	const struct service *service = slot_service(slot);
	const char *text;

	if (!slot->outlived_grace || !service || service->init.value)
		return;
	text = arena_format(
		change->arena,
		"service %s: its process 1 ignored the stop signal and was killed after "
		"the grace period: `init: true` forwards signals",
		service->name);
	if (texts_has(&change->hints, text))
		return;
	*(const char **)arena_grow(change->arena, &change->hints.items, &change->hints.count,
				   sizeof(char *)) = text;
	change_notice(change, text);
}

static void slot_step_over(void *ctx, struct slot *slot, const struct err *err)
{
	struct step *step = ctx;
	struct change *change = step->change;
	const struct action *action = &change->plan.actions[step->at];

	if (err->code == ERR_OK && action->kind == ACTION_STOP)
		hint_at_init(change, slot);
	if (err->code == ERR_OK && action->kind == ACTION_REMOVE && !action->replaces)
		*(struct slot **)arena_grow(change->arena, &change->gone, &change->gone_count,
					    sizeof(slot)) = slot;
	step_over(step, err);
}

static void create_in_pool(uv_work_t *work)
{
	struct step *step = work->data;

	slot_create_blocking(step->change->sv, step->record, step->slot->name,
			     step->record->image_id, step->defers, &step->err);
}

static bool is_started_next(const struct change *change, const struct slot *slot)
{
	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];

		if (action->kind == ACTION_START && action->slot == slot->number &&
		    strcmp(action->service, slot->service) == 0)
			return true;
	}
	return false;
}

static void created(uv_work_t *work, int status)
{
	struct step *step = work->data;
	struct slot *slot = step->slot;
	struct err err = step->err;

	(void)status;
	slot->record = step->record;
	slot->is_deferred = step->defers;
	model_unref(slot->model);
	slot->model = model_ref(step->change->model);
	slot->state = SLOT_CREATED;
	if (err.code == ERR_OK)
		slot_event(slot, "create", step->change->plan.actions[step->at].reason);
	step_over(step, &err);
}

/* Until it has taken over, the record says whom it follows. */
static void mark_unsettled(struct step *step, const struct action *action)
{
	struct json_object *info = record_info(step->record);
	char number[16];

	snprintf(number, sizeof(number), "%u", action->from);
	json_add_text(info, "update_of", number);
	record_put_info(step->record, info);
	step->slot->unsettled = true;
}

static void begin_create(struct step *step, const struct action *action)
{
	struct change *change = step->change;
	const struct project *project = change->model->project;
	size_t index = (size_t)(project_find_service(project, action->service) - project->services);

	step->slot = slot_make(change->sv, action->service, action->slot, NULL);
	step->record = record_make(change, &project->services[index], &change->wanted[index],
				   step->slot, action->name);
	if (action->from)
		mark_unsettled(step, action);
	step->defers = is_started_next(change, step->slot);
	uv_queue_work(change->sv->loop, &step->work, create_in_pool, created);
}

/* ---- updates ---- */

static void update_in_pool(uv_work_t *work)
{
	struct step *step = work->data;

	if (slot_is_live(step->slot))
		limits_apply(
			step->change->sv, step->slot->record->id,
			project_find_service(step->change->model->project, step->slot->service),
			&step->err);
}

static void take_new_model(struct slot *slot, struct change *change)
{
	const struct project *project = change->model->project;
	const struct service *service = project_find_service(project, slot->service);
	const struct plan_wanted *wanted = &change->wanted[service - project->services];
	struct json_object *info = record_info(slot->record);

	json_add_int(info, "model", (int64_t)change->model->seq);
	json_add_text(json_object_at(info, "labels"), "com.docker.compose.config-hash",
		      wanted->config_hash);
	if (service->stop_signal)
		json_add_text(info, "stop_signal", service->stop_signal);
	update_note(info, service, NULL); /* what was changed by hand goes: the file has changed */
	record_put_info(slot->record, info);
	free(slot->record->config_hash);
	slot->record->config_hash = xstrdup(wanted->config_hash);
	model_unref(slot->model);
	slot->model = model_ref(change->model);
	slot_write_record(slot);
}

static void updated(uv_work_t *work, int status)
{
	struct step *step = work->data;
	struct err err = step->err;

	(void)status;
	if (err.code == ERR_OK) {
		take_new_model(step->slot, step->change);
		slot_event(step->slot, "update", step->change->plan.actions[step->at].reason);
		idle_look(step->slot);
	}
	step_over(step, &err);
}

static void settled(void *ctx, const struct err *err)
{
	step_over(ctx, err);
}

/* ---- one container ---- */

struct slot *apply_slot_of(const struct change *change, const struct action *action)
{
	return action->container ? slot_by_container(change->sv, action->container)
				 : slot_find(change->sv, action->service, action->slot);
}

/* rm -v, down -v; up -V for what it makes anew. */
static bool takes_anonymous(const struct change *change, const struct action *action)
{
	return change->flags & CHANGE_REMOVE_ANON ||
	       (action->replaces && change->options.flags & PLAN_RENEW_ANONYMOUS);
}

bool apply_stops(enum action_kind kind)
{
	return kind == ACTION_STOP || kind == ACTION_REMOVE || kind == ACTION_REMOVE_NETWORK ||
	       kind == ACTION_REMOVE_VOLUME;
}

static void begin_slot(struct step *step, const struct action *action)
{
	struct change *change = step->change;
	bool by_hand = !action->replaces && change->options.op != PLAN_UP &&
		       !(change->flags & CHANGE_CUTS_OFF);

	step->slot = apply_slot_of(change, action);
	if (!step->slot && apply_stops(action->kind)) { /* its own end came first */
		step_over(step, &step->err);
		return;
	}
	if (!step->slot) {
		err_set(&step->err, ERR_NOT_FOUND, "container %s has gone", action->name);
		step_over(step, &step->err);
		return;
	}
	switch (action->kind) {
	case ACTION_UPDATE:
		uv_queue_work(change->sv->loop, &step->work, update_in_pool, updated);
		return;
	case ACTION_SETTLE:
		settle_begin(change, action, settled, step);
		return;
	case ACTION_START:
		step->slot->record->restarts = 0;
		step->slot->streak = 0;
		slot_start(step->slot, action->reason, slot_step_over, step);
		return;
	case ACTION_STOP:
		step->slot->record->cut_off |=
			(change->flags & CHANGE_CUTS_OFF) != 0 && slot_is_live(step->slot);
		slot_stop(step->slot, change->timeout_us, by_hand, action->reason, slot_step_over,
			  step);
		return;
	default:
		step->slot->reason = action->reason;
		slot_remove(step->slot,
			    (takes_anonymous(change, action) ? SLOT_REMOVE_VOLUMES : 0) |
				    (action->replaces ? SLOT_KEEP_SLOT : 0),
			    slot_step_over, step);
	}
}

/* ---- networks and volumes ---- */

static void object_in_pool(uv_work_t *work)
{
	struct step *step = work->data;
	struct change *change = step->change;
	const struct action *action = &change->plan.actions[step->at];
	const char *name = object_name(change, action);

	if (action->kind == ACTION_REMOVE_VOLUME) {
		if (volume_remove(change->sv->volumes, name, &step->err) < 0 &&
		    step->err.code == ERR_NOT_FOUND)
			step->err = ERR_NONE;
	} else if (step->whole) {
		net_drop_project(change->sv->net, &step->err);
		names_end(change->sv->names);
	} else {
		net_remove(change->sv->net, name, &step->err);
	}
}

static void object_done(uv_work_t *work, int status)
{
	struct step *step = work->data;
	struct err err = step->err;

	(void)status;
	if (err.code == ERR_BUSY) { /* somebody else's container is on it: told, and no failure */
		change_notice(step->change,
			      arena_format(step->change->arena, "%s: Resource is still in use",
					   object_name(step->change,
						       &step->change->plan.actions[step->at])));
		err = ERR_NONE;
	}
	step_over(step, &err);
}

static void begin_object(struct step *step, const struct action *action)
{
	struct change *change = step->change;
	const struct err fine = ERR_NONE;

	if (action->kind == ACTION_CREATE_NETWORK || action->kind == ACTION_CREATE_VOLUME) {
		step_over(step, &fine); /* made before the first container, all in one batch */
		return;
	}
	if (action->kind == ACTION_REMOVE_NETWORK && change->flags & CHANGE_TO_DOWN) {
		if (change->net_dropped) {
			step_over(step, &fine);
			return;
		}
		change->net_dropped = step->whole = true;
	}
	uv_queue_work(change->sv->loop, &step->work, object_in_pool, object_done);
}

void apply_action(struct change *change, size_t at)
{
	const struct action *action = &change->plan.actions[at];
	struct step *step = xcalloc(1, sizeof(*step));

	step->work.data = step;
	step->change = change;
	step->at = at;
	change->states[at] = ACTION_RUNNING;
	change->running++;
	tell(change, at, false);
	if (action->kind == ACTION_CREATE)
		begin_create(step, action);
	else if (action->service)
		begin_slot(step, action);
	else
		begin_object(step, action);
}

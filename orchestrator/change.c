/* orchestrator/change - one change of a project, from a request to its answer. Read the table
 * first.
 *
 * Owns: the queue of changes, the stages of one. May not touch: what a plan decides (plan), how an
 * action is done (apply, slot).
 */
#include "orchestrator/change.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/change_connect.h"
#include "orchestrator/change_images.h"
#include "orchestrator/change_net.h"
#include "orchestrator/change_observe.h"
#include "orchestrator/change_ready.h"
#include "orchestrator/change_run.h"
#include "orchestrator/change_sync.h"
#include "orchestrator/container_names.h"
#include "orchestrator/desired.h"
#include "orchestrator/model_mix.h"
#include "orchestrator/nursery.h"
#include "orchestrator/plan_json.h"
#include "orchestrator/publish.h"
#include "orchestrator/rollback.h"
#include "orchestrator/schedule.h"
#include "orchestrator/slot.h"
#include "orchestrator/storage.h"
#include "orchestrator/values.h"
#include "specs/hash.h"
#include "specs/model_json.h"
#include "volumes/volume.h"

static void begin_next(struct supervisor *sv);

void change_progress(struct change *change, const char *kind, const char *name, const char *verb,
		     const char *state, const char *detail)
{
	struct json_object *event;

	if (!change->request)
		return;
	event = json_object_new_object();
	json_add_text(event, "kind", kind);
	json_add_text(event, "name", name);
	json_add_text(event, "verb", verb);
	json_add_text(event, "state", state);
	json_add_text(event, "detail", detail);
	control_event(change->request, event);
}

void change_notice(struct change *change, const char *text)
{
	struct json_object *event;

	if (!change->request)
		return;
	event = json_object_new_object();
	json_add_text(event, "notice", text);
	control_event(change->request, event);
}

bool change_makes_containers(const struct change *change)
{
	return change->run || change->options.op == PLAN_UP || change->options.op == PLAN_CREATE;
}

/* ---- plan and model ---- */

static bool has_container(void *ctx, const char *service)
{
	const struct supervisor *sv = ctx;
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (!slot->oneoff && slot->record && strcmp(slot->service, service) == 0)
		return true;
	return false;
}

/* `up A` sets the others aside for this change alone: in force they stay. */
static void keep_active(struct change *change)
{
	AUTO(json) struct json_object *values = NULL;

	change->stored =
		model_keep_active(change->model, change->sv->model, has_container, change->sv);
	if (!change->stored)
		return;
	values = model_json_values(change->model->project);
	model_json_take_values(change->stored->arena, change->stored->project, values);
}

static int make_plan(void *data, struct err *err)
{
	struct change *change = data;

	observe_slots(change);
	if (change->brings_model && change->sv->model)
		keep_active(change);
	change->seen.before = change->sv->model ? change->sv->model->project : NULL;
	if (plan_make(change->arena, change->model->project, change->wanted, &change->seen,
		      &change->options, &change->plan, err) < 0)
		return -1;
	for (size_t i = 0; i < change->plan.kept_count && change_makes_containers(change); i++)
		change_progress(change, "Container", change->plan.kept[i], "Running", "done", NULL);
	if (change->plan.orphan_count && !(change->flags & CHANGE_NO_ORPHANS)) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		for (size_t i = 0; i < change->plan.orphan_count; i++)
			fprintf(out, "%s%s", i ? ", " : "", change->plan.orphans[i]);
		fclose(out);
		change_notice(change,
			      arena_format(change->arena,
					   "containers whose service is not in the file: %s "
					   "(--remove-orphans removes them)",
					   text));
		free(text);
	}
	return 0;
}

static int check(void *data, struct err *err)
{
	struct change *change = data;

	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];
		const struct service *service =
			action->service
				? project_find_service(change->model->project, action->service)
				: NULL;

		if ((action->kind == ACTION_CREATE || action->kind == ACTION_START) && service &&
		    storage_check(change->sv->volumes, change->model->project, service,
				  change->arena, &change->notices, err) < 0)
			return -1;
		if (action->kind == ACTION_CREATE && service &&
		    container_name_check(change->sv->roots, service->container_name,
					 change->sv->dirs->name, service->name, err) < 0)
			return -1;
	}
	return change->run
		       ? container_name_check(change->sv->roots, change->run->name, NULL, NULL, err)
		       : 0;
}

#define HISTORY_DEFAULT 20

/* What the references of the services mean now; of those that are not here, what they meant before.
 */
static char *images_text(const struct change *change)
{
	AUTO(json) struct json_object *images = json_object_new_object();
	const struct project *project = change->model->project;

	for (size_t i = 0; i < project->service_count; i++)
		if (change->wanted[i].image_id)
			json_add_text(images, project->services[i].name,
				      change->wanted[i].image_id);
	return xstrdup(json_object_to_json_string_ext(images, JSON_C_TO_STRING_PLAIN));
}

static int save(struct change *change, struct err *err)
{
	const struct opt_int *keep = &change->model->project->history;
	struct model *model = change->stored ? change->stored : change->model;

	free(model->images);
	model->images = images_text(change);
	if (model_save(change->sv->dirs, model, change->sv->model, err) < 0)
		return -1;
	change->model->seq = model->seq;
	model_prune(change->sv->dirs, model->seq,
		    keep->is_set && keep->value >= 0 ? (uint64_t)keep->value + 1
						     : HISTORY_DEFAULT + 1,
		    change->seqs, change->seq_count);
	return 0;
}

static int save_model(void *data, struct err *err)
{
	struct change *change = data;

	if (change->brings_model && save(change, err) < 0)
		return -1;
	if (change->brings_model && values_keep(change->sv->dirs, change->model, err) < 0)
		return -1;
	if (change->flags & CHANGE_KEEP_WISH)
		return 0;
	return desired_write(change->sv->dirs, &change->options, change->op, err);
}

static int adopt_model(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	if (change->brings_model) {
		change->before = change->sv->model ? model_ref(change->sv->model) : NULL;
		model_unref(change->sv->model);
		change->sv->model = model_ref(change->stored ? change->stored : change->model);
	}
	return 0;
}

/* Named volumes that a service uses, also those of `create`, before the first container. */
static int make_volumes(void *data, struct err *err)
{
	struct change *change = data;

	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];

		if (action->kind == ACTION_CREATE_VOLUME &&
		    storage_make_volume(change->sv->volumes, change->model->project,
					project_find_volume(change->model->project, action->name),
					err) < 0)
			return -1;
	}
	return 0;
}

/* clang-format off */
static const struct stage change_stages[] = {
	/* name              where    run            undo           timeout_ms */
	{ "begin",           IN_POOL, NULL,          net_clean,     0 },
	{ "fetch-images",    ON_LOOP, change_fetch_images, change_stop_fetching, 0 },
	{ "observe",         IN_POOL, observe_rest,  NULL,          0 },
	{ "plan",            ON_LOOP, make_plan,     NULL,          0 },
	{ "check",           IN_POOL, check,         NULL,          0 },
	{ "claim-slots",     ON_LOOP, net_claim,     net_unclaim,   0 },
	{ "prepare-network", IN_POOL, net_batch,     net_unbatch,   0 },
	{ "settle-network",  ON_LOOP, net_settle,    NULL,          0 },
	{ "save-model",      IN_POOL, save_model,    NULL,          0 },
	{ "make-volumes",    IN_POOL, make_volumes,  NULL,          0 },
	{ "adopt-model",     ON_LOOP, adopt_model,   NULL,          0 },
	{ "begin-sync",      ON_LOOP, sync_begin,    sync_leave,    0 },
	{ "apply",           ON_LOOP, apply_begin,   apply_cancel,  0 },
	{ "run",             ON_LOOP, run_begin,     run_cancel,    0 },
	{ "await-ready",     ON_LOOP, ready_begin,   NULL,          0 },
	{ "await-sync",      ON_LOOP, sync_await,    NULL,          0 },
	{ "drop-network",    IN_POOL, net_clean,     NULL,          0 },
	{ NULL,              ON_LOOP, NULL,          NULL,          0 },
};
static const struct stage plan_stages[] = {
	{ "observe",         IN_POOL, observe_rest,  NULL,          0 },
	{ "plan",            ON_LOOP, make_plan,     NULL,          0 },
	{ NULL,              ON_LOOP, NULL,          NULL,          0 },
};
/* clang-format on */

void change_free(struct change *change)
{
	if (change->run)
		model_unref(change->run->model);
	model_unref(change->model);
	model_unref(change->before);
	model_unref(change->stored);
	arena_free(change->arena);
	free(change);
}

static void timer_closed(uv_handle_t *timer)
{
	struct change *change = timer->data;
	bool last = TAILQ_EMPTY(&change->sv->changes);

	change_free(change);
	if (last)
		malloc_trim(0); /* a supervisor is small while nothing happens */
}

static void answer(struct change *change, const struct err *err)
{
	struct json_object *result;

	if (!change->request)
		return;
	if (err->code) {
		control_fail(change->request, err);
	} else if (!change->run || change->run->detach || change->flags & CHANGE_DRY_RUN) {
		result = plan_json(&change->plan, change->model->project);
		run_add_result(change, result);
		control_ok(change->request, result);
	} else {
		control_ok(change->request, NULL);
	}
	change->request = NULL;
}

/* The answer is why it went back, and how that went. */
static void tell_rolled_back(const struct change *change, struct err *result)
{
	struct err own = *result;

	*result = change->because;
	if (own.code)
		err_wrap(result, "rolling back failed (%s), after", own.msg);
	else
		err_wrap(result, "rolled back");
}

static void change_done(struct flow *flow, const struct err *err)
{
	struct change *change = flow->job;
	struct supervisor *sv = change->sv;
	struct err result = *err;

	for (size_t i = 0; i < change->notices.count; i++)
		change_notice(change, change->notices.items[i]);
	if (flow->undo_err.code)
		log_warn("walk-back", KV_S("op", change->op), KV_S("error", flow->undo_err.msg));
	net_forget(change);
	slots_write_deferred(sv);
	nursery_unref(sv->nursery);
	sv->nursery = NULL;
	if (change->because.code)
		tell_rolled_back(change, &result);
	if (change->flags & CHANGE_END_AFTER && !result.code)
		supervisor_end(sv, true);
	TAILQ_REMOVE(&sv->changes, change, link);
	if (change->over)
		change->over(change, &result);
	if (!result.code || !change->roll_back || !rollback_after(change, &result))
		answer(change, &result);
	publish_names(sv, NULL);
	schedule_look(sv);
	uv_close((uv_handle_t *)&change->wait_timer, timer_closed);
	begin_next(sv);
	supervisor_look_idle(sv);
}

/* A life has ended and is not settled yet: a plan would take it for running. */
static bool is_settling(const struct supervisor *sv)
{
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->state == SLOT_RUNNING && !slot->is_watched)
		return true;
	return false;
}

static void begin_next(struct supervisor *sv)
{
	struct change *change = TAILQ_FIRST(&sv->changes);

	if (!change || change->timer_open || is_settling(sv))
		return;
	change->timer_open = sv->had_change = true;
	uv_timer_init(sv->loop, &change->wait_timer);
	change->wait_timer.data = change;
	change->flow = (struct flow){ .name = change->op,
				      .table = change->connect                  ? connect_stages
					       : change->flags & CHANGE_DRY_RUN ? plan_stages
										: change_stages,
				      .job = change,
				      .done = change_done,
				      .trace_fd = sv->trace_fd };
	flow_start(&change->flow, sv->loop);
}

void change_submit(struct change *change)
{
	struct supervisor *sv = change->sv;
	struct change *first = TAILQ_FIRST(&sv->changes);

	if (first && change->flags & CHANGE_OVERTAKES) {
		TAILQ_INSERT_AFTER(&sv->changes, first, change, link);
		if (!(first->flags & CHANGE_OVERTAKES))
			change_cancel(first);
	} else {
		if (first)
			change_notice(change, arena_format(change->arena,
							   "waiting for a running \"%s\" to end",
							   first->op));
		TAILQ_INSERT_TAIL(&sv->changes, change, link);
	}
	begin_next(sv);
}

void change_submit_next(struct change *change)
{
	TAILQ_INSERT_HEAD(&change->sv->changes, change, link);
}

void change_cancel(struct change *change)
{
	if (change != TAILQ_FIRST(&change->sv->changes)) {
		struct err cancelled = { ERR_CANCELLED, "cancelled" };

		TAILQ_REMOVE(&change->sv->changes, change, link);
		if (change->over)
			change->over(change, &cancelled);
		answer(change, &cancelled);
		change_free(change);
		return;
	}
	flow_cancel(&change->flow);
}

void changes_look(struct supervisor *sv, struct slot *slot)
{
	struct change *change = TAILQ_FIRST(&sv->changes);

	begin_next(sv); /* one that waited for a life to be settled */
	if (change && change->timer_open) {
		apply_look(change);
		if (change == TAILQ_FIRST(&sv->changes))
			ready_look(change);
		if (change == TAILQ_FIRST(&sv->changes))
			run_look(change, slot);
	}
	slots_look(sv);
	supervisor_look_idle(sv);
}

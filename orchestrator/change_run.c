/* orchestrator/change_run - `run`: a one-off container beside the service's own.
 *
 * The change ends when the program runs; the client then follows it through its monitor. Owns: the
 * way of one one-off container to its start. May not touch: attach (the client's).
 */
#include "orchestrator/change_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/publish.h"
#include "orchestrator/record_make.h"
#include "orchestrator/slot.h"
#include "specs/hash.h"

struct create_job {
	uv_work_t work;
	struct change *change;
	struct record *record;
	struct err err;
};

#define ONEOFF_DIGITS 12

void run_prepare(struct change *change)
{
	char oneoff[ONEOFF_DIGITS + 1];

	stamp_id(oneoff, ONEOFF_DIGITS);
	change->run_slot = slot_make(change->sv, change->run->service->name, 0, oneoff);
	change->run_slot->remove_after = change->run->remove;
	change->run_slot->use_aliases = change->run->use_aliases;
	change->run_slot->hold_start = !change->run->detach;
}

void run_add_result(const struct change *change, struct json_object *result)
{
	if (!change->run || !change->run_slot || !change->run_slot->record)
		return;
	json_add_text(result, "container", change->run_slot->record->id);
	json_add_text(result, "name", change->run_slot->record->name);
}

void run_look(struct change *change, struct slot *slot)
{
	struct json_object *event, *init;

	if (!change->run || slot != change->run_slot || slot->state != SLOT_STARTING ||
	    !slot->hold_start || !slot->record || !slot->record->init.pid || !change->request)
		return;
	event = json_object_new_object();
	json_add_text(event, "attach", slot->record->id);
	json_add_text(event, "name", slot->record->name);
	init = json_add_object(event, "init");
	json_add_int(init, "pid", slot->record->init.pid);
	json_add_int(init, "start", (int64_t)slot->record->init.start_ticks);
	control_event(change->request, event);
}

static void run_started(void *ctx, struct slot *slot, const struct err *err)
{
	struct change *change = ctx;

	(void)slot;
	flow_resume(&change->flow, err->code ? err : NULL);
}

static void create_in_pool(uv_work_t *work)
{
	struct create_job *job = work->data;

	slot_create_blocking(job->change->sv, job->record, job->change->run_slot->name,
			     job->record->image_id, false, &job->err);
}

static void created(uv_work_t *work, int status)
{
	struct create_job *job = work->data;
	struct change *change = job->change;
	struct slot *slot = change->run_slot;
	struct err err = job->err;

	(void)status;
	slot->record = job->record;
	slot->model = model_ref(change->run->model);
	slot->state = SLOT_CREATED;
	free(job);
	if (err.code) {
		flow_resume(&change->flow, &err);
		return;
	}
	slot_event(slot, "create", "asked for by run");
	slot_start(slot, "asked for by run", run_started, change);
}

int run_begin(void *data, struct err *err)
{
	struct change *change = data;
	struct plan_wanted wanted = { 0 };
	const struct project *project = change->model->project;
	struct create_job *job;
	size_t index;

	if (!change->run)
		return 0;
	index = (size_t)(project_find_service(project, change->run->service->name) -
			 project->services);
	wanted = change->wanted[index];
	if (!wanted.image_id)
		return err_set(err, ERR_NOT_FOUND, "service %s: its image is not on this machine",
			       change->run->service->name);
	change->run->model->seq = change->model->seq; /* whoever adopts it finds the file's */
	job = xcalloc(1, sizeof(*job));
	job->work.data = job;
	job->change = change;
	job->record = record_make(change, change->run->service, &wanted, change->run_slot,
				  change->run->name
					  ? change->run->name
					  : arena_format(change->arena, "%s-%s-run-%s",
							 project->name, change->run->service->name,
							 change->run_slot->oneoff));
	uv_queue_work(change->sv->loop, &job->work, create_in_pool, created);
	return STAGE_WAITS;
}

static void removed(void *ctx, struct slot *slot, const struct err *err)
{
	struct change *change = ctx;

	if (err->code == ERR_OK)
		*(struct slot **)arena_grow(change->arena, &change->gone, &change->gone_count,
					    sizeof(slot)) = slot;
	flow_resume(&change->flow, err->code ? err : NULL);
}

/* The start was walked back: what is left is a container that never ran. */
static void cancelled(void *ctx, struct slot *slot, const struct err *err)
{
	(void)err;
	slot->reason = "it was not started";
	slot_remove(slot, SLOT_REMOVE_VOLUMES, removed, ctx);
}

int run_cancel(void *data, struct err *err)
{
	struct change *change = data;
	struct slot *slot = change->run_slot;

	(void)err;
	if (!change->run || !slot || !slot->record)
		return 0;
	if (slot->starting) {
		slot_cancel(slot);
		slot->done = cancelled;
		slot->done_ctx = change;
		return STAGE_WAITS;
	}
	if (slot->state == SLOT_RUNNING)
		return 0;
	slot->reason = "it was not started";
	slot_remove(slot, SLOT_REMOVE_VOLUMES, removed, change);
	return STAGE_WAITS;
}

/* orchestrator/ops - what the requests on the control socket mean.
 *
 * Owns: the table of operations, the reading of their options. May not touch: how a change is done
 * (change).
 */
#include "orchestrator/ops.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/json.h"
#include "orchestrator/change.h"
#include "orchestrator/change_connect.h"
#include "orchestrator/change_run.h"
#include "orchestrator/container_names.h"
#include "orchestrator/exec.h"
#include "orchestrator/model_merge.h"
#include "orchestrator/publish.h"
#include "orchestrator/reload.h"
#include "orchestrator/request_check.h"
#include "orchestrator/restore.h"
#include "orchestrator/rollback.h"
#include "orchestrator/run_request.h"
#include "orchestrator/slot.h"
#include "orchestrator/update.h"
#include "specs/model_json.h"

struct op {
	const char *name;
	void (*run)(struct supervisor *sv, struct control_request *request, const struct op *op,
		    struct json_object *message);
	enum plan_op plan;
	unsigned flags; /* CHANGE_* */
};

/* ---- changes ---- */

static const struct {
	const char *name;
	unsigned plan_flag;
	unsigned change_flag;
} option_flags[] = {
	{"force_recreate",        PLAN_FORCE_RECREATE,  0                 },
	{ "no_recreate",          PLAN_NO_RECREATE,     0                 },
	{ "no_deps",              PLAN_NO_DEPS,         0                 },
	{ "always_recreate_deps", PLAN_RECREATE_DEPS,   0                 },
	{ "renew_anon_volumes",   PLAN_RENEW_ANONYMOUS, 0                 },
	{ "remove_orphans",       PLAN_REMOVE_ORPHANS,  0                 },
	{ "volumes",              PLAN_VOLUMES,         CHANGE_REMOVE_ANON},
	{ "stop_first",           PLAN_STOP_FIRST,      0                 },
	{ "wait",                 0,                    CHANGE_WAIT       },
	{ "quiet_pull",           0,                    CHANGE_QUIET_PULL },
	{ "ignore_orphans",       0,                    CHANGE_NO_ORPHANS },
	{ "dry_run",              0,                    CHANGE_DRY_RUN    },
};

static const char **read_names(struct arena *arena, const struct json_object *array,
			       size_t *out_count)
{
	size_t count = json_array_count(array);
	const char **names = arena_alloc(arena, (count + 1) * sizeof(*names));

	for (size_t i = 0; i < count; i++)
		names[i] = arena_strdup(arena, json_array_text(array, i));
	*out_count = count;
	return names;
}

static void read_scale(struct change *change, struct json_object *scale)
{
	struct plan_scale *list = NULL;
	size_t count = 0;

	if (!scale)
		return;
	json_each(scale, service, replicas) {
		struct plan_scale *one = arena_grow(change->arena, &list, &count, sizeof(*one));

		one->service = arena_strdup(change->arena, service);
		one->count = (unsigned)json_object_get_int64(replicas);
	}
	change->options.scale = list;
	change->options.scale_count = count;
}

/* `up SERVICE`, `run SERVICE`: the others stay as they are. */
static bool speaks_of_some(const struct change *change)
{
	return change->options.service_count > 0 || strcmp(change->op, "run") == 0;
}

static void take_former_values(struct model *model, const struct model *before)
{
	AUTO(json) struct json_object *values = model_json_values(before->project);

	model_json_take_values(model->arena, model->project, values);
}

static struct change *read_change(struct supervisor *sv, struct control_request *request,
				  const struct op *op, struct json_object *message, struct err *err)
{
	struct change *change = xcalloc(1, sizeof(*change));
	struct json_object *options = json_object_at(message, "options");
	struct json_object *model = json_object_at(message, "model");

	change->arena = arena_new();
	change->sv = sv;
	change->request = request;
	change->op = op->name;
	change->flags = op->flags;
	change->options.op = op->plan;
	change->options.services = read_names(change->arena, json_array_at(message, "services"),
					      &change->options.service_count);
	for (size_t i = 0; i < sizeof(option_flags) / sizeof(*option_flags); i++)
		if (json_bool_or(options, option_flags[i].name, false)) {
			change->options.flags |= option_flags[i].plan_flag;
			change->flags |= option_flags[i].change_flag;
		}
	read_scale(change, json_object_at(options, "scale"));
	change->options.containers = read_names(change->arena, json_array_at(options, "containers"),
						&change->options.container_count);
	change->parallel = (size_t)json_int_or(options, "parallel", 0);
	change->timeout_us = json_int_or(options, "timeout_us", -1);
	change->wait_timeout_us = json_int_or(options, "wait_timeout_us", 0);
	change->pull = arena_strdup(change->arena, json_text_or(options, "pull", NULL));
	if (model && sv->model && speaks_of_some(change))
		model_merge(model, sv->model, err);
	if (err->code) {
		change_free(change);
		return NULL;
	}
	if (model) {
		change->model = model_from_json(model, err);
		change->brings_model = op->plan == PLAN_UP || op->plan == PLAN_CREATE;
		if (change->model && sv->model && speaks_of_some(change))
			take_former_values(change->model, sv->model);
		if (change->model)
			model_json_take_values(change->model->arena, change->model->project,
					       json_object_at(message, "values"));
	} else if (sv->model) {
		change->model = model_ref(sv->model);
	} else {
		err_set(err, ERR_NOT_FOUND, "project %s is not up", sv->dirs->name);
	}
	if (change->model && strcmp(change->model->project->name, sv->dirs->name) != 0)
		err_set(err, ERR_INVALID, "the model is of project %s, not of %s",
			change->model->project->name, sv->dirs->name);
	if (err->code == ERR_OK)
		return change;
	change_free(change);
	return NULL;
}

/* Every stage of all processes writes its line there from now on, until another trace is asked for.
 */
static void begin_trace(struct supervisor *sv, const char *path)
{
	if (!path)
		return;
	if (sv->trace_fd >= 0)
		close(sv->trace_fd);
	sv->trace_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (sv->trace_fd >= 0 && write(sv->trace_fd, "[\n", 2) < 0)
		return; /* an empty trace tells it */
}

static void op_change(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	struct err err = ERR_NONE;
	bool has_model = sv->model || json_object_at(message, "model");
	struct change *change;

	if (!has_model &&
	    op->plan != PLAN_START) { /* stop, down, rm of what is gone: done already */
		control_ok(request, NULL);
		return;
	}
	change = read_change(sv, request, op, message, &err);
	if (!change) {
		control_fail(request, &err);
		return;
	}
	if (op->plan == PLAN_DOWN && !change->options.service_count)
		change->flags |= CHANGE_TO_DOWN;
	begin_trace(sv, json_text_or(json_object_at(message, "options"), "trace", NULL));
	control_set_data(request, change);
	change_submit(change);
}

/* ---- run ---- */

static void op_run(struct supervisor *sv, struct control_request *request, const struct op *op,
		   struct json_object *message)
{
	struct err err = ERR_NONE;
	struct change *change = read_change(sv, request, op, message, &err);

	if (!change || run_read(change, message, &err) < 0) {
		control_fail(request, &err);
		if (change)
			change_free(change);
		return;
	}
	if (!(change->flags & CHANGE_DRY_RUN))
		run_prepare(change);
	control_set_data(request, change);
	change_submit(change);
}

static void op_connect(struct supervisor *sv, struct control_request *request, const struct op *op,
		       struct json_object *message)
{
	struct err err = ERR_NONE;
	struct change *change = read_change(sv, request, op, message, &err);

	if (!change) {
		control_fail(request, &err);
		return;
	}
	connect_read(change, message, strcmp(op->name, "disconnect") == 0);
	control_set_data(request, change);
	change_submit(change);
}

/* The client of a `run` is attached. */
static void op_go(struct supervisor *sv, struct control_request *request, const struct op *op,
		  struct json_object *message)
{
	struct slot *slot = slot_by_container(sv, json_text_or(message, "container", ""));
	struct err err = ERR_NONE;

	(void)op;
	if (!slot) {
		err_set(&err, ERR_NOT_FOUND, "no such container");
		control_fail(request, &err);
		return;
	}
	slot_go(slot);
	control_ok(request, NULL);
}

/* ---- kill, pause ---- */

static bool is_listed(const struct json_object *array, const char *text)
{
	for (size_t i = 0; i < json_array_count(array); i++)
		if (strcmp(json_array_text(array, i), text) == 0)
			return true;
	return json_array_count(array) == 0;
}

static bool is_dry(const struct json_object *message)
{
	return json_bool_or(json_object_at(message, "options"), "dry_run", false);
}

/* By "services" and by "options.containers"; an empty list means everything. */
static bool is_meant(const struct slot *slot, const struct json_object *message)
{
	return slot->record && is_listed(json_array_at(message, "services"), slot->service) &&
	       is_listed(json_array_at(json_object_at(message, "options"), "containers"),
			 slot->record->id);
}

static void op_kill(struct supervisor *sv, struct control_request *request, const struct op *op,
		    struct json_object *message)
{
	struct json_object *result = json_object_new_object(),
			   *killed = json_add_array(result, "killed");
	const char *name = json_text_or(json_object_at(message, "options"), "signal", "SIGKILL");
	int number = process_signal_number(name);
	struct err err = ERR_NONE;
	struct slot *slot;

	(void)op;
	if (number < 0) {
		json_object_put(result);
		err_set(&err, ERR_INVALID, "no such signal: %s", name);
		control_fail(request, &err);
		return;
	}
	LIST_FOREACH(slot, &sv->slots, link)
	{
		if (!is_meant(slot, message))
			continue;
		if (is_dry(message)) {
			if (slot_is_live(slot))
				json_push_text(killed, slot->record->name);
			continue;
		}
		slot->kept_down |= number == SIGKILL; /* a kill by hand is an end by hand */
		if (slot->state == SLOT_BACKOFF || slot->starting)
			slot_cancel(slot);
		if (slot_signal(slot, number, &err) == 0) {
			slot_event(slot, "kill", "asked for by kill");
			json_push_text(killed, slot->record->name);
		}
	}
	control_ok(request, result);
}

static void op_freeze(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	bool pause = strcmp(op->name, "pause") == 0;
	struct json_object *result = json_object_new_object(),
			   *names = json_add_array(result, "names");
	struct json_object *already = json_add_array(result, "already");
	struct err err = ERR_NONE;
	struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	{
		if (!is_meant(slot, message) || slot->state != SLOT_RUNNING)
			continue;
		if (slot->record->paused == pause) {
			json_push_text(already, slot->record->name);
			continue;
		}
		if (is_dry(message)) {
			json_push_text(names, slot->record->name);
			continue;
		}
		if (exec_verb(sv, pause ? "pause" : "resume", slot->record->id, &err) < 0) {
			json_object_put(result);
			control_fail(request, &err);
			return;
		}
		slot->record->paused = pause;
		slot_write_record(slot);
		slot_event(slot, pause ? "pause" : "unpause", "asked for");
		json_push_text(names, slot->record->name);
	}
	control_ok(request, result);
}

/* {"container":ID,"name":NEW}: until it is recreated. */
static void op_rename(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	struct slot *slot = slot_by_container(sv, json_text_or(message, "container", ""));
	const char *name = json_text_or(message, "name", "");
	struct err err = ERR_NONE;

	(void)op;
	if (!slot || !slot->record)
		err_set(&err, ERR_NOT_FOUND, "no such container");
	else if (container_name_check(sv->roots, name, NULL, NULL, &err) == 0) {
		free(slot->record->name);
		slot->record->name = xstrdup(name);
		slot_write_record(slot);
		slot_event(slot, "rename", "asked for");
		publish_names(sv, NULL);
		control_ok(request, NULL);
		return;
	}
	control_fail(request, &err);
}

/* {"container":ID,"set":{KEY:VALUE|null}}: until it is recreated. */
static void op_update(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	struct slot *slot = slot_by_container(sv, json_text_or(message, "container", ""));
	struct json_object *set = json_object_at(message, "set");
	struct err err = ERR_NONE;

	(void)op;
	if (!slot || !slot->record || !set)
		err_set(&err, ERR_NOT_FOUND, "no such container");
	else if (update_slot(slot, set, is_dry(message), &err) == 0) {
		control_ok(request, NULL);
		return;
	}
	control_fail(request, &err);
}

/* ---- the rest ---- */

static void op_status(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	struct json_object *result = json_object_new_object(),
			   *slots = json_add_array(result, "slots");
	struct change *change = TAILQ_FIRST(&sv->changes);
	struct slot *slot;

	(void)op;
	(void)message;
	json_add_int(result, "pid", getpid());
	json_add_text(result, "changing", change ? change->op : NULL);
	LIST_FOREACH(slot, &sv->slots, link)
	{
		struct json_object *one = json_object_new_object();

		json_add_text(one, "slot", slot->name);
		json_add_text(one, "state", slot_state_name(slot->state));
		json_add_text(one, "container", slot->record ? slot->record->id : NULL);
		json_object_array_add(slots, one);
	}
	control_ok(request, result);
}

static void op_cancel(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	struct change *change = TAILQ_FIRST(&sv->changes);

	(void)op;
	(void)message;
	if (change)
		change_cancel(change);
	control_ok(request, NULL);
}

static void op_end(struct supervisor *sv, struct control_request *request, const struct op *op,
		   struct json_object *message)
{
	static const struct op stop = { "stop", NULL, PLAN_STOP,
					CHANGE_OVERTAKES | CHANGE_KEEP_WISH | CHANGE_CUTS_OFF |
						CHANGE_END_AFTER };

	(void)op;
	if (json_bool_or(json_object_at(message, "options"), "containers", false) && sv->model) {
		op_change(sv, request, &stop, message);
		return;
	}
	control_ok(request, NULL);
	supervisor_end(sv, true);
}

static void op_restore(struct supervisor *sv, struct control_request *request, const struct op *op,
		       struct json_object *message)
{
	(void)op;
	(void)message;
	restore_begin(sv, request);
}

static void op_reload(struct supervisor *sv, struct control_request *request, const struct op *op,
		      struct json_object *message)
{
	(void)op;
	(void)message;
	reload_begin(sv, request);
}

static void op_rollback(struct supervisor *sv, struct control_request *request, const struct op *op,
			struct json_object *message)
{
	struct arena *arena = arena_new();
	size_t count;
	const char **names = read_names(arena, json_array_at(message, "services"), &count);

	(void)op;
	rollback_begin(sv, request, names, count);
	arena_free(arena);
}

static const struct op ops[] = {
	{"up",          op_change,   PLAN_UP,      0               },
	{ "create",     op_change,   PLAN_CREATE,  0               },
	{ "start",      op_change,   PLAN_START,   0               },
	{ "restart",    op_change,   PLAN_RESTART, 0               },
	{ "stop",       op_change,   PLAN_STOP,    CHANGE_OVERTAKES},
	{ "rm",         op_change,   PLAN_REMOVE,  0               },
	{ "down",       op_change,   PLAN_DOWN,    CHANGE_OVERTAKES},
	{ "run",        op_run,      PLAN_UP,      0               },
	{ "connect",    op_connect,  PLAN_NOTHING, 0               },
	{ "disconnect", op_connect,  PLAN_NOTHING, 0               },
	{ "go",         op_go,       PLAN_NOTHING, 0               },
	{ "kill",       op_kill,     PLAN_NOTHING, 0               },
	{ "pause",      op_freeze,   PLAN_NOTHING, 0               },
	{ "unpause",    op_freeze,   PLAN_NOTHING, 0               },
	{ "rename",     op_rename,   PLAN_NOTHING, 0               },
	{ "update",     op_update,   PLAN_NOTHING, 0               },
	{ "status",     op_status,   PLAN_NOTHING, 0               },
	{ "cancel",     op_cancel,   PLAN_NOTHING, 0               },
	{ "end",        op_end,      PLAN_NOTHING, 0               },
	{ "restore",    op_restore,  PLAN_NOTHING, 0               },
	{ "reload",     op_reload,   PLAN_NOTHING, 0               },
	{ "rollback",   op_rollback, PLAN_NOTHING, 0               },
};

void ops_request(void *ctx, struct control_request *request, const char *op,
		 struct json_object *message)
{
	const struct supervisor *sv = ctx;
	struct err err = ERR_NONE;

	crash_point("request", "arrives");
	if (sv->ending) {
		control_turn_away(request);
		return;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (strcmp(ops[i].name, op) == 0) {
			if (request_check(message, &err) < 0) {
				control_fail(request, &err);
				return;
			}
			control_say_taken(request);
			crash_point("request", "taken");
			ops[i].run(ctx, request, &ops[i], message);
			return;
		}
	err_set(&err, ERR_INVALID, "unknown operation \"%s\"", op);
	control_fail(request, &err);
}

/* A client that dies changes nothing: what it asked for goes on. */
void ops_gone(void *ctx, struct control_request *request)
{
	(void)ctx;
	(void)request;
}

void ops_left(void *ctx)
{
	supervisor_look_idle(ctx);
}

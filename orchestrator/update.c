/* orchestrator/update - limits and policy of one container, changed by hand.
 *
 * Owns: the member "updated" of a record's info, what it does to a model. May not touch: cgroups.
 */
#include "orchestrator/update.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "specs/model_json.h"

#define NANO 1000000000.0

/* Keys that may be set, with what says the same below deploy. */
struct key {
	const char *name, *half, *twin; /* deploy.resources.HALF.TWIN; no half: deploy.TWIN */
};

/* clang-format off */
static const struct key keys[] = {
	{ "blkio_config",    NULL,           NULL },
	{ "cpu_period",      NULL,           NULL },
	{ "cpu_quota",       NULL,           NULL },
	{ "cpu_shares",      NULL,           NULL },
	{ "cpus",            "limits",       "cpus" },
	{ "cpuset",          NULL,           NULL },
	{ "mem_limit",       "limits",       "memory" },
	{ "mem_reservation", "reservations", "memory" },
	{ "memswap_limit",   NULL,           NULL },
	{ "pids_limit",      "limits",       "pids" },
	{ "restart",         NULL,           "restart_policy" },
};
/* clang-format on */

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* So that the key's own value counts, and not the one below deploy. */
static void drop_twin(struct json_object *service, const struct key *key)
{
	struct json_object *place = json_object_at(service, "deploy");

	if (key->half)
		place = json_object_at(json_object_at(place, "resources"), key->half);
	if (place && key->twin)
		json_object_object_del(place, key->twin);
}

static int put_keys(struct json_object *service, struct json_object *set, struct err *err)
{
	json_each(set, name, value) {
		const struct key *found = find_key(name);
		struct json_object *copy = NULL;

		if (!found)
			return err_set(err, ERR_INVALID, "%s cannot be changed by hand", name);
		drop_twin(service, found);
		json_object_object_del(service, name);
		if (value && json_object_deep_copy(value, &copy, NULL) == 0)
			json_object_object_add(service, name, copy);
	}
	return 0;
}

struct model *update_model(const struct model *base, const char *service, struct json_object *set,
			   struct err *err)
{
	AUTO(json)
	struct json_object *json = json_parse("model", base->text, strlen(base->text), err);
	AUTO(json) struct json_object *values = model_json_values(base->project);
	struct json_object *mine = json_object_at(json_object_at(json, "services"), service);
	struct model *model;

	if (!json)
		return NULL;
	if (!mine) {
		err_set(err, ERR_NOT_FOUND, "no such service: %s", service);
		return NULL;
	}
	model = put_keys(mine, set, err) == 0 ? model_from_json(json, err) : NULL;
	if (!model)
		return NULL;
	model_json_take_values(model->arena, model->project, values);
	model->seq = base->seq;
	return model;
}

/* ---- the record ---- */

static void add_limits(struct json_object *info, const struct service *service)
{
	struct json_object *limits;
	struct opt_bytes memory = service_memory_limit(service);
	struct opt_bytes reservation = service_memory_reservation(service);
	struct opt_number cpus = service_cpus(service);
	struct opt_int pids = service_pids_limit(service);
	const struct blkio *blkio = service->blkio_config;
	/* clang-format off */
	const struct {
		const char *name;
		bool is_set;
		int64_t value;
	} rows[] = {
		{ "Memory", memory.is_set, memory.bytes },
		{ "MemoryReservation", reservation.is_set, reservation.bytes },
		{ "MemorySwap", service->memswap_limit.is_set, service->memswap_limit.bytes },
		{ "NanoCpus", cpus.is_set, (int64_t)(cpus.value * NANO + 0.5) },
		{ "CpuShares", service->cpu_shares.is_set, (int64_t)service->cpu_shares.value },
		{ "CpuPeriod", service->cpu_period.is_set, service->cpu_period.value },
		{ "CpuQuota", service->cpu_quota.is_set, service->cpu_quota.value },
		{ "PidsLimit", pids.is_set, pids.value },
		{ "BlkioWeight", blkio && blkio->weight.is_set, blkio ? blkio->weight.value : 0 },
	};
	/* clang-format on */

	json_object_object_del(info, "limits");
	limits = json_add_object(info, "limits");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		json_add_int(limits, rows[i].name, rows[i].is_set ? rows[i].value : 0);
	json_add_text(limits, "CpusetCpus", service->cpuset ? service->cpuset : "");
}

void update_note(struct json_object *info, const struct service *service, struct json_object *set)
{
	struct json_object *updated;

	add_limits(info, service);
	json_add_text(info, "restart", service->restart ? service->restart : "no");
	if (!set) {
		json_object_object_del(info, "updated");
		return;
	}
	updated = json_object_at(info, "updated");
	if (!updated)
		updated = json_add_object(info, "updated");
	json_each(set, name, value)
		json_object_object_add(updated, name, json_object_get(value));
}

static void take(struct slot *slot, struct model *model)
{
	model_unref(slot->model);
	slot->model = model;
}

int update_slot(struct slot *slot, struct json_object *set, bool dry, struct err *err)
{
	struct model *model =
		slot->model ? update_model(slot->model, slot->service, set, err) : NULL;
	struct json_object *info;

	if (!model)
		return slot->model ? -1
				   : err_set(err, ERR_NOT_FOUND,
					     "service %s is no longer in the file", slot->service);
	if (dry) {
		model_unref(model);
		return 0;
	}
	take(slot, model);
	info = record_info(slot->record);
	update_note(info, slot_service(slot), set);
	record_put_info(slot->record, info);
	slot_write_record(slot);
	slot_event(slot, "update", "asked for by container update");
	return 0;
}

void update_adopt(struct slot *slot)
{
	AUTO(json) struct json_object *info = record_info(slot->record);
	struct json_object *set = json_object_at(info, "updated");
	struct err err = ERR_NONE;
	struct model *model;

	if (!set || !slot->model)
		return;
	model = update_model(slot->model, slot->service, set, &err);
	if (model)
		take(slot, model);
	else
		log_warn("update-lost", KV_S("slot", slot->name), KV_S("error", err.msg));
}

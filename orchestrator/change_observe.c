/* orchestrator/change_observe - what is there and what a change wants, for its plan.
 *
 * Owns: the form in which a plan sees slots, networks, volumes and images. May not touch: what
 * follows from it (plan).
 */
#include "orchestrator/change_observe.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/idle.h"
#include "orchestrator/rollback.h"
#include "orchestrator/slot.h"
#include "orchestrator/storage.h"
#include "specs/hash.h"
#include "volumes/volume.h"

static int want_service(struct change *change, size_t i, struct err *err)
{
	const struct project *project = change->model->project;
	const struct service *service = &project->services[i];
	struct plan_wanted *wanted = &change->wanted[i];
	char hash[SERVICE_HASH_LEN + 1], id[DIGEST_TEXT_MAX], contents[65];
	struct err absent = ERR_NONE;

	service_hash(service, hash);
	wanted->config_hash = arena_strdup(change->arena, hash);
	service_fixed_hash(service, hash);
	wanted->fixed_hash = arena_strdup(change->arena, hash);
	if (store_resolve(change->sv->images, service_image_name(change->arena, project, service),
			  id, &absent) == 0)
		wanted->image_id = arena_strdup(change->arena, id);
	if (rollback_pin(change, service->name))
		wanted->image_id = rollback_pin(change, service->name);
	if (!change_makes_containers(change))
		return 0;
	if (storage_contents(change->sv->volumes, project, service, contents, err) < 0)
		return -1;
	if (contents[0])
		wanted->contents = arena_strdup(change->arena, contents);
	return 0;
}

static int observe_volumes(struct change *change, struct err *err)
{
	const char **copy;
	char **names;
	size_t count;

	if (volume_names(change->sv->volumes, &names, &count, err) < 0)
		return -1;
	copy = arena_alloc(change->arena, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++)
		copy[i] = arena_strdup(change->arena, names[i]);
	volume_names_free(names, count);
	change->seen.volumes = copy;
	change->seen.volume_count = count;
	return 0;
}

int observe_rest(void *data, struct err *err)
{
	struct change *change = data;
	const struct project *project = change->model->project;
	struct seen_network *networks;
	struct net_seen *seen;
	size_t count;

	change->wanted = arena_alloc(change->arena,
				     (project->service_count + 1) * sizeof(struct plan_wanted));
	for (size_t i = 0; i < project->service_count; i++)
		if (want_service(change, i, err) < 0)
			return -1;
	if (observe_volumes(change, err) < 0 ||
	    net_observe(change->sv->net, project, &seen, &count, err) < 0)
		return -1;
	networks = arena_alloc(change->arena, (count + 1) * sizeof(*networks));
	for (size_t i = 0; i < count; i++) {
		networks[i].name = arena_strdup(change->arena, seen[i].name);
		networks[i].changed = seen[i].changed;
	}
	net_seen_free(seen, count);
	change->seen.networks = networks;
	change->seen.network_count = count;
	return 0;
}

/* One that sleeps (x-stack.idle) counts as running: nothing is to be done, but for `start`. */
static enum seen_state seen_state_of(const struct change *change, const struct slot *slot)
{
	if (idle_is_asleep(slot) && change->options.op != PLAN_START)
		return SEEN_RUNNING;
	switch (slot->state) {
	case SLOT_RUNNING:
	case SLOT_STARTING:
	case SLOT_STOPPING:
		return SEEN_RUNNING;
	case SLOT_BACKOFF:
		return SEEN_RESTARTING;
	case SLOT_EXITED:
		return SEEN_EXITED;
	default:
		return slot->record->state == RECORD_CREATING ||
				       slot->record->state == RECORD_REMOVING
			       ? SEEN_BROKEN
			       : SEEN_CREATED;
	}
}

static int by_service_and_slot(const void *a, const void *b)
{
	const struct seen_container *left = a, *right = b;
	int order = strcmp(left->service, right->service);

	if (order)
		return order;
	return left->slot < right->slot ? -1 : left->slot > right->slot;
}

void observe_slots(struct change *change)
{
	struct seen_container *list = NULL;
	struct slot *slot;
	size_t count = 0;

	LIST_FOREACH(slot, &change->sv->slots, link)
	{
		struct seen_container *seen;
		struct json_object *info;

		if (!slot->record)
			continue;
		if (slot->model)
			*(uint64_t *)arena_grow(change->arena, &change->seqs, &change->seq_count,
						sizeof(uint64_t)) = slot->model->seq;
		seen = arena_grow(change->arena, &list, &count, sizeof(*seen));
		info = record_info(slot->record);
		*seen = (struct seen_container){
			.id = arena_strdup(change->arena, slot->record->id),
			.name = arena_strdup(change->arena, slot->record->name),
			.service = arena_strdup(change->arena, slot->service),
			.slot = slot->number,
			.oneoff = slot->oneoff != NULL,
			.config_hash = arena_strdup(change->arena, slot->record->config_hash),
			.image_id = arena_strdup(change->arena, slot->record->image_id),
			.contents = arena_strdup(change->arena, slot->record->contents),
			.fixed_hash =
				arena_strdup(change->arena, json_text_or(info, "fixed_hash", NULL)),
			.unsettled = slot->unsettled,
			.state = seen_state_of(change, slot)
		};
		json_object_put(info);
	}
	if (count)
		qsort(list, count, sizeof(*list), by_service_and_slot);
	change->seen.containers = list;
	change->seen.container_count = count;
}

/* orchestrator/adopt - start-up is recovery.
 *
 * Owns: the comparison of records with what runs. May not touch: the model's wishes (the next change does).
 */
#include "orchestrator/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/tree.h"
#include "orchestrator/change_net.h"
#include "orchestrator/health.h"
#include "orchestrator/publish.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_end.h"

struct adoption {
	struct supervisor *sv;
	struct arena *arena;
	struct net_want *wants;
	struct slot **slots;
	size_t count;
};

/* The model that the container was made from: the one in force, or an older one of the history. */
static struct model *model_of(struct supervisor *sv, const struct record *record)
{
	struct json_object *info = record_info(record);
	uint64_t seq = (uint64_t)json_int_or(info, "model", 0);
	struct err err = ERR_NONE;
	struct slot *slot;

	json_object_put(info);
	if (sv->model && sv->model->seq == seq)
		return model_ref(sv->model);
	LIST_FOREACH(slot, &sv->slots, link)
		if (slot->model && slot->model->seq == seq)
			return model_ref(slot->model);
	return model_load(sv->dirs, seq, &err);
}

/* Folders without a whole record: a creation or a removal that was cut off. */
static void clear_rubbish(struct supervisor *sv)
{
	int fd = openat(sv->dirs->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		struct err err = ERR_NONE;

		if (entry->d_name[0] == '.' || slot_by_container(sv, entry->d_name))
			continue;
		slot_clear_left_overs(sv, entry->d_name, &err);
		err = ERR_NONE;
		if (tree_remove(sv->dirs->containers_fd, entry->d_name, &err) < 0)
			log_warn("rubbish-stays", KV_S("container", entry->d_name), KV_S("error", err.msg));
	}
	if (dir)
		closedir(dir);
}

static void adopt_running(struct slot *slot, int pidfd)
{
	slot->state = SLOT_RUNNING;
	slot_watch(slot, pidfd);
	health_start(slot, NULL);
	log_info("adopted", KV_S("service", slot->service), KV_S("container", slot->record->id));
}

/* A start that was cut off before the program ran: its monitor has undone everything by now, or died with us. */
static void undo_start(struct slot *slot)
{
	struct err err = ERR_NONE;
	int pidfd = process_open(slot->record->monitor);

	if (pidfd >= 0) {
		process_wait_end(pidfd, 10000, &err);
		close(pidfd);
	}
	slot_clear_left_overs(slot->sv, slot->record->id, &err);
	slot->record->state = RECORD_EXITED;
	slot->record->last_exit.life = slot->record->life;
	slot->record->last_exit.code = 125;
	slot->record->last_exit.finished_at_us = stamp_now_us();
	slot->state = SLOT_EXITED;
	slot_write_record(slot);
}

static void adopt_slot(struct slot *slot)
{
	struct record *record = slot->record;
	int pidfd;

	switch (record->state) {
	case RECORD_RUNNING:
		pidfd = process_open(record->monitor);
		if (pidfd >= 0)
			adopt_running(slot, pidfd);
		else
			slot->state = SLOT_RUNNING; /* slot_ended comes when the loop runs */
		break;
	case RECORD_STARTING:
		undo_start(slot);
		break;
	case RECORD_BACKOFF:
		slot->state = SLOT_BACKOFF; /* the wait begins anew when the loop runs */
		break;
	case RECORD_EXITED:
		slot->state = SLOT_EXITED;
		slot->kept_down = record->stopped_by_hand;
		break;
	default:
		slot->state = SLOT_CREATED; /* creating and removing are "broken" to the plan: removed, made anew */
	}
}

static void want_network(struct adoption *a, struct slot *slot, const struct service *service)
{
	const struct supervisor *sv = a->sv;
	struct net_want *want;
	size_t count = a->count;

	if (service->network_mode && strcmp(service->network_mode, "none") != 0)
		return;
	*(struct slot **)arena_grow(a->arena, &a->slots, &count, sizeof(slot)) = slot;
	want = arena_grow(a->arena, &a->wants, &a->count, sizeof(*want));
	want->service = service;
	want->slot = slot->name;
	want->number = slot->number;
	want->with_ports = !slot->oneoff;
	want->out_net = slot_net_new();
	want->out_net->key =
		slot->oneoff ? xformat("%s/%s/run-%s", sv->dirs->name, slot->service, slot->oneoff)
			     : xformat("%s/%s/%u", sv->dirs->name, slot->service, slot->number);
	want->out_net->netns = xformat("%s/netns/%s.%s", sv->roots->run, sv->dirs->name, slot->name);
}

/* Leases and ports are asked for again: books and kernel are as before, what was lost is made. */
static int adopt_networks(struct supervisor *sv, struct err *err)
{
	struct adoption a = { .sv = sv, .arena = arena_new() };
	struct net_hold *holds = NULL;
	struct texts notices = { NULL, 0 };
	struct slot *slot;
	size_t hold_count = 0;
	int status = 0;
	bool fresh;

	LIST_FOREACH(slot, &sv->slots, link) {
		const struct service *service = slot_service(slot);

		if (service)
			want_network(&a, slot, service);
	}
	if (a.count) {
		status = net_prepare(sv->net, sv->model->project, a.wants, a.count, a.arena, &holds,
				     &hold_count, &notices, err);
		for (size_t i = 0; i < a.count; i++) {
			if (status == 0)
				a.slots[i]->net = a.wants[i].out_net;
			else
				slot_net_free(a.wants[i].out_net);
		}
	}
	if (status == 0 && a.count)
		status = names_ensure(sv->names, &fresh, err);
	for (size_t i = 0; i < hold_count; i++) {
		struct netd_hold hold = { holds[i].key, holds[i].fd };

		if (status == 0)
			status = names_hold(sv->names, &hold, 1, err);
		close(holds[i].fd);
	}
	free(holds);
	arena_free(a.arena);
	return status;
}

int adopt_project(struct supervisor *sv, struct err *err)
{
	struct err absent = ERR_NONE;
	struct record **records;
	size_t count;

	sv->model = model_load_current(sv->dirs, &absent);
	if (!sv->model && absent.code != ERR_NOT_FOUND) {
		*err = absent;
		return -1;
	}
	records = records_read(sv->dirs->containers_fd, &count, err);
	if (!records)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct slot *slot = slot_make(sv, records[i]->service, records[i]->slot, records[i]->oneoff);

		slot->record = records[i];
		slot->model = model_of(sv, records[i]);
		adopt_slot(slot);
	}
	free(records);
	clear_rubbish(sv);
	if (!sv->model)
		return 0;
	return adopt_networks(sv, err);
}

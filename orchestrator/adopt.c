/* orchestrator/adopt - start-up is recovery.
 *
 * Owns: the comparison of records with what runs. May not touch: the model's wishes (the next
 * change does).
 */
#include "orchestrator/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/tree.h"
#include "orchestrator/adopt_net.h"
#include "orchestrator/health.h"
#include "orchestrator/launch.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/publish.h"
#include "orchestrator/ready.h"
#include "orchestrator/run_request.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_end.h"
#include "orchestrator/update.h"
#include "orchestrator/values.h"

#define START_SLACK_US 5000000 /* the program may have spoken before its start was recorded */

/* The model that the container was made from: the one in force, or an older one of the history. */
static struct model *model_of(struct supervisor *sv, const struct record *record)
{
	struct json_object *info = record_info(record);
	uint64_t seq = (uint64_t)json_int_or(info, "model", 0);
	struct err err = ERR_NONE;
	struct model *model;
	struct slot *slot;

	json_object_put(info);
	if (sv->model && sv->model->seq == seq)
		return model_ref(sv->model);
	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->model && !slot->oneoff && slot->model->seq == seq)
		return model_ref(slot->model);
	model = model_load(sv->dirs, seq, &err);
	values_put_back(sv->dirs, model);
	return model;
}

/* A one-off container's service is not the file's, but as its `run` made it. */
static void adopt_run(struct slot *slot)
{
	AUTO(json) struct json_object *info = record_info(slot->record);
	struct json_object *run = json_object_at(info, "run");
	struct err err = ERR_NONE;
	struct model *model =
		run && slot->model ? run_model(slot->model, slot->service, run, &err) : NULL;

	slot->use_aliases = json_bool_or(run, "use_aliases", false);
	slot->remove_after = json_bool_or(run, "remove", false);
	if (!model)
		return;
	model->seq = slot->model->seq;
	model_unref(slot->model);
	slot->model = model;
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
			log_warn("rubbish-stays", KV_S("container", entry->d_name),
				 KV_S("error", err.msg));
	}
	if (dir)
		closedir(dir);
}

static void adopt_running(struct slot *slot, int pidfd)
{
	slot->state = SLOT_RUNNING;
	slot_watch(slot, pidfd);
	health_start(slot, NULL);
	ready_watch(slot, slot->record->started_at_us - START_SLACK_US);
	log_info("adopted", KV_S("service", slot->service), KV_S("container", slot->record->id));
}

/* A start that was cut off before the program ran: its monitor has undone everything by now, or
 * died with us. */
static void undo_start(struct slot *slot)
{
	struct err err = ERR_NONE;
	/* The record tells it only when the program ran: it may have been on its way. */
	int pidfd = launch_find(slot->record->id);

	if (pidfd >= 0) {
		process_wait_end(pidfd, 10000, &err);
		close(pidfd);
	}
	slot_clear_left_overs(slot->sv, slot->record->id, &err);
	slot->record->state = RECORD_EXITED;
	slot->record->cut_off = true; /* somebody wanted it: restore goes on with it */
	slot->record->last_exit.life = slot->record->life;
	slot->record->last_exit.code = 125;
	slot->record->last_exit.finished_at_us = stamp_now_us();
	slot->state = SLOT_EXITED;
	slot_write_record(slot);
}

/* The newcomer of a start-first update that was cut off; the next `up` begins it anew. */
static bool is_unsettled(const struct record *record)
{
	struct json_object *info = record_info(record);
	bool result = json_text_or(info, "update_of", NULL) != NULL;

	json_object_put(info);
	return result;
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
		slot->state = SLOT_CREATED; /* creating and removing are "broken" to the plan:
					       removed, made anew */
	}
}

/* What is in books or kernel for slots without a record: a crash came between. */
static void drop_strays(struct supervisor *sv)
{
	struct arena *arena = arena_new();
	struct texts known = { NULL, 0 }, slots = { NULL, 0 }, keys = { NULL, 0 };
	struct err err = ERR_NONE;
	AUTO(fd)
	int netns_fd = openat(sv->roots->run_fd, "netns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct slot *slot;
	bool fresh;

	LIST_FOREACH(slot, &sv->slots, link)
	*(const char **)arena_grow(arena, &known.items, &known.count, sizeof(char *)) =
		slot->oneoff ? arena_format(arena, "%s/%s/run-%s", sv->dirs->name, slot->service,
					    slot->oneoff)
			     : arena_format(arena, "%s/%s/%u", sv->dirs->name, slot->service,
					    slot->number);
	if (net_drop_strays(sv->net, sv->roots->run, netns_fd, &known, arena, &slots, &keys, &err) <
	    0)
		log_warn("strays-stay", KV_S("error", err.msg));
	err = ERR_NONE;
	/* netd of the one that died holds their sockets. */
	if (slots.count && (names_ensure(sv->names, &fresh, &err) < 0 ||
			    names_ports_drop(sv->names, &keys, &err) < 0))
		log_warn("strays-stay", KV_S("error", err.msg));
	for (size_t i = 0; i < slots.count; i++)
		names_drop_slot(sv->names, slots.items[i], &err);
	arena_free(arena);
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
	values_put_back(sv->dirs, sv->model);
	records = records_read(sv->dirs->containers_fd, &count, err);
	if (!records)
		return -1;
	crash_point("adopt", "records");
	for (size_t i = 0; i < count; i++) {
		struct slot *slot =
			slot_make(sv, records[i]->service, records[i]->slot, records[i]->oneoff);

		slot->record = records[i];
		slot->model = model_of(sv, records[i]);
		if (slot->oneoff)
			adopt_run(slot);
		update_adopt(slot);
		slot->unsettled = is_unsettled(records[i]);
		adopt_slot(slot);
		crash_point("adopt", "slot");
	}
	free(records);
	clear_rubbish(sv);
	crash_point("adopt", "rubbish");
	drop_strays(sv);
	crash_point("adopt", "strays");
	if (!sv->model)
		return 0;
	return adopt_networks(sv, err);
}

/* orchestrator/slot_start - one life begun: from the record's intent to a running program. Read the
 * table first.
 *
 * Owns: the start of a container. May not touch: what an end means (slot, service), other slots'
 * containers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stamp.h"
#include "netplug/hosts_files.h"
#include "orchestrator/bundle.h"
#include "orchestrator/exec.h"
#include "orchestrator/health.h"
#include "orchestrator/image_cache.h"
#include "orchestrator/publish.h"
#include "orchestrator/ready.h"
#include "orchestrator/release_word.h"
#include "orchestrator/slot_end.h"
#include "orchestrator/slot_start_inner.h"

/* ---- the stages ---- */

static int record_intent(void *data, struct err *err)
{
	struct start_job *job = data;
	struct record *record = job->slot->record;

	record->life++;
	record->state = RECORD_STARTING;
	record->stopped_by_hand = record->cut_off = false;
	record->not_back[0] = '\0';
	return record_save(job->sv->dirs->containers_fd, record, err);
}

static void undo_record(struct start_job *job)
{
	struct record *record = job->slot->record;
	struct err ignored = ERR_NONE;

	record->state = RECORD_EXITED;
	record->monitor = record->init = (struct process_id){ 0 };
	record->last_exit = (struct record_exit){ .life = record->life,
						  .code = job->launch.code ? job->launch.code : 125,
						  .started_at_us = stamp_now_us(),
						  .finished_at_us = stamp_now_us() };
	snprintf(record->last_exit.error, sizeof(record->last_exit.error), "%.199s",
		 job->flow.err.msg);
	record_save(job->sv->dirs->containers_fd, record, &ignored);
}

static int record_stopped(void *data, struct err *err)
{
	(void)err;
	undo_record(data);
	return 0;
}

/* After a supervisor that died between the end of a life and its clearing. */
static int clear_former(void *data, struct err *err)
{
	struct start_job *job = data;
	AUTO(free)
	char *path = xformat("%s/containers/%s", job->sv->roots->run, job->slot->record->id);

	return access(path, F_OK) < 0 ? 0
				      : slot_clear_left_overs(job->sv, job->slot->record->id, err);
}

static int open_image(void *data, struct err *err)
{
	struct start_job *job = data;
	const struct record *record = job->slot->record;
	const struct image_facts *facts =
		image_cache_get(job->sv->image_cache, record->image_id, job->service->user,
				&job->service->group_add, err);

	if (!facts ||
	    image_cache_mount(job->sv->image_cache, record->image_id, record->id, err) < 0)
		return -1;
	job->snapshot = facts->snapshot;
	job->image = facts->config;
	job->user = &facts->user;
	return 0;
}

static int prepare_volumes(void *data, struct err *err)
{
	struct start_job *job = data;

	job->slot_fd = file_open_dir(job->sv->dirs->slots_fd, job->slot->name, true, err);
	if (job->slot_fd < 0)
		return -1;
	job->env = (struct storage_env){ .roots = job->sv->roots,
					 .volumes = job->sv->volumes,
					 .images = job->sv->images,
					 .project = job->slot->model->project,
					 .service = job->service,
					 .record = job->slot->record,
					 .slot_fd = job->slot_fd,
					 .snapshot = job->snapshot,
					 .image = job->image,
					 .user = job->user };
	job->storage.arena = job->arena;
	return storage_prepare(&job->env, &job->storage, err);
}

static int release_volumes(void *data, struct err *err)
{
	struct start_job *job = data;

	(void)err;
	if (!job->env.volumes)
		return 0;
	storage_settled(&job->env, &job->storage);
	storage_release(job->sv->roots, job->sv->volumes, job->slot->record->id,
			job->storage.volumes, job->storage.volume_count);
	return 0;
}

/* The volumes that have no name in the file, and those that only the image declares, among the
 * mounts. */
static void note_volumes(struct json_object *info, const struct storage *storage)
{
	struct json_object *mounts = json_array_at(info, "mounts");

	for (size_t i = 0; mounts && i < storage->volume_count; i++) {
		struct json_object *found = NULL;

		for (size_t m = 0; m < json_array_count(mounts) && !found; m++) {
			struct json_object *mount = json_object_array_get_idx(mounts, m);

			if (strcmp(json_text_or(mount, "target", ""), storage->targets[i]) == 0)
				found = mount;
		}
		if (!found) {
			found = json_object_new_object();
			json_add_text(found, "type", "volume");
			json_add_text(found, "target", storage->targets[i]);
			json_object_array_add(mounts, found);
		}
		json_add_text(found, "source", storage->volumes[i]);
	}
}

/* What only image and volumes tell goes into the record: ps shows it, and a stop or the end of this
 * life find it without model and image. */
static void note_facts(struct start_job *job)
{
	struct bundle_spec spec = { .service = job->service, .image = job->image };
	struct json_object *info = record_info(job->slot->record);
	struct json_object *names = json_add_array(info, "volumes_in_use");

	json_add_text(info, "command_text", bundle_command_text(job->arena, &spec));
	if (!job->service->stop_signal && job->image->stop_signal[0])
		json_add_text(info, "stop_signal", job->image->stop_signal);
	for (size_t i = 0; i < job->storage.volume_count; i++)
		json_push_text(names, job->storage.volumes[i]);
	note_volumes(info, &job->storage);
	record_put_info(job->slot->record, info);
}

static int write_bundle(void *data, struct err *err)
{
	struct start_job *job = data;
	struct slot_files_spec spec = { .slot = job->slot,
					.service = job->service,
					.image = job->image,
					.user = job->user,
					.snapshot = job->snapshot,
					.storage = &job->storage,
					.want_sockets = job->needs_names,
					.arena = job->arena };

	note_facts(job);
	job->release_word = release_word(job->arena, job->slot->net, err);
	if (!job->release_word)
		return -1;
	return slot_files_write(&spec, &job->paths, &job->launch.config_fd, &job->launch.monitor_fd,
				err);
}

static int publish(void *data, struct err *err)
{
	struct start_job *job = data;

	(void)err;
	if (!job->slot->net || !job->slot->net->link_count)
		return 0;
	publish_names(job->slot->sv, &job->flow);
	return STAGE_WAITS;
}

static int await_go(void *data, struct err *err)
{
	struct start_job *job = data;

	(void)err;
	if (!job->slot->hold_start)
		return 0;
	job->waits_for_go = true;
	slot_set_state(job->slot, SLOT_STARTING); /* whoever holds it hears that it may attach */
	return STAGE_WAITS;
}

static int release(void *data, struct err *err)
{
	struct start_job *job = data;

	return launch_release(&job->launch, job->release_word, err);
}

static int record_running(void *data, struct err *err)
{
	struct start_job *job = data;
	struct record *record = job->slot->record;

	record->state = RECORD_RUNNING;
	record->started_at_us = stamp_now_us();
	record->health = job->service->healthcheck || job->image->healthcheck.is_set
				 ? health_first_state(job->service, job->image)
				 : HEALTH_NONE;
	return record_save(job->sv->dirs->containers_fd, record, err);
}

/* A hook that fails is told and fails the change that waits for it; the container runs on. */
static int post_start(void *data, struct err *err)
{
	struct start_job *job = data;

	(void)err;
	if (job->service->post_start_count)
		exec_hooks(job->sv, job->slot->record, "post_start", job->service->post_start,
			   job->service->post_start_count, &job->hook_err);
	return 0;
}

/* clang-format off */
static const struct stage start_stages[] = {
	/* name              where    run              undo             timeout_ms */
	{ "record-intent",   IN_POOL, record_intent,   record_stopped,  0 },
	{ "clear-former",    IN_POOL, clear_former,    NULL,            0 },
	{ "open-image",      IN_POOL, open_image,      NULL,            0 },
	{ "prepare-volumes", IN_POOL, prepare_volumes, release_volumes, 0 },
	{ "renew-network",   IN_POOL, start_renew_network,   NULL,            0 },
	{ "write-bundle",    IN_POOL, write_bundle,    NULL,            0 },
	{ "launch-monitor",  IN_POOL, start_launch_monitor,  start_end_monitor,     0 },
	{ "attach-network",  IN_POOL, start_attach_network,  NULL,            0 },
	{ "await-created",   IN_POOL, start_await_created,   NULL,            0 },
	{ "publish-names",   ON_LOOP, publish,         NULL,            0 },
	{ "await-go",        ON_LOOP, await_go,        NULL,            0 },
	{ "release",         IN_POOL, release,         NULL,            0 },
	{ "record-running",  IN_POOL, record_running,  NULL,            0 },
	{ "post-start",      IN_POOL, post_start,      NULL,            0 },
	{ NULL,              ON_LOOP, NULL,            NULL,            0 },
};
/* clang-format on */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void job_free(struct start_job *job)
{
	close_fd(job->launch.config_fd);
	close_fd(job->launch.monitor_fd);
	close_fd(job->launch.pair_fd);
	close_fd(job->slot_fd);
	launch_close_sockets(&job->launch);
	nursery_unref(job->launch.nursery);
	arena_free(job->arena);
	free(job);
}

static void started(struct start_job *job)
{
	struct slot *slot = job->slot;
	int pidfd = job->launch.monitor_pidfd;

	job->launch.monitor_pidfd = -1;
	slot_event(slot, "start", slot->reason);
	health_start(slot, job->image);
	ready_watch(slot, slot->begun_us);
	if (job->hook_err.code)
		slot_event(slot, "hook-failed", job->hook_err.msg);
	slot_set_state(slot, SLOT_RUNNING);
	slot_watch(slot, pidfd);
}

/* The words of a stage say what was wrong, not always with what. */
static void name_container(const struct slot *slot, struct err *err)
{
	if (err->code != ERR_CANCELLED && strncmp(err->msg, "service ", 8) != 0 &&
	    !strstr(err->msg, slot->record->name))
		err_wrap(err, "container %s", slot->record->name);
}

static void start_over(struct flow *flow, const struct err *err)
{
	struct start_job *job = flow->job;
	struct slot *slot = job->slot;
	struct err result = *err;

	slot->starting = NULL;
	slot->hold_start = false;
	if (result.code == ERR_OK) {
		started(job);
		result = job->hook_err;
	} else {
		name_container(slot, &result);
		log_warn("start-failed", KV_S("service", slot->service),
			 KV_S("container", slot->record->id), KV_S("error", result.msg));
		slot_event(slot, "start-failed", result.msg);
		publish_names(slot->sv, NULL);
		slot_set_state(slot, SLOT_EXITED);
	}
	job_free(job);
	slot_job_over(slot, &result);
	slot_stop_waiting(slot);
}

static bool lacks_sockets(const struct slot *slot)
{
	return slot->net && slot->net->netns && slot->net->link_count &&
	       !names_has_slot(slot->sv->names, slot->name);
}

/* One that a crash left half made or half removed may lack its layer: `up` makes it anew. */
static int check_startable(const struct slot *slot, const struct service *service, struct err *err)
{
	if (!service || !slot->record)
		return err_set(err, ERR_NOT_FOUND, "service %s is no longer in the file",
			       slot->service);
	if (slot->record->state == RECORD_CREATING || slot->record->state == RECORD_REMOVING)
		return err_set(err, ERR_BUSY,
			       "container %s: its %s was cut off; `up` makes it anew",
			       slot->record->name,
			       slot->record->state == RECORD_CREATING ? "creation" : "removal");
	return 0;
}

void slot_start(struct slot *slot, const char *reason, slot_done done, void *ctx)
{
	struct start_job *job;
	struct err err = ERR_NONE;

	slot->done = done;
	slot->done_ctx = ctx;
	if (slot->starting)
		return;
	job = xcalloc(1, sizeof(*job));
	slot->reason = reason;
	slot->kept_down = slot->stop_wanted = slot->is_killed = false;
	slot->is_deferred = false; /* the first stage writes it */
	slot->begun_us = stamp_now_us();
	job->service = slot_service(slot);
	if (check_startable(slot, job->service, &err) < 0) {
		free(job);
		slot_job_over(slot, &err);
		return;
	}
	job->slot = slot;
	job->sv = slot->sv;
	job->arena = arena_new();
	job->slot_fd = -1;
	job->verifies =
		slot->net && slot->net->netns && slot->net->link_count && slot->net->unverified;
	job->needs_names = lacks_sockets(slot) || job->verifies;
	launch_init(&job->launch);
	job->launch.nursery = nursery_ref(slot->sv->nursery);
	job->flow = (struct flow){ .name = "start",
				   .table = start_stages,
				   .job = job,
				   .done = start_over,
				   .trace_fd = slot->sv->trace_fd };
	slot->starting = job;
	slot_set_state(slot, SLOT_STARTING);
	flow_start(&job->flow, slot->sv->loop);
}

void slot_go(struct slot *slot)
{
	slot->hold_start = false;
	if (slot->starting && slot->starting->waits_for_go) {
		slot->starting->waits_for_go = false;
		flow_resume(&slot->starting->flow, NULL);
	}
}

void slot_cancel(struct slot *slot)
{
	if (slot->state == SLOT_BACKOFF) {
		slot_end_backoff(slot, false);
		return;
	}
	if (!slot->starting)
		return;
	slot->starting->cut = true;
	launch_cut(&slot->starting->launch);
	flow_cancel(&slot->starting->flow);
}

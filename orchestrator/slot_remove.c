/* orchestrator/slot_remove - a container made and taken away: its folder, its claims on image and
 * volumes.
 *
 * Owns: containers/ID from the first mkdir to the last rmdir. May not touch: networks (network),
 * running lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tree.h"
#include "images/snapshot.h"
#include "orchestrator/image_cache.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_end.h"
#include "orchestrator/slot_names.h"
#include "orchestrator/storage.h"
#include "volumes/rootfs.h"
#include "volumes/volume.h"

struct remove_job {
	uv_work_t work;
	struct slot *slot;
	const struct supervisor *sv;
	char id[STAMP_ID_LEN + 1];
	char *slot_name;
	char *record_text; /* says that it is being removed */
	unsigned flags;
	bool was_starting;
	struct err err;
};

int slot_create_blocking(const struct supervisor *sv, struct record *record, const char *slot_name,
			 const char *image_id, bool defers, struct err *err)
{
	const struct snapshot *snapshot;
	AUTO(fd) int container_fd = -1;
	AUTO(fd) int slot_fd = -1;
	AUTO(fd) int lower_fd = -1;

	crash_point("create", "record-intent");
	record->state = RECORD_CREATING;
	if (mkdirat(sv->dirs->containers_fd, record->id, 0700) < 0)
		return err_sys(err, errno, "make the container's folder");
	if (record_save(sv->dirs->containers_fd, record, err) < 0)
		return -1;
	crash_point("create", "folders");
	slot_fd = file_open_dir(sv->dirs->slots_fd, slot_name, true, err);
	container_fd =
		slot_fd < 0 ? -1 : file_open_dir(sv->dirs->containers_fd, record->id, false, err);
	if (container_fd < 0)
		return -1;
	if (image_cache_claim(sv->image_cache, image_id, record->id, &snapshot, err) < 0)
		return -1;
	lower_fd = file_open_dir(AT_FDCWD, snapshot->lowers[0], false, err);
	if (lower_fd < 0 || rootfs_prepare(container_fd, lower_fd, err) < 0)
		return -1;
	crash_point("create", "record-created");
	record->state = RECORD_CREATED;
	return defers ? 0 : record_save(sv->dirs->containers_fd, record, err);
}

/* The slot's own anonymous volumes; one that cannot go is told and stays for prune. */
static void remove_anonymous(struct remove_job *job)
{
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	struct texts names = { NULL, 0 };
	AUTO(fd) int slot_fd = file_open_dir(job->sv->dirs->slots_fd, job->slot_name, false, &err);

	if (slot_fd >= 0 && storage_anonymous(slot_fd, arena, &names, &err) == 0)
		for (size_t i = 0; i < names.count; i++)
			if (volume_remove(job->sv->volumes, names.items[i], &err) < 0 &&
			    err.code != ERR_NOT_FOUND && job->err.code == ERR_OK)
				job->err = err;
	/* A slot that goes on gets new ones. */
	if (slot_fd >= 0 && unlinkat(slot_fd, "slot.json", 0) < 0 && errno != ENOENT)
		log_warn("slot-not-cleared", KV_S("slot", job->slot_name));
	arena_free(arena);
}

static void remove_in_pool(uv_work_t *work)
{
	struct remove_job *job = work->data;
	struct err *err = &job->err;
	AUTO(free) char *root = xformat("%s/containers/%s", job->sv->roots->run, job->id);
	AUTO(free) char *record = xformat("%s/record.json", job->id);
	struct stat st;

	if (record_write(job->sv->dirs->containers_fd, job->id, job->record_text, err) < 0)
		log_error("record-not-written", KV_S("container", job->id),
			  KV_S("error", err->msg));
	*err = ERR_NONE;
	crash_point("remove", "left-overs");
	if (stat(root, &st) == 0)
		slot_clear_left_overs(job->sv, job->id, err);
	*err = ERR_NONE;
	crash_point("remove", "claims");
	stage_drop(job->sv->roots->run, job->id, err);
	snapshot_release(job->sv->images, job->id, err);
	storage_release_images(job->sv->images, job->slot->record);
	volume_store_unuse_all(job->sv->volumes, job->id, err);
	if (job->flags & SLOT_REMOVE_VOLUMES)
		remove_anonymous(job);
	/* First, so that a removal that is cut off leaves rubbish, and no container without its
	 * layer. */
	unlinkat(job->sv->dirs->containers_fd, record, 0);
	crash_point("remove", "folder");
	*err = ERR_NONE;
	if (tree_remove(job->sv->dirs->containers_fd, job->id, err) == 0 &&
	    !(job->flags & SLOT_KEEP_SLOT)) {
		slot_names_remove(job->sv, job->slot_name);
		tree_remove(job->sv->dirs->slots_fd, job->slot_name, err);
	}
}

static void removed(uv_work_t *work, int status)
{
	struct remove_job *job = work->data;
	struct slot *slot = job->slot;
	struct err err = job->err;

	(void)status;
	if (err.code == ERR_OK) {
		slot_event(slot, "destroy", slot->reason);
		record_free(slot->record);
		slot->record = NULL;
	}
	free(job->slot_name);
	free(job->record_text);
	free(job);
	slot_set_state(slot, err.code == ERR_OK ? SLOT_EMPTY : SLOT_EXITED);
	slot_job_over(slot, &err);
}

/* ---- discard: the slot and its network, too ---- */

struct discard_job {
	uv_work_t work;
	struct slot *slot;
};

static void discard_in_pool(uv_work_t *work)
{
	struct discard_job *job = work->data;
	struct err err = ERR_NONE;

	names_drop_slot(job->slot->sv->names, job->slot->name, &err);
	if (job->slot->net && net_drop_slots(job->slot->sv->net, &job->slot->net, 1, &err) < 0)
		log_warn("network-left-over", KV_S("slot", job->slot->name),
			 KV_S("error", err.msg));
}

static void discarded(uv_work_t *work, int status)
{
	struct discard_job *job = work->data;
	struct supervisor *sv = job->slot->sv;
	struct slot *slot = job->slot;

	(void)status;
	free(job);
	slot->closing = 0;
	slot->discarding = false;
	if (slot->also) /* who asked for it forgets it */
		slot->also(slot->also_ctx, slot, &(struct err){ .code = ERR_OK });
	else
		slot_forget(slot);
	supervisor_look_idle(sv);
}

static void removed_for_good(void *ctx, struct slot *slot, const struct err *err)
{
	struct discard_job *job;

	(void)ctx;
	if (err->code) {
		slot->discarding = false;
		if (slot->also)
			slot->also(slot->also_ctx, slot, err);
		log_warn("not-removed", KV_S("slot", slot->name), KV_S("error", err->msg));
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->work.data = job;
	job->slot = slot;
	slot->closing = 1; /* nobody else forgets it meanwhile */
	uv_queue_work(slot->sv->loop, &job->work, discard_in_pool, discarded);
}

void slot_remove(struct slot *slot, unsigned flags, slot_done done, void *ctx)
{
	struct remove_job *job;
	const struct err fine = ERR_NONE;

	if (slot->discarding && done != removed_for_good) {
		slot->also = done;
		slot->also_ctx = ctx;
		return;
	}
	slot->done = done;
	slot->done_ctx = ctx;
	if (!slot->record) {
		slot_job_over(slot, &fine);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->work.data = job;
	job->slot = slot;
	job->sv = slot->sv;
	job->flags = flags;
	memcpy(job->id, slot->record->id, sizeof(job->id));
	job->slot_name = xstrdup(slot->name);
	slot->record->state = RECORD_REMOVING;
	slot->is_deferred = false;
	job->record_text = record_text(slot->record);
	slot_set_state(slot, SLOT_REMOVING);
	uv_queue_work(slot->sv->loop, &job->work, remove_in_pool, removed);
}

void slot_discard(struct slot *slot, const char *reason)
{
	slot->reason = reason;
	slot->discarding = true;
	slot_remove(slot, SLOT_REMOVE_VOLUMES, removed_for_good, NULL);
}

/* orchestrator/slot_end - after a life: what it held is let go, then policy decides.
 *
 * Owns: the clearing after a monitor that died. May not touch: records of other slots.
 */
#include "orchestrator/slot_end.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/publish.h"
#include "orchestrator/spawn.h"
#include "orchestrator/storage.h"

struct end_job {
	uv_work_t work;
	struct slot *slot;
	struct supervisor *sv;
	char id[STAMP_ID_LEN + 1];
	struct json_object *info; /* of the record: the volumes in use */
	bool left_overs;
	struct err err;
};

int slot_clear_left_overs(const struct supervisor *sv, const char *container_id, struct err *err)
{
	AUTO(free) char *root = xformat("%s/containers", sv->roots->run);
	const char *argv[] = { "stack-runtime", "--root",     root, "delete",
			       "--force",       container_id, NULL };

	return spawn_and_wait(sv->runtime_fd, argv, sv->log_fd, NULL, err);
}

static void end_in_pool(uv_work_t *work)
{
	struct end_job *job = work->data;
	struct json_object *volumes = json_array_at(job->info, "volumes_in_use");
	size_t count = json_array_count(volumes);
	AUTO(free) const char **names = xcalloc(count + 1, sizeof(char *));

	if (job->left_overs)
		slot_clear_left_overs(job->sv, job->id, &job->err);
	for (size_t i = 0; i < count; i++)
		names[i] = json_array_text(volumes, i);
	storage_release(job->sv->roots, job->sv->volumes, job->id, names, count);
}

static void settled(struct slot *slot)
{
	const struct err fine = ERR_NONE;

	publish_names(slot->sv, NULL);
	if (slot->state == SLOT_STOPPING) {
		uv_timer_stop(
			&slot->timer); /* a stop that came after the end: nothing is left to kill */
		slot->stop_wanted = false;
		slot_set_state(slot, SLOT_EXITED);
		slot_job_over(slot, &fine);
		return;
	}
	slot_apply_policy(slot);
}

static void end_done(uv_work_t *work, int status)
{
	struct end_job *job = work->data;
	struct slot *slot = job->slot;

	(void)status;
	if (job->err.code)
		log_warn("left-overs", KV_S("container", job->id), KV_S("error", job->err.msg));
	json_object_put(job->info);
	free(job);
	settled(slot);
}

void slot_end_work(struct slot *slot, bool left_overs)
{
	struct end_job *job = xcalloc(1, sizeof(*job));

	job->work.data = job;
	job->slot = slot;
	job->sv = slot->sv;
	memcpy(job->id, slot->record->id, sizeof(job->id));
	job->info = record_info(slot->record);
	job->left_overs = left_overs;
	uv_queue_work(slot->sv->loop, &job->work, end_in_pool, end_done);
}

/* orchestrator/change_sync - what a change wrote is put on disk while its containers start.
 *
 * Owns: which files that are. May not touch: their content.
 */
#include "orchestrator/change_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "orchestrator/change.h"

#define PATHS_AT_ONCE 32u

struct late_sync {
	uv_work_t work;
	struct change *change; /* NULL: nobody waits any more */
	bool is_awaited;
	char **paths; /* absolute; a file that is not there has nothing to be synced */
	size_t path_count;
	struct err err; /* the first that could not be synced */
};

static void add_path(struct late_sync *sync, char *path)
{
	*(char **)xgrow(&sync->paths, &sync->path_count, sizeof(char *)) = path;
}

/* All of them begin to be written before the first is waited for: one commit of the file system's
 * journal has them all then, instead of one for each. Only a hint: what cannot be begun (a folder)
 * is done by its fsync. */
static void sync_in_pool(uv_work_t *work)
{
	struct late_sync *sync = work->data;
	int fds[PATHS_AT_ONCE];

	for (size_t first = 0; first < sync->path_count; first += PATHS_AT_ONCE) {
		size_t count = sync->path_count - first;

		count = count < PATHS_AT_ONCE ? count : PATHS_AT_ONCE;
		for (size_t i = 0; i < count; i++) {
			fds[i] = open(sync->paths[first + i], O_RDONLY | O_CLOEXEC);
			if (fds[i] >= 0)
				sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
		}
		for (size_t i = 0; i < count; i++) {
			if (fds[i] < 0)
				continue;
			if (fsync(fds[i]) < 0 && sync->err.code == ERR_OK)
				err_sys(&sync->err, errno,
					"a power cut would undo this change: write %s to disk",
					sync->paths[first + i]);
			close(fds[i]);
		}
	}
}

static void synced(uv_work_t *work, int status)
{
	struct late_sync *sync = work->data;
	struct change *change = sync->change;
	bool is_awaited = sync->is_awaited;

	(void)status;
	if (sync->err.code) {
		log_warn("not-synced", KV_S("error", sync->err.msg));
		if (change)
			change_notice(change, sync->err.msg);
	}
	for (size_t i = 0; i < sync->path_count; i++)
		free(sync->paths[i]);
	free(sync->paths);
	free(sync);
	if (!change)
		return;
	change->late_sync = NULL;
	if (is_awaited)
		flow_resume(&change->flow, NULL);
}

/* Files first, then the folders that name them. */
int sync_begin(void *data, struct err *err)
{
	struct change *change = data;
	const struct project_dirs *dirs = change->sv->dirs;
	const struct project *project = change->model ? change->model->project : NULL;
	struct late_sync *sync = xcalloc(1, sizeof(*sync));
	bool goes = change->flags & CHANGE_TO_DOWN; /* writes that, and removes the rest */

	(void)err;
	sync->work.data = sync;
	sync->change = change;
	if (!goes)
		add_path(sync, xformat("%s/model.json", dirs->state));
	add_path(sync, xformat("%s/desired", dirs->state));
	for (size_t i = 0; !goes && project && i < project->network_count; i++)
		add_path(sync, xformat("%s/networks/%s.json", dirs->roots->state,
				       project->networks[i].name));
	add_path(sync, xstrdup(dirs->state));
	if (!goes)
		add_path(sync, xformat("%s/networks", dirs->roots->state));
	change->late_sync = sync;
	uv_queue_work(change->sv->loop, &sync->work, sync_in_pool, synced);
	return 0;
}

int sync_leave(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	if (change->late_sync)
		change->late_sync->change = NULL;
	change->late_sync = NULL;
	return 0;
}

int sync_await(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	if (!change->late_sync)
		return 0;
	change->late_sync->is_awaited = true;
	return STAGE_WAITS;
}

/* orchestrator/observe - what is there of a project, read by anybody.
 *
 * Owns: the joining of records with ends and living processes. May not touch: anything: it only
 * reads.
 */
#include "orchestrator/observe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/message.h"

/* A life that ended while no supervisor looked has its end on disk already. */
static void take_unseen_end(const struct project_dirs *dirs, struct record *record)
{
	struct err err = ERR_NONE;

	if (record->last_exit.life == record->life && record->last_exit.finished_at_us)
		return;
	record_read_exit(dirs->containers_fd, record->id, record->life, &record->last_exit, &err);
}

struct observed *observe_project(const struct project_dirs *dirs, struct err *err)
{
	AUTO(observed) struct observed *observed = xcalloc(1, sizeof(*observed));
	struct err absent = ERR_NONE;
	struct record **records;

	observed->model = model_load_current(dirs, &absent);
	if (!observed->model && absent.code != ERR_NOT_FOUND) {
		*err = absent;
		return NULL;
	}
	records = records_read(dirs->containers_fd, &observed->count, err);
	if (!records)
		return NULL;
	observed->containers = xcalloc(observed->count + 1, sizeof(*observed->containers));
	for (size_t i = 0; i < observed->count; i++) {
		struct observed_container *container = &observed->containers[i];

		container->record = records[i];
		container->alive = process_is_alive(records[i]->monitor);
		if (!container->alive && records[i]->state == RECORD_RUNNING)
			take_unseen_end(dirs, records[i]);
		container->status = record_status(records[i], container->alive);
		container->info = record_info(records[i]);
	}
	free(records);
	return TAKE(observed);
}

void observed_free(struct observed *observed)
{
	for (size_t i = 0; i < observed->count && observed->containers; i++) {
		record_free(observed->containers[i].record);
		json_object_put(observed->containers[i].info);
	}
	free(observed->containers);
	model_unref(observed->model);
	free(observed);
}

bool observed_is_asleep(const struct observed_container *container)
{
	return !container->alive && container->record->asleep &&
	       container->record->state == RECORD_EXITED;
}

bool observed_has_service(const struct observed *observed, const char *service)
{
	if (observed->model && (project_find_service(observed->model->project, service) ||
				project_find_disabled(observed->model->project, service)))
		return true;
	for (size_t i = 0; i < observed->count; i++)
		if (strcmp(observed->containers[i].record->service, service) == 0)
			return true;
	return false;
}

const struct observed_container *observed_find(const struct observed *observed, const char *service,
					       unsigned index)
{
	const struct observed_container *first = NULL;

	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];

		if (container->record->oneoff || strcmp(container->record->service, service) != 0)
			continue;
		if (index ? container->record->slot == index : container->alive)
			return container;
		if (!index && !first)
			first = container;
	}
	return first;
}

pid_t observe_supervisor(const struct project_dirs *dirs)
{
	struct err err = ERR_NONE;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	AUTO(fd)
	int fd = dirs->run_fd < 0
			 ? -1
			 : message_connect(dirs->run_fd, "control.sock", SOCK_STREAM, &err);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return 0;
	return peer.pid;
}

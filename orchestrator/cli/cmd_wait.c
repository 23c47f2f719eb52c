/* orchestrator/cli/cmd_wait - waits for the end of containers.
 *
 * Owns: the wait on the monitors' pidfds. May not touch: containers; --down-project asks the
 * supervisor.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/process.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/view.h"

#define CODE_MONITOR_DIED 137

/* clang-format off */
const struct option_row wait_options[] = {
	OPT_FLAG("down-project", 0, "Then stop and remove the project's containers and networks"),
	OPT_END,
};
/* clang-format on */

struct waiting {
	const struct view *view;
	const struct record **records; /* by the index of waits */
	struct pollfd *waits;
	size_t count;
};

static size_t gather(struct waiting *waiting, const char *const *services)
{
	const struct observed *observed = waiting->view->observed;

	waiting->records = xcalloc(observed->count + 1, sizeof(*waiting->records));
	waiting->waits = xcalloc(observed->count + 1, sizeof(*waiting->waits));
	for (size_t i = 0; i < observed->count; i++) {
		const struct record *record = observed->containers[i].record;
		int fd = view_is_listed(services, record->service) ? process_open(record->monitor)
								   : -1;

		if (fd < 0)
			continue;
		waiting->records[waiting->count] = record;
		waiting->waits[waiting->count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	return waiting->count;
}

/* The monitor wrote exit.json before it ended; one that was killed did not. */
static int code_of(const struct view *view, const struct record *record)
{
	struct record_exit end = { .code = CODE_MONITOR_DIED };
	struct err torn = ERR_NONE;

	return record_read_exit(view->dirs->containers_fd, record->id, record->life, &end, &torn) ==
			       1
		       ? end.code
		       : CODE_MONITOR_DIED;
}

static int tell_end(const struct waiting *waiting, size_t at)
{
	const struct record *record = waiting->records[at];
	int code = code_of(waiting->view, record);

	printf("container \"%s\" exited with status code %d\n", record->id, code);
	fflush(stdout);
	return code;
}

/* The status of the last one to end. */
static int await(struct waiting *waiting, struct err *err)
{
	size_t left = waiting->count;
	int status = 0;

	while (left) {
		if (poll(waiting->waits, waiting->count, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "wait");
		for (size_t i = 0; i < waiting->count; i++) {
			if (waiting->waits[i].fd < 0 || !waiting->waits[i].revents)
				continue;
			close(waiting->waits[i].fd);
			waiting->waits[i].fd = -1; /* poll passes it over */
			left--;
			status = tell_end(waiting, i);
		}
	}
	return status;
}

int wait_for_record(const struct view *view, const struct record *record, struct err *err)
{
	int fd = process_open(record->monitor);
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (fd >= 0 && poll(&wait, 1, -1) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait");
	if (fd >= 0)
		close(fd);
	return code_of(view, record);
}

static int take_down(struct cli *cli, const struct view *view, struct err *err)
{
	AUTO(client) struct client *client = client_open(cli, view->dirs->name, true, err);
	struct json_object *wishes, *request;

	if (!client)
		return -1;
	request = request_new(NULL, &wishes);
	json_add_bool(wishes, "remove_orphans", true);
	return client_follow(cli, client, "down", request, "Running", NULL, err);
}

int wait_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	struct waiting waiting = { .view = view };
	int status;

	if (!view || view_check_services(view, options_arguments(options), err) < 0)
		return -1;
	if (gather(&waiting, options_arguments(options)) == 0)
		status = err_set(err, ERR_NOT_FOUND, "no container of these services runs");
	else
		status = await(&waiting, err);
	free(waiting.records);
	free(waiting.waits);
	if (status >= 0 && options_flag(options, "down-project") && take_down(cli, view, err) < 0)
		return -1;
	return status;
}

/* orchestrator/cli/event_list - events.jsonl and its rotated predecessor as a list.
 *
 * Owns: the order of the two files. May not touch: what the lines say (reasons, events_view).
 */
#include "orchestrator/cli/event_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

static int read_one(const struct project_dirs *dirs, const char *name, const char *service,
		    struct json_object *out, struct err *err)
{
	int fd = openat(dirs->state_fd, name, O_RDONLY | O_CLOEXEC);
	AUTO(file) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO(free) char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (!file)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s/%s", dirs->state, name);
	while ((len = getline(&line, &room, file)) > 0) {
		struct err torn = ERR_NONE;
		struct json_object *event = json_parse("event", line, (size_t)len, &torn);

		if (event && (!service || strcmp(json_text_or(event, "service", ""), service) == 0))
			json_object_array_add(out, event);
		else
			json_object_put(event);
	}
	return 0;
}

struct json_object *event_list_read(const struct project_dirs *dirs, const char *service,
				    struct err *err)
{
	static const char *const names[] = { "events.jsonl.1", "events.jsonl" };
	struct json_object *events = json_object_new_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (read_one(dirs, names[i], service, events, err) < 0) {
			json_object_put(events);
			return NULL;
		}
	return events;
}

/* orchestrator/cli/events_view - events.jsonl read and followed.
 *
 * Owns: which lines are shown, the wait for more. May not touch: the file.
 */
#include "orchestrator/cli/events_view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stamp.h"

#define FILE_NAME "events.jsonl"

static bool is_wanted(const struct events_view *view, struct json_object *event)
{
	const char *time = json_text_or(event, "time", ""),
		   *service = json_text_or(event, "service", "");
	uint64_t at = 0;

	stamp_parse_rfc3339(time, strlen(time), &at);
	if ((view->since_ns && at < view->since_ns) || (view->until_ns && at > view->until_ns))
		return false;
	for (const char *const *name = view->services; name && *name; name++)
		if (strcmp(*name, service) == 0)
			return true;
	return !view->services || !view->services[0];
}

static void show_line(const struct events_view *view, const char *text,
		      void (*print)(struct json_object *event, bool as_json), bool as_json)
{
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *event = json_parse("event", text, strlen(text), &err);

	if (event && is_wanted(view, event))
		print(event, as_json);
}

int events_show(const struct project_dirs *dirs, const struct events_view *view,
		void (*print)(struct json_object *event, bool as_json), bool as_json,
		struct err *err)
{
	AUTO(fd) int notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int fd = openat(dirs->state_fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	AUTO(file) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO(free) char *line = NULL;
	size_t room = 0;

	if (!file)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s/" FILE_NAME, dirs->state);
	if (inotify_add_watch(notify_fd, dirs->state, IN_MODIFY | IN_CREATE) < 0)
		return err_sys(err, errno, "watch %s", dirs->state);
	if (view->follow && !view->since_ns)
		fseek(file, 0, SEEK_END);
	for (;;) {
		struct pollfd wait = { .fd = notify_fd, .events = POLLIN };
		char drop[4096];

		while (getline(&line, &room, file) > 0)
			show_line(view, line, print, as_json);
		fflush(stdout);
		if (!view->follow)
			return 0;
		clearerr(file);
		if (poll(&wait, 1, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for events");
		while (read(notify_fd, drop, sizeof(drop)) > 0)
			;
	}
}

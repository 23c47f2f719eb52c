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

#include "base/alloc.h"
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

/* ---- all projects ---- */

struct source {
	char *name;
	FILE *file;
};

struct all_events {
	const struct roots *roots;
	const struct events_view *view;
	struct source *sources;
	size_t count;
	struct json_object *found; /* of one round, to be put in order */
	int notify_fd;
	bool begun; /* the first look is over: what appears now is new */
};

static bool is_known(const struct all_events *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->sources[i].name, name) == 0)
			return true;
	return false;
}

static void add_project(struct all_events *all, const char *name)
{
	struct err gone = ERR_NONE;
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(all->roots, name, false, &gone);
	int fd = dirs ? openat(dirs->state_fd, FILE_NAME, O_RDONLY | O_CLOEXEC) : -1;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (dirs)
		inotify_add_watch(all->notify_fd, dirs->state, IN_MODIFY | IN_CREATE);
	if (!file)
		return;
	if (all->view->follow && !all->view->since_ns && !all->begun)
		fseek(file, 0, SEEK_END);
	*(struct source *)xgrow(&all->sources, &all->count, sizeof(struct source)) =
		(struct source){ xstrdup(name), file };
}

static void look_for_projects(struct all_events *all)
{
	struct err err = ERR_NONE;
	AUTO(names) char **names = project_names(all->roots, &err);

	for (char **name = names; name && *name; name++)
		if (!is_known(all, *name))
			add_project(all, *name);
	all->begun = true;
}

static void read_source(struct all_events *all, struct source *source)
{
	AUTO(free) char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, source->file) > 0) {
		struct err err = ERR_NONE;
		struct json_object *event = json_parse("event", line, strlen(line), &err);

		if (event && is_wanted(all->view, event)) {
			json_add_text(event, "project", source->name);
			json_object_array_add(all->found, event);
		} else {
			json_object_put(event);
		}
	}
	clearerr(source->file);
}

static int by_time(const void *a, const void *b)
{
	struct json_object *left = *(struct json_object *const *)a;
	struct json_object *right = *(struct json_object *const *)b;

	return strcmp(json_text_or(left, "time", ""), json_text_or(right, "time", ""));
}

static void one_round(struct all_events *all,
		      void (*print)(struct json_object *event, bool as_json), bool as_json)
{
	all->found = json_object_new_array();
	look_for_projects(all);
	for (size_t i = 0; i < all->count; i++)
		read_source(all, &all->sources[i]);
	json_object_array_sort(all->found, by_time);
	for (size_t i = 0; i < json_array_count(all->found); i++)
		print(json_object_array_get_idx(all->found, i), as_json);
	json_object_put(all->found);
	fflush(stdout);
}

static void close_sources(struct all_events *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->sources[i].name);
		fclose(all->sources[i].file);
	}
	free(all->sources);
}

int events_show_all(const struct roots *roots, const struct events_view *view,
		    void (*print)(struct json_object *event, bool as_json), bool as_json,
		    struct err *err)
{
	AUTO(fd) int notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	AUTO(free) char *folder = xformat("%s/projects", roots->state);
	struct all_events all = { .roots = roots, .view = view, .notify_fd = notify_fd };
	int status = 0;

	inotify_add_watch(notify_fd, folder, IN_CREATE); /* absent: no project yet */
	one_round(&all, print, as_json);
	while (view->follow && status == 0) {
		struct pollfd wait = { .fd = notify_fd, .events = POLLIN };
		char drop[4096];

		if (poll(&wait, 1, -1) < 0 && errno != EINTR)
			status = err_sys(err, errno, "wait for events");
		while (read(notify_fd, drop, sizeof(drop)) > 0)
			;
		one_round(&all, print, as_json);
	}
	close_sources(&all);
	return status;
}

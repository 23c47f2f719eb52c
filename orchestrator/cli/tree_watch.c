/* orchestrator/cli/tree_watch - what changes below folders, by inotify.
 *
 * Owns: a watch for each folder, the paths that events mean. May not touch: what is done about it.
 */
#include "orchestrator/cli/tree_watch.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define FOLDER_EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |        \
	 IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)
#define GONE_EVENTS (IN_DELETE | IN_MOVED_FROM)
#define NEW_EVENTS  (IN_CREATE | IN_MOVED_TO)

struct tree_watch {
	struct tree_watch_handler handler;
	int fd;
	char **folders; /* by watch descriptor; NULL: no longer watched */
	size_t count;
};

struct tree_watch *tree_watch_new(const struct tree_watch_handler *handler, struct err *err)
{
	struct tree_watch *watch;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0) {
		err_sys(err, errno, "inotify");
		return NULL;
	}
	watch = xcalloc(1, sizeof(*watch));
	watch->handler = *handler;
	watch->fd = fd;
	return watch;
}

void tree_watch_free(struct tree_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->folders[i]);
	free(watch->folders);
	close(watch->fd);
	free(watch);
}

int tree_watch_fd(const struct tree_watch *watch)
{
	return watch->fd;
}

/* ---- folders ---- */

static int watch_folder(struct tree_watch *watch, const char *path, struct err *err)
{
	int wd = inotify_add_watch(watch->fd, path, FOLDER_EVENTS);

	if (wd < 0 && errno == ENOSPC)
		return err_set(err, ERR_NO_SPACE,
			       "watch %s: too many folders for fs.inotify.max_user_watches", path);
	if (wd < 0)
		return err_sys(err, errno, "watch %s", path);
	while (watch->count <= (size_t)wd)
		*(char **)xgrow(&watch->folders, &watch->count, sizeof(char *)) = NULL;
	free(watch->folders[wd]);
	watch->folders[wd] = xstrdup(path);
	return 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Calls each for the entries of a folder; a folder that has gone meanwhile has none. */
static void each_entry(const char *path, void (*each)(void *ctx, const char *path), void *ctx)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		AUTO(free) char *below = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		below = xformat("%s/%s", path, entry->d_name);
		each(ctx, below);
	}
	if (dir)
		closedir(dir);
}

struct descent {
	struct tree_watch *watch;
	bool tells; /* what is found is news */
	struct err *err;
};

static void descend(void *ctx, const char *path)
{
	struct descent *descent = ctx;
	const struct tree_watch_handler *handler = &descent->watch->handler;
	bool folder = is_folder(path);

	if (descent->err->code || (folder && handler->skips(handler->ctx, path)))
		return;
	if (folder && watch_folder(descent->watch, path, descent->err) < 0) {
		if (descent->err->code == ERR_NOT_FOUND) /* gone again */
			*descent->err = ERR_NONE;
		return;
	}
	if (descent->tells)
		handler->changed(handler->ctx, path, false);
	if (folder)
		each_entry(path, descend, descent);
}

int tree_watch_add(struct tree_watch *watch, const char *path, struct err *err)
{
	struct descent descent = { watch, false, err };
	AUTO(free) char *folder = NULL;
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(err, errno, "watch %s", path);
	if (!S_ISDIR(st.st_mode)) {
		folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
		return watch_folder(watch, *folder ? folder : "/", err);
	}
	if (watch_folder(watch, path, err) < 0)
		return -1;
	each_entry(path, descend, &descent);
	return err->code ? -1 : 0;
}

/* ---- events ---- */

static int take(struct tree_watch *watch, const struct inotify_event *event, struct err *err)
{
	const struct tree_watch_handler *handler = &watch->handler;
	struct descent descent = { watch, true, err };
	AUTO(free) char *path = NULL;
	const char *folder;

	if (event->mask & IN_Q_OVERFLOW)
		return 1;
	if (event->wd < 0 || (size_t)event->wd >= watch->count || !watch->folders[event->wd])
		return 0;
	folder = watch->folders[event->wd];
	if (event->mask & IN_IGNORED) {
		free(watch->folders[event->wd]);
		watch->folders[event->wd] = NULL;
		return 0;
	}
	if (!event->len)
		return 0;
	path = xformat("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, event->name);
	if (event->mask & GONE_EVENTS)
		handler->changed(handler->ctx, path, true);
	else if (event->mask & IN_ISDIR && event->mask & NEW_EVENTS)
		descend(&descent, path);
	else if (!(event->mask & IN_ISDIR))
		handler->changed(handler->ctx, path, false);
	return err->code ? -1 : 0;
}

int tree_watch_read(struct tree_watch *watch, struct err *err)
{
	_Alignas(struct inotify_event) char events[16384];
	int lost = 0;

	for (;;) {
		ssize_t n = read(watch->fd, events, sizeof(events));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != EAGAIN ? err_sys(err, errno, "read inotify")
							: lost;
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event = (const void *)at;
			int status = take(watch, event, err);

			if (status < 0)
				return -1;
			lost |= status;
			at += sizeof(*event) + event->len;
		}
	}
}

/* ---- walk ---- */

static void walk(void *ctx, const char *path)
{
	const struct tree_watch_handler *handler = ctx;
	bool folder = is_folder(path);

	if (folder && handler->skips(handler->ctx, path))
		return;
	handler->changed(handler->ctx, path, false);
	if (folder)
		each_entry(path, walk, ctx);
}

void tree_walk(const struct tree_watch_handler *handler, const char *path)
{
	struct tree_watch_handler copy = *handler;

	if (is_folder(path))
		each_entry(path, walk, &copy);
	else
		walk(&copy, path);
}

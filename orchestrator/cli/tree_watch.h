/* orchestrator/cli/tree_watch - what changes below folders, by inotify. Reads when told to; the
 * caller polls the descriptor. */
#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"

struct tree_watch;

struct tree_watch_handler {
	/* True: nobody wants to know of this folder and what is below it. */
	bool (*skips)(void *ctx, const char *path);
	/* A file or folder is new or was written, or (gone) is no longer there. Absolute path, for
	 * the call only. What is in a new folder is told, too. */
	void (*changed)(void *ctx, const char *path, bool gone);
	void *ctx;
};

/* NULL with *err. */
struct tree_watch *tree_watch_new(const struct tree_watch_handler *handler, struct err *err);
void tree_watch_free(struct tree_watch *watch);
AUTO_TYPE(tree_watch, tree_watch_free);

/* Follows a folder with all below it, or a single file (its folder is watched then). Links are not
 * followed. ERR_NOT_FOUND; ERR_NO_SPACE: too many watches (fs.inotify.max_user_watches). */
int tree_watch_add(struct tree_watch *watch, const char *path, struct err *err);
int tree_watch_fd(const struct tree_watch *watch);
/* Takes what is there without waiting. 0, 1: events were lost, look at everything; -1 with *err. */
int tree_watch_read(struct tree_watch *watch, struct err *err);

/* Tells every file and folder below path that is not skipped as changed; path itself, too, when it
 * is a file. */
void tree_walk(const struct tree_watch_handler *handler, const char *path);

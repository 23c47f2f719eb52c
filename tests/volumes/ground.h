/* tests/volumes/ground - a state root and a runtime root of one test, removed at its end. */
#pragma once
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "volumes/store.h"
#include "volumes/volume.h"

struct ground {
	char parent[64], dir[96], state[128], runtime[128];
	int fd; /* of dir */
	struct volume_store *store;
};

static inline void ground_open_in(struct ground *ground, const char *parent)
{
	struct err err = ERR_NONE;

	snprintf(ground->parent, sizeof(ground->parent), "%s", parent);
	snprintf(ground->dir, sizeof(ground->dir), "%s/volumes.XXXXXX", parent);
	if (!mkdtemp(ground->dir))
		abort();
	snprintf(ground->state, sizeof(ground->state), "%s/state", ground->dir);
	snprintf(ground->runtime, sizeof(ground->runtime), "%s/run", ground->dir);
	ground->fd = open(ground->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ground->store = volume_store_open(ground->state, ground->runtime, &err);
	if (!ground->store)
		abort();
}

static inline void ground_open(struct ground *ground)
{
	ground_open_in(ground, P_tmpdir);
}

/* Nothing may be mounted in it any more: that would be a leak, and fails here. */
static inline void ground_close(struct ground *ground)
{
	struct err err = ERR_NONE;
	AUTO(fd) int parent = -1;

	volume_store_close(ground->store);
	close(ground->fd);
	parent = openat(AT_FDCWD, ground->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree_remove(parent, strrchr(ground->dir, '/') + 1, &err) < 0) {
		fprintf(stderr, "left behind: %s\n", err.msg);
		abort();
	}
}

/* Path below the ground's folder; static, for one use. */
__attribute__((format(printf, 2, 3))) static inline const char *ground_path(struct ground *ground,
									    const char *fmt, ...)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];
	va_list args;
	size_t len = (size_t)snprintf(path, 512, "%s/", ground->dir);

	va_start(args, fmt);
	vsnprintf(path + len, 512 - len, fmt, args);
	va_end(args);
	return path;
}

static inline void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* The file's text, or "absent"; static. */
static inline const char *get_text(const char *path)
{
	static char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return "absent";
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline void make_volume(struct ground *ground, const char *name)
{
	const struct volume_def def = { .name = name };
	enum volume_outcome outcome;
	struct err err = ERR_NONE;

	if (volume_ensure(ground->store, &def, 0, &outcome, &err) < 0)
		abort();
}

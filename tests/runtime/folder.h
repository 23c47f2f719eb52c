/* tests/runtime/folder - a temporary folder of a test, and what lies in it. */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tree.h"

struct folder {
	char path[64];
	int fd;
};

static inline void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "%s/stack_test.XXXXXX", P_tmpdir);
	if (!mkdtemp(folder->path))
		abort();
	folder->fd = open(folder->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
}

static inline void folder_drop(struct folder *folder)
{
	struct err err = ERR_NONE;

	int parent = openat(folder->fd, "..", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	close(folder->fd);
	if (tree_remove(parent, strrchr(folder->path, '/') + 1, &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	close(parent);
}

static inline bool folder_has(const struct folder *folder, const char *name)
{
	return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The whole file, "" when there is none; to be freed. */
static inline char *folder_read(const struct folder *folder, const char *name)
{
	struct err err = ERR_NONE;
	char *text = NULL;

	if (file_read(folder->fd, name, 64u << 20, &text, NULL, &err) < 0)
		return xstrdup("");
	return text;
}

static inline void folder_write(const struct folder *folder, const char *name, const char *text)
{
	int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

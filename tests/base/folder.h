/* tests/base/folder - a folder that a test makes for itself and that must be empty again at the
 * end. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
	char path[64];
	int fd;
};

static inline struct folder folder_make(void)
{
	struct folder folder = { P_tmpdir "/stack-unit.XXXXXX", -1 };

	if (mkdtemp(folder.path))
		folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder;
}

/* Number of entries; names of them go to stderr when there are any. */
static inline int folder_count(const struct folder *folder)
{
	DIR *dir = opendir(folder->path);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			fprintf(stderr, "left: %s\n", entry->d_name);
			count++;
		}
	if (dir)
		closedir(dir);
	return count;
}

/* True when it was empty and is gone. */
static inline int folder_end(struct folder *folder)
{
	int empty = folder_count(folder) == 0;

	close(folder->fd);
	return rmdir(folder->path) == 0 && empty;
}

static inline int folder_put(const struct folder *folder, const char *name, const char *text)
{
	int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

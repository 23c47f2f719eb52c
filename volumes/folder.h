/* volumes/folder - small acts on folders by descriptor. Blocks (disk). */
#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

static inline void auto_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* A folder below (never through a link as the last part); NULL with errno. */
DIR *folder_open(int dir_fd, const char *name);
/* Opens an entry of the folder, never through a link and not into another mount (EXDEV); across:
 * into one, too. O_CLOEXEC is added. -1 with errno. */
int folder_open_inside(int dir_fd, const char *name, int flags);
int folder_open_across(int dir_fd, const char *name, int flags);
/* The next entry's name without "." and ".."; NULL at the end. Valid until the next call. */
const char *folder_next(DIR *dir);
/* How many entries; 0 when it is not there. */
size_t folder_count(int dir_fd, const char *name);
/* Bytes on disk of all that is below (and the folder), each file once, crossing no mount. */
int folder_bytes(int dir_fd, const char *name, uint64_t *out_bytes, struct err *err);
/* Does something have its root of a mount here (statx)? */
bool folder_is_mount(int fd);

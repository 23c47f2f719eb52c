/* images/archive_source - the members of an image archive by name: a tar of any compression,
 * from a pipe too.
 *
 * Links are followed inside the archive only. For images/archive_load. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/store.h"

struct archive_source;

/* fd stays the caller's and is read to its end when it is a pipe or compressed. */
struct archive_source *archive_source_open(struct store *store, int fd, struct err *err);
void archive_source_close(struct archive_source *source);
AUTO_TYPE(archive_source, archive_source_close);

bool archive_source_has(struct archive_source *source, const char *name);
/* A file's place: a descriptor to be closed, its offset and size. ERR_NOT_FOUND. */
int archive_source_find(struct archive_source *source, const char *name, uint64_t *out_offset,
			uint64_t *out_size, struct err *err);
/* The whole of a small one, NUL-terminated, to be freed. */
int archive_source_read(struct archive_source *source, const char *name, size_t max_bytes,
			char **out_text, size_t *out_len, struct err *err);

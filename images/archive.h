/* images/archive - save, load, import, export (docker-archive of docker 1.10+, OCI image
 * layout 1.0, flat tar).
 *
 * Input may be plain, gzip or zstd, a file or a pipe; a pipe is spooled in the store. What comes in
 * is verified as a pull is. Blocks (disk, inflate).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/store.h"

struct archive_loaded {
	char id[DIGEST_TEXT_MAX];
	char *name; /* canonical; NULL: loaded without a name */
};

/* Loads every image of the archive. *out (free with archive_loaded_free) lists one row per image
 * and name, in the archive's order. ERR_INVALID refuses it and leaves nothing behind. */
int archive_load(struct store *store, int fd, struct archive_loaded **out, size_t *out_count,
		 struct err *err);
void archive_loaded_free(struct archive_loaded *loaded, size_t count);

#define ARCHIVE_OCI                                                                                \
	1u /* OCI layout alone; without: manifest.json beside it, so that docker reads it */

struct archive_item {
	const char *id;
	const char *name; /* canonical name written beside it, or NULL */
};

/* Writes the images as one tar to fd; the same images give the same bytes. */
int archive_save(struct store *store, const struct archive_item *items, size_t count,
		 unsigned flags, int fd, struct err *err);

struct archive_import {
	const char *name;    /* canonical, or NULL */
	const char *config;  /* JSON of the config's "config" object (Cmd, Env ...), or NULL */
	const char *message; /* history comment, or NULL */
	const char *os, *architecture; /* NULL: linux, the host's */
	uint64_t created_unix_ns;      /* 0: now */
};
/* A flat root tar (any compression) becomes an image of one layer. */
int archive_import(struct store *store, int fd, const struct archive_import *how,
		   char out_id[DIGEST_TEXT_MAX], struct err *err);

/* The flat tree of an image as a pax tar: "./" first, parents before children, names in byte order,
 * numeric ids, mtimes in ns, xattrs, hard links as links, holes as sparse. Needs CAP_SYS_ADMIN. */
int archive_export(struct store *store, const char *id, int fd, struct err *err);

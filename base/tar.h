/* base/tar - a tar stream as entries: v7, ustar, GNU and pax, sparse members, extended
 * attributes.
 *
 * Push interface, pure: bytes in, calls out; no file is touched. Source: POSIX pax, the GNU tar
 * manual ("Sparse formats"), star's SCHILY keys. Not read: multi-volume (M), volume labels (V) and
 * dump folders (D). One state, one thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

enum tar_type {
	TAR_FILE,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCK,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name; /* without "SCHILY.xattr." */
	const void *value;
	size_t value_len;
};

/* A piece of a sparse file: file bytes [offset, offset + len) stand at data_offset of the tar. */
struct tar_region {
	uint64_t offset, len, data_offset;
};

#define TAR_XATTR_MAX       128
#define TAR_XATTR_BYTES_MAX (64u << 10)
#define TAR_META_MAX        (1u << 20) /* a pax block, a long name */
#define TAR_REGION_MAX      (1u << 18)

/* Valid during the call of `entry` only. Names are raw bytes without NUL, as the archive has them.
 */
struct tar_entry {
	enum tar_type type;
	const char *path;
	const char *link; /* hard link and symlink; else "" */
	uint32_t mode;    /* 07777 */
	uint32_t uid, gid;
	uint32_t major, minor; /* devices */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size;        /* of the file, holes included; 0 for what is no file */
	uint64_t data_offset; /* of the stored bytes in the tar */
	uint64_t data_size;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	const struct tar_region *regions; /* sparse files only, ascending, none empty */
	size_t region_count;
	bool is_sparse;
};

struct tar_events {
	int (*entry)(void *ctx, const struct tar_entry *entry, struct err *err);
	/* Bytes of the file announced last, at file_offset; ascending. May be NULL. */
	int (*data)(void *ctx, uint64_t file_offset, const void *data, size_t len, struct err *err);
	/* All bytes of the file were there; called for every TAR_FILE. May be NULL. */
	int (*done)(void *ctx, struct err *err);
};

struct tar;

/* Never NULL. */
struct tar *tar_new(const struct tar_events *events, void *ctx);
void tar_free(struct tar *tar);
AUTO_TYPE(tar, tar_free);

/* Errors: ERR_INVALID with the offset or the entry's name, ERR_UNSUPPORTED (types that are not
 * read), or a call's. After an error the state can only be freed. */
int tar_write(struct tar *tar, const void *data, size_t len, struct err *err);
/* The stream is over: fine behind the end marker or between two entries, else ERR_INVALID. */
int tar_end(struct tar *tar, struct err *err);
/* How many of the next bytes are file content (and its padding) that may be left out with tar_skip,
 * for readers of headers alone; 0 elsewhere. */
uint64_t tar_skippable(const struct tar *tar);
void tar_skip(struct tar *tar, uint64_t len);
uint64_t tar_entry_count(const struct tar *tar);

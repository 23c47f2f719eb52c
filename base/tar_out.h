/* base/tar_out - entries to a tar: ustar, with pax records where ustar does not reach.
 *
 * The same entries give the same bytes. Blocks as the descriptor does.
 */
#pragma once
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/tar.h"

struct tar_out;

/* fd stays the caller's. Never NULL. */
struct tar_out *tar_out_new(int fd);
/* The same, in large pieces to a function; -1 with *err stops it. */
typedef int (*tar_out_sink)(void *ctx, const void *data, size_t len, struct err *err);
struct tar_out *tar_out_new_to(tar_out_sink sink, void *ctx);
void tar_out_free(struct tar_out *out);
AUTO_TYPE(tar_out, tar_out_free);

/* The header; for a TAR_FILE entry->size bytes of content follow (sparse: the bytes of
 * entry->regions, in order; data_offset is not looked at). */
int tar_out_entry(struct tar_out *out, const struct tar_entry *entry, struct err *err);
int tar_out_data(struct tar_out *out, const void *data, size_t len, struct err *err);
/* Content from a file: len bytes from offset; what the file lacks becomes zeros. */
int tar_out_copy(struct tar_out *out, int fd, uint64_t offset, uint64_t len, struct err *err);
/* Behind the content: padding. */
int tar_out_done(struct tar_out *out, struct err *err);
/* A small file with fixed attributes (0644, 0:0, 1970): for members of archives. */
int tar_out_file(struct tar_out *out, const char *name, const void *data, size_t len,
		 struct err *err);
/* The end marker; everything is written on return. */
int tar_out_end(struct tar_out *out, struct err *err);

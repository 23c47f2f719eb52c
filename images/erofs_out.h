/* images/erofs_out - one place of the index that is written front to back through a buffer. For
 * images/erofs only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EROFS_OUT_BYTES 65536u

struct erofs_out {
	int fd;
	uint64_t at; /* of the next byte */
	size_t len;  /* waiting in the buffer */
	uint8_t *buffer;
};

void erofs_out_open(struct erofs_out *out, int fd, uint64_t at);
int erofs_out_put(struct erofs_out *out, const void *data, size_t len, struct err *err);
/* Zeros up to the next multiple; up to an offset. */
int erofs_out_pad(struct erofs_out *out, uint64_t multiple, struct err *err);
int erofs_out_pad_to(struct erofs_out *out, uint64_t at, struct err *err);
/* Writes what waits and frees the buffer. err NULL: only frees. */
int erofs_out_close(struct erofs_out *out, struct err *err);

/* Copies len bytes between two files at given places. */
int erofs_copy(int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t len, struct err *err);

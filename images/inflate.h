/* images/inflate - one deflate stream and its gzip trailer, by ISA-L or zlib. For images/decode
 * only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct inflate;

struct inflate *inflate_new(bool use_zlib);
void inflate_free(struct inflate *self);
/* For the next member. */
void inflate_reset(struct inflate *self);
/* Takes bytes behind a gzip header. Consumes from *in, *in_len, fills out up to out_size and sets
 * *out_len. Returns 1 at the member's end (CRC and length checked), 0 when it wants more room or
 * more input, -1 ERR_INVALID. */
int inflate_run(struct inflate *self, const uint8_t **in, size_t *in_len, uint8_t *out,
		size_t out_size, size_t *out_len, struct err *err);

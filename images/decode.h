/* images/decode - gzip, zstd or raw bytes to plain bytes; streaming, push interface.
 *
 * Magic bytes decide which it is. gzip (RFC 1952): several members, zero padding behind the last,
 * CRC and length of every member checked. zstd (RFC 8878): several and skippable frames, window up
 * to 128 MiB, no dictionary. Anything else is raw, but bzip2 and xz, which are refused by name.
 * Pure: no files. One state, one thread.
 */
#pragma once
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct decode;

enum decode_kind { DECODE_UNKNOWN, DECODE_RAW, DECODE_GZIP, DECODE_ZSTD };

#define DECODE_ZLIB 1u /* inflate with zlib even where ISA-L is built in */

/* Takes plain bytes; -1 with *err stops the stream. */
typedef int (*decode_sink)(void *ctx, const void *data, size_t len, struct err *err);

/* Where the next plain bytes are to be made: *out_size > 0 bytes of room, or NULL with *err. The
 * sink gets the same address. */
typedef void *(*decode_room)(void *ctx, size_t *out_size, struct err *err);

/* Never NULL. */
struct decode *decode_new(unsigned flags, decode_sink sink, void *ctx);
/* Before the first byte: inflated bytes are made in the caller's room, not in a buffer of ours. Raw
 * ones still come from where they were. */
void decode_make_in(struct decode *decode, decode_room room);
void decode_free(struct decode *decode);
AUTO_TYPE(decode, decode_free);

/* Errors: ERR_INVALID (not what its magic says, damaged, garbage behind the end), ERR_UNSUPPORTED
 * (bzip2, xz, dictionary, window too large), or the sink's. After an error the state can only be
 * freed. */
int decode_write(struct decode *decode, const void *data, size_t len, struct err *err);
/* The input is over: ERR_INVALID when that is too early. */
int decode_end(struct decode *decode, struct err *err);
/* UNKNOWN until six bytes or the end were seen. */
enum decode_kind decode_kind(const struct decode *decode);

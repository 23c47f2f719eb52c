/* images/dockerfile/codec - xz and bzip2 streams, which ADD unpacks, too. For images/dockerfile
 * only.
 *
 * Layers are never packed so; gzip, zstd and raw are images/decode's. Pure. One state, one thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/decode.h"

struct df_codec;

/* Whether the first bytes are those of xz or bzip2. */
bool df_codec_is(const void *data, size_t len);
/* Unpacks what there is of a beginning; false when it is damaged. */
bool df_codec_probe(const void *data, size_t len, decode_sink sink, void *ctx);

/* head: the first bytes, which still have to be written. NULL on error. */
struct df_codec *df_codec_new(const void *head, size_t len, decode_sink sink, void *ctx,
			      struct err *err);
void df_codec_free(struct df_codec *codec);
AUTO_TYPE(df_codec, df_codec_free);
/* Errors: INVALID (damaged, garbage behind the end), UNSUPPORTED (needs more than 256 MiB of
 * memory), or the sink's. */
int df_codec_write(struct df_codec *codec, const void *data, size_t len, struct err *err);
/* The input is over: INVALID when that is too early. */
int df_codec_end(struct df_codec *codec, struct err *err);

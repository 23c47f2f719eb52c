/* images/dockerfile/codec - xz and bzip2 streams, which ADD unpacks, too.
 *
 * Owns: the two libraries and their states, several streams one after the other. The libraries are
 * loaded when such an archive comes and not before: linked, each start of a program would pay for
 * them. May not touch: files.
 */
#include "images/dockerfile/codec.h"

#include <bzlib.h>
#include <dlfcn.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

#define OUT_BYTES    (128u << 10)
#define MEMORY_BYTES (256ull << 20)

struct form;
struct df_codec {
	const struct form *form;
	union {
		struct {
			__typeof__(&lzma_stream_decoder) open;
			__typeof__(&lzma_code) code;
			__typeof__(&lzma_end) close;
		} lzma;
		struct {
			__typeof__(&BZ2_bzDecompressInit) open;
			__typeof__(&BZ2_bzDecompress) code;
			__typeof__(&BZ2_bzDecompressEnd) close;
		} bzlib;
		void *functions[3];
	} lib;
	decode_sink sink;
	void *ctx;
	lzma_stream xz;
	bz_stream bz;
	bool is_open; /* inside of a stream */
	uint8_t *out;
};

struct form {
	const char *name, *magic;
	size_t magic_len;
	const char *library, *functions[3];
	/* 0, or -1 with err. */
	int (*open)(struct df_codec *codec, struct err *err);
	/* One step: takes from *data, puts to out. 1: the stream is over, 0, -1. */
	int (*step)(struct df_codec *codec, const uint8_t **data, size_t *len, size_t *out_len,
		    struct err *err);
	void (*close)(struct df_codec *codec);
};

/* ---- xz ---- */

static int xz_open(struct df_codec *codec, struct err *err)
{
	codec->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (codec->lib.lzma.open(&codec->xz, MEMORY_BYTES, 0) != LZMA_OK)
		return err_set(err, ERR_SYSTEM, "xz: no memory");
	return 0;
}

static int xz_step(struct df_codec *codec, const uint8_t **data, size_t *len, size_t *out_len,
		   struct err *err)
{
	lzma_ret rc;

	codec->xz.next_in = *data;
	codec->xz.avail_in = *len;
	codec->xz.next_out = codec->out;
	codec->xz.avail_out = OUT_BYTES;
	rc = codec->lib.lzma.code(&codec->xz, LZMA_RUN);
	*data = codec->xz.next_in;
	*len = codec->xz.avail_in;
	*out_len = OUT_BYTES - codec->xz.avail_out;
	if (rc == LZMA_MEMLIMIT_ERROR)
		return err_set(err, ERR_UNSUPPORTED, "xz: needs more than 256 MiB of memory");
	if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
		return err_set(err, ERR_INVALID, "xz: damaged");
	return rc == LZMA_STREAM_END;
}

static void xz_close(struct df_codec *codec)
{
	codec->lib.lzma.close(&codec->xz);
}

/* ---- bzip2 ---- */

static int bz_open(struct df_codec *codec, struct err *err)
{
	codec->bz = (bz_stream){ 0 };
	if (codec->lib.bzlib.open(&codec->bz, 0, 0) != BZ_OK)
		return err_set(err, ERR_SYSTEM, "bzip2: no memory");
	return 0;
}

static int bz_step(struct df_codec *codec, const uint8_t **data, size_t *len, size_t *out_len,
		   struct err *err)
{
	unsigned take = *len > INT32_MAX ? INT32_MAX : (unsigned)*len;
	int rc;

	codec->bz.next_in = (char *)(uintptr_t)*data;
	codec->bz.avail_in = take;
	codec->bz.next_out = (char *)codec->out;
	codec->bz.avail_out = OUT_BYTES;
	rc = codec->lib.bzlib.code(&codec->bz);
	*data += take - codec->bz.avail_in;
	*len -= take - codec->bz.avail_in;
	*out_len = OUT_BYTES - codec->bz.avail_out;
	if (rc != BZ_OK && rc != BZ_STREAM_END)
		return err_set(err, ERR_INVALID, "bzip2: damaged");
	return rc == BZ_STREAM_END;
}

static void bz_close(struct df_codec *codec)
{
	codec->lib.bzlib.close(&codec->bz);
}

/* ---- both ---- */

/* clang-format off */
static const struct form forms[] = {
	{ "xz", "\xfd" "7zXZ", 5, "liblzma.so.5", { "lzma_stream_decoder", "lzma_code", "lzma_end" },
	  xz_open, xz_step, xz_close },
	{ "bzip2", "BZh", 3, "libbz2.so.1.0",
	  { "BZ2_bzDecompressInit", "BZ2_bzDecompress", "BZ2_bzDecompressEnd" },
	  bz_open, bz_step, bz_close },
};
/* clang-format on */

static const struct form *form_of(const void *data, size_t len)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (len >= forms[i].magic_len &&
		    memcmp(data, forms[i].magic, forms[i].magic_len) == 0)
			return &forms[i];
	return NULL;
}

bool df_codec_is(const void *data, size_t len)
{
	return form_of(data, len) != NULL;
}

static int load(struct df_codec *codec, struct err *err)
{
	const struct form *form = codec->form;
	void *library = dlopen(form->library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!library)
		return err_set(err, ERR_UNSUPPORTED, "%s: %s is not installed", form->name,
			       form->library);
	for (size_t i = 0; i < 3; i++) {
		codec->lib.functions[i] = dlsym(library, form->functions[i]);
		if (!codec->lib.functions[i])
			return err_set(err, ERR_UNSUPPORTED, "%s: %s has no %s", form->name,
				       form->library, form->functions[i]);
	}
	return 0;
}

static int open_stream(struct df_codec *codec, struct err *err)
{
	if (codec->form->open(codec, err) < 0)
		return -1;
	codec->is_open = true;
	return 0;
}

struct df_codec *df_codec_new(const void *head, size_t len, decode_sink sink, void *ctx,
			      struct err *err)
{
	struct df_codec *codec = xcalloc(1, sizeof(*codec));

	codec->form = form_of(head, len);
	codec->sink = sink;
	codec->ctx = ctx;
	codec->out = xcalloc(1, OUT_BYTES);
	if (codec->form && load(codec, err) == 0 && open_stream(codec, err) == 0)
		return codec;
	if (!codec->form)
		err_set(err, ERR_INVALID, "neither xz nor bzip2");
	df_codec_free(codec);
	return NULL;
}

void df_codec_free(struct df_codec *codec)
{
	if (!codec)
		return;
	if (codec->is_open)
		codec->form->close(codec);
	free(codec->out);
	free(codec);
}

/* Between two streams: zeros are padding, anything else has to be the next one. */
static int next_stream(struct df_codec *codec, const uint8_t **data, size_t *len, struct err *err)
{
	while (*len && **data == 0) {
		(*data)++;
		(*len)--;
	}
	if (!*len)
		return 0;
	if (**data != (uint8_t)codec->form->magic[0])
		return err_set(err, ERR_INVALID, "%s: garbage behind the end", codec->form->name);
	return open_stream(codec, err);
}

int df_codec_write(struct df_codec *codec, const void *bytes, size_t len, struct err *err)
{
	const uint8_t *data = bytes;
	size_t out_len = 0;

	while (len || out_len == OUT_BYTES) {
		int rc;

		if (!codec->is_open) {
			if (next_stream(codec, &data, &len, err) < 0)
				return -1;
			if (!codec->is_open)
				return 0;
		}
		rc = codec->form->step(codec, &data, &len, &out_len, err);
		if (rc < 0 || (out_len && codec->sink(codec->ctx, codec->out, out_len, err) < 0))
			return -1;
		if (rc == 0)
			continue;
		codec->form->close(codec);
		codec->is_open = false;
		out_len = 0;
	}
	return 0;
}

int df_codec_end(struct df_codec *codec, struct err *err)
{
	return codec->is_open ? err_set(err, ERR_INVALID, "%s: ends too early", codec->form->name)
			      : 0;
}

bool df_codec_probe(const void *data, size_t len, decode_sink sink, void *ctx)
{
	struct err ignored = ERR_NONE;
	AUTO(df_codec) struct df_codec *codec = df_codec_new(data, len, sink, ctx, &ignored);

	return codec && df_codec_write(codec, data, len, &ignored) == 0;
}

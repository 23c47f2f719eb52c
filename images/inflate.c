/* images/inflate - one deflate stream and its gzip trailer, by ISA-L or zlib.
 *
 * Owns: the two engines behind one call. WITHOUT_ISAL leaves zlib alone. May not touch: gzip
 * headers, files.
 */
#include "images/inflate.h"

#ifndef WITHOUT_ISAL
#include <isa-l.h>
#endif
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"

#define TRAILER_BYTES 8

struct inflate {
	bool use_zlib;
#ifndef WITHOUT_ISAL
	struct inflate_state isal;
#endif
	z_stream zlib;
	bool body_done;
	uint32_t crc;
	uint32_t length;
	uint8_t trailer[TRAILER_BYTES];
	size_t trailer_len;
};

static unsigned bounded(size_t len)
{
	return len > INT_MAX ? INT_MAX : (unsigned)len;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

#ifndef WITHOUT_ISAL
static int run_isal(struct inflate *self, const uint8_t **in, size_t *in_len, uint8_t *out,
		    size_t out_size, size_t *out_len, struct err *err)
{
	struct inflate_state *state = &self->isal;
	unsigned given = bounded(*in_len);
	int rc;

	state->next_in = (uint8_t *)(uintptr_t)*in;
	state->avail_in = given;
	state->next_out = out;
	state->avail_out = bounded(out_size);
	rc = isal_inflate(state);
	*in += given - state->avail_in;
	*in_len -= given - state->avail_in;
	*out_len = bounded(out_size) - state->avail_out;
	if (rc == ISAL_INCORRECT_CHECKSUM)
		return err_set(err, ERR_INVALID, "gzip: checksum or length of the data is wrong");
	if (rc < 0)
		return err_set(err, ERR_INVALID, "gzip: damaged deflate data");
	return state->block_state == ISAL_BLOCK_FINISH;
}
#endif

static int run_trailer(struct inflate *self, const uint8_t **in, size_t *in_len, struct err *err)
{
	size_t n = TRAILER_BYTES - self->trailer_len;

	if (n > *in_len)
		n = *in_len;
	memcpy(self->trailer + self->trailer_len, *in, n);
	self->trailer_len += n;
	*in += n;
	*in_len -= n;
	if (self->trailer_len < TRAILER_BYTES)
		return 0;
	if (get32(self->trailer) != self->crc || get32(self->trailer + 4) != self->length)
		return err_set(err, ERR_INVALID, "gzip: checksum or length of the data is wrong");
	return 1;
}

static int run_zlib(struct inflate *self, const uint8_t **in, size_t *in_len, uint8_t *out,
		    size_t out_size, size_t *out_len, struct err *err)
{
	z_stream *state = &self->zlib;
	unsigned given = bounded(*in_len);
	int rc;

	*out_len = 0;
	if (self->body_done)
		return run_trailer(self, in, in_len, err);
	state->next_in = (uint8_t *)(uintptr_t)*in;
	state->avail_in = given;
	state->next_out = out;
	state->avail_out = bounded(out_size);
	rc = inflate(state, Z_NO_FLUSH);
	*in += given - state->avail_in;
	*in_len -= given - state->avail_in;
	*out_len = bounded(out_size) - state->avail_out;
	self->crc = (uint32_t)crc32(self->crc, out, (unsigned)*out_len);
	self->length += (uint32_t)*out_len;
	if (rc == Z_STREAM_END) {
		self->body_done = true;
		return *in_len ? run_trailer(self, in, in_len, err) : 0;
	}
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(err, ERR_INVALID, "gzip: damaged deflate data");
	return 0;
}

struct inflate *inflate_new(bool use_zlib)
{
	struct inflate *self = xcalloc(1, sizeof(*self));

#ifdef WITHOUT_ISAL
	use_zlib = true;
#endif
	self->use_zlib = use_zlib;
	if (use_zlib && inflateInit2(&self->zlib, -MAX_WBITS) != Z_OK)
		abort();
	inflate_reset(self);
	return self;
}

void inflate_free(struct inflate *self)
{
	if (!self)
		return;
	if (self->use_zlib)
		inflateEnd(&self->zlib);
	free(self);
}

void inflate_reset(struct inflate *self)
{
	self->body_done = false;
	self->crc = 0;
	self->length = 0;
	self->trailer_len = 0;
	if (self->use_zlib) {
		inflateReset(&self->zlib);
		return;
	}
#ifndef WITHOUT_ISAL
	isal_inflate_init(&self->isal);
	self->isal.crc_flag = ISAL_GZIP_NO_HDR_VER;
#endif
}

int inflate_run(struct inflate *self, const uint8_t **in, size_t *in_len, uint8_t *out,
		size_t out_size, size_t *out_len, struct err *err)
{
#ifndef WITHOUT_ISAL
	if (!self->use_zlib)
		return run_isal(self, in, in_len, out, out_size, out_len, err);
#endif
	return run_zlib(self, in, in_len, out, out_size, out_len, err);
}

/* images/decode - gzip, zstd or raw bytes to plain bytes.
 *
 * Owns: the choice by magic, the gzip members and their headers, the output buffer. May not touch:
 * files, what the bytes mean.
 */
#include "images/decode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "images/inflate.h"

#define OUT_BYTES      (256u << 10)
#define HEADER_MAX     (64u << 10) /* one gzip header with its extra field, name and comment */
#define WINDOW_LOG_MAX 27          /* 128 MiB */
#define MAGIC_BYTES    6

enum gzip_state {
	GZ_FIXED, /* the ten bytes of a header */
	GZ_EXTRA_LEN,
	GZ_EXTRA,
	GZ_NAME,
	GZ_COMMENT,
	GZ_HCRC,
	GZ_BODY,
	GZ_BETWEEN, /* a member has ended: another, padding or the end */
	GZ_PADDING,
};

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, FRESERVED = 0xe0 };

struct decode {
	unsigned flags;
	decode_sink sink;
	decode_room room; /* NULL: out */
	void *ctx;
	enum decode_kind kind;
	uint8_t magic[MAGIC_BYTES];
	size_t magic_len;
	enum gzip_state gz;
	uint8_t gz_flags;
	size_t gz_header_len; /* of this member so far */
	size_t gz_field_len;  /* of the field that is read; bytes left in GZ_EXTRA */
	size_t gz_extra_len;
	struct inflate *inflate;
	ZSTD_DStream *zstd;
	bool zstd_in_frame;
	uint8_t *out;
};

struct magic {
	uint8_t bytes[MAGIC_BYTES];
	size_t len;
	enum decode_kind kind;
	const char *refused; /* name of a form that is not read */
};

/* clang-format off */
static const struct magic magics[] = {
	{ { 0x1f, 0x8b },                            2, DECODE_GZIP,    NULL },
	{ { 0x28, 0xb5, 0x2f, 0xfd },                4, DECODE_ZSTD,    NULL },
	{ { 'B', 'Z', 'h' },                         3, DECODE_UNKNOWN, "bzip2" },
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 },           6, DECODE_UNKNOWN, "xz" },
};
/* clang-format on */

static int choose(struct decode *decode, struct err *err)
{
	const uint8_t *at = decode->magic;

	decode->kind = DECODE_RAW;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *magic = &magics[i];

		if (decode->magic_len < magic->len || memcmp(at, magic->bytes, magic->len) != 0)
			continue;
		if (magic->refused)
			return err_set(err, ERR_UNSUPPORTED, "%s compression is not supported",
				       magic->refused);
		decode->kind = magic->kind;
	}
	if (decode->magic_len >= 4 && (at[0] & 0xf0) == 0x50 && at[1] == 0x2a && at[2] == 0x4d &&
	    at[3] == 0x18)
		decode->kind = DECODE_ZSTD; /* a skippable frame first */
	if (decode->kind == DECODE_RAW)
		return 0;
	if (!decode->room)
		decode->out = xcalloc(1, OUT_BYTES);
	if (decode->kind == DECODE_GZIP) {
		decode->inflate = inflate_new(decode->flags & DECODE_ZLIB);
		return 0;
	}
	decode->zstd = ZSTD_createDStream();
	if (!decode->zstd)
		return err_set(err, ERR_SYSTEM, "zstd: no memory");
	ZSTD_DCtx_setParameter(decode->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return 0;
}

/* The field after the one that has ended, by the header's flags. */
static enum gzip_state next_field(const struct decode *decode, enum gzip_state from)
{
	if (from < GZ_EXTRA_LEN && decode->gz_flags & FEXTRA)
		return GZ_EXTRA_LEN;
	if (from < GZ_NAME && decode->gz_flags & FNAME)
		return GZ_NAME;
	if (from < GZ_COMMENT && decode->gz_flags & FCOMMENT)
		return GZ_COMMENT;
	if (from < GZ_HCRC && decode->gz_flags & FHCRC)
		return GZ_HCRC;
	return GZ_BODY;
}

static int fixed_byte(struct decode *decode, uint8_t byte, struct err *err)
{
	switch (decode->gz_field_len) {
	case 0:
	case 1:
		if (byte != (decode->gz_field_len ? 0x8b : 0x1f))
			return err_set(err, ERR_INVALID, "gzip: garbage behind the end");
		break;
	case 2:
		if (byte != 8)
			return err_set(err, ERR_INVALID, "gzip: unknown method %u", byte);
		break;
	case 3:
		if (byte & FRESERVED)
			return err_set(err, ERR_INVALID, "gzip: reserved flags are set");
		decode->gz_flags = byte;
		break;
	default:
		break;
	}
	return 0;
}

/* One byte of a member's header. */
static int header_byte(struct decode *decode, uint8_t byte, struct err *err)
{
	bool ends = false;

	if (++decode->gz_header_len > HEADER_MAX)
		return err_set(err, ERR_INVALID, "gzip: header is longer than %u bytes",
			       HEADER_MAX);
	switch (decode->gz) {
	case GZ_FIXED:
		if (fixed_byte(decode, byte, err) < 0)
			return -1;
		ends = decode->gz_field_len == 9;
		break;
	case GZ_EXTRA_LEN:
		decode->gz_extra_len |= (size_t)byte << (8 * decode->gz_field_len);
		if (decode->gz_field_len == 1) {
			decode->gz_field_len = 0;
			decode->gz = decode->gz_extra_len ? GZ_EXTRA : next_field(decode, GZ_EXTRA);
			return 0;
		}
		break;
	case GZ_EXTRA:
		ends = decode->gz_field_len + 1 == decode->gz_extra_len;
		break;
	case GZ_HCRC:
		ends = decode->gz_field_len == 1;
		break;
	default: /* GZ_NAME, GZ_COMMENT */
		ends = byte == 0;
		break;
	}
	decode->gz_field_len++;
	if (ends) {
		decode->gz = next_field(decode, decode->gz);
		decode->gz_field_len = 0;
	}
	return 0;
}

static void next_member(struct decode *decode)
{
	inflate_reset(decode->inflate);
	decode->gz = GZ_FIXED;
	decode->gz_flags = 0;
	decode->gz_header_len = decode->gz_field_len = decode->gz_extra_len = 0;
}

static uint8_t *find_room(struct decode *decode, size_t *out_size, struct err *err)
{
	*out_size = OUT_BYTES;
	return decode->room ? decode->room(decode->ctx, out_size, err) : decode->out;
}

static int gzip_body(struct decode *decode, const uint8_t **at, size_t *len, struct err *err)
{
	size_t out_len = 0, size;
	uint8_t *out;
	int rc;

	do {
		out = find_room(decode, &size, err);
		if (!out)
			return -1;
		rc = inflate_run(decode->inflate, at, len, out, size, &out_len, err);
		if (rc < 0)
			return -1;
		if (out_len && decode->sink(decode->ctx, out, out_len, err) < 0)
			return -1;
	} while (rc == 0 && (*len || out_len == size));
	if (rc == 1)
		decode->gz = GZ_BETWEEN;
	return 0;
}

static int gzip_write(struct decode *decode, const uint8_t *at, size_t len, struct err *err)
{
	while (len > 0) {
		if (decode->gz == GZ_BODY) {
			if (gzip_body(decode, &at, &len, err) < 0)
				return -1;
			continue;
		}
		if (decode->gz == GZ_BETWEEN) {
			if (*at == 0)
				decode->gz = GZ_PADDING;
			else
				next_member(decode);
		}
		if (decode->gz == GZ_PADDING) {
			if (*at != 0)
				return err_set(err, ERR_INVALID, "gzip: garbage behind the end");
		} else if (header_byte(decode, *at, err) < 0) {
			return -1;
		}
		at++;
		len--;
	}
	return 0;
}

static int zstd_write(struct decode *decode, const void *data, size_t len, struct err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	for (;;) {
		ZSTD_outBuffer out = { 0 };
		size_t rc;

		out.dst = find_room(decode, &out.size, err);
		if (!out.dst)
			return -1;
		rc = ZSTD_decompressStream(decode->zstd, &out, &in);
		if (ZSTD_isError(rc))
			return err_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(rc));
		decode->zstd_in_frame = rc != 0;
		if (out.pos && decode->sink(decode->ctx, out.dst, out.pos, err) < 0)
			return -1;
		if (in.pos == in.size && out.pos < out.size)
			return 0;
	}
}

static int body(struct decode *decode, const void *data, size_t len, struct err *err)
{
	if (len == 0)
		return 0;
	if (decode->kind == DECODE_GZIP)
		return gzip_write(decode, data, len, err);
	if (decode->kind == DECODE_ZSTD)
		return zstd_write(decode, data, len, err);
	return decode->sink(decode->ctx, data, len, err);
}

struct decode *decode_new(unsigned flags, decode_sink sink, void *ctx)
{
	struct decode *decode = xcalloc(1, sizeof(*decode));

	decode->flags = flags;
	decode->sink = sink;
	decode->ctx = ctx;
	return decode;
}

void decode_make_in(struct decode *decode, decode_room room)
{
	decode->room = room;
}

void decode_free(struct decode *decode)
{
	if (!decode)
		return;
	inflate_free(decode->inflate);
	ZSTD_freeDStream(decode->zstd);
	free(decode->out);
	free(decode);
}

int decode_write(struct decode *decode, const void *data, size_t len, struct err *err)
{
	const uint8_t *at = data;

	if (decode->kind == DECODE_UNKNOWN) {
		while (decode->magic_len < MAGIC_BYTES && len > 0) {
			decode->magic[decode->magic_len++] = *at++;
			len--;
		}
		if (decode->magic_len < MAGIC_BYTES)
			return 0;
		if (choose(decode, err) < 0 || body(decode, decode->magic, MAGIC_BYTES, err) < 0)
			return -1;
	}
	return body(decode, at, len, err);
}

int decode_end(struct decode *decode, struct err *err)
{
	if (decode->kind == DECODE_UNKNOWN) {
		if (choose(decode, err) < 0 ||
		    body(decode, decode->magic, decode->magic_len, err) < 0)
			return -1;
	}
	if (decode->kind == DECODE_GZIP && decode->gz != GZ_BETWEEN && decode->gz != GZ_PADDING)
		return err_set(err, ERR_INVALID, "gzip: ends too early");
	if (decode->kind == DECODE_ZSTD && decode->zstd_in_frame)
		return err_set(err, ERR_INVALID, "zstd: ends too early");
	return 0;
}

enum decode_kind decode_kind(const struct decode *decode)
{
	return decode->kind;
}

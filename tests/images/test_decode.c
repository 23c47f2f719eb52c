/* tests/images/test_decode - mirrors images/decode and images/inflate: every row with both gzip
 * engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "images/decode.h"
#include "tests/hostile-images/tarball.h"

static int collect(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	tarball_put(ctx, data, len);
	return 0;
}

static struct tarball gz(const void *data, size_t len, const char *name)
{
	struct tarball out = { 0 };
	uint8_t buffer[8192];
	gz_header header = { .name = (Bytef *)(uintptr_t)name, .os = 3 };
	z_stream stream = { 0 };
	int rc;

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
	deflateSetHeader(&stream, &header);
	stream.next_in = (Bytef *)(uintptr_t)data;
	stream.avail_in = (unsigned)len;
	do {
		stream.next_out = buffer;
		stream.avail_out = sizeof(buffer);
		rc = deflate(&stream, Z_FINISH);
		tarball_put(&out, buffer, sizeof(buffer) - stream.avail_out);
	} while (rc == Z_OK);
	deflateEnd(&stream);
	return out;
}

static struct tarball zst(const void *data, size_t len)
{
	struct tarball out = { 0 };
	size_t room = ZSTD_compressBound(len);
	ZSTD_CCtx *context = ZSTD_createCCtx();
	void *buffer = malloc(room);

	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	tarball_put(&out, buffer, ZSTD_compress2(context, buffer, room, data, len));
	free(buffer);
	ZSTD_freeCCtx(context);
	return out;
}

/* Room of the caller's own, of another size each time. */
struct room {
	struct tarball *out;
	uint8_t bytes[70002];
	unsigned turn;
	bool is_given;
};

static void *find_room(void *ctx, size_t *out_size, struct err *err)
{
	static const size_t sizes[] = { 1, 70000, 7, 4096, 300, 32768 };
	struct room *room = ctx;

	(void)err;
	*out_size = sizes[room->turn++ % 6];
	room->is_given = true;
	return room->bytes + room->turn % 3;
}

static int collect_room(void *ctx, const void *data, size_t len, struct err *err)
{
	struct room *room = ctx;

	assert_true(room->is_given && data == room->bytes + room->turn % 3);
	room->is_given = false;
	return collect(room->out, data, len, err);
}

static struct decode *new_decode(unsigned flags, struct tarball *out, struct room *room)
{
	struct decode *decode =
		room ? decode_new(flags, collect_room, room) : decode_new(flags, collect, out);

	if (room) {
		memset(room, 0, sizeof(*room));
		room->out = out;
		decode_make_in(decode, find_room);
	}
	return decode;
}

static int run(const struct tarball *in, unsigned flags, size_t step, struct room *room,
	       struct tarball *out, enum decode_kind *kind, struct err *err)
{
	AUTO(decode) struct decode *decode = new_decode(flags, out, room);
	int rc = 0;

	out->len = 0;
	for (size_t at = 0; at < in->len && rc == 0; at += step)
		rc = decode_write(decode, in->bytes + at, in->len - at < step ? in->len - at : step,
				  err);
	if (rc == 0)
		rc = decode_end(decode, err);
	*kind = decode_kind(decode);
	return rc;
}

static void gives(const struct tarball *in, enum decode_kind wanted, const void *data, size_t len)
{
	static const size_t steps[] = { 1u << 20, 1, 4093 };
	struct tarball out = { 0 };
	enum decode_kind kind;
	struct room room;

	for (unsigned i = 0; i < 12; i++) {
		struct err err = ERR_NONE;
		bool in_room = i >= 6 && wanted != DECODE_RAW;

		if (run(in, i & 1 ? DECODE_ZLIB : 0, steps[i / 2 % 3], in_room ? &room : NULL, &out,
			&kind, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(kind, wanted);
		assert_int_equal(out.len, len);
		if (len)
			assert_memory_equal(out.bytes, data, len);
	}
	free(out.bytes);
}

static void refuses(const struct tarball *in, const char *part)
{
	struct tarball out = { 0 };
	enum decode_kind kind;

	for (unsigned i = 0; i < 4; i++) {
		struct err err = ERR_NONE;

		assert_int_equal(run(in, i & 1 ? DECODE_ZLIB : 0, i & 2 ? 1 : 1u << 20, NULL, &out,
				     &kind, &err),
				 -1);
		if (!strstr(err.msg, part))
			fail_msg("got \"%s\", wanted \"%s\"", err.msg, part);
	}
	free(out.bytes);
}

static char *noise(size_t len)
{
	char *data = malloc(len);
	uint32_t seed = 1;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		data[i] = (char)((seed >> 16) % 23 + 'a');
	}
	return data;
}

static void plain_gzip_and_zstd_come_out_alike(void **state)
{
	AUTO(free) char *data = noise(1000000);
	struct tarball raw = { 0 }, packed;

	(void)state;
	tarball_put(&raw, data, 1000000);
	gives(&raw, DECODE_RAW, data, 1000000);
	raw.len = 3;
	gives(&raw, DECODE_RAW, data, 3);
	raw.len = 0;
	gives(&raw, DECODE_RAW, data, 0);
	packed = gz(data, 1000000, "name.tar");
	gives(&packed, DECODE_GZIP, data, 1000000);
	free(packed.bytes);
	packed = gz("", 0, NULL);
	gives(&packed, DECODE_GZIP, "", 0);
	free(packed.bytes);
	packed = zst(data, 1000000);
	gives(&packed, DECODE_ZSTD, data, 1000000);
	free(packed.bytes);
	free(raw.bytes);
}

static void members_and_padding_are_read_through(void **state)
{
	struct tarball all = gz("first ", 6, NULL), second = gz("second", 6, "x");

	(void)state;
	tarball_put(&all, second.bytes, second.len);
	gives(&all, DECODE_GZIP, "first second", 12);
	tarball_zeros(&all, 3000);
	gives(&all, DECODE_GZIP, "first second", 12);
	tarball_put(&all, second.bytes, second.len);
	refuses(&all, "garbage behind the end");
	free(all.bytes);
	free(second.bytes);
}

static void zstd_frames_and_skippable_frames_are_read_through(void **state)
{
	struct tarball all = { 0 }, one = zst("one", 3), two = zst("two", 3);

	(void)state;
	tarball_put(&all, "\x50\x2a\x4d\x18\x05\0\0\0table", 13);
	tarball_put(&all, one.bytes, one.len);
	tarball_put(&all, two.bytes, two.len);
	tarball_put(&all, "\x5f\x2a\x4d\x18\x04\0\0\0toc!", 12);
	gives(&all, DECODE_ZSTD, "onetwo", 6);
	all.len -= 2;
	refuses(&all, "ends too early");
	all.len = 13 + one.len - 2;
	refuses(&all, "ends too early");
	free(all.bytes);
	all = one;
	all.bytes[all.len - 1] ^= 1; /* the content's checksum */
	refuses(&all, "zstd");
	all.bytes[all.len - 1] ^= 1;
	tarball_put(&all, "x", 1);
	refuses(&all, "zstd");
	free(all.bytes);
	free(two.bytes);
}

static void every_fault_of_a_gzip_is_found(void **state)
{
	AUTO(free) char *data = noise(100000);
	struct tarball in = gz(data, 100000, NULL);
	size_t len = in.len;

	(void)state;
	for (size_t cut = 1; cut < 12; cut++) {
		in.len = len - cut;
		refuses(&in, "ends too early");
	}
	in.len = len;
	for (size_t at = 1; at <= 8; at++) { /* CRC and length */
		in.bytes[len - at] ^= 0x40;
		refuses(&in, "checksum or length");
		in.bytes[len - at] ^= 0x40;
	}
	in.bytes[2] = 7;
	refuses(&in, "unknown method");
	in.bytes[2] = 8;
	in.bytes[3] = 0x80;
	refuses(&in, "reserved flags");
	in.bytes[3] = 0;
	in.bytes[10] = 0xff; /* block type 3 */
	refuses(&in, "gzip");
	free(in.bytes);
}

static void a_header_without_an_end_is_refused(void **state)
{
	struct tarball in = { 0 };

	(void)state;
	tarball_put(&in, "\x1f\x8b\x08\x08\0\0\0\0\0\x03", 10); /* FNAME follows */
	for (int i = 0; i < 70000; i++)
		tarball_put(&in, "n", 1);
	refuses(&in, "longer than");
	free(in.bytes);
}

static void a_header_with_every_field_is_skipped(void **state)
{
	struct tarball plain = gz("content", 7, NULL), in = { 0 };

	(void)state;
	tarball_put(&in, "\x1f\x8b\x08\x1e\0\0\0\0\0\x03", 10);
	tarball_put(&in, "\x03\0abcname\0comment\0\x12\x34", 20);
	tarball_put(&in, plain.bytes + 10, plain.len - 10);
	gives(&in, DECODE_GZIP, "content", 7);
	free(in.bytes);
	free(plain.bytes);
}

static void other_compressions_are_refused_by_name(void **state)
{
	struct tarball in = { 0 };

	(void)state;
	tarball_put(&in, "BZh91AY", 7);
	refuses(&in, "bzip2");
	in.len = 0;
	tarball_put(&in,
		    "\xfd"
		    "7zXZ\0",
		    6);
	refuses(&in, "xz");
	free(in.bytes);
}

static void a_window_above_the_limit_is_refused(void **state)
{
	struct tarball in = { 0 };

	(void)state;
	tarball_put(&in, "\x28\xb5\x2f\xfd\x00\xa8\x01\0\0", 9); /* window descriptor: 2^31 */
	refuses(&in, "zstd");
	free(in.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_gzip_and_zstd_come_out_alike),
		cmocka_unit_test(members_and_padding_are_read_through),
		cmocka_unit_test(zstd_frames_and_skippable_frames_are_read_through),
		cmocka_unit_test(every_fault_of_a_gzip_is_found),
		cmocka_unit_test(a_header_without_an_end_is_refused),
		cmocka_unit_test(a_header_with_every_field_is_skipped),
		cmocka_unit_test(other_compressions_are_refused_by_name),
		cmocka_unit_test(a_window_above_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/fuzz/fuzz_images_decode - any bytes as gzip, zstd or raw: both gzip engines say the same,
 * whole or in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/decode.h"
#include "images/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (64u << 20)

struct out {
	struct digest *digest;
	size_t len;
};

static int take(void *ctx, const void *data, size_t len, struct err *err)
{
	struct out *out = ctx;

	out->len += len;
	if (out->len > OUT_MAX)
		return err_set(err, ERR_CANCELLED, "enough");
	digest_update(out->digest, data, len);
	return 0;
}

/* The digest of what came out, or "" for a refusal. */
static void run(const uint8_t *data, size_t size, unsigned flags, size_t step,
		char text[DIGEST_TEXT_MAX])
{
	struct out out = { digest_new(NULL), 0 };
	AUTO(decode) struct decode *decode = decode_new(flags, take, &out);
	struct err err = ERR_NONE;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = decode_write(decode, data + at, size - at < step ? size - at : step, &err);
	if (rc == 0)
		rc = decode_end(decode, &err);
	text[0] = '\0';
	if (rc == 0)
		digest_text(out.digest, text);
	digest_free(out.digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char isal[DIGEST_TEXT_MAX], zlib[DIGEST_TEXT_MAX], pieces[DIGEST_TEXT_MAX];

	run(data, size, 0, 1u << 20, isal);
	run(data, size, DECODE_ZLIB, 1u << 20, zlib);
	run(data, size, 0, 3, pieces);
	if (strcmp(isal, zlib) != 0 || strcmp(isal, pieces) != 0)
		abort();
	return 0;
}

/* images/digest - content digests "sha256:HEX" and "sha512:HEX" (OCI image-spec, descriptor.md).
 *
 * Texts are always lower case and NUL-terminated. Hashing is libcrypto's. One state, one thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

/* "sha512:" + 128 digits + NUL, rounded up. */
#define DIGEST_TEXT_MAX 144

struct digest;

/* True for sha256:64 or sha512:128 lower-case hex digits, nothing else. NULL is false. */
bool digest_is_valid(const char *text);
/* The hex part; digest must be valid. Borrowed. */
const char *digest_hex(const char *digest);

/* algorithm_of: a digest whose algorithm is to be used ("sha256:..."), or NULL for sha256. Never
 * NULL. */
struct digest *digest_new(const char *algorithm_of);
void digest_free(struct digest *digest);
AUTO_TYPE(digest, digest_free);
void digest_update(struct digest *digest, const void *data, size_t len);
/* The digest so far; the state may go on being fed. */
void digest_text(const struct digest *digest, char out[DIGEST_TEXT_MAX]);

/* sha256 of one piece. */
void digest_of(const void *data, size_t len, char out[DIGEST_TEXT_MAX]);
/* ERR_INVALID "WHAT: digest is A, wanted B" when the bytes do not hash to `wanted`. */
int digest_check(const char *what, const void *data, size_t len, const char *wanted,
		 struct err *err);

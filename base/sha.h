/* base/sha - SHA-256 and SHA-512, streaming or at once, and HMAC-SHA-256.
 *
 * The work is libcrypto's (SHA instructions where the processor has them), which is loaded by the
 * first hash of a process: linked, its 20,000 relocations would be a third of the start of every
 * command (docs/decisions/0430). Without the library the process ends with a word, as it does
 * without memory. Any thread. Source: FIPS 180-4, RFC 2104.
 */
#pragma once
#include <stddef.h>

#include "base/cleanup.h"

#define SHA_BYTES_MAX 64
#define SHA_256_BYTES 32
#define SHA_TEXT_MAX  (2 * SHA_BYTES_MAX + 1)
#define SHA_KEY_MAX   64 /* of an HMAC: longer keys would have to be hashed first */

enum sha_kind { SHA_256, SHA_512 };

struct sha;

/* A hash of nothing so far; sha_update adds bytes. */
struct sha *sha_new(enum sha_kind kind);
void sha_free(struct sha *sha);
AUTO_TYPE(sha, sha_free);

/* Any number of pieces; len 0 is none. */
void sha_update(struct sha *sha, const void *data, size_t len);

/* The hash of what came so far, 32 or 64 bytes; more may follow. */
void sha_get(const struct sha *sha, unsigned char *out);

/* SHA-256 of one piece. */
void sha_256(const void *data, size_t len, unsigned char out[SHA_256_BYTES]);

/* HMAC-SHA-256: begin with the key (at most SHA_KEY_MAX bytes), sha_update with the text, end with
 * the same key. sha_hmac_end leaves the hash to be freed. */
struct sha *sha_hmac_begin(const unsigned char *key, size_t key_len);
void sha_hmac_end(struct sha *sha, const unsigned char *key, size_t key_len,
		  unsigned char out[SHA_256_BYTES]);

/* Bytes as lower-case hexadecimal digits and a NUL: 2 * len + 1 bytes. */
void sha_hex(const unsigned char *bytes, size_t len, char *out);

/* images/digest - content digests "sha256:HEX" and "sha512:HEX".
 *
 * Owns: the algorithm table. May not touch: files. Hashing is libcrypto's (SHA instructions where
 * the CPU has them).
 */
#include "images/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/alloc.h"

#define HASH_BYTES_MAX 64

struct algorithm {
	const char *prefix;
	size_t prefix_len, hex_len;
	const EVP_MD *(*md)(void);
};

static const struct algorithm algorithms[] = {
	{"sha256:",  7, 64,  EVP_sha256},
	{ "sha512:", 7, 128, EVP_sha512},
};

struct digest {
	const struct algorithm *algorithm;
	EVP_MD_CTX *context;
};

static const struct algorithm *algorithm_of(const char *text)
{
	for (size_t i = 0; text && i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (strncmp(text, algorithms[i].prefix, algorithms[i].prefix_len) == 0)
			return &algorithms[i];
	return NULL;
}

bool digest_is_valid(const char *text)
{
	const struct algorithm *algorithm = algorithm_of(text);

	if (!algorithm)
		return false;
	text += algorithm->prefix_len;
	return strlen(text) == algorithm->hex_len &&
	       strspn(text, "0123456789abcdef") == algorithm->hex_len;
}

const char *digest_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

struct digest *digest_new(const char *of)
{
	struct digest *digest = xcalloc(1, sizeof(*digest));

	digest->algorithm = algorithm_of(of);
	if (!digest->algorithm)
		digest->algorithm = &algorithms[0];
	digest->context = EVP_MD_CTX_new();
	if (!digest->context ||
	    EVP_DigestInit_ex(digest->context, digest->algorithm->md(), NULL) != 1)
		abort();
	return digest;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

void digest_update(struct digest *digest, const void *data, size_t len)
{
	EVP_DigestUpdate(digest->context, data, len);
}

static void print(const struct algorithm *algorithm, const unsigned char *hash, char *out)
{
	static const char digits[] = "0123456789abcdef";

	memcpy(out, algorithm->prefix, algorithm->prefix_len);
	out += algorithm->prefix_len;
	for (size_t i = 0; i < algorithm->hex_len / 2; i++) {
		*out++ = digits[hash[i] >> 4];
		*out++ = digits[hash[i] & 15];
	}
	*out = '\0';
}

void digest_text(const struct digest *digest, char out[DIGEST_TEXT_MAX])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned char hash[HASH_BYTES_MAX];

	if (!copy || EVP_MD_CTX_copy_ex(copy, digest->context) != 1 ||
	    EVP_DigestFinal_ex(copy, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(copy);
	print(digest->algorithm, hash, out);
}

void digest_of(const void *data, size_t len, char out[DIGEST_TEXT_MAX])
{
	unsigned char hash[HASH_BYTES_MAX];

	if (EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) != 1)
		abort();
	print(&algorithms[0], hash, out);
}

int digest_check(const char *what, const void *data, size_t len, const char *wanted,
		 struct err *err)
{
	AUTO(digest) struct digest *digest = NULL;
	char got[DIGEST_TEXT_MAX];

	if (!digest_is_valid(wanted))
		return err_set(err, ERR_INVALID, "%s: \"%.80s\" is no digest", what, wanted);
	digest = digest_new(wanted);
	digest_update(digest, data, len);
	digest_text(digest, got);
	if (strcmp(got, wanted) != 0)
		return err_set(err, ERR_INVALID, "%s: digest is %.19s..., wanted %.19s...", what,
			       got, wanted);
	return 0;
}

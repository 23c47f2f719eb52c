/* images/digest - content digests "sha256:HEX" and "sha512:HEX".
 *
 * Owns: the algorithm table. May not touch: files. Hashing is base/sha's.
 */
#include "images/digest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/sha.h"

struct algorithm {
	const char *prefix;
	size_t prefix_len, hex_len;
	enum sha_kind kind;
};

static const struct algorithm algorithms[] = {
	{"sha256:",  7, 64,  SHA_256},
	{ "sha512:", 7, 128, SHA_512},
};

struct digest {
	const struct algorithm *algorithm;
	struct sha *sha;
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
	digest->sha = sha_new(digest->algorithm->kind);
	return digest;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	sha_free(digest->sha);
	free(digest);
}

void digest_update(struct digest *digest, const void *data, size_t len)
{
	sha_update(digest->sha, data, len);
}

static void print(const struct algorithm *algorithm, const unsigned char *hash, char *out)
{
	memcpy(out, algorithm->prefix, algorithm->prefix_len);
	sha_hex(hash, algorithm->hex_len / 2, out + algorithm->prefix_len);
}

void digest_text(const struct digest *digest, char out[DIGEST_TEXT_MAX])
{
	unsigned char hash[SHA_BYTES_MAX];

	sha_get(digest->sha, hash);
	print(digest->algorithm, hash, out);
}

void digest_of(const void *data, size_t len, char out[DIGEST_TEXT_MAX])
{
	unsigned char hash[SHA_256_BYTES];

	sha_256(data, len, hash);
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

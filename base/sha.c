/* base/sha - SHA-256 and SHA-512, streaming or at once, and HMAC-SHA-256.
 *
 * Owns: the table of libcrypto's functions, loaded once per process. May not touch: files, keys of
 * others (what it copies of a key it wipes).
 */
#include "base/sha.h"

#include <assert.h>
#include <dlfcn.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define LIBRARY "libcrypto.so.3"

/* The functions that are used, by libcrypto's own names without "EVP_". */
#define SHA_LIB_FUNCTIONS(each)                                                                    \
	each(MD_CTX_new) each(MD_CTX_free) each(MD_CTX_copy_ex) each(DigestInit_ex)                \
		each(DigestUpdate) each(DigestFinal_ex) each(Digest) each(sha256) each(sha512)

struct sha_lib {
#define SHA_LIB_FIELD(name) __typeof__(&EVP_##name) name;
	SHA_LIB_FUNCTIONS(SHA_LIB_FIELD)
#undef SHA_LIB_FIELD
};

struct sha {
	EVP_MD_CTX *context;
};

/* The one thing here that changes: filled once, the same for all. */
static struct sha_lib sha_lib_table;
static pthread_once_t sha_lib_once = PTHREAD_ONCE_INIT;

static void find(void *library, const char *name, void *out_function)
{
	void *found = library ? dlsym(library, name) : NULL;

	if (!found) {
		fprintf(stderr, "%s: %s\n", LIBRARY, dlerror());
		_exit(70);
	}
	memcpy(out_function, &found, sizeof(found)); /* ISO C casts no object to a function */
}

static void load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

#define SHA_LIB_FIND(name) find(library, "EVP_" #name, &sha_lib_table.name);
	SHA_LIB_FUNCTIONS(SHA_LIB_FIND)
#undef SHA_LIB_FIND
}

static const struct sha_lib *lib(void)
{
	pthread_once(&sha_lib_once, load);
	return &sha_lib_table;
}

struct sha *sha_new(enum sha_kind kind)
{
	const struct sha_lib *crypto = lib();
	struct sha *sha = xcalloc(1, sizeof(*sha));

	sha->context = crypto->MD_CTX_new();
	if (!sha->context ||
	    crypto->DigestInit_ex(sha->context,
				  kind == SHA_512 ? crypto->sha512() : crypto->sha256(), NULL) != 1)
		abort();
	return sha;
}

void sha_free(struct sha *sha)
{
	if (!sha)
		return;
	lib()->MD_CTX_free(sha->context);
	free(sha);
}

void sha_update(struct sha *sha, const void *data, size_t len)
{
	lib()->DigestUpdate(sha->context, data, len);
}

void sha_get(const struct sha *sha, unsigned char *out)
{
	const struct sha_lib *crypto = lib();
	EVP_MD_CTX *copy = crypto->MD_CTX_new();

	if (!copy || crypto->MD_CTX_copy_ex(copy, sha->context) != 1 ||
	    crypto->DigestFinal_ex(copy, out, NULL) != 1)
		abort();
	crypto->MD_CTX_free(copy);
}

void sha_256(const void *data, size_t len, unsigned char out[SHA_256_BYTES])
{
	const struct sha_lib *crypto = lib();

	if (crypto->Digest(data, len, out, NULL, crypto->sha256(), NULL) != 1)
		abort();
}

static struct sha *keyed(const unsigned char *key, size_t key_len, unsigned char mask)
{
	unsigned char pad[SHA_KEY_MAX];
	struct sha *sha = sha_new(SHA_256);

	assert(key_len <= sizeof(pad));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (unsigned char)((i < key_len ? key[i] : 0) ^ mask);
	sha_update(sha, pad, sizeof(pad));
	explicit_bzero(pad, sizeof(pad));
	return sha;
}

struct sha *sha_hmac_begin(const unsigned char *key, size_t key_len)
{
	return keyed(key, key_len, 0x36);
}

void sha_hmac_end(struct sha *sha, const unsigned char *key, size_t key_len,
		  unsigned char out[SHA_256_BYTES])
{
	AUTO(sha) struct sha *outer = keyed(key, key_len, 0x5c);
	unsigned char inner[SHA_256_BYTES];

	sha_get(sha, inner);
	sha_update(outer, inner, sizeof(inner));
	sha_get(outer, out);
}

void sha_hex(const unsigned char *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

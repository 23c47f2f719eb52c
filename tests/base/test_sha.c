/* tests/base/test_sha - mirrors base/sha. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/sha.h"

#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                         \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void texts_of_the_specification_have_their_hashes(void **state)
{
	unsigned char bytes[SHA_BYTES_MAX];
	char text[SHA_TEXT_MAX];

	(void)state;
	sha_256("abc", 3, bytes);
	sha_hex(bytes, SHA_256_BYTES, text);
	assert_string_equal(text, ABC_256);
	sha_256("", 0, bytes);
	sha_hex(bytes, SHA_256_BYTES, text);
	assert_string_equal(text,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void pieces_hash_as_the_whole_and_may_go_on(void **state)
{
	AUTO(sha) struct sha *small = sha_new(SHA_256);
	AUTO(sha) struct sha *large = sha_new(SHA_512);
	unsigned char bytes[SHA_BYTES_MAX];
	char text[SHA_TEXT_MAX];

	(void)state;
	sha_update(small, "a", 1);
	sha_get(small, bytes);
	sha_hex(bytes, SHA_256_BYTES, text);
	assert_string_equal(text,
			    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
	sha_update(small, "bc", 2);
	sha_get(small, bytes);
	sha_hex(bytes, SHA_256_BYTES, text);
	assert_string_equal(text, ABC_256);
	sha_update(large, "ab", 2);
	sha_update(large, "c", 1);
	sha_get(large, bytes);
	sha_hex(bytes, SHA_BYTES_MAX, text);
	assert_string_equal(text, ABC_512);
}

/* RFC 4231, test cases 1 and 2. */
static void keyed_hashes_are_those_of_the_specification(void **state)
{
	static const struct {
		const char *key, *text, *wanted;
	} cases[] = {
		{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		  "\x0b", "Hi There",                     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{ "Jefe",                  "what do ya want for nothing?",
                 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"                                                          },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const unsigned char *key = (const unsigned char *)cases[i].key;
		AUTO(sha) struct sha *sha = sha_hmac_begin(key, strlen(cases[i].key));
		unsigned char bytes[SHA_256_BYTES];
		char text[SHA_TEXT_MAX];

		sha_update(sha, cases[i].text, strlen(cases[i].text));
		sha_hmac_end(sha, key, strlen(cases[i].key), bytes);
		sha_hex(bytes, sizeof(bytes), text);
		assert_string_equal(text, cases[i].wanted);
	}
}

static void *hash_often(void *out)
{
	unsigned char bytes[SHA_256_BYTES];

	for (int i = 0; i < 200; i++)
		sha_256("abc", 3, bytes);
	sha_hex(bytes, sizeof(bytes), out);
	return NULL;
}

static void threads_may_begin_at_the_same_time(void **state)
{
	char text[4][SHA_TEXT_MAX];
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_often, text[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_string_equal(text[i], ABC_256);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_may_begin_at_the_same_time),
		cmocka_unit_test(texts_of_the_specification_have_their_hashes),
		cmocka_unit_test(pieces_hash_as_the_whole_and_may_go_on),
		cmocka_unit_test(keyed_hashes_are_those_of_the_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

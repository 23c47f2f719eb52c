/* tests/base/test_base64 - mirrors base/base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"

/* RFC 4648, section 10. */
static const struct {
	const char *plain, *encoded;
} known[] = {
	{"",	      ""        },
	{ "f",            "Zg=="    },
	{ "fo",           "Zm8="    },
	{ "foo",          "Zm9v"    },
	{ "foob",         "Zm9vYg=="},
	{ "fooba",        "Zm9vYmE="},
	{ "foobar",       "Zm9vYmFy"},
	{ "\xff\xfe",     "//4="    },
	{ "\xfb\xef\xbe", "++++"    },
};

static void texts_of_the_specification_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		AUTO(free) char *encoded = base64_encode(known[i].plain, strlen(known[i].plain));
		char plain[16] = "";

		assert_string_equal(encoded, known[i].encoded);
		assert_int_equal(base64_decode(encoded, strlen(encoded), plain),
				 strlen(known[i].plain));
		assert_memory_equal(plain, known[i].plain, strlen(known[i].plain));
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const wrong[] = { "Zg=",  "Z",    "Zm9v\n", "Zm 9", "Zg==Zg==",
					     "Z===", "====", "=Zg=",   "Zm9-" };
	char plain[16];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), plain), -1);
	assert_int_equal(base64_decode("Zm9\0", 4, plain), -1);
}

static void every_byte_comes_back(void **state)
{
	unsigned char all[256], back[258];
	AUTO(free) char *encoded = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	encoded = base64_encode(all, sizeof(all));
	assert_int_equal(strlen(encoded), 344);
	assert_int_equal(base64_decode(encoded, 344, back), sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_the_specification_go_both_ways),
		cmocka_unit_test(what_is_no_base64_is_refused),
		cmocka_unit_test(every_byte_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/orchestrator/cli/test_attach - mirrors orchestrator/cli/attach: the keys that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/cli/attach.h"

static void keys_become_bytes(void **state)
{
	static const struct {
		const char *text, *bytes;
	} rows[] = {
		{"ctrl-p,ctrl-q", "\x10\x11"},
		{ "ctrl-A",       "\x01"    },
		{ "a,b,c",        "abc"     },
		{ "ctrl-[",       "\x1b"    },
		{ "ctrl-_",       "\x1f"    },
		{ "x,ctrl-z",     "x\x1a"   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char keys[ATTACH_KEYS_MAX];
		struct err err = ERR_NONE;
		size_t count;

		assert_int_equal(attach_keys(rows[i].text, keys, &count, &err), 0);
		assert_int_equal(count, strlen(rows[i].bytes));
		assert_memory_equal(keys, rows[i].bytes, count);
	}
}

static void what_is_no_key_is_refused(void **state)
{
	static const char *const rows[] = { "",
					    "ctrl-",
					    "ctrl-1",
					    "control-p",
					    "a,,b",
					    "ctrl-pp",
					    "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char keys[ATTACH_KEYS_MAX];
		struct err err = ERR_NONE;
		size_t count;

		assert_int_equal(attach_keys(rows[i], keys, &count, &err), -1);
		assert_non_null(strstr(err.msg, "--detach-keys"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_become_bytes),
		cmocka_unit_test(what_is_no_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/specs/test_short_forms - mirrors specs/short_forms, specs/words and specs/pathname. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "specs/pathname.h"
#include "specs/short_forms.h"
#include "specs/words.h"

static void ports_are_cut_from_the_right(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* "ip published target/protocol" of each; NULL: an error */
	} rows[] = {
		{"80",                     "- - 80/tcp;"                 },
		{ "8080:80",               "- 8080 80/tcp;"              },
		{ "127.0.0.1:8001:80/UDP", "127.0.0.1 8001 80/udp;"      },
		{ "[::1]::87",             "::1 - 87/tcp;"               },
		{ ":81",                   "- - 81/tcp;"                 },
		{ ":443:443",              "- 443 443/tcp;"              },
		{ "082:082",               "- 82 82/tcp;"                },
		{ "0:80",                  "- 0 80/tcp;"                 },
		{ "84:84/",                "- 84 84/tcp;"                },
		{ "9090-9091:80-81",       "- 9090 80/tcp;- 9091 81/tcp;"},
		{ "7000-7005:80",          "- 7000-7005 80/tcp;"         },
		{ "30-31",                 "- - 30/tcp;- - 31/tcp;"      },
		{ "127.0.0.1:80",          NULL                          },
		{ "localhost:80:80",       NULL                          },
		{ "::1:80:80",             NULL                          },
		{ "8080:80-81",            NULL                          },
		{ "80:",                   NULL                          },
		{ "80-79",                 NULL                          },
		{ "80 :80",                NULL                          },
		{ "70000:80",              NULL                          },
		{ "80:0",                  NULL                          },
		{ "80/icmp",               NULL                          },
		{ "[127.0.0.1]:1:1",       NULL                          },
		{ "1-60000",               NULL                          },
		{ "",		      NULL                          },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		struct port *ports;
		size_t count;
		const char *got = "";

		if (short_port(arena, rows[i].text, &ports, &count, &err) < 0) {
			if (rows[i].want || !strstr(err.msg, rows[i].text))
				fail_msg("%s: %s", rows[i].text, err.msg);
			continue;
		}
		for (size_t k = 0; k < count; k++)
			got = arena_format(arena, "%s%s %s %u/%s;", got,
					   ports[k].host_ip ? ports[k].host_ip : "-",
					   ports[k].published ? ports[k].published : "-",
					   ports[k].target, ports[k].protocol);
		if (!rows[i].want || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].text, got);
	}
	arena_free(arena);
}

static void mounts_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* "type source target ro"; NULL: an error */
	} rows[] = {
		{"/anon",              "volume - /anon rw"},
		{ "data:/d",           "volume data /d rw"},
		{ "v:/v",              "volume v /v rw"   },
		{ "./a:/x//y/../z:ro", "bind ./a /x/z ro" },
		{ "~/h:/h:rw",         "bind ~/h /h rw"   },
		{ "../up:/u",          "bind ../up /u rw" },
		{ "/abs:/a:ro,z",      "bind /abs /a ro"  },
		{ "a:/b:ro:d",         NULL               },
		{ ":/x",               NULL               },
		{ "a:",                NULL               },
		{ "./b:rel",           NULL               },
		{ "rel",               NULL               },
		{ "",                  NULL               },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		const char *unknown, *got;
		struct mount mount;

		if (short_mount(arena, rows[i].text, &mount, &unknown, &err) < 0) {
			if (rows[i].want)
				fail_msg("%s: %s", rows[i].text, err.msg);
			continue;
		}
		got = arena_format(arena, "%s %s %s %s", mount.type,
				   mount.source ? mount.source : "-", mount.target,
				   mount.read_only ? "ro" : "rw");
		if (!rows[i].want || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].text, got);
	}
	arena_free(arena);
}

static void options_of_mounts_reach_their_fields(void **state)
{
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	const char *unknown;
	struct mount mount;

	(void)state;
	assert_int_equal(short_mount(arena, "./a:/b:rshared,Z", &mount, &unknown, &err), 0);
	assert_string_equal(mount.bind->propagation, "rshared");
	assert_string_equal(mount.bind->selinux, "Z");
	assert_true(mount.bind->create_host_path);
	assert_null(unknown);
	assert_int_equal(short_mount(arena, "v:/b:nocopy,odd,worse", &mount, &unknown, &err), 0);
	assert_true(mount.volume->nocopy);
	assert_null(mount.bind);
	assert_string_equal(unknown, "odd,worse");
	arena_free(arena);
}

static void devices_hosts_and_restarts_are_read(void **state)
{
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	struct device device;
	const char *text;
	uint64_t tries;

	(void)state;
	assert_int_equal(short_device(arena, "/dev/a:/dev/b:r", &device, &err), 0);
	assert_string_equal(device.target, "/dev/b");
	assert_string_equal(device.permissions, "r");
	assert_int_equal(short_device(arena, "v/c=n", &device, &err), 0);
	assert_string_equal(device.source, "v/c=n");
	assert_int_equal(short_device(arena, "/a:/b:x", &device, &err), -1);
	assert_int_equal(short_host(arena, "h:[::1]", &text, &err), 0);
	assert_string_equal(text, "h=::1");
	assert_int_equal(short_host(arena, "gw=host-gateway", &text, &err), 0);
	assert_int_equal(short_host(arena, "lonely", &text, &err), -1);
	assert_int_equal(short_host(arena, "h=300.1.1.1", &text, &err), -1);
	assert_int_equal(short_restart("on-failure:3", &text, &tries, &err), 0);
	assert_string_equal(text, "on-failure");
	assert_int_equal(tries, 3);
	assert_int_equal(short_restart("always:3", &text, &tries, &err), -1);
	assert_int_equal(short_restart("on-failure:x", &text, &tries, &err), -1);
	arena_free(arena);
}

static void command_texts_are_split_as_a_shell_would(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* words in brackets; NULL: an error */
		const char *rest;
	} rows[] = {
		{"a  b\tc\nd",                    "[a][b][c][d]",                NULL  },
		{ "sh -c \"echo 'a b' c\" d\\ e", "[sh][-c][echo 'a b' c][d e]", NULL  },
		{ "a='b c'd",                     "[a=b cd]",                    NULL  },
		{ "\"b\\nc\"",                    "[bnc]",                       NULL  },
		{ "'' x",                         "[][x]",                       NULL  },
		{ "$(a b) `c d` e",               "[$(a b)][`c d`][e]",          NULL  },
		{ "$(a (b) c)",                   "[$(a (b) c)]",                NULL  },
		{ "a && b",                       "[a]",                         "&& b"},
		{ "a 2>&1",                       "[a]",                         ">&1" },
		{ "a x2>f",                       "[a][x2]",                     ">f"  },
		{ "a\\;b",                        "[a;b]",                       NULL  },
		{ "a {b} * ~ #c",                 "[a][{b}][*][~][#c]",          NULL  },
		{ "",			     "",			    NULL  },
		{ "a \"b",                        NULL,                          NULL  },
		{ "a 'b",                         NULL,                          NULL  },
		{ "(a)",			  NULL,                          NULL  },
		{ "$(a",			  NULL,                          NULL  },
		{ "`a",			   NULL,                          NULL  },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		const char *rest, *got = "";
		struct texts words;

		if (words_split(arena, rows[i].text, &words, &rest, &err) < 0) {
			if (rows[i].want)
				fail_msg("%s: %s", rows[i].text, err.msg);
			continue;
		}
		for (size_t k = 0; k < words.count; k++)
			got = arena_format(arena, "%s[%s]", got, words.items[k]);
		if (!rows[i].want || strcmp(got, rows[i].want) != 0 ||
		    (rest == NULL) != (rows[i].rest == NULL) ||
		    (rest && strcmp(rest, rows[i].rest) != 0))
			fail_msg("%s: %s, rest %s", rows[i].text, got, rest ? rest : "none");
	}
	arena_free(arena);
}

static void paths_are_cleaned_and_joined(void **state)
{
	static const struct {
		const char *base, *path, *want;
	} rows[] = {
		{"/p",    "./a",        "/p/a"     },
		{ "/p/q", "../../../a", "/a"       },
		{ "/p",   "/x//y/./z/", "/x/y/z"   },
		{ "/p",   "~",          "/home/u"  },
		{ "/p",   "~/x",        "/home/u/x"},
		{ "/p",   "~x",         "/p/~x"    },
		{ "/",    "a",          "/a"       },
		{ "/p",   ".",          "/p"       },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(pathname_join(arena, rows[i].base, rows[i].path, "/home/u"),
				    rows[i].want);
	assert_string_equal(pathname_clean(arena, "../../a/../b"), "../../b");
	assert_string_equal(pathname_clean(arena, ""), ".");
	assert_string_equal(pathname_clean(arena, "/.."), "/");
	assert_string_equal(pathname_folder(arena, "/a/b"), "/a");
	assert_string_equal(pathname_folder(arena, "/a"), "/");
	assert_string_equal(pathname_base("/a/b"), "b");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_cut_from_the_right),
		cmocka_unit_test(mounts_are_taken_apart),
		cmocka_unit_test(options_of_mounts_reach_their_fields),
		cmocka_unit_test(devices_hosts_and_restarts_are_read),
		cmocka_unit_test(command_texts_are_split_as_a_shell_would),
		cmocka_unit_test(paths_are_cleaned_and_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

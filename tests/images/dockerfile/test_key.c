/* tests/images/dockerfile/test_key - mirrors images/dockerfile/key: what changes a key, and what
 * does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "images/dockerfile/key.h"

/* A row is the plain case with one thing changed. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define TEXTS(...)                                                                                 \
	{                                                                                          \
		(const char *const[]){ __VA_ARGS__ },                                              \
			sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)              \
	}
#define MOUNTS(...)                                                                                \
	.mounts = (const struct df_key_mount[]){ __VA_ARGS__ },                                    \
	.mount_count =                                                                             \
		sizeof((const struct df_key_mount[]){ __VA_ARGS__ }) / sizeof(struct df_key_mount)
#define ENTRIES(...)                                                                               \
	.entries = (const struct df_key_entry[]){ __VA_ARGS__ },                                   \
	.entry_count =                                                                             \
		sizeof((const struct df_key_entry[]){ __VA_ARGS__ }) / sizeof(struct df_key_entry)
#define XATTRS(...)                                                                                \
	.xattrs = (const struct df_key_xattr[]){ __VA_ARGS__ },                                    \
	.xattr_count =                                                                             \
		sizeof((const struct df_key_xattr[]){ __VA_ARGS__ }) / sizeof(struct df_key_xattr)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* clang-format off */
#define RUN(...) { .argv = TEXTS("/bin/sh", "-c", "make"), .env = TEXTS("A=1", "B=2"), .user = "u", .cwd = "/w", \
	.platform = "linux/amd64", MOUNTS({ "type=cache,target=/c", NULL }, { "type=bind,from=x,target=/x", "h1" }), __VA_ARGS__ }
static const struct { const char *name; struct df_key_run run; bool same; } runs[] = {
	{ "nothing changed",            RUN(.user = "u"), true },
	{ "command",                    RUN(.argv = TEXTS("/bin/sh", "-c", "make all")), false },
	{ "another shell",              RUN(.argv = TEXTS("/bin/bash", "-c", "make")), false },
	{ "words parted elsewhere",     RUN(.argv = TEXTS("/bin/sh", "-cmake")), false },
	{ "words joined",               RUN(.argv = TEXTS("/bin/sh", "-c", "ma", "ke")), false },
	{ "an empty word more",         RUN(.argv = TEXTS("/bin/sh", "-c", "make", "")), false },
	{ "env in another order",       RUN(.env = TEXTS("B=2", "A=1")), true },
	{ "value in env",               RUN(.env = TEXTS("A=1", "B=3")), false },
	{ "variable more (ARG used)",   RUN(.env = TEXTS("A=1", "B=2", "C=")), false },
	{ "variable less",              RUN(.env = TEXTS("A=1")), false },
	{ "env bytes shifted",          RUN(.env = TEXTS("A=1B", "=2")), false },
	{ "env moved to argv",          RUN(.argv = TEXTS("/bin/sh", "-c", "make", "A=1"), .env = TEXTS("B=2")), false },
	{ "user",                       RUN(.user = "root"), false },
	{ "no user",                    RUN(.user = NULL), false },
	{ "cwd",                        RUN(.cwd = "/"), false },
	{ "user and cwd swapped",       RUN(.user = "/w", .cwd = "u"), false },
	{ "network",                    RUN(.network = "none"), false },
	{ "empty network",              RUN(.network = ""), true },
	{ "security",                   RUN(.security = "insecure"), false },
	{ "network's word as security", RUN(.network = "insecure"), false },
	{ "platform",                   RUN(.platform = "linux/arm64"), false },
	{ "content behind from=",       RUN(MOUNTS({ "type=cache,target=/c", NULL }, { "type=bind,from=x,target=/x", "h2" })), false },
	{ "options of a cache mount",   RUN(MOUNTS({ "type=cache,target=/c,sharing=locked", NULL }, { "type=bind,from=x,target=/x", "h1" })), false },
	{ "order of mounts",            RUN(MOUNTS({ "type=bind,from=x,target=/x", "h1" }, { "type=cache,target=/c", NULL })), false },
	{ "a mount less",               RUN(MOUNTS({ "type=cache,target=/c", NULL })), false },
	{ "a secret mount more",        RUN(MOUNTS({ "type=cache,target=/c", NULL }, { "type=bind,from=x,target=/x", "h1" }, { "type=secret,id=s", NULL })), false },
};

#define FILE_A(...) { .path = "a", .type = 'f', .mode = 0644, .uid = 1000, .gid = 1000, .content = "sha256:1", __VA_ARGS__ }
#define DIR_D       { .path = "d", .type = 'd', .mode = 0755 }
#define LINK_L(...) { .path = "l", .type = 'l', .mode = 0777, .link = "a", __VA_ARGS__ }
#define COPY(...) { .kind = DF_COPY, .destination = "/x/", ENTRIES(FILE_A(.uid = 1000), DIR_D, LINK_L(.link = "a")), __VA_ARGS__ }
static const struct { const char *name; struct df_key_copy copy; bool same; } copies[] = {
	{ "nothing changed",            COPY(.chown = NULL), true },
	{ "touched (no field for it)",  COPY(.chown = ""), true },
	{ "entries in another order",   COPY(ENTRIES(LINK_L(.link = "a"), FILE_A(.uid = 1000), DIR_D)), true },
	{ "content",                    COPY(ENTRIES(FILE_A(.content = "sha256:2"), DIR_D, LINK_L(.link = "a"))), false },
	{ "mode",                       COPY(ENTRIES(FILE_A(.mode = 0755), DIR_D, LINK_L(.link = "a"))), false },
	{ "setuid bit",                 COPY(ENTRIES(FILE_A(.mode = 04644), DIR_D, LINK_L(.link = "a"))), false },
	{ "mode of a link",             COPY(ENTRIES(FILE_A(.uid = 1000), DIR_D, LINK_L(.mode = 0755))), true },
	{ "owner in the context",       COPY(ENTRIES(FILE_A(.uid = 0), DIR_D, LINK_L(.link = "a"))), true },
	{ "group in the context",       COPY(ENTRIES(FILE_A(.gid = 0), DIR_D, LINK_L(.link = "a"))), true },
	{ "owners count",               COPY(.flags = DF_KEY_OWNERS), false },
	{ "target of a link",           COPY(ENTRIES(FILE_A(.uid = 1000), DIR_D, LINK_L(.link = "b"))), false },
	{ "renamed",                    COPY(ENTRIES(FILE_A(.path = "b"), DIR_D, LINK_L(.link = "a"))), false },
	{ "a file less (now ignored)",  COPY(ENTRIES(DIR_D, LINK_L(.link = "a"))), false },
	{ "a file more",                COPY(ENTRIES(FILE_A(.uid = 1000), FILE_A(.path = "z"), DIR_D, LINK_L(.link = "a"))), false },
	{ "an empty folder less",       COPY(ENTRIES(FILE_A(.uid = 1000), LINK_L(.link = "a"))), false },
	{ "nothing left",               COPY(.entries = NULL, .entry_count = 0), false },
	{ "file became a folder",       COPY(ENTRIES(FILE_A(.type = 'd', .content = NULL), DIR_D, LINK_L(.link = "a"))), false },
	{ "hard link",                  COPY(ENTRIES(FILE_A(.link = "z"), DIR_D, LINK_L(.link = "a"))), false },
	{ "content as link",            COPY(ENTRIES(FILE_A(.link = "sha256:1", .content = NULL), DIR_D, LINK_L(.link = "a"))), false },
	{ "xattr",                      COPY(ENTRIES(FILE_A(XATTRS({ "user.a", "1", 1 })), DIR_D, LINK_L(.link = "a"))), false },
	{ "destination",                COPY(.destination = "/y/"), false },
	{ "destination without /",      COPY(.destination = "/x"), false },
	{ "chown",                      COPY(.chown = "1:1"), false },
	{ "chmod",                      COPY(.chmod = "0600"), false },
	{ "chmod's word as chown",      COPY(.chown = "0600"), false },
	{ "ADD instead",                COPY(.kind = DF_ADD), false },
	{ "--parents",                  COPY(.has_parents = true), false },
	{ "--link",                     COPY(.is_link = true), false },
	{ "--unpack",                   COPY(.unpacks = true), false },
	{ "--keep-git-dir",             COPY(.keeps_git_dir = true), false },
	{ "commit",                     COPY(.commit = "abc"), false },
	{ "device number of a file",    COPY(ENTRIES(FILE_A(.device = 5), DIR_D, LINK_L(.link = "a"))), true },
};

static const struct { const char *name; enum df_kind kind; bool exec_form; struct df_key_list values; bool same; } configs[] = {
	{ "nothing changed",       DF_ENV,   false, TEXTS("a=1", "b=2"), true },
	{ "ENV in another order",  DF_ENV,   false, TEXTS("b=2", "a=1"), false },
	{ "value",                 DF_ENV,   false, TEXTS("a=1", "b=3"), false },
	{ "one pair less",         DF_ENV,   false, TEXTS("a=1"), false },
	{ "one pair of two",       DF_ENV,   false, TEXTS("a=1b=2"), false },
	{ "LABEL instead",         DF_LABEL, false, TEXTS("a=1", "b=2"), false },
	{ "exec form",             DF_ENV,   true,  TEXTS("a=1", "b=2"), false },
	{ "nothing set",           DF_ENV,   false, { NULL, 0 }, false },
};
static const struct df_key_copy linked = COPY(.is_link = true);
static const struct df_key_copy owned[] = {
	COPY(.flags = DF_KEY_OWNERS),
	COPY(.flags = DF_KEY_OWNERS, ENTRIES(FILE_A(.uid = 0), DIR_D, LINK_L(.link = "a"))),
	COPY(.flags = DF_KEY_OWNERS, ENTRIES(FILE_A(.gid = 0), DIR_D, LINK_L(.link = "a"))),
};
/* clang-format on */

#define PARENT "1111111111111111111111111111111111111111111111111111111111111111"
#define OTHER  "2222222222222222222222222222222222222222222222222222222222222222"

static void judge(const char *name, const char *plain, const char *changed, bool same)
{
	if ((strcmp(plain, changed) == 0) != same)
		fail_msg("%s: the key %s", name, same ? "changed" : "stayed");
}

static void runs_change_with_what_they_see(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_run(PARENT, &runs[0].run, plain);
	assert_int_equal(strlen(plain), 64);
	for (size_t i = 0; i < COUNT(runs); i++) {
		df_key_run(PARENT, &runs[i].run, key);
		judge(runs[i].name, plain, key, runs[i].same);
	}
	df_key_run(OTHER, &runs[0].run, key);
	judge("parent", plain, key, false);
}

static void copies_change_with_what_they_take(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_copy(PARENT, &copies[0].copy, plain);
	for (size_t i = 0; i < COUNT(copies); i++) {
		df_key_copy(PARENT, &copies[i].copy, key);
		judge(copies[i].name, plain, key, copies[i].same);
	}
	df_key_copy(OTHER, &copies[0].copy, key);
	judge("parent", plain, key, false);
}

static void a_linked_copy_outlives_its_base(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_copy(PARENT, &linked, plain);
	df_key_copy(OTHER, &linked, key);
	judge("parent of a linked copy", plain, key, true);
}

static void owners_count_out_of_another_stage(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_copy(PARENT, &owned[0], plain);
	df_key_copy(PARENT, &owned[1], key);
	judge("owner", plain, key, false);
	df_key_copy(PARENT, &owned[2], key);
	judge("group", plain, key, false);
}

static void configs_change_with_what_they_set(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_config(PARENT, configs[0].kind, configs[0].exec_form, &configs[0].values, plain);
	for (size_t i = 0; i < COUNT(configs); i++) {
		df_key_config(PARENT, configs[i].kind, configs[i].exec_form, &configs[i].values,
			      key);
		judge(configs[i].name, plain, key, configs[i].same);
	}
	df_key_config(OTHER, configs[0].kind, configs[0].exec_form, &configs[0].values, key);
	judge("parent", plain, key, false);
}

static void bases_change_with_digest_and_platform(void **state)
{
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_from("sha256:1", "linux/amd64", plain);
	df_key_from("sha256:1", "linux/amd64", key);
	judge("same base", plain, key, true);
	df_key_from("sha256:2", "linux/amd64", key);
	judge("base moved", plain, key, false);
	df_key_from("sha256:1", "linux/arm64", key);
	judge("platform", plain, key, false);
	df_key_from(NULL, "linux/amd64", key);
	judge("scratch", plain, key, false);
}

static void trees_are_sets(void **state)
{
	const struct df_key_entry one[] = {
		FILE_A(XATTRS({ "user.a", "1", 1 }, { "user.b", "2", 1 })), DIR_D
	};
	const struct df_key_entry two[] = { DIR_D, FILE_A(XATTRS({ "user.b", "2", 1 },
								 { "user.a", "1", 1 })) };
	const struct df_key_entry three[] = {
		FILE_A(XATTRS({ "user.a", "1u", 2 }, { "ser.b", "2", 1 })), DIR_D
	};
	static const struct df_key_entry device[] = {
		{.path = "a", .type = 'c', .device = 5}
	};
	static const struct df_key_entry other[] = {
		{.path = "a", .type = 'c', .device = 6}
	};
	char plain[DF_KEY_SIZE], key[DF_KEY_SIZE];

	(void)state;
	df_key_tree(one, 2, 0, plain);
	df_key_tree(two, 2, 0, key);
	judge("order of entries and xattrs", plain, key, true);
	df_key_tree(three, 2, 0, key);
	judge("xattr bytes shifted", plain, key, false);
	df_key_tree(device, 1, 0, plain);
	df_key_tree(other, 1, 0, key);
	judge("device number", plain, key, false);
}

static void the_bytes_of_version_1_stay(void **state)
{
	char key[DF_KEY_SIZE];

	(void)state;
	assert_true(COUNT(runs) + COUNT(copies) + COUNT(configs) >= 60);
	df_key_from(NULL, "linux/amd64", key);
	assert_string_equal(key,
			    "364bcd393a8c5a761b84bd0e956b5e4475b7b168698a36130de364b14067e1af");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_change_with_what_they_see),
		cmocka_unit_test(copies_change_with_what_they_take),
		cmocka_unit_test(a_linked_copy_outlives_its_base),
		cmocka_unit_test(owners_count_out_of_another_stage),
		cmocka_unit_test(configs_change_with_what_they_set),
		cmocka_unit_test(bases_change_with_digest_and_platform),
		cmocka_unit_test(trees_are_sets),
		cmocka_unit_test(the_bytes_of_version_1_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

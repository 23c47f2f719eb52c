/* tests/runtime/test_small_rooms - mirrors runtime/options, sync, capability, state, rootpath and
 * the weights of cgroup_v2: rooms that need nothing of the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "runtime/capability.h"
#include "runtime/cgroup_internal.h"
#include "runtime/options.h"
#include "runtime/rootpath.h"
#include "runtime/state.h"
#include "runtime/sync.h"

struct target {
	bool detach;
	const char *bundle;
	struct option_texts env;
	unsigned count;
};

static const struct option_row rows[] = {
	{"detach",     'd', OPTION_BOOL, offsetof(struct target, detach), "" },
	{ "bundle", 'b', OPTION_TEXT, offsetof(struct target, bundle), "" },
	{ "env",     'e', OPTION_TEXTS, offsetof(struct target, env), "" },
	{ "preserve-fds",           0, OPTION_COUNT, offsetof(struct target, count), "" },
	{ 0        },
};

static int parse(int argc, const char **argv, bool stop_early, struct target *out,
		 const char **rest, size_t *count, struct err *err)
{
	int index = 0;

	*out = (struct target){ 0 };
	return options_parse(rows, out, argc, (char **)(uintptr_t)argv, &index, stop_early, rest,
			     count, err);
}

static void flags_come_in_every_spelling(void **state)
{
	const char *argv[] = { "--detach=false",   "-b", "/x", "id", "--env", "A=1", "-e=B=2",
			       "--preserve-fds=3", "-d" };
	const char *rest[16];
	struct target target;
	struct err err = ERR_NONE;
	size_t count;

	(void)state;
	assert_int_equal(parse(9, argv, false, &target, rest, &count, &err), 0);
	assert_true(target.detach);
	assert_string_equal(target.bundle, "/x");
	assert_int_equal(target.env.count, 2);
	assert_string_equal(target.env.at[1], "B=2");
	assert_int_equal(target.count, 3);
	assert_int_equal(count, 1);
}

static void exec_leaves_the_commands_own_flags_alone(void **state)
{
	const char *argv[] = { "-d", "id", "ls", "-l", "--", "-b" };
	const char *rest[16];
	struct target target;
	struct err err = ERR_NONE;
	size_t count;

	(void)state;
	assert_int_equal(parse(6, argv, true, &target, rest, &count, &err), 0);
	assert_int_equal(count, 5);
	assert_string_equal(rest[2], "-l");
	assert_string_equal(rest[3], "--");
	assert_null(target.bundle);
}

static void wrong_flags_are_named(void **state)
{
	static const char *const wrong[][2] = {
		{"--nope",            "--nope"      },
		{ "--bundle",         "--bundle"    },
		{ "--detach=maybe",   "--detach"    },
		{ "--preserve-fds=x", "preserve-fds"},
		{ "-x",               "-x"          }
	};
	const char *rest[16];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *argv[] = { wrong[i][0] };
		struct err err = ERR_NONE;
		struct target target;
		size_t count;

		assert_int_equal(parse(1, argv, false, &target, rest, &count, &err), -1);
		assert_non_null(strstr(err.msg, wrong[i][1]));
	}
}

static void messages_cross_with_their_descriptor(void **state)
{
	struct err err = ERR_NONE, sent = { ERR_DENIED, "mount /proc: no" };
	struct sync_message message;
	int pair[2], fd = -1, ends[2];
	char byte = 0;

	(void)state;
	assert_int_equal(sync_pair(pair, &err), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sync_send(pair[0], SYNC_CONSOLE, 7, "text", ends[1]), 0);
	assert_int_equal(sync_receive(pair[1], &message, &fd), 1);
	assert_int_equal(message.number, 7);
	assert_string_equal(message.text, "text");
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(fd);
	assert_int_equal(sync_send_error(pair[0], &sent, 126), 0);
	assert_int_equal(sync_expect(pair[1], SYNC_GO, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_string_equal(err.msg, "mount /proc: no");
	close(pair[0]);
	assert_int_equal(sync_receive(pair[1], &message, &fd), 0);
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
}

static void foreign_bytes_are_no_message(void **state)
{
	struct sync_message message;
	struct err err = ERR_NONE;
	int pair[2], fd = -1;

	(void)state;
	assert_int_equal(sync_pair(pair, &err), 0);
	assert_int_equal(write(pair[0], "short", 5), 5);
	assert_int_equal(sync_receive(pair[1], &message, &fd), -1);
	memset(&message, 0xff, sizeof(message));
	assert_int_equal(write(pair[0], &message, sizeof(message)), sizeof(message));
	assert_int_equal(sync_receive(pair[1], &message, &fd), -1);
	close(pair[0]);
	close(pair[1]);
}

static void capabilities_have_names_both_ways(void **state)
{
	(void)state;
	assert_int_equal(capability_number("CAP_CHOWN"), 0);
	assert_int_equal(capability_number("sys_admin"), 21);
	assert_int_equal(capability_number("CAP_NONE"), -1);
	for (int i = 0; capability_name(i); i++)
		assert_int_equal(capability_number(capability_name(i)), i);
	assert_null(capability_name(-1));
}

static void ids_hold_no_path(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "a\n", "\xc3\xa4", "a:b" };
	struct err err = ERR_NONE;
	char longest[1026];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(state_check_id(bad[i], &err), -1);
	assert_int_equal(state_check_id("a.b-c_d+1", &err), 0);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[1025] = '\0';
	assert_int_equal(state_check_id(longest, &err), -1);
	longest[1024] = '\0';
	assert_int_equal(state_check_id(longest, &err), 0);
}

static void paths_are_cleaned_without_leaving_the_root(void **state)
{
	static const char *const rows_of_paths[][2] = {
		{"/a//b/./c/",  "/a/b/c"},
		{ "/a/../../b", "/b"    },
		{ "/..",        "/"     },
		{ "a",          "/a"    },
		{ "/",          "/"     },
		{ "",           "/"     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows_of_paths) / sizeof(rows_of_paths[0]); i++) {
		AUTO(free) char *got = rootpath_clean(rows_of_paths[i][0]);

		assert_string_equal(got, rows_of_paths[i][1]);
	}
}

static void weights_follow_the_published_curve(void **state)
{
	(void)state;
	assert_int_equal(cgroup_weight_of_shares(0), 0);
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_shares(999999), 10000);
	assert_int_equal(cgroup_weight_of_blkio(10), 1);
	assert_int_equal(cgroup_weight_of_blkio(1000), 10000);
}

static void flat_keyed_files_are_read_by_key(void **state)
{
	static const char text[] = "oom 1\noom_kill 7\nmax max";

	(void)state;
	assert_int_equal(cgroup_key_u64(text, "oom_kill", 0), 7);
	assert_int_equal(cgroup_key_u64(text, "oom", 0), 1);
	assert_int_equal(cgroup_key_u64(text, "low", 5), 5);
	assert_true(cgroup_key_u64(text, "max", 0) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_come_in_every_spelling),
		cmocka_unit_test(exec_leaves_the_commands_own_flags_alone),
		cmocka_unit_test(wrong_flags_are_named),
		cmocka_unit_test(messages_cross_with_their_descriptor),
		cmocka_unit_test(foreign_bytes_are_no_message),
		cmocka_unit_test(capabilities_have_names_both_ways),
		cmocka_unit_test(ids_hold_no_path),
		cmocka_unit_test(paths_are_cleaned_without_leaving_the_root),
		cmocka_unit_test(weights_follow_the_published_curve),
		cmocka_unit_test(flat_keyed_files_are_read_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

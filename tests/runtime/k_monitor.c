/* tests/runtime/k_monitor - mirrors runtime/monitor and its rooms: whole lives; needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/process.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/cgroup.h"
#include "runtime/lifecycle.h"
#include "runtime/netns.h"
#include "runtime/state.h"
#include "tests/runtime/monitor_bench.h"

static void exit_codes_are_recorded(void **state)
{
	static const struct {
		const char *args;
		int code;
	} rows[] = {
		{"\"true\"",      0  },
                { SH("exit 7"),   7  },
                { SH("exit 255"), 255}
	};
	struct monitor_bench bench;

	(void)state;
	monitor_bench_make(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) struct json_object *result = NULL;

		bench.args = rows[i].args;
		monitor_bench_run(&bench);
		result = monitor_bench_end(&bench, false);
		expect_outcome(result, rows[i].code, 0);
		assert_string_equal(json_text_or(result, "error", "?"), "");
		assert_false(json_bool_or(result, "oom", true));
		assert_int_equal(json_text_or(result, "started_at", "")[0], '2');
		assert_true(strcmp(json_text_or(result, "started_at", "9"),
				   json_text_or(result, "finished_at", "0")) < 0);
	}
	monitor_bench_drop(&bench);
}

static void signals_are_recorded(void **state)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV };
	struct monitor_bench bench;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	bench.namespaces = ""; /* in a pid namespace of its own init ignores TERM */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		AUTO(json) struct json_object *result = NULL;

		monitor_bench_run(&bench);
		kill(bench.init, signals[i]);
		result = monitor_bench_end(&bench, false);
		expect_outcome(result, 128 + signals[i], signals[i]);
	}
	monitor_bench_drop(&bench);
}

static void programs_that_cannot_run_are_told_apart(void **state)
{
	static const struct {
		const char *args;
		int code;
	} rows[] = {
		{"\"no-such-program\"",         127},
		{ "\"/bin/no-such-program\"",   127},
		{ "\"/etc/plain\"",             126},
		{ "\"/etc\"",                   126},
		{ "\"/etc/script-without-it\"", 127}
	};
	struct monitor_bench bench;

	(void)state;
	monitor_bench_make(&bench);
	for (size_t i = 0; i < 2; i++) {
		AUTO(free)
		char *path =
			xformat("%s/lower/etc/%s", bench.path, i ? "script-without-it" : "plain");
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, i ? 0755 : 0644);

		assert_int_equal(write(fd, "#!/no/interpreter\n", 18), 18);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) struct json_object *result = NULL;

		bench.args = rows[i].args;
		result = monitor_bench_whole(&bench);
		expect_outcome(result, rows[i].code, 0);
		assert_true(strlen(json_text_or(result, "error", "")) > 0);
		assert_string_equal(json_text_or(result, "started_at", "?"), "");
	}
	monitor_bench_drop(&bench);
}

static void both_streams_reach_the_log_to_the_last_byte(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("echo out; echo err >&2; seq 1 20000; printf end");
	bench.log = "{\"max_size\":0,\"attrs\":{\"tag\":\"x\"}}";
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	log = monitor_bench_log(&bench);
	assert_non_null(strstr(log, "out\n"));
	assert_non_null(strstr(log, "err\n"));
	assert_non_null(strstr(log, "19999\n20000\nend"));
	free(TAKE(log));
	log = monitor_bench_read(&bench, "slot/log.json");
	assert_non_null(strstr(log, "\"stream\":\"stderr\",\"attrs\":{\"tag\":\"x\"}"));
	monitor_bench_drop(&bench);
}

static void the_log_is_rotated_within_its_bounds(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *current = NULL;
	AUTO(free) char *first = NULL;
	AUTO(free) char *third = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("seq 1 5000");
	bench.log = "{\"max_size\":20000,\"max_file\":3,\"compress\":false}";
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	current = monitor_bench_read(&bench, "slot/log.json");
	first = monitor_bench_read(&bench, "slot/log.json.1");
	third = monitor_bench_read(&bench, "slot/log.json.3");
	assert_true(strlen(current) > 0 && strlen(current) <= 20000);
	assert_true(strlen(first) > 19000 && strlen(first) <= 20000);
	assert_string_equal(third, "");
	assert_non_null(strstr(current, "5000\\n"));
	assert_int_equal(json_int_or(result, "log_dropped", -1), 0);
	monitor_bench_drop(&bench);
}

/* The slot lies on a file system of 256 KiB; the container prints ten times as much and ends all
 * the same. */
static void a_full_disk_blocks_nobody(void **state)
{
	static const char *const logs[] = { "{\"max_size\":0}",
					    "{\"max_size\":0,\"mode\":\"non-blocking\"}" };
	struct monitor_bench bench;
	AUTO(free) char *slot = NULL;

	(void)state;
	monitor_bench_make(&bench);
	slot = xformat("%s/slot", bench.path);
	bench.args = SH("seq 1 30000");
	for (size_t i = 0; i < 2; i++) {
		AUTO(json) struct json_object *result = NULL;
		AUTO(free) char *log = NULL;

		assert_int_equal(mount("tmpfs", slot, "tmpfs", 0, "size=256k"), 0);
		bench.log = logs[i];
		monitor_bench_run(&bench);
		result = monitor_bench_end(&bench, false);
		expect_outcome(result, 0, 0);
		assert_true(json_int_or(result, "log_dropped", 0) > 20000);
		log = monitor_bench_log(&bench); /* whole records only */
		assert_non_null(strstr(log, "1\n2\n3\n"));
		assert_int_equal(umount2(slot, 0), 0);
	}
	monitor_bench_drop(&bench);
}

static void oom_kills_are_told(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"tail\",\"/dev/zero\"";
	bench.resources = "{\"memory\":{\"limit\":16777216,\"swap\":16777216}}";
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 137, 9);
	assert_true(json_bool_or(result, "oom", false));
	monitor_bench_drop(&bench);
}

static void the_namespace_is_made_then_joined_and_keeps_what_was_set(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *first = NULL;
	AUTO(json) struct json_object *second = NULL;
	AUTO(free) char *log = NULL;
	int fds[8];
	size_t count = 8;

	(void)state;
	monitor_bench_make(&bench);
	bench.spec = ",\"sockets\":[\"route\",\"netfilter\",\"dns\"]";
	bench.args = SH("cat /proc/sys/net/ipv4/conf/lo/forwarding");
	for (int life = 1; life <= 2; life++) {
		AUTO(json) struct json_object *word = NULL;
		AUTO(json) struct json_object *result = NULL;

		count = 8;
		monitor_bench_start(&bench);
		word = monitor_bench_word(&bench, "prepared", fds, &count);
		assert_int_equal(count, 5);
		assert_int_equal(json_bool_or(word, "made", life == 2), life == 1);
		while (count)
			close(fds[--count]);
		json_object_put(monitor_bench_word(&bench, "created", NULL, NULL));
		monitor_bench_release(&bench,
				      life == 1 ? "{\"net.ipv4.conf.lo.forwarding\":\"1\"}" : "{}");
		json_object_put(monitor_bench_word(&bench, "running", NULL, NULL));
		result = monitor_bench_end(&bench, false);
		expect_outcome(result, 0, 0);
	}
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "1\n1\n");
	monitor_bench_drop(&bench);
}

/* Without a pid namespace of its own, init's children outlive it and hold the pipes. */
static void grandchildren_end_with_init_and_leave_no_zombies(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;
	uint64_t start_us;

	(void)state;
	monitor_bench_make(&bench);
	bench.namespaces = "";
	bench.args = SH("(sleep 0.1; echo late) & sleep 100 & exit 3");
	monitor_bench_run(&bench);
	start_us = stamp_monotonic_us();
	result = monitor_bench_end(&bench, false);
	assert_true(stamp_monotonic_us() - start_us < 5000000);
	expect_outcome(result, 3, 0);
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "late\n");
	monitor_bench_drop(&bench);
}

static void poststop_hooks_run_after_the_end(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *mark = NULL;
	AUTO(free) char *hooks = NULL;

	(void)state;
	monitor_bench_make(&bench);
	mark = xformat("%s/stopped", bench.path);
	hooks = xformat(",\"hooks\":{\"poststop\":[{\"path\":\"/bin/busybox\","
			"\"args\":[\"busybox\",\"touch\",\"%s\"]}]}",
			mark);
	bench.config = hooks;
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	expect_outcome(result, 0, 0);
	assert_int_equal(access(mark, F_OK), 0);
	monitor_bench_drop(&bench);
}

static void orphans_are_reaped_while_the_container_runs(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	char path[64], want[16];
	bool clean = false;

	(void)state;
	monitor_bench_make(&bench);
	bench.namespaces = "";
	bench.args = SH("(sleep 0.05 & sleep 0.06 &); exec sleep 100");
	monitor_bench_run(&bench);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", bench.monitor, bench.monitor);
	snprintf(want, sizeof(want), "%d ", bench.init);
	usleep(150000); /* both have been orphans and ended by then */
	for (int tries = 0; tries < 200 && !clean; tries++) {
		AUTO(free) char *children = NULL;
		struct err err = ERR_NONE;

		assert_int_equal(file_read(AT_FDCWD, path, 4096, &children, NULL, &err), 0);
		clean = strcmp(children, want) == 0;
		usleep(10000);
	}
	assert_true(clean);
	kill(bench.init, SIGKILL);
	result = monitor_bench_end(&bench, false);
	monitor_bench_drop(&bench);
}

static void stdin_is_empty_unless_asked_for(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("cat; ls -l /proc/self/fd");
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	log = monitor_bench_log(&bench);
	assert_non_null(strstr(log, "/null\n"));
	assert_non_null(strstr(log, "1 -> pipe:"));
	assert_null(strstr(log, "socket:"));
	monitor_bench_drop(&bench);
}

/* A monitor blocks SIGCHLD and catches others: none of that may reach the program. */
static void the_program_has_no_signal_blocked_or_ignored(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"cat\",\"/proc/self/status\"";
	monitor_bench_run(&bench);
	result = monitor_bench_end(&bench, false);
	log = monitor_bench_log(&bench);
	assert_non_null(strstr(log, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(log, "SigIgn:\t0000000000000000\n"));
	monitor_bench_drop(&bench);
}

static void another_runtime_may_make_the_container(void **state)
{
	static const struct {
		const char *args;
		int code;
	} rows[] = {
		{SH("echo by another; exit 4"), 4  },
                { "\"no-such-program\"",        127}
	};
	struct monitor_bench bench;
	AUTO(free) char *log = NULL;

	(void)state;
	if (access("/usr/sbin/runc", X_OK) < 0)
		skip();
	monitor_bench_make(&bench);
	bench.spec = ",\"runtime\":\"/usr/sbin/runc\"";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) struct json_object *result = NULL;

		bench.args = rows[i].args;
		result = monitor_bench_whole(&bench);
		expect_outcome(result, rows[i].code, 0);
	}
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "by another\n");
	monitor_bench_drop(&bench);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_are_recorded),
		cmocka_unit_test(signals_are_recorded),
		cmocka_unit_test(programs_that_cannot_run_are_told_apart),
		cmocka_unit_test(both_streams_reach_the_log_to_the_last_byte),
		cmocka_unit_test(the_log_is_rotated_within_its_bounds),
		cmocka_unit_test(a_full_disk_blocks_nobody),
		cmocka_unit_test(oom_kills_are_told),
		cmocka_unit_test(the_namespace_is_made_then_joined_and_keeps_what_was_set),
		cmocka_unit_test(grandchildren_end_with_init_and_leave_no_zombies),
		cmocka_unit_test(poststop_hooks_run_after_the_end),
		cmocka_unit_test(orphans_are_reaped_while_the_container_runs),
		cmocka_unit_test(stdin_is_empty_unless_asked_for),
		cmocka_unit_test(the_program_has_no_signal_blocked_or_ignored),
		cmocka_unit_test(another_runtime_may_make_the_container),
	};
	int status;

	if (monitor_bench_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
}

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

static void a_caller_who_leaves_before_the_release_undoes_all(void **state)
{
	struct monitor_bench bench;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"touch\",\"/ran\"";
	for (int words = 0; words <= 2; words++) {
		AUTO(json) struct json_object *result = NULL;
		AUTO(free) char *mark = xformat("%s/upper/ran", bench.path);

		monitor_bench_start(&bench);
		if (words > 0)
			json_object_put(monitor_bench_word(&bench, "prepared", NULL, NULL));
		if (words > 1)
			json_object_put(monitor_bench_word(&bench, "created", NULL, NULL));
		close(TAKE_FD(bench.pair_fd));
		bench.pair_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		{
			struct monitor_bench copy = bench;
			AUTO(free) char *text = NULL;
			int status;

			assert_int_equal(waitpid(copy.monitor, &status, 0), copy.monitor);
			text = monitor_bench_read(&bench, "container/exit.json");
			assert_non_null(strstr(text, "\"code\":125"));
		}
		assert_int_equal(access(mark, F_OK), -1);
	}
	monitor_bench_drop(&bench);
}

static void an_init_that_dies_before_the_release_is_told(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;

	(void)state;
	monitor_bench_make(&bench);
	monitor_bench_start(&bench);
	json_object_put(monitor_bench_word(&bench, "prepared", NULL, NULL));
	json_object_put(monitor_bench_word(&bench, "created", NULL, NULL));
	kill(bench.init, SIGKILL);
	result = monitor_bench_end(&bench, true);
	expect_outcome(result, 125, 0);
	assert_non_null(strstr(json_text_or(result, "error", ""), "before its start"));
	monitor_bench_drop(&bench);
}

static void after_the_release_the_caller_may_die(void **state)
{
	struct monitor_bench bench;
	AUTO(free) char *text = NULL;
	int status;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("sleep 0.3; exit 5");
	monitor_bench_run(&bench);
	close(TAKE_FD(bench.pair_fd));
	assert_int_equal(waitpid(bench.monitor, &status, 0), bench.monitor);
	text = monitor_bench_read(&bench, "container/exit.json");
	assert_non_null(strstr(text, "\"code\":5"));
	monitor_bench_drop(&bench);
}

/* What the supervisor does then is done here by hand. */
static void a_killed_monitor_leaves_the_container_running(void **state)
{
	struct monitor_bench bench;
	AUTO(cgroup) struct cgroup *cgroup = NULL;
	AUTO(free) char *run_dir = NULL;
	AUTO(fd) int run = -1;
	struct err err = ERR_NONE;
	int status;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = "\"sleep\",\"100\"";
	monitor_bench_run(&bench);
	kill(bench.monitor, SIGKILL);
	assert_int_equal(waitpid(bench.monitor, &status, 0), bench.monitor);
	assert_int_equal(kill(bench.init, 0), 0);
	cgroup = cgroup_open(bench.cgroup, &err);
	assert_non_null(cgroup);
	assert_true(cgroup_is_populated(cgroup));
	assert_int_equal(cgroup_kill(cgroup, SIGKILL, &err), 0);
	assert_int_equal(waitpid(bench.init, &status, 0), bench.init);
	assert_int_equal(cgroup_remove(cgroup, &err), 0);
	run_dir = xformat("%s/run", bench.path);
	run = open(run_dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_int_equal(tree_remove(run, bench.id, &err), 0);
	close(TAKE_FD(run));
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

static void a_bad_sysctl_fails_the_start(void **state)
{
	struct monitor_bench bench;
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *result = NULL;

	(void)state;
	monitor_bench_make(&bench);
	monitor_bench_start(&bench);
	json_object_put(monitor_bench_word(&bench, "prepared", NULL, NULL));
	json_object_put(monitor_bench_word(&bench, "created", NULL, NULL));
	/* A word of a newer caller is passed over. */
	assert_int_equal(message_send_text(bench.pair_fd, "{\"op\":\"sing\"}", 13, NULL, 0, &err),
			 0);
	monitor_bench_release(&bench, "{\"net.ipv4.conf.eth9.forwarding\":\"1\"}");
	result = monitor_bench_end(&bench, true);
	expect_outcome(result, 125, 0);
	assert_non_null(strstr(json_text_or(result, "error", ""), "eth9"));
	monitor_bench_drop(&bench);
}

static void the_writable_layer_outlives_a_life(void **state)
{
	struct monitor_bench bench;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("echo x >> /count; cat /count; echo .");
	for (int life = 0; life < 3; life++) {
		AUTO(json) struct json_object *result = monitor_bench_whole(&bench);

		expect_outcome(result, 0, 0);
	}
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "x\n.\nx\nx\n.\nx\nx\nx\n.\n");
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

static void a_stage_that_fails_leaves_nothing(void **state)
{
	static const char *const stages[] = {
		"monitor:join-netns",   "monitor:read-config",  "monitor:open-log",
		"monitor:mount-rootfs", "monitor:open-streams", "monitor:create",
		"monitor:open-socket",  "monitor:say-created",  "monitor:start",
		"create:state-folder",  "create:cgroup",        "create:clone",
		"create:init",
	};
	struct monitor_bench bench;

	(void)state;
	monitor_bench_make(&bench);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		AUTO(json) struct json_object *result = NULL;
		AUTO(free) char *run_dir = xformat("%s/run/%s", bench.path, bench.id);

		setenv("STACK_FAIL_AT", stages[i], 1);
		result = monitor_bench_whole(&bench);
		unsetenv("STACK_FAIL_AT");
		expect_outcome(result, 125, 0);
		if (!strstr(json_text_or(result, "error", ""), "made to fail"))
			fail_msg("%s: %s", stages[i], json_object_to_json_string(result));
		assert_int_equal(access(run_dir, F_OK), -1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
	monitor_bench_drop(&bench);
}

/* What `delete --force` does after a crash. */
static void delete_by_force(struct monitor_bench *bench)
{
	AUTO(free) char *root = xformat("%s/run", bench->path);
	struct err err = ERR_NONE;
	struct state *state = state_read(root, bench->id, &err);

	if (!state)
		state = state_read_torn(root, bench->id, &err);
	if (!state)
		return; /* before there was anything */
	err = ERR_NONE;
	if (lifecycle_remove(state, NULL, LIFECYCLE_FORCE | LIFECYCLE_NO_HOOKS, NULL, NULL, &err) <
	    0)
		fail_msg("%s", err.msg);
	state_free(state);
}

static void a_monitor_that_dies_at_any_stage_is_cleared_by_force(void **state)
{
	static const char *const stages[] = {
		"monitor:join-netns",  "monitor:read-config", "monitor:mount-rootfs",
		"monitor:create",      "monitor:open-socket", "monitor:say-created",
		"monitor:start",       "monitor:finish",      "monitor:write-exit",
		"create:state-folder", "create:intent",       "create:cgroup",
		"create:clone",        "create:record",       "create:init",
	};
	struct monitor_bench bench;
	AUTO(free) char *log = NULL;

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("echo x");
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		AUTO(json) struct json_object *result = NULL;
		int status;

		setenv("STACK_CRASH_AT", stages[i], 1);
		monitor_bench_start(&bench);
		unsetenv("STACK_CRASH_AT");
		monitor_bench_release(&bench, "{}");
		assert_int_equal(waitpid(bench.monitor, &status, 0), bench.monitor);
		if (!WIFSIGNALED(status))
			fail_msg("%s is no stage", stages[i]);
		delete_by_force(&bench);
		while (waitpid(-1, NULL, 0) > 0)
			; /* init became ours */
		result = monitor_bench_whole(&bench);
		expect_outcome(result, 0, 0);
	}
	log = monitor_bench_log(&bench);
	assert_int_equal(strlen(log), 2 * (sizeof(stages) / sizeof(stages[0]) + 2));
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
		cmocka_unit_test(a_caller_who_leaves_before_the_release_undoes_all),
		cmocka_unit_test(an_init_that_dies_before_the_release_is_told),
		cmocka_unit_test(after_the_release_the_caller_may_die),
		cmocka_unit_test(a_killed_monitor_leaves_the_container_running),
		cmocka_unit_test(the_namespace_is_made_then_joined_and_keeps_what_was_set),
		cmocka_unit_test(a_bad_sysctl_fails_the_start),
		cmocka_unit_test(the_writable_layer_outlives_a_life),
		cmocka_unit_test(grandchildren_end_with_init_and_leave_no_zombies),
		cmocka_unit_test(a_stage_that_fails_leaves_nothing),
		cmocka_unit_test(a_monitor_that_dies_at_any_stage_is_cleared_by_force),
		cmocka_unit_test(another_runtime_may_make_the_container),
	};
	int status;

	if (monitor_bench_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
}

/* tests/runtime/k_monitor_faults - lives that go wrong: callers, inits and monitors that die; needs
 * root. */
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_who_leaves_before_the_release_undoes_all),
		cmocka_unit_test(an_init_that_dies_before_the_release_is_told),
		cmocka_unit_test(after_the_release_the_caller_may_die),
		cmocka_unit_test(a_killed_monitor_leaves_the_container_running),
		cmocka_unit_test(a_bad_sysctl_fails_the_start),
		cmocka_unit_test(a_stage_that_fails_leaves_nothing),
		cmocka_unit_test(a_monitor_that_dies_at_any_stage_is_cleared_by_force),
	};
	int status;

	if (monitor_bench_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
}

/* tests/runtime/k_layer_keeper - mirrors runtime/monitor_layer and runtime/layer_keeper: the
 * writable layer over several lives; needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/cgroup.h"
#include "runtime/layer_keeper.h"
#include "tests/runtime/monitor_bench.h"

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

/* The life ends with its monitor, in no order; what a supervisor clears is cleared by hand. */
static void cut_off(struct monitor_bench *bench)
{
	AUTO(free) char *path = path_of(bench, "run");
	AUTO(fd) int run = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	AUTO(cgroup) struct cgroup *cgroup = NULL;
	struct err err = ERR_NONE;
	int status;

	kill(bench->monitor, SIGKILL);
	assert_int_equal(waitpid(bench->monitor, &status, 0), bench->monitor);
	cgroup = cgroup_open(bench->cgroup, &err);
	assert_non_null(cgroup);
	assert_int_equal(cgroup_kill(cgroup, SIGKILL, &err), 0);
	assert_true(no_child_stays());
	assert_int_equal(cgroup_remove(cgroup, &err), 0);
	assert_int_equal(tree_remove(run, bench->id, &err), 0);
}

/* What fsync gave to the disk is there after a power cut: nothing is marked, nothing begun anew. */
static void a_layer_that_is_synced_outlives_a_life_that_was_cut_off(void **state)
{
	struct monitor_bench bench;
	AUTO(json) struct json_object *result = NULL;
	AUTO(free) char *log = NULL;
	AUTO(free) char *mark = NULL;
	AUTO(free) char *dirty = NULL;

	(void)state;
	monitor_bench_make(&bench);
	mark = path_of(&bench, "work/boot");
	dirty = path_of(&bench, "work/work/incompat/volatile/dirty");
	bench.args = SH("echo x >> /count; cat /count; echo .; read never");
	bench.spec = ",\"stdin_open\":true";
	monitor_bench_run(&bench);
	assert_int_equal(access(mark, F_OK), -1);
	assert_int_equal(access(dirty, F_OK), -1);
	for (int i = 0; i < 6000 && !(log && strchr(log, '.')); i++, usleep(10000)) {
		free(log);
		log = monitor_bench_log(&bench);
	}
	free(TAKE(log));
	cut_off(&bench);
	bench.spec = "";
	bench.args = SH("echo x >> /count; cat /count; echo .");
	result = monitor_bench_whole(&bench);
	expect_outcome(result, 0, 0);
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "x\n.\nx\nx\n.\n");
	monitor_bench_drop(&bench);
}

/* A layer that was volatile before, cut off and not, is durable from then on. */
static void a_volatile_layer_becomes_a_durable_one(void **state)
{
	struct monitor_bench bench;
	AUTO(free) char *log = NULL;
	static const char *const kinds[] = { ",\"volatile\":true", "", ",\"volatile\":true", "" };

	(void)state;
	monitor_bench_make(&bench);
	bench.args = SH("echo x >> /count; cat /count; echo .");
	for (int life = 0; life < 4; life++) {
		AUTO(json) struct json_object *result = NULL;

		bench.rootfs = kinds[life];
		result = monitor_bench_whole(&bench);
		expect_outcome(result, 0, 0);
	}
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "x\n.\nx\nx\n.\nx\nx\nx\n.\nx\nx\nx\nx\n.\n");
	monitor_bench_drop(&bench);
}

/* The mark of a life of another boot is what a power cut leaves. */
static void a_layer_that_a_power_cut_tore_is_begun_anew(void **state)
{
	struct monitor_bench bench;
	AUTO(free) char *log = NULL;
	AUTO(free) char *mark = NULL;
	static const char *const left[] = { NULL, "another boot", "" };

	(void)state;
	monitor_bench_make(&bench);
	mark = path_of(&bench, "work/boot");
	bench.rootfs = ",\"volatile\":true";
	bench.args = SH("echo x >> /count; cat /count; echo .");
	for (int life = 0; life < 3; life++) {
		AUTO(json) struct json_object *result = NULL;

		if (left[life]) {
			FILE *file = fopen(mark, "we");

			assert_non_null(file);
			fputs(left[life], file);
			fclose(file);
		}
		result = monitor_bench_whole(&bench);
		expect_outcome(result, 0, 0);
		assert_int_equal(access(mark, F_OK), -1); /* it ended in order */
	}
	log = monitor_bench_log(&bench);
	assert_string_equal(log, "x\n.\nx\n.\nx\n.\n");
	monitor_bench_drop(&bench);
}

/* A keeper's two descriptors: the end of a pipe stands for the overlay. *out_fd is the other end.
 */
static void leave(int dir_fd, int *out_fd)
{
	char word[] = "monitor";
	struct err err = ERR_NONE;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*out_fd = ends[0];
	layer_keeper_leave(ends[1], file_lock(dir_fd, "held", true, &err), word);
	assert_string_equal(word, "monitor"); /* only the child's */
}

static bool is_at_its_end(int fd, int timeout_ms)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	return poll(&entry, 1, timeout_ms) == 1 && entry.revents & POLLHUP;
}

static void a_keeper_goes_by_itself_or_when_it_is_asked(void **state)
{
	char path[] = P_tmpdir "/stack_test.XXXXXX";
	AUTO(fd) int dir = mkdtemp(path) ? open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
	uint64_t least_us = UINT64_MAX;
	struct err err = ERR_NONE;

	(void)state;
	for (int i = 0; i < 12; i++) { /* the quickest counts: the machine may be busy */
		AUTO(fd) int end = -1;
		AUTO(fd) int lock = -1;
		uint64_t start_us = stamp_monotonic_us();

		leave(dir, &end);
		lock = file_lock(dir, "held", true, &err);
		if (stamp_monotonic_us() - start_us < least_us)
			least_us = stamp_monotonic_us() - start_us;
		assert_true(is_at_its_end(end, 0)); /* the overlay is gone before the lock */
	}
	assert_true(least_us < 400000);
	for (int i = 0; i < 2; i++) {
		AUTO(fd) int end = -1;

		leave(dir, &end);
		unlinkat(dir, "held", 0); /* as a `down` does */
		assert_true(is_at_its_end(end, 60000));
	}
	assert_true(no_child_stays());
	rmdir(path);
}

static void without_a_lock_nothing_is_held(void **state)
{
	AUTO(fd) int end = -1;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	end = ends[0];
	layer_keeper_leave(ends[1], -1, NULL);
	assert_true(is_at_its_end(end, 0));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_writable_layer_outlives_a_life),
		cmocka_unit_test(a_layer_that_is_synced_outlives_a_life_that_was_cut_off),
		cmocka_unit_test(a_volatile_layer_becomes_a_durable_one),
		cmocka_unit_test(a_layer_that_a_power_cut_tore_is_begun_anew),
		cmocka_unit_test(a_keeper_goes_by_itself_or_when_it_is_asked),
		cmocka_unit_test(without_a_lock_nothing_is_held),
	};
	int status;

	if (monitor_bench_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
}

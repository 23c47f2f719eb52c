/* tests/orchestrator/test_build_control - mirrors orchestrator/build_control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "orchestrator/build_control.h"

struct worker {
	struct build_control *control;
	atomic_int *inside, *most;
	int status;
	struct err err;
};

static void *work(void *data)
{
	struct worker *worker = data;

	for (int i = 0; i < 50; i++) {
		int now;

		worker->status = build_control_enter(worker->control, &worker->err);
		if (worker->status < 0)
			return NULL;
		now = ++*worker->inside;
		if (now > *worker->most)
			*worker->most = now;
		usleep(100);
		--*worker->inside;
		build_control_leave(worker->control);
	}
	return NULL;
}

static void no_more_than_the_limit_are_inside(void **state)
{
	struct build_control *control = build_control_new(3, "/nowhere", -1);
	atomic_int inside = 0, most = 0;
	pthread_t threads[8];
	struct worker workers[8];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		workers[i] =
			(struct worker){ .control = control, .inside = &inside, .most = &most };
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].status, 0);
	}
	assert_in_range(most, 1, 3);
	build_control_free(control);
}

struct waiter {
	struct build_control *control;
	bool flag;
	int status;
	struct err err;
};

static bool holds(void *data)
{
	return ((struct waiter *)data)->flag;
}

static void set(void *data)
{
	((struct waiter *)data)->flag = true;
}

static void *await(void *data)
{
	struct waiter *waiter = data;

	waiter->status = build_control_wait(waiter->control, holds, waiter, &waiter->err);
	return NULL;
}

static void a_change_wakes_who_waits_for_it(void **state)
{
	struct waiter waiter = { .control = build_control_new(1, "/nowhere", -1) };
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, await, &waiter);
	build_control_change(waiter.control, set, &waiter);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.status, 0);
	build_control_free(waiter.control);
}

static void a_cancel_ends_waits_and_refuses_what_comes_later(void **state)
{
	struct waiter waiter = { .control = build_control_new(1, "/nowhere", -1) };
	struct err err = ERR_NONE;
	pthread_t thread;

	(void)state;
	assert_int_equal(build_control_enter(waiter.control, &err), 0);
	pthread_create(&thread, NULL, await, &waiter);
	build_control_cancel(waiter.control);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.status, -1);
	assert_int_equal(waiter.err.code, ERR_CANCELLED);
	assert_true(build_control_is_cancelled(waiter.control));
	assert_int_equal(build_control_enter(waiter.control, &err), -1);
	assert_int_equal(build_control_add(waiter.control, "x", &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	build_control_free(waiter.control);
}

static void a_cancel_has_running_containers_deleted(void **state)
{
	char folder[] = "/tmp/build-control.XXXXXX", program[64], seen[64];
	struct err err = ERR_NONE;
	struct build_control *control;
	FILE *script;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/runtime", folder);
	snprintf(seen, sizeof(seen), "%s/seen", folder);
	script = fopen(program, "w");
	fprintf(script, "#!/bin/sh\necho \"$@\" >>%s\n", seen);
	fclose(script);
	chmod(program, 0755);
	{
		/* A script is opened by its interpreter once more: the descriptor must stay open.
		 */
		int fd = open(program, O_RDONLY);
		char line[200] = "";
		FILE *result;

		control = build_control_new(1, "/run/x", fd);
		assert_int_equal(build_control_add(control, "build-1", &err), 0);
		assert_int_equal(build_control_add(control, "build-2", &err), 0);
		build_control_remove(control, "no such");
		build_control_cancel(control);
		result = fopen(seen, "r");
		assert_non_null(result);
		assert_non_null(fgets(line, sizeof(line), result));
		assert_string_equal(line, "--root /run/x delete --force build-1\n");
		assert_non_null(fgets(line, sizeof(line), result));
		fclose(result);
		build_control_free(control);
		close(fd);
	}
	unlink(seen);
	unlink(program);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_the_limit_are_inside),
		cmocka_unit_test(a_change_wakes_who_waits_for_it),
		cmocka_unit_test(a_cancel_ends_waits_and_refuses_what_comes_later),
		cmocka_unit_test(a_cancel_has_running_containers_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

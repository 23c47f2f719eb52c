/* tests/orchestrator/test_nursery - a nursery that does not work: its callers learn of it at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "orchestrator/nursery.h"

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* Programs that are none: one ends at once, one has no file that could be executed. */
static void a_nursery_that_fails_is_asked_once(void **state)
{
	static const char *const programs[] = { "/bin/false", "/dev/null" };

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		AUTO(fd) int runtime = open(programs[i], O_RDONLY | O_CLOEXEC);
		AUTO(fd) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		const int fds[3] = { null_fd, null_fd, null_fd };
		struct nursery *nursery = nursery_new(runtime, -1, -1);
		struct err err = ERR_NONE;
		int pidfd = -1;
		pid_t pid = 0;

		assert_true(runtime >= 0);
		assert_int_equal(nursery_bear(nursery, id, fds, &pid, &pidfd, &err), -1);
		assert_int_not_equal(err.code, ERR_UNSUPPORTED);
		assert_int_equal(nursery_bear(nursery, id, fds, &pid, &pidfd, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_int_equal(pidfd, -1);
		nursery_unref(nursery);
		/* Nobody is left to be waited for. */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void one_that_was_never_asked_has_no_process(void **state)
{
	struct nursery *nursery = nursery_new(-1, -1, -1);

	(void)state;
	assert_ptr_equal(nursery_ref(nursery), nursery);
	nursery_unref(nursery);
	nursery_unref(nursery);
	assert_null(nursery_ref(NULL));
	nursery_unref(NULL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nursery_that_fails_is_asked_once),
		cmocka_unit_test(one_that_was_never_asked_has_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/volumes/k_import_over - mirrors volumes/transport: an import over content that is there.
 *
 * Root. In a folder of its own below /tmp.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "tests/volumes/ground.h"
#include "volumes/transport.h"

#define BIG (4 << 20) /* far more than a pipe holds */

static void fill_big(const char *path, int value)
{
	AUTO(fd) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	char block[4096];

	memset(block, value, sizeof(block));
	for (size_t at = 0; at < BIG; at += sizeof(block))
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
}

/* The reader is first in half of the tries, the writer in the others. */
static void an_export_goes_through_a_pipe_into_the_same_volume(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	char last[1];

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	fill_big(ground_path(&ground, "state/volumes/vol/_data/big"), 'x');
	alarm(60); /* two that wait for each other would wait for ever */
	for (int try = 0; try < 6; try++) {
		int ends[2], status;
		pid_t child;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		child = fork();
		if (child == 0) {
			if (try % 2)
				usleep(100000);
			_exit(transport_export(ground.store, "vol", 0, ends[1], &err) < 0);
		}
		close(ends[1]);
		if (try % 2 == 0)
			usleep(100000);
		assert_int_equal(
			transport_import(ground.store, "vol", TRANSPORT_REPLACE, ends[0], &err), 0);
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	alarm(0);
	{
		AUTO(fd)
		int fd = open(ground_path(&ground, "state/volumes/vol/_data/big"),
			      O_RDONLY | O_CLOEXEC);

		assert_int_equal(lseek(fd, 0, SEEK_END), BIG);
		assert_int_equal(pread(fd, last, 1, BIG - 1), 1);
		assert_int_equal(last[0], 'x');
	}
	ground_close(&ground);
}

static void a_stream_that_ends_early_leaves_the_content(void **state)
{
	struct err err = ERR_NONE;
	struct ground ground;
	AUTO(fd) int file = -1;

	(void)state;
	ground_open(&ground);
	make_volume(&ground, "vol");
	put_text(ground_path(&ground, "state/volumes/vol/_data/old"), "old");
	file = open(ground_path(&ground, "x.tar"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(transport_export(ground.store, "vol", 0, file, &err), 0);
	ftruncate(file, 1024);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(transport_import(ground.store, "vol", TRANSPORT_REPLACE, file, &err), -1);
	assert_true(is_there(ground_path(&ground, "state/volumes/vol/_data/old")));
	assert_false(is_there(ground_path(&ground, "state/volumes/vol/.incoming")));
	ground_close(&ground);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_export_goes_through_a_pipe_into_the_same_volume),
		cmocka_unit_test(a_stream_that_ends_early_leaves_the_content),
	};

	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/runtime/test_log_file - mirrors runtime/log_file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

#include "runtime/log_file.h"
#include "tests/runtime/folder.h"

static struct log_file_spec spec_of(uint64_t max, unsigned count, bool compress)
{
	return (struct log_file_spec){ "log.json", max, count, compress };
}

static void expect(const struct folder *folder, const char *name, const char *text)
{
	AUTO(free) char *got = folder_read(folder, name);

	assert_string_equal(got, text);
}

static void put(struct log_file *file, const char *text)
{
	assert_int_equal(log_file_write(file, text, strlen(text)), strlen(text));
}

static void records_are_never_cut_by_rotation(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(10, 3, false);

	(void)state;
	folder_make(&folder);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "aaaa\nbbbb\ncccc\n");
		expect(&folder, "log.json.1", "aaaa\nbbbb\n");
		expect(&folder, "log.json", "cccc\n");
		put(file, "a record above the limit\ndd\n");
		expect(&folder, "log.json.2", "cccc\n");
		expect(&folder, "log.json.1", "a record above the limit\n");
		expect(&folder, "log.json", "dd\n");
		put(file, "1234567\n"); /* 3 + 8 > 10 */
		expect(&folder, "log.json", "1234567\n");
		expect(&folder, "log.json.1", "dd\n");
		expect(&folder, "log.json.2", "a record above the limit\n");
		assert_false(folder_has(&folder, "log.json.3"));
	}
	folder_drop(&folder);
}

static void one_file_is_replaced_and_zero_is_no_limit(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec one = spec_of(6, 1, true), none = spec_of(0, 3, true);

	(void)state;
	folder_make(&folder);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &one, &err);

		put(file, "aaaa\n");
		put(file, "bbbb\n");
		expect(&folder, "log.json", "bbbb\n");
		assert_false(folder_has(&folder, "log.json.1"));
	}
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &none, &err);

		for (int i = 0; i < 100; i++)
			put(file, "cccc\n");
		assert_false(folder_has(&folder, "log.json.1"));
	}
	folder_drop(&folder);
}

static void half_a_record_of_a_former_life_is_ended(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(100, 3, false);

	(void)state;
	folder_make(&folder);
	folder_write(&folder, "log.json", "whole\nhal");
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "next\n");
	}
	expect(&folder, "log.json", "whole\nhal\nnext\n");
	folder_drop(&folder);
}

static void reap(struct log_file *file)
{
	pid_t child = log_file_child(file);
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(log_file_reaped(file, child, status));
}

static void expect_packed(const struct folder *folder, const char *name, const char *text)
{
	char got[64] = "";
	int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
	gzFile file = gzdopen(fd, "rb");

	assert_non_null(file);
	assert_false(gzdirect(file));
	assert_int_equal(gzread(file, got, sizeof(got) - 1), (int)strlen(text));
	assert_string_equal(got, text);
	gzclose(file);
}

/* Two rotations while the first file is still being compressed: what the child made moves along. */
static void compression_keeps_up_with_rotation(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(6, 4, true);

	(void)state;
	folder_make(&folder);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "aaaa\n");
		put(file, "bbbb\n");
		put(file, "cccc\n");
		put(file, "dddd\n");
		reap(file); /* aaaa, now number 3 */
		expect_packed(&folder, "log.json.3.gz", "aaaa\n");
		assert_false(folder_has(&folder, "log.json.3"));
		reap(file);
		reap(file);
		assert_int_equal(log_file_child(file), 0);
		expect_packed(&folder, "log.json.2.gz", "bbbb\n");
		expect_packed(&folder, "log.json.1.gz", "cccc\n");
		put(file, "eeee\n");
		expect_packed(&folder, "log.json.3.gz", "bbbb\n");
		reap(file);
		expect_packed(&folder, "log.json.1.gz", "dddd\n");
		assert_false(log_file_reaped(file, 1, 0));
	}
	assert_false(folder_has(&folder, ".log.json.gz.tmp"));
	assert_false(folder_has(&folder, "log.json.4.gz"));
	folder_drop(&folder);
}

static void closing_gives_a_compression_up(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(6, 3, true);

	(void)state;
	folder_make(&folder);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "aaaa\n");
		put(file, "bbbb\n");
	}
	assert_false(folder_has(&folder, ".log.json.gz.tmp"));
	expect(&folder, "log.json.1", "aaaa\n");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	folder_drop(&folder);
}

/* A file size limit stands for a full disk: what does not fit is refused whole. */
static void a_full_disk_leaves_no_half_record(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(0, 1, false);
	struct rlimit saved, tight;

	(void)state;
	folder_make(&folder);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &saved);
	tight = (struct rlimit){ 12, saved.rlim_max };
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "aaaaaaa\n");
		setrlimit(RLIMIT_FSIZE, &tight);
		assert_int_equal(log_file_write(file, "bbbbbbb\n", 8), 0);
		setrlimit(RLIMIT_FSIZE, &saved);
		expect(&folder, "log.json", "aaaaaaa\n");
		put(file, "c\n");
		expect(&folder, "log.json", "aaaaaaa\nc\n");
	}
	folder_drop(&folder);
}

static void a_moved_file_is_opened_anew(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(0, 3, false);

	(void)state;
	folder_make(&folder);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		put(file, "aaaa\n");
		renameat(folder.fd, "log.json", folder.fd, "taken");
		log_file_rotate(file);
		put(file, "bbbb\n");
		expect(&folder, "taken", "aaaa\n");
		expect(&folder, "log.json", "bbbb\n");
		assert_false(folder_has(&folder, "log.json.1"));
		log_file_rotate(file);
		expect(&folder, "log.json.1", "bbbb\n");
		expect(&folder, "log.json", "");
	}
	folder_drop(&folder);
}

static void a_link_in_place_of_the_log_is_not_followed(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	struct log_file_spec spec = spec_of(0, 3, false);

	(void)state;
	folder_make(&folder);
	folder_write(&folder, "victim", "");
	assert_int_equal(symlinkat("victim", folder.fd, "log.json"), 0);
	{
		AUTO(log_file) struct log_file *file = log_file_open(folder.fd, &spec, &err);

		assert_int_not_equal(err.code, ERR_OK);
		assert_int_equal(log_file_write(file, "x\n", 2), 0);
		expect(&folder, "victim", "");
		unlinkat(folder.fd, "log.json", 0);
		put(file, "y\n");
	}
	folder_drop(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_never_cut_by_rotation),
		cmocka_unit_test(one_file_is_replaced_and_zero_is_no_limit),
		cmocka_unit_test(half_a_record_of_a_former_life_is_ended),
		cmocka_unit_test(compression_keeps_up_with_rotation),
		cmocka_unit_test(closing_gives_a_compression_up),
		cmocka_unit_test(a_full_disk_leaves_no_half_record),
		cmocka_unit_test(a_moved_file_is_opened_anew),
		cmocka_unit_test(a_link_in_place_of_the_log_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/runtime/k_nursery - monitors that a nursery bears: whose children they are, what /proc says
 * of them, what becomes of them without it; needs root. */
#include "tests/runtime/monitor_bench.h"

#include "base/process.h"
#include "runtime/nursery.h"

#define PLACE "----------------------------------------------------------------"

struct nest {
	struct monitor_bench bench;
	int socket_fd;
	pid_t nursery;
};

static void be_nursery(int socket_fd)
{
	char name[] = "stack-runtime", verb[] = "nursery", place[] = PLACE;
	char *argv[] = { name, verb, place, NULL };
	int null_fd = open("/dev/null", O_RDWR);

	dup2(null_fd, 0);
	dup2(socket_fd, 100);
	dup2(100, NURSERY_SOCKET_FD);
	close_range(4, ~0u, 0);
	execv("/proc/self/exe", argv);
	_exit(99);
}

static int open_nest(void **state)
{
	struct nest *nest = xcalloc(1, sizeof(*nest));
	int ends[2];

	monitor_bench_make(&nest->bench);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	nest->socket_fd = ends[0];
	nest->nursery = fork();
	if (nest->nursery == 0)
		be_nursery(ends[1]);
	close(ends[1]);
	*state = nest;
	return 0;
}

/* It ends with its caller, by itself. */
static void leave_nursery(struct nest *nest)
{
	int status = -1;

	close(TAKE_FD(nest->socket_fd));
	assert_int_equal(waitpid(nest->nursery, &status, 0), nest->nursery);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int close_nest(void **state)
{
	struct nest *nest = *state;

	if (nest->socket_fd >= 0)
		leave_nursery(nest);
	monitor_bench_drop(&nest->bench);
	free(nest);
	return 0;
}

/* The answer to a wish, to be put. */
static struct json_object *ask(struct nest *nest, const char *wish, const int *fds, size_t count,
			       int *out_pidfd)
{
	struct pollfd entry = { .fd = nest->socket_fd, .events = POLLIN };
	struct json_object *answer = NULL;
	size_t got = 1;
	struct err err = ERR_NONE;

	*out_pidfd = -1;
	assert_int_equal(message_send_text(nest->socket_fd, wish, strlen(wish), fds, count, &err),
			 0);
	assert_int_equal(poll(&entry, 1, WORD_MS), 1);
	assert_int_equal(message_receive(nest->socket_fd, &answer, out_pidfd, &got, &err), 1);
	return answer;
}

/* As monitor_bench_start; a pidfd, to be closed. */
static int bear(struct nest *nest)
{
	struct monitor_bench *bench = &nest->bench;
	AUTO(json) struct json_object *answer = NULL;
	AUTO(free) char *wish = xformat("{\"id\":\"%s\"}", bench->id);
	AUTO(fd) int config = write_config(bench);
	AUTO(fd) int spec = write_spec(bench);
	int pair[2], pidfd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (bench->pair_fd >= 0)
		close(bench->pair_fd);
	bench->pair_fd = pair[0];
	answer = ask(nest, wish, (const int[]){ spec, config, pair[1] }, 3, &pidfd);
	close(pair[1]);
	bench->monitor = (pid_t)json_int_or(answer, "pid", 0);
	assert_true(bench->monitor > 0);
	assert_true(pidfd >= 0);
	return pidfd;
}

static void run_to_its_end(struct nest *nest)
{
	AUTO(json) struct json_object *result = NULL;

	expect_word(&nest->bench, "prepared");
	expect_word(&nest->bench, "created");
	monitor_bench_release(&nest->bench, "{}");
	expect_word(&nest->bench, "running");
	result = monitor_bench_end(&nest->bench, false);
	assert_int_equal(json_int_or(result, "code", -1), 0);
}

static void monitors_are_the_callers_children_under_their_own_name(void **state)
{
	struct nest *nest = *state;

	for (int turn = 0; turn < 2; turn++) {
		AUTO(fd) int pidfd = bear(nest);
		AUTO(free) char *path = xformat("/proc/%d/cmdline", (int)nest->bench.monitor);
		AUTO(free) char *text = NULL;
		static const char words[] = "stack-runtime\0monitor";
		struct err err = ERR_NONE;
		size_t len;

		expect_word(&nest->bench, "prepared"); /* now it has its words */
		assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &len, &err), 0);
		assert_int_equal(len, sizeof(words) + NURSERY_NAME_LEN + 1);
		assert_memory_equal(text, words, sizeof(words));
		assert_string_equal(text + sizeof(words), nest->bench.id);
		assert_int_equal(process_signal(pidfd, 0), 0);
		expect_word(&nest->bench, "created");
		monitor_bench_release(&nest->bench, "{}");
		expect_word(&nest->bench, "running");
		/* waitpid inside: it is our child, though another process made it. */
		json_object_put(monitor_bench_end(&nest->bench, false));
	}
}

static void a_monitor_outlives_its_nursery(void **state)
{
	struct nest *nest = *state;
	AUTO(fd) int pidfd = bear(nest);

	leave_nursery(nest);
	run_to_its_end(nest);
}

static void a_wish_that_is_none_is_refused_and_the_next_is_met(void **state)
{
	struct nest *nest = *state;
	AUTO(fd) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static const char *const rows[] = {
		"{}", "{\"id\":\"short\"}", "{\"id\":\"" PLACE "\"}", /* without its descriptors */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int pidfd;
		AUTO(json)
		struct json_object *answer = ask(nest, rows[i], &null_fd, 1, &pidfd);

		assert_int_equal(pidfd, -1);
		assert_int_equal(json_int_or(answer, "pid", 0), 0);
		assert_true(strlen(json_text_or(answer, "error", "")) > 0);
	}
	{
		AUTO(fd) int pidfd = bear(nest);

		run_to_its_end(nest);
	}
}

/* With a monitor.json that is none it says so on the pair, as one that was spawned does. */
static void a_bad_start_is_told_on_the_pair(void **state)
{
	struct nest *nest = *state;
	AUTO(free) char *wish = xformat("{\"id\":\"%s\"}", nest->bench.id);
	AUTO(fd) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO(json) struct json_object *answer = NULL;
	AUTO(fd) int pidfd = -1;
	int pair[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	nest->bench.pair_fd = pair[0];
	answer = ask(nest, wish, (const int[]){ null_fd, null_fd, pair[1] }, 3, &pidfd);
	close(pair[1]);
	expect_word(&nest->bench, "failed");
	assert_int_equal(waitpid((pid_t)json_int_or(answer, "pid", 0), &status, 0),
			 json_int_or(answer, "pid", 0));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(int argc, char **argv)
{
	int status;

	if (argc > 1 && strcmp(argv[1], "nursery") == 0)
		return nursery_main(argc, argv);
	if (monitor_bench_main(argc, argv, &status))
		return status;
	{
#define NEST_TEST(name) cmocka_unit_test_setup_teardown(name, open_nest, close_nest)
		const struct CMUnitTest tests[] = {
			NEST_TEST(monitors_are_the_callers_children_under_their_own_name),
			NEST_TEST(a_monitor_outlives_its_nursery),
			NEST_TEST(a_wish_that_is_none_is_refused_and_the_next_is_met),
			NEST_TEST(a_bad_start_is_told_on_the_pair),
		};

		return cmocka_run_group_tests(tests, monitor_bench_leave_home, NULL);
	}
}

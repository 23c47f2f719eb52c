/* tests/runtime/monitor_bench - a monitor with a busybox root, its supervisor's end played by the
 * test.
 *
 * The test program itself is the monitor when it is executed with the word "monitor"
 * (monitor_bench_main).
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/cgroup.h"
#include "runtime/monitor.h"
#include "runtime/netns.h"

struct monitor_bench {
	char path[64]; /* a tmpfs of the test's own mount namespace */
	char id[65];
	char cgroup[80]; /* below every hierarchy */
	int pair_fd;
	pid_t monitor, init;
	int life;
	/* What the next start uses; monitor_bench_make sets the defaults. */
	const char *args; /* JSON texts: "\"sh\",\"-c\",\"true\"" */
	const char
		*namespaces; /* more entries than mount, ipc, uts, network: with a comma in front */
	const char *process; /* more members of process */
	const char *resources; /* linux.resources */
	const char *config;    /* more members of config.json */
	const char *spec;      /* more members of monitor.json */
	const char *log;       /* the log object */
	const char *rootfs;    /* more members of rootfs */
};

#define WORD_MS 120000 /* an emulated machine under a sanitizer is slow */

static const char *const applets[] = { "sh",   "cat",  "echo", "sleep", "true", "stty", "dd",
				       "tail", "head", "tr",   "nc",    "kill", "id",   "hostname",
				       "ls",   "seq",  "yes",  "env",   "ps",   "touch" };

/* Mount and network namespaces of our own; as a group setup. */
static inline int monitor_bench_leave_home(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans of a killed monitor come to us */
	return unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0;
}

/* True: this process is a monitor and has been one (its exit status in *out_status). */
static inline bool monitor_bench_main(int argc, char **argv, int *out_status)
{
	if (argc < 2 || strcmp(argv[1], "monitor") != 0)
		return false;
	*out_status = monitor_main(argc - 1, argv + 1);
	return true;
}

static inline char *path_of(const struct monitor_bench *bench, const char *name)
{
	return xformat("%s/%s", bench->path, name);
}

static inline void make_dir(const struct monitor_bench *bench, const char *name)
{
	AUTO(free) char *path = path_of(bench, name);
	struct err err = ERR_NONE;

	assert_int_equal(file_make_dirs(AT_FDCWD, path, 0755, &err), 0);
}

static inline void copy_busybox(const struct monitor_bench *bench)
{
	AUTO(free) char *to = path_of(bench, "lower/bin/busybox");
	AUTO(fd) int in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char chunk[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, chunk, sizeof(chunk))) > 0)
		assert_int_equal(file_write_all(out, chunk, (size_t)n), 0);
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
		AUTO(free) char *link_path = xformat("%s/lower/bin/%s", bench->path, applets[i]);

		assert_int_equal(symlink("busybox", link_path), 0);
	}
}

static inline void monitor_bench_make(struct monitor_bench *bench)
{
	static const char *const dirs[] = { "lower/bin", "lower/proc", "lower/dev",
					    "lower/tmp", "lower/etc",  "upper",
					    "work",      "run",        "container/bundle/rootfs",
					    "slot" };

	*bench = (struct monitor_bench){ .pair_fd = -1,
					 .args = "\"true\"",
					 .namespaces = ",{\"type\":\"pid\"}",
					 .process = "",
					 .resources = "{}",
					 .config = "",
					 .spec = "",
					 .log = "{}",
					 .rootfs = "" };
	snprintf(bench->path, sizeof(bench->path), "%s/stack_test.XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(bench->path));
	assert_int_equal(mount("tmpfs", bench->path, "tmpfs", 0, "mode=755"), 0);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(bench, dirs[i]);
	copy_busybox(bench);
	stamp_id(bench->id, STAMP_ID_LEN);
	snprintf(bench->cgroup, sizeof(bench->cgroup), "/stack-bench-%d/%.12s", (int)getpid(),
		 bench->id);
}

static inline void drop_cgroup(const struct monitor_bench *bench)
{
	char parent[40];
	struct err err = ERR_NONE;
	AUTO(cgroup) struct cgroup *cgroup = NULL;

	{
		AUTO(cgroup) struct cgroup *own = cgroup_open(bench->cgroup, &err);

		assert_true(!own || !cgroup_exists(own));
	}
	snprintf(parent, sizeof(parent), "/stack-bench-%d", (int)getpid());
	cgroup = cgroup_open(parent, &err);
	if (cgroup)
		cgroup_remove(cgroup, &err);
}

/* A layer's keeper, which comes to us as an orphan, stays for a moment. */
static inline bool no_child_stays(void)
{
	for (int i = 0; i < 6000; i++, usleep(10000))
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return true;
	return false;
}

/* Asserts that nothing is left: no run folder, cgroup, pinned namespace, child. */
static inline void monitor_bench_drop(struct monitor_bench *bench)
{
	AUTO(free) char *run_dir = xformat("%s/run/%s", bench->path, bench->id);
	AUTO(free) char *netns = path_of(bench, "netns");
	struct err err = ERR_NONE;

	if (bench->pair_fd >= 0)
		close(bench->pair_fd);
	assert_int_equal(access(run_dir, F_OK), -1);
	assert_true(no_child_stays());
	drop_cgroup(bench);
	assert_int_equal(netns_drop(netns, &err), 0);
	/* Not lazily: a mount that is left inside would make this fail. */
	assert_int_equal(umount2(bench->path, 0), 0);
	rmdir(bench->path);
}

static inline int write_file(const struct monitor_bench *bench, const char *name, const char *text)
{
	AUTO(free) char *path = path_of(bench, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static inline int write_config(const struct monitor_bench *bench)
{
	AUTO(free)
	char *text = xformat(
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"bench\","
		"\"process\":{\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":0,\"gid\":0},"
		"\"args\":[%s]%s},"
		"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		"\"options\":[\"mode=755\"]},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
		"\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],"
		"\"linux\":{\"cgroupsPath\":\"%s\",\"resources\":%s,"
		"\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
		"{\"type\":\"network\",\"path\":\"%s/netns\"}%s]}%s}",
		bench->args, bench->process, bench->cgroup, bench->resources, bench->path,
		bench->namespaces, bench->config);

	return write_file(bench, "container/bundle/config.json", text);
}

static inline int write_spec(struct monitor_bench *bench)
{
	AUTO(free)
	char *text = xformat("{\"version\":1,\"id\":\"%s\",\"name\":\"bench-1\",\"life\":%d,"
			     "\"run_dir\":\"%s/run/%s\",\"container_dir\":\"%s/container\","
			     "\"slot_dir\":\"%s/slot\",\"rootfs\":{\"lowers\":[\"%s/lower\"],"
			     "\"upper\":\"%s/upper\",\"work\":\"%s/work\"%s},"
			     "\"netns\":{\"path\":\"%s/netns\",\"make\":true},\"log\":%s%s}",
			     bench->id, ++bench->life, bench->path, bench->id, bench->path,
			     bench->path, bench->path, bench->path, bench->path, bench->rootfs,
			     bench->path, bench->log, bench->spec);

	return write_file(bench, "monitor.json", text);
}

/* fds[i] becomes 3 + i. */
static inline void be_monitor(const int *fds)
{
	char word[] = "monitor", name[] = "test";
	char *argv[] = { name, word, NULL };
	const char *program = getenv("STACK_RUNTIME"); /* the real program in the test's place */
	int high[3];

	for (int i = 0; i < 3; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < 3; i++)
		dup2(high[i], 3 + i);
	close_range(6, ~0u, 0);
	execv(program ? program : "/proc/self/exe", argv);
	_exit(99);
}

/* Spawns the monitor. */
static inline void monitor_bench_start(struct monitor_bench *bench)
{
	AUTO(fd) int config = write_config(bench);
	AUTO(fd) int spec = write_spec(bench);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (bench->pair_fd >= 0)
		close(bench->pair_fd);
	bench->pair_fd = pair[0];
	bench->init = 0;
	bench->monitor = fork();
	if (bench->monitor == 0)
		be_monitor((const int[]){ spec, config, pair[1] });
	close(pair[1]);
}

static inline struct json_object *next_word(struct monitor_bench *bench, int *fds, size_t *fd_count)
{
	struct pollfd entry = { .fd = bench->pair_fd, .events = POLLIN };
	struct json_object *word = NULL;
	struct err err = ERR_NONE;

	assert_int_equal(poll(&entry, 1, WORD_MS), 1);
	if (message_receive(bench->pair_fd, &word, fds, fd_count, &err) < 1)
		fail_msg("no word: %s", err.msg);
	return word;
}

/* The next word, which must be op; to be put. fds as in message_receive, or NULL. */
static inline struct json_object *monitor_bench_word(struct monitor_bench *bench, const char *op,
						     int *fds, size_t *fd_count)
{
	struct json_object *word = next_word(bench, fds, fd_count);

	if (strcmp(json_text_or(word, "op", ""), op) != 0)
		fail_msg("expected \"%s\", got %s", op, json_object_to_json_string(word));
	if (strcmp(op, "created") == 0)
		bench->init = (pid_t)json_int_or(word, "pid", 0);
	return word;
}

static inline void expect_word(struct monitor_bench *bench, const char *op)
{
	json_object_put(monitor_bench_word(bench, op, NULL, NULL));
}

static inline void monitor_bench_release(struct monitor_bench *bench, const char *sysctl)
{
	AUTO(free) char *text = xformat("{\"op\":\"release\",\"sysctl\":%s}", sysctl);
	struct err err = ERR_NONE;

	assert_int_equal(message_send_text(bench->pair_fd, text, strlen(text), NULL, 0, &err), 0);
}

/* start, prepared, created, release, running. */
static inline void monitor_bench_run(struct monitor_bench *bench)
{
	monitor_bench_start(bench);
	expect_word(bench, "prepared");
	expect_word(bench, "created");
	monitor_bench_release(bench, "{}");
	expect_word(bench, "running");
}

static inline struct json_object *reap_monitor(struct monitor_bench *bench)
{
	AUTO(free) char *dir = path_of(bench, "container");
	AUTO(fd) int dir_fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	struct err err = ERR_NONE;
	struct json_object *result;
	int status;

	assert_int_equal(waitpid(bench->monitor, &status, 0), bench->monitor);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the monitor ended with %#x", status);
	result = json_read_file(dir_fd, "exit.json", 65536, &err);
	assert_non_null(result);
	assert_int_equal(json_int_or(result, "version", 0), 1);
	assert_int_equal(json_int_or(result, "life", 0), bench->life);
	unlinkat(dir_fd, "exit.json", 0);
	return result;
}

/* Waits for "exited" (and "failed" with failed) and the monitor's end; exit.json, to be put. */
static inline struct json_object *monitor_bench_end(struct monitor_bench *bench, bool failed)
{
	if (failed)
		expect_word(bench, "failed");
	expect_word(bench, "exited");
	return reap_monitor(bench);
}

/* run and end, where create or start may fail; exit.json. */
static inline struct json_object *monitor_bench_whole(struct monitor_bench *bench)
{
	monitor_bench_start(bench);
	for (;;) {
		AUTO(json) struct json_object *word = next_word(bench, NULL, NULL);
		const char *op = json_text_or(word, "op", "");

		if (strcmp(op, "created") == 0)
			monitor_bench_release(bench, "{}");
		if (strcmp(op, "exited") == 0)
			return reap_monitor(bench);
	}
}

/* A request on monitor.sock: the answer, to be put; its descriptor in *out_fd (-1). */
static inline struct json_object *monitor_bench_ask(struct monitor_bench *bench,
						    const char *request, int *out_fd)
{
	AUTO(free) char *dir = xformat("%s/run/%s", bench->path, bench->id);
	AUTO(fd) int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;
	AUTO(fd) int fd = message_connect(dir_fd, "monitor.sock", SOCK_SEQPACKET, &err);
	struct json_object *answer = NULL;
	int fds[8];
	size_t count = 8;

	assert_true(fd >= 0);
	assert_int_equal(message_send_text(fd, request, strlen(request), NULL, 0, &err), 0);
	if (message_receive(fd, &answer, fds, &count, &err) != 1)
		fail_msg("no answer to %s: %s", request, err.msg);
	if (out_fd)
		*out_fd = count ? fds[0] : -1;
	for (size_t i = out_fd ? 1 : 0; i < count; i++)
		close(fds[i]);
	return answer;
}

static inline char *monitor_bench_read(struct monitor_bench *bench, const char *file)
{
	AUTO(free) char *path = path_of(bench, file);
	struct err err = ERR_NONE;
	char *text = NULL;

	return file_read(AT_FDCWD, path, 64u << 20, &text, NULL, &err) < 0 ? xstrdup("") : text;
}

/* All texts of log.json, joined; to be freed. */
static inline char *monitor_bench_log(struct monitor_bench *bench)
{
	AUTO(free) char *text = monitor_bench_read(bench, "slot/log.json");
	char *all = NULL;
	size_t size;
	FILE *out = open_memstream(&all, &size);

	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		struct err err = ERR_NONE;
		AUTO(json)
		struct json_object *record = json_parse("record", line, (size_t)(end - line), &err);

		assert_non_null(record);
		fputs(json_text_or(record, "log", ""), out);
	}
	fclose(out);
	return all;
}

#define SH(script) "\"sh\",\"-c\",\"" script "\""

static inline void expect_outcome(struct json_object *result, int code, int signal)
{
	if (json_int_or(result, "code", -1) != code || json_int_or(result, "signal", -1) != signal)
		fail_msg("code %d signal %d expected: %s", code, signal,
			 json_object_to_json_string(result));
}

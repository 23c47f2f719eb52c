/* tests/orchestrator/transfer_room - a registry that misbehaves (tests/registry/fault.py) on the
 * loopback of a network namespace of its own, and a store. For programs that have included cmocka.
 */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "orchestrator/transfer.h"

#define HOST "127.0.0.1:5001"

static char dir[] = "/var/tmp/k_transfer.XXXXXX";
static char *root, *run, *log_path;
static int dir_fd;
static pid_t server;

static inline void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static inline void put(const char *name, const char *text)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static inline void start_server(void)
{
	AUTO(free) char *ready = xformat("%s/ready", dir);

	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("python3", "python3", "tests/registry/fault.py", "5001", "--second", "5002",
		       "--log", log_path, "--ready", ready, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && access(ready, F_OK) < 0; i++)
		usleep(20000);
	assert_int_equal(access(ready, F_OK), 0);
}

static inline int set_up_all(void **state)
{
	AUTO(free) char *config = NULL;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	loopback_up();
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	root = xformat("%s/lib", dir);
	run = xformat("%s/run", dir);
	log_path = xformat("%s/log", dir);
	config = xformat("%s/stack.json", dir);
	setenv("DOCKER_CONFIG", dir, 1);
	setenv("HOME", dir, 1);
	setenv("STACK_CONFIG", config, 1);
	unsetenv("REGISTRY_AUTH_FILE");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("STACK_DEFAULT_PLATFORM");
	start_server();
	return 0;
}

static inline int tear_down_all(void **state)
{
	AUTO(fd) int tmp_fd = open("/var/tmp", O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	(void)state;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(dir_fd);
	free(root);
	free(run);
	free(log_path);
	return tree_remove(tmp_fd, strrchr(dir, '/') + 1, &err);
}

static inline int set_up(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	tree_remove(dir_fd, "lib", &err);
	tree_remove(dir_fd, "run", &err);
	assert_int_equal(truncate(log_path, 0), 0);
	put("config.json", "{}");
	put("stack.json", "{\"images\":{\"snapshotter\":\"dir\",\"durability\":\"none\"}}");
	return 0;
}

struct seen {
	unsigned done, failed, exists, retries;
	uint64_t most_bytes, die_at_bytes; /* die: as in a power cut; 0: never */
};

static inline void watch(void *ctx, const struct transfer_progress *progress)
{
	struct seen *seen = ctx;

	seen->done += progress->status == TRANSFER_IMAGE_DONE;
	seen->failed += progress->status == TRANSFER_IMAGE_FAILED;
	seen->retries +=
		progress->status == TRANSFER_RETRYING && strstr(progress->text, "again in");
	seen->exists += progress->status == TRANSFER_EXISTS;
	if (progress->current_bytes > seen->most_bytes)
		seen->most_bytes = progress->current_bytes;
	if (seen->die_at_bytes && seen->most_bytes >= seen->die_at_bytes)
		raise(SIGKILL);
}

static inline int pull(const char *fault, struct seen *seen, struct err *err)
{
	AUTO(free) char *ref = xformat(HOST "/%s/x:1", fault);
	const char *const refs[] = { ref };
	const struct transfer_options options = {
		.root = root,
		.runtime_root = run,
		.progress = watch,
		.progress_ctx = seen,
	};

	*err = ERR_NONE;
	return transfer_pull(refs, 1, &options, err);
}

static inline char *log_text(void)
{
	struct err err = ERR_NONE;
	char *text = NULL;
	size_t len;

	assert_int_equal(file_read(AT_FDCWD, log_path, 1 << 20, &text, &len, &err), 0);
	return text;
}

static inline unsigned count_in_log(const char *needle)
{
	AUTO(free) char *text = log_text();
	unsigned count = 0;

	for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
		count++;
	return count;
}

static inline unsigned entries(const char *name)
{
	AUTO(free) char *path = xformat("%s/images/%s", root, name);
	DIR *list = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	while (list && (entry = readdir(list)))
		count += entry->d_name[0] != '.';
	if (list)
		closedir(list);
	return count;
}

static inline size_t images_in_store(void)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = transfer_store_open(root, run, NULL, &err);
	struct image_record **records = NULL;
	size_t count = 0;

	assert_non_null(store);
	assert_int_equal(store_list(store, &records, &count, &err), 0);
	image_records_free(records, count);
	return count;
}

static inline void pull_well(const char *fault)
{
	struct seen seen = { 0 };
	struct err err;

	if (pull(fault, &seen, &err) < 0)
		fail_msg("%s: %s", fault, err.msg);
	assert_int_equal(seen.done, 1);
	assert_int_equal(images_in_store(), 1);
}

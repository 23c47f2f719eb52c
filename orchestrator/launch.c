/* orchestrator/launch - a monitor: started, spoken to, until its container runs.
 *
 * Owns: the spawn with its table of descriptors, the words on the pair. May not touch: bundles,
 * records.
 */
#include "orchestrator/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/num.h"

#define ANSWER_TIMEOUT_MS 120000 /* hooks of a foreign runtime may take their time */
#define ABORT_TIMEOUT_MS  15000
#define SOCKETS_MAX       6
#define CMDLINE_MAX       65536

/* Descriptors of the monitor (docs/monitor.md). */
enum { FD_MONITOR_JSON = 3, FD_CONFIG_JSON = 4, FD_PAIR = 5, FD_TRACE = 6, FD_FIRST_FREE = 7 };

extern char **environ;

void launch_init(struct launch *launch)
{
	*launch = (struct launch){ .runtime_fd = -1,
				   .config_fd = -1,
				   .monitor_fd = -1,
				   .log_fd = -1,
				   .trace_fd = -1,
				   .monitor_pidfd = -1,
				   .pair_fd = -1,
				   .route_fd = -1,
				   .netfilter_fd = -1,
				   .dns_udp_fd = -1,
				   .dns_tcp_fd = -1,
				   .upstream_fd = -1,
				   .upstream_tcp_fd = -1 };
}

/* dup2 onto the same number would leave close-on-exec set: sources are moved out of the way first.
 */
static int raise_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST_FREE + 10);
}

/* What a monitor gets of the environment: nothing of the user's. An empty TZ spares it
 * /etc/localtime, and without malloc's per-thread cache it stays small. STACK_ variables steer
 * tests. */
static char **monitor_environment(bool traced)
{
	static const char *const always[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TZ=", "GLIBC_TUNABLES=glibc.malloc.tcache_count=0"
	};
	char **copy;
	size_t count = 0, n = 0;

	while (environ[count])
		count++;
	copy = xcalloc(count + 5, sizeof(*copy));
	for (; n < sizeof(always) / sizeof(*always); n++)
		copy[n] = (char *)(uintptr_t)always[n];
	if (traced)
		copy[n++] = (char *)(uintptr_t) "STACK_TRACE=6";
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "STACK_", 6) == 0 &&
		    strncmp(environ[i], "STACK_TRACE=", 12) != 0)
			copy[n++] = environ[i];
	return copy;
}

static int spawn(struct launch *launch, int pair_end, struct err *err)
{
	AUTO(free) char **variables = monitor_environment(launch->trace_fd > 0);
	AUTO(fd) int trace_fd = launch->trace_fd > 0 ? raise_fd(launch->trace_fd) : -1;
	AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(fd) int monitor_fd = raise_fd(launch->monitor_fd);
	AUTO(fd) int config_fd = raise_fd(launch->config_fd);
	AUTO(fd) int end_fd = raise_fd(pair_end);
	AUTO(fd) int log_fd = raise_fd(launch->log_fd >= 0 ? launch->log_fd : null_fd);
	char path[40], name[] = "stack-runtime", verb[] = "monitor";
	AUTO(free) char *container = xstrdup(launch->container);
	char *argv[] = { name, verb, container, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	pid_t pid;
	int status;

	if (null_fd < 0 || monitor_fd < 0 || config_fd < 0 || end_fd < 0 || log_fd < 0)
		return err_sys(err, errno, "descriptors for the monitor");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", launch->runtime_fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, log_fd, 2);
	posix_spawn_file_actions_adddup2(&actions, monitor_fd, FD_MONITOR_JSON);
	posix_spawn_file_actions_adddup2(&actions, config_fd, FD_CONFIG_JSON);
	posix_spawn_file_actions_adddup2(&actions, end_fd, FD_PAIR);
	if (trace_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, trace_fd, FD_TRACE);
	status = posix_spawn(&pid, path, &actions, &attributes, argv, variables);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (status != 0)
		return err_sys(err, status, "start stack-runtime");
	launch->monitor = process_identity(pid);
	launch->monitor_pidfd = process_pidfd_open(pid);
	return launch->monitor_pidfd < 0 ? err_sys(err, errno, "pidfd of the monitor") : 0;
}

static int take_failure(struct launch *launch, const struct json_object *message, struct err *err)
{
	launch->code = (int)json_int_or(message, "code", 125);
	return err_set(err,
		       launch->code == 127   ? ERR_NOT_FOUND
		       : launch->code == 126 ? ERR_DENIED
					     : ERR_SYSTEM,
		       "%s", json_text_or(message, "error", "the container did not start"));
}

/* Waits for the word; anything else than it is a failure. fds as in message_receive. */
static int await(struct launch *launch, const char *word, struct json_object **out, int *fds,
		 size_t *fd_count, struct err *err)
{
	struct pollfd wait = { .fd = launch->pair_fd, .events = POLLIN };
	struct json_object *message = NULL;
	const char *op;
	int n;

	while ((n = poll(&wait, 1, ANSWER_TIMEOUT_MS)) < 0 && errno == EINTR)
		;
	if (n == 0)
		return err_set(err, ERR_TIMEOUT, "the monitor has not said \"%s\" after %d s", word,
			       ANSWER_TIMEOUT_MS / 1000);
	n = message_receive(launch->pair_fd, &message, fds, fd_count, err);
	if (n < 0)
		return -1;
	launch->code = 125;
	if (n == 0)
		return err_set(err, ERR_CANCELLED, "the monitor ended before it said \"%s\"", word);
	op = json_text_or(message, "op", "");
	if (strcmp(op, "failed") == 0)
		take_failure(launch, message, err);
	else if (strcmp(op, word) != 0)
		err_set(err, ERR_INTERNAL, "the monitor said \"%s\" instead of \"%s\"", op, word);
	else {
		launch->code = 0;
		*out = message;
		return 0;
	}
	json_object_put(message);
	return -1;
}

int launch_start(struct launch *launch, bool wants_sockets, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;
	int ends[2], fds[SOCKETS_MAX], status;
	int *const places[SOCKETS_MAX] = { &launch->route_fd,    &launch->netfilter_fd,
					   &launch->dns_udp_fd,  &launch->dns_tcp_fd,
					   &launch->upstream_fd, &launch->upstream_tcp_fd };
	size_t count = SOCKETS_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "socketpair");
	launch->pair_fd = ends[0];
	status = spawn(launch, ends[1], err);
	close(ends[1]);
	if (status < 0 || await(launch, "prepared", &word, fds, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		*places[i] = fds[i];
	launch->netns_made = json_bool_or(word, "made", false);
	if (wants_sockets && count != SOCKETS_MAX)
		return err_set(err, ERR_INTERNAL, "the monitor sent %zu of %d sockets", count,
			       SOCKETS_MAX);
	return 0;
}

int launch_await_created(struct launch *launch, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;

	if (await(launch, "created", &word, NULL, NULL, err) < 0)
		return -1;
	launch->init.pid = (pid_t)json_int_or(word, "pid", 0);
	launch->init.start_ticks = (uint64_t)json_int_or(word, "start", 0);
	return 0;
}

int launch_release(struct launch *launch, struct err *err)
{
	static const char text[] = "{\"op\":\"release\"}";
	AUTO(json) struct json_object *word = NULL;

	if (message_send_text(launch->pair_fd, text, sizeof(text) - 1, NULL, 0, err) < 0)
		return -1;
	return await(launch, "running", &word, NULL, NULL, err);
}

void launch_abort(struct launch *launch)
{
	struct err err = ERR_NONE;

	if (launch->pair_fd >= 0)
		close(TAKE_FD(launch->pair_fd));
	if (launch->monitor_pidfd < 0)
		return;
	if (process_wait_end(launch->monitor_pidfd, ABORT_TIMEOUT_MS, &err) < 0)
		process_signal(launch->monitor_pidfd, SIGKILL);
	waitid(P_PIDFD, (id_t)launch->monitor_pidfd, &(siginfo_t){ 0 }, WEXITED);
	close(TAKE_FD(launch->monitor_pidfd));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(TAKE_FD(*fd));
}

void launch_close_sockets(struct launch *launch)
{
	close_fd(&launch->route_fd);
	close_fd(&launch->netfilter_fd);
	close_fd(&launch->dns_udp_fd);
	close_fd(&launch->dns_tcp_fd);
	close_fd(&launch->upstream_fd);
	close_fd(&launch->upstream_tcp_fd);
}

void launch_cut(struct launch *launch)
{
	if (launch->pair_fd >= 0)
		shutdown(launch->pair_fd, SHUT_RDWR);
}

static bool is_monitor_of(const char *pid, const char *container)
{
	AUTO(free) char *path = xformat("/proc/%.20s/cmdline", pid);
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	size_t len, at;

	if (file_read(AT_FDCWD, path, CMDLINE_MAX, &text, &len, &ignored) < 0)
		return false;
	at = strlen("stack-runtime") + 1 + strlen("monitor") + 1;
	return len > at && memcmp(text, "stack-runtime\0monitor", at) == 0 &&
	       strcmp(text + at, container) == 0;
}

int launch_find(const char *container)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int pidfd = -1;

	while (dir && pidfd < 0 && (entry = readdir(dir)) != NULL) {
		struct err ignored = ERR_NONE;
		uint64_t pid;

		if (num_parse_u64("pid", entry->d_name, strlen(entry->d_name), 1, INT32_MAX, &pid,
				  &ignored) == 0 &&
		    is_monitor_of(entry->d_name, container))
			pidfd = process_pidfd_open((pid_t)pid);
	}
	if (dir)
		closedir(dir);
	return pidfd;
}

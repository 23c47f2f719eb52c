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
#include <stdint.h>
#include <stdio.h>
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
#include "orchestrator/launch_spawn.h"

#define ANSWER_TIMEOUT_MS 120000 /* hooks of a foreign runtime may take their time */
#define ABORT_TIMEOUT_MS  15000
#define SOCKETS_MAX       6
#define CMDLINE_MAX       65536

/* Descriptors of the monitor (docs/monitor.md). */
enum { FD_MONITOR_JSON = 3, FD_CONFIG_JSON = 4, FD_PAIR = 5 };

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

/* By the nursery where there is one: it answers sooner than a program starts. */
static bool is_borne(struct launch *launch, int pair_end)
{
	const int fds[] = { launch->monitor_fd, launch->config_fd, pair_end };
	struct err ignored = ERR_NONE;
	pid_t pid;

	if (!launch->nursery || nursery_bear(launch->nursery, launch->container, fds, &pid,
					     &launch->monitor_pidfd, &ignored) < 0)
		return false;
	launch->monitor = process_identity(pid);
	return true;
}

static int spawn(struct launch *launch, int pair_end, struct err *err)
{
	char name[] = "stack-runtime", verb[] = "monitor";
	AUTO(free) char *container = xstrdup(launch->container);
	char *argv[] = { name, verb, container, NULL };
	const struct launch_place places[] = {
		{launch->monitor_fd, FD_MONITOR_JSON},
		{ launch->config_fd, FD_CONFIG_JSON },
		{ pair_end,          FD_PAIR        }
	};

	if (is_borne(launch, pair_end))
		return 0;
	return launch_spawn(&(struct launch_program){ .runtime_fd = launch->runtime_fd,
						      .argv = argv,
						      .log_fd = launch->log_fd,
						      .trace_fd = launch->trace_fd,
						      .places = places,
						      .place_count = 3 },
			    &launch->monitor, &launch->monitor_pidfd, err);
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

int launch_release(struct launch *launch, const char *text, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;

	if (message_send_text(launch->pair_fd, text, strlen(text), NULL, 0, err) < 0)
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

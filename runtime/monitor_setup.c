/* runtime/monitor_setup - from monitor.json to a container that waits, and from "release" to
 * "running".
 *
 * Owns: the order of the set-up, the words on the pair. May not touch: how a container is made (its
 * engine).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stages.h"
#include "base/stamp.h"
#include "runtime/monitor.h"
#include "runtime/monitor_life.h"
#include "runtime/netns.h"
#include "runtime/terminal.h"

#define PIPE_BYTES (1 << 20)

_Static_assert((int)MONITOR_SOCKET_ROUTE == (int)NETNS_ROUTE &&
		       (int)MONITOR_SOCKET_NETFILTER == (int)NETNS_NETFILTER &&
		       (int)MONITOR_SOCKET_DNS == (int)NETNS_DNS &&
		       (int)MONITOR_SOCKET_DNS_TCP == (int)NETNS_DNS_TCP,
	       "the two lists of sockets differ");

struct json_object *life_word(const char *op)
{
	struct json_object *word = json_object_new_object();

	json_add_text(word, "op", op);
	return word;
}

void life_say(struct life *life, struct json_object *word)
{
	struct err err = ERR_NONE;

	if (life->pair_fd >= 0)
		message_send(life->pair_fd, word, NULL, 0, &err);
}

static int join_netns(void *ctx, struct err *err)
{
	struct life *life = ctx;
	AUTO(json) struct json_object *word = life_word("prepared");
	enum netns_socket kinds[MONITOR_SOCKET_COUNT];
	int fds[NETNS_SOCKETS_MAX];
	size_t count = 0;
	bool made = false;
	int result;

	if (life->spec->netns_path) {
		life->netns_fd =
			netns_open(life->spec->netns_path, life->spec->netns_make, &made, err);
		if (life->netns_fd < 0)
			return -1;
		for (size_t i = 0; i < life->spec->socket_count; i++)
			kinds[i] = (enum netns_socket)life->spec->sockets[i];
		if (life->spec->socket_count &&
		    netns_sockets(life->netns_fd, kinds, life->spec->socket_count, fds, &count,
				  err) < 0)
			return -1;
	}
	json_add_bool(word, "made", made);
	/* Not life_say: who never hears this would wait for ever. */
	result = message_send(life->pair_fd, word, fds, count, err);
	while (count)
		close(fds[--count]);
	return result;
}

static int read_config(void *ctx, struct err *err)
{
	struct life *life = ctx;

	if (file_read_fd(MONITOR_CONFIG_FD, "config.json", CONFIG_MAX_BYTES, &life->config_text,
			 &life->config_len, err) < 0)
		return -1;
	close(MONITOR_CONFIG_FD);
	life->config = config_parse(life->config_text, life->config_len, err);
	if (!life->config)
		return -1;
	if (!life->config->process)
		return err_set(err, ERR_INVALID, "config.json: process: is missing");
	life->is_terminal = life->config->process->terminal;
	return 0;
}

static int open_log(void *ctx, struct err *err)
{
	struct life *life = ctx;
	struct err log_err = ERR_NONE;

	if (life->spec->slot_dir && life->spec->log.driver != LOG_DRIVER_NONE) {
		life->slot_dir_fd = file_open_dir(AT_FDCWD, life->spec->slot_dir, true, err);
		if (life->slot_dir_fd < 0)
			return -1;
	}
	/* A log that cannot be opened (disk full) is no reason not to run. */
	life->log = monitor_log_open(life->slot_dir_fd, life->spec, &log_err);
	return 0;
}

/* A pipe whose end `ours` stays here; the other goes to the container. */
static int make_pipe(struct life *life, int number, int ours, int *out_ours, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	*out_ours = ends[ours];
	life->stdio_fds[number] = ends[!ours];
	if (number > 0)
		fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* where the limits allow it */
	return 0;
}

static int open_streams(void *ctx, struct err *err)
{
	struct life *life = ctx;

	life->hub = attach_hub_new(life->poller);
	if (life->is_terminal)
		return 0;
	if (life->spec->stdin_open && make_pipe(life, 0, 1, &life->stdin_fd, err) < 0)
		return -1;
	if (make_pipe(life, 1, 0, &life->outputs[LOG_STDOUT].watch.fd, err) < 0)
		return -1;
	return make_pipe(life, 2, 0, &life->outputs[LOG_STDERR].watch.fd, err);
}

static void close_container_ends(struct life *life)
{
	for (int i = 0; i < 3; i++)
		if (life->stdio_fds[i] >= 0)
			close(TAKE_FD(life->stdio_fds[i]));
}

/* Our side of the terminal. The slave is held as well: a program that closes it for a while is not
 * yet the end of the output. */
static int take_terminal(struct life *life, struct err *err)
{
	int input;

	if (life->console_fd < 0)
		return err_set(err, ERR_INTERNAL, "the container gave no terminal");
	life->outputs[LOG_STDOUT].watch.fd = life->console_fd;
	life->console_peer_fd = ioctl(life->console_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	input = fcntl(life->console_fd, F_DUPFD_CLOEXEC, 0);
	if (input < 0)
		return err_sys(err, errno, "dup the terminal");
	attach_hub_set_stdin(life->hub, input, true);
	return 0;
}

static int run_create(void *ctx, struct err *err)
{
	struct life *life = ctx;

	if (life->engine->create(life, err) < 0)
		return -1;
	close_container_ends(life);
	if (life->is_terminal)
		return take_terminal(life, err);
	if (life->stdin_fd >= 0)
		attach_hub_set_stdin(life->hub, TAKE_FD(life->stdin_fd), false);
	return 0;
}

static void undo_create(void *ctx)
{
	struct life *life = ctx;

	if (life->init.pid)
		life->engine->undo(life);
	life->init.pid = 0;
}

static void on_session_end(void *ctx, struct json_object *event)
{
	struct life *life = ctx;

	if (life->socket)
		attach_socket_tell(life->socket, event);
}

static int open_socket(void *ctx, struct err *err)
{
	struct life *life = ctx;

	life->run_dir_fd = file_open_dir(AT_FDCWD, life->spec->run_dir, false, err);
	if (life->run_dir_fd < 0)
		return -1;
	life->sessions = exec_sessions_new(life->poller, life->run_dir_fd, life->root,
					   life->spec->id, on_session_end, life);
	life->host =
		(struct attach_host){ .poller = life->poller,
				      .spec = life->spec,
				      .hub = life->hub,
				      .log = life->log,
				      .sessions = life->sessions,
				      .netns_fd = life->netns_fd,
				      .console_fd = life->is_terminal ? life->console_fd : -1,
				      .init = life->init,
				      .state = "created",
				      .has_stdin = life->is_terminal || life->spec->stdin_open };
	life->socket = attach_socket_open(life->run_dir_fd, &life->host, err);
	return life->socket ? 0 : -1;
}

static void close_socket(void *ctx)
{
	struct life *life = ctx;

	if (life->run_dir_fd >= 0)
		unlinkat(life->run_dir_fd, ATTACH_SOCKET_NAME, 0);
}

static int say_created(void *ctx, struct err *err)
{
	struct life *life = ctx;
	AUTO(json) struct json_object *word = life_word("created");

	(void)err;
	json_add_int(word, "pid", life->init.pid);
	json_add_int(word, "start", (int64_t)life->init.start_ticks);
	life_say(life, word);
	return 0;
}

static const struct step prepare_steps[] = {
	{"join-netns",    join_netns, NULL },
	{ "read-config",           read_config, NULL },
	{ "open-log",  open_log, NULL },
	{ "mount-rootfs",           life_layer_mount, NULL },
	{ "open-streams",     open_streams, NULL },
	{ "create",           run_create, undo_create },
	{ "open-socket", open_socket, close_socket },
	{ "say-created",           say_created, NULL },
	{ 0},
};

int life_prepare(struct life *life, struct err *err)
{
	return stages_run("monitor", prepare_steps, life, err);
}

static int write_sysctls(struct life *life, struct json_object *sysctls, struct err *err)
{
	AUTO(fd) int netns = -1;
	char path[48];

	if (!sysctls || json_object_object_length(sysctls) == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)life->init.pid);
	netns = life->netns_fd >= 0 ? fcntl(life->netns_fd, F_DUPFD_CLOEXEC, 0)
				    : open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_sys(err, errno, "open the network namespace");
	json_each(sysctls, key, value) {
		if (netns_sysctl(netns, key, json_object_get_string(value), err) < 0)
			return err_wrap(err, "release");
	}
	return 0;
}

int life_take_word(struct life *life, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;
	int result = message_receive(life->pair_fd, &word, NULL, NULL, err);

	if (result <= 0)
		return result;
	if (strcmp(json_text_or(word, "op", ""), "release") != 0)
		return 2;
	return write_sysctls(life, json_object_at(word, "sysctl"), err) < 0 ? -1 : 1;
}

int life_start(struct life *life, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;
	char at[STAMP_TEXT_LEN];

	if (stages_point("monitor", "start", err) < 0 || life->engine->start(life, err) < 0)
		return -1;
	life->started_ns = stamp_now_ns();
	life->is_running = true;
	life->host.state = "running";
	word = life_word("running");
	json_add_text(word, "at", stamp_rfc3339(life->started_ns, at));
	life_say(life, word);
	return 0;
}

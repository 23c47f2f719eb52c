/* runtime/attach_socket - monitor.sock: requests of clients.
 *
 * Owns: the listening socket, the connections, the table of operations. May not touch: the
 * container but through its host's parts.
 */
#include "runtime/attach_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/message.h"
#include "runtime/netns.h"
#include "runtime/probe.h"
#include "runtime/terminal.h"

#define PEER_COUNT        64
#define PROBE_TIMEOUT_MS  1000
#define PROBE_TIMEOUT_MAX 60000
#define PORT_MAX          65535

struct peer {
	struct watch watch; /* its fd is ours */
	struct attach_socket *socket;
	struct peer *next;
	struct connecting *connecting; /* probes under way */
};

/* A probe's connection under way. */
struct connecting {
	struct watch watch; /* its fd is ours */
	struct timer timer;
	struct peer *peer;
	struct connecting *next;
	struct json_object *answer; /* with the id */
};

struct attach_socket {
	struct attach_host *host;
	struct watch watch; /* the listener; its fd is ours */
	struct peer *peers;
	size_t count;
};

/* A request being answered. */
struct request {
	struct peer *peer;
	struct attach_host *host;
	struct json_object *message;
	struct json_object *answer;
	int fds[NETNS_SOCKETS_MAX]; /* closed when sent */
	size_t fd_count;
	bool is_later; /* answered when something has happened */
};

static void drop_connecting(struct connecting *connecting)
{
	struct poller *poller = connecting->peer->socket->host->poller;
	struct connecting **at = &connecting->peer->connecting;

	while (*at != connecting)
		at = &(*at)->next;
	*at = connecting->next;
	poller_clear_timer(poller, &connecting->timer);
	poller_unwatch(poller, &connecting->watch);
	close(connecting->watch.fd);
	json_object_put(connecting->answer);
	free(connecting);
}

static void drop_peer(struct peer *peer)
{
	struct peer **at = &peer->socket->peers;

	while (peer->connecting)
		drop_connecting(peer->connecting); /* analyzer: it takes itself out of the list */
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	peer->socket->count--;
	poller_unwatch(peer->socket->host->poller, &peer->watch);
	close(peer->watch.fd);
	free(peer);
}

/* False: the peer was dropped, since it does not take its answers. */
static bool send_answer(struct peer *peer, struct json_object *answer, const int *fds,
			size_t fd_count)
{
	struct err err = ERR_NONE;

	if (message_send(peer->watch.fd, answer, fds, fd_count, &err) == 0)
		return true;
	drop_peer(peer);
	return false;
}

static void set_outcome(struct json_object *answer, int result, const struct err *err)
{
	json_add_bool(answer, "ok", result >= 0);
	if (result >= 0)
		return;
	json_add_text(answer, "code", err_code_name(err->code));
	json_add_text(answer, "err", err->msg);
}

static int op_hello(struct request *request, struct err *err)
{
	struct attach_host *host = request->host;
	struct json_object *answer = request->answer;

	(void)err;
	json_add_int(answer, "version", MONITOR_SPEC_VERSION);
	json_add_text(answer, "stack", STACK_VERSION);
	json_add_text(answer, "container", host->spec->id);
	json_add_int(answer, "life", host->spec->life);
	json_add_text(answer, "state", host->state);
	json_add_int(answer, "pid", host->init.pid);
	json_add_int(answer, "start", (int64_t)host->init.start_ticks);
	json_add_bool(answer, "tty", host->console_fd >= 0);
	json_add_bool(answer, "stdin", host->has_stdin);
	json_add_int(answer, "attached", (int64_t)attach_hub_count(host->hub));
	json_add_int(answer, "log_dropped", (int64_t)monitor_log_dropped(host->log));
	return 0;
}

/* The slot's namespace, or the one that init is in. */
static int open_netns(const struct attach_host *host, struct err *err)
{
	AUTO(fd) int pidfd = -1;
	char path[48];
	int fd;

	if (host->netns_fd >= 0) {
		fd = fcntl(host->netns_fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? err_sys(err, errno, "dup") : fd;
	}
	pidfd = process_open(host->init);
	if (pidfd < 0)
		return err_set(err, ERR_NOT_FOUND, "the container has ended");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)host->init.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s", path) : fd;
}

static int op_sockets(struct request *request, struct err *err)
{
	struct json_object *list = json_array_at(request->message, "sockets");
	enum netns_socket kinds[MONITOR_SOCKET_COUNT] = { NETNS_ROUTE, NETNS_NETFILTER, NETNS_DNS };
	size_t count = list ? json_array_count(list) : 3;
	AUTO(fd) int netns = -1;

	if (count > MONITOR_SOCKET_COUNT)
		return err_set(err, ERR_INVALID, "sockets: too many");
	for (size_t i = 0; list && i < count; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));
		int kind = name ? monitor_socket_from_name(name) : -1;

		if (kind < 0)
			return err_set(err, ERR_INVALID, "sockets[%zu]: is unknown", i);
		kinds[i] = (enum netns_socket)kind;
	}
	netns = open_netns(request->host, err);
	if (netns < 0)
		return -1;
	return netns_sockets(netns, kinds, count, request->fds, &request->fd_count, err);
}

static void end_connecting(struct connecting *connecting, int result, const struct err *err)
{
	struct peer *peer = connecting->peer;
	AUTO(json) struct json_object *answer = json_object_get(connecting->answer);
	AUTO(fd) int fd = fcntl(connecting->watch.fd, F_DUPFD_CLOEXEC, 0);

	drop_connecting(connecting);
	set_outcome(answer, result, err);
	send_answer(peer, answer, &fd, result < 0 ? 0 : 1);
}

static void connecting_ready(struct watch *watch, uint32_t events)
{
	struct connecting *connecting = OWNER_OF(watch, struct connecting, watch);
	struct err err = ERR_NONE;
	int result = probe_connected(watch->fd, &err);

	(void)events;
	end_connecting(connecting, result, &err);
}

static void connecting_due(struct timer *timer)
{
	struct err err = ERR_NONE;

	err_set(&err, ERR_TIMEOUT, "the connection takes too long");
	end_connecting(OWNER_OF(timer, struct connecting, timer), -1, &err);
}

static int begin_connecting(struct request *request, int netns_fd, uint16_t port, struct err *err)
{
	struct poller *poller = request->host->poller;
	const char *host = json_text_or(request->message, "host", "127.0.0.1");
	int64_t timeout = json_int_or(request->message, "timeout_ms", PROBE_TIMEOUT_MS);
	int fd = probe_connect(netns_fd, host, port, err);
	struct connecting *connecting;

	if (fd < 0)
		return -1;
	connecting = xcalloc(1, sizeof(*connecting));
	connecting->watch = (struct watch){ .fd = fd, .ready = connecting_ready };
	connecting->timer.due = connecting_due;
	connecting->peer = request->peer;
	connecting->next = request->peer->connecting;
	connecting->answer = json_object_get(request->answer);
	request->peer->connecting = connecting;
	if (timeout < 1 || timeout > PROBE_TIMEOUT_MAX)
		timeout = PROBE_TIMEOUT_MAX;
	poller_set_timer(poller, &connecting->timer, (unsigned)timeout);
	if (poller_watch(poller, &connecting->watch, EPOLLOUT, err) < 0) {
		drop_connecting(connecting);
		return -1;
	}
	request->is_later = true;
	return 0;
}

static int op_probe(struct request *request, struct err *err)
{
	int64_t listen_port = json_int_or(request->message, "listen", 0);
	int64_t connect_port = json_int_or(request->message, "connect", 0);
	int64_t port = listen_port ? listen_port : connect_port;
	AUTO(fd) int netns = -1;
	bool listens;

	if (port < 1 || port > PORT_MAX)
		return err_set(err, ERR_INVALID, "probe: listen or connect must be a port");
	netns = open_netns(request->host, err);
	if (netns < 0)
		return -1;
	if (!listen_port)
		return begin_connecting(request, netns, (uint16_t)port, err);
	if (probe_listens(netns, (uint16_t)port, &listens, err) < 0)
		return -1;
	json_add_bool(request->answer, "listening", listens);
	return 0;
}

static int attach_to(struct request *request, struct attach_hub *hub, struct err *err)
{
	struct json_object *message = request->message;
	struct attach_options options = {
		.wants_stdin = json_bool_or(message, "stdin", false),
		.stdin_eof = json_bool_or(message, "stdin_eof", false),
		.raw = json_bool_or(message, "raw", false),
	};
	int64_t replay = json_int_or(message, "replay", 0);
	int fd;

	options.replay_lines = replay < 0 ? -1 : replay > INT32_MAX ? INT32_MAX : (int)replay;
	fd = attach_hub_add(hub, &options, err);
	if (fd < 0)
		return -1;
	request->fds[request->fd_count++] = fd;
	return 0;
}

/* The session that the request names; NULL without *err: it names none. */
static struct exec_kept *find_session(struct request *request, struct err *err)
{
	const char *id = json_text_or(request->message, "session", NULL);
	struct exec_kept *kept = id ? exec_sessions_find(request->host->sessions, id) : NULL;

	if (id && !kept)
		err_set(err, ERR_NOT_FOUND, "no exec session %.20s", id);
	return kept;
}

static int op_attach(struct request *request, struct err *err)
{
	struct exec_kept *kept = find_session(request, err);

	if (err->code)
		return -1;
	json_add_bool(request->answer, "tty", kept || request->host->console_fd >= 0);
	return attach_to(request, kept ? exec_kept_hub(kept) : request->host->hub, err);
}

static int op_resize(struct request *request, struct err *err)
{
	int64_t rows = json_int_or(request->message, "rows", 0);
	int64_t columns = json_int_or(request->message, "cols", 0);
	struct exec_kept *kept = find_session(request, err);

	if (err->code)
		return -1;
	if (rows < 0 || columns < 0 || rows > UINT16_MAX || columns > UINT16_MAX)
		return err_set(err, ERR_INVALID, "resize: rows and cols must be 0 to 65535");
	if (kept)
		return exec_kept_resize(kept, (unsigned)rows, (unsigned)columns, err);
	if (request->host->console_fd < 0)
		return err_set(err, ERR_INVALID, "the container has no terminal");
	return terminal_resize(request->host->console_fd, (unsigned)rows, (unsigned)columns, err);
}

static int op_exec(struct request *request, struct err *err)
{
	struct json_object *process = json_object_at(request->message, "process");
	int64_t rows = json_int_or(request->message, "rows", 0);
	int64_t columns = json_int_or(request->message, "cols", 0);
	struct exec_kept *kept;
	int exit_code;

	if (!process)
		return err_set(err, ERR_INVALID, "exec: process is missing");
	if (strcmp(request->host->state, "running") != 0)
		return err_set(err, ERR_INVALID, "the container is not running");
	kept = exec_sessions_start(
		request->host->sessions, process, rows < 0 ? 0 : (unsigned)rows & UINT16_MAX,
		columns < 0 ? 0 : (unsigned)columns & UINT16_MAX, &exit_code, err);
	if (!kept) {
		json_add_int(request->answer, "exit_code", exit_code);
		return -1;
	}
	json_add_text(request->answer, "session", exec_kept_id(kept));
	return attach_to(request, exec_kept_hub(kept), err);
}

static int op_rotate(struct request *request, struct err *err)
{
	(void)err;
	monitor_log_rotate(request->host->log);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct request *request, struct err *err);
} operations[] = {
	{"attach",   op_attach },
        { "exec",    op_exec   },
        { "hello",   op_hello  },
	{ "probe",   op_probe  },
        { "resize",  op_resize },
        { "rotate",  op_rotate },
	{ "sockets", op_sockets},
};

static int run_request(struct request *request, struct err *err)
{
	const char *op = json_text_or(request->message, "op", "");

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(op, operations[i].name) == 0)
			return operations[i].run(request, err);
	return err_set(err, ERR_UNSUPPORTED, "unknown operation \"%.40s\"", op);
}

static void answer_request(struct peer *peer, struct json_object *message)
{
	struct json_object *id = NULL;
	struct err err = ERR_NONE;
	struct request request = { .peer = peer,
				   .host = peer->socket->host,
				   .message = message,
				   .answer = json_object_new_object() };
	int result;

	if (json_object_is_type(message, json_type_object) &&
	    json_object_object_get_ex(message, "id", &id))
		json_object_object_add(request.answer, "id", json_object_get(id));
	result = run_request(&request, &err);
	if (!request.is_later) {
		set_outcome(request.answer, result, &err);
		send_answer(peer, request.answer, request.fds, result < 0 ? 0 : request.fd_count);
	}
	for (size_t i = 0; i < request.fd_count; i++)
		close(request.fds[i]);
	json_object_put(request.answer);
}

static void peer_ready(struct watch *watch, uint32_t events)
{
	struct peer *peer = OWNER_OF(watch, struct peer, watch);
	AUTO(json) struct json_object *message = NULL;
	struct err err = ERR_NONE;
	int result = message_receive(watch->fd, &message, NULL, NULL, &err);

	(void)events;
	if (result < 0 && err.code == ERR_BUSY)
		return;
	if (result <= 0)
		drop_peer(peer);
	else
		answer_request(peer, message);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
	struct attach_socket *socket = OWNER_OF(watch, struct attach_socket, watch);
	AUTO(fd) int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err err = ERR_NONE;
	struct peer *peer;

	(void)events;
	if (fd < 0 || socket->count >= PEER_COUNT || !message_peer_is_ours(fd))
		return;
	peer = xcalloc(1, sizeof(*peer));
	peer->socket = socket;
	peer->watch = (struct watch){ .fd = TAKE_FD(fd), .ready = peer_ready };
	peer->next = socket->peers;
	socket->peers = peer;
	socket->count++;
	if (poller_watch(socket->host->poller, &peer->watch, EPOLLIN, &err) < 0)
		drop_peer(peer);
}

struct attach_socket *attach_socket_open(int dir_fd, struct attach_host *host, struct err *err)
{
	struct attach_socket *socket = xcalloc(1, sizeof(*socket));

	socket->host = host;
	socket->watch.ready = listener_ready;
	socket->watch.fd = message_listen(dir_fd, ATTACH_SOCKET_NAME,
					  SOCK_SEQPACKET | SOCK_NONBLOCK, true, err);
	if (socket->watch.fd >= 0 && poller_watch(host->poller, &socket->watch, EPOLLIN, err) == 0)
		return socket;
	if (socket->watch.fd >= 0)
		close(socket->watch.fd);
	free(socket);
	return NULL;
}

void attach_socket_tell(struct attach_socket *socket, struct json_object *event)
{
	for (struct peer *peer = socket->peers, *next; peer; peer = next) {
		next = peer->next;
		send_answer(peer, event, NULL, 0);
	}
}

void attach_socket_close(struct attach_socket *socket)
{
	while (socket->peers)
		drop_peer(socket->peers);
	poller_unwatch(socket->host->poller, &socket->watch);
	close(socket->watch.fd);
	free(socket);
}

/* runtime/attach_hub - one output to many clients, and their input to one stdin.
 *
 * Owns: the clients' sockets and buffers, the last 16 KiB of output, the pipe of stdin. May not
 * touch: logs, messages.
 */
#include "runtime/attach_hub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/attach_replay.h"

#define INPUT_BYTES 4096

struct client {
	struct watch watch; /* its fd is ours */
	struct attach_hub *hub;
	struct client *next;
	struct attach_options options;
	bool is_reading; /* input is not at its end */
	bool is_dead;    /* freed at the next sweep */
	char *behind;    /* not sent yet; NULL when empty */
	size_t behind_at, behind_len, behind_room;
};

struct attach_hub {
	struct poller *poller;
	struct client *clients;
	size_t count;
	struct attach_replay replay;
	bool is_ended;
	struct watch input; /* the stdin pipe or pty, for writing; fd -1: none */
	bool input_is_tty;
	bool input_ends; /* close it when what waits is written */
	char *waiting;   /* input that it did not take yet */
	size_t waiting_at, waiting_len;
};

static void client_update(struct client *client)
{
	struct attach_hub *hub = client->hub;
	uint32_t events = 0;
	struct err err = ERR_NONE;

	if (client->behind)
		events |= EPOLLOUT;
	if (client->is_reading && !hub->waiting)
		events |= EPOLLIN;
	/* With nothing to wait for, a hung-up socket would wake us for ever. */
	if (client->is_reading && hub->waiting && !client->behind)
		poller_unwatch(hub->poller, &client->watch);
	else
		poller_watch(hub->poller, &client->watch, events, &err);
}

static void client_drop(struct client *client)
{
	struct attach_hub *hub = client->hub;
	struct client **at = &hub->clients;

	while (*at && *at != client)
		at = &(*at)->next;
	*at = client->next;
	hub->count--;
	poller_unwatch(hub->poller, &client->watch);
	close(client->watch.fd);
	free(client->behind);
	free(client);
}

static void keep_behind(struct client *client, const char *bytes, size_t n)
{
	if (client->behind_len + n > ATTACH_BEHIND_MAX) {
		client->is_dead = true;
		return;
	}
	if (!client->behind || client->behind_at + client->behind_len + n > client->behind_room) {
		if (client->behind && client->behind_at)
			memmove(client->behind, client->behind + client->behind_at,
				client->behind_len);
		client->behind_at = 0;
		while (client->behind_room < client->behind_len + n)
			client->behind_room = client->behind_room ? 2 * client->behind_room : 4096;
		client->behind = xrealloc(client->behind, client->behind_room, 1);
	}
	memcpy(client->behind + client->behind_at + client->behind_len, bytes, n);
	client->behind_len += n;
}

/* Header and bytes to the socket, the rest to the buffer. */
static void client_send(struct client *client, const char *header, const char *bytes, size_t n)
{
	size_t header_len = client->options.raw ? 0 : ATTACH_HEADER_BYTES;
	struct iovec parts[] = {
		{(void *)(uintptr_t)header, header_len},
                { (void *)(uintptr_t)bytes, n         }
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t sent = 0;

	if (client->is_dead)
		return;
	if (!client->behind) {
		sent = sendmsg(client->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			client->is_dead = true;
			return;
		}
		sent = sent < 0 ? 0 : sent;
	}
	if ((size_t)sent < header_len) {
		keep_behind(client, header + sent, header_len - (size_t)sent);
		sent = (ssize_t)header_len;
	}
	if ((size_t)sent < header_len + n)
		keep_behind(client, bytes + sent - header_len, header_len + n - (size_t)sent);
	client_update(client);
}

static void client_flush(struct client *client)
{
	while (client->behind_len) {
		ssize_t n = send(client->watch.fd, client->behind + client->behind_at,
				 client->behind_len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			client->is_dead = true;
			return;
		}
		client->behind_at += (size_t)n;
		client->behind_len -= (size_t)n;
	}
	free(client->behind);
	client->behind = NULL;
	client->behind_at = client->behind_room = 0;
	if (client->hub->is_ended)
		client->is_dead = true;
}

static void sweep(struct attach_hub *hub)
{
	for (struct client *client = hub->clients, *next; client; client = next) {
		next = client->next;
		if (client->is_dead)
			client_drop(client);
	}
}

static void close_input(struct attach_hub *hub)
{
	poller_unwatch(hub->poller, &hub->input);
	if (hub->input.fd >= 0)
		close(hub->input.fd);
	hub->input.fd = -1;
	free(hub->waiting);
	hub->waiting = NULL;
	hub->waiting_len = 0;
}

static void update_clients(struct attach_hub *hub)
{
	/* analyzer: sweep takes the dead out of the list before it frees them */
	for (struct client *client = hub->clients; client; client = client->next)
		client_update(client); /* analyzer: as above */
}

/* Writes what waits; afterwards clients are read again. */
static void flush_input(struct attach_hub *hub)
{
	while (hub->waiting_len) {
		ssize_t n = write(hub->input.fd, hub->waiting + hub->waiting_at, hub->waiting_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* nobody reads it any more */
			close_input(hub);
			update_clients(hub);
			return;
		}
		hub->waiting_at += (size_t)n;
		hub->waiting_len -= (size_t)n;
	}
	free(hub->waiting);
	hub->waiting = NULL;
	poller_unwatch(hub->poller, &hub->input);
	if (hub->input_ends && !hub->input_is_tty)
		close_input(hub);
	update_clients(hub);
}

static void input_ready(struct watch *watch, uint32_t events)
{
	struct attach_hub *hub = OWNER_OF(watch, struct attach_hub, input);

	(void)events;
	flush_input(hub);
}

static void take_input(struct attach_hub *hub, const char *bytes, size_t n)
{
	struct err err = ERR_NONE;

	if (hub->input.fd < 0 || n == 0)
		return;
	hub->waiting = xrealloc(NULL, n, 1);
	memcpy(hub->waiting, bytes, n);
	hub->waiting_at = 0;
	hub->waiting_len = n;
	flush_input(hub);
	if (hub->waiting)
		poller_watch(hub->poller, &hub->input, EPOLLOUT, &err);
}

static void client_read(struct client *client)
{
	struct attach_hub *hub = client->hub;
	char bytes[INPUT_BYTES];
	ssize_t n = recv(client->watch.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		if (client->options.wants_stdin)
			take_input(hub, bytes, (size_t)n);
		return;
	}
	client->is_reading = false;
	if (client->options.wants_stdin && client->options.stdin_eof) {
		hub->input_ends = true;
		if (!hub->waiting && !hub->input_is_tty)
			close_input(hub);
	}
}

static void client_ready(struct watch *watch, uint32_t events)
{
	struct client *client = OWNER_OF(watch, struct client, watch);
	struct attach_hub *hub = client->hub;

	if (events & EPOLLOUT)
		client_flush(client);
	if (client->is_reading && !hub->waiting && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		client_read(client);
	if (!client->is_reading && events & (EPOLLHUP | EPOLLERR))
		client->is_dead = true;
	if (!client->is_dead)
		client_update(client);
	sweep(hub);
}

struct attach_hub *attach_hub_new(struct poller *poller)
{
	struct attach_hub *hub = xcalloc(1, sizeof(*hub));

	hub->poller = poller;
	hub->input.fd = -1;
	hub->input.ready = input_ready;
	return hub;
}

void attach_hub_free(struct attach_hub *hub)
{
	close_input(hub);
	while (hub->clients)
		client_drop(hub->clients);
	attach_replay_free(&hub->replay);
	free(hub);
}

void attach_hub_set_stdin(struct attach_hub *hub, int fd, bool is_tty)
{
	int flags = fcntl(fd, F_GETFL);

	hub->input.fd = fd;
	hub->input_is_tty = is_tty;
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void send_replay(void *ctx, const char *header, const char *bytes, size_t n)
{
	client_send(ctx, header, bytes, n);
}

int attach_hub_add(struct attach_hub *hub, const struct attach_options *options, struct err *err)
{
	struct client *client;
	int pair[2];

	if (hub->count >= ATTACH_CLIENT_COUNT)
		return err_set(err, ERR_BUSY, "%u clients are attached already",
			       ATTACH_CLIENT_COUNT);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair");
	client = xcalloc(1, sizeof(*client));
	client->hub = hub;
	client->options = *options;
	client->is_reading = true;
	client->watch.fd = pair[0];
	client->watch.ready = client_ready;
	client->next = hub->clients;
	hub->clients = client;
	hub->count++;
	attach_replay_send(&hub->replay, options->replay_lines, send_replay, client);
	if (hub->is_ended && !client->behind)
		client->is_dead = true;
	else
		client_update(client);
	sweep(hub);
	return pair[1];
}

size_t attach_hub_count(const struct attach_hub *hub)
{
	return hub->count;
}

void attach_hub_output(struct attach_hub *hub, int stream, const char *bytes, size_t n)
{
	char header[ATTACH_HEADER_BYTES] = {
		(char)stream, 0, 0, 0, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n
	};

	if (n == 0)
		return;
	attach_replay_add(&hub->replay, stream, bytes, n);
	for (struct client *client = hub->clients; client; client = client->next)
		client_send(client, header, bytes, n);
	sweep(hub);
}

void attach_hub_end(struct attach_hub *hub)
{
	hub->is_ended = true;
	close_input(hub);
	for (struct client *client = hub->clients; client; client = client->next)
		if (!client->behind)
			client->is_dead = true;
	sweep(hub);
	update_clients(hub);
}

bool attach_hub_is_flushed(const struct attach_hub *hub)
{
	return hub->clients == NULL;
}

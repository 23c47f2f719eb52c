/* netplug/relay - bytes between two sockets.
 *
 * Owns: TCP connections that pass through, and the list of listeners. May not touch: UDP clients
 * (relay_flow).
 */
#include "netplug/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/port_socket.h"

#define BACKLOG        512
#define SPLICE_BYTES   (64u << 10)
#define ACCEPTS_A_TURN 64

/* What one end sends waits in `pipe` until the other takes it. */
struct half {
	struct watched io;
	int pipe[2];
	size_t in_pipe;
	uint32_t events; /* asked of epoll */
	bool has_ended;  /* it sends no more */
	bool is_told;    /* and the other end knows */
};

struct pair {
	struct half halves[2]; /* the client, the container */
	bool is_connected;
};

static void pair_close(struct netd *netd, struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		core_unwatch(netd, &pair->halves[i].io);
		for (int k = 0; k < 2; k++)
			if (pair->halves[i].pipe[k] >= 0)
				close(pair->halves[i].pipe[k]);
	}
	netd->pair_count--;
	core_bury(netd, pair);
}

/* The other side must see a reset, not a clean end. */
static void pair_abort(struct netd *netd, struct pair *pair)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	for (int i = 0; i < 2; i++)
		if (pair->halves[i].io.fd >= 0)
			setsockopt(pair->halves[i].io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	pair_close(netd, pair);
}

static void want(struct netd *netd, struct half *half, uint32_t events)
{
	if (half->events != events)
		core_rewatch(netd, &half->io, events);
	half->events = events;
}

/* Moves what can be moved from one end to the other; false: the connection is broken. */
static bool move(struct half *from, struct half *to)
{
	for (;;) {
		bool has_moved = false;
		ssize_t n;

		if (!from->has_ended) {
			n = splice(from->io.fd, NULL, from->pipe[1], NULL, SPLICE_BYTES,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return false;
			from->has_ended = n == 0;
			from->in_pipe += n > 0 ? (size_t)n : 0;
			has_moved = n > 0;
		}
		if (from->in_pipe) {
			n = splice(from->pipe[0], NULL, to->io.fd, NULL, from->in_pipe,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return false;
			from->in_pipe -= n > 0 ? (size_t)n : 0;
			has_moved |= n > 0;
		}
		if (!has_moved)
			break;
	}
	if (from->has_ended && !from->in_pipe && !from->is_told) {
		shutdown(to->io.fd, SHUT_WR);
		from->is_told = true;
	}
	return true;
}

static void pump(struct netd *netd, struct pair *pair)
{
	struct half *a = &pair->halves[0], *b = &pair->halves[1];

	if (!move(a, b) || !move(b, a)) {
		pair_abort(netd, pair);
		return;
	}
	if (a->is_told && b->is_told) {
		pair_close(netd, pair);
		return;
	}
	want(netd, a, (!a->has_ended && !a->in_pipe ? EPOLLIN : 0u) | (b->in_pipe ? EPOLLOUT : 0u));
	want(netd, b, (!b->has_ended && !b->in_pipe ? EPOLLIN : 0u) | (a->in_pipe ? EPOLLOUT : 0u));
}

static void client_half_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct pair *pair = OWNER_OF(pair, halves[0].io, watched);

	if (events & EPOLLERR || !pair->is_connected) /* it went away before we got through */
		pair_abort(netd, pair);
	else
		pump(netd, pair);
}

static void target_half_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct pair *pair = OWNER_OF(pair, halves[1].io, watched);

	if (events & EPOLLERR) {
		pair_abort(netd, pair);
		return;
	}
	pair->is_connected = true;
	pump(netd, pair);
}

/* Both ends watched, the container being connected to; fd is taken over. */
static void pair_open(struct netd *netd, const struct endpoint_address *target, int fd)
{
	struct pair *pair = xcalloc(1, sizeof(*pair));
	struct half *client = &pair->halves[0], *other = &pair->halves[1];
	struct err err = ERR_NONE;
	int out;

	netd->pair_count++;
	client->pipe[0] = client->pipe[1] = other->pipe[0] = other->pipe[1] = -1;
	client->io.fd = other->io.fd = -1;
	if (core_watch(netd, &client->io, fd, 0, client_half_ready, &err) < 0 ||
	    pipe2(client->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(other->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		pair_abort(netd, pair);
		return;
	}
	out = socket(target->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out < 0 || (connect(out, &target->at.any, target->len) < 0 && errno != EINPROGRESS)) {
		if (out >= 0)
			close(out);
		pair_abort(netd, pair);
		return;
	}
	other->events = EPOLLOUT;
	if (core_watch(netd, &other->io, out, EPOLLOUT, target_half_ready, &err) < 0)
		pair_abort(netd, pair);
}

static void listener_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct relay *relay = OWNER_OF(relay, io, watched);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(watched->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		netd->stats[STAT_RELAYED]++;
		if (netd->pair_count >= netd->pair_max)
			close(fd);
		else
			pair_open(netd, &relay->target, fd);
	}
}

struct relay *relay_find(struct netd *netd, const char *key)
{
	struct relay *relay;

	TAILQ_FOREACH(relay, &netd->relays, next)
	if (strcmp(relay->key, key) == 0)
		return relay;
	return NULL;
}

void relay_drop(struct netd *netd, struct relay *relay)
{
	TAILQ_REMOVE(&netd->relays, relay, next);
	flow_forget_relay(netd, relay);
	core_unwatch(netd, &relay->io);
	core_bury(netd, relay);
}

/* Which address of ours a datagram came to: the answer must leave from there. */
static void ask_for_addresses(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

int relay_add(struct netd *netd, const char *key, int fd, const struct endpoint_address *target,
	      struct err *err)
{
	struct relay *old = relay_find(netd, key), *relay;
	int type = 0, flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	socklen_t len = sizeof(type);

	if (fd < 0) {
		if (!old)
			return err_set(err, ERR_NOT_FOUND, "relay %s is not there", key);
		old->target = *target;
		flow_forget_relay(netd, old);
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    (type == SOCK_STREAM && port_socket_listen(fd, BACKLOG) < 0)) {
		err_sys(err, errno, "relay %s", key);
		close(fd);
		return -1;
	}
	relay = xcalloc(1, sizeof(*relay));
	snprintf(relay->key, sizeof(relay->key), "%s", key);
	relay->target = *target;
	relay->is_udp = type == SOCK_DGRAM;
	if (relay->is_udp)
		ask_for_addresses(fd);
	if (core_watch(netd, &relay->io, fd, EPOLLIN, relay->is_udp ? flow_ready : listener_ready,
		       err) < 0) {
		free(relay);
		return -1;
	}
	TAILQ_INSERT_TAIL(&netd->relays, relay, next);
	if (old)
		relay_drop(netd, old);
	return 0;
}

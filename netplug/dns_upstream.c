/* netplug/dns_upstream - the servers that are asked: sockets, tries, answers.
 *
 * A host's server is asked from a socket of its own for every query, so that the kernel chooses a
 * fresh source port. A server of `dns:` is asked from the slot's upstream socket, whose port is
 * changed whenever nothing is outstanding on it. A truncated answer is asked for again over TCP
 * when somebody came over TCP.
 *
 * Owns: which server is asked next, and how. May not touch: who waits (netplug/dns_forward).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netplug/dns_pending.h"

#define TRY_MS   2000u
#define TCP_HEAD 2u

static const struct endpoint_address *server_of(const struct pending *pending)
{
	return &pending->servers.servers[(pending->tries - 1) % pending->servers.count];
}

/* Without a peer and without a port: the next connect or send chooses both anew. */
static bool disconnect(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none)) == 0;
}

void upstream_leave(struct netd *netd, struct pending *pending)
{
	struct slot *slot = pending->via;

	if (slot && pending->uses_slot_stream) {
		/* Its descriptor stays with the slot, and can be connected again. */
		epoll_ctl(netd->epoll_fd, EPOLL_CTL_DEL, pending->io.fd, NULL);
		if (!disconnect(pending->io.fd)) {
			close(pending->io.fd);
			slot->upstream_tcp_fd = -1;
		}
		pending->io.fd = -1;
		slot->upstream_tcp_busy = false;
		pending->uses_slot_stream = false;
	}
	core_unwatch(netd, &pending->io);
	free(pending->answer);
	pending->answer = NULL;
	pending->answer_len = 0;
	pending->is_stream = false;
}

static void set_time(struct netd *netd, struct pending *pending)
{
	if (pending->is_timed)
		TAILQ_REMOVE(&netd->pendings, pending, by_time);
	pending->deadline_ms = netd->now_ms + TRY_MS;
	pending->is_timed = true;
	TAILQ_INSERT_TAIL(&netd->pendings, pending, by_time);
}

static void own_socket_ready(struct netd *netd, struct watched *watched, uint32_t events);

static int open_socket(struct netd *netd, struct pending *pending, int type, uint32_t events)
{
	const struct endpoint_address *server = server_of(pending);
	struct err err = ERR_NONE;
	int fd = socket(server->at.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, &server->at.any, server->len) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return core_watch(netd, &pending->io, fd, events, own_socket_ready, &err);
}

/* A query on the slot's own socket. An IPv6 socket reaches IPv4 by mapped addresses. */
static int send_from_slot(struct netd *netd, struct pending *pending)
{
	const struct endpoint_address *server = server_of(pending);
	struct endpoint_address mapped = *server;
	struct slot *slot = pending->via;
	int family = AF_INET;
	socklen_t len = sizeof(family);

	(void)netd;
	if (slot->upstream.fd < 0)
		return -1;
	getsockopt(slot->upstream.fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	if (family == AF_INET6 && server->at.any.sa_family == AF_INET) {
		mapped = (struct endpoint_address){ .len = sizeof(mapped.at.in6) };
		mapped.at.in6.sin6_family = AF_INET6;
		mapped.at.in6.sin6_port = server->at.in4.sin_port;
		mapped.at.in6.sin6_addr.s6_addr[10] = mapped.at.in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(mapped.at.in6.sin6_addr.s6_addr + 12, &server->at.in4.sin_addr, 4);
	}
	/* Nothing else is outstanding: the port may change. */
	if (TAILQ_FIRST(&slot->by_slot) == pending && !TAILQ_NEXT(pending, by_slot) &&
	    !disconnect(slot->upstream.fd))
		return -1;
	return sendto(slot->upstream.fd, pending->query, pending->len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      &mapped.at.any, mapped.len) < 0
		       ? -1
		       : 0;
}

void upstream_try_next(struct netd *netd, struct pending *pending)
{
	while (pending->tries < pending->tries_max) {
		int status;

		upstream_leave(netd, pending);
		pending->tries++;
		if (getrandom(pending->query, 2, 0) != 2) /* the id: nobody may guess it */
			break;
		if (pending->via)
			status = send_from_slot(netd, pending);
		else
			status = open_socket(netd, pending, SOCK_DGRAM, EPOLLIN) < 0 ||
						 send(pending->io.fd, pending->query, pending->len,
						      MSG_DONTWAIT | MSG_NOSIGNAL) < 0
					 ? -1
					 : 0;
		if (status == 0) {
			set_time(netd, pending);
			return;
		}
	}
	pending_fail(netd, pending);
}

static bool has_stream_waiter(const struct pending *pending)
{
	for (size_t i = 0; i < pending->waiter_count; i++)
		if (pending->waiters[i].slot && pending->waiters[i].client)
			return true;
	return false;
}

/* The answer was truncated and a client that came over TCP wants it whole. */
static int ask_by_stream(struct netd *netd, struct pending *pending)
{
	const struct endpoint_address *server = server_of(pending);
	struct slot *slot = pending->via;
	struct err err = ERR_NONE;

	upstream_leave(netd, pending);
	if (!slot) {
		if (open_socket(netd, pending, SOCK_STREAM, EPOLLOUT) < 0)
			return -1;
	} else {
		int fd = slot->upstream_tcp_fd;

		if (fd < 0 || slot->upstream_tcp_busy ||
		    (connect(fd, &server->at.any, server->len) < 0 && errno != EINPROGRESS))
			return -1;
		pending->uses_slot_stream = slot->upstream_tcp_busy = true;
		if (core_watch(netd, &pending->io, fd, EPOLLOUT, own_socket_ready, &err) < 0) {
			slot->upstream_tcp_fd = -1;
			pending->uses_slot_stream = slot->upstream_tcp_busy = false;
			return -1;
		}
	}
	pending->is_stream = true;
	set_time(netd, pending);
	return 0;
}

/* A checked answer: taken, or the next server's turn. */
static void take_answer(struct netd *netd, struct pending *pending, uint8_t *answer, size_t len)
{
	enum dns_rcode rcode = dns_rcode_of(answer);

	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) &&
	    pending->tries < pending->servers.count) {
		upstream_try_next(netd, pending);
		return;
	}
	if (!pending->is_stream && dns_is_truncated(answer) && has_stream_waiter(pending) &&
	    ask_by_stream(netd, pending) == 0)
		return;
	pending_finish(netd, pending, answer, len);
}

static void stream_ready(struct netd *netd, struct pending *pending, uint32_t events)
{
	uint8_t head[TCP_HEAD] = { (uint8_t)(pending->len >> 8), (uint8_t)pending->len };
	ssize_t n;

	if (!pending->answer && !(events & EPOLLERR)) {
		/* Connected: a query is small, it goes out in one piece. */
		struct iovec parts[2] = {
			{head,            sizeof(head)},
                        { pending->query, pending->len}
		};
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

		if (sendmsg(pending->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    (ssize_t)(TCP_HEAD + pending->len)) {
			pending->answer = xrealloc(NULL, TCP_HEAD + DNS_MESSAGE_MAX, 1);
			core_rewatch(netd, &pending->io, EPOLLIN);
			return;
		}
		upstream_try_next(netd, pending);
		return;
	}
	if (!pending->answer) {
		upstream_try_next(netd, pending);
		return;
	}
	n = recv(pending->io.fd, pending->answer + pending->answer_len,
		 TCP_HEAD + DNS_MESSAGE_MAX - pending->answer_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		upstream_try_next(netd, pending);
		return;
	}
	pending->answer_len += (size_t)n;
	if (pending->answer_len >= TCP_HEAD + DNS_HEADER) {
		size_t want = (size_t)pending->answer[0] << 8 | pending->answer[1];
		AUTO(free) uint8_t *whole = NULL;

		if (pending->answer_len < TCP_HEAD + want)
			return;
		if (!dns_is_answer_to(pending->answer + TCP_HEAD, want, pending->query,
				      pending->question.question_end)) {
			upstream_try_next(netd, pending);
			return;
		}
		whole = TAKE(pending->answer);
		take_answer(netd, pending, whole + TCP_HEAD, want);
	}
}

static void own_socket_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct pending *pending = OWNER_OF(pending, io, watched);
	ssize_t n;

	if (pending->is_stream) {
		stream_ready(netd, pending, events);
		return;
	}
	n = recv(watched->fd, netd->large, DNS_MESSAGE_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) /* nobody listens there: not worth the wait */
		upstream_try_next(netd, pending);
	else if (n >= DNS_HEADER && dns_is_answer_to(netd->large, (size_t)n, pending->query,
						     pending->question.question_end))
		take_answer(netd, pending, netd->large, (size_t)n);
}

static void unmap(struct endpoint_address *address)
{
	struct in6_addr six = address->at.in6.sin6_addr;
	uint16_t port = address->at.in6.sin6_port;

	if (address->at.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six))
		return;
	*address = (struct endpoint_address){ .len = sizeof(address->at.in4) };
	address->at.in4.sin_family = AF_INET;
	address->at.in4.sin_port = port;
	memcpy(&address->at.in4.sin_addr, six.s6_addr + 12, 4);
}

/* The slot's upstream socket: whose answer is it? */
void forward_upstream_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct slot *slot = OWNER_OF(slot, upstream, watched);

	(void)events;
	for (int i = 0; i < BATCH_COUNT && watched->fd >= 0; i++) {
		struct endpoint_address from = { .len = sizeof(from.at) };
		ssize_t n = recvfrom(watched->fd, netd->large, DNS_MESSAGE_MAX, MSG_DONTWAIT,
				     &from.at.any, &from.len);
		struct pending *pending;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			continue; /* an error of one server; its query times out */
		if (n < 0)
			return;
		unmap(&from);
		TAILQ_FOREACH(pending, &slot->by_slot, by_slot)
		if (n >= DNS_HEADER && core_same_address(&from, server_of(pending)) &&
		    !pending->is_stream &&
		    dns_is_answer_to(netd->large, (size_t)n, pending->query,
				     pending->question.question_end))
			break;
		if (pending)
			take_answer(netd, pending, netd->large, (size_t)n);
	}
}

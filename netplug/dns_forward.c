/* netplug/dns_forward - queries that wait for an upstream name server.
 *
 * A host's server is asked from a socket of its own for every query, so that the kernel chooses a
 * fresh source port. A server of `dns:` is asked from the slot's upstream socket, whose port is
 * changed whenever nothing is outstanding on it. Identical questions in flight are asked once
 * (which also ends loops: a query that comes back to us through the host's own resolver joins
 * itself and times out).
 *
 * Owns: the list of pending queries and their times. May not touch: names of ours.
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
#include "netplug/netd_core.h"

#define TRY_MS       2000u
#define TCP_HEAD     2u
#define PENDING_WAIT 256u /* waiters of one question */

struct waiter {
	struct slot *slot;
	struct client *client; /* NULL: over UDP to `from` */
	struct sockaddr_in from;
	uint16_t id;
};

struct pending {
	struct watched
		io; /* own socket: a host's server, or any over TCP; fd -1: the slot's upstream */
	struct slot *via; /* whose upstream socket; NULL: from the host's namespace */
	struct server_list servers;
	size_t tries, tries_max;
	uint64_t deadline_ms;
	uint32_t bucket;
	bool is_stream, uses_slot_stream, is_timed;
	struct waiter *waiters;
	size_t waiter_count;
	uint8_t *answer; /* over TCP: what came so far, length in front */
	size_t answer_len;
	struct dns_question question;
	TAILQ_ENTRY(pending) by_time, by_slot;
	LIST_ENTRY(pending) by_question;
	size_t len;
	uint8_t query[]; /* with the id that went upstream */
};

static const struct endpoint_address *server_of(const struct pending *pending)
{
	return &pending->servers.servers[(pending->tries - 1) % pending->servers.count];
}

static uint32_t bucket_of(const struct slot *via, const uint8_t *query, size_t len)
{
	uint32_t value = 2166136261u ^ (uint32_t)((uintptr_t)via >> 6);

	for (size_t i = 2; i < len; i++)
		value = (value ^ query[i]) * 16777619u;
	return (value ^ value >> 16) % PENDING_BUCKETS;
}

static void answer_waiter(struct netd *netd, const struct pending *pending,
			  const struct waiter *waiter, uint8_t *answer, size_t len)
{
	uint8_t cut[DNS_UDP_MAX];

	answer[0] = (uint8_t)(waiter->id >> 8);
	answer[1] = (uint8_t)waiter->id;
	waiter->slot->outstanding--;
	if (waiter->client) {
		client_answer(netd, waiter->client, answer, len, true);
		return;
	}
	if (len > dns_limit(&pending->question)) {
		struct dns_question question = pending->question;

		question.id = waiter->id;
		len = dns_truncated(pending->query, &question, cut, sizeof(cut));
		answer = cut;
	}
	if (sendto(waiter->slot->udp.fd, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&waiter->from, sizeof(waiter->from)) < 0)
		netd->stats[STAT_DROPPED]++;
}

/* Without a peer and without a port: the next connect or send chooses both anew. */
static bool disconnect(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none)) == 0;
}

/* Leaves the socket of the try that is over. */
static void leave_socket(struct netd *netd, struct pending *pending)
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

static void drop(struct netd *netd, struct pending *pending)
{
	leave_socket(netd, pending);
	if (pending->is_timed)
		TAILQ_REMOVE(&netd->pendings, pending, by_time);
	if (pending->via)
		TAILQ_REMOVE(&pending->via->by_slot, pending, by_slot);
	LIST_REMOVE(pending, by_question);
	netd->pending_count--;
	free(pending->waiters);
	core_bury(netd, pending);
}

/* Gives everybody the answer (which may be changed) and ends. An answer can end its client, and
 * with it further waiters of this question: forward_forget_client marks those by slot NULL
 * meanwhile. */
static void finish(struct netd *netd, struct pending *pending, uint8_t *answer, size_t len)
{
	netd->stats[STAT_FORWARDED]++;
	for (size_t i = 0; i < pending->waiter_count; i++) {
		struct waiter waiter = pending->waiters[i];

		pending->waiters[i].slot = NULL;
		if (waiter.slot)
			answer_waiter(netd, pending, &waiter, answer, len);
	}
	drop(netd, pending);
}

static void fail(struct netd *netd, struct pending *pending)
{
	uint8_t answer[DNS_UDP_MAX];
	size_t len = dns_refuse(pending->query, &pending->question, DNS_SERVFAIL, answer,
				sizeof(answer));

	netd->stats[STAT_TIMED_OUT]++;
	finish(netd, pending, answer, len);
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

/* Asks the next server, and the one after when that fails at once; SERVFAIL when none is left. */
static void try_next(struct netd *netd, struct pending *pending)
{
	while (pending->tries < pending->tries_max) {
		int status;

		leave_socket(netd, pending);
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
	fail(netd, pending);
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

	leave_socket(netd, pending);
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
		try_next(netd, pending);
		return;
	}
	if (!pending->is_stream && dns_is_truncated(answer) && has_stream_waiter(pending) &&
	    ask_by_stream(netd, pending) == 0)
		return;
	finish(netd, pending, answer, len);
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
		try_next(netd, pending);
		return;
	}
	if (!pending->answer) {
		try_next(netd, pending);
		return;
	}
	n = recv(pending->io.fd, pending->answer + pending->answer_len,
		 TCP_HEAD + DNS_MESSAGE_MAX - pending->answer_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		try_next(netd, pending);
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
			try_next(netd, pending);
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
		try_next(netd, pending);
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

int forward_timer(struct netd *netd)
{
	struct pending *pending;

	while ((pending = TAILQ_FIRST(&netd->pendings)) != NULL) {
		if (pending->deadline_ms > netd->now_ms)
			return (int)(pending->deadline_ms - netd->now_ms);
		try_next(netd, pending);
	}
	return -1;
}

static void add_waiter(struct pending *pending, struct slot *slot, struct client *client,
		       const struct sockaddr_in *from, uint16_t id)
{
	struct waiter *waiter = xgrow(&pending->waiters, &pending->waiter_count, sizeof(*waiter));

	waiter->slot = slot;
	waiter->client = client;
	waiter->id = id;
	if (from)
		waiter->from = *from;
	slot->outstanding++;
}

static void refuse(struct netd *netd, struct slot *slot, struct client *client,
		   const struct sockaddr_in *from, const struct dns_question *question,
		   const uint8_t *query, enum dns_rcode rcode)
{
	uint8_t answer[DNS_UDP_MAX];
	size_t len = dns_refuse(query, question, rcode, answer, sizeof(answer));

	netd->stats[STAT_REFUSED]++;
	if (client)
		client_answer(netd, client, answer, len, true);
	else if (sendto(slot->udp.fd, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			(const struct sockaddr *)from, sizeof(*from)) < 0)
		netd->stats[STAT_DROPPED]++;
}

/* A question in flight that is the same but for its id; NULL: none. */
static struct pending *find_same(struct netd *netd, uint32_t bucket, const struct slot *via,
				 const uint8_t *query, size_t len)
{
	struct pending *pending;

	LIST_FOREACH(pending, &netd->buckets[bucket], by_question)
	if (pending->via == via && pending->len == len && pending->waiter_count < PENDING_WAIT &&
	    !pending->is_stream && memcmp(pending->query + 2, query + 2, len - 2) == 0)
		return pending;
	return NULL;
}

void forward_query(struct netd *netd, struct slot *slot, struct client *client,
		   const struct sockaddr_in *from, const struct dns_question *question,
		   const uint8_t *query, size_t len)
{
	struct slot *via = slot->servers.count ? slot : NULL;
	const struct server_list *servers = via ? &slot->servers : &netd->upstreams;
	uint32_t bucket = bucket_of(via, query, len);
	struct pending *pending;

	if (netd->zone && slot->internal_only && !via) {
		refuse(netd, slot, client, from, question, query, DNS_NXDOMAIN);
		return;
	}
	if (!netd->zone || !servers->count || slot->outstanding >= PENDING_SLOT_MAX) {
		refuse(netd, slot, client, from, question, query, DNS_SERVFAIL);
		return;
	}
	pending = find_same(netd, bucket, via, query, len);
	if (pending) {
		netd->stats[STAT_MERGED]++;
		add_waiter(pending, slot, client, from, question->id);
		return;
	}
	if (netd->pending_count >= PENDING_ALL_MAX) {
		refuse(netd, slot, client, from, question, query, DNS_SERVFAIL);
		return;
	}
	pending = xcalloc(1, sizeof(*pending) + len);
	pending->io.fd = -1;
	pending->via = via;
	pending->servers = *servers;
	pending->tries_max = servers->count == 1 ? 2 : servers->count;
	pending->bucket = bucket;
	pending->question = *question;
	pending->len = len;
	memcpy(pending->query, query, len);
	LIST_INSERT_HEAD(&netd->buckets[bucket], pending, by_question);
	if (via)
		TAILQ_INSERT_TAIL(&via->by_slot, pending, by_slot);
	netd->pending_count++;
	add_waiter(pending, slot, client, from, question->id);
	try_next(netd, pending);
}

/* Waiters that have gone are marked; a question that nobody waits for runs out by itself. */
static void forget(struct netd *netd, const struct slot *slot, const struct client *client)
{
	for (size_t i = 0; i < PENDING_BUCKETS; i++) {
		struct pending *pending;

		LIST_FOREACH(pending, &netd->buckets[i], by_question)
		for (size_t k = 0; k < pending->waiter_count; k++) {
			struct waiter *waiter = &pending->waiters[k];

			if (!waiter->slot || (slot && waiter->slot != slot) ||
			    (client && waiter->client != client))
				continue;
			waiter->slot->outstanding--;
			waiter->slot = NULL;
		}
	}
}

void forward_forget_client(struct netd *netd, struct client *client)
{
	forget(netd, NULL, client);
}

void forward_forget_slot(struct netd *netd, struct slot *slot)
{
	struct pending *pending;

	forget(netd, slot, NULL);
	while ((pending = TAILQ_FIRST(&slot->by_slot)) != NULL)
		drop(netd, pending);
}

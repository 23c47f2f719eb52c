/* netplug/netd_tcp - queries over TCP: length-prefixed, several a connection, idle ones closed.
 *
 * Owns: the connections of clients. May not touch: what a name means (dns), upstreams
 * (dns_forward). RFC 7766.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/netd_core.h"

#define IDLE_MS          10000u
#define CLIENTS_PER_SLOT 64u
#define IN_BYTES         (2u + QUERY_MAX)
#define OUT_BYTES_MAX    (256u << 10) /* unread answers; a client that leaves more is closed */
#define WAITING_MAX      64u          /* queries of one connection that wait upstream */

struct client {
	struct watched io;
	struct slot *slot;
	uint64_t used_ms;
	size_t waiting, in_len, out_len, out_at;
	bool is_half_closed; /* it sends no more, and waits for answers */
	uint8_t *out;
	TAILQ_ENTRY(client) by_age, by_slot;
	uint8_t in[IN_BYTES];
};

void client_close(struct netd *netd, struct client *client)
{
	core_unwatch(netd, &client->io);
	if (client->waiting)
		forward_forget_client(netd, client);
	TAILQ_REMOVE(&netd->clients, client, by_age);
	TAILQ_REMOVE(&client->slot->clients, client, by_slot);
	client->slot->client_count--;
	free(client->out);
	core_bury(netd, client);
}

static void touch(struct netd *netd, struct client *client)
{
	client->used_ms = netd->now_ms;
	TAILQ_REMOVE(&netd->clients, client, by_age);
	TAILQ_INSERT_TAIL(&netd->clients, client, by_age);
}

int client_timer(struct netd *netd)
{
	struct client *client;

	while ((client = TAILQ_FIRST(&netd->clients)) != NULL) {
		if (client->used_ms + IDLE_MS > netd->now_ms)
			return (int)(client->used_ms + IDLE_MS - netd->now_ms);
		client_close(netd, client);
	}
	return -1;
}

/* Writes what it can; false when the connection is over. */
static bool flush(struct netd *netd, struct client *client)
{
	while (client->out_at < client->out_len) {
		ssize_t n = send(client->io.fd, client->out + client->out_at,
				 client->out_len - client->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			core_rewatch(netd, &client->io,
				     EPOLLOUT | (client->is_half_closed ? 0u : EPOLLIN));
			return true;
		}
		if (n < 0)
			return false;
		client->out_at += (size_t)n;
	}
	free(client->out);
	client->out = NULL;
	client->out_at = client->out_len = 0;
	core_rewatch(netd, &client->io, client->is_half_closed ? 0 : EPOLLIN);
	return !client->is_half_closed || client->waiting;
}

static bool append(struct client *client, const uint8_t *answer, size_t len)
{
	if (client->out_len + len + 2 > OUT_BYTES_MAX)
		return false;
	client->out = xrealloc(client->out, client->out_len + len + 2, 1);
	client->out[client->out_len] = (uint8_t)(len >> 8);
	client->out[client->out_len + 1] = (uint8_t)len;
	memcpy(client->out + client->out_len + 2, answer, len);
	client->out_len += len + 2;
	return true;
}

void client_answer(struct netd *netd, struct client *client, const uint8_t *answer, size_t len,
		   bool waited)
{
	client->waiting -= waited;
	touch(netd, client);
	if (!append(client, answer, len) || !flush(netd, client))
		client_close(netd, client);
}

/* One whole query; false when the connection is over. */
static bool handle(struct netd *netd, struct client *client, const uint8_t *query, size_t len)
{
	const struct dns_asker asker = { .zone = netd->zone,
					 .number = client->slot->asker,
					 .is_tcp = true,
					 .turn = (uint32_t)core_random(netd) };
	struct dns_question question;
	size_t out_len = 0;

	netd->stats[STAT_QUERIES]++;
	switch (dns_answer(&asker, query, len, &question, netd->large, DNS_MESSAGE_MAX, &out_len)) {
	case DNS_ANSWER:
		netd->stats[STAT_ANSWERED]++;
		return append(client, netd->large, out_len);
	case DNS_FORWARD:
		if (client->waiting == WAITING_MAX)
			return false;
		client->waiting++;
		forward_query(netd, client->slot, client, NULL, &question, query, len);
		return client->io.fd >= 0;
	case DNS_DROP:
		break;
	}
	netd->stats[STAT_DROPPED]++;
	return false;
}

/* All whole queries that are in the buffer. */
static bool handle_all(struct netd *netd, struct client *client)
{
	size_t at = 0;

	while (client->in_len - at >= 2) {
		size_t len = (size_t)client->in[at] << 8 | client->in[at + 1];

		if (len > IN_BYTES - 2)
			return false;
		if (client->in_len - at - 2 < len)
			break;
		if (!handle(netd, client, client->in + at + 2, len))
			return false;
		at += 2 + len;
	}
	memmove(client->in, client->in + at, client->in_len - at);
	client->in_len -= at;
	return true;
}

static void client_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct client *client = OWNER_OF(client, io, watched);
	bool goes_on = !(events & EPOLLERR);
	ssize_t n;

	touch(netd, client);
	if (goes_on && events & (EPOLLIN | EPOLLHUP) && !client->is_half_closed) {
		n = recv(watched->fd, client->in + client->in_len, IN_BYTES - client->in_len,
			 MSG_DONTWAIT);
		if (n > 0) {
			client->in_len += (size_t)n;
			goes_on = handle_all(netd, client);
		} else if (n == 0) {
			client->is_half_closed = true;
		} else {
			goes_on = errno == EAGAIN || errno == EINTR;
		}
	} else if (events & EPOLLHUP) {
		goes_on = false;
	}
	if (client->io.fd >= 0 && (!goes_on || !flush(netd, client)))
		client_close(netd, client);
}

void tcp_accept(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct slot *slot = OWNER_OF(slot, tcp, watched);
	struct client *client, *oldest;
	struct err err = ERR_NONE;
	int fd = accept4(watched->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	oldest = TAILQ_FIRST(&slot->clients);
	if (slot->client_count >= CLIENTS_PER_SLOT) {
		TAILQ_FOREACH(client, &slot->clients, by_slot)
		if (client->used_ms < oldest->used_ms)
			oldest = client;
		client_close(netd, oldest);
	}
	client = xcalloc(1, sizeof(*client));
	client->slot = slot;
	client->used_ms = netd->now_ms;
	if (core_watch(netd, &client->io, fd, EPOLLIN, client_ready, &err) < 0) {
		free(client);
		return;
	}
	slot->client_count++;
	TAILQ_INSERT_TAIL(&slot->clients, client, by_slot);
	TAILQ_INSERT_TAIL(&netd->clients, client, by_age);
}

/* netplug/dns_forward - who waits for an upstream name server's answer.
 *
 * Identical questions in flight are asked once (which also ends loops: a query that comes back to
 * us through the host's own resolver joins itself and times out).
 *
 * Owns: the list of pending queries, their waiters and times. May not touch: names of ours, the
 * servers' sockets (netplug/dns_upstream).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "netplug/dns_pending.h"

#define PENDING_WAIT 256u /* waiters of one question */

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

static void drop(struct netd *netd, struct pending *pending)
{
	upstream_leave(netd, pending);
	if (pending->is_timed)
		TAILQ_REMOVE(&netd->pendings, pending, by_time);
	if (pending->via)
		TAILQ_REMOVE(&pending->via->by_slot, pending, by_slot);
	LIST_REMOVE(pending, by_question);
	netd->pending_count--;
	free(pending->waiters);
	core_bury(netd, pending);
}

void pending_finish(struct netd *netd, struct pending *pending, uint8_t *answer, size_t len)
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

void pending_fail(struct netd *netd, struct pending *pending)
{
	uint8_t answer[DNS_UDP_MAX];
	size_t len = dns_refuse(pending->query, &pending->question, DNS_SERVFAIL, answer,
				sizeof(answer));

	netd->stats[STAT_TIMED_OUT]++;
	pending_finish(netd, pending, answer, len);
}

int forward_timer(struct netd *netd)
{
	struct pending *pending;

	while ((pending = TAILQ_FIRST(&netd->pendings)) != NULL) {
		if (pending->deadline_ms > netd->now_ms)
			return (int)(pending->deadline_ms - netd->now_ms);
		upstream_try_next(netd, pending);
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
	upstream_try_next(netd, pending);
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

/* netplug/relay_flow - datagrams between clients of a relay and its container.
 *
 * Owns: one connected socket for each client, and its end after a minute of silence. May not touch:
 * TCP.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/relay.h"

#define IDLE_MS         60000u
#define FLOWS_PER_RELAY 1024u
#define DATAGRAMS_TURN  64

union control {
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

struct relay_flow {
	struct watched io; /* connected to the container */
	struct relay *relay;
	struct endpoint_address client;
	union control local; /* which address of ours the client spoke to */
	size_t local_len;
	uint64_t used_ms;
	TAILQ_ENTRY(relay_flow) by_age;
};

static void flow_close(struct netd *netd, struct relay_flow *flow)
{
	TAILQ_REMOVE(&netd->flows, flow, by_age);
	flow->relay->flow_count--;
	core_unwatch(netd, &flow->io);
	core_bury(netd, flow);
}

static void touch(struct netd *netd, struct relay_flow *flow)
{
	flow->used_ms = netd->now_ms;
	TAILQ_REMOVE(&netd->flows, flow, by_age);
	TAILQ_INSERT_TAIL(&netd->flows, flow, by_age);
}

int flow_timer(struct netd *netd)
{
	struct relay_flow *flow;

	while ((flow = TAILQ_FIRST(&netd->flows)) != NULL) {
		if (flow->used_ms + IDLE_MS > netd->now_ms)
			return (int)(flow->used_ms + IDLE_MS - netd->now_ms);
		flow_close(netd, flow);
	}
	return -1;
}

void flow_forget_relay(struct netd *netd, const struct relay *relay)
{
	struct relay_flow *flow, *next;

	for (flow = TAILQ_FIRST(&netd->flows); flow; flow = next) {
		next = TAILQ_NEXT(flow, by_age);
		if (flow->relay == relay)
			flow_close(netd, flow);
	}
}

/* From the container back to the client, from the address that it knows. */
static void answer_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct relay_flow *flow = OWNER_OF(relay_flow, io, watched);

	(void)events;
	for (int i = 0; i < DATAGRAMS_TURN; i++) {
		ssize_t n = recv(watched->fd, netd->large, sizeof(netd->large), MSG_DONTWAIT);
		struct iovec part = { .iov_base = netd->large, .iov_len = n > 0 ? (size_t)n : 0 };
		struct msghdr message = { .msg_name = &flow->client.at,
					  .msg_namelen = flow->client.len,
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = flow->local_len ? &flow->local : NULL,
					  .msg_controllen = flow->local_len };

		if (n < 0)
			return; /* nothing there, or refused: the client sees silence, as by UDP */
		touch(netd, flow);
		if (sendmsg(flow->relay->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			netd->stats[STAT_DROPPED]++;
	}
}

/* The packet info of a received message, as one to send with: the interface is left to the routes.
 */
static void keep_local(struct relay_flow *flow, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO))
			continue;
		memcpy(&flow->local, c, CMSG_LEN(size));
		flow->local_len = CMSG_SPACE(size);
		if (c->cmsg_level == IPPROTO_IP) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			info.ipi_spec_dst = info.ipi_addr;
			info.ipi_ifindex = 0;
			memcpy(CMSG_DATA(&flow->local.align), &info, sizeof(info));
		}
		return;
	}
}

static struct relay_flow *flow_open(struct netd *netd, struct relay *relay,
				    const struct endpoint_address *client)
{
	struct relay_flow *flow, *oldest;
	struct err err = ERR_NONE;
	int fd = socket(relay->target.at.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);

	if (fd < 0)
		return NULL;
	if (connect(fd, &relay->target.at.any, relay->target.len) < 0) {
		close(fd);
		return NULL;
	}
	TAILQ_FOREACH(oldest, &netd->flows, by_age)
	if (relay->flow_count >= FLOWS_PER_RELAY && oldest->relay == relay) {
		flow_close(netd, oldest);
		break;
	}
	flow = xcalloc(1, sizeof(*flow));
	if (core_watch(netd, &flow->io, fd, EPOLLIN, answer_ready, &err) < 0) {
		free(flow);
		return NULL;
	}
	flow->relay = relay;
	flow->client = *client;
	relay->flow_count++;
	netd->stats[STAT_RELAYED]++;
	TAILQ_INSERT_TAIL(&netd->flows, flow, by_age);
	return flow;
}

/* The newest stand last, and those speak most. */
static struct relay_flow *flow_find(struct netd *netd, const struct relay *relay,
				    const struct endpoint_address *client)
{
	struct relay_flow *flow;

	TAILQ_FOREACH_REVERSE(flow, &netd->flows, flow_list, by_age)
	if (flow->relay == relay && core_same_address(&flow->client, client))
		return flow;
	return NULL;
}

void flow_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct relay *relay = OWNER_OF(relay, io, watched);

	(void)events;
	for (int i = 0; i < DATAGRAMS_TURN; i++) {
		struct endpoint_address from = { 0 };
		union control control;
		struct iovec part = { .iov_base = netd->large, .iov_len = sizeof(netd->large) };
		struct msghdr message = { .msg_name = &from.at,
					  .msg_namelen = sizeof(from.at),
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(watched->fd, &message, MSG_DONTWAIT);
		struct relay_flow *flow;

		if (n < 0)
			return;
		from.len = message.msg_namelen;
		flow = flow_find(netd, relay, &from);
		if (!flow)
			flow = flow_open(netd, relay, &from);
		if (!flow)
			continue;
		keep_local(flow, &message);
		touch(netd, flow);
		if (send(flow->io.fd, netd->large, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			netd->stats[STAT_DROPPED]++;
	}
}

/* netplug/netd_udp - queries over UDP, in batches.
 *
 * Owns: the way of a datagram in and out of a slot's socket. May not touch: what a name means
 * (dns), upstreams (dns_forward).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "netplug/netd_core.h"

#define BATCHES_A_ROUND 8 /* then the other slots have their turn */

struct batch {
	struct mmsghdr headers[BATCH_COUNT];
	struct iovec parts[BATCH_COUNT];
	struct sockaddr_in from[BATCH_COUNT];
};

static void set_part(struct batch *batch, int i, void *data, size_t len,
		     struct sockaddr_in *address)
{
	batch->parts[i] = (struct iovec){ .iov_base = data, .iov_len = len };
	batch->headers[i] = (struct mmsghdr){
		.msg_hdr = {.msg_name = address,
                            .msg_namelen = sizeof(*address),
                            .msg_iov = &batch->parts[i],
                            .msg_iovlen = 1},
	};
}

static void send_answers(struct netd *netd, int fd, struct batch *batch, int count)
{
	for (int sent = 0; sent < count;) {
		int n = sendmmsg(fd, batch->headers + sent, (unsigned)(count - sent), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) { /* a client that is gone, or a full socket: as if it were lost on the
				 way */
			netd->stats[STAT_DROPPED]++;
			n = 1;
		}
		sent += n;
	}
}

/* Answers one query into out; 0: no answer now. */
static size_t handle(struct netd *netd, struct slot *slot, const struct sockaddr_in *from,
		     const uint8_t *query, size_t len, uint8_t *out)
{
	const struct dns_asker asker = { .zone = netd->zone,
					 .number = slot->asker,
					 .turn = (uint32_t)core_random(netd) };
	struct dns_question question;
	size_t out_len = 0;

	netd->stats[STAT_QUERIES]++;
	switch (dns_answer(&asker, query, len, &question, out, DNS_UDP_MAX, &out_len)) {
	case DNS_ANSWER:
		netd->stats[STAT_ANSWERED]++;
		return out_len;
	case DNS_FORWARD:
		forward_query(netd, slot, NULL, from, &question, query, len);
		return 0;
	case DNS_DROP:
		break;
	}
	netd->stats[STAT_DROPPED]++;
	return 0;
}

void udp_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct slot *slot = OWNER_OF(slot, udp, watched);
	struct batch in, out;

	(void)events;
	for (int round = 0; round < BATCHES_A_ROUND && watched->fd >= 0; round++) {
		int n, answers = 0;

		for (int i = 0; i < BATCH_COUNT; i++)
			set_part(&in, i, netd->in[i], QUERY_MAX, &in.from[i]);
		n = recvmmsg(watched->fd, in.headers, BATCH_COUNT, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			size_t len;

			if (in.headers[i].msg_hdr.msg_flags & MSG_TRUNC)
				continue;
			len = handle(netd, slot, &in.from[i], netd->in[i], in.headers[i].msg_len,
				     netd->out[answers]);
			if (len)
				set_part(&out, answers, netd->out[answers], len, &in.from[i]),
					answers++;
		}
		send_answers(netd, watched->fd, &out, answers);
		if (n < BATCH_COUNT)
			break;
	}
}

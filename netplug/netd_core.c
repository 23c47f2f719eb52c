/* netplug/netd_core - the loop of stack-netd: one epoll, watched descriptors, the end of owners.
 *
 * Owns: the epoll, the clock of a round, the graves. May not touch: what the descriptors mean.
 */
#include "netplug/netd_core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/stamp.h"

#define EVENTS_MAX 64

int core_watch(struct netd *netd, struct watched *watched, int fd, uint32_t events,
	       watched_ready *ready, struct err *err)
{
	struct epoll_event event = { .events = events, .data = { .ptr = watched } };

	watched->fd = fd;
	watched->ready = ready;
	if (epoll_ctl(netd->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	err_sys(err, errno, "watch a descriptor");
	close(fd);
	watched->fd = -1;
	return -1;
}

void core_rewatch(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = watched } };

	epoll_ctl(netd->epoll_fd, EPOLL_CTL_MOD, watched->fd, &event);
}

void core_unwatch(struct netd *netd, struct watched *watched)
{
	if (watched->fd < 0)
		return;
	/* Others may hold duplicates of it, so closing alone does not end its events. */
	epoll_ctl(netd->epoll_fd, EPOLL_CTL_DEL, watched->fd, NULL);
	close(watched->fd);
	watched->fd = -1;
}

void core_mute(struct netd *netd, struct watched *watched)
{
	if (watched->fd >= 0)
		epoll_ctl(netd->epoll_fd, EPOLL_CTL_DEL, watched->fd, NULL);
}

void core_bury(struct netd *netd, void *owner)
{
	void **grave = xgrow(&netd->graves, &netd->grave_count, sizeof(*grave));

	*grave = owner;
}

/* splitmix64: for the order of addresses alone. */
uint64_t core_random(struct netd *netd)
{
	uint64_t value = netd->random_state += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

int core_address(const char *text, uint16_t port, struct endpoint_address *out, struct err *err)
{
	char plain[INET6_ADDRSTRLEN + 1];
	const char *scope = strchr(text, '%');
	size_t len = scope ? (size_t)(scope - text) : strlen(text);
	uint64_t number = 0;

	*out = (struct endpoint_address){ 0 };
	if (len >= sizeof(plain))
		return err_set(err, ERR_INVALID, "\"%.60s\" is no address", text);
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (!scope && inet_pton(AF_INET, plain, &out->at.in4.sin_addr) == 1) {
		out->at.in4.sin_family = AF_INET;
		out->at.in4.sin_port = htons(port);
		out->len = sizeof(out->at.in4);
		return 0;
	}
	if (inet_pton(AF_INET6, plain, &out->at.in6.sin6_addr) != 1)
		return err_set(err, ERR_INVALID, "\"%.60s\" is no address", text);
	if (scope &&
	    num_parse_u64("scope", scope + 1, strlen(scope + 1), 1, UINT32_MAX, &number, err) < 0)
		return -1;
	out->at.in6.sin6_family = AF_INET6;
	out->at.in6.sin6_port = htons(port);
	out->at.in6.sin6_scope_id = (uint32_t)number;
	out->len = sizeof(out->at.in6);
	return 0;
}

char *core_address_text(const struct endpoint_address *address, char *out)
{
	if (address->at.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->at.in4.sin_addr, out, 80);
		return out;
	}
	inet_ntop(AF_INET6, &address->at.in6.sin6_addr, out, 80);
	if (address->at.in6.sin6_scope_id)
		snprintf(out + strlen(out), 80 - strlen(out), "%%%u",
			 address->at.in6.sin6_scope_id);
	return out;
}

bool core_same_address(const struct endpoint_address *a, const struct endpoint_address *b)
{
	if (a->at.any.sa_family != b->at.any.sa_family)
		return false;
	if (a->at.any.sa_family == AF_INET)
		return a->at.in4.sin_port == b->at.in4.sin_port &&
		       a->at.in4.sin_addr.s_addr == b->at.in4.sin_addr.s_addr;
	return a->at.in6.sin6_port == b->at.in6.sin6_port &&
	       memcmp(&a->at.in6.sin6_addr, &b->at.in6.sin6_addr, 16) == 0;
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Nothing is held and nobody is there to bring anything; of a retired one: all that was on its way
 * has ended. */
static bool is_idle(const struct netd *netd)
{
	if (netd->is_retired)
		return TAILQ_EMPTY(&netd->conversations) && TAILQ_EMPTY(&netd->pendings) &&
		       TAILQ_EMPTY(&netd->clients) && TAILQ_EMPTY(&netd->flows) &&
		       !netd->pair_count;
	return TAILQ_EMPTY(&netd->conversations) && TAILQ_EMPTY(&netd->slots) &&
	       TAILQ_EMPTY(&netd->holds) && TAILQ_EMPTY(&netd->relays);
}

int core_run(struct netd *netd, struct err *err)
{
	struct epoll_event events[EVENTS_MAX];

	while (!netd->is_ended && !is_idle(netd)) {
		int wait_ms, n;

		netd->now_ms = stamp_monotonic_us() / 1000;
		wait_ms = sooner(forward_timer(netd), sooner(client_timer(netd), flow_timer(netd)));
		n = epoll_wait(netd->epoll_fd, events, EVENTS_MAX, wait_ms);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "epoll_wait");
		netd->now_ms = stamp_monotonic_us() / 1000;
		for (int i = 0; i < n; i++) {
			struct watched *watched = events[i].data.ptr;

			if (watched->fd >= 0)
				watched->ready(netd, watched, events[i].events);
		}
		while (netd->grave_count)
			free(netd->graves[--netd->grave_count]);
	}
	return 0;
}

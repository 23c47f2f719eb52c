/* netplug/netd_slot - the slots that stack-netd answers: their sockets, servers and place in the
 * zone.
 *
 * Owns: the list of slots. May not touch: queries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/netd_core.h"

#define TCP_BACKLOG 64

struct slot *slot_find(struct netd *netd, const char *name)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &netd->slots, next)
	if (strcmp(slot->name, name) == 0)
		return slot;
	return NULL;
}

void slot_drop(struct netd *netd, struct slot *slot)
{
	TAILQ_REMOVE(&netd->slots, slot, next);
	while (!TAILQ_EMPTY(&slot->clients))
		client_close(netd, TAILQ_FIRST(&slot->clients));
	forward_forget_slot(netd, slot);
	core_unwatch(netd, &slot->udp);
	core_unwatch(netd, &slot->tcp);
	core_unwatch(netd, &slot->upstream);
	if (slot->upstream_tcp_fd >= 0)
		close(slot->upstream_tcp_fd);
	core_bury(netd, slot);
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int slot_add(struct netd *netd, const char *name, const int fds[4],
	     const struct server_list *servers, bool internal_only, struct err *err)
{
	struct slot *old = slot_find(netd, name), *slot = xcalloc(1, sizeof(*slot));
	struct watched *places[3] = { &slot->udp, &slot->tcp, &slot->upstream };
	static watched_ready *const readers[3] = { udp_ready, tcp_accept, forward_upstream_ready };
	int status = 0;

	snprintf(slot->name, sizeof(slot->name), "%s", name);
	slot->internal_only = internal_only;
	slot->servers = *servers;
	slot->asker = netd->zone ? zone_index_asker(netd->zone, name) : -1;
	slot->upstream_tcp_fd = fds[3];
	TAILQ_INIT(&slot->by_slot);
	TAILQ_INIT(&slot->clients);
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0 && set_nonblocking(fds[i]) < 0)
			status = err_sys(err, errno, "slot %s", name);
	if (fds[1] >= 0 && listen(fds[1], TCP_BACKLOG) < 0)
		status = err_sys(err, errno, "slot %s: listen", name);
	for (size_t i = 0; i < 3; i++) {
		places[i]->fd = -1;
		if (fds[i] >= 0 &&
		    core_watch(netd, places[i], fds[i], EPOLLIN, readers[i], err) < 0)
			status = -1;
	}
	TAILQ_INSERT_TAIL(&netd->slots, slot, next);
	if (status < 0)
		slot_drop(netd, slot);
	else if (old)
		slot_drop(netd, old);
	return status;
}

/* netplug/netd_main - program stack-netd: names and relays of one project, without any right.
 *
 * Owns: the start. May not touch: packets. Usage: stack-netd PROJECT, with the descriptors of
 * netplug/netd.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/message.h"
#include "netplug/relay.h"

#define FDS_WITHOUT_PAIRS 12000u /* pending queries, clients, sockets of slots */
#define FDS_PER_PAIR      6u

/* As many descriptors as the system lets us have; what remains beside names is for relayed
 * connections. */
static void raise_descriptors(struct netd *netd)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	netd->pair_max = limit.rlim_cur > 2 * FDS_WITHOUT_PAIRS
				 ? (limit.rlim_cur - FDS_WITHOUT_PAIRS) / FDS_PER_PAIR
				 : limit.rlim_cur / (2 * FDS_PER_PAIR);
}

static int open_all(struct netd *netd, struct err *err)
{
	struct sigaction ignored = { .sa_handler = SIG_IGN };

	TAILQ_INIT(&netd->conversations);
	TAILQ_INIT(&netd->slots);
	TAILQ_INIT(&netd->holds);
	TAILQ_INIT(&netd->relays);
	TAILQ_INIT(&netd->pendings);
	TAILQ_INIT(&netd->clients);
	TAILQ_INIT(&netd->flows);
	netd->owner_uid = geteuid();
	sigaction(SIGPIPE, &ignored, NULL);
	sigaction(SIGHUP, &ignored, NULL);
	sigaction(SIGINT, &ignored, NULL); /* a Ctrl-C on the terminal of a foreground `up` */
	raise_descriptors(netd);
	if (getrandom(&netd->random_state, sizeof(netd->random_state), 0) < 0)
		return err_sys(err, errno, "random numbers");
	netd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (netd->epoll_fd < 0)
		return err_sys(err, errno, "epoll");
	if (fcntl(NETD_LISTEN_FD, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(NETD_PAIR_FD, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, errno, "descriptors %d and %d", NETD_LISTEN_FD, NETD_PAIR_FD);
	return core_watch(netd, &netd->listener, NETD_LISTEN_FD, EPOLLIN, talk_accept, err) < 0 ||
			       talk_add(netd, NETD_PAIR_FD, err) < 0
		       ? -1
		       : 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct netd *netd;

	if (argc != 2) {
		fprintf(stderr, "usage: stack-netd PROJECT (started by stack: see docs/netd.md)\n");
		return 2;
	}
	netd = xcalloc(1, sizeof(*netd));
	netd->project = argv[1];
	if (open_all(netd, &err) < 0 || jail_enter(&err) < 0 || core_run(netd, &err) < 0) {
		log_error("netd-failed", KV_S("project", argv[1]), KV_S("error", err.msg));
		return err_exit_status(err.code);
	}
	return 0;
}

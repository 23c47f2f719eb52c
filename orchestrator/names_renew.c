/* orchestrator/names_renew - another stack-netd in the place of the one that runs, without a name
 * or a connection lost.
 *
 * Owns: the hand-over. May not touch: what netd does with its sockets, when this is wanted
 * (repair).
 *
 * 1. the new one starts beside the old one and gets the zone, and duplicates of what is held and
 * relayed;
 * 2. the old one retires: queries wait in their sockets, what is connected goes on with it;
 * 3. when no question of it is on its way to a name server any more, the new one gets the sockets
 * of the slots: an answer that comes to a shared socket would be read by the wrong one;
 * 4. its listening socket takes the name in the run folder.
 * Until 2 a failure leaves everything with the old one; after that the repair asks the monitors for
 * sockets.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/message.h"
#include "base/process.h"
#include "orchestrator/names_inner.h"

#define QUIET_TRIES                                                                                \
	100 /* of QUIET_WAIT_MS: a name server answers within that, or the question is lost */
#define QUIET_WAIT_MS 10

struct renewal {
	struct names *names;
	struct json_object *held; /* netd_list of the old one */
	int fd, pidfd;            /* the new one */
};

void names_end_half_renewed(const struct names *names)
{
	struct err ignored = ERR_NONE;
	AUTO(fd)
	int fd = message_connect(names->dirs->run_fd, NAMES_NEW_SOCKET, SOCK_SEQPACKET, &ignored);
	AUTO(fd) int pidfd = -1;
	struct netd_hello hello;

	if (fd >= 0 && netd_hello(fd, &hello, &ignored) == 0) {
		pidfd = process_pidfd_open((pid_t)hello.pid);
		netd_end(fd, &ignored);
		if (pidfd >= 0)
			process_wait_end(pidfd, NETD_TIMEOUT_MS, &ignored);
	}
	unlinkat(names->dirs->run_fd, NAMES_NEW_SOCKET, 0);
}

/* The program at netd's path is another file than the one that runs. What cannot be seen counts as
 * the same. */
static bool is_replaced(const struct names *names, pid_t pid)
{
	struct stat runs, installed;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, &runs) == 0 && stat(names->netd_path, &installed) == 0 &&
	       (runs.st_dev != installed.st_dev || runs.st_ino != installed.st_ino);
}

static int give_zone(const struct renewal *renewal, struct err *err)
{
	AUTO(fd) int zone_fd = openat(renewal->names->dirs->run_fd, "zone", O_RDONLY | O_CLOEXEC);

	return zone_fd < 0 ? 0 : netd_zone(renewal->fd, zone_fd, err); /* none yet: it comes */
}

static int give_holds(const struct renewal *renewal, struct err *err)
{
	struct json_object *holds = json_array_at(renewal->held, "holds");

	for (size_t i = 0; i < json_array_count(holds); i++) {
		struct netd_hold hold = { .key = json_array_text(holds, i) };
		AUTO(fd) int fd = netd_socket(renewal->names->conversation_fd, hold.key, err);

		hold.fd = fd;
		if (fd < 0 || netd_hold(renewal->fd, &hold, 1, err) < 0)
			return -1;
	}
	return 0;
}

static int give_relays(const struct renewal *renewal, struct err *err)
{
	struct json_object *relays = json_array_at(renewal->held, "relays");

	for (size_t i = 0; i < json_array_count(relays); i++) {
		struct json_object *one = json_object_array_get_idx(relays, i);
		struct netd_relay relay = { .key = json_text_or(one, "key", ""),
					    .address = json_text_or(one, "address", ""),
					    .port = (uint16_t)json_int_or(one, "port", 0) };
		AUTO(fd) int fd = netd_socket(renewal->names->conversation_fd, relay.key, err);

		relay.fd = fd;
		if (fd < 0 || netd_relay(renewal->fd, &relay, err) < 0)
			return -1;
	}
	return 0;
}

static int give_slot(const struct renewal *renewal, struct json_object *one, struct err *err)
{
	struct json_object *list = json_array_at(one, "servers");
	const char *servers[NETD_SERVERS_MAX];
	struct netd_slot slot;
	int status;

	if (netd_slot_sockets(renewal->names->conversation_fd, json_text_or(one, "slot", ""), &slot,
			      err) < 0)
		return -1;
	slot.servers = servers;
	for (size_t i = 0; i < json_array_count(list) && i < NETD_SERVERS_MAX; i++)
		servers[slot.server_count++] = json_array_text(list, i);
	status = netd_slot_add(renewal->fd, &slot, err);
	{
		const int fds[] = { slot.udp_fd, slot.tcp_fd, slot.upstream_fd,
				    slot.upstream_tcp_fd };

		for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	return status;
}

static void await_quiet(const struct renewal *renewal)
{
	for (int i = 0; i < QUIET_TRIES; i++) {
		AUTO(json) struct json_object *stats = NULL;
		struct err ignored = ERR_NONE;

		if (netd_stats(renewal->names->conversation_fd, &stats, &ignored) < 0 ||
		    json_int_or(stats, "outstanding", 0) == 0)
			return;
		poll(NULL, 0, QUIET_WAIT_MS);
	}
}

static int hand_over(const struct renewal *renewal, struct err *err)
{
	struct json_object *slots = json_array_at(renewal->held, "slots");
	int run_fd = renewal->names->dirs->run_fd;

	crash_point("renew", "fed");
	if (netd_retire(renewal->names->conversation_fd, err) < 0)
		return -1;
	crash_point("renew", "retired");
	await_quiet(renewal);
	for (size_t i = 0; i < json_array_count(slots); i++)
		if (give_slot(renewal, json_object_array_get_idx(slots, i), err) < 0)
			return -1;
	crash_point("renew", "given");
	return renameat(run_fd, NAMES_NEW_SOCKET, run_fd, NETD_SOCKET) < 0
		       ? err_set(err, ERR_SYSTEM, "the new socket of netd gets no name")
		       : 0;
}

/* The one that we do not speak to any more ends by itself. */
static void let_go(int conversation_fd, int pidfd)
{
	if (conversation_fd >= 0)
		close(conversation_fd);
	if (pidfd < 0)
		return;
	waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
	close(pidfd);
}

static void drop_new(struct renewal *renewal)
{
	struct err ignored = ERR_NONE;

	if (renewal->fd >= 0)
		netd_end(renewal->fd, &ignored);
	if (renewal->pidfd >= 0 && process_wait_end(renewal->pidfd, NETD_TIMEOUT_MS, &ignored) == 0)
		waitid(P_PIDFD, (id_t)renewal->pidfd, &(siginfo_t){ 0 }, WEXITED);
	let_go(renewal->fd, renewal->pidfd);
	unlinkat(renewal->names->dirs->run_fd, NAMES_NEW_SOCKET, 0);
}

static int renew(struct names *names, struct err *err)
{
	struct renewal renewal = { .names = names, .fd = -1, .pidfd = -1 };
	int status;

	names_end_half_renewed(names);
	status = netd_list(names->conversation_fd, &renewal.held, err);
	if (status == 0)
		status = names_start_process(names, NAMES_NEW_SOCKET, &renewal.fd, &renewal.pidfd,
					     err);
	crash_point("renew", "started");
	if (status == 0 && (give_zone(&renewal, err) < 0 || give_holds(&renewal, err) < 0 ||
			    give_relays(&renewal, err) < 0 || hand_over(&renewal, err) < 0))
		status = -1;
	json_object_put(renewal.held);
	if (status < 0) {
		drop_new(&renewal);
		return -1;
	}
	let_go(names->conversation_fd, names->pidfd);
	names->conversation_fd = renewal.fd;
	names->pidfd = renewal.pidfd;
	names->generation++;
	return 0;
}

int names_renew(struct names *names, bool *out_renewed, struct err *err)
{
	struct err absent = ERR_NONE;
	struct netd_hello hello;
	int status = 0;

	*out_renewed = false;
	pthread_mutex_lock(&names->ports); /* no socket is on its way to the old one */
	pthread_mutex_lock(&names->lock);
	if (names->conversation_fd >= 0 &&
	    netd_hello(names->conversation_fd, &hello, &absent) == 0 &&
	    is_replaced(names, (pid_t)hello.pid)) {
		status = renew(names, err);
		*out_renewed = status == 0;
	}
	pthread_mutex_unlock(&names->lock);
	pthread_mutex_unlock(&names->ports);
	return status;
}

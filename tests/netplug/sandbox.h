/* tests/netplug/sandbox - namespaces for the kernel tests: a host of their own, containers, an
 * outside.
 *
 * sandbox_enter() moves the test into a network and mount namespace of its own; nothing here runs
 * in the one that the machine lives in. Everything is gone when the test ends.
 */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netlink.h>

#include "base/err.h"
#include "netplug/address.h"
#include "netplug/attach.h"
#include "netplug/link.h"
#include "netplug/nat.h"
#include "netplug/network.h"

#define check(call)                                                                                \
	do {                                                                                       \
		if ((call) < 0) {                                                                  \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, err.msg);    \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

static inline void sandbox_run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		fail();
	}
}

static inline ino_t sandbox_net_id(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

/* A namespace of our own, with loopback up. */
static inline void sandbox_enter(void)
{
	ino_t before = sandbox_net_id();

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || sandbox_net_id() == before) {
		fprintf(stderr, "needs root: no namespace of its own\n");
		exit(77);
	}
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	sandbox_run("ip link set lo up");
	sandbox_run("echo 0 > /proc/sys/net/ipv4/ip_forward");
}

/* A namespace beside ours, with what a monitor would hand up. */
struct space {
	int netns_fd, route_fd, netfilter_fd;
};

static inline int sandbox_here(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline struct space space_new(void)
{
	int home = sandbox_here();
	struct space space;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	space.netns_fd = sandbox_here();
	space.route_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	space.netfilter_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return space;
}

static inline void space_free(struct space *space)
{
	close(space->netns_fd);
	close(space->route_fd);
	close(space->netfilter_fd);
}

/* Steps into a space (NULL: stays); returns the way back. */
static inline int space_step(const struct space *space)
{
	int home = sandbox_here();

	if (space)
		assert_int_equal(setns(space->netns_fd, CLONE_NEWNET), 0);
	return home;
}

static inline void space_back(int home)
{
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
}

static inline void space_run(const struct space *space, const char *command)
{
	int home = space_step(space);

	sandbox_run(command);
	space_back(home);
}

static inline socklen_t sandbox_name(const char *address, uint16_t port,
				     struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

/* A socket bound in a space; listening when it is a stream. */
static inline int space_serve(const struct space *space, int type, const char *address,
			      uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t len = sandbox_name(address, port, &name);
	int home = space_step(space), on = 1;
	int fd = socket(name.ss_family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 128), 0);
	space_back(home);
	return fd;
}

enum reach { REACHED, REFUSED, SILENT };

/* Connects from a space. REACHED: *out_fd (may be NULL) is the client's socket. SILENT after
 * wait_ms. */
static inline enum reach space_try(const struct space *space, const char *address, uint16_t port,
				   int wait_ms, int *out_fd)
{
	struct sockaddr_storage name;
	socklen_t len = sandbox_name(address, port, &name);
	int home = space_step(space), error = 0;
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd waiting = { .fd = fd, .events = POLLOUT };
	socklen_t error_len = sizeof(error);
	enum reach reach = REACHED;

	space_back(home);
	if (connect(fd, (struct sockaddr *)&name, len) < 0 && errno != EINPROGRESS)
		reach = REFUSED;
	else if (poll(&waiting, 1, wait_ms) == 0)
		reach = SILENT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error)
		reach = REFUSED;
	if (reach == REACHED && out_fd)
		*out_fd = fd;
	else
		close(fd);
	return reach;
}

/* What is to be silent is given 400 ms, what is to answer enough for a busy machine. */
#define assert_reach(space, address, port, expected)                                               \
	assert_int_equal(                                                                          \
		space_try((space), (address), (port), (expected) == SILENT ? 400 : 5000, NULL),    \
		(expected))

/* One connection to a listening socket: accepted, and the peer's address as text in `from` (may be
 * NULL). */
static inline bool space_accepts(int listen_fd, char *from)
{
	struct pollfd waiting = { .fd = listen_fd, .events = POLLIN };
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd;

	if (poll(&waiting, 1, 5000) != 1)
		return false;
	fd = accept4(listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (from)
		inet_ntop(peer.ss_family,
			  peer.ss_family == AF_INET
				  ? (void *)&((struct sockaddr_in *)&peer)->sin_addr
				  : (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr,
			  from, INET6_ADDRSTRLEN);
	close(fd);
	return fd >= 0;
}

/* ---- networks without the books */

static inline struct prefix sandbox_prefix(const char *text)
{
	struct prefix p;
	struct err err = ERR_NONE;

	check(prefix_parse("test", text, &p, &err));
	return p;
}

static inline struct address sandbox_address(const char *text)
{
	struct address a;
	struct err err = ERR_NONE;

	check(address_parse("test", text, &a, &err));
	return a;
}

/* A bridge network record with the given subnets; gateway the first address of each. */
static inline struct network_record *sandbox_network(struct arena *arena, const char *name,
						     const char *v4, const char *v6)
{
	struct network_record *network = arena_alloc(arena, sizeof(*network));
	const char *texts[] = { v4, v6 };

	network->name = arena_strdup(arena, name);
	network->project = "test";
	network->driver = NETWORK_BRIDGE;
	network->ipv4 = v4 != NULL;
	network->ipv6 = v6 != NULL;
	network->subnets = arena_alloc(arena, 2 * sizeof(*network->subnets));
	naming_bridge(network->bridge, name, 0);
	for (size_t i = 0; i < 2; i++) {
		struct network_subnet *subnet = &network->subnets[network->subnet_count];

		if (!texts[i])
			continue;
		subnet->subnet = subnet->dynamic = sandbox_prefix(texts[i]);
		subnet->gateway = ipam_first_usable(&subnet->subnet);
		network->subnet_count++;
	}
	return network;
}

static inline void sandbox_bridge(struct rtnl *host, struct arena *arena,
				  const struct network_record *network, unsigned group)
{
	struct bridge_want want;
	struct err err = ERR_NONE;

	link_bridge_of(network, arena, group, &want);
	check(link_ensure_bridges(host, &want, 1, &err));
}

/* The job of one slot on one network: address number `host_part` of each subnet, default routes
 * there. */
static inline struct attach_job sandbox_job(struct arena *arena, const struct space *space,
					    const struct network_record *network, const char *slot,
					    unsigned host_part, unsigned group)
{
	struct attach_job job = { .netns_fd = space->netns_fd,
				  .route_fd = space->route_fd,
				  .netfilter_fd = space->netfilter_fd,
				  .group = group,
				  .interface_count = 1 };
	struct network_lease lease = { .slot = slot };

	for (size_t i = 0; i < network->subnet_count; i++) {
		struct prefix net = prefix_network(&network->subnets[i].subnet);
		struct address a = address_add(&net.addr, host_part);

		if (a.family == AF_INET) {
			lease.v4 = a;
			lease.v4_len = net.len;
		} else {
			lease.v6 = a;
			lease.v6_len = net.len;
		}
	}
	naming_mac(lease.mac, "machine", network->name, slot);
	job.interfaces = arena_alloc(arena, sizeof(*job.interfaces));
	attach_interface_of(arena, network, &lease, "eth0", 0, job.interfaces);
	for (size_t i = 0; i < network->subnet_count; i++) {
		struct address gateway = network->subnets[i].gateway;

		if (network->internal)
			continue;
		if (gateway.family == AF_INET)
			job.interfaces->default4 = gateway;
		else
			job.interfaces->default6 = gateway;
	}
	return job;
}

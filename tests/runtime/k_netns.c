/* tests/runtime/k_netns - mirrors runtime/netns; needs root, stays in namespaces of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "runtime/netns.h"
#include "tests/runtime/folder.h"

static ino_t own_netns(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

static ino_t netns_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A mount namespace of our own, so that no pin outlives the test; and no route to anywhere. */
static int leave_home(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0;
}

static void a_namespace_is_made_pinned_joined_and_dropped(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	char path[100];
	bool made;
	ino_t home = own_netns();
	int first, again;

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/netns/shop.web.1", folder.path);
	assert_int_equal(netns_open(path, false, &made, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_false(folder_has(&folder, "netns"));
	first = netns_open(path, true, &made, &err);
	assert_true(first >= 0);
	assert_true(made);
	assert_true(netns_is_pinned(path));
	assert_int_equal(own_netns(), home);
	assert_int_not_equal(netns_of(first), home);
	again = netns_open(path, true, &made, &err);
	assert_true(again >= 0);
	assert_false(made);
	assert_int_equal(netns_of(again), netns_of(first));
	close(first);
	close(again);
	assert_int_equal(netns_drop(path, &err), 0);
	assert_false(folder_has(&folder, "netns/shop.web.1"));
	assert_int_equal(netns_drop(path, &err), 0);
	folder_drop(&folder);
}

static void a_file_without_a_pin_is_used_and_another_kind_refused(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	char path[100];
	bool made;
	int fd;

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/x", folder.path);
	folder_write(&folder, "x", ""); /* a crash between the file and its pin */
	assert_int_equal(netns_open(path, false, &made, &err), -1);
	fd = netns_open(path, true, &made, &err);
	assert_true(fd >= 0 && made);
	close(fd);
	assert_int_equal(netns_drop(path, &err), 0);
	folder_write(&folder, "x", "");
	assert_int_equal(mount("/proc/self/ns/uts", path, NULL, MS_BIND, NULL), 0);
	assert_int_equal(netns_open(path, true, &made, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(netns_drop(path, &err), 0);
	folder_drop(&folder);
}

static int lo_is_up(void *ctx, struct err *err)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = *(in_port_t *)ctx };

	(void)err;
	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static void sockets_come_from_inside_in_the_order_asked(void **state)
{
	static const enum netns_socket kinds[] = { NETNS_DNS, NETNS_ROUTE, NETNS_NETFILTER,
						   NETNS_DNS_TCP };
	struct folder folder;
	struct err err = ERR_NONE;
	struct sockaddr_in udp, tcp;
	socklen_t len = sizeof(udp);
	int fds[NETNS_SOCKETS_MAX], protocol;
	size_t count;
	char path[100];
	bool made;
	int netns;
	ino_t home = own_netns();

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/x", folder.path);
	netns = netns_open(path, true, &made, &err);
	assert_int_equal(netns_sockets(netns, kinds, 4, fds, &count, &err), 0);
	assert_int_equal(count, 6);
	assert_int_equal(own_netns(), home);
	assert_int_equal(getsockname(fds[0], (struct sockaddr *)&udp, &len), 0);
	assert_int_equal(ntohl(udp.sin_addr.s_addr), 0x7f00000b);
	assert_true(udp.sin_port != 0);
	len = sizeof(tcp);
	assert_int_equal(getsockname(fds[1], (struct sockaddr *)&tcp, &len), 0);
	assert_int_equal(ntohl(tcp.sin_addr.s_addr), 0x7f00000b);
	len = sizeof(protocol);
	assert_int_equal(getsockopt(fds[3], SOL_SOCKET, SO_PROTOCOL, &protocol, &len), 0);
	assert_int_equal(protocol, NETLINK_ROUTE);
	assert_int_equal(getsockopt(fds[4], SOL_SOCKET, SO_PROTOCOL, &protocol, &len), 0);
	assert_int_equal(protocol, NETLINK_NETFILTER);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	len = sizeof(protocol);
	assert_int_equal(getsockopt(fds[2], IPPROTO_IPV6, IPV6_V6ONLY, &protocol, &len), 0);
	assert_int_equal(protocol, 0); /* servers of both families */
	assert_int_equal(getsockopt(fds[5], SOL_SOCKET, SO_TYPE, &protocol, &len), 0);
	assert_int_equal(protocol, SOCK_STREAM);
	/* The listener answers inside, not here (lo of this namespace is down). */
	assert_int_equal(netns_run(netns, lo_is_up, &(in_port_t){ tcp.sin_port }, &err), -1);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	close(netns);
	assert_int_equal(netns_drop(path, &err), 0);
	folder_drop(&folder);
}

static void sysctls_are_written_inside_and_only_of_net(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	char path[100];
	bool made;
	int netns;

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/x", folder.path);
	netns = netns_open(path, true, &made, &err);
	assert_int_equal(netns_sysctl(netns, "net.ipv4.conf.lo.forwarding", "1", &err), 0);
	assert_int_equal(netns_sysctl(netns, "net/ipv4/conf/lo/arp_ignore", "1", &err), 0);
	{
		AUTO(fd)
		int fd = open("/proc/sys/net/ipv4/conf/lo/forwarding", O_RDONLY | O_CLOEXEC);
		char value = '?';

		assert_int_equal(read(fd, &value, 1), 1);
		assert_int_equal(value, '0'); /* ours is untouched */
	}
	assert_int_equal(netns_sysctl(netns, "net.ipv4.no_such", "1", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(netns_sysctl(netns, "kernel.hostname", "x", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(netns_sysctl(netns, "net/../kernel/hostname", "x", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(netns_sysctl(netns, "network", "x", &err), -1);
	close(netns);
	assert_int_equal(netns_drop(path, &err), 0);
	folder_drop(&folder);
}

static char switch_of(int netns, const char *path)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	char value = '?';

	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &value, 1) != 1)
		value = '?';
	close(fd);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return value;
}

static void a_new_namespace_is_no_router_and_believes_none(void **state)
{
	static const char ra[] = "/proc/sys/net/ipv6/conf/default/accept_ra";
	struct folder folder;
	struct err err = ERR_NONE;
	char path[100];
	bool made;
	int netns;

	(void)state;
	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/netns/shop.web.1", folder.path);
	netns = netns_open(path, true, &made, &err);
	assert_true(netns >= 0);
	assert_int_equal(switch_of(netns, "/proc/sys/net/ipv4/ip_forward"), '0');
	if (access(ra, F_OK) == 0)
		assert_int_equal(switch_of(netns, ra), '0');
	/* One that is there keeps what somebody set. */
	assert_int_equal(netns_sysctl(netns, "net.ipv4.ip_forward", "1", &err), 0);
	close(netns);
	netns = netns_open(path, true, &made, &err);
	assert_false(made);
	assert_int_equal(switch_of(netns, "/proc/sys/net/ipv4/ip_forward"), '1');
	close(netns);
	assert_int_equal(netns_drop(path, &err), 0);
	folder_drop(&folder);
}

static void many_are_dropped_in_one_call(void **state)
{
	struct folder folder;
	struct err err = ERR_NONE;
	char paths[3][100];
	char verb[] = "netns-drop";
	char *argv[] = { verb, paths[0], paths[1], paths[2], NULL };
	bool made;

	(void)state;
	folder_make(&folder);
	for (int i = 0; i < 3; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", folder.path, i);
		close(netns_open(paths[i], true, &made, &err));
	}
	assert_int_equal(netns_drop_main(4, argv), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(access(paths[i], F_OK), -1);
	folder_drop(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_is_made_pinned_joined_and_dropped),
		cmocka_unit_test(a_file_without_a_pin_is_used_and_another_kind_refused),
		cmocka_unit_test(sockets_come_from_inside_in_the_order_asked),
		cmocka_unit_test(sysctls_are_written_inside_and_only_of_net),
		cmocka_unit_test(a_new_namespace_is_no_router_and_believes_none),
		cmocka_unit_test(many_are_dropped_in_one_call),
	};

	return cmocka_run_group_tests(tests, leave_home, NULL);
}

/* tests/runtime/k_probe - mirrors runtime/probe; needs root, stays in a network namespace of its
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/probe.h"

static int leave_home(void **state)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	AUTO(fd) int fd = -1;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int own_netns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int listener(int family, uint16_t *out_port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	struct sockaddr *address =
		family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, address, len), 0);
	assert_int_equal(getsockname(fd, address, &len), 0);
	*out_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static bool listens(uint16_t port)
{
	AUTO(fd) int netns = own_netns();
	struct err err = ERR_NONE;
	bool result;

	assert_int_equal(probe_listens(netns, port, &result, &err), 0);
	return result;
}

static void a_bound_port_listens_only_after_listen(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint16_t port;
		int fd = listener(families[i], &port);

		assert_false(listens(port));
		assert_int_equal(listen(fd, 1), 0);
		assert_true(listens(port));
		assert_false(listens((uint16_t)(port ^ 1)));
		close(fd);
		assert_false(listens(port));
	}
}

static int finish(int fd, struct err *err)
{
	struct pollfd entry = { .fd = fd, .events = POLLOUT };

	assert_int_equal(poll(&entry, 1, 2000), 1);
	return probe_connected(fd, err);
}

static void a_connection_is_made_or_refused(void **state)
{
	AUTO(fd) int netns = own_netns();
	struct err err = ERR_NONE;
	uint16_t port;
	int server = listener(AF_INET, &port), fd;

	(void)state;
	fd = probe_connect(netns, "127.0.0.1", port, &err);
	assert_true(fd < 0 || finish(fd, &err) < 0); /* bound, but nobody listens */
	if (fd >= 0)
		close(fd);
	listen(server, 1);
	fd = probe_connect(netns, "127.0.0.1", port, &err);
	assert_true(fd >= 0);
	assert_int_equal(finish(fd, &err), 0);
	close(fd);
	close(server);
	assert_int_equal(probe_connect(netns, "localhost", port, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	server = listener(AF_INET6, &port);
	listen(server, 1);
	fd = probe_connect(netns, "::1", port, &err);
	assert_true(fd >= 0);
	assert_int_equal(finish(fd, &err), 0);
	close(fd);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bound_port_listens_only_after_listen),
		cmocka_unit_test(a_connection_is_made_or_refused),
	};

	return cmocka_run_group_tests(tests, leave_home, NULL);
}

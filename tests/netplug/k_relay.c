/* tests/netplug/k_relay - mirrors netplug/relay and relay_flow, in stack-netd as a program.
 *
 * Root. In a network namespace of its own: ::1 and 127.0.0.1 play the host, 127.0.0.2 the
 * container.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"
#include "netplug/netd.h"

#define BULK_BYTES (64u << 20)

static struct world {
	char program[4096], dir[64];
	int dir_fd, talk;
	pid_t netd;
} world;

static struct sockaddr_storage address(const char *text, uint16_t port, socklen_t *out_len)
{
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in *four = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		at.ss_family = AF_INET;
		four->sin_port = htons(port);
		*out_len = sizeof(*four);
	} else {
		inet_pton(AF_INET6, text, &six->sin6_addr);
		at.ss_family = AF_INET6;
		six->sin6_port = htons(port);
		*out_len = sizeof(*six);
	}
	return at;
}

static int bound(const char *text, uint16_t port, int type)
{
	socklen_t len;
	struct sockaddr_storage at = address(text, port, &len);
	int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0), on = 1;
	struct timeval limit = { .tv_sec = 5 };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (at.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

static int connected(const char *text, uint16_t port, int type)
{
	socklen_t len;
	struct sockaddr_storage at = address(text, port, &len);
	int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

static void add_relay(const char *key, const char *text, uint16_t port, int type, const char *to,
		      uint16_t to_port)
{
	AUTO(fd) int fd = bound(text, port, type);
	const struct netd_relay relay = { key, fd, to, to_port };
	struct err err = ERR_NONE;

	assert_int_equal(netd_relay(world.talk, &relay, &err), 0);
}

/* The container's echo server; ends with the test. */
static pid_t echo_server(uint16_t port, uint8_t mark)
{
	AUTO(fd) int tcp = bound("127.0.0.2", port, SOCK_STREAM);
	AUTO(fd) int udp = bound("127.0.0.2", port, SOCK_DGRAM);
	pid_t pid;

	listen(tcp, 512);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd fds[2] = {
			{.fd = tcp,  .events = POLLIN},
                        { .fd = udp, .events = POLLIN}
		};
		static uint8_t bytes[65536];
		ssize_t n;

		poll(fds, 2, -1);
		if (fds[1].revents) {
			struct sockaddr_in from;
			socklen_t len = sizeof(from);

			n = recvfrom(udp, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);
			bytes[0] = mark;
			sendto(udp, bytes, (size_t)n, 0, (struct sockaddr *)&from, len);
		}
		if (fds[0].revents) {
			int fd = accept(tcp, NULL, NULL);

			if (fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
					bytes[0] = mark ? mark : bytes[0];
					for (ssize_t at = 0; at < n;) {
						ssize_t m = send(fd, bytes + at, (size_t)(n - at),
								 MSG_NOSIGNAL);

						if (m <= 0)
							_exit(0);
						at += m;
					}
				}
				if (n == 0 && send(fd, "bye", 3, MSG_NOSIGNAL) <
						      0) /* after the client's end */
					_exit(1);
				_exit(0);
			}
			close(fd);
		}
	}
}

static int set_up(void **state)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct err err = ERR_NONE;
	int pair[2], listener, fd;

	(void)state;
	snprintf(world.dir, sizeof(world.dir), P_tmpdir "/k_relay.XXXXXX");
	if (unshare(CLONE_NEWNET) < 0 || !mkdtemp(world.dir))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	world.dir_fd = open(world.dir, O_DIRECTORY | O_CLOEXEC);
	listener = message_listen(world.dir_fd, NETD_SOCKET, SOCK_SEQPACKET, true, &err);
	if (listener < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	world.netd = fork();
	if (world.netd == 0) {
		int high = fcntl(pair[1], F_DUPFD, 20);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it cannot look at itself */
		dup2(fcntl(listener, F_DUPFD, 20), NETD_LISTEN_FD);
		dup2(high, NETD_PAIR_FD);
		close_range(5, ~0u, 0);
		execl(world.program, "stack-netd", "shop", (char *)NULL);
		_exit(127);
	}
	close(listener);
	close(pair[1]);
	world.talk = pair[0];
	return 0;
}

static int tear_down(void **state)
{
	struct err err = ERR_NONE;
	int status = -1;

	(void)state;
	netd_end(world.talk, &err);
	waitpid(world.netd, &status, 0);
	unlinkat(world.dir_fd, NETD_SOCKET, 0);
	rmdir(world.dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_container_without_ipv6_is_reached_at_the_v6_loopback(void **state)
{
	pid_t server = echo_server(80, 0);
	char got[64] = "";
	size_t len = 0;
	ssize_t n;
	AUTO(fd) int fd = -1;

	(void)state;
	add_relay("tcp ::1 8080", "::1", 8080, SOCK_STREAM, "127.0.0.2", 80);
	fd = connected("::1", 8080, SOCK_STREAM);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 5);
	assert_string_equal(got, "hello");
	shutdown(fd, SHUT_WR); /* its end passes through, and the answer to it comes back */
	while ((n = recv(fd, got + len, sizeof(got) - len, 0)) > 0)
		len += (size_t)n;
	assert_int_equal(len, 3);
	assert_memory_equal(got, "bye", 3);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void many_bytes_pass_whole_both_ways(void **state)
{
	pid_t server = echo_server(81, 0), writer;
	static uint8_t bytes[65536];
	uint64_t start, got = 0, wrong = 0;
	AUTO(fd) int fd = -1;

	(void)state;
	add_relay("tcp ::1 8081", "::1", 8081, SOCK_STREAM, "127.0.0.2", 81);
	fd = connected("::1", 8081, SOCK_STREAM);
	start = stamp_monotonic_us();
	writer = fork();
	if (writer == 0) {
		for (uint32_t sent = 0; sent < BULK_BYTES; sent += (uint32_t)sizeof(bytes)) {
			for (uint32_t i = 0; i < sizeof(bytes); i += 4)
				*(uint32_t *)(void *)(bytes + i) = sent + i;
			for (size_t at = 0; at < sizeof(bytes);)
				at += (size_t)send(fd, bytes + at, sizeof(bytes) - at, 0);
		}
		_exit(0);
	}
	while (got < BULK_BYTES) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_WAITALL);

		assert_int_equal(n, sizeof(bytes));
		for (uint32_t i = 0; i < sizeof(bytes); i += 4)
			wrong += *(uint32_t *)(void *)(bytes + i) != (uint32_t)got + i;
		got += (uint64_t)n;
	}
	assert_int_equal(wrong, 0);
	print_message("relay: %.0f MiB/s each way\n",
		      (double)got / 1048576 * 1e6 / (double)(stamp_monotonic_us() - start));
	waitpid(writer, NULL, 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void a_port_where_nobody_listens_is_reset(void **state)
{
	char byte;
	AUTO(fd) int fd = -1;

	(void)state;
	add_relay("tcp ::1 8082", "::1", 8082, SOCK_STREAM, "127.0.0.2", 9);
	fd = connected("::1", 8082, SOCK_STREAM);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
}

static void datagrams_find_their_way_back_to_each_client(void **state)
{
	pid_t server = echo_server(53, 'U');
	int fds[20];

	(void)state;
	add_relay("udp ::1 8053", "::1", 8053, SOCK_DGRAM, "127.0.0.2", 53);
	for (uint8_t i = 0; i < 20; i++) {
		uint8_t text[2] = { 0, i };

		fds[i] = connected("::1", 8053, SOCK_DGRAM);
		assert_int_equal(send(fds[i], text, 2, 0), 2);
	}
	for (uint8_t i = 0; i < 20; i++) {
		uint8_t text[2] = { 0 };

		assert_int_equal(recv(fds[i], text, 2, 0), 2);
		assert_true(text[0] == 'U' && text[1] == i);
		close(fds[i]);
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
	pid_t server = echo_server(54, 'U');
	uint8_t text[2] = { 0, 1 };
	AUTO(fd) int fd = -1;

	(void)state;
	add_relay("udp 0.0.0.0 8054", "0.0.0.0", 8054, SOCK_DGRAM, "127.0.0.2", 54);
	fd = connected("127.0.0.77", 8054, SOCK_DGRAM); /* connected: another sender is not heard */
	assert_int_equal(send(fd, text, 2, 0), 2);
	assert_int_equal(recv(fd, text, 2, 0), 2);
	assert_int_equal(text[0], 'U');
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void a_new_target_is_for_new_connections(void **state)
{
	pid_t old = echo_server(90, 'a'), new = echo_server(91, 'b');
	const struct netd_relay moved = { "tcp ::1 8090", -1, "127.0.0.2", 91 };
	const struct netd_relay unknown = { "tcp ::1 1", -1, "127.0.0.2", 91 };
	struct err err = ERR_NONE;
	char got = 0;
	AUTO(fd) int first = -1;
	AUTO(fd) int second = -1;

	(void)state;
	add_relay("tcp ::1 8090", "::1", 8090, SOCK_STREAM, "127.0.0.2", 90);
	first = connected("::1", 8090, SOCK_STREAM);
	assert_int_equal(send(first, "x", 1, 0), 1);
	assert_int_equal(recv(first, &got, 1, 0), 1);
	assert_int_equal(got, 'a');
	assert_int_equal(netd_relay(world.talk, &moved, &err), 0);
	assert_int_equal(netd_relay(world.talk, &unknown, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	second = connected("::1", 8090, SOCK_STREAM);
	assert_int_equal(send(second, "x", 1, 0), 1);
	assert_int_equal(recv(second, &got, 1, 0), 1);
	assert_int_equal(got, 'b');
	assert_int_equal(send(first, "x", 1, 0), 1);
	assert_int_equal(recv(first, &got, 1, 0), 1);
	assert_int_equal(got, 'a');
	kill(old, SIGKILL);
	kill(new, SIGKILL);
	waitpid(old, NULL, 0);
	waitpid(new, NULL, 0);
}

static void a_thousand_connections_leave_nothing_behind(void **state)
{
	pid_t server = echo_server(92, 0);
	const char *const keys[] = { "tcp ::1 8092" };
	struct err err = ERR_NONE;

	(void)state;
	add_relay(keys[0], "::1", 8092, SOCK_STREAM, "127.0.0.2", 92);
	for (int i = 0; i < 1000; i++) {
		AUTO(fd) int fd = connected("::1", 8092, SOCK_STREAM);
		char got;

		assert_int_equal(send(fd, "x", 1, 0), 1);
		assert_int_equal(recv(fd, &got, 1, 0), 1);
	}
	for (int tries = 0; tries < 500; tries++) {
		AUTO(json) struct json_object *stats = NULL;

		assert_int_equal(netd_stats(world.talk, &stats, &err), 0);
		if (json_int_or(stats, "connections", -1) <=
		    2) /* those of other tests' dead servers */
			break;
		assert_int_not_equal(tries, 499);
		usleep(10000);
	}
	assert_int_equal(netd_unrelay(world.talk, keys, 1, &err), 0);
	close(bound("::1", 8092, SOCK_STREAM));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_without_ipv6_is_reached_at_the_v6_loopback),
		cmocka_unit_test(many_bytes_pass_whole_both_ways),
		cmocka_unit_test(a_port_where_nobody_listens_is_reset),
		cmocka_unit_test(datagrams_find_their_way_back_to_each_client),
		cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
		cmocka_unit_test(a_new_target_is_for_new_connections),
		cmocka_unit_test(a_thousand_connections_leave_nothing_behind),
	};

	(void)argc;
	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	snprintf(world.program, sizeof(world.program), "%s", argv[0]);
	snprintf(strstr(world.program, "tests/netplug/"), 16, "stack-netd");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

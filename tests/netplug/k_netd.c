/* tests/netplug/k_netd - stack-netd as a program: names, upstreams, conversations, rights, speed.
 *
 * Root. The test process lives in network and mount namespaces of its own; its namespace plays the
 * host's, a second one the container's. The program is build*'s own (../../stack-netd beside this
 * one).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"
#include "netplug/dns.h"
#include "netplug/netd.h"
#include "tests/netplug/query_of_test.h"
#include "tests/netplug/upstream_of_test.h"
#include "tests/netplug/zone_of_test.h"

#define RESOLVER "127.0.0.11"

static struct world {
	char program[4096], dir[64];
	int dir_fd, host_ns, container_ns;
	struct upstream host_server, container_server;
	pid_t netd;
	int talk;             /* the first conversation */
	struct netd_slot web; /* sockets of slot web.1 in container_ns */
} world;

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static int here_ns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int ns_fd)
{
	assert_int_equal(setns(ns_fd, CLONE_NEWNET), 0);
}

static int bind_resolver(int type)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, RESOLVER, &at.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* As the monitor would: sockets opened in the slot's namespace. */
static void open_slot_sockets(void)
{
	enter(world.container_ns);
	world.web =
		(struct netd_slot){ .slot = "web.1",
				    .udp_fd = bind_resolver(SOCK_DGRAM),
				    .tcp_fd = bind_resolver(SOCK_STREAM),
				    .upstream_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0),
				    .upstream_tcp_fd =
					    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (world.web.upstream_fd < 0)
		world.web.upstream_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enter(world.host_ns);
}

static void start_netd(void)
{
	struct err err = ERR_NONE;
	int pair[2],
		listener = message_listen(world.dir_fd, NETD_SOCKET, SOCK_SEQPACKET, true, &err);

	assert_true(listener >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	world.netd = fork();
	if (world.netd == 0) {
		int null = open("/dev/null", O_RDWR), high = fcntl(pair[1], F_DUPFD, 20);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fcntl(listener, F_DUPFD, 20), NETD_LISTEN_FD);
		dup2(high, NETD_PAIR_FD);
		dup2(null, 0);
		dup2(null, 1);
		close_range(5, ~0u, 0);
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it cannot look at itself */
		execl(world.program, "stack-netd", "shop", (char *)NULL);
		_exit(127);
	}
	close(listener);
	close(pair[1]);
	world.talk = pair[0];
}

static void feed_netd(int talk)
{
	struct err err = ERR_NONE;
	size_t len;
	AUTO(free) char *text = zone_text_of_test(false, &len);
	AUTO(fd) int zone_fd = -1;

	assert_int_equal(file_replace(world.dir_fd, ZONE_FILE, text, len, &err), 0);
	zone_fd = openat(world.dir_fd, ZONE_FILE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(netd_zone(talk, zone_fd, &err), 0);
	assert_int_equal(netd_upstreams(talk, TEXTS("127.0.0.53"), &err), 0);
	world.web.server_count = 0;
	world.web.internal_only = false;
	assert_int_equal(netd_slot_add(talk, &world.web, &err), 0);
}

/* The end of netd: its exit status, -1 when it does not end in five seconds. */
static int end_of_netd(void)
{
	for (int i = 0; i < 500; i++) {
		int status;

		if (waitpid(world.netd, &status, WNOHANG) == world.netd)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return -1;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(world.dir, sizeof(world.dir), P_tmpdir "/k_netd.XXXXXX");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(world.dir))
		return -1;
	world.dir_fd = open(world.dir, O_DIRECTORY | O_CLOEXEC);
	loopback_up();
	world.host_ns = here_ns();
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	loopback_up();
	world.container_ns = here_ns();
	enter(world.host_ns);
	/* What glibc and busybox read. */
	{
		struct err err = ERR_NONE;
		static const char text[] = "nameserver " RESOLVER "\noptions ndots:0\n";
		char path[128];

		snprintf(path, sizeof(path), "%s/resolv.conf", world.dir);
		if (file_replace(world.dir_fd, "resolv.conf", text, sizeof(text) - 1, &err) < 0 ||
		    chmod(path, 0644) < 0 ||
		    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
			return -1;
	}
	world.host_server = upstream_start(-1, "127.0.0.53");
	world.container_server = upstream_start(world.container_ns, "127.0.0.2");
	open_slot_sockets();
	start_netd();
	feed_netd(world.talk);
	return 0;
}

static int tear_down(void **state)
{
	struct err err = ERR_NONE;
	int ended;

	(void)state;
	netd_end(world.talk, &err);
	ended = end_of_netd();
	kill(world.host_server.pid, SIGKILL);
	kill(world.container_server.pid, SIGKILL);
	umount2("/etc/resolv.conf", MNT_DETACH);
	unlinkat(world.dir_fd, "resolv.conf", 0);
	unlinkat(world.dir_fd, ZONE_FILE, 0);
	unlinkat(world.dir_fd, NETD_SOCKET, 0);
	rmdir(world.dir);
	return ended;
}

/* Runs a command in the container's network namespace; returns its output (static) with blanks for
 * newlines. */
static const char *run(const char *command)
{
	static char out[8192];
	size_t len = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		setns(world.container_ns, CLONE_NEWNET);
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close_range(3, ~0u, 0);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((n = read(ends[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	waitpid(pid, &status, 0);
	out[len] = '\0';
	for (char *c = out; *c; c++)
		if (*c == '\n')
			*c = ' ';
	while (len && out[len - 1] == ' ')
		out[--len] = '\0';
	return out;
}

static void real_clients_get_names(void **state)
{
	(void)state;
	assert_string_equal(run("dig +short @" RESOLVER " db"), "172.20.0.5");
	assert_string_equal(run("dig +short +tcp @" RESOLVER " db"), "172.20.0.5");
	assert_string_equal(run("dig +short +noedns @" RESOLVER " db"), "172.20.0.5");
	assert_string_equal(run("dig +short -x 172.20.0.5 @" RESOLVER), "shop-db-1.shop_default.");
	assert_non_null(strstr(run("dig @" RESOLVER " db MX"), "status: NOERROR"));
	assert_non_null(strstr(run("getent ahosts db"), "172.20.0.5"));
	assert_non_null(strstr(run("getent ahosts www.shop_default"), "fd00::2"));
	assert_non_null(strstr(run("busybox nslookup db " RESOLVER), "172.20.0.5"));
	assert_non_null(strstr(run("busybox nslookup 172.20.0.5 " RESOLVER), "shop-db-1"));
}

static void other_names_come_from_the_hosts_server(void **state)
{
	(void)state;
	assert_string_equal(run("dig +short @" RESOLVER " example.org"), "127.0.0.53");
	assert_string_equal(run("dig +short +tcp @" RESOLVER " example.org"), "127.0.0.53");
	assert_string_equal(run("dig +short @" RESOLVER " single"), "127.0.0.53");
	assert_non_null(strstr(run("getent ahosts example.org"), "127.0.0.53"));
	assert_non_null(strstr(run("dig @" RESOLVER " fail.org"), "SERVFAIL"));
}

static void truncated_upstream_answers_are_asked_again_over_tcp(void **state)
{
	const char *out = run("dig +short @" RESOLVER " big.org | sort -V | tail -1");

	(void)state;
	assert_string_equal(out, "127.0.0.92"); /* dig comes back over TCP, and 40 come */
	assert_non_null(strstr(run("dig +ignore @" RESOLVER " big.org"), "flags: qr tc"));
}

static void a_dead_first_server_costs_one_try(void **state)
{
	struct err err = ERR_NONE;
	const char *out;
	uint64_t start;

	(void)state;
	/* 127.0.0.54: refused at once */
	assert_int_equal(netd_upstreams(world.talk, TEXTS("127.0.0.54", "127.0.0.53"), &err), 0);
	start = stamp_monotonic_us();
	assert_string_equal(run("dig +short +tries=1 @" RESOLVER " example.org"), "127.0.0.53");
	assert_true(stamp_monotonic_us() - start < 1500000);
	/* one that never answers: SERVFAIL after its tries, not silence */
	assert_int_equal(netd_upstreams(world.talk, TEXTS("127.0.0.53"), &err), 0);
	out = run("dig +tries=1 +timeout=9 @" RESOLVER " slow.org");
	assert_non_null(strstr(out, "SERVFAIL"));
	assert_int_equal(netd_upstreams(world.talk, NULL, 0, &err), 0);
	start = stamp_monotonic_us();
	assert_non_null(strstr(run("dig +tries=1 @" RESOLVER " example.org"), "SERVFAIL"));
	assert_true(stamp_monotonic_us() - start < 1500000);
	assert_int_equal(netd_upstreams(world.talk, TEXTS("127.0.0.53"), &err), 0);
}

static void servers_of_the_service_are_asked_from_its_namespace(void **state)
{
	const char *const servers[] = { "127.0.0.11", "127.0.0.2" };
	struct err err = ERR_NONE;
	struct netd_slot slot = world.web;

	(void)state;
	slot.servers = servers; /* the first is our own: left out, no loop */
	slot.server_count = 2;
	slot.internal_only = true;
	assert_int_equal(netd_slot_add(world.talk, &slot, &err), 0);
	assert_string_equal(run("dig +short @" RESOLVER " example.org"), "127.0.0.2");
	assert_string_equal(run("dig +short @" RESOLVER " big.org | sort -V | tail -1"),
			    "127.0.0.41");
	assert_string_equal(run("dig +short @" RESOLVER " big.org | sort -V | tail -1"),
			    "127.0.0.41"); /* the one TCP socket is used again */
	assert_string_equal(run("dig +short @" RESOLVER " db"), "172.20.0.5");
	assert_int_equal(netd_slot_add(world.talk, &world.web, &err), 0);
}

static void an_internal_slot_asks_nobody_outside(void **state)
{
	struct err err = ERR_NONE;
	struct netd_slot slot = world.web;
	unsigned before = atomic_load(world.host_server.queries);

	(void)state;
	slot.internal_only = true;
	assert_int_equal(netd_slot_add(world.talk, &slot, &err), 0);
	assert_non_null(strstr(run("dig @" RESOLVER " secret.example.org"), "NXDOMAIN"));
	assert_string_equal(run("dig +short @" RESOLVER " db"), "172.20.0.5");
	assert_int_equal(atomic_load(world.host_server.queries), before);
	assert_int_equal(netd_slot_add(world.talk, &world.web, &err), 0);
}

static int container_socket(int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct timeval limit = { .tv_sec = 5 };
	int fd;

	enter(world.container_ns);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	enter(world.host_ns);
	inet_pton(AF_INET, RESOLVER, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void identical_questions_in_flight_are_asked_once(void **state)
{
	AUTO(fd) int fd = container_socket(SOCK_DGRAM);
	unsigned before = atomic_load(world.host_server.queries);
	uint8_t query[100], out[DNS_UDP_MAX];
	bool seen[50] = { false };

	(void)state;
	for (uint16_t id = 0; id < 50; id++) {
		size_t len = query_make(query, id, "slow.once.org", T_A, 0);

		assert_int_equal(send(fd, query, len, 0), len);
	}
	for (int i = 0; i < 50; i++) { /* all of them hear of the failure */
		ssize_t n = recv(fd, out, sizeof(out), 0);

		assert_true(n > 12 && (out[3] & 15) == DNS_SERVFAIL && out[1] < 50);
		assert_false(seen[out[1]]);
		seen[out[1]] = true;
	}
	assert_int_equal(atomic_load(world.host_server.queries) - before, 2); /* two tries */
}

static void several_queries_share_a_connection(void **state)
{
	static const char *const names[] = { "db", "example.org", "web", "nowhere.org" };
	AUTO(fd) int fd = container_socket(SOCK_STREAM);
	uint8_t bytes[1000];
	size_t at = 0, answers = 0, len = 0;

	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		size_t n = query_make(bytes + at + 2, i, names[i], T_A, 0);

		bytes[at] = 0;
		bytes[at + 1] = (uint8_t)n;
		at += n + 2;
	}
	for (size_t i = 0; i < at; i++) /* byte by byte */
		assert_int_equal(send(fd, bytes + i, 1, 0), 1);
	shutdown(fd, SHUT_WR);
	for (;;) {
		ssize_t n = recv(fd, bytes + len, sizeof(bytes) - len, 0);

		assert_true(n >= 0);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	for (at = 0; at < len; at += 2u + (size_t)(bytes[at] << 8 | bytes[at + 1]))
		answers++;
	assert_int_equal(answers, 4);
}

static void the_64th_connection_and_more_close_the_oldest(void **state)
{
	int fds[80];
	uint8_t query[102];
	size_t n = query_make(query + 2, 1, "db", T_A, 0);
	int alive = 0;

	(void)state;
	query[0] = 0;
	query[1] = (uint8_t)n;
	for (int i = 0; i < 80; i++)
		fds[i] = container_socket(SOCK_STREAM);
	for (int i = 79; i >= 0; i--) {
		uint8_t out[200];

		alive += send(fds[i], query, n + 2, MSG_NOSIGNAL) > 0 &&
			 recv(fds[i], out, sizeof(out), 0) > 0;
		if (i == 16)
			assert_int_equal(alive, 64);
	}
	assert_int_equal(alive, 64);
	for (int i = 0; i < 80; i++)
		close(fds[i]);
}

static void a_successor_finds_what_is_held(void **state)
{
	enum { HOLDS = 1000 }; /* more than one message can list */
	struct err err = ERR_NONE;
	AUTO(fd) int next = message_connect(world.dir_fd, NETD_SOCKET, SOCK_SEQPACKET, &err);
	AUTO(json) struct json_object *list = NULL;
	struct netd_hello hello;
	struct netd_slot given;
	static struct netd_hold holds[HOLDS];
	static char keys[HOLDS][24];
	static const char *names[HOLDS];
	int placeholder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), dup_fd;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) };
	struct stat before, after;

	(void)state;
	assert_int_equal(bind(placeholder, (struct sockaddr *)&at, sizeof(at)), 0);
	for (int i = 0; i < HOLDS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "tcp 0.0.0.0 %d", 8080 + i);
		holds[i] = (struct netd_hold){ keys[i], placeholder };
	}
	assert_int_equal(netd_hold(world.talk, holds, HOLDS, &err), 0);
	fstat(placeholder, &before);
	close(placeholder);
	assert_true(next >= 0);
	assert_int_equal(netd_hello(next, &hello, &err), 0);
	assert_int_equal(hello.version, NETD_VERSION);
	assert_int_equal(hello.zone_serial, 7);
	assert_int_equal(hello.slot_count, 1);
	assert_int_equal(hello.hold_count, HOLDS);
	/* the former conversation is over */
	assert_int_equal(netd_hello(world.talk, &hello, &err), -1);
	assert_int_equal(netd_list(next, &list, &err), 0);
	assert_int_equal(json_array_count(json_array_at(list, "slots")), 1);
	assert_int_equal(json_array_count(json_array_at(list, "holds")), HOLDS);
	assert_int_equal(netd_slot_sockets(next, "web.1", &given, &err), 0);
	assert_true(given.udp_fd >= 0 && given.tcp_fd >= 0 && given.upstream_fd >= 0);
	fstat(given.udp_fd, &after);
	fstat(world.web.udp_fd, &before);
	assert_true(after.st_ino == before.st_ino);
	close(given.udp_fd), close(given.tcp_fd), close(given.upstream_fd);
	close(given.upstream_tcp_fd);
	dup_fd = netd_socket(next, "tcp 0.0.0.0 8080", &err);
	assert_true(dup_fd >= 0);
	close(dup_fd);
	assert_int_equal(netd_socket(next, "tcp 0.0.0.0 1", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	for (int i = 0; i < HOLDS; i++)
		names[i] = keys[i];
	assert_int_equal(netd_unhold(next, names, HOLDS, &err), 0);
	assert_int_equal(netd_hello(next, &hello, &err), 0);
	assert_int_equal(hello.hold_count, 0);
	placeholder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(placeholder, (struct sockaddr *)&at, sizeof(at)), 0); /* free again */
	close(placeholder);
	close(world.talk);
	world.talk = TAKE_FD(next);
}

static void nonsense_is_answered_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"op\":\"nothing\"}",
		"{\"op\":7}",
		"not json",
		"{\"op\":\"slot\"}",
		"{\"op\":\"zone\"}",
		"{\"op\":\"hold\",\"keys\":[\"a\"]}",
		"{\"op\":\"hold\",\"keys\":[7]}",
		"{\"op\":\"relay\",\"key\":\"k\",\"address\":\"1.2.3.4\",\"port\":0}",
		"{\"op\":\"upstreams\",\"servers\":[\"x\"]}",
		"{\"op\":\"slot\",\"slot\":\"s\",\"sockets\":[\"udp\"]}"
	};
	struct err err = ERR_NONE;
	AUTO(fd) int bad_zone = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		AUTO(json) struct json_object *answer = NULL;

		assert_int_equal(
			message_send_text(world.talk, texts[i], strlen(texts[i]), NULL, 0, &err),
			0);
		assert_int_equal(message_receive(world.talk, &answer, NULL, NULL, &err), 1);
		assert_false(json_bool_or(answer, "ok", true));
	}
	assert_int_equal(netd_zone(world.talk, bad_zone, &err), -1);
	assert_string_equal(run("dig +short @" RESOLVER " db"), "172.20.0.5");
}

static void it_has_no_rights_left(void **state)
{
	char path[64], text[4096];
	FILE *file;
	size_t n;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/status", world.netd);
	file = fopen(path, "re");
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	assert_non_null(strstr(text, "\nUid:\t65534\t65534\t65534\t65534\n"));
	assert_non_null(strstr(text, "\nGroups:\t \n"));
	assert_non_null(strstr(text, "\nCapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nNoNewPrivs:\t1\n"));
#ifndef __SANITIZE_ADDRESS__
	assert_non_null(strstr(text, "\nSeccomp:\t2\n"));
#endif
	snprintf(text, sizeof(text),
		 "nsenter -m -t %d /bin/true; ls -A /proc/%d/root | wc -l; wc -l < "
		 "/proc/%d/mounts",
		 world.netd, world.netd, world.netd);
	assert_non_null(strstr(run(text), " 0 1")); /* nothing in the root; one mount */
}

static void a_dropped_slot_closes_its_sockets(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(netd_slot_drop(world.talk, "web.1", &err), 0);
	assert_int_equal(netd_slot_drop(world.talk, "web.1", &err), 0);
	assert_int_equal(netd_slot_add(world.talk, &world.web, &err), 0);
	assert_string_equal(run("dig +short @" RESOLVER " db"), "172.20.0.5");
}

/* A storm of queries from the container, while netd is killed and started again. */
static void no_lookup_waits_longer_than_one_retry_when_netd_is_killed(void **state)
{
	AUTO(fd) int fd = container_socket(SOCK_DGRAM);
	struct timeval limit = { .tv_usec = 500000 };
	uint64_t longest = 0;
	unsigned answered = 0;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (uint16_t id = 0; id < 2000; id++) {
		uint8_t query[100], out[DNS_UDP_MAX];
		size_t len = query_make(query, id, "db", T_A, 0);
		uint64_t start = stamp_monotonic_us();
		bool has_answer = false;

		if (id == 1000) {
			kill(world.netd, SIGKILL);
			end_of_netd();
			close(world.talk);
		}
		for (int attempt = 0; attempt < 2 && !has_answer; attempt++) {
			assert_int_equal(send(fd, query, len, 0), len);
			if (id == 1000 &&
			    attempt == 0) { /* the query waits in the socket meanwhile */
				start_netd();
				feed_netd(world.talk);
			}
			while (!has_answer && recv(fd, out, sizeof(out), 0) > 0)
				has_answer = out[0] == id >> 8 && out[1] == (uint8_t)id;
		}
		answered += has_answer;
		if (stamp_monotonic_us() - start > longest)
			longest = stamp_monotonic_us() - start;
	}
	assert_int_equal(answered, 2000);
	assert_true(longest < 1000000);
}

static void names_go_on_without_a_supervisor(void **state)
{
	struct err err = ERR_NONE;
	struct netd_hello hello;

	(void)state;
	close(world.talk);
	assert_string_equal(run("dig +short @" RESOLVER " db example.org"),
			    "172.20.0.5 127.0.0.53");
	world.talk = message_connect(world.dir_fd, NETD_SOCKET, SOCK_SEQPACKET, &err);
	assert_true(world.talk >= 0);
	assert_int_equal(netd_hello(world.talk, &hello, &err), 0);
	assert_int_equal(hello.slot_count, 1);
}

/* Without root: as user 1000, whose supervisor finds it again; other users do not. */
/* In a child: 0 greeted, 1 refused, 8 and 9 not even asked. The result is told, and the connection
 * stays until `stay` ends. */
static int greet_as(int dir_fd, uid_t uid, int told, int stay)
{
	struct err err = ERR_NONE;
	struct netd_hello hello;
	char result = 9, none;
	int fd;

	if (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0) {
		fd = message_connect(dir_fd, NETD_SOCKET, SOCK_SEQPACKET, &err);
		result = (char)(fd < 0 ? 8 : netd_hello(fd, &hello, &err) < 0);
	}
	if (told >= 0) {
		if (write(told, &result, 1) != 1)
			return 9;
		while (read(stay, &none, 1) > 0)
			;
	}
	return result;
}

static void an_ordinary_users_netd_hears_its_owner_alone(void **state)
{
	char dir[] = P_tmpdir "/k_netd_user.XXXXXX", path[64];
	struct err err = ERR_NONE;
	AUTO(fd) int dir_fd = -1;
	int listener, pair[2], told[2], stay[2], status;
	pid_t netd, pid, owner = 0;
	char greeted = 9;

	(void)state;
	assert_non_null(mkdtemp(dir));
	chmod(dir, 0777);
	dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	listener = message_listen(dir_fd, NETD_SOCKET, SOCK_SEQPACKET, true, &err);
	snprintf(path, sizeof(path), "%s/" NETD_SOCKET, dir);
	chmod(path, 0666); /* so that the peer's user decides, not the file's mode */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	netd = fork();
	if (netd == 0) {
		/* The program itself may lie where only root can read. */
		int program = fcntl(open(world.program, O_RDONLY), F_DUPFD, 30);
		int high = fcntl(pair[1], F_DUPFD, 20);
		char *const argv[] = { "stack-netd", "shop", NULL };
		char *const environment[] = { "ASAN_OPTIONS=detect_leaks=0", NULL };

		dup2(fcntl(listener, F_DUPFD, 20), NETD_LISTEN_FD);
		dup2(high, NETD_PAIR_FD);
		if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0)
			_exit(1);
		close_range(5, 29, 0);
		execveat(program, "", argv, environment, AT_EMPTY_PATH);
		_exit(127);
	}
	close(listener);
	close(pair[1]);
	/* The owner stays until the stranger was refused: a netd that holds nothing and talks to
	 * nobody ends. */
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
	for (uid_t uid = 1000; uid < 1002; uid++) {
		pid = fork();
		if (pid == 0) {
			close(stay[1]);
			_exit(greet_as(dir_fd, uid, uid == 1000 ? told[1] : -1, stay[0]));
		}
		if (uid == 1000) {
			owner = pid;
			assert_int_equal(read(told[0], &greeted, 1), 1);
			assert_int_equal(greeted, 0);
			continue;
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 1);
	}
	close(stay[1]);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int i = 0; i < 2; i++)
		close(told[i]);
	close(stay[0]);
	close(pair[0]);
	waitpid(netd, &status, 0); /* it holds nothing, nobody is there */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	unlink(path);
	rmdir(dir);
}

static void it_ends_when_it_holds_nothing_and_nobody_is_there(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(netd_slot_drop(world.talk, "web.1", &err), 0);
	close(world.talk);
	assert_int_equal(end_of_netd(), 0);
	start_netd();
	feed_netd(world.talk);
}

/* k_netd rate: queries a second with 128 outstanding, and the memory of netd with 50 slots. For
 * people. */
static void print_rate(void)
{
	enum { BURST = 64, ROUNDS = 8000, DEPTH = 2 };
	AUTO(fd) int fd = container_socket(SOCK_DGRAM);
	static uint8_t queries[BURST][64], answers[BURST][512];
	struct mmsghdr out[BURST] = { 0 }, in[BURST] = { 0 };
	struct iovec out_parts[BURST], in_parts[BURST];
	struct err err = ERR_NONE;
	unsigned got = 0, sent = 0;
	char command[200];
	uint64_t start;

	for (int i = 0; i < 50; i++) {
		struct netd_slot slot = world.web;
		char name[16];

		enter(world.container_ns);
		slot.udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		slot.tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		enter(world.host_ns);
		slot.upstream_tcp_fd = -1;
		snprintf(name, sizeof(name), "s.%d", i);
		slot.slot = name;
		assert_int_equal(netd_slot_add(world.talk, &slot, &err), 0);
		close(slot.udp_fd);
		close(slot.tcp_fd);
	}
	for (int i = 0; i < BURST; i++) {
		out_parts[i] = (struct iovec){ queries[i],
					       query_make(queries[i], (uint16_t)i, "web", T_A, 0) };
		in_parts[i] = (struct iovec){ answers[i], sizeof(answers[i]) };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_parts[i], .msg_iovlen = 1 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_parts[i], .msg_iovlen = 1 };
	}
	start = stamp_monotonic_us();
	while (got < BURST * ROUNDS) {
		int n;

		while (sent < BURST * ROUNDS && sent - got <= BURST * (DEPTH - 1))
			sent += (unsigned)sendmmsg(fd, out, BURST, 0);
		n = recvmmsg(fd, in, BURST, MSG_WAITFORONE, NULL);
		if (n <= 0)
			break;
		got += (unsigned)n;
	}
	printf("%u answers of %u queries, %.0f a second\n", got, sent,
	       got * 1e6 / (double)(stamp_monotonic_us() - start));
	snprintf(command, sizeof(command),
		 "grep -E 'Private|^Pss:' /proc/%d/smaps_rollup; "
		 "awk '{ print \"cpu ms:\", ($14 + $15) * 10 }' /proc/%d/stat",
		 world.netd, world.netd);
	printf("%s\n", run(command));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_clients_get_names),
		cmocka_unit_test(other_names_come_from_the_hosts_server),
		cmocka_unit_test(truncated_upstream_answers_are_asked_again_over_tcp),
		cmocka_unit_test(a_dead_first_server_costs_one_try),
		cmocka_unit_test(servers_of_the_service_are_asked_from_its_namespace),
		cmocka_unit_test(an_internal_slot_asks_nobody_outside),
		cmocka_unit_test(identical_questions_in_flight_are_asked_once),
		cmocka_unit_test(several_queries_share_a_connection),
		cmocka_unit_test(the_64th_connection_and_more_close_the_oldest),
		cmocka_unit_test(a_successor_finds_what_is_held),
		cmocka_unit_test(nonsense_is_answered_and_changes_nothing),
		cmocka_unit_test(it_has_no_rights_left),
		cmocka_unit_test(a_dropped_slot_closes_its_sockets),
		cmocka_unit_test(no_lookup_waits_longer_than_one_retry_when_netd_is_killed),
		cmocka_unit_test(names_go_on_without_a_supervisor),
		cmocka_unit_test(an_ordinary_users_netd_hears_its_owner_alone),
		cmocka_unit_test(it_ends_when_it_holds_nothing_and_nobody_is_there),
	};

	if (geteuid() != 0) {
		printf("needs root: skipped\n");
		return 0;
	}
	snprintf(world.program, sizeof(world.program), "%s", argv[0]);
	snprintf(strstr(world.program, "tests/netplug/"), 16, "stack-netd");
	if (argc > 1 && strcmp(argv[1], "rate") == 0) {
		void *none = NULL;

		if (set_up(&none) < 0)
			return 1;
		print_rate();
		return tear_down(&none);
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

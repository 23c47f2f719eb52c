/* tests/netplug/upstream_of_test - a name server for tests, over UDP and TCP on one address,
 * port 53.
 *
 * By the first label of the name: slow (no answer), fail (SERVFAIL), big (40 addresses: truncated
 * over UDP), anything else: one A record, the address given. Counts queries in a shared word.
 */
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct upstream {
	pid_t pid;
	atomic_uint *queries; /* shared with the server */
};

static inline int upstream_bind(const char *address, int type)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, address, &at.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		_exit(1);
	return fd;
}

/* Makes the query an answer; 0: none. */
static inline size_t upstream_answer(uint8_t *m, size_t len, const char *address, bool is_tcp)
{
	unsigned count = memcmp(m + 12, "\3big", 4) == 0 ? 40 : 1;
	size_t at = 12;

	if (len < 17 || memcmp(m + 12, "\4slow", 5) == 0)
		return 0;
	m[2] |= 0x80;
	m[3] = 0x80;
	m[10] = m[11] = 0; /* no OPT back */
	while (m[at])
		at += 1u + m[at];
	at += 5;
	if (m[at - 3] != 1) /* AAAA and so on: none */
		return at;
	if (memcmp(m + 12, "\4fail", 5) == 0) {
		m[3] |= 2;
		return at;
	}
	if (count > 1 && !is_tcp) {
		m[2] |= 2;
		return at;
	}
	m[7] = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t head[12] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4 };

		memcpy(m + at, head, 12);
		inet_pton(AF_INET, address, m + at + 12);
		m[at + 15] = (uint8_t)(m[at + 15] + i);
		at += 16;
	}
	return at;
}

static inline void upstream_serve(const char *address, atomic_uint *queries, int ready_fd)
{
	int udp = upstream_bind(address, SOCK_DGRAM), tcp = upstream_bind(address, SOCK_STREAM);
	struct pollfd fds[2] = {
		{.fd = udp,  .events = POLLIN},
                { .fd = tcp, .events = POLLIN}
	};
	uint8_t m[4096];

	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		poll(fds, 2, -1);
		if (fds[0].revents) {
			n = recvfrom(udp, m, 2000, 0, (struct sockaddr *)&from, &from_len);
			atomic_fetch_add(queries, 1);
			n = n > 0 ? (ssize_t)upstream_answer(m, (size_t)n, address, false) : 0;
			if (n)
				sendto(udp, m, (size_t)n, 0, (struct sockaddr *)&from, from_len);
		}
		if (fds[1].revents) {
			int fd = accept(tcp, NULL, NULL);

			n = recv(fd, m, 2002, 0);
			atomic_fetch_add(queries, 1);
			n = n > 2 ? (ssize_t)upstream_answer(m + 2, (size_t)n - 2, address, true)
				  : 0;
			m[0] = (uint8_t)(n >> 8);
			m[1] = (uint8_t)n;
			if (n && send(fd, m, (size_t)n + 2, MSG_NOSIGNAL) < 0)
				_exit(1);
			close(fd);
		}
	}
}

/* In the caller's network namespace, or in that of netns_fd. Ends with its parent. */
static inline struct upstream upstream_start(int netns_fd, const char *address)
{
	struct upstream self = { .queries = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
						 MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		abort();
	self.pid = fork();
	if (self.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
			_exit(1);
		upstream_serve(address, self.queries, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	return self;
}

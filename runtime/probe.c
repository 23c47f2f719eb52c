/* runtime/probe - is somebody there, asked from inside a network namespace.
 *
 * Owns: the question to sock_diag, connections under way. May not touch: what is spoken over them.
 */
#include "runtime/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/netns.h"

#define ANSWER_BYTES 16384

struct listen_job {
	uint16_t port;
	bool found;
};

/* One datagram of the dump: 1 there is more, 0 the end, -1 an error. */
static int read_answer(int fd, struct listen_job *job, struct err *err)
{
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_BYTES];
	} buffer;
	ssize_t n = recv(fd, &buffer, sizeof(buffer), 0);
	unsigned left = (unsigned)n;

	if (n < 0)
		return errno == EINTR ? 1 : err_sys(err, errno, "ask for listening sockets");
	for (struct nlmsghdr *h = &buffer.header; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		const struct inet_diag_msg *socket_info = NLMSG_DATA(h);
		const struct nlmsgerr *refusal = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return err_sys(err, -refusal->error, "ask for listening sockets");
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    ntohs(socket_info->id.idiag_sport) == job->port)
			job->found = true;
	}
	return 1;
}

static int ask_listening(void *ctx, struct err *err)
{
	struct listen_job *job = ctx;
	static const int families[] = { AF_INET, AF_INET6 };
	AUTO(fd) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return err_sys(err, errno, "socket");
	for (size_t i = 0; i < 2 && !job->found; i++) {
		struct {
			struct nlmsghdr header;
			struct inet_diag_req_v2 ask;
		} request = {
			.header = {.nlmsg_len = sizeof(request),
                                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
			.ask = { .sdiag_family = (uint8_t)families[i],
				   .sdiag_protocol = IPPROTO_TCP,
				   .idiag_states = 1u << TCP_LISTEN,
				   .id = { .idiag_sport = htons(job->port) } }
		};
		int more;

		if (send(fd, &request, sizeof(request), 0) < 0)
			return err_sys(err, errno, "ask for listening sockets");
		while ((more = read_answer(fd, job, err)) > 0)
			;
		if (more < 0)
			return -1;
	}
	return 0;
}

int probe_listens(int netns_fd, uint16_t port, bool *out_listens, struct err *err)
{
	struct listen_job job = { .port = port };

	if (netns_run(netns_fd, ask_listening, &job, err) < 0)
		return -1;
	*out_listens = job.found;
	return 0;
}

struct connect_job {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len;
	int fd;
};

static int begin_connect(void *ctx, struct err *err)
{
	struct connect_job *job = ctx;
	AUTO(fd)
	int fd = socket(job->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (connect(fd, &job->address.any, job->len) < 0 && errno != EINPROGRESS)
		return err_sys(err, errno, "connect");
	job->fd = TAKE_FD(fd);
	return 0;
}

int probe_connect(int netns_fd, const char *host, uint16_t port, struct err *err)
{
	struct connect_job job = { .fd = -1 };

	if (inet_pton(AF_INET, host, &job.address.v4.sin_addr) == 1) {
		job.address.v4.sin_family = AF_INET;
		job.address.v4.sin_port = htons(port);
		job.len = sizeof(job.address.v4);
	} else if (inet_pton(AF_INET6, host, &job.address.v6.sin6_addr) == 1) {
		job.address.v6.sin6_family = AF_INET6;
		job.address.v6.sin6_port = htons(port);
		job.len = sizeof(job.address.v6);
	} else {
		return err_set(err, ERR_INVALID, "probe: host must be an address");
	}
	return netns_run(netns_fd, begin_connect, &job, err) < 0 ? -1 : job.fd;
}

int probe_connected(int fd, struct err *err)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	return error ? err_sys(err, error, "connect") : 0;
}

/* netplug/rtnl - conversations over a NETLINK_ROUTE socket.
 *
 * Owns: the batch, the matching of answers, dumps, the kernel's words in errors.
 * May not touch: what the messages mean.
 * Source: rtnetlink(7), netlink(7). Blocks: until the kernel has answered.
 */
#include "netplug/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/alloc.h"

#define MESSAGE_ROOM 4096u         /* what one message may need */
#define SEND_LIMIT   (48u * 1024u) /* bytes a sendmsg; their ACKs fit the smallest receive buffer */
#define READ_ROOM    (128u * 1024u)
#define DUMP_TRIES   8

struct pending {
	uint32_t seq;
	unsigned tag, allow;
	const char *what;
	size_t at; /* offset of the message in the batch */
};

struct rtnl {
	int fd;
	bool owns_fd;
	uint32_t seq;
	char *batch;
	size_t used, room;
	struct pending *pending;
	size_t pending_count, pending_room;
	char *reader;
};

static struct rtnl *rtnl_new(int fd, bool owns_fd)
{
	struct rtnl *rtnl = xcalloc(1, sizeof(*rtnl));
	int on = 1, bytes = 2 << 20;

	rtnl->fd = fd;
	rtnl->owns_fd = owns_fd;
	rtnl->seq = 1;
	rtnl->reader = xcalloc(1, READ_ROOM);
	/* Better errors and bigger buffers where the kernel grants them; nothing depends on it. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return rtnl;
}

int rtnl_open(struct rtnl **out, struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_sys(err, errno, "open a route socket");
	*out = rtnl_new(fd, true);
	return 0;
}

int rtnl_over(int socket_fd, struct rtnl **out, struct err *err)
{
	char drain[64];

	if (socket_fd < 0)
		return err_set(err, ERR_INTERNAL, "no route socket was handed over");
	/* Answers that an interrupted conversation left behind are nobody's now. */
	while (recv(socket_fd, drain, sizeof(drain), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
	*out = rtnl_new(socket_fd, false);
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	if (rtnl->owns_fd)
		close(rtnl->fd);
	free(rtnl->batch);
	free(rtnl->pending);
	free(rtnl->reader);
	free(rtnl);
}

/* The last message's true length is known only when the next one begins. */
static void seal(struct rtnl *rtnl)
{
	struct nlmsghdr *last;

	if (!rtnl->pending_count)
		return;
	last = (struct nlmsghdr *)(rtnl->batch + rtnl->pending[rtnl->pending_count - 1].at);
	rtnl->used = rtnl->pending[rtnl->pending_count - 1].at + MNL_ALIGN(last->nlmsg_len);
}

struct nlmsghdr *rtnl_begin(struct rtnl *rtnl, uint16_t type, uint16_t flags, unsigned allow,
			    unsigned tag, const char *what)
{
	struct nlmsghdr *message;

	seal(rtnl);
	if (rtnl->used + MESSAGE_ROOM > rtnl->room) {
		rtnl->room = (rtnl->used + MESSAGE_ROOM) * 2;
		rtnl->batch = xrealloc(rtnl->batch, rtnl->room, 1);
	}
	if (rtnl->pending_count == rtnl->pending_room) {
		rtnl->pending_room = rtnl->pending_room ? rtnl->pending_room * 2 : 32;
		rtnl->pending = xrealloc(rtnl->pending, rtnl->pending_room, sizeof(*rtnl->pending));
	}
	message = mnl_nlmsg_put_header(rtnl->batch + rtnl->used);
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK);
	rtnl->pending[rtnl->pending_count++] =
		(struct pending){ .tag = tag, .allow = allow, .what = what, .at = rtnl->used };
	return message;
}

void *rtnl_put_header(struct nlmsghdr *message, size_t size)
{
	return mnl_nlmsg_put_extra_header(message, size);
}

void rtnl_no_link_local(struct rtnl *rtnl, unsigned index, const char *name, unsigned tag)
{
	struct nlmsghdr *message =
		rtnl_begin(rtnl, RTM_SETLINK, 0, RTNL_MAY_LACK, tag, "keep IPv6 off the link");
	struct ifinfomsg *info = rtnl_put_header(message, sizeof(*info));
	struct nlattr *spec, *family;

	info->ifi_index = (int)index;
	if (!index)
		mnl_attr_put_strz(message, IFLA_IFNAME, name);
	spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(message, AF_INET6);
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
}

static bool is_allowed(unsigned allow, int error)
{
	if (error == EEXIST)
		return allow & RTNL_MAY_EXIST;
	if (error == EAFNOSUPPORT)
		return allow & RTNL_MAY_LACK;
	if (error == ENODEV || error == ENOENT || error == ESRCH || error == EADDRNOTAVAIL)
		return allow & RTNL_MAY_MISS;
	return false;
}

/* The kernel's own sentence in an answer (extended ACK), or "". */
static const char *kernel_words(const struct nlmsghdr *message)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
	size_t skip = sizeof(*answer);
	const struct nlattr *attr;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(answer->msg.nlmsg_len - sizeof(answer->msg));
	rtnl_each_attr(attr, message, skip) if (mnl_attr_get_type(attr) ==
						NLMSGERR_ATTR_MSG) return mnl_attr_get_str(attr);
	return "";
}

static void tell(const struct nlmsghdr *message, int error, const char *what, struct err *err)
{
	const char *words = kernel_words(message);

	if (*words) {
		err_sys(err, error, "%s (%s)", what, words);
		return;
	}
	err_sys(err, error, "%s", what);
}

struct outcome {
	rtnl_failed *failed;
	void *ctx;
	bool any;
	struct err *err;
};

static void note_failure(struct outcome *outcome, const struct pending *pending,
			 const struct nlmsghdr *message, int error)
{
	struct err local = ERR_NONE;

	tell(message, error, pending->what, &local);
	if (outcome->failed)
		outcome->failed(outcome->ctx, pending->tag, error, &local);
	else if (!outcome->any)
		*outcome->err = local;
	outcome->any = true;
}

static ssize_t read_some(struct rtnl *rtnl)
{
	ssize_t len;

	do
		len = recv(rtnl->fd, rtnl->reader, READ_ROOM, MSG_TRUNC);
	while (len < 0 && errno == EINTR);
	if (len > (ssize_t)READ_ROOM) {
		errno = EMSGSIZE;
		return -1;
	}
	return len;
}

/* Reads until the messages [first, end) of the batch are answered. */
static int read_answers(struct rtnl *rtnl, size_t first, size_t end, struct outcome *outcome)
{
	size_t left = end - first;
	uint32_t base = rtnl->pending[first].seq;

	while (left) {
		ssize_t got = read_some(rtnl);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->reader;

		if (got < 0)
			return err_sys(outcome->err, errno, "read from the route socket");
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
			uint32_t index = message->nlmsg_seq - base;
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_type != NLMSG_ERROR || index >= end - first)
				continue;
			left--;
			if (answer->error &&
			    !is_allowed(rtnl->pending[first + index].allow, -answer->error))
				note_failure(outcome, &rtnl->pending[first + index], message,
					     -answer->error);
		}
	}
	return 0;
}

static int send_bytes(struct rtnl *rtnl, const char *data, size_t len, struct err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	while (sendto(rtnl->fd, data, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "write to the route socket");
	return 0;
}

int rtnl_flush(struct rtnl *rtnl, rtnl_failed *failed, void *ctx, struct err *err)
{
	struct outcome outcome = { .failed = failed, .ctx = ctx, .err = err };
	size_t count, first = 0;
	int result = 0;

	seal(rtnl);
	count = rtnl->pending_count;
	/* Numbered only now: look-ups between begin and flush take numbers, too. */
	for (size_t i = 0; i < count; i++) {
		rtnl->pending[i].seq = rtnl->seq++;
		((struct nlmsghdr *)(rtnl->batch + rtnl->pending[i].at))->nlmsg_seq =
			rtnl->pending[i].seq;
	}
	while (first < count && result == 0) {
		size_t start = rtnl->pending[first].at, end = first + 1, stop;

		while (end < count && rtnl->pending[end].at - start < SEND_LIMIT)
			end++;
		stop = end < count ? rtnl->pending[end].at : rtnl->used;
		result = send_bytes(rtnl, rtnl->batch + start, stop - start, err);
		if (result == 0)
			result = read_answers(rtnl, first, end, &outcome);
		first = end;
	}
	rtnl->used = 0;
	rtnl->pending_count = 0;
	if (result < 0)
		return -1;
	return outcome.any && !failed ? -1 : 0;
}

enum pass { PASS_DONE, PASS_AGAIN, PASS_FAILED };

static enum pass dump_pass(struct rtnl *rtnl, uint32_t seq,
			   int (*each)(const struct nlmsghdr *, void *), void *ctx, struct err *err)
{
	bool again = false, stopped = false;

	for (;;) {
		ssize_t got = read_some(rtnl);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->reader;

		if (got < 0) {
			err_sys(err, errno, "read from the route socket");
			return PASS_FAILED;
		}
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
			if (message->nlmsg_seq != seq)
				continue;
			again |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (message->nlmsg_type == NLMSG_DONE)
				return again ? PASS_AGAIN : PASS_DONE;
			if (message->nlmsg_type == NLMSG_ERROR) {
				const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

				tell(message, -answer->error, "dump of the route socket", err);
				return PASS_FAILED;
			}
			if (!stopped && each(message, ctx) < 0)
				stopped = true;
		}
	}
}

int rtnl_dump(struct rtnl *rtnl, uint16_t type, const void *header, size_t header_size,
	      void (*restart)(void *ctx), int (*each)(const struct nlmsghdr *, void *ctx),
	      void *ctx, struct err *err)
{
	char buffer[256] = { 0 };

	for (int i = 0; i < DUMP_TRIES; i++) {
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		enum pass pass;

		message->nlmsg_type = type;
		message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		message->nlmsg_seq = rtnl->seq++;
		memcpy(mnl_nlmsg_put_extra_header(message, header_size), header, header_size);
		if (restart)
			restart(ctx);
		if (send_bytes(rtnl, buffer, message->nlmsg_len, err) < 0)
			return -1;
		pass = dump_pass(rtnl, message->nlmsg_seq, each, ctx, err);
		if (pass != PASS_AGAIN)
			return pass == PASS_DONE ? 0 : -1;
	}
	return err_set(err, ERR_BUSY, "the kernel's tables change too fast to be read");
}

struct rtnl_link_request rtnl_link_request(void)
{
	return (struct rtnl_link_request){
		.mask_attr = {.nla_len = sizeof(struct nlattr) + sizeof(uint32_t),
                              .nla_type = IFLA_EXT_MASK},
		.mask = RTEXT_FILTER_SKIP_STATS,
	};
}

int rtnl_link_get(struct rtnl *rtnl, const char *name,
		  int (*each)(const struct nlmsghdr *, void *ctx), void *ctx, struct err *err)
{
	char buffer[512] = { 0 };
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = rtnl->seq++;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	if (send_bytes(rtnl, buffer, message->nlmsg_len, err) < 0)
		return -1;
	for (;;) {
		ssize_t got = read_some(rtnl);
		int len = (int)got;
		const struct nlmsghdr *answer = (const struct nlmsghdr *)rtnl->reader;

		if (got < 0)
			return err_sys(err, errno, "read from the route socket");
		for (; mnl_nlmsg_ok(answer, len); answer = mnl_nlmsg_next(answer, &len)) {
			const struct nlmsgerr *fault = mnl_nlmsg_get_payload(answer);

			if (answer->nlmsg_seq != message->nlmsg_seq)
				continue;
			if (answer->nlmsg_type == NLMSG_ERROR && fault->error == -ENODEV)
				return err_set(err, ERR_NOT_FOUND, "no link %s", name);
			if (answer->nlmsg_type == NLMSG_ERROR)
				return err_sys(err, -fault->error, "link %s", name);
			each(answer, ctx);
			return 0;
		}
	}
}

/* ioctls on the socket, as they take no lock: a question by message waits for whoever changes
 * links. */
static int ask_ioctl(struct rtnl *rtnl, unsigned long what, const char *name, struct ifreq *out,
		     struct err *err)
{
	*out = (struct ifreq){ 0 };
	if (strlen(name) < sizeof(out->ifr_name)) {
		strcpy(out->ifr_name, name);
		if (ioctl(rtnl->fd, what, out) == 0)
			return 0;
		if (errno != ENODEV)
			return err_sys(err, errno, "link %s", name);
	}
	return err_set(err, ERR_NOT_FOUND, "no link %s", name);
}

int rtnl_link_index(struct rtnl *rtnl, const char *name, unsigned *out_index, struct err *err)
{
	struct ifreq request;

	if (ask_ioctl(rtnl, SIOCGIFINDEX, name, &request, err) < 0)
		return -1;
	*out_index = (unsigned)request.ifr_ifindex;
	return 0;
}

int rtnl_link_flags(struct rtnl *rtnl, const char *name, unsigned *out_flags, struct err *err)
{
	struct ifreq request;

	if (ask_ioctl(rtnl, SIOCGIFFLAGS, name, &request, err) < 0)
		return -1;
	*out_flags = (unsigned short)request.ifr_flags;
	return 0;
}

/* netplug/nft - nf_tables messages: a socket and its transaction.
 *
 * Owns: the transaction, the matching of its answers.
 * May not touch: what tables mean (netplug/nat, netplug/foreign).
 * Source: linux/netfilter/nf_tables.h, nfnetlink.h. Blocks: until the kernel has answered.
 */
#include "netplug/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "netplug/nft_write.h"
#include "netplug/rtnl.h"

#define MESSAGE_ROOM 8192u
#define READ_ROOM    (128u * 1024u)
#define SOCKET_BYTES (4 << 20)

struct pending {
	size_t at;
	unsigned flags;
	char name[40];
	bool dropped;
};

struct nft {
	int fd;
	bool owns_fd;
	uint32_t seq, set_id;
	char *batch;
	size_t used, room;
	struct pending *pending;
	size_t count, pending_room;
	char *reader;
};

static struct nft *nft_new(int fd, bool owns_fd)
{
	struct nft *nft = xcalloc(1, sizeof(*nft));
	int on = 1, bytes = SOCKET_BYTES;

	nft->fd = fd;
	nft->owns_fd = owns_fd;
	nft->seq = 1;
	nft->reader = xcalloc(1, READ_ROOM);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return nft;
}

int nft_open(struct nft **out, struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return err_sys(err, errno, "open a netfilter socket");
	*out = nft_new(fd, true);
	return 0;
}

int nft_over(int socket_fd, struct nft **out, struct err *err)
{
	char drain[64];

	if (socket_fd < 0)
		return err_set(err, ERR_INTERNAL, "no netfilter socket was handed over");
	while (recv(socket_fd, drain, sizeof(drain), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
	*out = nft_new(socket_fd, false);
	return 0;
}

void nft_close(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->owns_fd)
		close(nft->fd);
	free(nft->batch);
	free(nft->pending);
	free(nft->reader);
	free(nft);
}

void nft_key_put(uint8_t *key, size_t *key_len, const void *bytes, size_t len)
{
	memset(key + *key_len, 0, (len + 3) & ~3u);
	memcpy(key + *key_len, bytes, len);
	*key_len += (len + 3) & ~3u;
}

void nft_key_put_name(uint8_t *key, size_t *key_len, const char *link_name)
{
	char name[16] = { 0 };

	snprintf(name, sizeof(name), "%s", link_name);
	nft_key_put(key, key_len, name, sizeof(name));
}

static void put_family(struct nlmsghdr *message, uint8_t family, uint16_t resource)
{
	struct nfgenmsg *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));

	general->nfgen_family = family;
	general->version = NFNETLINK_V0;
	general->res_id = htons(resource);
}

static void seal(struct nft *nft)
{
	if (nft->count) {
		size_t at = nft->pending[nft->count - 1].at;
		const struct nlmsghdr *last = (const struct nlmsghdr *)(nft->batch + at);

		nft->used = at + MNL_ALIGN(last->nlmsg_len);
	}
}

static void reserve(struct nft *nft)
{
	if (nft->used + 2 * MESSAGE_ROOM > nft->room) {
		nft->room = (nft->used + 2 * MESSAGE_ROOM) * 2;
		nft->batch = xrealloc(nft->batch, nft->room, 1);
	}
	if (nft->count == nft->pending_room) {
		nft->pending_room = nft->pending_room ? nft->pending_room * 2 : 64;
		nft->pending = xrealloc(nft->pending, nft->pending_room, sizeof(*nft->pending));
	}
}

static void put_edge(struct nlmsghdr *message, uint16_t type, uint32_t seq)
{
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = seq;
	put_family(message, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

/* Room for the begin message, with its generation, stays in front of the first. */
static size_t head_room(void)
{
	return MNL_ALIGN(MNL_NLMSG_HDRLEN) + MNL_ALIGN(sizeof(struct nfgenmsg)) +
	       MNL_ALIGN(sizeof(struct nlattr) + sizeof(uint32_t));
}

static struct nlmsghdr *begin(struct nft *nft, unsigned type, uint16_t kernel_flags, uint8_t family,
			      unsigned flags, const char *name)
{
	struct nlmsghdr *message;
	struct pending *pending;

	seal(nft);
	if (!nft->count)
		nft->used = head_room();
	reserve(nft);
	message = mnl_nlmsg_put_header(nft->batch + nft->used);
	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | kernel_flags);
	if (flags & NFT_EXCL)
		message->nlmsg_flags |= NLM_F_EXCL;
	put_family(message, family, 0);
	pending = &nft->pending[nft->count++];
	*pending = (struct pending){ .at = nft->used, .flags = flags };
	snprintf(pending->name, sizeof(pending->name), "%s", name ? name : "");
	return message;
}

void nft_add_table(struct nft *nft, uint8_t family, const char *table, unsigned flags)
{
	nft_write_table(begin(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE, family, flags, table), table);
}

void nft_del_table(struct nft *nft, uint8_t family, const char *table, unsigned flags)
{
	nft_write_table(begin(nft, NFT_MSG_DELTABLE, 0, family, flags, table), table);
}

void nft_add_chain(struct nft *nft, const struct nft_chain *chain, unsigned flags)
{
	nft_write_chain(
		begin(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain->family, flags, chain->name),
		chain);
}

void nft_add_set(struct nft *nft, const struct nft_set *set)
{
	nft_write_set(begin(nft, NFT_MSG_NEWSET, NLM_F_CREATE, set->family, 0, set->name), set,
		      ++nft->set_id);
}

void nft_add_rule(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  const struct nft_step *steps, size_t count, const char *comment, unsigned flags)
{
	uint16_t where = flags & NFT_AT_HEAD ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_APPEND;

	nft_write_rule(begin(nft, NFT_MSG_NEWRULE, where, family, flags, chain), table, chain,
		       steps, count, comment);
}

void nft_add_rule_before(struct nft *nft, uint8_t family, const char *table, const char *chain,
			 const struct nft_step *steps, size_t count, const char *comment,
			 uint64_t handle)
{
	struct nlmsghdr *message = begin(nft, NFT_MSG_NEWRULE, NLM_F_CREATE, family, 0, chain);

	nft_write_rule(message, table, chain, steps, count, comment);
	mnl_attr_put_u64(message, NFTA_RULE_POSITION, htobe64(handle));
}

void nft_del_rule(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  uint64_t handle, unsigned flags)
{
	nft_write_rule_handle(begin(nft, NFT_MSG_DELRULE, 0, family, flags, chain), table, chain,
			      handle);
}

void nft_add_element(struct nft *nft, uint8_t family, const char *table, const char *set,
		     const struct nft_element *element, unsigned flags, const char *name)
{
	nft_write_element(begin(nft, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, flags, name), table,
			  set, element, true);
}

void nft_del_element(struct nft *nft, uint8_t family, const char *table, const char *set,
		     const struct nft_element *element, unsigned flags)
{
	nft_write_element(begin(nft, NFT_MSG_DELSETELEM, 0, family, flags, NULL), table, set,
			  element, false);
}

size_t nft_pending(const struct nft *nft)
{
	return nft->count;
}

static void nft_forget(struct nft *nft)
{
	nft->count = 0;
	nft->used = 0;
}

static int send_bytes(struct nft *nft, const void *data, size_t len, struct err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	while (sendto(nft->fd, data, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "write to the netfilter socket");
	return 0;
}

static ssize_t read_some(struct nft *nft, int flags)
{
	ssize_t len;

	do
		len = recv(nft->fd, nft->reader, READ_ROOM, flags);
	while (len < 0 && errno == EINTR);
	return len;
}

struct verdict {
	int edge_error; /* of the whole transaction */
	size_t first_bad, missing;
	int first_errno;
	bool answered;
};

/* All answers wait in the socket when sendto returns: the kernel works while it is called. */
static int read_verdict(struct nft *nft, uint32_t base, struct verdict *verdict, struct err *err)
{
	for (;;) {
		ssize_t got = read_some(nft, MSG_DONTWAIT);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)nft->reader;

		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0)
			return err_sys(err, errno, "read from the netfilter socket");
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
			size_t index = message->nlmsg_seq - base - 1;

			if (message->nlmsg_type != NLMSG_ERROR ||
			    message->nlmsg_seq - base > nft->count + 1)
				continue;
			verdict->answered = true;
			if (!answer->error)
				continue;
			if (index >= nft->count) {
				verdict->edge_error = -answer->error;
			} else if (answer->error == -ENOENT &&
				   nft->pending[index].flags & NFT_MAY_MISS) {
				nft->pending[index].dropped = true;
				verdict->missing++;
			} else if (!verdict->first_errno) {
				verdict->first_errno = -answer->error;
				verdict->first_bad = index;
			}
		}
	}
}

/* Takes the dropped messages out; the others move together. */
static void compact(struct nft *nft)
{
	size_t to = head_room(), kept = 0;

	for (size_t i = 0; i < nft->count; i++) {
		size_t at = nft->pending[i].at;
		size_t next = i + 1 < nft->count ? nft->pending[i + 1].at : nft->used;

		if (nft->pending[i].dropped)
			continue;
		memmove(nft->batch + to, nft->batch + at, next - at);
		nft->pending[kept] = nft->pending[i];
		nft->pending[kept++].at = to;
		to += next - at;
	}
	nft->count = kept;
	nft->used = to;
}

static int send_batch(struct nft *nft, uint32_t generation, uint32_t *out_base, struct err *err)
{
	size_t edge = MNL_ALIGN(MNL_NLMSG_HDRLEN) + MNL_ALIGN(sizeof(struct nfgenmsg));
	size_t start = generation ? 0 : head_room() - edge;
	struct nlmsghdr *message;

	reserve(nft);
	*out_base = nft->seq;
	memset(nft->batch, 0, head_room());
	message = mnl_nlmsg_put_header(nft->batch + start);
	put_edge(message, NFNL_MSG_BATCH_BEGIN, nft->seq++);
	if (generation)
		mnl_attr_put_u32(message, NFNL_BATCH_GENID, htonl(generation));
	for (size_t i = 0; i < nft->count; i++) {
		message = (struct nlmsghdr *)(nft->batch + nft->pending[i].at);
		message->nlmsg_seq = nft->seq++;
		message->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
		if (i + 1 == nft->count)
			message->nlmsg_flags |= NLM_F_ACK;
	}
	message = mnl_nlmsg_put_header(nft->batch + nft->used);
	put_edge(message, NFNL_MSG_BATCH_END, nft->seq++);
	return send_bytes(nft, nft->batch + start, nft->used + message->nlmsg_len - start, err);
}

static int report(struct nft *nft, const struct verdict *verdict, int *out_errno, size_t *out_index,
		  struct err *err)
{
	const char *name;

	if (verdict->first_errno) {
		if (out_errno)
			*out_errno = verdict->first_errno;
		if (out_index)
			*out_index = verdict->first_bad;
		name = nft->pending[verdict->first_bad].name;
		return err_sys(err, verdict->first_errno, "packet filter%s%s", *name ? ": " : "",
			       name);
	}
	if (out_errno)
		*out_errno = verdict->edge_error;
	if (verdict->edge_error == ERESTART)
		return err_set(err, ERR_BUSY, "the packet filter was changed meanwhile");
	if (verdict->edge_error == EPERM)
		return err_set(err, ERR_DENIED,
			       "packet filter: not permitted (CAP_NET_ADMIN is needed)");
	if (verdict->edge_error)
		return err_sys(err, verdict->edge_error, "packet filter");
	return verdict->answered ? 0 : err_set(err, ERR_SYSTEM, "packet filter: no answer");
}

int nft_commit(struct nft *nft, uint32_t generation, int *out_errno, size_t *out_index,
	       struct err *err)
{
	int result = 0;

	if (out_errno)
		*out_errno = 0;
	seal(nft);
	while (nft->count) {
		struct verdict verdict = { 0 };
		uint32_t base;

		result = send_batch(nft, generation, &base, err);
		if (result == 0)
			result = read_verdict(nft, base, &verdict, err);
		if (result == 0 && verdict.missing && !verdict.first_errno && !verdict.edge_error) {
			compact(nft);
			continue;
		}
		if (result == 0)
			result = report(nft, &verdict, out_errno, out_index, err);
		break;
	}
	nft_forget(nft);
	return result;
}

int nft_ask(struct nft *nft, struct nlmsghdr *request,
	    void (*each)(const struct nlmsghdr *, void *), void *ctx, int *out_errno,
	    bool *out_interrupted, struct err *err)
{
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	*out_errno = 0;
	request->nlmsg_seq = nft->seq++;
	if (send_bytes(nft, request, request->nlmsg_len, err) < 0)
		return -1;
	for (;;) {
		ssize_t got = read_some(nft, 0);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)nft->reader;

		if (got < 0)
			return err_sys(err, errno, "read from the netfilter socket");
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_seq != request->nlmsg_seq)
				continue;
			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				*out_interrupted = true;
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR) {
				*out_errno = -answer->error;
				return answer->error ? err_sys(err, -answer->error,
							       "ask the packet filter")
						     : 0;
			}
			each(message, ctx);
			if (!dump)
				return 0;
		}
	}
}

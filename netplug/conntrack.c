/* netplug/conntrack - forgetting UDP flows whose target changed.
 *
 * Owns: the search for entries by their original destination port, their deletion.
 * May not touch: TCP. Source: linux/netfilter/nfnetlink_conntrack.h. Blocks: a dump per family.
 */
#include "netplug/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "netplug/nft.h"
#include "netplug/rtnl.h"

/* Which fields of the tuple in the request the kernel compares (>= 5.8; older ones send all). */
#define FILTER_PROTOCOL (1u << 3)

struct entry {
	uint8_t family;
	size_t len;
	uint8_t tuple[256]; /* CTA_TUPLE_ORIG's payload */
};

struct search {
	uint8_t protocol;
	const uint16_t *ports;
	size_t port_count;
	struct entry *found;
	size_t found_count;
};

static struct nlmsghdr *new_request(char *buffer, unsigned type, uint16_t flags, int family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *general;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	general = mnl_nlmsg_put_extra_header(message, sizeof(*general));
	general->nfgen_family = (uint8_t)family;
	general->version = NFNETLINK_V0;
	return message;
}

static void read_protocol(const struct nlattr *nest, uint8_t *out_protocol, uint16_t *out_port)
{
	const struct nlattr *attr;

	rtnl_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTA_PROTO_NUM)
			*out_protocol = mnl_attr_get_u8(attr);
		else if (mnl_attr_get_type(attr) == CTA_PROTO_DST_PORT)
			*out_port = ntohs(mnl_attr_get_u16(attr));
	}
}

static void look_at(const struct nlmsghdr *message, void *ctx)
{
	struct search *search = ctx;
	const struct nfgenmsg *general = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *inner;

	rtnl_each_attr(attr, message, sizeof(*general))
	{
		uint8_t protocol = 0;
		uint16_t port = 0;
		bool wanted = false;
		struct entry *entry;

		if (mnl_attr_get_type(attr) != CTA_TUPLE_ORIG)
			continue;
		rtnl_each_nested(inner, attr) if (mnl_attr_get_type(inner) == CTA_TUPLE_PROTO)
			read_protocol(inner, &protocol, &port);
		for (size_t i = 0; i < search->port_count && !wanted; i++)
			wanted = search->ports[i] == port;
		if (protocol != search->protocol || !wanted ||
		    mnl_attr_get_payload_len(attr) > sizeof(entry->tuple))
			continue;
		entry = xgrow(&search->found, &search->found_count, sizeof(*entry));
		entry->family = general->nfgen_family;
		entry->len = mnl_attr_get_payload_len(attr);
		memcpy(entry->tuple, mnl_attr_get_payload(attr), entry->len);
	}
}

static int find(struct nft *nft, int family, struct search *search, struct err *err)
{
	char buffer[512] = { 0 };
	struct nlmsghdr *request = new_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	struct nlattr *tuple, *protocol, *filter;
	int error;
	bool interrupted = false;

	tuple = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
	protocol = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(request, CTA_PROTO_NUM, search->protocol);
	mnl_attr_nest_end(request, protocol);
	mnl_attr_nest_end(request, tuple);
	filter = mnl_attr_nest_start(request, CTA_FILTER);
	mnl_attr_put_u32(request, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL);
	mnl_attr_put_u32(request, CTA_FILTER_REPLY_FLAGS, 0);
	mnl_attr_nest_end(request, filter);
	return nft_ask(nft, request, look_at, search, &error, &interrupted, err);
}

static void ignore(const struct nlmsghdr *message, void *ctx)
{
	(void)message;
	(void)ctx;
}

static int forget(struct nft *nft, const struct entry *entry, struct err *err)
{
	char buffer[1024] = { 0 };
	struct nlmsghdr *request =
		new_request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, entry->family);
	struct err local = ERR_NONE;
	int error;
	bool interrupted = false;

	mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, entry->len, entry->tuple);
	if (nft_ask(nft, request, ignore, NULL, &error, &interrupted, &local) == 0 ||
	    error == ENOENT)
		return 0;
	*err = local;
	return -1;
}

int conntrack_forget(uint8_t protocol, const uint16_t *host_ports, size_t count, struct err *err)
{
	struct search search = { .protocol = protocol, .ports = host_ports, .port_count = count };
	AUTO(nft) struct nft *nft = NULL;
	int result;

	if (!count || protocol == IPPROTO_TCP)
		return 0;
	if (nft_open(&nft, err) < 0)
		return -1;
	result = find(nft, AF_INET, &search, err);
	if (result == 0)
		result = find(nft, AF_INET6, &search, err);
	for (size_t i = 0; i < search.found_count && result == 0; i++)
		result = forget(nft, &search.found[i], err);
	free(search.found);
	return result < 0 ? err_wrap(err, "connection tracking") : 0;
}

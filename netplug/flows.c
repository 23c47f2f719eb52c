/* netplug/flows - who talks to a container through its published ports.
 *
 * Owns: what counts as a visit. May not touch: entries (conntrack forgets them).
 * Source: linux/netfilter/nfnetlink_conntrack.h. Blocks.
 */
#include "netplug/flows.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "netplug/nft.h"
#include "netplug/rtnl.h"

#define FILTER_PROTOCOL (1u << 3) /* as in conntrack.c: older kernels than 5.8 send all */

struct search {
	const struct flow_end *ends;
	size_t count;
	const struct flows *before;
	struct flows now;
	bool active;
};

/* The half of an entry that answers come by: its source is the container, whatever was translated.
 */
struct entry {
	struct flow_end from;
	uint32_t id;
};

static void read_address(const struct nlattr *nest, struct address *out)
{
	const struct nlattr *attr;

	rtnl_each_nested(attr, nest)
	{
		unsigned type = mnl_attr_get_type(attr);
		size_t size = mnl_attr_get_payload_len(attr);

		if (type != CTA_IP_V4_SRC && type != CTA_IP_V6_SRC)
			continue;
		out->family = type == CTA_IP_V4_SRC ? AF_INET : AF_INET6;
		if (size == address_size(out))
			memcpy(out->bytes, mnl_attr_get_payload(attr), size);
	}
}

static void read_tuple(const struct nlattr *nest, struct flow_end *out)
{
	const struct nlattr *attr, *inner;

	rtnl_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
			read_address(attr, &out->address);
		if (mnl_attr_get_type(attr) != CTA_TUPLE_PROTO)
			continue;
		rtnl_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == CTA_PROTO_NUM)
				out->protocol = mnl_attr_get_u8(inner);
			else if (mnl_attr_get_type(inner) == CTA_PROTO_SRC_PORT)
				out->port = ntohs(mnl_attr_get_u16(inner));
		}
	}
}

static bool was_seen(const struct flows *flows, uint32_t id)
{
	for (size_t i = 0; i < flows->count; i++)
		if (flows->ids[i] == id)
			return true;
	return false;
}

static bool is_wanted(const struct search *search, const struct flow_end *from)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->ends[i].port == from->port &&
		    search->ends[i].protocol == from->protocol &&
		    address_equal(&search->ends[i].address, &from->address))
			return true;
	return false;
}

static void look_at(const struct nlmsghdr *message, void *ctx)
{
	struct search *search = ctx;
	struct entry entry = { 0 };
	const struct nlattr *attr;

	rtnl_each_attr(attr, message, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_REPLY:
			read_tuple(attr, &entry.from);
			break;
		case CTA_ID:
			entry.id = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
	if (!is_wanted(search, &entry.from))
		return;
	search->active |= entry.from.protocol == IPPROTO_UDP || !was_seen(search->before, entry.id);
	*(uint32_t *)xgrow(&search->now.ids, &search->now.count, sizeof(uint32_t)) = entry.id;
}

static int dump(struct nft *nft, int family, uint8_t protocol, struct search *search,
		struct err *err)
{
	char buffer[512] = { 0 };
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *general;
	struct nlattr *tuple, *inner, *filter;
	bool interrupted = false;
	int error;

	request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	general = mnl_nlmsg_put_extra_header(request, sizeof(*general));
	general->nfgen_family = (uint8_t)family;
	general->version = NFNETLINK_V0;
	tuple = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
	inner = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(request, CTA_PROTO_NUM, protocol);
	mnl_attr_nest_end(request, inner);
	mnl_attr_nest_end(request, tuple);
	filter = mnl_attr_nest_start(request, CTA_FILTER);
	mnl_attr_put_u32(request, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL);
	mnl_attr_put_u32(request, CTA_FILTER_REPLY_FLAGS, 0);
	mnl_attr_nest_end(request, filter);
	return nft_ask(nft, request, look_at, search, &error, &interrupted, err);
}

void flows_free(struct flows *flows)
{
	free(flows->ids);
	*flows = (struct flows){ NULL, 0 };
}

int flows_look(const struct flow_end *ends, size_t count, struct flows *seen, bool *out_active,
	       struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct search search = { .ends = ends, .count = count, .before = seen };
	AUTO(nft) struct nft *nft = NULL;

	if (nft_open(&nft, err) < 0)
		return -1;
	for (size_t f = 0; f < 2; f++)
		for (size_t p = 0; p < 2; p++) {
			bool any = false;

			for (size_t i = 0; i < count; i++)
				any |= ends[i].address.family == families[f] &&
				       ends[i].protocol == protocols[p];
			if (!any || dump(nft, families[f], protocols[p], &search, err) == 0)
				continue;
			flows_free(&search.now);
			return err_wrap(err, "connection tracking");
		}
	flows_free(seen);
	*seen = search.now;
	*out_active = search.active;
	return 0;
}

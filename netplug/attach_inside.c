/* netplug/attach_inside - the half of an attachment that happens inside the container's namespace.
 *
 * Owns: settings, addresses and routes inside, `table ip stack_dns`.
 * May not touch: the host's side (netplug/attach), setns.
 * Source: rtnetlink(7). Blocks: a dump and one batch a container.
 */
#include "netplug/attach_inside.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "netplug/link.h"
#include "netplug/nft.h"

#define DNS_TABLE "stack_dns"

static struct nlmsghdr *change(struct rtnl *rtnl, unsigned index, bool up, const char *what)
{
	struct nlmsghdr *message = rtnl_begin(rtnl, RTM_SETLINK, 0, 0, 0, what);
	struct ifinfomsg *info = rtnl_put_header(message, sizeof(*info));

	info->ifi_index = (int)index;
	if (up)
		info->ifi_flags = info->ifi_change = IFF_UP;
	return message;
}

/* Gratuitous ARP goes to every port of the bridge: N containers would hear N of them. */
static void put_announcement(struct rtnl *rtnl, unsigned index)
{
	struct nlmsghdr *message = change(rtnl, index, false, "set up the interface");
	struct nlattr *spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(message, IFLA_INET_CONF);

	mnl_attr_put_u32(message, IPV4_DEVCONF_ARP_NOTIFY, 1);
	mnl_attr_nest_end(message, conf);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
}

/* An address that moves here is told to the neighbours; without IPv6 the link gets no link-local
 * address either. Before the link is up. */
static void put_settings(struct rtnl *rtnl, const struct attach_interface *interface,
			 unsigned index)
{
	if (interface->flags & ATTACH_ANNOUNCE)
		put_announcement(rtnl, index);
	if (!interface->ipv6)
		rtnl_no_link_local(rtnl, index, NULL, 0);
}

static void put_address(struct rtnl *rtnl, unsigned index, const struct prefix *p, uint8_t scope)
{
	struct nlmsghdr *message = rtnl_begin(rtnl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
					      RTNL_MAY_EXIST, 0, "give the interface its address");
	struct ifaddrmsg *info = rtnl_put_header(message, sizeof(*info));
	struct address broadcast = prefix_last(p);

	info->ifa_family = p->addr.family;
	info->ifa_prefixlen = p->len;
	info->ifa_scope = scope;
	info->ifa_index = index;
	mnl_attr_put(message, IFA_LOCAL, address_size(&p->addr), p->addr.bytes);
	mnl_attr_put(message, IFA_ADDRESS, address_size(&p->addr), p->addr.bytes);
	if (p->addr.family == AF_INET6)
		mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
	else if (p->len < 31)
		mnl_attr_put(message, IFA_BROADCAST, 4, broadcast.bytes);
}

static void put_route(struct rtnl *rtnl, unsigned index, const struct prefix *to,
		      const struct address *via, unsigned metric)
{
	struct nlmsghdr *message = rtnl_begin(rtnl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
					      RTNL_MAY_EXIST, 0, "set the route");
	struct rtmsg *info = rtnl_put_header(message, sizeof(*info));

	info->rtm_family = to->addr.family;
	info->rtm_dst_len = to->len;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTPROT_BOOT;
	info->rtm_scope = address_is_set(via) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	info->rtm_type = RTN_UNICAST;
	if (to->len)
		mnl_attr_put(message, RTA_DST, address_size(&to->addr), to->addr.bytes);
	if (address_is_set(via))
		mnl_attr_put(message, RTA_GATEWAY, address_size(via), via->bytes);
	mnl_attr_put_u32(message, RTA_OIF, index);
	if (metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, metric);
}

static void put_default(struct rtnl *rtnl, unsigned index, const struct address *via,
			unsigned metric)
{
	struct prefix all = { .addr = { .family = via->family } };

	if (address_is_set(via))
		put_route(rtnl, index, &all, via, metric);
}

static void put_interface(struct rtnl *rtnl, const struct attach_interface *interface,
			  unsigned index)
{
	put_settings(rtnl, interface, index);
	for (size_t i = 0; i < interface->address_count; i++)
		put_address(rtnl, index, &interface->addresses[i], RT_SCOPE_UNIVERSE);
	for (size_t i = 0; i < interface->link_local_count; i++) {
		struct prefix p = { .addr = interface->link_local[i] };

		p.len = p.addr.family == AF_INET6 ? 64 : 16;
		put_address(rtnl, index, &p, RT_SCOPE_LINK);
	}
	change(rtnl, index, true, "bring the interface up");
	for (size_t i = 0; i < interface->route_count; i++) {
		struct prefix to = prefix_network(&interface->routes[i].to);

		put_route(rtnl, index, &to, &interface->routes[i].via, interface->routes[i].metric);
	}
	put_default(rtnl, index, &interface->default4, interface->metric);
	put_default(rtnl, index, &interface->default6, interface->metric);
}

/* `ip daddr 127.0.0.11 th dport 53 dnat to 127.0.0.11:PORT`, for UDP and TCP. */
static void put_redirect(struct nft *nft, uint8_t protocol, uint16_t port)
{
	uint16_t wire = htons(port);
	/* clang-format off */
	struct nft_step steps[] = {
		{ .op = NFT_OP_NETWORK, .offset = 16, .len = 4 },
		{ .op = NFT_OP_EQ, .len = 4, .bytes = { 127, 0, 0, 11 } },
		{ .op = NFT_OP_META, .key = NFT_META_L4PROTO },
		{ .op = NFT_OP_EQ, .len = 1, .bytes = { protocol } },
		{ .op = NFT_OP_PORT },
		{ .op = NFT_OP_EQ, .len = 2, .bytes = { 0, 53 } },
		{ .op = NFT_OP_SET, .reg = 0, .len = 4, .bytes = { 127, 0, 0, 11 } },
		{ .op = NFT_OP_SET, .reg = 1, .len = 2 },
		{ .op = NFT_OP_DNAT, .key = NFPROTO_IPV4 },
	};
	/* clang-format on */

	memcpy(steps[7].bytes, &wire, sizeof(wire));
	nft_add_rule(nft, NFPROTO_IPV4, DNS_TABLE, "out", steps, sizeof(steps) / sizeof(steps[0]),
		     NULL, 0);
}

static int set_redirect(const struct attach_job *job, struct err *err)
{
	AUTO(nft) struct nft *nft = NULL;
	static const struct nft_chain out = { NFPROTO_IPV4, DNS_TABLE,         "out",
					      "nat",        NF_INET_LOCAL_OUT, -100 };

	if (nft_over(job->netfilter_fd, &nft, err) < 0)
		return -1;
	nft_add_table(nft, NFPROTO_IPV4, DNS_TABLE, 0);
	nft_add_chain(nft, &out, 0);
	nft_del_rule(nft, NFPROTO_IPV4, DNS_TABLE, "out", 0, NFT_MAY_MISS);
	if (job->dns_udp_port)
		put_redirect(nft, IPPROTO_UDP, job->dns_udp_port);
	if (job->dns_tcp_port)
		put_redirect(nft, IPPROTO_TCP, job->dns_tcp_port);
	if (nft_commit(nft, 0, NULL, NULL, err) < 0)
		return err_wrap(err, "redirect of the resolver");
	return 0;
}

int attach_inside_set_up(const struct attach_job *job, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	unsigned index, flags;

	if (rtnl_over(job->route_fd, &rtnl, err) < 0 ||
	    rtnl_link_flags(rtnl, "lo", &flags, err) < 0)
		return -1;
	if (!(flags & IFF_UP))
		change(rtnl, 1, true, "bring lo up");
	for (size_t i = 0; i < job->interface_count; i++) {
		if (rtnl_link_index(rtnl, job->interfaces[i].name, &index, err) < 0)
			return err_wrap(err, "interface %s", job->interfaces[i].name);
		put_interface(rtnl, &job->interfaces[i], index);
	}
	if (rtnl_flush(rtnl, NULL, NULL, err) < 0)
		return -1;
	return job->dns_udp_port || job->dns_tcp_port ? set_redirect(job, err) : 0;
}

int attach_inside_delete(const struct attach_job *job, const char *name, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct nlmsghdr *message;

	if (rtnl_over(job->route_fd, &rtnl, err) < 0)
		return -1;
	message = rtnl_begin(rtnl, RTM_DELLINK, 0, RTNL_MAY_MISS, 0, "delete the interface");
	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return rtnl_flush(rtnl, NULL, NULL, err);
}

/* netplug/uplink - what the host's own network looks like.
 *
 * Owns: which link is the uplink, which addresses count as in use. May not touch: anything (reads
 * only). Source: rtnetlink(7). Blocks: one dump each of links, addresses and routes.
 */
#include "netplug/uplink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

struct host_link {
	unsigned index, mtu;
	char name[16];
	bool ours;
};

struct survey {
	struct host_link *links;
	size_t link_count;
	struct ipam_taken *taken;
	size_t taken_count;
	unsigned default_index; /* of the best default route; 0: none */
	uint32_t default_metric;
};

static int note_link(const struct nlmsghdr *message, void *ctx)
{
	struct survey *survey = ctx;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct host_link *link = xgrow(&survey->links, &survey->link_count, sizeof(*link));
	const struct nlattr *attr;

	link->index = (unsigned)info->ifi_index;
	rtnl_each_attr(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		else if (mnl_attr_get_type(attr) == IFLA_MTU)
			link->mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
			link->ours = text_starts(mnl_attr_get_str(attr), "stack:");
	}
	return 0;
}

static const struct host_link *find_link(const struct survey *survey, unsigned index)
{
	for (size_t i = 0; i < survey->link_count; i++)
		if (survey->links[i].index == index)
			return &survey->links[i];
	return NULL;
}

static void note_taken(struct survey *survey, const char *kind, uint8_t family, const void *bytes,
		       uint8_t len, unsigned index)
{
	const struct host_link *link = find_link(survey, index);
	struct ipam_taken *taken;
	char text[ADDRESS_TEXT];

	if (link && link->ours)
		return;
	taken = xgrow(&survey->taken, &survey->taken_count, sizeof(*taken));
	taken->prefix.addr.family = family;
	taken->prefix.len = len;
	memcpy(taken->prefix.addr.bytes, bytes, address_size(&taken->prefix.addr));
	taken->prefix = prefix_network(&taken->prefix);
	snprintf(taken->what, sizeof(taken->what), "%s %s%s%s", kind,
		 prefix_text(&taken->prefix, text), link ? " dev " : "", link ? link->name : "");
}

static int note_address(const struct nlmsghdr *message, void *ctx)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *address = NULL;

	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return 0;
	rtnl_each_attr(attr, message, sizeof(*info)) if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		address = attr;
	if (address)
		note_taken(ctx, "address", info->ifa_family, mnl_attr_get_payload(address),
			   info->ifa_prefixlen, info->ifa_index);
	return 0;
}

/* A default route, also in the halves and quarters that VPN clients use for one. */
static bool is_default(const struct rtmsg *info)
{
	return info->rtm_dst_len <= (info->rtm_family == AF_INET ? 1 : 3);
}

static int note_route(const struct nlmsghdr *message, void *ctx)
{
	struct survey *survey = ctx;
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *to = NULL;
	uint32_t index = 0, metric = 0;

	if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) ||
	    info->rtm_flags & RTM_F_CLONED || info->rtm_type == RTN_MULTICAST ||
	    info->rtm_type == RTN_BROADCAST || info->rtm_type == RTN_ANYCAST)
		return 0;
	rtnl_each_attr(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == RTA_DST)
			to = attr;
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			index = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			metric = mnl_attr_get_u32(attr);
	}
	if (!is_default(info)) {
		if (to)
			note_taken(survey, "route", info->rtm_family, mnl_attr_get_payload(to),
				   info->rtm_dst_len, index);
		return 0;
	}
	if (info->rtm_type == RTN_UNICAST && index && info->rtm_dst_len == 0 &&
	    info->rtm_family == AF_INET &&
	    (!survey->default_index || metric < survey->default_metric)) {
		survey->default_index = index;
		survey->default_metric = metric;
	}
	return 0;
}

static void forget(void *ctx)
{
	struct survey *survey = ctx;

	survey->taken_count = 0;
	free(survey->taken);
	survey->taken = NULL;
	survey->default_index = 0;
}

static void forget_links(void *ctx)
{
	struct survey *survey = ctx;

	free(survey->links);
	survey->links = NULL;
	survey->link_count = 0;
}

static int dump_links(struct rtnl *rtnl, struct survey *survey, struct err *err)
{
	struct rtnl_link_request request = rtnl_link_request();

	return rtnl_dump(rtnl, RTM_GETLINK, &request, sizeof(request), forget_links, note_link,
			 survey, err);
}

static void note_name_servers(struct survey *survey, const char *text)
{
	struct slice rest = SLICE(text), line, key, value;

	while (slice_next(&rest, '\n', &line)) {
		char word[64];
		struct address address;
		struct err ignored;

		if (!slice_split(slice_trim(line), ' ', &key, &value) ||
		    !slice_is(key, "nameserver"))
			continue;
		value = slice_trim(value);
		snprintf(word, sizeof(word), "%.*s", SLICE_ARG(value));
		word[strcspn(word, "% ")] = '\0';
		if (address_parse("nameserver", word, &address, &ignored) == 0)
			note_taken(survey, "name server", address.family, address.bytes,
				   (uint8_t)address_bits(&address), 0);
	}
}

int uplink_taken(struct rtnl *rtnl, const char *resolv_conf, struct ipam_taken **out,
		 size_t *out_count, unsigned *out_mtu, struct err *err)
{
	const struct host_link *uplink;
	struct survey survey = { 0 }, routes = { 0 };
	struct ifaddrmsg addresses = { 0 };
	struct rtmsg request = { 0 };
	int result = dump_links(rtnl, &survey, err);

	if (result == 0)
		result = rtnl_dump(rtnl, RTM_GETADDR, &addresses, sizeof(addresses), forget,
				   note_address, &survey, err);
	routes.links = survey.links;
	routes.link_count = survey.link_count;
	if (result == 0)
		result = rtnl_dump(rtnl, RTM_GETROUTE, &request, sizeof(request), forget,
				   note_route, &routes, err);
	if (result == 0) {
		uplink = find_link(&routes, routes.default_index);
		if (out_mtu)
			*out_mtu = uplink && uplink->mtu >= 1280 ? uplink->mtu : 1500;
		for (size_t i = 0; i < routes.taken_count; i++)
			*(struct ipam_taken *)xgrow(&survey.taken, &survey.taken_count,
						    sizeof(*survey.taken)) = routes.taken[i];
		if (resolv_conf)
			note_name_servers(&survey, resolv_conf);
		*out = survey.taken;
		*out_count = survey.taken_count;
		survey.taken = NULL;
	}
	forget(&survey);
	forget(&routes);
	forget_links(&survey);
	return result;
}

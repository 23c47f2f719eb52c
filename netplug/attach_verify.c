/* netplug/attach_verify - is a kept namespace still as its slot's record says?
 *
 * Owns: the comparison of links, addresses and routes inside. May not touch: anything (reads only).
 * Source: rtnetlink(7). Blocks: one dump each.
 */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "netplug/attach.h"
#include "netplug/link.h"

#define WHY 240

struct found_address {
	unsigned index;
	struct prefix prefix;
};

struct found_route {
	unsigned index;
	struct prefix to;
	struct address via;
};

struct inside {
	struct arena *arena;
	struct link_table links;
	struct found_address *addresses;
	size_t address_count;
	struct found_route *routes;
	size_t route_count;
};

static void forget_addresses(void *ctx)
{
	((struct inside *)ctx)->address_count = 0;
	((struct inside *)ctx)->addresses = NULL;
}

static void forget_routes(void *ctx)
{
	((struct inside *)ctx)->route_count = 0;
	((struct inside *)ctx)->routes = NULL;
}

static void read_bytes(const struct nlattr *attr, uint8_t family, struct address *out)
{
	out->family = family;
	if (mnl_attr_get_payload_len(attr) >= address_size(out))
		memcpy(out->bytes, mnl_attr_get_payload(attr), address_size(out));
}

static int note_address(const struct nlmsghdr *message, void *ctx)
{
	struct inside *inside = ctx;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct found_address *found;
	const struct nlattr *attr;

	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return 0;
	found = arena_grow(inside->arena, &inside->addresses, &inside->address_count,
			   sizeof(*found));
	*found = (struct found_address){ .index = info->ifa_index };
	found->prefix.len = info->ifa_prefixlen;
	rtnl_each_attr(attr, message, sizeof(*info)) if (mnl_attr_get_type(attr) == IFA_LOCAL ||
							 (mnl_attr_get_type(attr) == IFA_ADDRESS &&
							  !found->prefix.addr.family))
		read_bytes(attr, info->ifa_family, &found->prefix.addr);
	return 0;
}

static int note_route(const struct nlmsghdr *message, void *ctx)
{
	struct inside *inside = ctx;
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct found_route *found;
	const struct nlattr *attr;

	if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) ||
	    info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST)
		return 0;
	found = arena_grow(inside->arena, &inside->routes, &inside->route_count, sizeof(*found));
	*found = (struct found_route){
		.to = {.addr = { .family = info->rtm_family }, .len = info->rtm_dst_len}
	};
	rtnl_each_attr(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == RTA_DST)
			read_bytes(attr, info->rtm_family, &found->to.addr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			read_bytes(attr, info->rtm_family, &found->via);
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			found->index = mnl_attr_get_u32(attr);
	}
	return 0;
}

static int look(const struct attach_job *job, struct inside *inside, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct ifaddrmsg addresses = { 0 };
	struct rtmsg routes = { 0 };

	if (rtnl_over(job->route_fd, &rtnl, err) < 0 ||
	    link_dump(rtnl, inside->arena, &inside->links, err) < 0 ||
	    rtnl_dump(rtnl, RTM_GETADDR, &addresses, sizeof(addresses), forget_addresses,
		      note_address, inside, err) < 0)
		return -1;
	return rtnl_dump(rtnl, RTM_GETROUTE, &routes, sizeof(routes), forget_routes, note_route,
			 inside, err);
}

static bool has_address(const struct inside *inside, unsigned index, const struct prefix *wanted)
{
	for (size_t i = 0; i < inside->address_count; i++)
		if (inside->addresses[i].index == index &&
		    prefix_equal(&inside->addresses[i].prefix, wanted))
			return true;
	return false;
}

static bool has_route(const struct inside *inside, unsigned index, const struct prefix *to,
		      const struct address *via)
{
	for (size_t i = 0; i < inside->route_count; i++)
		if (inside->routes[i].index == index && prefix_equal(&inside->routes[i].to, to) &&
		    address_equal(&inside->routes[i].via, via))
			return true;
	return false;
}

static bool has_default(const struct inside *inside, unsigned index, const struct address *via)
{
	struct prefix all = { .addr = { .family = via->family } };

	return !address_is_set(via) || has_route(inside, index, &all, via);
}

/* A default route by which the slot should not go: somebody inside set it. */
static const struct found_route *stray_default(const struct inside *inside,
					       const struct attach_job *job)
{
	for (size_t i = 0; i < inside->route_count; i++) {
		const struct found_route *route = &inside->routes[i];
		bool wanted = false;

		for (size_t k = 0; k < job->interface_count; k++)
			wanted |= address_equal(&route->via, &job->interfaces[k].default4) ||
				  address_equal(&route->via, &job->interfaces[k].default6);
		if (route->to.len == 0 && !wanted)
			return route;
	}
	return NULL;
}

static bool has_wish(const struct attach_interface *interface, const struct prefix *found)
{
	for (size_t i = 0; i < interface->address_count; i++)
		if (prefix_equal(&interface->addresses[i], found))
			return true;
	for (size_t i = 0; i < interface->link_local_count; i++)
		if (address_equal(&interface->link_local[i], &found->addr))
			return true;
	return found->addr.family == AF_INET6 && found->addr.bytes[0] == 0xfe &&
	       (found->addr.bytes[1] & 0xc0) == 0x80;
}

static bool check_interface(const struct inside *inside, const struct attach_interface *interface,
			    char *why)
{
	static const uint8_t zero[6];
	const struct link_info *link = link_by_name(&inside->links, interface->name);
	char text[ADDRESS_TEXT];

	if (!link)
		return !snprintf(why, WHY, "interface %s is gone", interface->name);
	if (!(link->flags & IFF_UP))
		return !snprintf(why, WHY, "interface %s is down", interface->name);
	if (interface->kind != ATTACH_IPVLAN && memcmp(interface->mac, zero, 6) != 0 &&
	    memcmp(interface->mac, link->mac, 6) != 0)
		return !snprintf(why, WHY, "interface %s has another MAC address", interface->name);
	for (size_t i = 0; i < interface->address_count; i++)
		if (!has_address(inside, link->index, &interface->addresses[i]))
			return !snprintf(why, WHY, "interface %s lacks address %s", interface->name,
					 prefix_text(&interface->addresses[i], text));
	for (size_t i = 0; i < inside->address_count; i++)
		if (inside->addresses[i].index == link->index &&
		    !has_wish(interface, &inside->addresses[i].prefix))
			return !snprintf(why, WHY, "interface %s has the strange address %s",
					 interface->name,
					 prefix_text(&inside->addresses[i].prefix, text));
	for (size_t i = 0; i < interface->route_count; i++) {
		struct prefix to = prefix_network(&interface->routes[i].to);

		if (!has_route(inside, link->index, &to, &interface->routes[i].via))
			return !snprintf(why, WHY, "the route to %s is gone",
					 prefix_text(&to, text));
	}
	if (!has_default(inside, link->index, &interface->default4) ||
	    !has_default(inside, link->index, &interface->default6))
		return !snprintf(why, WHY, "the default route over %s is gone", interface->name);
	return true;
}

static bool is_wished(const struct attach_job *job, const struct link_info *link)
{
	/* lo, and what the kernel puts into every namespace (tunl0, sit0 ...): down, without an
	 * address. */
	if (link->index == 1 || !(link->flags & IFF_UP))
		return true;
	for (size_t i = 0; i < job->interface_count; i++)
		if (strcmp(job->interfaces[i].name, link->name) == 0)
			return true;
	return false;
}

int attach_verify(const struct attach_job *job, bool *out_ok, char *why, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct inside inside = { .arena = arena };
	const struct found_route *stray;
	char text[ADDRESS_TEXT];

	*out_ok = false;
	*why = '\0';
	if (look(job, &inside, err) < 0)
		return -1;
	for (size_t i = 0; i < job->interface_count; i++)
		if (!check_interface(&inside, &job->interfaces[i], why))
			return 0;
	for (size_t i = 0; i < inside.links.count; i++)
		if (!is_wished(job, &inside.links.items[i])) {
			snprintf(why, WHY, "there is a strange interface %s",
				 inside.links.items[i].name);
			return 0;
		}
	stray = stray_default(&inside, job);
	if (stray) {
		snprintf(why, WHY, "there is a strange default route via %s",
			 address_text(&stray->via, text));
		return 0;
	}
	*out_ok = true;
	return 0;
}

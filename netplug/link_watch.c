/* netplug/link_watch - notices of links that were deleted; parents of VLANs.
 *
 * Owns: the reading of RTNLGRP_LINK, the making of a VLAN link. May not touch: bridges
 * (netplug/link). Source: rtnetlink(7). Blocks: notices never, the rest until the kernel has
 * answered.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/text.h"
#include "netplug/link.h"

int link_watch_open(struct err *err)
{
	struct sockaddr_nl here = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	AUTO(fd)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return err_sys(err, errno, "watch the links");
	return TAKE_FD(fd);
}

static bool is_our_loss(const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_DELLINK)
		return false;
	rtnl_each_attr(attr, message,
		       sizeof(struct ifinfomsg)) if (mnl_attr_get_type(attr) == IFLA_IFALIAS &&
						     text_starts(mnl_attr_get_str(attr),
								 "stack:")) return true;
	return false;
}

int link_watch_read(int fd, bool *out_lost, struct err *err)
{
	char buffer[32768];

	*out_lost = false;
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0 && errno == ENOBUFS) {
			*out_lost = true;
			continue;
		}
		if (got < 0)
			return err_sys(err, errno, "watch the links");
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len))
			*out_lost |= is_our_loss(message);
	}
}

static void put_vlan(struct rtnl *rtnl, const struct network_record *network, unsigned group,
		     unsigned lower, uint16_t id)
{
	struct nlmsghdr *message = rtnl_begin(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0,
					      "make the VLAN link");
	struct nlattr *info, *data;
	struct ifinfomsg *header;
	char alias[NAMING_ALIAS];

	rtnl_put_header(message, sizeof(*header));
	mnl_attr_put_strz(message, IFLA_IFNAME, network->bridge);
	mnl_attr_put_u32(message, IFLA_LINK, lower);
	mnl_attr_put_u32(message, IFLA_GROUP, group);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u16(message, IFLA_VLAN_ID, id);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	message = rtnl_begin(rtnl, RTM_SETLINK, 0, 0, 0, "set up the VLAN link");
	header = rtnl_put_header(message, sizeof(*header));
	header->ifi_flags = header->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, network->bridge);
	mnl_attr_put_strz(message, IFLA_IFALIAS,
			  naming_bridge_alias(alias, network->project, network->name));
}

int link_ensure_parent(struct rtnl *rtnl, const struct network_record *network, unsigned group,
		       struct err *err)
{
	const char *dot = strrchr(network->bridge, '.');
	struct err local = ERR_NONE, ignored = ERR_NONE;
	char lower_name[16];
	unsigned index;
	uint64_t id;

	if (rtnl_link_index(rtnl, network->bridge, &index, &local) == 0)
		return 0;
	if (local.code != ERR_NOT_FOUND) {
		*err = local;
		return -1;
	}
	if (!dot || num_parse_u64("VLAN", dot + 1, strlen(dot + 1), 1, 4094, &id, &ignored) < 0)
		return err_set(err, ERR_NOT_FOUND, "network %s: its parent, link %s, is not there",
			       network->name, network->bridge);
	snprintf(lower_name, sizeof(lower_name), "%.*s", (int)(dot - network->bridge),
		 network->bridge);
	if (rtnl_link_index(rtnl, lower_name, &index, err) < 0)
		return err_wrap(err, "network %s", network->name);
	put_vlan(rtnl, network, group, index, (uint16_t)id);
	if (rtnl_flush(rtnl, NULL, NULL, &local) == 0)
		return 0;
	if (local.code == ERR_UNSUPPORTED)
		return err_set(err, ERR_UNSUPPORTED,
			       "network %s: link %s cannot be made, this kernel has no VLANs "
			       "(CONFIG_VLAN_8021Q)",
			       network->name, network->bridge);
	*err = local;
	return err_wrap(err, "network %s", network->name);
}

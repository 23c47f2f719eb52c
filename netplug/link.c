/* netplug/link - bridges and other links of the host's side.
 *
 * Owns: how a link is asked for, found by its alias, and removed by its group.
 * May not touch: leases (netplug/network), nft (netplug/nat), other namespaces.
 * Source: rtnetlink(7). Blocks: one round trip a call, or a few for a whole batch.
 */
#include "netplug/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/crash.h"

#define GROUP_FIRST 1024u

struct dump {
	struct arena *arena;
	struct link_table *table;
};

static void read_info(const struct nlattr *nest, struct arena *arena, struct link_info *link)
{
	const struct nlattr *attr;

	rtnl_each_nested(attr, nest) if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) link->kind =
		arena_strdup(arena, mnl_attr_get_str(attr));
}

static int note_link(const struct nlmsghdr *message, void *ctx)
{
	struct dump *dump = ctx;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link_info *link =
		arena_grow(dump->arena, &dump->table->items, &dump->table->count, sizeof(*link));
	const struct nlattr *attr;

	*link = (struct link_info){ .index = (unsigned)info->ifi_index,
				    .flags = info->ifi_flags,
				    .peer_netnsid = -1,
				    .name = "",
				    .alias = "",
				    .kind = "" };
	rtnl_each_attr(attr, message, sizeof(*info)) switch (mnl_attr_get_type(attr))
	{
	case IFLA_IFNAME:
		link->name = arena_strdup(dump->arena, mnl_attr_get_str(attr));
		break;
	case IFLA_IFALIAS:
		link->alias = arena_strdup(dump->arena, mnl_attr_get_str(attr));
		break;
	case IFLA_LINKINFO:
		read_info(attr, dump->arena, link);
		break;
	case IFLA_MASTER:
		link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_GROUP:
		link->group = mnl_attr_get_u32(attr);
		break;
	case IFLA_MTU:
		link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_netnsid = (int)mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == 6)
			memcpy(link->mac, mnl_attr_get_payload(attr), 6);
		break;
	default:
		break;
	}
	return 0;
}

static void restart(void *ctx)
{
	struct dump *dump = ctx;

	*dump->table = (struct link_table){ 0 };
}

int link_dump(struct rtnl *rtnl, struct arena *arena, struct link_table *out, struct err *err)
{
	struct rtnl_link_request request = rtnl_link_request();
	struct dump dump = { .arena = arena, .table = out };

	return rtnl_dump(rtnl, RTM_GETLINK, &request, sizeof(request), restart, note_link, &dump,
			 err);
}

const struct link_info *link_by_name(const struct link_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->items[i].name, name) == 0)
			return &table->items[i];
	return NULL;
}

const struct link_info *link_by_alias(const struct link_table *table, const char *alias)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->items[i].alias, alias) == 0)
			return &table->items[i];
	return NULL;
}

/* One link of the name, or an empty info (index 0). */
static int get_link(struct rtnl *rtnl, struct arena *arena, const char *name, struct link_info *out,
		    struct err *err)
{
	struct link_table table = { 0 };
	struct dump dump = { .arena = arena, .table = &table };
	struct err local = ERR_NONE;

	*out = (struct link_info){ .name = "", .alias = "", .kind = "" };
	if (rtnl_link_get(rtnl, name, note_link, &dump, &local) < 0) {
		if (local.code == ERR_NOT_FOUND)
			return 0;
		*err = local;
		return -1;
	}
	*out = table.items[0];
	return 0;
}

static void create_bridge(struct rtnl *rtnl, const struct bridge_want *want, unsigned tag)
{
	struct nlmsghdr *message =
		rtnl_begin(rtnl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, tag, "make the bridge");
	struct nlattr *info, *data;
	uint8_t mac[6];

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	naming_mac(mac, "", want->name, "bridge");
	mnl_attr_put_strz(message, IFLA_IFNAME, want->name);
	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(message, IFLA_GROUP, want->group);
	if (want->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, want->mtu);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u32(message, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u32(message, IFLA_BR_STP_STATE, 0);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static struct nlmsghdr *change_link(struct rtnl *rtnl, const char *name, unsigned tag, bool up,
				    const char *what)
{
	struct nlmsghdr *message = rtnl_begin(rtnl, RTM_SETLINK, 0, 0, tag, what);
	struct ifinfomsg *info = rtnl_put_header(message, sizeof(*info));

	if (up)
		info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return message;
}

/* Alias, loopback targets (route_localnet), forwarding; then up. Several messages: the flags of one
 * message are applied before its per-family settings. */
static void complete_bridge(struct rtnl *rtnl, const struct bridge_want *want, unsigned tag)
{
	struct nlmsghdr *message = change_link(rtnl, want->name, tag, false, "set up the bridge");
	struct nlattr *spec, *family, *conf;

	mnl_attr_put_strz(message, IFLA_IFALIAS, want->alias);
	mnl_attr_put_u32(message, IFLA_GROUP, want->group);
	spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(message, AF_INET);
	conf = mnl_attr_nest_start(message, IFLA_INET_CONF);
	mnl_attr_put_u32(message, IPV4_DEVCONF_ROUTE_LOCALNET, 1);
	mnl_attr_put_u32(message, IPV4_DEVCONF_FORWARDING, 1);
	mnl_attr_nest_end(message, conf);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
	/* Nor is the host reached by a link-local address on it. */
	if (!want->ipv6)
		rtnl_no_link_local(rtnl, 0, want->name, tag);
	if (want->mtu) {
		/* A bridge takes its members' MTU until one was set by hand. */
		message = change_link(rtnl, want->name, tag, false, "set the bridge's MTU");
		mnl_attr_put_u32(message, IFLA_MTU, want->mtu);
	}
	change_link(rtnl, want->name, tag, true, "bring the bridge up");
	if (want->altname) {
		struct nlattr *list;

		message = rtnl_begin(rtnl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL,
				     RTNL_MAY_EXIST, tag, "name the bridge");
		rtnl_put_header(message, sizeof(struct ifinfomsg));
		mnl_attr_put_strz(message, IFLA_IFNAME, want->name);
		list = mnl_attr_nest_start(message, IFLA_PROP_LIST);
		mnl_attr_put_strz(message, IFLA_ALT_IFNAME, want->altname);
		mnl_attr_nest_end(message, list);
	}
}

static void add_addresses(struct rtnl *rtnl, const struct bridge_want *want, unsigned index,
			  unsigned tag)
{
	for (size_t i = 0; i < want->address_count; i++) {
		const struct prefix *p = &want->addresses[i];
		struct nlmsghdr *message =
			rtnl_begin(rtnl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, RTNL_MAY_EXIST,
				   tag, "give the bridge its address");
		struct ifaddrmsg *info = rtnl_put_header(message, sizeof(*info));
		struct address broadcast = prefix_last(p);

		info->ifa_family = p->addr.family;
		info->ifa_prefixlen = p->len;
		info->ifa_index = index;
		mnl_attr_put(message, IFA_LOCAL, address_size(&p->addr), p->addr.bytes);
		mnl_attr_put(message, IFA_ADDRESS, address_size(&p->addr), p->addr.bytes);
		if (p->addr.family == AF_INET6)
			mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
		else if (p->len < 31)
			mnl_attr_put(message, IFA_BROADCAST, 4, broadcast.bytes);
	}
}

struct bridges {
	struct bridge_want *wants;
};

static void bridge_failed(void *ctx, unsigned tag, int errno_value, const struct err *fault)
{
	struct bridges *bridges = ctx;
	struct bridge_want *want = &bridges->wants[tag];

	(void)errno_value;
	if (want->result.code != ERR_OK)
		return;
	want->result = *fault;
	err_wrap(&want->result, "bridge %s", want->name);
}

static int first_failure(const struct bridge_want *wants, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (wants[i].result.code != ERR_OK) {
			*err = wants[i].result;
			return -1;
		}
	return 0;
}

/* No container is the host's router (CVE-2020-13401): before the first member joins. Not there: the
 * kernel has no IPv6; read-only: somebody's will. */
static int refuse_advertisements(const char *name, struct err *err)
{
	AUTO(free) char *path = xformat("/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == EROFS))
		return 0;
	if (fd < 0 || write(fd, "0", 1) < 0)
		return err_sys(err, errno, "set %s to 0", path);
	return 0;
}

int link_ensure_bridges(struct rtnl *rtnl, struct bridge_want *wants, size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct bridges bridges = { .wants = wants };

	for (size_t i = 0; i < count; i++) {
		struct link_info found;

		wants[i].result = ERR_NONE;
		if (get_link(rtnl, arena, wants[i].name, &found, err) < 0)
			return -1;
		/* No alias: a crash came between its two messages, or it is a stranger's. */
		if (!found.index)
			create_bridge(rtnl, &wants[i], (unsigned)i);
		else if (strcmp(found.alias, wants[i].alias) != 0 &&
			 (found.alias[0] || found.group != wants[i].group ||
			  strcmp(found.kind, "bridge") != 0))
			err_set(&wants[i].result, ERR_EXISTS,
				"link %s is there already and belongs to %s", wants[i].name,
				found.alias[0] ? found.alias : "somebody else");
		if (wants[i].result.code == ERR_OK)
			complete_bridge(rtnl, &wants[i], (unsigned)i);
	}
	if (rtnl_flush(rtnl, bridge_failed, &bridges, err) < 0)
		return -1;
	crash_point("netplug", "bridges-made");
	for (size_t i = 0; i < count; i++) {
		unsigned index;

		if (wants[i].result.code == ERR_OK &&
		    refuse_advertisements(wants[i].name, &wants[i].result) == 0 &&
		    rtnl_link_index(rtnl, wants[i].name, &index, &wants[i].result) == 0)
			add_addresses(rtnl, &wants[i], index, (unsigned)i);
	}
	if (rtnl_flush(rtnl, bridge_failed, &bridges, err) < 0)
		return -1;
	return first_failure(wants, count, err);
}

void link_bridge_of(const struct network_record *network, struct arena *arena, unsigned group,
		    struct bridge_want *out)
{
	char alias[NAMING_ALIAS], altname[128];
	struct prefix *addresses =
		arena_alloc(arena, (network->subnet_count + 1) * sizeof(*addresses));
	size_t count = 0;

	for (size_t i = 0; i < network->subnet_count; i++) {
		const struct network_subnet *subnet = &network->subnets[i];

		if (!address_is_set(&subnet->gateway) ||
		    (network->options.inhibit_ipv4 && subnet->gateway.family == AF_INET) ||
		    (subnet->gateway.family == AF_INET
			     ? network->options.mode4
			     : network->options.mode6) == GATEWAY_ISOLATED)
			continue;
		addresses[count].addr = subnet->gateway;
		addresses[count++].len = subnet->subnet.len;
	}
	*out = (struct bridge_want){
		.name = arena_strdup(arena, network->bridge),
		.alias = arena_strdup(arena,
				      naming_bridge_alias(alias, network->project, network->name)),
		.altname = arena_strdup(arena, naming_altname(altname, network->name)),
		.group = group,
		.mtu = network->mtu,
		.addresses = addresses,
		.address_count = count,
		.ipv6 = network->ipv6,
	};
}

static struct nlmsghdr *begin_delete_group(struct rtnl *rtnl, unsigned group)
{
	struct nlmsghdr *message =
		rtnl_begin(rtnl, RTM_DELLINK, 0, RTNL_MAY_MISS, 0, "delete the links of a group");

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(message, IFLA_GROUP, group);
	return message;
}

int link_delete_group(struct rtnl *rtnl, unsigned group, struct err *err)
{
	if (group < GROUP_FIRST)
		return err_set(err, ERR_INTERNAL, "link group %u is not ours", group);
	begin_delete_group(rtnl, group);
	if (rtnl_flush(rtnl, NULL, NULL, err) < 0)
		return -1;
	crash_point("netplug", "group-deleted");
	return 0;
}

static void begin_move(struct rtnl *rtnl, const char *name, unsigned group)
{
	struct nlmsghdr *message =
		rtnl_begin(rtnl, RTM_SETLINK, 0, RTNL_MAY_MISS, 0, "move a link to another group");

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_GROUP, group);
}

int link_keep(struct rtnl *rtnl, const char *const *names, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		begin_move(rtnl, names[i], 0);
	return rtnl_flush(rtnl, NULL, NULL, err);
}

int link_delete_names(struct rtnl *rtnl, unsigned trash_group, const char *const *names,
		      size_t count, struct err *err)
{
	if (trash_group < GROUP_FIRST)
		return err_set(err, ERR_INTERNAL, "link group %u is not ours", trash_group);
	for (size_t i = 0; i < count; i++)
		begin_move(rtnl, names[i], trash_group);
	begin_delete_group(rtnl, trash_group);
	return rtnl_flush(rtnl, NULL, NULL, err);
}

/* netplug/attach - one slot's links: the host's half, for many slots in one conversation.
 *
 * Owns: how the pair is asked for and found again, its bridge port, the order of both halves.
 * May not touch: leases, the packet filter of the host, setns.
 * Source: rtnetlink(7). Blocks: one conversation for all, one inside each.
 */
#include "netplug/attach.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "netplug/attach_inside.h"
#include "netplug/link.h"
#include "netplug/switches.h"

#define LEAVING_STEP_MS 20u
#define LEAVING_MAX_MS  2500u

/* Which message of which interface failed: the tag counts interfaces over all jobs. */
struct wiring {
	struct rtnl *host;
	struct attach_job *jobs;
	size_t job_count;
	const struct link_table *uppers;
	struct attach_interface **interfaces; /* by tag */
	struct attach_job **owners;
	bool *exists;
	size_t count;
	bool hairpin;
};

/* A veth uses one queue either way. Unasked the kernel makes one for each processor, takes all but
 * one out of use again, and waits for a grace period each time, under the lock of all links. */
static void put_one_queue(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nlmsghdr *message, const struct attach_interface *interface,
		     int netns_fd)
{
	static const uint8_t zero[6];
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	struct ifinfomsg *info = (struct ifinfomsg *)((char *)message + message->nlmsg_len);

	memset(info, 0, sizeof(*info));
	message->nlmsg_len += MNL_ALIGN(sizeof(*info));
	mnl_attr_put_strz(message, IFLA_IFNAME, interface->name);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	put_one_queue(message);
	if (memcmp(interface->mac, zero, 6) != 0)
		mnl_attr_put(message, IFLA_ADDRESS, 6, interface->mac);
	if (interface->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, interface->mtu);
	mnl_attr_nest_end(message, peer);
}

static void create_pair(struct wiring *w, size_t tag, unsigned upper)
{
	const struct attach_interface *interface = w->interfaces[tag];
	struct nlmsghdr *message = rtnl_begin(w->host, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
					      (unsigned)tag, "make the link");
	struct nlattr *info, *data;

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, interface->host_name);
	mnl_attr_put_u32(message, IFLA_GROUP, w->owners[tag]->group);
	mnl_attr_put_u32(message, IFLA_MASTER, upper);
	put_one_queue(message);
	if (interface->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, interface->mtu);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	put_peer(message, interface, w->owners[tag]->netns_fd);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

/* No IPv6 of the port's own (the bridge has it); the alias, switches of the bridge port, up. */
static void complete_pair(struct wiring *w, size_t tag)
{
	const struct attach_interface *interface = w->interfaces[tag];
	bool hairpin = w->hairpin || interface->flags & ATTACH_HAIRPIN;
	bool isolated = interface->flags & ATTACH_ISOLATED;
	struct nlmsghdr *message;
	struct nlattr *info, *data;
	struct ifinfomsg *header;

	rtnl_no_link_local(w->host, 0, interface->host_name, (unsigned)tag);
	message = rtnl_begin(w->host, RTM_NEWLINK, 0, 0, (unsigned)tag, "bring the link up");
	header = rtnl_put_header(message, sizeof(*header));
	header->ifi_flags = header->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, interface->host_name);
	mnl_attr_put_strz(message, IFLA_IFALIAS, interface->alias);
	if (!isolated && !hairpin)
		return;
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(message, IFLA_BRPORT_MODE, hairpin);
	mnl_attr_put_u8(message, IFLA_BRPORT_ISOLATED, isolated);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

/* A macvlan or ipvlan link is born inside, over the parent here. */
static void create_child(struct wiring *w, size_t tag, unsigned upper)
{
	static const uint8_t zero[6];
	const struct attach_interface *interface = w->interfaces[tag];
	bool macvlan = interface->kind == ATTACH_MACVLAN;
	struct nlmsghdr *message = rtnl_begin(w->host, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
					      (unsigned)tag, "make the link");
	struct nlattr *info, *data;

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, interface->name);
	mnl_attr_put_u32(message, IFLA_LINK, upper);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)w->owners[tag]->netns_fd);
	if (macvlan && memcmp(interface->mac, zero, 6) != 0)
		mnl_attr_put(message, IFLA_ADDRESS, 6, interface->mac);
	if (interface->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, interface->mtu);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, macvlan ? "macvlan" : "ipvlan");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	if (macvlan) {
		mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, interface->mode);
	} else {
		mnl_attr_put_u16(message, IFLA_IPVLAN_MODE, (uint16_t)interface->mode);
		mnl_attr_put_u16(message, IFLA_IPVLAN_FLAGS, interface->ipvlan_flags);
	}
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static void note_failure(void *ctx, unsigned tag, int errno_value, const struct err *fault)
{
	struct wiring *w = ctx;
	const struct attach_interface *interface = w->interfaces[tag];
	struct err *result = &w->owners[tag]->result;
	bool veth = interface->kind == ATTACH_VETH;

	if (errno_value == EEXIST) {
		w->exists[tag] = true;
		return;
	}
	if (result->code != ERR_OK)
		return;
	*result = *fault;
	if (errno_value == EXFULL)
		err_set(result, ERR_NO_SPACE, "bridge %s is full (1023 members)", interface->upper);
	else if (errno_value == EOPNOTSUPP && !veth)
		err_set(result, ERR_UNSUPPORTED, "this kernel has no %s (CONFIG_%s)",
			interface->kind == ATTACH_MACVLAN ? "macvlan" : "ipvlan",
			interface->kind == ATTACH_MACVLAN ? "MACVLAN" : "IPVLAN");
	err_wrap(result, "interface %s", interface->name);
}

struct upper_index {
	const char *name;
	unsigned index;
};

/* Slots of one project share few bridges, so the last ones are remembered. */
static int find_upper(struct wiring *w, struct upper_index *known, const char *name, unsigned *out,
		      struct err *err)
{
	enum { KNOWN = 8 };

	for (size_t i = 0; i < KNOWN && known[i].name; i++)
		if (strcmp(known[i].name, name) == 0) {
			*out = known[i].index;
			return 0;
		}
	if (rtnl_link_index(w->host, name, out, err) < 0)
		return -1;
	for (size_t i = KNOWN - 1; i > 0; i--)
		known[i] = known[i - 1];
	known[0] = (struct upper_index){ name, *out };
	return 0;
}

static void begin_all(struct wiring *w)
{
	struct upper_index known[8] = {
		{NULL, 0}
	};

	for (size_t tag = 0; tag < w->count; tag++) {
		const struct attach_interface *interface = w->interfaces[tag];
		struct err *result = &w->owners[tag]->result;
		unsigned upper;

		if (result->code != ERR_OK)
			continue;
		if (find_upper(w, known, interface->upper, &upper, result) < 0) {
			err_wrap(result, "interface %s", interface->name);
			continue;
		}
		if (interface->kind == ATTACH_VETH) {
			create_pair(w, tag, upper);
		} else {
			create_child(w, tag, upper);
		}
	}
}

/* A link of that name is there: ours from before when the alias says so (or the crash came before
 * the alias was set, then it has our group); with its peer inside. A peer elsewhere is a leftover:
 * it goes. */
static int settle_existing(struct wiring *w, size_t tag, struct err *err)
{
	const struct attach_interface *interface = w->interfaces[tag];
	const struct attach_job *job = w->owners[tag];
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(rtnl) struct rtnl *inside = NULL;
	struct link_table outer = { 0 }, inner = { 0 };
	const struct link_info *here, *there;

	if (link_dump(w->host, arena, &outer, err) < 0 ||
	    rtnl_over(job->route_fd, &inside, err) < 0 || link_dump(inside, arena, &inner, err) < 0)
		return -1;
	here = link_by_name(&outer, interface->host_name);
	there = link_by_name(&inner, interface->name);
	if (interface->kind != ATTACH_VETH)
		return there && strcmp(there->kind, "veth") != 0
			       ? 0
			       : err_set(err, ERR_EXISTS, "interface %s is there already",
					 interface->name);
	if (here && strcmp(here->alias, interface->alias) != 0 &&
	    (here->alias[0] || here->group != job->group))
		return err_set(err, ERR_EXISTS, "link %s is there already and belongs to %s",
			       interface->host_name,
			       here->alias[0] ? here->alias : "somebody else");
	if (here && there && memcmp(there->mac, interface->mac, 6) == 0)
		return 0;
	/* Half of a former pair: take away what is left of it, make it anew. */
	if (there && attach_inside_delete(job, interface->name, err) < 0)
		return -1;
	if (here) {
		const char *names[] = { interface->host_name };

		if (link_delete_names(w->host, link_group_trash(job->group), names, 1, err) < 0)
			return -1;
	}
	w->exists[tag] = false;
	return 0;
}

/* The bridge may be a new one. */
static void join_bridge(struct wiring *w, size_t tag, unsigned upper)
{
	struct nlmsghdr *message =
		rtnl_begin(w->host, RTM_SETLINK, 0, 0, (unsigned)tag, "put the link on its bridge");

	rtnl_put_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, w->interfaces[tag]->host_name);
	mnl_attr_put_u32(message, IFLA_MASTER, upper);
}

/* The second round: pairs whose names were taken. */
static int settle(struct wiring *w, struct err *err)
{
	unsigned upper;
	bool any = false;

	for (size_t tag = 0; tag < w->count; tag++) {
		struct err *result = &w->owners[tag]->result;

		if (!w->exists[tag] || result->code != ERR_OK)
			continue;
		any = true;
		if (settle_existing(w, tag, result) < 0 ||
		    rtnl_link_index(w->host, w->interfaces[tag]->upper, &upper, result) < 0)
			continue;
		if (!w->exists[tag])
			create_pair(w, tag, upper);
		else if (w->interfaces[tag]->kind == ATTACH_VETH)
			join_bridge(w, tag, upper);
	}
	return any ? rtnl_flush(w->host, note_failure, w, err) : 0;
}

static size_t count_interfaces(const struct attach_job *jobs, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += jobs[i].interface_count;
	return sum;
}

static void number_interfaces(struct wiring *w, struct arena *arena)
{
	size_t total = count_interfaces(w->jobs, w->job_count) + 1;

	w->interfaces = arena_alloc(arena, total * sizeof(void *));
	w->owners = arena_alloc(arena, total * sizeof(void *));
	w->exists = arena_alloc(arena, total * sizeof(*w->exists));
	for (size_t i = 0; i < w->job_count; i++) {
		w->jobs[i].result = ERR_NONE;
		for (size_t k = 0; k < w->jobs[i].interface_count; k++) {
			w->interfaces[w->count] = &w->jobs[i].interfaces[k];
			w->owners[w->count++] = &w->jobs[i];
		}
	}
}

static int wire_once(struct rtnl *host, struct attach_job *jobs, size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct wiring w = { .host = host, .jobs = jobs, .job_count = count };

	/* With bridged frames passing through iptables, a published port leads back out of the port
	 * that the frame came in by. */
	w.hairpin = switches_bridge_netfilter(AF_INET) || switches_bridge_netfilter(AF_INET6);
	number_interfaces(&w, arena);
	begin_all(&w);
	if (rtnl_flush(host, note_failure, &w, err) < 0 || settle(&w, err) < 0)
		return -1;
	crash_point("netplug", "links-made");
	/* Only now: a pair whose name was a stranger's must not be touched. */
	for (size_t tag = 0; tag < w.count; tag++)
		if (w.owners[tag]->result.code == ERR_OK && w.interfaces[tag]->kind == ATTACH_VETH)
			complete_pair(&w, tag);
	if (rtnl_flush(host, note_failure, &w, err) < 0)
		return -1;
	crash_point("netplug", "links-up");
	for (size_t i = 0; i < count; i++)
		if (jobs[i].result.code == ERR_OK)
			attach_inside_set_up(&jobs[i], &jobs[i].result);
	crash_point("netplug", "wired");
	for (size_t i = 0; i < count; i++)
		if (jobs[i].result.code != ERR_OK) {
			*err = jobs[i].result;
			return -1;
		}
	return 0;
}

/* The member of before is still on its way out: the kernel takes a namespace's links away some time
 * after the namespace, and until then a parent has no room for a second passthru child (EINVAL) nor
 * for a second one with that MAC (EADDRINUSE). */
static bool may_be_leaving(const struct attach_interface *interface, enum err_code code)
{
	return interface->kind == ATTACH_MACVLAN &&
	       (code == ERR_EXISTS ||
		(code == ERR_SYSTEM && interface->mode == MACVLAN_MODE_PASSTHRU));
}

static struct attach_interface *find_leaving(const struct attach_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < jobs[i].interface_count; k++)
			if (may_be_leaving(&jobs[i].interfaces[k], jobs[i].result.code))
				return &jobs[i].interfaces[k];
	return NULL;
}

int attach_wire(struct rtnl *host, struct attach_job *jobs, size_t count, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LEAVING_STEP_MS * 1000000l };
	const struct attach_interface *leaving = NULL;

	for (unsigned waited = 0; waited < LEAVING_MAX_MS; waited += LEAVING_STEP_MS) {
		if (wire_once(host, jobs, count, err) == 0)
			return 0;
		leaving = find_leaving(jobs, count);
		if (!leaving)
			return -1;
		nanosleep(&pause, NULL);
	}
	return leaving->mode == MACVLAN_MODE_PASSTHRU
		       ? err_wrap(err, "macvlan_mode passthru has room for one member on %s",
				  leaving->upper)
		       : -1;
}

int attach_unwire(struct rtnl *host, unsigned trash_group, struct attach_job *jobs, size_t count,
		  struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char **names =
		arena_alloc(arena, (count_interfaces(jobs, count) + 1) * sizeof(*names));
	size_t name_count = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < jobs[i].interface_count; k++) {
			struct attach_interface *interface = &jobs[i].interfaces[k];

			if (interface->kind == ATTACH_VETH)
				names[name_count++] = interface->host_name;
			else if (attach_inside_delete(&jobs[i], interface->name, err) < 0)
				return -1;
		}
	return name_count ? link_delete_names(host, trash_group, names, name_count, err) : 0;
}

void attach_interface_of(struct arena *arena, const struct network_record *network,
			 const struct network_lease *lease, const char *name, unsigned index,
			 struct attach_interface *out)
{
	static const enum attach_kind kinds[] = { [NETWORK_BRIDGE] = ATTACH_VETH,
						  [NETWORK_MACVLAN] = ATTACH_MACVLAN,
						  [NETWORK_IPVLAN] = ATTACH_IPVLAN };
	struct prefix *addresses = arena_alloc(arena, 2 * sizeof(*addresses));
	char alias[NAMING_ALIAS];

	*out = (struct attach_interface){
		.kind = kinds[network->driver],
		.flags = (network->options.no_icc ? ATTACH_ISOLATED : 0) |
			 (lease->is_inherited || network->driver != NETWORK_BRIDGE ? ATTACH_ANNOUNCE
										   : 0),
		.name = arena_strdup(arena, name),
		.alias = arena_strdup(arena, naming_alias(alias, lease->slot, network->name)),
		.upper = arena_strdup(arena, network->bridge),
		.mtu = network->mtu,
		.mode = network->driver == NETWORK_IPVLAN ? network->options.ipvlan_mode
							  : network->options.macvlan_mode,
		.ipvlan_flags = network->options.ipvlan_flags,
		.ipv6 = network->ipv6,
		.addresses = addresses,
		.metric = network->options.metric,
	};
	/* A passthru child has its parent's address. */
	if (network->driver != NETWORK_MACVLAN || out->mode != MACVLAN_MODE_PASSTHRU)
		memcpy(out->mac, lease->mac, sizeof(out->mac));
	naming_host_end(out->host_name, network->name, lease->slot, index, 0);
	if (address_is_set(&lease->v4))
		addresses[out->address_count++] = (struct prefix){ lease->v4, lease->v4_len };
	if (address_is_set(&lease->v6))
		addresses[out->address_count++] = (struct prefix){ lease->v6, lease->v6_len };
}

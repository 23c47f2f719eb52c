/* netplug/network_make - a new network's record: subnets, gateway, the bridge's name, MTU.
 *
 * Owns: what is chosen when the definition leaves it open, and what a definition may not ask for.
 * May not touch: records that are there, links (it looks at them). Blocks: disk, one dump each of
 * the host's links, addresses and routes.
 */
#include "netplug/network_make.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "netplug/naming.h"
#include "netplug/network_file.h"
#include "netplug/rtnl.h"
#include "netplug/uplink.h"

#define RESOLV_MAX 65536
#define MTU_MIN_V6 1280u

struct maker {
	const struct netplug *np;
	struct arena *arena;
	const struct network_spec *spec;
	struct network_record *network;
	struct rtnl *rtnl;
	unsigned uplink_mtu;
	struct ipam_taken *taken; /* heap */
	size_t taken_count;
};

static void note_networks(struct maker *m, struct network_record *const *networks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < networks[i]->subnet_count; k++) {
			struct ipam_taken *taken;

			if (networks[i]->driver != NETWORK_BRIDGE)
				continue;
			taken = xgrow(&m->taken, &m->taken_count, sizeof(*taken));
			taken->prefix = networks[i]->subnets[k].subnet;
			snprintf(taken->what, sizeof(taken->what), "network %.70s",
				 networks[i]->name);
		}
}

static int survey(struct maker *m, struct err *err)
{
	AUTO(free) char *resolv = NULL;
	struct network_record **networks = NULL;
	size_t count = 0, len;
	struct err ignored = ERR_NONE;

	file_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &resolv, &len, &ignored);
	if (uplink_taken(m->rtnl, resolv, &m->taken, &m->taken_count, &m->uplink_mtu, err) < 0 ||
	    network_list(m->np, m->arena, NULL, &networks, &count, err) < 0)
		return -1;
	note_networks(m, networks, count);
	return 0;
}

static int read_aux(struct maker *m, const struct network_subnet_spec *spec,
		    struct network_subnet *subnet, struct err *err)
{
	for (size_t i = 0; i < spec->aux.count; i++) {
		struct network_pair *pair =
			arena_grow(m->arena, &subnet->aux.items, &subnet->aux.count, sizeof(*pair));
		struct address address;

		if (address_parse("aux_addresses", spec->aux.items[i].value, &address, err) < 0)
			return -1;
		if (!prefix_contains(&subnet->subnet, &address))
			return err_set(err, ERR_INVALID,
				       "aux_addresses: %s is not in the subnet %s",
				       spec->aux.items[i].value, spec->subnet);
		*pair = (struct network_pair){
			.key = arena_strdup(m->arena, spec->aux.items[i].key),
			.value = arena_strdup(m->arena, spec->aux.items[i].value),
		};
	}
	return 0;
}

static int read_subnet(struct maker *m, const struct network_subnet_spec *spec, struct err *err)
{
	struct network_record *network = m->network;
	struct network_subnet *subnet =
		arena_grow(m->arena, &network->subnets, &network->subnet_count, sizeof(*subnet));
	const struct ipam_taken *other;

	if (prefix_parse("subnet", spec->subnet, &subnet->subnet, err) < 0)
		return -1;
	subnet->subnet = prefix_network(&subnet->subnet);
	subnet->dynamic = subnet->subnet;
	if (spec->ip_range && prefix_parse("ip_range", spec->ip_range, &subnet->dynamic, err) < 0)
		return -1;
	subnet->dynamic = prefix_network(&subnet->dynamic);
	if (!prefix_within(&subnet->subnet, &subnet->dynamic))
		return err_set(err, ERR_INVALID, "ip_range %s is not in the subnet %s",
			       spec->ip_range, spec->subnet);
	subnet->gateway = ipam_first_usable(&subnet->subnet);
	if (spec->gateway && address_parse("gateway", spec->gateway, &subnet->gateway, err) < 0)
		return -1;
	if (!prefix_contains(&subnet->subnet, &subnet->gateway))
		return err_set(err, ERR_INVALID, "gateway %s is not in the subnet %s",
			       spec->gateway, spec->subnet);
	other = network->driver == NETWORK_BRIDGE
			? ipam_find_overlap(&subnet->subnet, m->taken, m->taken_count)
			: NULL;
	if (other)
		return err_set(err, ERR_EXISTS, "subnet %s overlaps %s", spec->subnet, other->what);
	if (subnet->subnet.addr.family == AF_INET6)
		network->ipv6 = true;
	return read_aux(m, spec, subnet, err);
}

static bool has_family(const struct network_record *network, int family)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (network->subnets[i].subnet.addr.family == family)
			return true;
	return false;
}

static bool pools_have(const struct netplug *np, int family)
{
	for (size_t i = 0; i < np->pool_count; i++)
		if (np->pools[i].base.addr.family == family)
			return true;
	return false;
}

static int choose_subnet(struct maker *m, int family, struct err *err)
{
	const struct address_pool *pools = m->np->pools;
	size_t count = m->np->pool_count;
	struct network_subnet *subnet;
	struct prefix chosen;
	int result;

	if (!pools_have(m->np, family))
		pools = ipam_default_pools(&count);
	if (family == AF_INET6 && !pools_have(m->np, AF_INET6))
		result = ipam_choose_ula(m->np->machine_id ? m->np->machine_id : "",
					 m->network->name, m->taken, m->taken_count, &chosen, err);
	else
		result = ipam_choose_subnet(pools, count, family, m->network->name, m->taken,
					    m->taken_count, &chosen, err);
	if (result < 0)
		return -1;
	subnet = arena_grow(m->arena, &m->network->subnets, &m->network->subnet_count,
			    sizeof(*subnet));
	subnet->subnet = subnet->dynamic = chosen;
	subnet->gateway = ipam_first_usable(&chosen);
	return 0;
}

static int set_subnets(struct maker *m, struct err *err)
{
	const struct network_spec *spec = m->spec;
	struct network_record *network = m->network;

	network->ipv4 = !spec->no_ipv4;
	network->ipv6 = spec->ipv6;
	for (size_t i = 0; i < spec->subnet_count; i++)
		if (spec->subnets[i].subnet && read_subnet(m, &spec->subnets[i], err) < 0)
			return -1;
	if (network->ipv4 && !has_family(network, AF_INET) && choose_subnet(m, AF_INET, err) < 0)
		return -1;
	if (network->ipv6 && !has_family(network, AF_INET6) && choose_subnet(m, AF_INET6, err) < 0)
		return -1;
	if (!network->subnet_count)
		return err_set(err, ERR_INVALID, "enable_ipv4 and enable_ipv6 are both false");
	return 0;
}

struct finder {
	bool found;
	char alias[NAMING_ALIAS];
};

static int note_alias(const struct nlmsghdr *message, void *ctx)
{
	struct finder *finder = ctx;
	const struct nlattr *attr;

	finder->found = true;
	rtnl_each_attr(attr, message,
		       sizeof(struct ifinfomsg)) if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
		snprintf(finder->alias, sizeof(finder->alias), "%s", mnl_attr_get_str(attr));
	return 0;
}

/* Is the name free for this network: no such link, or one with our alias (left by a crash). */
static int link_is_free(struct maker *m, const char *name, bool *out, struct err *err)
{
	struct finder finder = { 0 };
	struct err local = ERR_NONE;
	char alias[NAMING_ALIAS];

	if (rtnl_link_get(m->rtnl, name, note_alias, &finder, &local) < 0 &&
	    local.code != ERR_NOT_FOUND) {
		*err = local;
		return -1;
	}
	naming_bridge_alias(alias, m->network->project, m->network->name);
	*out = !finder.found || strcmp(finder.alias, alias) == 0;
	return 0;
}

static int set_link(struct maker *m, struct err *err)
{
	struct network_record *network = m->network;
	bool is_free = false;

	if (network->driver != NETWORK_BRIDGE) {
		if (!network->options.parent[0])
			return err_set(err, ERR_INVALID,
				       "driver %s needs driver_opts.parent, a link of the host",
				       m->spec->driver);
		snprintf(network->bridge, sizeof(network->bridge), "%s", network->options.parent);
		return 0;
	}
	if (network->options.bridge_name[0]) {
		snprintf(network->bridge, sizeof(network->bridge), "%s",
			 network->options.bridge_name);
		if (link_is_free(m, network->bridge, &is_free, err) < 0)
			return -1;
		return is_free ? 0
			       : err_set(err, ERR_EXISTS,
					 "com.docker.network.bridge.name: link %s is there already",
					 network->bridge);
	}
	for (unsigned attempt = 0; attempt < NAMING_ATTEMPTS && !is_free; attempt++) {
		naming_bridge(network->bridge, network->name, attempt);
		if (link_is_free(m, network->bridge, &is_free, err) < 0)
			return -1;
	}
	return is_free ? 0 : err_set(err, ERR_EXISTS, "no free name for its bridge");
}

static int set_mtu(struct maker *m, struct err *err)
{
	struct network_record *network = m->network;

	network->mtu = network->options.mtu;
	if (network->driver == NETWORK_BRIDGE && !network->mtu)
		network->mtu = m->np->mtu;
	if (network->driver == NETWORK_BRIDGE && !network->mtu)
		network->mtu = m->uplink_mtu;
	if (network->ipv6 && network->mtu && network->mtu < MTU_MIN_V6)
		return err_set(err, ERR_INVALID, "mtu %u is too small for IPv6 (at least 1280)",
			       network->mtu);
	return 0;
}

static int read_driver(const char *name, enum network_driver *out, struct err *err)
{
	static const struct {
		const char *name;
		enum network_driver driver;
	} drivers[] = {
		{"bridge",   NETWORK_BRIDGE },
		{ "default", NETWORK_BRIDGE },
		{ "macvlan", NETWORK_MACVLAN},
		{ "ipvlan",  NETWORK_IPVLAN }
	};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(drivers[i].name, name) == 0) {
			*out = drivers[i].driver;
			return 0;
		}
	if (strcmp(name, "overlay") == 0)
		return err_set(
			err, ERR_UNSUPPORTED,
			"driver overlay connects several hosts; stack works on one (use bridge)");
	return err_set(err, ERR_UNSUPPORTED,
		       "driver %.40s is not supported (bridge, macvlan, ipvlan)", name);
}

/* The machine's defaults first, the network's own behind them: the last one counts. */
static int read_options(struct maker *m, struct err *err)
{
	const struct network_pairs *own = &m->spec->options, *defaults = &m->np->bridge_options;
	struct network_pairs all = { 0 };

	if (m->network->driver == NETWORK_BRIDGE)
		for (size_t i = 0; i < defaults->count; i++)
			*(struct network_pair *)arena_grow(m->arena, &all.items, &all.count,
							   sizeof(*all.items)) = defaults->items[i];
	for (size_t i = 0; i < own->count; i++)
		*(struct network_pair *)arena_grow(m->arena, &all.items, &all.count,
						   sizeof(*all.items)) = own->items[i];
	return network_options_read(m->arena, &all, &m->network->options, NULL, err);
}

static void set_names(struct maker *m)
{
	struct network_record *network = m->network;
	AUTO(json) struct json_object *spec = network_file_spec(m->spec);
	char *id = arena_alloc(m->arena, STAMP_ID_LEN + 1);
	char *created = arena_alloc(m->arena, STAMP_TEXT_LEN);

	stamp_id(id, STAMP_ID_LEN);
	stamp_rfc3339(stamp_now_ns(), created);
	network->name = arena_strdup(m->arena, m->spec->name);
	network->project = arena_strdup(m->arena, m->spec->project ? m->spec->project : "");
	network->id = id;
	network->created = created;
	network->internal = m->spec->internal;
	network->attachable = m->spec->attachable;
	network->spec_text = arena_strdup(
		m->arena, json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN));
}

/* Without an address the bridge leads nowhere: docker allows that for internal networks alone. */
static int check_isolated(const struct network_record *network, struct err *err)
{
	const struct network_options *options = &network->options;

	if (network->internal ||
	    (options->mode4 != GATEWAY_ISOLATED && options->mode6 != GATEWAY_ISOLATED))
		return 0;
	return err_set(err, ERR_INVALID,
		       "driver_opts: gateway_mode isolated is for networks with internal: true");
}

int network_make(const struct netplug *np, struct arena *arena, const struct network_spec *spec,
		 struct network_record **out, struct err *err)
{
	struct maker m = { .np = np, .arena = arena, .spec = spec };
	const char *driver = spec->driver ? spec->driver : "bridge";
	int result;

	m.network = arena_alloc(arena, sizeof(*m.network));
	set_names(&m);
	result = read_driver(driver, &m.network->driver, err) < 0 || read_options(&m, err) < 0 ||
				 check_isolated(m.network, err) < 0 ||
				 rtnl_open(&m.rtnl, err) < 0 || survey(&m, err) < 0 ||
				 set_subnets(&m, err) < 0 || set_link(&m, err) < 0 ||
				 set_mtu(&m, err) < 0
			 ? -1
			 : 0;
	rtnl_close(m.rtnl);
	free(m.taken);
	*out = m.network;
	return result;
}

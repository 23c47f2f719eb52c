/* orchestrator/network_fill - leases and ports as they hold, as the slot keeps them.
 *
 * Owns: the make-up of struct slot_net. May not touch: books, kernel.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "netplug/conntrack.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

#define GATEWAY_V4 1u /* the link has the default route of the family */
#define GATEWAY_V6 2u

static size_t network_index(const struct project *project, const char *key)
{
	for (size_t i = 0; i < project->network_count; i++)
		if (strcmp(project->networks[i].key, key) == 0)
			return i;
	return SIZE_MAX;
}

static const struct network_record *net_record_of(const struct batch *b, const char *key)
{
	size_t at = network_index(b->project, key);

	return at == SIZE_MAX ? NULL : b->networks[at];
}

static const struct lease_want *lease_of(const struct batch *b, const char *slot,
					 const char *network)
{
	for (size_t i = 0; i < b->lease_count; i++)
		if (strcmp(b->leases[i].slot, slot) == 0 &&
		    strcmp(b->leases[i].network, network) == 0)
			return &b->leases[i];
	return NULL;
}

static struct address gateway_of(const struct network_record *network, int family)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (network->subnets[i].subnet.addr.family == family)
			return network->subnets[i].gateway;
	return (struct address){ 0 };
}

static void fill_link(struct slot_net *out, const struct network_record *network,
		      const struct lease_want *lease, const struct attachment *attachment,
		      const char *interface)
{
	struct slot_link *link =
		arena_grow(out->arena, &out->links, &out->link_count, sizeof(*link));
	struct address gateway4 = gateway_of(network, AF_INET);
	struct address gateway6 = gateway_of(network, AF_INET6);
	const char *sysctls;
	const char **aliases =
		arena_alloc(out->arena, (attachment->aliases.count + 1) * sizeof(*aliases));

	link->network = arena_strdup(out->arena, network->name);
	link->interface = interface;
	sysctls = pairs_get(&attachment->driver_opts, "com.docker.network.endpoint.sysctls");
	link->sysctls = sysctls ? arena_strdup(out->arena, sysctls) : NULL;
	address_text(&lease->lease.v4, link->ip4);
	address_text(&lease->lease.v6, link->ip6);
	mac_text(lease->lease.mac, link->mac);
	address_text(&gateway4, link->gateway4);
	address_text(&gateway6, link->gateway6);
	for (size_t i = 0; i < attachment->aliases.count; i++)
		aliases[i] = arena_strdup(out->arena, attachment->aliases.items[i]);
	link->aliases = aliases;
	link->alias_count = attachment->aliases.count;
}

/* specs has checked the texts. */
static void fill_link_local(struct slot_net *out, const struct attachment *attachment,
			    struct attach_interface *interface)
{
	size_t count = attachment->link_local_ips.count;
	struct address *list = count ? arena_alloc(out->arena, count * sizeof(*list)) : NULL;
	struct err ignored = ERR_NONE;

	interface->link_local = list;
	for (size_t i = 0; i < count; i++)
		if (address_parse("link_local_ips", attachment->link_local_ips.items[i],
				  &list[interface->link_local_count], &ignored) == 0)
			interface->link_local_count++;
}

/* The interface texts and addresses must outlive the batch: everything goes to the slot's arena. */
static void fill_interface(struct batch *b, struct slot_net *out,
			   const struct attachment *attachment, size_t index, unsigned gateway)
{
	const struct network_record *network = net_record_of(b, attachment->network);
	const struct lease_want *lease = network ? lease_of(b, out->key, network->name) : NULL;
	struct attach_interface *interface;
	const char *name;

	if (!lease) /* adopted, and the network has gone from the file */
		return;
	interface =
		arena_grow(out->arena, &out->interfaces, &out->interface_count, sizeof(*interface));
	name = pairs_get(&attachment->driver_opts, "com.docker.network.endpoint.ifname");
	if (attachment->interface_name)
		name = attachment->interface_name;
	name = name ? arena_strdup(out->arena, name)
		    : arena_format(out->arena, "%s%zu",
				   network->options.interface_prefix[0]
					   ? network->options.interface_prefix
					   : "eth",
				   index);

	/* One link to each network: the index is nothing that its name needs. */
	attach_interface_of(out->arena, network, &lease->lease, name, 0, interface);
	interface->upper = arena_strdup(out->arena, interface->upper);
	if (gateway & GATEWAY_V4)
		interface->default4 = gateway_of(network, AF_INET);
	if (gateway & GATEWAY_V6)
		interface->default6 = gateway_of(network, AF_INET6);
	fill_link_local(out, attachment, interface);
	fill_link(out, network, lease, attachment, name);
}

/* Index in the order of the attachment with the default route of the family; SIZE_MAX: none. */
static size_t gateway_index(struct batch *b, const struct attachment *const *order, size_t count,
			    int family)
{
	bool *none = arena_alloc(b->arena, count + 1);

	for (size_t n = 0; n < count; n++) {
		const struct network_record *network = net_record_of(b, order[n]->network);

		none[n] = !network || network->internal || network->options.no_default_route ||
			  !(family == AF_INET ? network->ipv4 : network->ipv6);
	}
	return network_gateway(order, count, none);
}

static bool is_internal_only(const struct batch *b, const struct attachment *const *order,
			     size_t count)
{
	for (size_t n = 0; n < count; n++) {
		const struct network_record *network = net_record_of(b, order[n]->network);

		if (network && !network->internal)
			return false;
	}
	return count > 0;
}

const struct network_record *net_gateway_record(struct batch *b, const struct service *service,
						int family)
{
	const struct attachment **order = network_order(b->arena, service);
	size_t at = gateway_index(b, order, service->network_count, family);

	return at == SIZE_MAX ? NULL : net_record_of(b, order[at]->network);
}

/* What host-gateway means: the setting, else the bridge that carries the default route, else any.
 */
static void fill_host(struct batch *b, const struct attachment *const *order, size_t count,
		      size_t gateway, int family, char out[ADDRESS_TEXT])
{
	const char *set = settings_host_gateway(b->net->settings, family);
	struct address address = { 0 };

	for (size_t n = 0; n < count && !set; n++) {
		const struct network_record *network = net_record_of(b, order[n]->network);

		if (network && network->driver == NETWORK_BRIDGE &&
		    (n == gateway || !address_is_set(&address)))
			address = gateway_of(network, family);
	}
	if (set)
		snprintf(out, ADDRESS_TEXT, "%s", set);
	else
		address_text(&address, out);
}

static void fill_slot(struct batch *b, struct net_want *want)
{
	const struct service *service = want->service;
	const struct attachment **order = network_order(b->arena, service);
	size_t count = service->network_count;
	size_t gateway4 = gateway_index(b, order, count, AF_INET);
	size_t gateway6 = gateway_index(b, order, count, AF_INET6);

	want->out_net->internal_only = is_internal_only(b, order, count);
	for (size_t n = 0; n < count; n++)
		fill_interface(b, want->out_net, order[n], n,
			       (n == gateway4 ? GATEWAY_V4 : 0) | (n == gateway6 ? GATEWAY_V6 : 0));
	fill_host(b, order, count, gateway4, AF_INET, want->out_net->host4);
	fill_host(b, order, count, gateway6, AF_INET6, want->out_net->host6);
}

static struct slot_net *net_of_key(struct batch *b, const char *key)
{
	for (size_t i = 0; i < b->want_count; i++)
		if (strcmp(b->wants[i].out_net->key, key) == 0)
			return b->wants[i].out_net;
	return NULL;
}

/* The address that a port leads to: on the network of the default route, else on the first one. */
static struct address target_of(const struct slot_net *net, int family)
{
	const struct attach_interface *chosen = net->interface_count ? &net->interfaces[0] : NULL;

	for (size_t i = 0; i < net->interface_count; i++)
		if (address_is_set(family == AF_INET ? &net->interfaces[i].default4
						     : &net->interfaces[i].default6)) {
			chosen = &net->interfaces[i];
			break;
		}
	for (size_t a = 0; chosen && a < chosen->address_count; a++)
		if (chosen->addresses[a].addr.family == family)
			return chosen->addresses[a].addr;
	return (struct address){ 0 };
}

/* What NAT cannot serve alone: the host's own rules wanted, the loopback ::1, a container without
 * IPv6. */
static const char *relay_of(const struct port_want *want, struct slot_net *net, const char *host_ip)
{
	struct address target = target_of(net, AF_INET);
	bool wide6 = strcmp(host_ip, "::") == 0 || strcmp(host_ip, "::1") == 0;
	char text[ADDRESS_TEXT];

	if (want->protocol == IPPROTO_SCTP || (!want->relay && !wide6))
		return NULL;
	if (!address_is_set(&target))
		target = target_of(net, AF_INET6);
	return address_is_set(&target) ? arena_strdup(net->arena, address_text(&target, text))
				       : NULL;
}

static void fill_rule(struct batch *b, const struct port_want *want, struct slot_net *net,
		      const struct network_record *network, int family)
{
	struct nat_port rule = { .owner = net->key,
				 .address = want->host_ip,
				 .target = target_of(net, family),
				 .port = want->port,
				 .target_port = want->target,
				 .protocol = want->protocol };

	(void)b;
	if (network)
		rule.routed = (family == AF_INET ? network->options.mode4
						 : network->options.mode6) == GATEWAY_ROUTED;
	if (address_is_set(&rule.target) && !want->relay)
		*(struct nat_port *)arena_grow(net->arena, &net->rules, &net->rule_count,
					       sizeof(rule)) = rule;
}

static void fill_port(struct batch *b, const struct port_want *want, struct slot_net *net,
		      const char *host_ip, int family)
{
	struct slot_port *port =
		arena_grow(net->arena, &net->ports, &net->port_count, sizeof(*port));
	const struct network_record *network = NULL;

	port->host_ip = arena_strdup(net->arena, host_ip);
	port->host_port = want->port;
	port->target = want->target;
	port->protocol = ports_protocol_name(want->protocol);
	port->relay_to = relay_of(want, net, host_ip);
	for (size_t i = 0; i < b->want_count; i++)
		if (b->wants[i].out_net == net)
			network = net_gateway_record(b, b->wants[i].service, family);
	fill_rule(b, want, net, network, family);
}

void net_fill_links(struct batch *b)
{
	for (size_t i = 0; i < b->want_count; i++)
		fill_slot(b, &b->wants[i]);
}

void net_fill_ports(struct batch *b)
{
	for (size_t i = 0; i < b->port_count; i++) {
		const struct port_want *want = &b->ports[i];
		struct slot_net *net = net_of_key(b, want->slot);
		char text[ADDRESS_TEXT];

		if (!net)
			continue;
		if (address_is_set(&want->host_ip)) {
			fill_port(b, want, net, address_text(&want->host_ip, text),
				  want->host_ip.family);
			continue;
		}
		if (want->families & PORTS_V4)
			fill_port(b, want, net, "0.0.0.0", AF_INET);
		if (want->families & PORTS_V6)
			fill_port(b, want, net, "::", AF_INET6);
	}
}

/* ---- comparing */

const char *net_port_key(const struct slot_port *port, char out[NET_KEY_MAX])
{
	snprintf(out, NET_KEY_MAX, "%s %s %u", port->protocol, port->host_ip, port->host_port);
	return out;
}

static bool net_same_rule(const struct nat_port *a, const struct nat_port *b)
{
	return a->port == b->port && a->target_port == b->target_port &&
	       a->protocol == b->protocol && a->routed == b->routed &&
	       address_equal(&a->address, &b->address) && address_equal(&a->target, &b->target) &&
	       strcmp(a->owner, b->owner) == 0;
}

bool net_has_rule(const struct slot_net *slot, const struct nat_port *rule)
{
	for (size_t i = 0; slot && i < slot->rule_count; i++)
		if (net_same_rule(&slot->rules[i], rule))
			return true;
	return false;
}

bool net_has_port(const struct slot_net *slot, const struct slot_port *port)
{
	for (size_t i = 0; slot && i < slot->port_count; i++) {
		const struct slot_port *other = &slot->ports[i];

		if (other->host_port == port->host_port &&
		    strcmp(other->protocol, port->protocol) == 0 &&
		    strcmp(other->host_ip, port->host_ip) == 0)
			return true;
	}
	return false;
}

bool net_on_network(const struct slot_net *slot, const char *network)
{
	for (size_t i = 0; slot && i < slot->link_count; i++)
		if (strcmp(slot->links[i].network, network) == 0)
			return true;
	return false;
}

static bool same_interface(const struct attach_interface *a, const struct attach_interface *b)
{
	if (a->kind != b->kind || (a->flags ^ b->flags) & ~ATTACH_ANNOUNCE || a->mtu != b->mtu ||
	    a->mode != b->mode || a->ipv6 != b->ipv6 || a->metric != b->metric ||
	    a->address_count != b->address_count || memcmp(a->mac, b->mac, sizeof(a->mac)) != 0 ||
	    strcmp(a->name, b->name) != 0 || strcmp(a->host_name, b->host_name) != 0 ||
	    strcmp(a->upper, b->upper) != 0 || !address_equal(&a->default4, &b->default4) ||
	    !address_equal(&a->default6, &b->default6) ||
	    a->link_local_count != b->link_local_count)
		return false;
	for (size_t i = 0; i < a->link_local_count; i++)
		if (!address_equal(&a->link_local[i], &b->link_local[i]))
			return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (a->addresses[i].len != b->addresses[i].len ||
		    !address_equal(&a->addresses[i].addr, &b->addresses[i].addr))
			return false;
	return true;
}

bool net_same_links(const struct slot_net *a, const struct slot_net *b)
{
	if (a->interface_count != b->interface_count || !a->netns != !b->netns)
		return false;
	for (size_t i = 0; i < a->interface_count; i++)
		if (!same_interface(&a->interfaces[i], &b->interfaces[i]))
			return false;
	return true;
}

void net_forget_flows(const struct nat_port *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct err err = ERR_NONE;

		if (rules[i].protocol == IPPROTO_TCP)
			continue;
		if (conntrack_forget(rules[i].protocol, &rules[i].port, 1, &err) < 0)
			log_warn("flows-not-forgotten", KV_I("port", rules[i].port),
				 KV_S("error", err.msg));
	}
}

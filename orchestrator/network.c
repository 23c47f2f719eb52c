/* orchestrator/network - a project's networks in one batch; one slot's links.
 *
 * Owns: the order of leases, bridges, ports and rules, and their way back. May not touch: netlink and nft
 * messages (netplug), namespaces by setns, the supervisor's loop.
 */
#include "orchestrator/network.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/conntrack.h"
#include "netplug/foreign.h"
#include "netplug/link.h"
#include "netplug/naming.h"
#include "netplug/nat.h"
#include "netplug/switches.h"
#include "orchestrator/network_spec.h"

struct project_net {
	char *project;
	struct netplug np;
	char machine_id[64];
	pthread_mutex_t lock; /* one change of the project's networks at a time */
};

/* What one net_prepare gathers. */
struct batch {
	struct project_net *net;
	struct arena *arena;
	const struct project *project;
	struct net_want *wants;
	size_t want_count;
	struct network_record **networks; /* by index of project->networks; NULL: not used */
	struct lease_want *leases;
	size_t lease_count;
	struct port_want *ports;
	size_t port_count;
	unsigned group;
};

struct slot_net *slot_net_new(void)
{
	struct slot_net *net = xcalloc(1, sizeof(*net));

	net->arena = arena_new();
	return net;
}

void slot_net_free(struct slot_net *net)
{
	if (!net)
		return;
	arena_free(net->arena);
	free(net->key);
	free(net->netns);
	free(net);
}

struct project_net *net_open(const struct roots *roots, const char *project, struct err *err)
{
	struct project_net *net = xcalloc(1, sizeof(*net));

	(void)err;
	net->project = xstrdup(project);
	naming_machine_id(net->machine_id);
	net->np = (struct netplug){ .state_fd = roots->state_fd,
				    .runtime_fd = roots->run_fd,
				    .machine_id = net->machine_id };
	pthread_mutex_init(&net->lock, NULL);
	return net;
}

void net_close(struct project_net *net)
{
	if (!net)
		return;
	pthread_mutex_destroy(&net->lock);
	free(net->project);
	free(net);
}

static size_t network_index(const struct project *project, const char *key)
{
	for (size_t i = 0; i < project->network_count; i++)
		if (strcmp(project->networks[i].key, key) == 0)
			return i;
	return SIZE_MAX;
}

static int ensure_network(struct batch *b, size_t at, struct err *err)
{
	const struct network *network = &b->project->networks[at];
	struct network_spec spec;
	enum network_outcome outcome;
	char why[240] = "";

	if (b->networks[at])
		return 0;
	if (network->external) {
		if (network_load(&b->net->np, b->arena, network->name, &b->networks[at], err) < 0) {
			if (err->code == ERR_NOT_FOUND)
				return err_set(err, ERR_NOT_FOUND,
					       "external network %s does not exist: stack network create %s",
					       network->name, network->name);
			return -1;
		}
		return 0;
	}
	network_spec_of(b->arena, b->project, network, &spec);
	if (network_ensure(&b->net->np, b->arena, &spec, &b->networks[at], &outcome, why, err) < 0)
		return err_wrap(err, "network %s", network->key);
	if (outcome == NETWORK_DIFFERS)
		return err_set(err, ERR_EXISTS, "network %s is there with another description (%s)",
			       network->name, why);
	return 0;
}

static int gather_lease(struct batch *b, struct net_want *want, const struct attachment *attachment,
			const char *mac, struct err *err)
{
	struct lease_want *lease = arena_grow(b->arena, &b->leases, &b->lease_count, sizeof(*lease));
	size_t at = network_index(b->project, attachment->network);
	const char *mac_wish = attachment->mac_address ? attachment->mac_address : mac;

	if (at == SIZE_MAX)
		return err_set(err, ERR_NOT_FOUND, "service %s: network %s is not declared",
			       want->service->name, attachment->network);
	if (ensure_network(b, at, err) < 0)
		return -1;
	lease->network = b->networks[at]->name;
	lease->slot = want->out_net->key;
	if ((attachment->ipv4_address &&
	     address_parse("ipv4_address", attachment->ipv4_address, &lease->v4, err) < 0) ||
	    (attachment->ipv6_address &&
	     address_parse("ipv6_address", attachment->ipv6_address, &lease->v6, err) < 0))
		return err_wrap(err, "service %s: networks.%s", want->service->name,
				attachment->network);
	if (mac_wish) {
		uint8_t *bytes = arena_alloc(b->arena, 6);

		if (mac_parse(mac_wish, bytes, err) < 0)
			return err_wrap(err, "service %s: mac_address", want->service->name);
		lease->mac = bytes;
	}
	return 0;
}

static int gather(struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->want_count; i++) {
		struct net_want *want = &b->wants[i];
		const struct attachment **order = network_order(b->arena, want->service);
		struct port_want *ports;
		size_t count;

		for (size_t n = 0; n < want->service->network_count; n++)
			if (gather_lease(b, want, order[n], n == 0 ? want->service->mac_address : NULL,
					 err) < 0)
				return -1;
		if (!want->with_ports || !want->service->network_count)
			continue;
		if (network_ports_of(b->arena, want->service, want->out_net->key, want->remembered,
				     want->remembered_count, &ports, &count, err) < 0)
			return -1;
		for (size_t p = 0; p < count; p++)
			*(struct port_want *)arena_grow(b->arena, &b->ports, &b->port_count,
							sizeof(*ports)) = ports[p];
	}
	return 0;
}

static int make_bridges(struct batch *b, struct rtnl *rtnl, struct err *err)
{
	struct bridge_want *bridges =
		arena_alloc(b->arena, (b->project->network_count + 1) * sizeof(*bridges));
	size_t count = 0;

	for (size_t i = 0; i < b->project->network_count; i++)
		if (b->networks[i] && b->networks[i]->driver == NETWORK_BRIDGE &&
		    !b->project->networks[i].external)
			link_bridge_of(b->networks[i], b->arena, b->group, &bridges[count++]);
	return count ? link_ensure_bridges(rtnl, bridges, count, err) : 0;
}

static const struct network_record *record_of(const struct batch *b, const char *key)
{
	size_t at = network_index(b->project, key);

	return at == SIZE_MAX ? NULL : b->networks[at];
}

static const struct lease_want *lease_of(const struct batch *b, const char *slot, const char *network)
{
	for (size_t i = 0; i < b->lease_count; i++)
		if (strcmp(b->leases[i].slot, slot) == 0 && strcmp(b->leases[i].network, network) == 0)
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
	const char **aliases =
		arena_alloc(out->arena, (attachment->aliases.count + 1) * sizeof(*aliases));

	link->network = arena_strdup(out->arena, network->name);
	link->interface = interface;
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

/* The interface texts and addresses must outlive the batch: everything goes to the slot's arena. */
static void fill_interface(struct batch *b, struct slot_net *out, const struct attachment *attachment,
			   size_t index, bool is_gateway)
{
	const struct network_record *network = record_of(b, attachment->network);
	const struct lease_want *lease = lease_of(b, out->key, network->name);
	struct attach_interface *interface =
		arena_grow(out->arena, &out->interfaces, &out->interface_count, sizeof(*interface));
	const char *name = attachment->interface_name
				   ? arena_strdup(out->arena, attachment->interface_name)
				   : arena_format(out->arena, "%s%zu",
						  network->options.interface_prefix[0]
							  ? network->options.interface_prefix
							  : "eth",
						  index);

	attach_interface_of(out->arena, network, &lease->lease, name, (unsigned)index, interface);
	interface->upper = arena_strdup(out->arena, interface->upper);
	if (is_gateway) {
		interface->default4 = gateway_of(network, AF_INET);
		interface->default6 = gateway_of(network, AF_INET6);
	}
	fill_link(out, network, lease, attachment, name);
}

static void fill_slot(struct batch *b, struct net_want *want)
{
	const struct service *service = want->service;
	const struct attachment **order = network_order(b->arena, service);
	bool *internal = arena_alloc(b->arena, service->network_count + 1);
	size_t gateway;

	want->out_net->internal_only = service->network_count > 0;
	for (size_t n = 0; n < service->network_count; n++) {
		const struct network_record *network = record_of(b, order[n]->network);

		internal[n] = network->internal || network->options.no_default_route;
		if (!network->internal)
			want->out_net->internal_only = false;
	}
	gateway = network_gateway(order, service->network_count, internal);
	for (size_t n = 0; n < service->network_count; n++)
		fill_interface(b, want->out_net, order[n], n, n == gateway);
}

static struct slot_net *net_of_key(struct batch *b, const char *key)
{
	for (size_t i = 0; i < b->want_count; i++)
		if (strcmp(b->wants[i].out_net->key, key) == 0)
			return b->wants[i].out_net;
	return NULL;
}

static void fill_port(struct slot_net *out, const struct port_want *want, const char *host_ip)
{
	struct slot_port *port = arena_grow(out->arena, &out->ports, &out->port_count, sizeof(*port));

	port->host_ip = arena_strdup(out->arena, host_ip);
	port->host_port = want->port;
	port->target = want->target;
	port->protocol = ports_protocol_name(want->protocol);
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

static void nat_port_of(struct nat_batch *nat, const struct port_want *want, struct slot_net *net,
			int family)
{
	struct nat_port port = { .owner = net->key,
				 .address = want->host_ip,
				 .target = target_of(net, family),
				 .port = want->port,
				 .target_port = want->target,
				 .protocol = want->protocol };

	if (address_is_set(&port.target) && !want->relay)
		nat_add_port(nat, &port);
}

static void publish(struct batch *b, struct nat_batch *nat)
{
	for (size_t i = 0; i < b->port_count; i++) {
		const struct port_want *want = &b->ports[i];
		struct slot_net *net = net_of_key(b, want->slot);
		char text[ADDRESS_TEXT];

		if (address_is_set(&want->host_ip)) {
			fill_port(net, want, address_text(&want->host_ip, text));
			nat_port_of(nat, want, net, want->host_ip.family);
			continue;
		}
		if (want->families & PORTS_V4) {
			fill_port(net, want, "0.0.0.0");
			nat_port_of(nat, want, net, AF_INET);
		}
		if (want->families & PORTS_V6) {
			fill_port(net, want, "::");
			nat_port_of(nat, want, net, AF_INET6);
		}
	}
}

static void add_notice(struct arena *arena, struct texts *notices, const char *text)
{
	*(const char **)arena_grow(arena, &notices->items, &notices->count, sizeof(char *)) = text;
}

static int write_rules(struct batch *b, struct rtnl *rtnl, struct texts *notices, struct err *err)
{
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	const char **bridges = arena_alloc(b->arena, (b->project->network_count + 1) * sizeof(char *));
	struct switches_done done = { 0 };
	const char *warning = NULL;
	size_t bridge_count = 0;
	bool need4 = false, need6 = false;

	if (nft_open(&nft, err) < 0)
		return -1;
	for (size_t i = 0; i < b->project->network_count; i++) {
		const struct network_record *network = b->networks[i];

		if (!network || network->driver != NETWORK_BRIDGE)
			continue;
		nat_add_network(nat, network);
		bridges[bridge_count++] = network->bridge;
		need4 |= network->ipv4 && !network->internal;
		need6 |= network->ipv6 && !network->internal;
	}
	publish(b, nat);
	if (!bridge_count)
		return 0;
	if (nat_commit(nft, nat, err) < 0)
		return -1;
	if (switches_ensure(rtnl, nft, need4, need6, &done, err) < 0)
		return -1;
	if (done.forward4 || done.forward6)
		add_notice(b->arena, notices,
			   "packet forwarding was switched on (net.ipv4.ip_forward), between our bridges and outside only");
	if (foreign_admit(nft, b->arena, bridges, bridge_count, &warning, err) < 0)
		return -1;
	if (warning)
		add_notice(b->arena, notices, warning);
	return 0;
}

static void collect_hold(struct net_hold **holds, size_t *count, const struct port_want *want, int fd,
			 const char *any)
{
	char text[ADDRESS_TEXT];
	struct net_hold *hold;

	if (fd < 0)
		return;
	hold = xgrow(holds, count, sizeof(*hold));
	hold->fd = fd;
	snprintf(hold->key, sizeof(hold->key), "%s %s %u", ports_protocol_name(want->protocol),
		 address_is_set(&want->host_ip) ? address_text(&want->host_ip, text) : any, want->port);
}

static void collect_holds(struct batch *b, struct net_hold **out, size_t *out_count)
{
	*out = NULL;
	*out_count = 0;
	for (size_t i = 0; i < b->port_count; i++) {
		collect_hold(out, out_count, &b->ports[i], b->ports[i].fd4, "0.0.0.0");
		collect_hold(out, out_count, &b->ports[i], b->ports[i].fd6, "::");
	}
}

static void walk_back(struct batch *b, bool ports_taken)
{
	struct err ignored = ERR_NONE;

	for (size_t i = 0; ports_taken && i < b->port_count; i++) {
		if (b->ports[i].fd4 >= 0)
			close(b->ports[i].fd4);
		if (b->ports[i].fd6 >= 0)
			close(b->ports[i].fd6);
	}
	for (size_t i = 0; i < b->want_count; i++) {
		if (ports_taken)
			ports_release(&b->net->np, b->net->project, b->wants[i].out_net->key, &ignored);
		network_release(&b->net->np, NULL, b->net->project, b->wants[i].out_net->key, &ignored);
	}
}

static int prepare(struct batch *b, struct net_hold **out_holds, size_t *out_hold_count,
		   struct texts *notices, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;

	if (gather(b, err) < 0 || link_group_take(&b->net->np, b->net->project, &b->group, err) < 0 ||
	    network_lease(&b->net->np, b->leases, b->lease_count, err) < 0)
		return -1;
	if (ports_reserve(&b->net->np, b->ports, b->port_count, err) < 0) {
		walk_back(b, false);
		return -1;
	}
	for (size_t i = 0; i < b->want_count; i++)
		fill_slot(b, &b->wants[i]);
	if (rtnl_open(&rtnl, err) < 0 || make_bridges(b, rtnl, err) < 0 ||
	    write_rules(b, rtnl, notices, err) < 0) {
		walk_back(b, true);
		return -1;
	}
	collect_holds(b, out_holds, out_hold_count);
	return 0;
}

int net_prepare(struct project_net *net, const struct project *project, struct net_want *wants,
		size_t count, struct arena *arena, struct net_hold **out_holds, size_t *out_hold_count,
		struct texts *out_notices, struct err *err)
{
	struct batch b = { .net = net, .arena = arena, .project = project, .wants = wants,
			   .want_count = count };
	int status;

	*out_holds = NULL;
	*out_hold_count = 0;
	b.networks = arena_alloc(arena, (project->network_count + 1) * sizeof(*b.networks));
	pthread_mutex_lock(&net->lock);
	status = prepare(&b, out_holds, out_hold_count, out_notices, err);
	pthread_mutex_unlock(&net->lock);
	return status;
}

int net_attach(struct project_net *net, const struct slot_net *slot, int route_fd, int netfilter_fd,
	       uint16_t dns_udp_port, uint16_t dns_tcp_port, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(fd) int netns_fd = open(slot->netns, O_RDONLY | O_CLOEXEC);
	struct attach_job job = { .netns_fd = netns_fd,
				  .route_fd = route_fd,
				  .netfilter_fd = netfilter_fd,
				  .interfaces = slot->interfaces,
				  .interface_count = slot->interface_count,
				  .dns_udp_port = dns_udp_port,
				  .dns_tcp_port = dns_tcp_port };

	if (netns_fd < 0)
		return err_sys(err, errno, "open the namespace %s", slot->netns);
	if (link_group_take(&net->np, net->project, &job.group, err) < 0 || rtnl_open(&rtnl, err) < 0)
		return -1;
	return attach_wire(rtnl, &job, 1, err);
}

static void keep_first(struct err *first, const struct err *err)
{
	if (first->code == ERR_OK)
		*first = *err;
}

static void drop_netns(const char *path, struct err *first)
{
	struct err err = ERR_NONE;

	if (!path)
		return;
	if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) {
		err_sys(&err, errno, "unmount %s", path);
		keep_first(first, &err);
	}
	if (unlink(path) < 0 && errno != ENOENT) {
		err_sys(&err, errno, "remove %s", path);
		keep_first(first, &err);
	}
}

static void drop_links(struct project_net *net, struct slot_net *const *slots, size_t count,
		       struct err *first)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(free) const char **names = NULL;
	struct err err = ERR_NONE;
	size_t name_count = 0;
	unsigned group;

	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < slots[i]->interface_count; n++)
			if (slots[i]->interfaces[n].kind == ATTACH_VETH)
				*(const char **)xgrow(&names, &name_count, sizeof(char *)) =
					slots[i]->interfaces[n].host_name;
	if (!name_count)
		return;
	if (rtnl_open(&rtnl, &err) < 0 || link_group_take(&net->np, net->project, &group, &err) < 0 ||
	    link_delete_names(rtnl, link_group_trash(group), names, name_count, &err) < 0)
		keep_first(first, &err);
}

int net_drop_slots(struct project_net *net, struct slot_net *const *slots, size_t count,
		   struct err *err)
{
	AUTO(nft) struct nft *nft = NULL;
	struct err first = ERR_NONE, one = ERR_NONE;

	if (!count)
		return 0;
	pthread_mutex_lock(&net->lock);
	if (nft_open(&nft, &one) < 0)
		keep_first(&first, &one);
	for (size_t i = 0; i < count; i++) {
		if (nft && slots[i]->port_count &&
		    nat_remove_owner(nft, slots[i]->key, &one) < 0)
			keep_first(&first, &one);
		if (slots[i]->port_count &&
		    ports_release(&net->np, net->project, slots[i]->key, &one) < 0)
			keep_first(&first, &one);
		if (slots[i]->link_count &&
		    network_release(&net->np, NULL, net->project, slots[i]->key, &one) < 0)
			keep_first(&first, &one);
	}
	drop_links(net, slots, count, &first);
	for (size_t i = 0; i < count; i++)
		drop_netns(slots[i]->netns, &first);
	pthread_mutex_unlock(&net->lock);
	*err = first;
	return first.code == ERR_OK ? 0 : -1;
}

static void drop_bridges_and_rules(struct project_net *net, struct arena *arena, struct err *first)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	struct network_record **networks = NULL;
	struct err err = ERR_NONE;
	size_t count = 0;
	unsigned group;

	if (network_list(&net->np, arena, net->project, &networks, &count, &err) < 0)
		keep_first(first, &err);
	if (nft_open(&nft, &err) < 0) {
		keep_first(first, &err);
	} else {
		const char **bridges = arena_alloc(arena, (count + 1) * sizeof(char *));

		for (size_t i = 0; i < count; i++)
			bridges[i] = networks[i]->bridge;
		if (foreign_withdraw(nft, bridges, count, &err) < 0)
			keep_first(first, &err);
		if (nat_remove_project(nft, net->project, &err) < 0)
			keep_first(first, &err);
	}
	if (link_group_find(&net->np, net->project, &group, &err) == 0) {
		if (rtnl_open(&rtnl, &err) < 0 || link_delete_group(rtnl, group, &err) < 0)
			keep_first(first, &err);
	}
	err = ERR_NONE;
	if (network_release(&net->np, NULL, net->project, NULL, &err) < 0)
		keep_first(first, &err);
	for (size_t i = 0; i < count; i++)
		if (network_remove(&net->np, networks[i]->name, &err) < 0)
			keep_first(first, &err);
}

int net_drop_project(struct project_net *net, char *const *netns_paths, size_t count, struct err *err)
{
	struct arena *arena = arena_new();
	struct err first = ERR_NONE, one = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	drop_bridges_and_rules(net, arena, &first);
	if (ports_release(&net->np, net->project, NULL, &one) < 0)
		keep_first(&first, &one);
	for (size_t i = 0; i < count; i++)
		drop_netns(netns_paths[i], &first);
	if (first.code == ERR_OK && link_group_drop(&net->np, net->project, &one) < 0)
		keep_first(&first, &one);
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
	*err = first;
	return first.code == ERR_OK ? 0 : -1;
}

int net_remove(struct project_net *net, const char *name, struct err *err)
{
	struct arena *arena = arena_new();
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	struct network_record *network;
	const char *bridge;
	unsigned group;
	int status = -1;

	pthread_mutex_lock(&net->lock);
	if (network_load(&net->np, arena, name, &network, err) < 0) {
		status = err->code == ERR_NOT_FOUND ? 0 : -1;
	} else if (nft_open(&nft, err) == 0 && rtnl_open(&rtnl, err) == 0 &&
		   link_group_take(&net->np, net->project, &group, err) == 0) {
		bridge = network->bridge;
		nat_del_network(nat, network);
		if (network_remove(&net->np, name, err) == 0 && nat_commit(nft, nat, err) == 0 &&
		    (network->driver != NETWORK_BRIDGE ||
		     link_delete_names(rtnl, link_group_trash(group), &bridge, 1, err) == 0))
			status = 0;
	}
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
	return status;
}

int net_observe(struct project_net *net, const struct project *project, struct net_seen **out,
		size_t *out_count, struct err *err)
{
	struct arena *arena = arena_new();
	struct network_record **networks = NULL;
	struct net_seen *seen = NULL;
	size_t count = 0, seen_count = 0;
	int status = network_list(&net->np, arena, net->project, &networks, &count, err);

	for (size_t i = 0; status == 0 && i < count; i++) {
		struct net_seen *one = xgrow(&seen, &seen_count, sizeof(*one));

		one->name = xstrdup(networks[i]->name);
		for (size_t n = 0; project && n < project->network_count; n++) {
			struct network_spec spec;
			char why[240];

			if (project->networks[n].external ||
			    strcmp(project->networks[n].name, networks[i]->name) != 0)
				continue;
			network_spec_of(arena, project, &project->networks[n], &spec);
			one->changed = network_differs(networks[i], &spec, why);
		}
	}
	arena_free(arena);
	*out = seen;
	*out_count = seen_count;
	return status;
}

void net_seen_free(struct net_seen *seen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(seen[i].name);
	free(seen);
}

int net_zone_networks(struct project_net *net, struct arena *arena, struct zone_network **out,
		      size_t *out_count, struct err *err)
{
	struct network_record **networks = NULL;
	size_t count = 0;

	if (network_list(&net->np, arena, net->project, &networks, &count, err) < 0)
		return -1;
	*out = arena_alloc(arena, (count + 1) * sizeof(**out));
	*out_count = count;
	for (size_t i = 0; i < count; i++) {
		const char **subnets =
			arena_alloc(arena, (networks[i]->subnet_count + 1) * sizeof(char *));

		for (size_t s = 0; s < networks[i]->subnet_count; s++)
			subnets[s] = prefix_text(&networks[i]->subnets[s].subnet,
						 arena_alloc(arena, ADDRESS_TEXT));
		(*out)[i] = (struct zone_network){ networks[i]->name, subnets, networks[i]->subnet_count };
	}
	return 0;
}

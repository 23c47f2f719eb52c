/* orchestrator/network_prepare - leases, bridges, ports and rules of a change in one batch, and its
 * way back.
 *
 * Owns: the order of these steps. May not touch: netlink and nft messages (netplug), namespaces.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/foreign.h"
#include "netplug/link.h"
#include "netplug/switches.h"
#include "orchestrator/connections.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

void net_add_notice(struct batch *b, const char *text)
{
	*(const char **)arena_grow(b->arena, &b->notices->items, &b->notices->count,
				   sizeof(char *)) = text;
}

/* ---- networks and leases */

/* The one that network_mode: bridge means. */
static int ensure_common(struct batch *b, size_t at, struct err *err)
{
	struct network_spec spec = { .name = CONNECTIONS_BRIDGE };
	enum network_outcome outcome;
	char why[240];

	return network_ensure(&b->net->np, b->arena, &spec, &b->networks[at], &outcome, why, err);
}

static int load_external(struct batch *b, const struct network *network, size_t at, struct err *err)
{
	if (network_load(&b->net->np, b->arena, network->name, &b->networks[at], err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	*err = ERR_NONE;
	if (strcmp(network->key, "/" CONNECTIONS_BRIDGE) == 0)
		return ensure_common(b, at, err);
	return err_set(err, ERR_NOT_FOUND,
		       "external network %s does not exist: stack network create %s", network->name,
		       network->name);
}

static void note_made(struct batch *b, const char *name)
{
	*(char **)xgrow(&b->net->made, &b->net->made_count, sizeof(char *)) = xstrdup(name);
}

static int check_ipam(const struct network *network, struct err *err)
{
	const char *driver = network->ipam ? network->ipam->driver : NULL;

	return !driver || !*driver || strcmp(driver, "default") == 0
		       ? 0
		       : err_set(err, ERR_UNSUPPORTED,
				 "ipam.driver %.40s is not supported (default)", driver);
}

/* Told once, when the network is made. */
static void note_options(struct batch *b, const char *key, const struct network_spec *spec)
{
	struct network_options options;
	const char *warning = NULL;
	struct err ignored = ERR_NONE;

	if (network_options_read(b->arena, &spec->options, &options, &warning, &ignored) == 0 &&
	    warning)
		net_add_notice(b, arena_format(b->arena, "network %s: %s", key, warning));
}

/* With another description it is made anew later, when nothing can be refused any more but for
 * other users of it. */
int net_ensure_network(struct batch *b, size_t at, bool adopts, struct err *err)
{
	const struct network *network = &b->project->networks[at];
	struct network_spec spec;
	enum network_outcome outcome;
	char why[240] = "";
	const char *holder;

	if (b->networks[at])
		return 0;
	if (network->external)
		return load_external(b, network, at, err);
	network_spec_of(b->arena, b->project, network, &spec);
	if (check_ipam(network, err) < 0 ||
	    network_ensure(&b->net->np, b->arena, &spec, &b->networks[at], &outcome, why, err) < 0)
		return err_wrap(err, "network %s", network->key);
	if (outcome == NETWORK_MADE) {
		note_made(b, network->name);
		note_options(b, network->key, &spec);
	}
	if (outcome != NETWORK_DIFFERS || adopts)
		return 0;
	holder = net_foreign_holder(b->net, b->networks[at]);
	if (holder)
		return err_set(err, ERR_BUSY,
			       "network %s has another description now (%s), but %s of another "
			       "project is on it",
			       network->name, why, holder);
	b->differs[at] = true;
	return 0;
}

static int replace_network(struct batch *b, size_t at, struct err *err)
{
	const char *name = b->project->networks[at].name;
	enum network_outcome outcome;
	struct network_spec spec;
	char why[240];

	network_spec_of(b->arena, b->project, &b->project->networks[at], &spec);
	if (network_release(&b->net->np, name, b->net->project, NULL, err) < 0 ||
	    net_remove_locked(b->net, b->arena, name, err) < 0 ||
	    network_ensure(&b->net->np, b->arena, &spec, &b->networks[at], &outcome, why, err) < 0)
		return -1;
	note_made(b, name);
	for (size_t i = 0; i < b->want_count; i++)
		b->wants[i].out_net->moved |= net_on_network(b->wants[i].former, name);
	return 0;
}

static int replace_networks(struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->project->network_count; i++)
		if (b->differs[i] && replace_network(b, i, err) < 0)
			return err_wrap(err, "network %s", b->project->networks[i].key);
	return 0;
}

/* ---- kernel */

int net_make_external(struct project_net *net, struct arena *arena, struct rtnl *rtnl,
		      const struct network_record *network, struct err *err)
{
	struct bridge_want bridge = { .name = NULL };
	unsigned group;

	if (link_group_take(&net->np, network_group_owner(arena, network), &group, err) < 0)
		return -1;
	if (network->driver != NETWORK_BRIDGE)
		return link_ensure_parent(rtnl, network, group, err);
	link_bridge_of(network, arena, group, &bridge);
	return link_ensure_bridges(rtnl, &bridge, 1, err);
}

static int make_bridges(struct batch *b, struct rtnl *rtnl, struct err *err)
{
	struct bridge_want *bridges =
		arena_alloc(b->arena, (b->project->network_count + 1) * sizeof(*bridges));
	size_t count = 0;

	for (size_t i = 0; i < b->project->network_count; i++) {
		const struct network_record *network = b->networks[i];

		if (!network)
			continue;
		if (b->project->networks[i]
			    .external) { /* its link may have gone with the last boot */
			if (net_make_external(b->net, b->arena, rtnl, network, err) < 0)
				return -1;
			continue;
		}
		if (network->driver == NETWORK_BRIDGE)
			link_bridge_of(network, b->arena, b->group, &bridges[count++]);
		else if (link_ensure_parent(rtnl, network, b->group, err) < 0)
			return -1;
	}
	return count ? link_ensure_bridges(rtnl, bridges, count, err) : 0;
}

static void forget_moved(const struct slot_net *from, const struct slot_net *to)
{
	for (size_t i = 0; from && i < from->rule_count; i++)
		if (!net_has_rule(to, &from->rules[i]))
			net_forget_flows(&from->rules[i], 1);
	for (size_t i = 0; to && i < to->rule_count; i++)
		if (!net_has_rule(from, &to->rules[i]))
			net_forget_flows(&to->rules[i], 1);
}

/* A port that is there with another target: when it is ours, of a life that nobody remembers, it
 * moves. */
static int commit_rules(struct batch *b, struct nft *nft, struct nat_batch *nat, struct err *err)
{
	struct err taken = ERR_NONE;

	if (nat_commit(nft, nat, &taken) == 0)
		return 0;
	if (taken.code == ERR_EXISTS && net_reconcile(b->net, b->arena, nft, err) == 0)
		return 0;
	*err = taken;
	return -1;
}

static int write_rules(struct batch *b, struct rtnl *rtnl, struct err *err)
{
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	const char **bridges =
		arena_alloc(b->arena, (b->project->network_count + 1) * sizeof(char *));
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
	for (size_t i = 0; i < b->want_count; i++)
		net_move_rules(nat, b->wants[i].former, b->wants[i].out_net);
	if (commit_rules(b, nft, nat, err) < 0)
		return -1;
	for (size_t i = 0; i < b->want_count; i++)
		forget_moved(b->wants[i].former, b->wants[i].out_net);
	if (!bridge_count)
		return 0;
	if (switches_ensure(rtnl, nft, need4, need6, &done, err) < 0)
		return -1;
	if (done.forward4 || done.forward6)
		net_add_notice(b,
			       "packet forwarding was switched on (net.ipv4.ip_forward), between "
			       "our bridges and outside only");
	if (foreign_admit(nft, b->arena, bridges, bridge_count, &warning, err) < 0)
		return -1;
	if (warning)
		net_add_notice(b, warning);
	return 0;
}

/* ---- sockets for netd */

static void collect_hold(struct batch *b, struct net_hold **holds, size_t *count,
			 const struct port_want *want, int fd, const char *any)
{
	const struct slot_net *net = NULL;
	struct slot_port key = { .host_port = want->port,
				 .protocol = ports_protocol_name(want->protocol) };
	char text[ADDRESS_TEXT];
	struct net_hold *hold;

	key.host_ip = address_is_set(&want->host_ip) ? address_text(&want->host_ip, text) : any;
	for (size_t i = 0; i < b->want_count; i++)
		if (strcmp(b->wants[i].out_net->key, want->slot) == 0)
			net = b->wants[i].out_net;
	for (size_t i = 0; net && i < net->port_count; i++) {
		const struct slot_port *port = &net->ports[i];

		if (port->host_port != want->port || strcmp(port->host_ip, key.host_ip) != 0 ||
		    strcmp(port->protocol, key.protocol) != 0 || (fd < 0 && !port->relay_to))
			continue;
		hold = xgrow(holds, count, sizeof(*hold));
		hold->fd = fd;
		net_port_key(port, hold->key);
		if (fd < 0 && !texts_has(b->held, hold->key)) {
			--*count; /* no such family here */
			continue;
		}
		hold->relay_to = port->relay_to;
		hold->relay_port = port->target;
	}
}

static void collect_holds(struct batch *b, struct net_hold **out, size_t *out_count)
{
	for (size_t i = 0; i < b->port_count; i++) {
		const struct port_want *want = &b->ports[i];
		bool one = address_is_set(&want->host_ip);

		if (one ? want->host_ip.family == AF_INET : want->families & PORTS_V4)
			collect_hold(b, out, out_count, want, want->fd4, "0.0.0.0");
		if (one ? want->host_ip.family == AF_INET6 : want->families & PORTS_V6)
			collect_hold(b, out, out_count, want, want->fd6, "::");
	}
}

/* ---- all of it */

static void close_sockets(struct batch *b)
{
	for (size_t i = 0; i < b->port_count; i++) {
		if (b->ports[i].fd4 >= 0)
			close(b->ports[i].fd4);
		if (b->ports[i].fd6 >= 0)
			close(b->ports[i].fd6);
	}
}

static int prepare(struct batch *b, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct err ignored = ERR_NONE;

	/* Ports first: that they are taken is the refusal that comes most often. */
	if (net_gather(b, err) < 0 ||
	    link_group_take(&b->net->np, b->net->project, &b->group, err) < 0 ||
	    ports_reserve(&b->net->np, b->ports, b->port_count, err) < 0)
		return -1;
	if (replace_networks(b, err) == 0 &&
	    network_lease(&b->net->np, b->leases, b->lease_count, err) == 0) {
		net_fill_links(b);
		net_fill_ports(b);
		for (size_t i = 0; i < b->want_count; i++)
			net_register(b->net, b->wants[i].out_net);
		if (rtnl_open(&rtnl, err) == 0 && make_bridges(b, rtnl, err) == 0 &&
		    write_rules(b, rtnl, err) == 0)
			return 0;
	}
	close_sockets(b);
	net_walk_back(b->net, b->wants, b->want_count, &ignored);
	return -1;
}

static void forget_made(struct project_net *net)
{
	for (size_t i = 0; i < net->made_count; i++)
		free(net->made[i]);
	free(net->made);
	net->made = NULL;
	net->made_count = 0;
}

int net_prepare(struct project_net *net, const struct project *project, struct net_want *wants,
		size_t count, const struct texts *held, struct arena *arena,
		struct net_hold **out_holds, size_t *out_hold_count, struct texts *out_notices,
		struct err *err)
{
	struct batch b = { .net = net,
			   .arena = arena,
			   .project = project,
			   .wants = wants,
			   .want_count = count,
			   .held = held,
			   .notices = out_notices };
	int status;

	*out_holds = NULL;
	*out_hold_count = 0;
	b.networks = arena_alloc(arena, (project->network_count + 1) * sizeof(*b.networks));
	b.differs = arena_alloc(arena, project->network_count + 1);
	pthread_mutex_lock(&net->lock);
	forget_made(net);
	status = prepare(&b, err);
	if (status == 0)
		collect_holds(&b, out_holds, out_hold_count);
	pthread_mutex_unlock(&net->lock);
	return status;
}

/* orchestrator/network_repair - bridges and rules compared with what the slots want, and put right.
 *
 * Owns: which rules a project should have now. May not touch: netlink and nft messages (netplug).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "netplug/foreign.h"
#include "netplug/link.h"
#include "netplug/switches.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

struct repair {
	struct project_net *net;
	struct arena *arena;
	struct rtnl *rtnl;
	struct nft *nft;
	struct network_record **networks;
	size_t network_count;
	struct link_table links; /* as they were found */
	unsigned group;
};

static bool is_present(const struct link_table *links, const struct attach_interface *interface)
{
	const struct link_info *here, *bridge;

	if (interface->kind != ATTACH_VETH)
		return true;
	here = link_by_name(links, interface->host_name);
	bridge = link_by_name(links, interface->upper);
	return here && bridge && here->master == bridge->index;
}

static int repair_bridges(struct repair *r, struct err *err)
{
	struct bridge_want *bridges =
		arena_alloc(r->arena, (r->network_count + 1) * sizeof(*bridges));
	size_t count = 0;

	for (size_t i = 0; i < r->network_count; i++)
		if (r->networks[i]->driver == NETWORK_BRIDGE &&
		    !link_by_name(&r->links, r->networks[i]->bridge))
			link_bridge_of(r->networks[i], r->arena, r->group, &bridges[count++]);
	return count ? link_ensure_bridges(r->rtnl, bridges, count, err) : 0;
}

static bool has_lost(const struct repair *r, const struct slot_net *slot)
{
	for (size_t k = 0; k < slot->interface_count && !slot->stale; k++)
		if (!is_present(&r->links, &slot->interfaces[k]))
			return true;
	return false;
}

/* Networks of others that our slots are on: their owner may have no supervisor. */
static int repair_external(struct repair *r, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();

	for (size_t i = 0; i < r->net->net_count; i++)
		for (size_t k = 0; k < r->net->nets[i]->link_count; k++) {
			const char *name = r->net->nets[i]->links[k].network;
			struct network_record *network;
			struct err absent = ERR_NONE;
			bool own = false;

			for (size_t n = 0; n < r->network_count; n++)
				own |= strcmp(r->networks[n]->name, name) == 0;
			if (own ||
			    network_load(&r->net->np, r->arena, name, &network, &absent) < 0 ||
			    network->driver != NETWORK_BRIDGE)
				continue;
			nat_add_network(nat, network);
			if (!link_by_name(&r->links, network->bridge) &&
			    net_make_external(r->net, r->arena, r->rtnl, network, err) < 0)
				return -1;
		}
	return nat_commit(r->nft, nat, err);
}

/* All elements that the project should have now. */
static void want_all(const struct project_net *net, struct network_record *const *networks,
		     size_t count, struct nat_batch *nat)
{
	for (size_t i = 0; i < count; i++)
		if (networks[i]->driver == NETWORK_BRIDGE)
			nat_add_network(nat, networks[i]);
	for (size_t i = 0; i < net->net_count; i++)
		for (size_t k = 0; k < net->nets[i]->rule_count && !net->nets[i]->asleep; k++)
			nat_add_port(nat, &net->nets[i]->rules[k]);
}

int net_reconcile(struct project_net *net, struct arena *arena, struct nft *nft, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	struct network_record **networks = NULL;
	size_t count = 0, missing, extra;

	if (network_list(&net->np, arena, net->project, &networks, &count, err) < 0)
		return -1;
	want_all(net, networks, count, nat);
	return nat_reconcile(nft, net->project, nat, true, &missing, &extra, err);
}

static int repair_rules(struct repair *r, size_t *out_rules, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	const char **bridges = arena_alloc(r->arena, (r->network_count + 1) * sizeof(char *));
	struct switches_done done;
	const char *warning;
	size_t missing = 0, extra = 0, count = 0;
	bool need4 = false, need6 = false;

	for (size_t i = 0; i < r->network_count; i++) {
		const struct network_record *network = r->networks[i];

		if (network->driver != NETWORK_BRIDGE)
			continue;
		bridges[count++] = network->bridge;
		need4 |= network->ipv4 && !network->internal;
		need6 |= network->ipv6 && !network->internal;
	}
	want_all(r->net, r->networks, r->network_count, nat);
	if (nat_reconcile(r->nft, r->net->project, nat, true, &missing, &extra, err) < 0)
		return -1;
	*out_rules = missing + extra;
	if (!count)
		return 0;
	return switches_ensure(r->rtnl, r->nft, need4, need6, &done, err) < 0
		       ? -1
		       : foreign_admit(r->nft, r->arena, bridges, count, &warning, err);
}

static int repair(struct repair *r, size_t *out_rules, struct err *err)
{
	if (network_list(&r->net->np, r->arena, r->net->project, &r->networks, &r->network_count,
			 err) < 0)
		return -1;
	if (!r->network_count && !r->net->net_count)
		return 0;
	if (link_group_take(&r->net->np, r->net->project, &r->group, err) < 0 ||
	    link_dump(r->rtnl, r->arena, &r->links, err) < 0 || repair_bridges(r, err) < 0)
		return -1;
	return repair_rules(r, out_rules, err) < 0 ? -1 : repair_external(r, err);
}

int net_repair(struct project_net *net, struct slot_net *const *live, size_t count, bool *lost,
	       size_t *out_rules, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	struct repair r = { .net = net, .arena = arena_new() };
	int status = -1;

	*out_rules = 0;
	pthread_mutex_lock(&net->lock);
	if (rtnl_open(&rtnl, err) == 0 && nft_open(&nft, err) == 0) {
		r.rtnl = rtnl;
		r.nft = nft;
		status = repair(&r, out_rules, err);
	}
	for (size_t i = 0; i < count && status == 0; i++)
		lost[i] = has_lost(&r, live[i]);
	pthread_mutex_unlock(&net->lock);
	arena_free(r.arena);
	return status;
}

static void hold_again(struct project_net *net, const struct slot_net *slot,
		       const struct slot_port *port, struct net_hold **holds, size_t *count)
{
	struct port_entry row = { .slot = slot->key,
				  .port = port->host_port,
				  .target = port->target,
				  .protocol = network_protocol(port->protocol) };
	struct err err = ERR_NONE;
	struct net_hold *hold;
	int fd = -1;

	if (address_parse("host_ip", port->host_ip, &row.address, &err) == 0)
		fd = ports_hold(&net->np, &row, &err);
	if (fd < 0) {
		log_warn("port-not-held", KV_S("slot", slot->key), KV_S("error", err.msg));
		return;
	}
	hold = xgrow(holds, count, sizeof(*hold));
	hold->fd = fd;
	net_port_key(port, hold->key);
	hold->relay_to = port->relay_to;
	hold->relay_port = port->target;
}

int net_hold_again(struct project_net *net, const struct texts *held, struct arena *arena,
		   struct net_hold **out_holds, size_t *out_count, struct err *err)
{
	char key[NET_KEY_MAX];

	(void)err;
	*out_holds = NULL;
	*out_count = 0;
	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->net_count; i++)
		/* Who waits for connections to one that sleeps has its sockets (idle). */
		for (size_t k = 0; k < net->nets[i]->port_count && !net->nets[i]->asleep; k++)
			if (!texts_has(held, net_port_key(&net->nets[i]->ports[k], key)))
				hold_again(net, net->nets[i], &net->nets[i]->ports[k], out_holds,
					   out_count);
	for (size_t i = 0; i < *out_count; i++) /* the slot may go while netd is spoken to */
		if ((*out_holds)[i].relay_to)
			(*out_holds)[i].relay_to = arena_strdup(arena, (*out_holds)[i].relay_to);
	pthread_mutex_unlock(&net->lock);
	return 0;
}

/* orchestrator/network_repair - bridges and rules compared with what the slots want, and put right.
 *
 * Owns: which rules a project should have now. May not touch: netlink and nft messages (netplug).
 */
#include <string.h>

#include "base/alloc.h"
#include "netplug/foreign.h"
#include "netplug/link.h"
#include "netplug/switches.h"
#include "orchestrator/network_inner.h"

struct repair {
	struct project_net *net;
	struct arena *arena;
	struct rtnl *rtnl;
	struct nft *nft;
	struct network_record **networks;
	size_t network_count;
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

static int repair_links(struct repair *r, bool *out_lost, struct err *err)
{
	struct bridge_want *bridges =
		arena_alloc(r->arena, (r->network_count + 1) * sizeof(*bridges));
	struct link_table links = { 0 };
	size_t count = 0;

	if (link_dump(r->rtnl, r->arena, &links, err) < 0)
		return -1;
	*out_lost = false;
	for (size_t i = 0; i < r->net->net_count; i++)
		for (size_t k = 0; k < r->net->nets[i]->interface_count && !r->net->nets[i]->stale;
		     k++)
			*out_lost |= !is_present(&links, &r->net->nets[i]->interfaces[k]);
	for (size_t i = 0; i < r->network_count; i++)
		if (r->networks[i]->driver == NETWORK_BRIDGE &&
		    !link_by_name(&links, r->networks[i]->bridge))
			link_bridge_of(r->networks[i], r->arena, r->group, &bridges[count++]);
	return count ? link_ensure_bridges(r->rtnl, bridges, count, err) : 0;
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
		nat_add_network(nat, network);
		bridges[count++] = network->bridge;
		need4 |= network->ipv4 && !network->internal;
		need6 |= network->ipv6 && !network->internal;
	}
	for (size_t i = 0; i < r->net->net_count; i++)
		for (size_t k = 0; k < r->net->nets[i]->rule_count; k++)
			nat_add_port(nat, &r->net->nets[i]->rules[k]);
	if (nat_reconcile(r->nft, r->net->project, nat, true, &missing, &extra, err) < 0)
		return -1;
	*out_rules = missing + extra;
	if (!count)
		return 0;
	return switches_ensure(r->rtnl, r->nft, need4, need6, &done, err) < 0
		       ? -1
		       : foreign_admit(r->nft, r->arena, bridges, count, &warning, err);
}

/* A network without a slot on it may be on its way out, or in: it counts when its bridge should be
 * there. */
static int repair(struct repair *r, size_t *out_rules, bool *out_links, struct err *err)
{
	if (network_list(&r->net->np, r->arena, r->net->project, &r->networks, &r->network_count,
			 err) < 0)
		return -1;
	if (!r->network_count && !r->net->net_count)
		return 0;
	if (link_group_take(&r->net->np, r->net->project, &r->group, err) < 0 ||
	    repair_links(r, out_links, err) < 0)
		return -1;
	return repair_rules(r, out_rules, err);
}

int net_repair(struct project_net *net, size_t *out_rules, bool *out_links, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	struct repair r = { .net = net, .arena = arena_new() };
	int status = -1;

	*out_rules = 0;
	*out_links = false;
	pthread_mutex_lock(&net->lock);
	if (rtnl_open(&rtnl, err) == 0 && nft_open(&nft, err) == 0) {
		r.rtnl = rtnl;
		r.nft = nft;
		status = repair(&r, out_rules, out_links, err);
	}
	pthread_mutex_unlock(&net->lock);
	arena_free(r.arena);
	return status;
}

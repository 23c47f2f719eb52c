/* orchestrator/network_back - the way back of a net_prepare, and its last step when all went well.
 *
 * Owns: what a slot gets back, which rows of its ports go. May not touch: what is prepared
 * (network_prepare).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

void net_move_rules(struct nat_batch *nat, const struct slot_net *from, const struct slot_net *to)
{
	for (size_t i = 0; from && i < from->rule_count; i++)
		if (!net_has_rule(to, &from->rules[i]))
			nat_del_port(nat, &from->rules[i]);
	for (size_t i = 0; to && i < to->rule_count; i++)
		nat_add_port(nat, &to->rules[i]);
}

static int trim(struct project_net *net, const struct slot_net *kept, struct err *err)
{
	struct arena *arena = arena_new();
	struct port_entry *rows = arena_alloc(arena, (kept->port_count + 1) * sizeof(*rows));
	int status = 0;

	for (size_t i = 0; i < kept->port_count && status == 0; i++) {
		rows[i] = (struct port_entry){ .slot = kept->key,
					       .port = kept->ports[i].host_port,
					       .target = kept->ports[i].target,
					       .protocol =
						       network_protocol(kept->ports[i].protocol) };
		status = address_parse("host_ip", kept->ports[i].host_ip, &rows[i].address, err);
	}
	if (status == 0)
		status = ports_trim(&net->np, kept->key, rows, kept->port_count, err);
	arena_free(arena);
	return status;
}

static void restore_former(struct project_net *net, const struct net_want *want, struct err *first)
{
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	struct err err = ERR_NONE;

	net_move_rules(nat, want->out_net, want->former);
	if (nft_open(&nft, &err) < 0 || nat_commit(nft, nat, &err) < 0)
		net_keep_first(first, &err);
	err = ERR_NONE;
	if (trim(net, want->former, &err) < 0)
		net_keep_first(first, &err);
	for (size_t i = 0; i < want->out_net->link_count; i++) {
		const char *name = want->out_net->links[i].network;

		err = ERR_NONE;
		if (!net_on_network(want->former, name) &&
		    network_release(&net->np, name, net->project, want->former->key, &err) < 0)
			net_keep_first(first, &err);
	}
}

void net_walk_back(struct project_net *net, struct net_want *wants, size_t count, struct err *first)
{
	AUTO(free) struct slot_net **fresh = xcalloc(count + 1, sizeof(struct slot_net *));
	size_t fresh_count = 0;

	for (size_t i = 0; i < count; i++) {
		if (wants[i].adopts) {
			net_unregister(net, wants[i].out_net);
			continue;
		}
		if (!wants[i].former) {
			fresh[fresh_count++] = wants[i].out_net;
			continue;
		}
		restore_former(net, &wants[i], first);
		net_unregister(net, wants[i].out_net);
		net_register(net, wants[i].former);
	}
	net_drop_locked(net, fresh, fresh_count, first);
}

int net_unprepare(struct project_net *net, struct net_want *wants, size_t count, struct err *err)
{
	pthread_mutex_lock(&net->lock);
	net_walk_back(net, wants, count, err);
	pthread_mutex_unlock(&net->lock);
	return err->code == ERR_OK ? 0 : -1;
}

int net_complete(struct project_net *net, struct net_want *wants, size_t count, struct arena *arena,
		 struct texts *out_keys, struct err *err)
{
	int status = 0;

	for (size_t i = 0; i < count; i++) {
		const struct slot_net *former = wants[i].former;
		bool gone = false;
		char key[NET_KEY_MAX];

		for (size_t p = 0; former && p < former->port_count; p++) {
			if (net_has_port(wants[i].out_net, &former->ports[p]))
				continue;
			gone = true;
			*(const char **)arena_grow(arena, &out_keys->items, &out_keys->count,
						   sizeof(char *)) =
				arena_strdup(arena, net_port_key(&former->ports[p], key));
		}
		if (gone && trim(net, wants[i].out_net, err) < 0)
			status = -1;
	}
	return status;
}

int net_hand_over(struct project_net *net, const struct project *project, struct net_want wants[2],
		  const struct texts *held, struct arena *arena, struct net_hold **out_holds,
		  size_t *out_hold_count, struct texts *out_notices, struct texts *out_keys,
		  struct err *err)
{
	const char *from = wants[0].out_net->key, *to = wants[1].out_net->key;
	const struct slot_net *former = wants[0].former;
	struct err ignored = ERR_NONE;
	char key[NET_KEY_MAX];

	if (ports_move(&net->np, from, to, err) < 0)
		return -1;
	if (net_prepare(net, project, wants, 2, held, arena, out_holds, out_hold_count, out_notices,
			err) < 0) {
		ports_move(&net->np, to, from, &ignored);
		return -1;
	}
	for (size_t p = 0; p < former->port_count; p++)
		if (!net_has_port(wants[1].out_net, &former->ports[p]))
			*(const char **)arena_grow(arena, &out_keys->items, &out_keys->count,
						   sizeof(char *)) =
				arena_strdup(arena, net_port_key(&former->ports[p], key));
	return trim(net, wants[1].out_net, err);
}

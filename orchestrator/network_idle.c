/* orchestrator/network_idle - published ports of a slot that sleeps lead to nobody's container.
 *
 * Owns: whether a slot's rules are in the table. May not touch: the sockets of its ports (names).
 */
#include "netplug/nft.h"
#include "orchestrator/network_inner.h"

/* It may have been dropped, or replaced by other settings, while somebody waited for the lock. */
static bool is_registered(const struct project_net *net, const struct slot_net *slot)
{
	for (size_t i = 0; i < net->net_count; i++)
		if (net->nets[i] == slot)
			return true;
	return false;
}

static int move(struct project_net *net, struct slot_net *slot, bool asleep, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	AUTO(nft) struct nft *nft = NULL;

	(void)net;
	for (size_t i = 0; i < slot->rule_count; i++)
		if (asleep)
			nat_del_port(nat, &slot->rules[i]);
		else
			nat_add_port(nat, &slot->rules[i]);
	if (nft_open(&nft, err) < 0 || nat_commit(nft, nat, err) < 0)
		return -1;
	slot->asleep = asleep;
	net_forget_flows(slot->rules, slot->rule_count);
	return 0;
}

int net_sleep(struct project_net *net, struct slot_net *slot, bool asleep, struct err *err)
{
	int status = 0;

	pthread_mutex_lock(&net->lock);
	if (is_registered(net, slot))
		status = move(net, slot, asleep, err);
	pthread_mutex_unlock(&net->lock);
	return status;
}

/* orchestrator/change_net - the network half of a change.
 *
 * Owns: which slots take part, the hand-over between loop and pool. May not touch: netplug (network, names).
 */
#include "orchestrator/change_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "orchestrator/slot.h"

static bool needs_own_namespace(const struct service *service)
{
	return !service->network_mode || strcmp(service->network_mode, "none") == 0;
}

static void claim(struct change *change, struct slot *slot, const struct service *service,
		  bool with_ports)
{
	struct net_want *want;
	const struct supervisor *sv = change->sv;

	for (size_t i = 0; i < change->net_want_count; i++)
		if (change->net_slots[i] == slot)
			return;
	{
		size_t count = change->net_want_count;

		*(struct slot **)arena_grow(change->arena, &change->net_slots, &count, sizeof(slot)) = slot;
	}
	want = arena_grow(change->arena, &change->net_wants, &change->net_want_count, sizeof(*want));
	want->service = service;
	want->slot = slot->name;
	want->number = slot->number;
	want->with_ports = with_ports;
	want->remembered = slot->net ? slot->net->ports : NULL;
	want->remembered_count = slot->net ? slot->net->port_count : 0;
	want->out_net = slot_net_new();
	want->out_net->key =
		slot->oneoff ? xformat("%s/%s/run-%s", sv->dirs->name, slot->service, slot->oneoff)
			     : xformat("%s/%s/%u", sv->dirs->name, slot->service, slot->number);
	if (needs_own_namespace(service))
		want->out_net->netns =
			xformat("%s/netns/%s.%s", sv->roots->run, sv->dirs->name, slot->name);
}

int net_claim(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];
		const struct service *service;
		struct slot *slot;

		if (action->kind != ACTION_CREATE && action->kind != ACTION_START)
			continue;
		service = project_find_service(change->model->project, action->service);
		slot = slot_make(change->sv, action->service, action->slot, NULL);
		if (service && (action->kind == ACTION_CREATE || !slot->net))
			claim(change, slot, service, true);
	}
	if (change->run)
		claim(change, change->run_slot, change->run->service, change->run->with_ports);
	return 0;
}

int net_unclaim(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	for (size_t i = 0; i < change->net_want_count; i++)
		slot_net_free(change->net_wants[i].out_net);
	change->net_want_count = 0;
	return 0;
}

/* ---- in the pool ---- */

static void hold_key(char *out, size_t size, const struct slot_port *port)
{
	snprintf(out, size, "%s %s %u", port->protocol, port->host_ip, port->host_port);
}

static void unhold(struct supervisor *sv, const struct slot_net *net, struct err *err)
{
	for (size_t i = 0; i < net->port_count; i++) {
		char key[96];
		const char *keys[1] = { key };

		hold_key(key, sizeof(key), &net->ports[i]);
		names_unhold(sv->names, keys, 1, err);
	}
}

static int hand_over(struct change *change, struct net_hold *holds, size_t count, struct err *err)
{
	AUTO(free) struct netd_hold *list = xcalloc(count + 1, sizeof(*list));
	bool fresh;
	int status;

	for (size_t i = 0; i < count; i++)
		list[i] = (struct netd_hold){ holds[i].key, holds[i].fd };
	status = names_ensure(change->sv->names, &fresh, err);
	if (status == 0)
		status = names_hold(change->sv->names, list, count, err);
	for (size_t i = 0; i < count; i++)
		close(holds[i].fd);
	return status;
}

static bool has_links(const struct change *change)
{
	for (size_t i = 0; i < change->net_want_count; i++)
		if (change->net_wants[i].service->network_count)
			return true;
	return false;
}

int net_batch(void *data, struct err *err)
{
	struct change *change = data;
	struct net_hold *holds = NULL;
	size_t count = 0;
	int status;

	if (!change->net_want_count)
		return 0;
	status = net_prepare(change->sv->net, change->model->project, change->net_wants,
			     change->net_want_count, change->arena, &holds, &count, &change->notices, err);
	if (status == 0 && has_links(change))
		status = hand_over(change, holds, count, err);
	free(holds);
	return status;
}

/* Leases and ports of slots that were not there before this change. */
int net_unbatch(void *data, struct err *err)
{
	struct change *change = data;
	struct slot_net **fresh =
		arena_alloc(change->arena, (change->net_want_count + 1) * sizeof(*fresh));
	size_t count = 0;

	for (size_t i = 0; i < change->net_want_count; i++)
		if (!change->net_slots[i]->record && change->net_wants[i].out_net &&
		    change->net_wants[i].out_net != change->net_slots[i]->net) {
			fresh[count++] = change->net_wants[i].out_net;
			unhold(change->sv, change->net_wants[i].out_net, err);
		}
	return net_drop_slots(change->sv->net, fresh, count, err);
}

int net_settle(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	for (size_t i = 0; i < change->net_want_count; i++) {
		struct slot *slot = change->net_slots[i];

		slot_net_free(slot->net);
		slot->net = change->net_wants[i].out_net;
	}
	change->net_want_count = 0;
	return 0;
}

int net_clean(void *data, struct err *err)
{
	struct change *change = data;
	struct slot_net **nets = arena_alloc(change->arena, (change->gone_count + 1) * sizeof(*nets));
	struct err first = ERR_NONE;
	size_t count = 0;

	(void)err;
	if (change->net_dropped)
		return 0;
	for (size_t i = 0; i < change->gone_count; i++) {
		struct slot *slot = change->gone[i];

		if (!slot->net || slot->record)
			continue;
		nets[count++] = slot->net;
		unhold(change->sv, slot->net, &first);
		names_drop_slot(change->sv->names, slot->name, &first);
	}
	first = ERR_NONE;
	if (net_drop_slots(change->sv->net, nets, count, &first) < 0)
		log_warn("network-left-over", KV_S("error", first.msg)); /* system check finds it again */
	return 0;
}

void net_forget(struct change *change)
{
	struct slot *slot, *next;

	net_unclaim(change, &change->failure);
	for (slot = LIST_FIRST(&change->sv->slots); slot; slot = next) {
		next = LIST_NEXT(slot, link);
		if (!slot->record && !slot->starting && !slot->closing)
			slot_forget(slot);
	}
}

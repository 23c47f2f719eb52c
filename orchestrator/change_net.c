/* orchestrator/change_net - the network half of a change.
 *
 * Owns: which slots take part, the hand-over between loop and pool. May not touch: netplug
 * (network, names).
 */
#include "orchestrator/change_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "orchestrator/connections.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/repair.h"
#include "orchestrator/slot.h"

void net_claim_slot(struct change *change, struct slot *slot, const struct service *service,
		    bool with_ports)
{
	struct net_want *want;
	const struct supervisor *sv = change->sv;

	for (size_t i = 0; i < change->net_want_count; i++)
		if (change->net_slots[i] == slot)
			return;
	{
		size_t count = change->net_want_count;

		*(struct slot **)arena_grow(change->arena, &change->net_slots, &count,
					    sizeof(slot)) = slot;
	}
	want = arena_grow(change->arena, &change->net_wants, &change->net_want_count,
			  sizeof(*want));
	want->service = service;
	want->slot = slot->name;
	want->number = slot->number;
	want->with_ports = with_ports;
	want->former = slot_net_ref(slot->net);
	want->out_net = slot_net_new();
	want->out_net->key =
		slot->oneoff ? xformat("%s/%s/run-%s", sv->dirs->name, slot->service, slot->oneoff)
			     : xformat("%s/%s/%u", sv->dirs->name, slot->service, slot->number);
	if (connections_own_namespace(service))
		want->out_net->netns =
			xformat("%s/netns/%s.%s", sv->roots->run, sv->dirs->name, slot->name);
}

/* A service that uses another container's network has none of its own to describe. */
static int check_mode(const struct service *service, struct err *err)
{
	const char *mode = service->network_mode;
	const struct {
		const char *key;
		bool is_set;
	} keys[] = {
		{"ports",        service->port_count > 0       },
		{ "hostname",    service->hostname != NULL     },
		{ "mac_address", service->mac_address != NULL  },
		{ "extra_hosts", service->extra_hosts.count > 0},
		{ "dns",         service->dns.count > 0        },
		{ "dns_search",  service->dns_search.count > 0 },
		{ "dns_opt",     service->dns_opt.count > 0    },
		{ "links",       service->links.count > 0      },
	};

	if (!mode || (strncmp(mode, "service:", 8) != 0 && strncmp(mode, "container:", 10) != 0))
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].is_set)
			return err_set(
				err, ERR_INVALID,
				"service %s: %s and network_mode: %s exclude each other: they are "
				"those of the container that it joins",
				service->name, keys[i].key, mode);
	return 0;
}

static void warn_of_ports(struct change *change, const struct service *service)
{
	const char *text;

	if (!service->port_count ||
	    (connections_own_namespace(service) &&
	     (!service->network_mode || strcmp(service->network_mode, "none") != 0)))
		return;
	text = arena_format(change->arena, "service %s: ports are ignored with network_mode: %s",
			    service->name, service->network_mode);
	if (!texts_has(&change->notices, text))
		*(const char **)arena_grow(change->arena, &change->notices.items,
					   &change->notices.count, sizeof(char *)) = text;
}

int net_claim(void *data, struct err *err)
{
	struct change *change = data;

	for (size_t i = 0; i < change->plan.count; i++) {
		const struct action *action = &change->plan.actions[i];
		const struct service *service;
		struct slot *slot;

		if (action->kind != ACTION_CREATE && action->kind != ACTION_START)
			continue;
		service = project_find_service(change->model->project, action->service);
		if (service && check_mode(service, err) < 0)
			return -1;
		if (service && action->kind == ACTION_CREATE)
			warn_of_ports(change, service);
		slot = action->container
			       ? slot_by_container(change->sv, action->container)
			       : slot_make(change->sv, action->service, action->slot, NULL);
		if (slot && service && (action->kind == ACTION_CREATE || !slot->net))
			net_claim_slot(change, slot,
				       connections_service(
					       change->arena, service,
					       action->kind == ACTION_CREATE ? NULL : slot->record),
				       !action->from);
	}
	if (change->run && check_mode(change->run->service, err) < 0)
		return -1;
	if (change->run)
		net_claim_slot(change, change->run_slot,
			       connections_service(change->arena, change->run->service, NULL),
			       change->run->with_ports);
	return 0;
}

/* Slots that have a network and did not become a container go with the change. */
static void collect_unborn(struct change *change)
{
	struct slot *slot;

	LIST_FOREACH(slot, &change->sv->slots, link)
	if (slot->net && !slot->record && !slot->starting && !slot->closing)
		*(struct slot **)arena_grow(change->arena, &change->gone, &change->gone_count,
					    sizeof(slot)) = slot;
}

static void forget_wants(struct change *change)
{
	for (size_t i = 0; i < change->net_want_count; i++) {
		slot_net_free(change->net_wants[i].out_net);
		slot_net_free(change->net_wants[i].former);
	}
	change->net_want_count = 0;
}

int net_unclaim(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	forget_wants(change);
	collect_unborn(change);
	return 0;
}

/* ---- in the pool ---- */

static bool has_links(const struct change *change)
{
	for (size_t i = 0; i < change->net_want_count; i++)
		if (change->net_wants[i].service->network_count)
			return true;
	return false;
}

static int prepare(struct change *change, struct err *err)
{
	struct supervisor *sv = change->sv;
	struct texts held = { NULL, 0 }, keys = { NULL, 0 };
	struct err late = ERR_NONE;
	const struct project *project;
	struct net_hold *holds;
	size_t count;
	bool fresh;
	int status;

	if (has_links(change) && names_ports_held(sv->names, change->arena, &held, &fresh, err) < 0)
		return -1;
	project = connections_project(change->arena, change->model->project, change->net_wants,
				      change->net_want_count);
	if (net_prepare(sv->net, project, change->net_wants, change->net_want_count, &held,
			change->arena, &holds, &count, &change->notices, err) < 0)
		return -1;
	status = names_ports_give(sv->names, holds, count, err);
	free(holds);
	if (status < 0) {
		net_unprepare(sv->net, change->net_wants, change->net_want_count, &late);
		return -1;
	}
	if (net_complete(sv->net, change->net_wants, change->net_want_count, change->arena, &keys,
			 &late) < 0 ||
	    names_ports_drop(sv->names, &keys, &late) < 0)
		log_warn("ports-left-over", KV_S("error", late.msg));
	return 0;
}

int net_batch(void *data, struct err *err)
{
	struct change *change = data;

	int status;

	if (!change->net_want_count)
		return 0;
	names_ports_lock(change->sv->names);
	status = prepare(change, err);
	names_ports_unlock(change->sv->names);
	return status;
}

/* Leases and ports of slots that were not there before this change, when it ends before they were
 * settled. */
int net_unbatch(void *data, struct err *err)
{
	struct change *change = data;
	struct slot_net **fresh =
		arena_alloc(change->arena, (change->net_want_count + 1) * sizeof(*fresh));
	size_t count = 0;

	for (size_t i = 0; i < change->net_want_count; i++) {
		const struct net_want *want = &change->net_wants[i];

		if (want->former)
			continue;
		fresh[count++] = want->out_net;
		names_ports_drop_slot(change->sv->names, want->out_net, err);
	}
	return net_drop_slots(change->sv->net, fresh, count, err);
}

/* Other links than those that the namespace was made with: it is renewed before the next life. */
static void keep_stale(struct slot_net *now, struct slot_net *former)
{
	struct slot_net *made_with = former->stale ? former->stale : former;

	now->unverified = former->unverified;
	if (now->moved || !net_same_links(made_with, now))
		now->stale = slot_net_ref(made_with);
}

/* A port that other machines reach, and that was not there before. */
static bool opens(const struct net_want *want, const struct slot_port *port)
{
	bool shown_already = strcmp(port->host_ip, "::") == 0; /* beside 0.0.0.0 */

	if (strncmp(port->host_ip, "127.", 4) == 0 || strcmp(port->host_ip, "::1") == 0 ||
	    shown_already)
		return false;
	for (size_t i = 0; want->former && i < want->former->port_count; i++)
		if (want->former->ports[i].host_port == port->host_port &&
		    strcmp(want->former->ports[i].host_ip, port->host_ip) == 0)
			return false;
	return true;
}

/* What DNAT opens passes by the host's own input rules: said once, when it is opened. */
static void tell_opened(struct change *change)
{
	char *text = NULL;
	size_t size, count = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < change->net_want_count; i++) {
		const struct net_want *want = &change->net_wants[i];

		for (size_t p = 0; p < want->out_net->port_count; p++) {
			const struct slot_port *port = &want->out_net->ports[p];

			if (opens(want, port))
				fprintf(out, "%s%u/%s (%s)", count++ ? ", " : "", port->host_port,
					port->protocol, want->service->name);
		}
	}
	fclose(out);
	if (count)
		*(const char **)arena_grow(change->arena, &change->notices.items,
					   &change->notices.count, sizeof(char *)) =
			arena_format(change->arena,
				     "open to other machines: %s; with 127.0.0.1: in front a port "
				     "stays on "
				     "this one",
				     text);
	free(text);
}

int net_settle(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	tell_opened(change);
	for (size_t i = 0; i < change->net_want_count; i++) {
		struct slot *slot = change->net_slots[i];

		if (slot->net)
			keep_stale(change->net_wants[i].out_net, slot->net);
		slot_net_free(slot->net);
		slot->net = slot_net_ref(change->net_wants[i].out_net);
	}
	repair_watch_netd(change->sv);
	forget_wants(change);
	return 0;
}

int net_clean(void *data, struct err *err)
{
	struct change *change = data;
	struct slot_net **nets =
		arena_alloc(change->arena, (change->gone_count + 1) * sizeof(*nets));
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
		names_ports_drop_slot(change->sv->names, slot->net, &first);
		names_drop_slot(change->sv->names, slot->name, &first);
	}
	first = ERR_NONE;
	if (net_drop_slots(change->sv->net, nets, count, &first) < 0)
		log_warn("network-left-over",
			 KV_S("error", first.msg)); /* system check finds it again */
	first = ERR_NONE;
	if (change->flow.err.code ? net_undo_made(change->sv->net, &first) < 0
				  : count && net_end_if_empty(change->sv->net, &first) < 0)
		log_warn("network-left-over", KV_S("error", first.msg));
	return 0;
}

void net_forget(struct change *change)
{
	struct slot *slot, *next;

	forget_wants(change);
	for (slot = LIST_FIRST(&change->sv->slots); slot; slot = next) {
		next = LIST_NEXT(slot, link);
		if (!slot->record && !slot->starting && !slot->closing)
			slot_forget(slot);
	}
}

/* orchestrator/adopt_net - the network half of start-up.
 *
 * Owns: what is asked for again. May not touch: containers, netplug (network, names).
 */
#include "orchestrator/adopt_net.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/connections.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/reattach.h"
#include "orchestrator/rewire.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_names.h"

struct adoption {
	struct supervisor *sv;
	struct arena *arena;
	struct net_want *wants;
	struct slot **slots;
	size_t count;
};

/* The ports that the record tells, for those that the system chose. */
static struct slot_net *remembered(const struct slot *slot)
{
	struct slot_net *net = slot_net_new();
	struct json_object *info = record_info(slot->record);
	struct json_object *ports = json_array_at(info, "ports");

	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *one = json_object_array_get_idx(ports, i);
		struct slot_port *port =
			arena_grow(net->arena, &net->ports, &net->port_count, sizeof(*port));

		port->host_ip = arena_strdup(net->arena, json_text_or(one, "host_ip", ""));
		port->host_port = (uint16_t)json_int_or(one, "host_port", 0);
		port->target = (uint16_t)json_int_or(one, "target", 0);
		port->protocol = arena_strdup(net->arena, json_text_or(one, "protocol", "tcp"));
	}
	json_object_put(info);
	return net;
}

/* A one-off container publishes only when its `run` asked for it. */
static bool has_ports(const struct slot *slot)
{
	AUTO(json) struct json_object *info = record_info(slot->record);

	return json_bool_or(json_object_at(info, "run"), "ports", false);
}

static void want_network(struct adoption *a, struct slot *slot, const struct service *service)
{
	const struct supervisor *sv = a->sv;
	struct net_want *want;
	size_t count = a->count;

	if (!connections_own_namespace(service))
		return;
	*(struct slot **)arena_grow(a->arena, &a->slots, &count, sizeof(slot)) = slot;
	want = arena_grow(a->arena, &a->wants, &a->count, sizeof(*want));
	want->service = connections_service(a->arena, service, slot->record);
	want->slot = slot->name;
	want->number = slot->number;
	want->with_ports = slot->oneoff ? has_ports(slot) : !slot->unsettled;
	want->adopts = true;
	want->former = remembered(slot);
	want->out_net = slot_net_new();
	want->out_net->key =
		slot->oneoff ? xformat("%s/%s/run-%s", sv->dirs->name, slot->service, slot->oneoff)
			     : xformat("%s/%s/%u", sv->dirs->name, slot->service, slot->number);
	want->former->key = xstrdup(want->out_net->key);
	want->out_net->netns =
		xformat("%s/netns/%s.%s", sv->roots->run, sv->dirs->name, slot->name);
	want->out_net->unverified = true;
}

static int prepare(struct adoption *a, struct err *err)
{
	struct supervisor *sv = a->sv;
	struct texts held = { NULL, 0 }, notices = { NULL, 0 };
	struct net_hold *holds;
	size_t count;
	bool fresh;
	int status;

	if (names_ports_held(sv->names, a->arena, &held, &fresh, err) < 0 ||
	    net_prepare(sv->net,
			connections_project(a->arena, sv->model->project, a->wants, a->count),
			a->wants, a->count, &held, a->arena, &holds, &count, &notices, err) < 0)
		return -1;
	status = names_ports_give(sv->names, holds, count, err);
	free(holds);
	return status;
}

/* One by one, so that the network of one slot that cannot be had again (somebody took its port)
 * does not keep the project from being watched, or taken down. */
static void prepare_singly(struct adoption *a)
{
	struct net_want *all = a->wants;
	size_t count = a->count;

	for (size_t i = 0; i < count; i++) {
		struct err err = ERR_NONE;

		a->wants = &all[i];
		a->count = 1;
		if (prepare(a, &err) == 0)
			continue;
		log_warn("network-not-adopted", KV_S("slot", a->slots[i]->name),
			 KV_S("error", err.msg));
		slot_net_free(all[i].out_net);
		all[i].out_net = NULL;
	}
	a->wants = all;
	a->count = count;
}

/* ---- links that were being changed ---- */

/* What runs gets them; of what does not, those that it shall not have go, and its namespace is
 * renewed at its start. */
static int finish_links(struct supervisor *sv, struct slot *slot, struct arena *arena,
			const struct slot_net *former, struct err *err)
{
	const struct service *service =
		connections_service(arena, slot_service(slot), slot->record);
	const struct texts *dns = settings_or(&service->dns, &sv->settings->dns);
	struct reattach one = { .name = slot->name,
				.container = slot->record->id,
				.net = slot->net,
				.servers = dns->items,
				.server_count = dns->count };
	struct slot_names names = { .sv = sv,
				    .service = service,
				    .net = slot->net,
				    .slot_name = slot->name,
				    .container = slot->record->id,
				    .arena = arena };

	if (!slot->is_watched)
		return net_drop_left(sv->net, former, slot->net, err);
	if (reattach_changed(sv, &one, former, err) < 0 ||
	    slot_names_change(&names, former, err) < 0)
		return -1;
	return net_release_left(sv->net, former, slot->net, err);
}

static void finish_change(struct supervisor *sv, struct slot *slot, struct arena *arena)
{
	struct slot_net *former = slot->net ? rewire_former(slot->record) : NULL;
	struct err err = ERR_NONE;

	if (!former)
		return;
	former->netns = xstrdup(slot->net->netns);
	if (finish_links(sv, slot, arena, former, &err) == 0) {
		rewire_done(slot->record);
		slot_write_record(slot);
		log_info("links-changed", KV_S("slot", slot->name));
	} else { /* the mark stays: the next one tries again */
		log_warn("links-not-changed", KV_S("slot", slot->name), KV_S("error", err.msg));
	}
	slot_net_free(former);
	crash_point("adopt", "links");
}

int adopt_networks(struct supervisor *sv, struct err *err)
{
	struct adoption a = { .sv = sv, .arena = arena_new() };
	struct err first = ERR_NONE;
	struct slot *slot;

	(void)err;
	LIST_FOREACH(slot, &sv->slots, link)
	{
		const struct service *service = slot_service(slot);

		if (service)
			want_network(&a, slot, service);
	}
	if (a.count && prepare(&a, &first) < 0)
		prepare_singly(&a);
	for (size_t i = 0; i < a.count; i++) {
		slot_net_free(a.wants[i].former);
		a.slots[i]->net = a.wants[i].out_net;
		finish_change(sv, a.slots[i], a.arena);
	}
	arena_free(a.arena);
	return 0;
}

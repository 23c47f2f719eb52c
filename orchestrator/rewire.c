/* orchestrator/rewire - the mark of a container whose links are being changed.
 *
 * Owns: info.rewires of a record. May not touch: links, books (adopt_net, change_connect).
 */
#include "orchestrator/rewire.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

static const char *const kinds[] = {
	[ATTACH_VETH] = "veth",
	[ATTACH_MACVLAN] = "macvlan",
	[ATTACH_IPVLAN] = "ipvlan",
};

static bool is_on(const struct slot_net *net, const char *network)
{
	for (size_t i = 0; i < net->link_count; i++)
		if (strcmp(net->links[i].network, network) == 0)
			return true;
	return false;
}

static const struct attach_interface *interface_of(const struct slot_net *net, const char *name)
{
	for (size_t i = 0; i < net->interface_count; i++)
		if (strcmp(net->interfaces[i].name, name) == 0)
			return &net->interfaces[i];
	return NULL;
}

static void add_link(struct json_object *list, const struct slot_net *net,
		     const struct slot_link *link)
{
	const struct attach_interface *interface = interface_of(net, link->interface);
	struct json_object *one = json_object_new_object();

	json_add_text(one, "network", link->network);
	json_add_text(one, "interface", link->interface);
	json_add_text(one, "ip4", link->ip4);
	json_add_text(one, "ip6", link->ip6);
	if (interface) {
		json_add_text(one, "kind", kinds[interface->kind]);
		json_add_text(one, "host_name", interface->host_name);
	}
	json_object_array_add(list, one);
}

void rewire_note(struct record *record, const struct slot_net *former, const struct slot_net *to)
{
	struct json_object *info = record_info(record), *mark, *list;
	struct slot_net *older = rewire_former(record);

	json_object_object_del(info, "rewires");
	mark = json_add_object(info, "rewires");
	json_add_bool(mark, "internal_only", former->internal_only);
	json_add_text(mark, "host4", former->host4);
	json_add_text(mark, "host6", former->host6);
	list = json_add_array(mark, "links");
	for (size_t i = 0; i < former->link_count; i++)
		add_link(list, former, &former->links[i]);
	for (size_t i = 0; older && i < older->link_count; i++)
		if (!is_on(former, older->links[i].network) && !is_on(to, older->links[i].network))
			add_link(list, older, &older->links[i]);
	slot_net_free(older);
	record_put_info(record, info);
}

static void read_link(struct slot_net *net, const struct json_object *one)
{
	struct slot_link *link =
		arena_grow(net->arena, &net->links, &net->link_count, sizeof(*link));
	const char *kind = json_text_or(one, "kind", NULL);
	struct attach_interface *interface;

	link->network = arena_strdup(net->arena, json_text_or(one, "network", ""));
	link->interface = arena_strdup(net->arena, json_text_or(one, "interface", ""));
	snprintf(link->ip4, sizeof(link->ip4), "%s", json_text_or(one, "ip4", ""));
	snprintf(link->ip6, sizeof(link->ip6), "%s", json_text_or(one, "ip6", ""));
	for (size_t i = 0; kind && i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kind, kinds[i]) != 0)
			continue;
		interface = arena_grow(net->arena, &net->interfaces, &net->interface_count,
				       sizeof(*interface));
		interface->kind = (enum attach_kind)i;
		interface->name = link->interface;
		snprintf(interface->host_name, sizeof(interface->host_name), "%s",
			 json_text_or(one, "host_name", ""));
	}
}

struct slot_net *rewire_former(const struct record *record)
{
	AUTO(json) struct json_object *info = record_info(record);
	const struct json_object *mark = json_object_at(info, "rewires");
	struct json_object *list = json_array_at(mark, "links");
	struct slot_net *net;

	if (!mark)
		return NULL;
	net = slot_net_new();
	net->internal_only = json_bool_or(mark, "internal_only", false);
	snprintf(net->host4, sizeof(net->host4), "%s", json_text_or(mark, "host4", ""));
	snprintf(net->host6, sizeof(net->host6), "%s", json_text_or(mark, "host6", ""));
	for (size_t i = 0; i < json_array_count(list); i++)
		read_link(net, json_object_array_get_idx(list, i));
	return net;
}

void rewire_done(struct record *record)
{
	struct json_object *info = record_info(record);

	json_object_object_del(info, "rewires");
	record_put_info(record, info);
}

/* orchestrator/connections - the networks that a slot is really on.
 *
 * Owns: info.attached of a record, the meaning of network_mode: bridge and NAME. May not touch:
 * books, kernel.
 */
#include "orchestrator/connections.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/network_spec.h"
#include "orchestrator/record_make.h"

#define PRIORITY_LAST -1000000 /* connected by hand: behind those of the file */

/* ---- what the file means ---- */

/* The network that network_mode names; NULL: another mode. */
static const char *named_network(const struct service *service)
{
	const char *mode = service->network_mode;

	if (!mode || strcmp(mode, "none") == 0 || strcmp(mode, "host") == 0 ||
	    text_starts(mode, "service:") || text_starts(mode, "container:"))
		return NULL;
	return strcmp(mode, "default") == 0 ? CONNECTIONS_BRIDGE : mode;
}

bool connections_own_namespace(const struct service *service)
{
	return !service->network_mode || strcmp(service->network_mode, "none") == 0 ||
	       named_network(service);
}

static struct service *with_networks(struct arena *arena, const struct service *service,
				     struct attachment *networks, size_t count)
{
	struct service *copy = arena_alloc(arena, sizeof(*copy));

	*copy = *service;
	copy->networks = networks;
	copy->network_count = count;
	if (named_network(service))
		copy->network_mode = NULL;
	return copy;
}

/* ---- the record ---- */

static void read_texts(struct arena *arena, const struct json_object *one, const char *key,
		       struct texts *out)
{
	struct json_object *array = json_array_at(one, key);
	size_t count = json_array_count(array);

	*out = (struct texts){ arena_alloc(arena, (count + 1) * sizeof(char *)), 0 };
	for (size_t i = 0; i < count; i++) {
		struct json_object *text = json_object_array_get_idx(array, i);

		if (json_object_is_type(text, json_type_string))
			out->items[out->count++] =
				arena_strdup(arena, json_object_get_string(text));
	}
}

static void read_attachment(struct arena *arena, const struct json_object *one,
			    struct attachment *out)
{
	struct json_object *options = json_object_at(one, "driver_opts");

	out->network = arena_strdup(arena, json_text_or(one, "network", ""));
	out->interface_name = arena_strdup(arena, json_text_or(one, "interface", NULL));
	out->ipv4_address = arena_strdup(arena, json_text_or(one, "ip4", NULL));
	out->ipv6_address = arena_strdup(arena, json_text_or(one, "ip6", NULL));
	out->mac_address = arena_strdup(arena, json_text_or(one, "mac", NULL));
	out->priority = (struct opt_number){ (double)json_int_or(one, "priority", 0), true };
	out->gw_priority = (struct opt_number){ (double)json_int_or(one, "gw_priority", 0), true };
	read_texts(arena, one, "aliases", &out->aliases);
	read_texts(arena, one, "link_local", &out->link_local_ips);
	if (!options)
		return;
	out->driver_opts.items = arena_alloc(
		arena, (size_t)json_object_object_length(options) * sizeof(struct pair) + 1);
	json_each(options, name, value)
		if (value)
			out->driver_opts.items[out->driver_opts.count++] =
				(struct pair){ arena_strdup(arena, name),
					       arena_strdup(arena, json_object_get_string(value)) };
}

static struct json_object *attachment_json(const struct attachment *one)
{
	struct json_object *out = json_object_new_object(), *list;

	json_add_text(out, "network", one->network);
	json_add_text(out, "interface", one->interface_name);
	json_add_text(out, "ip4", one->ipv4_address);
	json_add_text(out, "ip6", one->ipv6_address);
	json_add_text(out, "mac", one->mac_address);
	json_add_int(out, "priority", (int64_t)one->priority.value);
	json_add_int(out, "gw_priority", (int64_t)one->gw_priority.value);
	list = json_add_array(out, "aliases");
	for (size_t i = 0; i < one->aliases.count; i++)
		json_push_text(list, one->aliases.items[i]);
	list = one->link_local_ips.count ? json_add_array(out, "link_local") : NULL;
	for (size_t i = 0; i < one->link_local_ips.count; i++)
		json_push_text(list, one->link_local_ips.items[i]);
	list = one->driver_opts.count ? json_add_object(out, "driver_opts") : NULL;
	for (size_t i = 0; i < one->driver_opts.count; i++)
		json_add_text(list, one->driver_opts.items[i].name,
			      one->driver_opts.items[i].value);
	return out;
}

static const struct service *of_record(struct arena *arena, const struct service *service,
				       const struct record *record)
{
	AUTO(json) struct json_object *info = record_info(record);
	struct json_object *list = json_array_at(info, "attached");
	size_t count = json_array_count(list);
	struct attachment *networks;

	if (!list)
		return NULL;
	networks = arena_alloc(arena, (count + 1) * sizeof(*networks));
	for (size_t i = 0; i < count; i++)
		read_attachment(arena, json_object_array_get_idx(list, i), &networks[i]);
	return with_networks(arena, service, networks, count);
}

const struct service *connections_service(struct arena *arena, const struct service *service,
					  const struct record *record)
{
	const struct service *changed = record ? of_record(arena, service, record) : NULL;
	const char *network = named_network(service);
	struct attachment *one;

	if (changed || !network)
		return changed ? changed : service;
	one = arena_alloc(arena, sizeof(*one));
	one->network = arena_format(arena, "/%s", network);
	one->mac_address = service->mac_address;
	return with_networks(arena, service, one, 1);
}

void connections_save(struct record *record, const struct service *service,
		      const struct slot_net *net)
{
	struct json_object *info = record_info(record);
	struct json_object *list;

	json_object_object_del(info, "attached");
	json_object_object_del(info, "networks");
	json_object_object_del(info, "ports");
	list = json_add_array(info, "attached");
	for (size_t i = 0; i < service->network_count; i++)
		json_object_array_add(list, attachment_json(&service->networks[i]));
	record_add_networks(info, net);
	free(record->info);
	record->info = xstrdup(json_object_to_json_string_ext(
		info, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(info);
}

/* ---- the project ---- */

static bool has_key(const struct network *networks, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(networks[i].key, key) == 0)
			return true;
	return false;
}

const struct project *connections_project(struct arena *arena, const struct project *project,
					  const struct net_want *wants, size_t count)
{
	struct project *copy;
	size_t most = project->network_count;

	for (size_t i = 0; i < count; i++)
		most += wants[i].service->network_count;
	copy = arena_alloc(arena, sizeof(*copy));
	*copy = *project;
	copy->networks = arena_alloc(arena, (most + 1) * sizeof(*copy->networks));
	if (project->network_count)
		memcpy(copy->networks, project->networks,
		       project->network_count * sizeof(*copy->networks));
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < wants[i].service->network_count; n++) {
			const char *key = wants[i].service->networks[n].network;

			if (key[0] != '/' || has_key(copy->networks, copy->network_count, key))
				continue;
			copy->networks[copy->network_count++] =
				(struct network){ .key = key, .name = key + 1, .external = true };
		}
	return copy;
}

/* ---- connect, disconnect ---- */

static const char *real_name(const struct project *project, const char *key)
{
	for (size_t i = 0; key[0] != '/' && i < project->network_count; i++)
		if (strcmp(project->networks[i].key, key) == 0)
			return project->networks[i].name;
	return key[0] == '/' ? key + 1 : key;
}

static const char *key_of(struct arena *arena, const struct project *project, const char *name)
{
	for (size_t i = 0; i < project->network_count; i++)
		if (strcmp(project->networks[i].name, name) == 0)
			return project->networks[i].key;
	return arena_format(arena, "/%s", name);
}

static bool has_interface(const struct attachment *networks, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (networks[i].interface_name && strcmp(networks[i].interface_name, name) == 0)
			return true;
	return false;
}

/* A copy in the order of the interfaces, with room for one more and every name pinned. */
static struct attachment *pinned(struct arena *arena, const struct project *project,
				 const struct service *now, const struct slot_net *net)
{
	struct attachment *out = arena_alloc(arena, (now->network_count + 2) * sizeof(*out));
	const struct attachment **order = network_order(arena, now);

	for (size_t i = 0; i < now->network_count; i++) {
		const char *name = real_name(project, order[i]->network);

		out[i] = *order[i];
		for (size_t k = 0; net && k < net->link_count; k++)
			if (strcmp(net->links[k].network, name) == 0)
				out[i].interface_name =
					arena_strdup(arena, net->links[k].interface);
	}
	return out;
}

static int check_service(const struct service *now, struct err *err)
{
	if (!now->network_mode)
		return 0;
	return err_set(err, ERR_INVALID, "network_mode: %s: it is not connected to networks",
		       now->network_mode);
}

int connections_add(struct arena *arena, const struct project *project, const struct service *now,
		    const struct slot_net *net, const struct attachment *wish,
		    const struct service **out, struct err *err)
{
	struct attachment *networks, *added;
	size_t count = now->network_count;

	if (check_service(now, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(real_name(project, now->networks[i].network), wish->network) == 0)
			return err_set(err, ERR_EXISTS, "it is on network %s already",
				       wish->network);
	networks = pinned(arena, project, now, net);
	added = &networks[count];
	*added = *wish;
	added->network = key_of(arena, project, wish->network);
	added->priority = (struct opt_number){ PRIORITY_LAST - (double)count, true };
	for (unsigned n = 0; !added->interface_name; n++) {
		const char *name = arena_format(arena, "eth%u", n);

		if (!has_interface(networks, count, name))
			added->interface_name = name;
	}
	if (has_interface(networks, count, added->interface_name))
		return err_set(err, ERR_EXISTS, "it has an interface %s already",
			       added->interface_name);
	*out = with_networks(arena, now, networks, count + 1);
	return 0;
}

int connections_remove(struct arena *arena, const struct project *project,
		       const struct service *now, const struct slot_net *net, const char *network,
		       const struct service **out, struct err *err)
{
	struct attachment *networks;
	size_t count = 0;

	if (check_service(now, err) < 0)
		return -1;
	networks = pinned(arena, project, now, net);
	for (size_t i = 0; i < now->network_count; i++)
		if (strcmp(real_name(project, networks[i].network), network) != 0)
			networks[count++] = networks[i];
	if (count == now->network_count)
		return err_set(err, ERR_NOT_FOUND, "it is not on network %s", network);
	*out = with_networks(arena, now, networks, count);
	return 0;
}

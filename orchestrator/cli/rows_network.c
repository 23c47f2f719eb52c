/* orchestrator/cli/rows_network - networks as rows and in docker's inspect shape.
 *
 * Owns: docker's field names. May not touch: records but by reading.
 */
#include "orchestrator/cli/rows_network.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/view.h"

static const char *const driver_names[] = {
	[NETWORK_BRIDGE] = "bridge",
	[NETWORK_MACVLAN] = "macvlan",
	[NETWORK_IPVLAN] = "ipvlan",
};

const char *network_driver_name(enum network_driver driver)
{
	return driver_names[driver];
}

static struct json_object *pairs_object(const struct network_pairs *pairs)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < pairs->count; i++)
		json_add_text(object, pairs->items[i].key, pairs->items[i].value);
	return object;
}

struct json_object *network_labels(const struct network_record *network)
{
	struct json_object *labels = pairs_object(&network->labels);

	if (network->project && *network->project)
		json_add_text(labels, "com.docker.compose.project", network->project);
	return labels;
}

struct json_object *row_network(const struct network_record *network, bool no_trunc)
{
	struct json_object *row = json_object_new_object();
	AUTO(json) struct json_object *labels = network_labels(network);
	AUTO(free) char *text = NULL;
	char id[HUMAN_LEN];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *comma = "";

	json_each(labels, key, value) {
		fprintf(out, "%s%s=%s", comma, key, json_object_get_string(value));
		comma = ",";
	}
	fclose(out);
	json_add_text(row, "CreatedAt", network->created);
	json_add_text(row, "Driver", network_driver_name(network->driver));
	json_add_text(row, "ID", no_trunc ? network->id : human_short_id(network->id, id));
	json_add_text(row, "IPv4", network->ipv4 ? "true" : "false");
	json_add_text(row, "IPv6", network->ipv6 ? "true" : "false");
	json_add_text(row, "Internal", network->internal ? "true" : "false");
	json_add_text(row, "Labels", text);
	json_add_text(row, "Name", network->name);
	json_add_text(row, "Scope", "local");
	return row;
}

static void add_ipam(struct json_object *row, const struct network_record *network)
{
	struct json_object *ipam = json_add_object(row, "IPAM"), *configs;

	json_add_text(ipam, "Driver", "default");
	json_object_object_add(ipam, "Options", pairs_object(&network->ipam_options));
	configs = json_add_array(ipam, "Config");
	for (size_t i = 0; i < network->subnet_count; i++) {
		const struct network_subnet *subnet = &network->subnets[i];
		struct json_object *config = json_object_new_object();
		char text[ADDRESS_TEXT];

		json_add_text(config, "Subnet", prefix_text(&subnet->subnet, text));
		if (!prefix_equal(&subnet->subnet, &subnet->dynamic))
			json_add_text(config, "IPRange", prefix_text(&subnet->dynamic, text));
		if (address_is_set(&subnet->gateway))
			json_add_text(config, "Gateway", address_text(&subnet->gateway, text));
		if (subnet->aux.count)
			json_object_object_add(config, "AuxiliaryAddresses",
					       pairs_object(&subnet->aux));
		json_object_array_add(configs, config);
	}
}

/* The container in "PROJECT/SERVICE/N" (or "/run-HEX"). */
static const struct record *record_of(const struct view *view, struct slice service,
				      struct slice number)
{
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct record *record = view->observed->containers[i].record;
		char text[80];

		if (record->oneoff)
			snprintf(text, sizeof(text), "run-%s", record->oneoff);
		else
			snprintf(text, sizeof(text), "%u", record->slot);
		if (slice_is(service, record->service) && slice_is(number, text))
			return record;
	}
	return NULL;
}

static void address_with_length(struct json_object *member, const char *key,
				const struct address *address, uint8_t len)
{
	char text[ADDRESS_TEXT], whole[ADDRESS_TEXT + 8] = "";

	if (address_is_set(address))
		snprintf(whole, sizeof(whole), "%s/%u", address_text(address, text), len);
	json_add_text(member, key, whole);
}

static void add_member(struct cli *cli, struct json_object *members,
		       const struct network_lease *lease)
{
	struct slice rest = SLICE(lease->slot), project, service;
	struct json_object *member = json_object_new_object();
	const struct record *record;
	struct err gone = ERR_NONE;
	AUTO(view) struct view *view = NULL;
	char mac[MAC_TEXT];

	slice_next(&rest, '/', &project);
	slice_next(&rest, '/', &service);
	view = view_open_project(cli, arena_strndup(cli->arena, project.at, project.len), &gone);
	record = view ? record_of(view, service, rest) : NULL;
	json_add_text(member, "Name", record ? record->name : lease->slot);
	json_add_text(member, "EndpointID", "");
	json_add_text(member, "MacAddress", mac_text(lease->mac, mac));
	address_with_length(member, "IPv4Address", &lease->v4, lease->v4_len);
	address_with_length(member, "IPv6Address", &lease->v6, lease->v6_len);
	json_object_object_add(members, record ? record->id : lease->slot, member);
}

struct json_object *inspect_network(struct cli *cli, const struct network_record *network)
{
	struct json_object *row = json_object_new_object(), *members;

	json_add_text(row, "Name", network->name);
	json_add_text(row, "Id", network->id);
	json_add_text(row, "Created", network->created);
	json_add_text(row, "Scope", "local");
	json_add_text(row, "Driver", network_driver_name(network->driver));
	json_add_bool(row, "EnableIPv4", network->ipv4);
	json_add_bool(row, "EnableIPv6", network->ipv6);
	add_ipam(row, network);
	json_add_bool(row, "Internal", network->internal);
	json_add_bool(row, "Attachable", network->attachable);
	members = json_add_object(row, "Containers");
	for (size_t i = 0; i < network->lease_count; i++)
		add_member(cli, members, &network->leases[i]);
	json_object_object_add(row, "Options", pairs_object(&network->driver_opts));
	json_object_object_add(row, "Labels", network_labels(network));
	json_add_text(row, "Bridge", network->bridge);
	return row;
}

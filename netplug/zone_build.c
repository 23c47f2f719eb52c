/* netplug/zone_build - a zone file made ready for questions: its JSON as tables.
 *
 * Owns: which names an endpoint has, the checks of the text. May not touch: answers (zone_index).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "netplug/zone.h"
#include "netplug/zone_tables.h"

static char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);

	for (char *c = copy; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int parse_address(const char *text, struct zone_address *out, struct err *err)
{
	out->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(out->family, text, out->bytes) != 1)
		return err_set(err, ERR_INVALID, "zone: \"%s\" is no address", text);
	return 0;
}

static int parse_subnet(struct zone_index *index, const char *text, struct err *err)
{
	struct subnet *subnet =
		arena_grow(index->arena, &index->subnets, &index->subnet_count, sizeof(*subnet));
	const char *slash = strchr(text, '/');
	struct zone_address address = { 0 };
	AUTO(free) char *plain = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
	uint64_t len;

	if (!slash || parse_address(plain, &address, err) < 0 ||
	    num_parse_u64("prefix length", slash + 1, strlen(slash + 1), 0,
			  8 * zone_address_len(address.family), &len, err) < 0)
		return err_set(err, ERR_INVALID, "zone: \"%s\" is no subnet", text);
	subnet->family = address.family;
	subnet->len = (uint8_t)len;
	memcpy(subnet->bytes, address.bytes, sizeof(subnet->bytes));
	return 0;
}

static int build_networks(struct zone_index *index, struct json_object *array, struct err *err)
{
	for (size_t i = 0; i < json_array_count(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		struct json_object *subnets = json_array_at(item, "subnets");
		struct network *network = arena_grow(index->arena, &index->networks,
						     &index->network_count, sizeof(*network));
		const char *name;

		if (json_need_text(item, "zone network", "name", &name, err) < 0)
			return -1;
		network->name = arena_strdup(index->arena, name);
		network->lower = lower(index->arena, name);
		network->lower_len = strlen(name);
		for (size_t k = 0; k < json_array_count(subnets); k++) {
			const char *text =
				json_object_get_string(json_object_array_get_idx(subnets, k));

			if (parse_subnet(index, text ? text : "", err) < 0)
				return -1;
		}
	}
	return 0;
}

static void add_name(struct zone_index *index, const char *name, uint32_t address)
{
	struct pair *pair;

	if (!name || !*name)
		return;
	pair = arena_grow(index->arena, &index->pairs, &index->pair_count, sizeof(*pair));
	pair->name = name;
	pair->address = address;
}

/* Addresses of one attachment, under all names that hold there. */
static int build_attachment(struct zone_index *index, struct json_object *item,
			    struct json_object *attachment, bool live, struct err *err)
{
	struct json_object *addresses = json_array_at(attachment, "addresses");
	struct json_object *aliases = json_array_at(attachment, "aliases");
	uint32_t endpoint = (uint32_t)index->endpoint_count - 1, network = 0;
	struct endpoint *self = &index->endpoints[endpoint];
	const char *name;
	uint32_t *place;

	if (json_need_text(attachment, "zone endpoint", "network", &name, err) < 0)
		return -1;
	while (network < index->network_count && strcmp(index->networks[network].name, name) != 0)
		network++;
	if (network == index->network_count)
		return err_set(err, ERR_INVALID, "zone: network \"%s\" is not described", name);
	place = arena_grow(index->arena, &self->networks, &self->network_count, sizeof(*place));
	*place = network;
	for (size_t i = 0; live && i < json_array_count(addresses); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(addresses, i));
		struct zone_address *address = arena_grow(index->arena, &index->addresses,
							  &index->address_count, sizeof(*address));
		uint32_t number = (uint32_t)index->address_count - 1;

		if (parse_address(text ? text : "", address, err) < 0)
			return -1;
		address->network = network;
		address->endpoint = endpoint;
		address->unhealthy = json_bool_or(item, "unhealthy", false);
		add_name(index, lower(index->arena, json_text_or(item, "service", NULL)), number);
		add_name(index, lower(index->arena, self->container), number);
		add_name(index, lower(index->arena, json_text_or(item, "id", NULL)), number);
		for (size_t k = 0; k < json_array_count(aliases); k++)
			add_name(
				index,
				lower(index->arena, json_object_get_string(
							    json_object_array_get_idx(aliases, k))),
				number);
	}
	return 0;
}

static struct private_name *add_private(struct zone_index *index, const char *name)
{
	struct endpoint *self = &index->endpoints[index->endpoint_count - 1];
	struct private_name *added =
		arena_grow(index->arena, &self->privates, &self->private_count, sizeof(*added));

	added->name = lower(index->arena, name);
	return added;
}

static int build_privates(struct zone_index *index, struct json_object *item, struct err *err)
{
	struct json_object *links = json_array_at(item, "links");
	struct json_object *hosts = json_array_at(item, "hosts");
	static const char *const gateways[] = { "gateway4", "gateway6" };
	const char *name, *value;

	for (size_t i = 0; i < json_array_count(hosts); i++) {
		struct json_object *host = json_object_array_get_idx(hosts, i);

		if (json_need_text(host, "zone host", "name", &name, err) < 0 ||
		    json_need_text(host, "zone host", "address", &value, err) < 0 ||
		    parse_address(value, &add_private(index, name)->address, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < 2; i++) {
		value = json_text_or(item, gateways[i], NULL);
		if (value &&
		    parse_address(value, &add_private(index, "host.stack.internal")->address, err) <
			    0)
			return -1;
	}
	for (size_t i = 0; i < json_array_count(links); i++) {
		struct json_object *link = json_object_array_get_idx(links, i);

		if (json_need_text(link, "zone link", "alias", &name, err) < 0 ||
		    json_need_text(link, "zone link", "target", &value, err) < 0)
			return -1;
		add_private(index, name)->target = lower(index->arena, value);
	}
	return 0;
}

static int build_endpoints(struct zone_index *index, struct json_object *array, struct err *err)
{
	for (size_t i = 0; i < json_array_count(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		struct json_object *list = json_array_at(item, "networks");
		struct endpoint *endpoint = arena_grow(index->arena, &index->endpoints,
						       &index->endpoint_count, sizeof(*endpoint));
		const char *container;

		if (json_need_text(item, "zone endpoint", "container", &container, err) < 0)
			return -1;
		endpoint->container = arena_strdup(index->arena, container);
		endpoint->slot = arena_strdup(index->arena, json_text_or(item, "slot", NULL));
		for (size_t k = 0; k < json_array_count(list); k++)
			if (build_attachment(index, item, json_object_array_get_idx(list, k),
					     json_bool_or(item, "live", false), err) < 0)
				return -1;
		if (build_privates(index, item, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : (left->address > right->address) - (left->address < right->address);
}

static size_t mask_for(size_t count)
{
	size_t places = 16;

	while (places < 2 * count)
		places *= 2;
	return places - 1;
}

static void build_tables(struct zone_index *index)
{
	struct named *last = NULL;
	size_t refs = 0;

	if (index->pair_count)
		qsort(index->pairs, index->pair_count, sizeof(struct pair), compare_pairs);
	index->name_mask = mask_for(index->pair_count);
	index->names = arena_alloc(index->arena, (index->name_mask + 1) * sizeof(struct named));
	index->refs = arena_alloc(index->arena, (index->pair_count + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < index->pair_count; i++) {
		const struct pair *pair = &index->pairs[i];

		if (i && compare_pairs(pair - 1, pair) == 0)
			continue;
		if (!last || strcmp(last->name, pair->name) != 0) {
			last = zone_name_place(index, pair->name, strlen(pair->name));
			last->name = pair->name;
			last->first = (uint32_t)refs;
		}
		index->refs[refs++] = pair->address;
		last->count++;
	}
	index->reversed_mask = mask_for(index->address_count);
	index->reversed = arena_alloc(index->arena, (index->reversed_mask + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < index->address_count; i++) {
		const struct zone_address *address = &index->addresses[i];
		size_t at = zone_hash(address->bytes, zone_address_len(address->family)) &
			    index->reversed_mask;

		while (index->reversed[at])
			at = (at + 1) & index->reversed_mask;
		index->reversed[at] = (uint32_t)i + 1;
	}
}

struct zone_index *zone_index_parse(const char *text, size_t len, struct err *err)
{
	AUTO(json) struct json_object *root = json_parse("zone", text, len, err);
	AUTO(zone_index) struct zone_index *index = NULL;
	struct arena *arena;

	if (!root)
		return NULL;
	if (!json_object_is_type(root, json_type_object) || json_int_or(root, "version", 0) != 1) {
		err_set(err, ERR_UNSUPPORTED, "zone: version %lld is not known here (1 is)",
			(long long)json_int_or(root, "version", 0));
		return NULL;
	}
	arena = arena_new();
	index = arena_alloc(arena, sizeof(*index));
	index->arena = arena;
	index->serial = (uint64_t)json_int_or(root, "serial", 0);
	index->ttl = (uint32_t)json_int_or(root, "ttl", ZONE_TTL_SECONDS);
	index->healthy_only = json_bool_or(root, "healthy_only", false);
	if (build_networks(index, json_array_at(root, "networks"), err) < 0 ||
	    build_endpoints(index, json_array_at(root, "endpoints"), err) < 0)
		return NULL;
	build_tables(index);
	return TAKE(index);
}

struct zone_index *zone_index_load(int zone_fd, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;

	if (lseek(zone_fd, 0, SEEK_SET) < 0) {
		err_sys(err, errno, "read the zone");
		return NULL;
	}
	if (file_read_fd(zone_fd, "zone", ZONE_MAX_BYTES, &text, &len, err) < 0)
		return NULL;
	return zone_index_parse(text, len, err);
}

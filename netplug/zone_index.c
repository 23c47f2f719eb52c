/* netplug/zone_index - questions to a zone: what a name means to whom.
 *
 * Owns: the look-ups. May not touch: sockets, the form of DNS messages, the zone's text
 * (zone_build).
 */
#include "netplug/zone_index.h"

#include <string.h>

#include "netplug/zone_tables.h"

/* FNV-1a; the names come from our own supervisor, nobody can aim at one bucket. */
uint32_t zone_hash(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint32_t value = 2166136261u;

	for (size_t i = 0; i < len; i++)
		value = (value ^ at[i]) * 16777619u;
	return value ^ (value >> 15);
}

struct named *zone_name_place(const struct zone_index *index, const char *name, size_t len)
{
	size_t at = zone_hash(name, len) & index->name_mask;

	while (index->names[at].name && (strncmp(index->names[at].name, name, len) != 0 ||
					 index->names[at].name[len] != '\0'))
		at = (at + 1) & index->name_mask;
	return &index->names[at];
}

void zone_index_free(struct zone_index *index)
{
	if (index)
		arena_free(index->arena);
}

uint64_t zone_index_serial(const struct zone_index *index)
{
	return index->serial;
}

uint32_t zone_index_ttl(const struct zone_index *index)
{
	return index->ttl;
}

int zone_index_asker(const struct zone_index *index, const char *slot)
{
	for (size_t i = 0; i < index->endpoint_count; i++)
		if (index->endpoints[i].slot && strcmp(index->endpoints[i].slot, slot) == 0)
			return (int)i;
	return -1;
}

static bool is_on(const struct endpoint *asker, uint32_t network)
{
	for (size_t i = 0; i < asker->network_count; i++)
		if (asker->networks[i] == network)
			return true;
	return false;
}

#define ANY_NETWORK UINT32_MAX

/* Adds what a public name means to the asker, on one network or on all that both are on. */
static void find_public(const struct zone_index *index, const struct endpoint *asker,
			const char *name, size_t len, uint32_t network, struct zone_found *found)
{
	const struct named *named = zone_name_place(index, name, len);
	size_t unhealthy = 0, first = found->count, kept = first;

	for (uint32_t i = 0; named->name && i < named->count; i++) {
		const struct zone_address *address =
			&index->addresses[index->refs[named->first + i]];

		if (network == ANY_NETWORK ? !is_on(asker, address->network)
					   : address->network != network)
			continue;
		if (found->count == ZONE_FOUND_MAX)
			break;
		found->at[found->count++] = address;
		unhealthy += address->unhealthy;
	}
	found->known |= found->count > first;
	if (!index->healthy_only || !unhealthy || unhealthy == found->count - first)
		return;
	for (size_t i = first; i < found->count; i++)
		if (!found->at[i]->unhealthy)
			found->at[kept++] = found->at[i];
	found->count = kept;
}

static bool is_same(const char *text, const char *name, size_t len)
{
	return strncmp(text, name, len) == 0 && text[len] == '\0';
}

static void find_private(const struct zone_index *index, const struct endpoint *asker,
			 const char *name, size_t len, uint32_t network, struct zone_found *found)
{
	for (size_t i = 0; i < asker->private_count; i++) {
		const struct private_name *known = &asker->privates[i];

		if (!is_same(known->name, name, len))
			continue;
		if (known->target) {
			find_public(index, asker, known->target, strlen(known->target), network,
				    found);
		} else if (network == ANY_NETWORK && found->count < ZONE_FOUND_MAX) {
			found->at[found->count++] = &known->address;
			found->known = true;
		}
	}
}

bool zone_index_find(const struct zone_index *index, int asker_number, const char *name, size_t len,
		     struct zone_found *found)
{
	const struct endpoint *asker;

	found->known = false;
	found->count = 0;
	if (asker_number < 0 || (size_t)asker_number >= index->endpoint_count || len == 0)
		return false;
	asker = &index->endpoints[asker_number];
	find_private(index, asker, name, len, ANY_NETWORK, found);
	if (!found->known)
		find_public(index, asker, name, len, ANY_NETWORK, found);
	for (size_t i = 0; !found->known && i < asker->network_count; i++) {
		const struct network *network = &index->networks[asker->networks[i]];
		size_t head;

		if (len < network->lower_len + 2)
			continue;
		head = len - network->lower_len - 1;
		if (name[head] != '.' ||
		    memcmp(name + head + 1, network->lower, network->lower_len) != 0)
			continue;
		find_private(index, asker, name, head, asker->networks[i], found);
		if (!found->known)
			find_public(index, asker, name, head, asker->networks[i], found);
	}
	return found->known;
}

static bool is_inside(const struct subnet *subnet, int family, const uint8_t *bytes)
{
	size_t whole = subnet->len / 8, rest = subnet->len % 8;

	if (subnet->family != family || memcmp(subnet->bytes, bytes, whole) != 0)
		return false;
	return rest == 0 || (subnet->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

enum zone_reverse zone_index_reverse(const struct zone_index *index, int asker, int family,
				     const uint8_t *bytes, const char **out_container,
				     const char **out_network)
{
	size_t at = zone_hash(bytes, zone_address_len(family)) & index->reversed_mask;

	for (; asker >= 0 && index->reversed[at]; at = (at + 1) & index->reversed_mask) {
		const struct zone_address *address = &index->addresses[index->reversed[at] - 1];

		if (address->family != family ||
		    memcmp(address->bytes, bytes, zone_address_len(family)) != 0 ||
		    !is_on(&index->endpoints[asker], address->network))
			continue;
		*out_container = index->endpoints[address->endpoint].container;
		*out_network = index->networks[address->network].name;
		return ZONE_REVERSE_FOUND;
	}
	for (size_t i = 0; i < index->subnet_count; i++)
		if (is_inside(&index->subnets[i], family, bytes))
			return ZONE_REVERSE_ABSENT;
	return ZONE_REVERSE_FOREIGN;
}

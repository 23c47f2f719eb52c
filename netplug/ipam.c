/* netplug/ipam - the choice of subnets and addresses.
 *
 * Owns: the order in which subnets and addresses are tried. May not touch: files, sockets.
 */
#include "netplug/ipam.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "netplug/naming.h"

#define SUBNET_TRIES_MAX 65536u /* of a pool that could give more (IPv6) */
#define SEED_SUBNET      11
#define SEED_ULA         12

#define V4(a, b, c, d)                                                                             \
	{                                                                                          \
		.family = AF_INET, .bytes = { a, b, c, d }                                         \
	}

const struct address_pool *ipam_default_pools(size_t *out_count)
{
	/* clang-format off */
	static const struct address_pool pools[] = {
		{ { V4(172, 18, 0, 0), 15 }, 24, false },
		{ { V4(172, 20, 0, 0), 14 }, 24, false },
		{ { V4(172, 24, 0, 0), 13 }, 24, false },
		{ { V4(172, 16, 0, 0), 16 }, 24, false },
		{ { V4(192, 168, 0, 0), 16 }, 24, false },
		{ { V4(172, 17, 0, 0), 16 }, 24, true }, /* docker's own bridge is there */
	};
	/* clang-format on */
	*out_count = sizeof(pools) / sizeof(pools[0]);
	return pools;
}

const struct ipam_taken *ipam_find_overlap(const struct prefix *subnet,
					   const struct ipam_taken *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_overlaps(subnet, &taken[i].prefix))
			return &taken[i];
	return NULL;
}

static uint64_t subnets_in(const struct address_pool *pool, int family, bool last_resort)
{
	if (pool->base.addr.family != family || pool->last_resort != last_resort ||
	    pool->size < pool->base.len || pool->size > address_bits(&pool->base.addr))
		return 0;
	if (pool->size - pool->base.len >= 16)
		return SUBNET_TRIES_MAX;
	return 1ull << (pool->size - pool->base.len);
}

/* The index-th subnet of a pool: the index is put right behind the base's bits. */
static struct prefix subnet_at(const struct address_pool *pool, uint64_t index)
{
	struct prefix subnet = prefix_network(&pool->base);
	unsigned shift = address_bits(&subnet.addr) - pool->size;

	subnet.len = (uint8_t)pool->size;
	for (unsigned bit = 0; index; bit++, index >>= 1) {
		unsigned place = address_bits(&subnet.addr) - 1 - (shift + bit);

		if (index & 1)
			subnet.addr.bytes[place / 8] |= (uint8_t)(0x80u >> place % 8);
	}
	return subnet;
}

static bool try_pools(const struct address_pool *pools, size_t count, int family, bool last_resort,
		      uint64_t hash, const struct ipam_taken *taken, size_t taken_count,
		      uint64_t *total, struct prefix *out)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += subnets_in(&pools[i], family, last_resort);
	*total += sum;
	for (uint64_t step = 0; step < sum; step++) {
		uint64_t index = (hash % sum + step) % sum;
		size_t i = 0;

		while (index >= subnets_in(&pools[i], family, last_resort))
			index -= subnets_in(&pools[i++], family, last_resort);
		*out = subnet_at(&pools[i], index);
		if (!ipam_find_overlap(out, taken, taken_count))
			return true;
	}
	return false;
}

int ipam_choose_subnet(const struct address_pool *pools, size_t pool_count, int family,
		       const char *network, const struct ipam_taken *taken, size_t taken_count,
		       struct prefix *out, struct err *err)
{
	uint64_t hash = naming_hash(network, SEED_SUBNET), total = 0;

	if (try_pools(pools, pool_count, family, false, hash, taken, taken_count, &total, out) ||
	    try_pools(pools, pool_count, family, true, hash, taken, taken_count, &total, out))
		return 0;
	return err_set(err, ERR_NO_SPACE,
		       "no free subnet: all %llu of the address pools overlap routes or networks; "
		       "add a range to default-address-pools in config.json or give the network a "
		       "subnet",
		       (unsigned long long)total);
}

int ipam_choose_ula(const char *machine_id, const char *network, const struct ipam_taken *taken,
		    size_t taken_count, struct prefix *out, struct err *err)
{
	uint64_t machine = naming_hash(machine_id, SEED_ULA);
	uint64_t hash = naming_hash(network, SEED_ULA);
	struct prefix subnet = {
		.addr = {.family = AF_INET6, .bytes = { 0xfd }},
                  .len = 64
	};

	for (int i = 1; i < 6; i++, machine >>= 8)
		subnet.addr.bytes[i] = (uint8_t)machine;
	for (uint64_t step = 0; step < SUBNET_TRIES_MAX; step++) {
		subnet.addr.bytes[6] = (uint8_t)((hash + step) >> 8);
		subnet.addr.bytes[7] = (uint8_t)(hash + step);
		if (!ipam_find_overlap(&subnet, taken, taken_count)) {
			*out = subnet;
			return 0;
		}
	}
	return err_set(err, ERR_NO_SPACE, "no free IPv6 subnet: all of the machine's are in use");
}

static int by_address(const void *a, const void *b)
{
	return address_compare(a, b);
}

void ipam_range_sort(struct ipam_range *range)
{
	if (range->used_count)
		qsort(range->used, range->used_count, sizeof(*range->used), by_address);
}

/* Where the address is, or would be. */
static size_t find_place(const struct ipam_range *range, const struct address *a, bool *out_found)
{
	size_t low = 0, high = range->used_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address_compare(&range->used[middle], a) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*out_found = low < range->used_count && address_equal(&range->used[low], a);
	return low;
}

static bool has_ends(const struct prefix *subnet)
{
	return subnet->len + 1u < address_bits(&subnet->addr);
}

struct address ipam_first_usable(const struct prefix *subnet)
{
	struct prefix network = prefix_network(subnet);

	return address_add(&network.addr, has_ends(subnet) ? 1 : 0);
}

static struct address last_usable(const struct prefix *subnet)
{
	struct address last = prefix_last(subnet);

	/* IPv6 has no broadcast address; IPv4's is the last one. */
	if (subnet->addr.family == AF_INET && has_ends(subnet))
		last.bytes[3]--;
	return last;
}

int ipam_check_static(const struct ipam_range *range, const struct address *wish, struct err *err)
{
	char text[ADDRESS_TEXT], subnet[ADDRESS_TEXT];
	struct address first = ipam_first_usable(&range->subnet);
	struct address last = last_usable(&range->subnet);

	address_text(wish, text);
	prefix_text(&range->subnet, subnet);
	if (!prefix_contains(&range->subnet, wish))
		return err_set(err, ERR_INVALID, "address %s is not in the subnet %s", text,
			       subnet);
	if (address_compare(wish, &first) < 0 || address_compare(wish, &last) > 0)
		return err_set(err, ERR_INVALID, "address %s is the %s address of %s", text,
			       address_compare(wish, &first) < 0 ? "network" : "broadcast", subnet);
	if (address_equal(wish, &range->gateway))
		return err_set(err, ERR_INVALID, "address %s is the gateway of %s", text, subnet);
	return 0;
}

uint64_t ipam_range_size(const struct ipam_range *range)
{
	struct address first = ipam_first_usable(&range->subnet);
	struct address last = last_usable(&range->subnet);
	struct prefix network = prefix_network(&range->dynamic);
	struct address end = prefix_last(&range->dynamic);
	uint64_t size;

	if (address_compare(&network.addr, &first) > 0)
		first = network.addr;
	if (address_compare(&end, &last) < 0)
		last = end;
	size = address_distance(&first, &last);
	return size == UINT64_MAX ? size : size + 1;
}

/* First free address in [from, last]; false when there is none. */
static bool next_free(const struct ipam_range *range, struct address from,
		      const struct address *last, struct address *out)
{
	bool found;
	size_t place = find_place(range, &from, &found);

	while (address_compare(&from, last) <= 0) {
		while (place < range->used_count && address_compare(&range->used[place], &from) < 0)
			place++;
		if (place == range->used_count || !address_equal(&range->used[place], &from)) {
			*out = from;
			return true;
		}
		if (address_equal(&from, last))
			return false;
		from = address_add(&from, 1);
	}
	return false;
}

int ipam_take(struct ipam_range *range, struct address *out, struct err *err)
{
	struct address first = ipam_first_usable(&range->subnet), start;
	struct address last = last_usable(&range->subnet);
	struct prefix network = prefix_network(&range->dynamic);
	struct address end = prefix_last(&range->dynamic);
	char text[ADDRESS_TEXT];
	bool found;
	size_t place;

	if (address_compare(&network.addr, &first) > 0)
		first = network.addr;
	if (address_compare(&end, &last) < 0)
		last = end;
	start = first;
	if (prefix_contains(&range->dynamic, &range->last_given) &&
	    address_compare(&range->last_given, &last) < 0)
		start = address_add(&range->last_given, 1);
	if (!next_free(range, start, &last, out) && !next_free(range, first, &last, out))
		return err_set(err, ERR_NO_SPACE,
			       "the range %s is used up: %llu addresses, %zu in use or reserved",
			       prefix_text(&range->dynamic, text),
			       (unsigned long long)ipam_range_size(range), range->used_count);
	place = find_place(range, out, &found);
	range->used = xrealloc(range->used, range->used_count + 1, sizeof(*range->used));
	memmove(&range->used[place + 1], &range->used[place],
		(range->used_count - place) * sizeof(*range->used));
	range->used[place] = *out;
	range->used_count++;
	range->last_given = *out;
	return 0;
}

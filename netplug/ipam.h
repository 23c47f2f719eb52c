/* netplug/ipam - the choice of subnets and addresses. Pure: no files, no sockets; netplug/network
 * keeps the results on disk.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netplug/address.h"

/* One row of default-address-pools: subnets of `size` bits are cut out of `base`. */
struct address_pool {
	struct prefix base;
	unsigned size;
	bool last_resort; /* tried only when the others are used up */
};

/* What must not be overlapped, and what it is in words ("route 10.8.0.0/24 dev tun0"). */
struct ipam_taken {
	struct prefix prefix;
	char what[96];
};

/* The pools used when config.json names none; IPv4. */
const struct address_pool *ipam_default_pools(size_t *out_count);

/* The first free subnet of the family's pools in an order that starts at a hash of the name, so
 * that a network gets the same one again. ERR_NO_SPACE names default-address-pools and how many are
 * in use. */
int ipam_choose_subnet(const struct address_pool *pools, size_t pool_count, int family,
		       const char *network, const struct ipam_taken *taken, size_t taken_count,
		       struct prefix *out, struct err *err);
/* A ULA /64: fd + 40 bits of the machine + 16 bits of the network; steps on when taken. */
int ipam_choose_ula(const char *machine_id, const char *network, const struct ipam_taken *taken,
		    size_t taken_count, struct prefix *out, struct err *err);
/* The first entry that overlaps, or NULL. */
const struct ipam_taken *ipam_find_overlap(const struct prefix *subnet,
					   const struct ipam_taken *taken, size_t count);

/* One subnet as addresses are given out of it. Plain data; used is sorted by the caller or by
 * ipam_range_sort. */
struct ipam_range {
	struct prefix subnet;
	struct prefix dynamic; /* ip_range, or the subnet itself */
	struct address gateway;
	struct address last_given; /* round robin goes on behind it; none: from the start */
	struct address *used;      /* leases, static wishes, gateway, aux: never given */
	size_t used_count;
};

void ipam_range_sort(struct ipam_range *range);
/* First address behind the gateway rule: the subnet's first usable one. /31, /32, /127 and /128
 * have no network or broadcast address to spare. */
struct address ipam_first_usable(const struct prefix *subnet);
/* Is a requested address a member's address at all: inside, not network, broadcast or gateway. */
int ipam_check_static(const struct ipam_range *range, const struct address *wish, struct err *err);
/* Next free dynamic address behind last_given; inserted into used (heap array, xrealloc) and set as
 * last_given. O(log n) a step over the used ones. ERR_NO_SPACE: text says size and number in use.
 */
int ipam_take(struct ipam_range *range, struct address *out, struct err *err);
/* How many addresses can be given at most (UINT64_MAX: 2^64 and more). */
uint64_t ipam_range_size(const struct ipam_range *range);

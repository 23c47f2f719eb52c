/* netplug/zone_tables - how a zone lies in memory: for zone_build.c, which fills it, and
 * zone_index.c, which asks. */
#pragma once
#include <sys/socket.h>

#include "base/arena.h"
#include "netplug/zone_index.h"

struct network {
	const char *name;  /* as written, for PTR */
	const char *lower; /* for ".NETWORK" behind a name */
	size_t lower_len;
};

struct subnet {
	uint8_t family, len;
	uint8_t bytes[16];
};

struct named {
	const char *name;
	uint32_t first, count; /* in zone_index.refs */
};

/* A name that one asker alone knows: a link (target set) or an extra host (address set). */
struct private_name {
	const char *name;
	const char *target;
	struct zone_address address;
};

struct endpoint {
	const char *slot, *container;
	uint32_t *networks;
	size_t network_count;
	struct private_name *privates;
	size_t private_count;
};

struct pair {
	const char *name;
	uint32_t address;
};

struct zone_index {
	struct arena *arena;
	uint64_t serial;
	uint32_t ttl;
	bool healthy_only;
	struct network *networks;
	size_t network_count;
	struct subnet *subnets;
	size_t subnet_count;
	struct endpoint *endpoints;
	size_t endpoint_count;
	struct zone_address *addresses; /* of live endpoints */
	size_t address_count;
	struct pair *pairs; /* while building */
	size_t pair_count;
	struct named *names; /* open addressing, name_mask + 1 places */
	size_t name_mask;
	uint32_t *refs;     /* indexes of addresses, those of one name together */
	uint32_t *reversed; /* open addressing over addresses: index + 1, 0 is free */
	size_t reversed_mask;
};

/* The hash of both tables. */
uint32_t zone_hash(const void *data, size_t len);
/* Where this name is, or the free place that it would have. */
struct named *zone_name_place(const struct zone_index *index, const char *name, size_t len);

static inline size_t zone_address_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* netplug/zone - what names mean: the supervisor's description, and the file that carries it to
 * netd.
 *
 * One zone a project. The supervisor fills a struct zone, zone_write puts it as JSON into
 * RUNTIME_ROOT/projects/NAME/zone (replaced whole) and gives back a read-only descriptor, which
 * goes to stack-netd (netplug/netd.h, netd_zone). netd answers by the newest zone that it accepted,
 * also after the supervisor's death. The reading side is netplug/zone_index.h.
 *
 * Rules that the answers follow (docs/netd.md): a name is known to an asker only on networks that
 * both are on; every name of an endpoint also holds with ".NETWORK" behind it; letters' case is
 * nothing. Names of an endpoint: its service, its container name, its short id (all three on every
 * network), the aliases of each network. Blocks (a small file).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct zone_network {
	const char *name;           /* the machine-wide name: shop_default */
	const char *const *subnets; /* "172.20.5.0/24", "fd00::/64": unknown PTR here is NXDOMAIN */
	size_t subnet_count;
};

/* One attachment of an endpoint. */
struct zone_attachment {
	const char *network;          /* a name of zone.networks */
	const char *const *addresses; /* IPv4 and IPv6, text, without prefix length */
	size_t address_count;
	const char *const *aliases; /* of this network alone */
	size_t alias_count;
};

/* `alias` means `target` (a service or container name) to this asker alone: links, external_links.
 */
struct zone_link {
	const char *alias;
	const char *target;
};

/* extra_hosts: answered to this asker alone, before everything else. */
struct zone_host {
	const char *name;
	const char *address;
};

/* A slot of the project (an asker and a name), or a foreign container on a shared network (a name
 * alone: slot NULL). */
struct zone_endpoint {
	const char *slot;      /* "web.1", the name given to netd_slot_add; NULL: foreign */
	const char *service;   /* NULL: none (foreign, one-off containers) */
	const char *container; /* shop-web-1, or container_name */
	const char *short_id;  /* 12 hex digits; NULL: none */
	bool live;             /* false (stopped, waits for a restart): asks, but has no names */
	bool unhealthy;        /* matters with zone.healthy_only */
	const struct zone_attachment *attachments;
	size_t attachment_count;
	const struct zone_link *links;
	size_t link_count;
	const struct zone_host *hosts;
	size_t host_count;
	const char *gateway4; /* what host.stack.internal is; NULL: unknown */
	const char *gateway6;
};

struct zone {
	const char *project;
	uint64_t serial;      /* grows with every write; netd's hello tells the one in force */
	unsigned ttl_seconds; /* of own names: ZONE_TTL_SECONDS unless configured; 0 is allowed */
	bool healthy_only;    /* replicas that are unhealthy are left out, unless all of them are */
	const struct zone_network *networks;
	size_t network_count;
	const struct zone_endpoint *endpoints;
	size_t endpoint_count;
};

#define ZONE_TTL_SECONDS 5u
#define ZONE_FILE        "zone"
#define ZONE_MAX_BYTES   (16u << 20)

/* The file's text (JSON, "version": 1), to be freed. Pure. */
char *zone_text(const struct zone *zone, size_t *out_len);

/* Writes dir_fd/ZONE_FILE (write, rename; no fsync) and returns a read-only descriptor of it for
 * netd. */
int zone_write(int dir_fd, const struct zone *zone, struct err *err);

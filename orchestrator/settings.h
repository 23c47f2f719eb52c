/* orchestrator/settings - the settings of the machine: /etc/stack/config.json (--config,
 * STACK_CONFIG).
 *
 * One table of keys (docker's names where daemon.json has one, else objects `images`, `build`,
 * `network`) checks the whole file; what the objects of images mean is images/registry's and
 * transfer_store's to read. An absent file is an empty one. Read once at the start of a process;
 * the result is not changed any more. Blocks (one small file).
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "netplug/ipam.h"
#include "specs/model_values.h"

#define SETTINGS_DEFAULT_PATH "/etc/stack/config.json"

struct settings_pool {
	const char *base;
	struct opt_int size;
};

struct settings {
	/* first for the key table: as the file says it */
	struct settings_pool *pools; /* default-address-pools */
	size_t pool_count;
	struct texts dns, dns_search, dns_opts; /* for services that say nothing themselves */
	struct texts
		host_gateways;    /* what host-gateway means: at most one address of each family */
	const char *host_gateway; /* the same, the old key */
	const char *ip;     /* host_ip of ports that name none, on networks without host_binding */
	struct opt_int mtu; /* of bridges whose network says nothing */
	struct pairs bridge_opts; /* default-network-opts.bridge: driver_opts of bridges */
	const char *log_driver;
	struct pairs log_opts; /* for services that say nothing themselves */
	struct texts registry_mirrors, insecure_registries;
	struct opt_int max_downloads, min_free, max_layer;
	struct opt_int cache_max; /* build.cache_max: bytes of cached steps and cache mounts */
	struct opt_bool keep_blobs;
	const char *snapshotter, *durability;
	struct opt_int dns_ttl; /* network.dns_ttl: seconds that own names may be remembered */

	/* made of it */
	const char *path;                   /* of the file, also when it is absent */
	struct address_pool *address_pools; /* pool_count of them */
	struct arena *arena;                /* all of this */
};

/* path NULL or "": STACK_CONFIG, else the default. Errors: INVALID "FILE:LINE:COLUMN: KEY: ..." for
 * unknown keys and wrong values; files that are there and cannot be read. */
struct settings *settings_load(const char *path, struct err *err);
void settings_free(struct settings *settings);
AUTO_TYPE(settings, settings_free);

/* The service's own list, else the machine's. */
static inline const struct texts *settings_or(const struct texts *own, const struct texts *machines)
{
	return own->count ? own : machines;
}

/* What host-gateway means by the settings in a family (AF_INET, AF_INET6), or NULL: the bridge's
 * own address. */
const char *settings_host_gateway(const struct settings *settings, int family);

/* netplug/network - networks/NAME.json: definition, subnets and leases of each network.
 *
 * One flock (networks/.lock) guards the folder, held by each function while it runs; a batch is one
 * write per network. Blocks (disk, and one dump of the host's routes and addresses when a subnet is
 * chosen). New leases are synced: addresses are sticky over a power cut.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/address.h"
#include "netplug/ipam.h"

struct network_pair {
	const char *key, *value;
};

struct network_pairs {
	struct network_pair *items;
	size_t count;
};

/* What all functions that keep books need; plain data, descriptors are borrowed. */
struct netplug {
	int state_fd;                     /* /var/lib/stack */
	int runtime_fd;                   /* /run/stack */
	const struct address_pool *pools; /* default-address-pools; count 0: the built-in ones */
	size_t pool_count;
	const char *machine_id;              /* naming_machine_id */
	unsigned mtu;                        /* of new bridges that name none; 0: of the uplink */
	struct network_pairs bridge_options; /* driver_opts of new bridges that do not name them */
};

/* ipam.config[i] as the file gives it; texts, NULL when absent. */
struct network_subnet_spec {
	const char *subnet, *ip_range, *gateway;
	struct network_pairs aux; /* name: address */
};

/* Definition as wished. All texts borrowed. */
struct network_spec {
	const char *name;    /* full machine-wide name, "shop_default" */
	const char *key;     /* the key in the file, for messages; may be NULL */
	const char *project; /* "" or NULL: made by hand */
	const char *driver;  /* NULL: "bridge"; "macvlan", "ipvlan" */
	bool internal, attachable, no_ipv4, ipv6;
	struct network_subnet_spec *subnets;
	size_t subnet_count;
	struct network_pairs options; /* driver_opts */
	struct network_pairs labels, ipam_options;
};

enum network_gateway_mode {
	GATEWAY_NAT,
	GATEWAY_NAT_UNPROTECTED,
	GATEWAY_ROUTED,
	GATEWAY_ISOLATED
};

/* driver_opts understood (spec §2). */
struct network_options {
	char bridge_name[16]; /* "" : by hash */
	unsigned mtu;         /* 0: of the uplink */
	bool no_icc;          /* members cannot reach each other */
	bool no_masquerade;
	bool inhibit_ipv4; /* the bridge gets no address */
	bool no_default_route;
	unsigned metric;
	struct address host_binding; /* default host_ip of ports */
	struct address snat4, snat6; /* source instead of masquerade */
	enum network_gateway_mode mode4, mode6;
	char interface_prefix[12]; /* "eth" */
	const char *trusted_links; /* ':'-separated, or NULL */
	/* macvlan, ipvlan */
	char parent[16];
	uint32_t macvlan_mode; /* MACVLAN_MODE_* */
	uint16_t ipvlan_mode;  /* IPVLAN_MODE_* */
	uint16_t ipvlan_flags;
};

struct network_subnet {
	struct prefix subnet;
	struct prefix dynamic;
	struct address gateway; /* macvlan: the LAN's */
	struct address last_given;
	bool is_worn; /* all were given once: the next one was another's before */
	struct network_pairs aux;
};

struct network_lease {
	const char *slot; /* "PROJECT/SERVICE/N" */
	struct address v4, v6;
	uint8_t v4_len, v6_len;
	uint8_t mac[6];
	uint64_t since_us;
	bool fixed4, fixed6; /* the file asked for it */
	bool is_inherited;   /* v4 may have been another MAC's: neighbours are told */
};

enum network_driver { NETWORK_BRIDGE, NETWORK_MACVLAN, NETWORK_IPVLAN };

/* A network as the file holds it (struct network is the one of specs/model). All of it lives in the
 * arena given to the reader. */
struct network_record {
	const char *name, *project, *id; /* id: 64 hex digits */
	enum network_driver driver;
	const char *created; /* RFC 3339 */
	char bridge[16];     /* link name: the bridge; macvlan/ipvlan: the parent */
	unsigned mtu;        /* as it holds */
	bool internal, attachable, ipv4, ipv6;
	struct network_subnet *subnets;
	size_t subnet_count;
	struct network_options options;
	struct network_pairs driver_opts, labels, ipam_options;
	struct network_lease *leases; /* sorted by slot */
	size_t lease_count;
	const char *spec_text; /* normal form of the definition, JSON */
};

/* The options as values. *out_warning (arena) is a sentence about unknown ones with the nearest
 * name, or NULL. */
int network_options_read(struct arena *arena, const struct network_pairs *options,
			 struct network_options *out, const char **out_warning, struct err *err);

/* NETWORK_MADE: the record is new. NETWORK_FOUND: it was there with the same definition. */
enum network_outcome { NETWORK_MADE, NETWORK_FOUND, NETWORK_DIFFERS };

/* Finds or makes the record; no link is touched. A new record is renamed into place, so that it
 * outlives every process; network_sync makes it outlive a power cut. With DIFFERS *out is the old
 * one and `why` (240 bytes) names the first difference ("subnet: 10.1.0.0/24 -> 10.2.0.0/24").
 * Errors: ERR_EXISTS a requested subnet overlaps (names the other side), or the network belongs to
 * another project; ERR_NO_SPACE pools used up; ERR_INVALID; ERR_UNSUPPORTED drivers. */
int network_ensure(const struct netplug *np, struct arena *arena, const struct network_spec *spec,
		   struct network_record **out, enum network_outcome *out_outcome, char *why,
		   struct err *err);
/* Waits until the record is on the disk. May run beside what is done with the network. */
int network_sync(const struct netplug *np, const char *name, struct err *err);
/* Pure half of the above for plans: what differs, or false. */
bool network_differs(const struct network_record *network, const struct network_spec *spec,
		     char *why);

int network_load(const struct netplug *np, struct arena *arena, const char *name,
		 struct network_record **out, struct err *err); /* ERR_NOT_FOUND */
/* All of them, sorted by name; project NULL: of the machine. */
int network_list(const struct netplug *np, struct arena *arena, const char *project,
		 struct network_record ***out, size_t *out_count, struct err *err);
/* Removes the record. ERR_BUSY names a lease holder when one is left. Absent is fine. */
int network_remove(const struct netplug *np, const char *name, struct err *err);

/* One wish: addresses for a slot on a network. In: network, slot, wishes. Out: lease. */
struct lease_want {
	const char *network, *slot;
	struct address v4, v6; /* static wishes; AF_UNSPEC: any */
	const uint8_t *mac;    /* NULL: of the slot */
	bool aside_only; /* no lease: the static wishes of a slot that is not started now are kept
			    free; one that cannot be met is told when it starts */
	struct network_lease lease; /* out; slot is the caller's text */
};

/* All leases of an `up`, all or nothing: static wishes are set aside before dynamic ones are handed
 * out, one write per network. A slot that holds a lease keeps it unless it wishes otherwise.
 * Errors: ERR_EXISTS a static address or MAC is taken (names the holder), ERR_NO_SPACE (size,
 * number in use, three biggest users), ERR_NOT_FOUND network. */
int network_lease(const struct netplug *np, struct lease_want *wants, size_t count,
		  struct err *err);

/* Gives back: of one slot, or of all slots of a project (slot NULL), on one network or on all
 * (NULL). */
int network_release(const struct netplug *np, const char *network, const char *project,
		    const char *slot, struct err *err);

/* The same for many slots: one write per network that changes. */
int network_release_slots(const struct netplug *np, const char *const *slots, size_t count,
			  struct err *err);

/* Drops leases whose slot is_alive() denies (spec N-47). Returns how many, -1. */
int network_reclaim(const struct netplug *np, const char *network,
		    bool (*is_alive)(void *ctx, const char *slot), void *ctx, struct err *err);

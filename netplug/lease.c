/* netplug/lease - addresses of slots: given, kept, given back.
 *
 * Owns: the leases in networks/NAME.json. May not touch: definitions (netplug/network), links.
 * Blocks: disk, flock.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/stamp.h"
#include "netplug/naming.h"
#include "netplug/network.h"
#include "netplug/network_file.h"

/* A network while leases are given: what is used, by subnet. */
struct desk {
	const struct netplug *np;
	struct arena *arena;
	struct network_record *network;
	struct ipam_range *ranges; /* one a subnet; used arrays on the heap */
	bool changed;              /* something is to be written */
};

static struct network_lease *find_lease(struct network_record *network, const char *slot)
{
	for (size_t i = 0; i < network->lease_count; i++)
		if (strcmp(network->leases[i].slot, slot) == 0)
			return &network->leases[i];
	return NULL;
}

static void add_used(struct ipam_range *range, const struct address *address)
{
	if (!prefix_contains(&range->subnet, address))
		return;
	*(struct address *)xgrow(&range->used, &range->used_count, sizeof(*address)) = *address;
}

static void open_desk(struct desk *desk)
{
	const struct network_record *network = desk->network;

	desk->ranges =
		arena_alloc(desk->arena, (network->subnet_count + 1) * sizeof(*desk->ranges));
	for (size_t i = 0; i < network->subnet_count; i++) {
		const struct network_subnet *subnet = &network->subnets[i];
		struct ipam_range *range = &desk->ranges[i];

		range->subnet = subnet->subnet;
		range->dynamic = subnet->dynamic;
		range->gateway = subnet->gateway;
		range->last_given = subnet->last_given;
		add_used(range, &subnet->gateway);
		for (size_t k = 0; k < subnet->aux.count; k++) {
			struct address address;
			struct err ignored;

			if (address_parse("aux", subnet->aux.items[k].value, &address, &ignored) ==
			    0)
				add_used(range, &address);
		}
		for (size_t k = 0; k < network->lease_count; k++) {
			add_used(range, &network->leases[k].v4);
			add_used(range, &network->leases[k].v6);
		}
	}
}

static void close_desk(struct desk *desk)
{
	for (size_t i = 0; i < desk->network->subnet_count; i++) {
		desk->network->subnets[i].last_given = desk->ranges[i].last_given;
		free(desk->ranges[i].used);
	}
}

static const struct network_lease *holder_of(const struct network_record *network,
					     const struct address *address)
{
	for (size_t i = 0; i < network->lease_count; i++)
		if (address_equal(&network->leases[i].v4, address) ||
		    address_equal(&network->leases[i].v6, address))
			return &network->leases[i];
	return NULL;
}

/* The lease of a slot, made when it has none; a second want of the slot finds it. */
static struct network_lease *lease_for(struct desk *desk, const struct lease_want *want)
{
	struct network_lease *lease = find_lease(desk->network, want->slot);

	if (lease)
		return lease;
	lease = arena_grow(desk->arena, &desk->network->leases, &desk->network->lease_count,
			   sizeof(*lease));
	*lease = (struct network_lease){ .slot = want->slot, .since_us = stamp_now_us() };
	naming_mac(lease->mac, desk->np->machine_id, desk->network->name, want->slot);
	desk->changed = true;
	return lease;
}

static int check_static(struct desk *desk, const struct address *wish, const char *slot,
			uint8_t *out_len, struct err *err)
{
	const struct network_lease *holder = holder_of(desk->network, wish);
	char text[ADDRESS_TEXT];

	address_text(wish, text);
	if (holder && strcmp(holder->slot, slot) != 0)
		return err_set(err, ERR_EXISTS, "address %s on network %s is taken by %s", text,
			       desk->network->name, holder->slot);
	for (size_t i = 0; i < desk->network->subnet_count; i++) {
		const struct network_subnet *subnet = &desk->network->subnets[i];

		if (!prefix_contains(&subnet->subnet, wish))
			continue;
		*out_len = subnet->subnet.len;
		for (size_t k = 0; k < subnet->aux.count; k++)
			if (strcmp(subnet->aux.items[k].value, text) == 0)
				return err_set(err, ERR_INVALID,
					       "address %s is reserved by aux_addresses (%s)", text,
					       subnet->aux.items[k].key);
		return ipam_check_static(&desk->ranges[i], wish, err);
	}
	return err_set(err, ERR_INVALID, "address %s is in no subnet of network %s", text,
		       desk->network->name);
}

static int set_mac(struct desk *desk, struct network_lease *lease, const uint8_t *mac,
		   struct err *err)
{
	char text[MAC_TEXT];

	if (mac) {
		memcpy(lease->mac, mac, 6);
		lease->is_inherited = true;
	}
	for (size_t i = 0; i < desk->network->lease_count; i++) {
		const struct network_lease *other = &desk->network->leases[i];

		if (other != lease && memcmp(other->mac, lease->mac, 6) == 0)
			return err_set(
				err, ERR_EXISTS, "MAC address %s on network %s is taken by %s",
				mac_text(lease->mac, text), desk->network->name, other->slot);
	}
	return 0;
}

static bool same_lease(const struct network_lease *a, const struct network_lease *b)
{
	return address_equal(&a->v4, &b->v4) && address_equal(&a->v6, &b->v6) &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->fixed4 == b->fixed4 &&
	       a->fixed6 == b->fixed6;
}

/* Wishes: set aside for everybody before anything is handed out. */
static int take_wishes(struct desk *desk, struct lease_want *want, struct err *err)
{
	struct network_lease *lease, before;
	uint8_t len4 = 0, len6 = 0;

	if (!want->aside_only && address_is_set(&want->v4) &&
	    check_static(desk, &want->v4, want->slot, &len4, err) < 0)
		return -1;
	if (!want->aside_only && address_is_set(&want->v6) &&
	    check_static(desk, &want->v6, want->slot, &len6, err) < 0)
		return -1;
	for (size_t i = 0; i < desk->network->subnet_count; i++) {
		add_used(&desk->ranges[i], &want->v4);
		add_used(&desk->ranges[i], &want->v6);
	}
	if (want->aside_only)
		return 0;
	lease = lease_for(desk, want);
	before = *lease;
	lease->fixed4 = address_is_set(&want->v4);
	lease->fixed6 = address_is_set(&want->v6);
	if (lease->fixed4) {
		lease->is_inherited = true;
		lease->v4 = want->v4;
		lease->v4_len = len4;
	}
	if (lease->fixed6) {
		lease->v6 = want->v6;
		lease->v6_len = len6;
	}
	if (set_mac(desk, lease, want->mac, err) < 0)
		return -1;
	desk->changed |= !same_lease(lease, &before);
	return 0;
}

struct user {
	char name[64];
	unsigned count;
};

static int by_count(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

/* Who holds most addresses, for the text of ERR_NO_SPACE: "shop/web 120, shop/db 4". */
static void name_users(const struct network_record *network, char *out, size_t size)
{
	AUTO(free) struct user *users = NULL;
	size_t count = 0, used = 0;

	for (size_t i = 0; i < network->lease_count; i++) {
		const char *slot = network->leases[i].slot, *end = strrchr(slot, '/');
		char name[64];
		size_t k = 0;

		snprintf(name, sizeof(name), "%.*s", end ? (int)(end - slot) : (int)strlen(slot),
			 slot);
		while (k < count && strcmp(users[k].name, name) != 0)
			k++;
		if (k == count)
			snprintf(((struct user *)xgrow(&users, &count, sizeof(*users)))->name,
				 sizeof(name), "%s", name);
		users[k].count++;
	}
	if (count)
		qsort(users, count, sizeof(*users), by_count);
	out[0] = '\0';
	for (size_t i = 0; i < count && i < 3; i++)
		used += (size_t)snprintf(out + used, used < size ? size - used : 0, "%s%.24s %u",
					 i ? ", " : "", users[i].name, users[i].count);
}

/* Addresses are given in turn: one that is not behind the last one begins another lap. */
static void note_lap(struct network_subnet *subnet, const struct address *last,
		     const struct address *given)
{
	subnet->is_worn |= address_is_set(last) && address_compare(given, last) <= 0;
}

static int take_dynamic(struct desk *desk, int family, struct address *out, uint8_t *out_len,
			bool *out_inherited, struct err *err)
{
	char users[100];
	int result = err_set(err, ERR_INTERNAL, "network without a subnet");

	for (size_t i = 0; i < desk->network->subnet_count; i++) {
		struct ipam_range *range = &desk->ranges[i];
		const struct address last = range->last_given;

		if (range->subnet.addr.family != family)
			continue;
		result = ipam_take(range, out, err);
		*out_len = range->subnet.len;
		if (result < 0)
			continue;
		note_lap(&desk->network->subnets[i], &last, out);
		*out_inherited |= desk->network->subnets[i].is_worn;
		return 0;
	}
	if (err->code == ERR_NO_SPACE) {
		name_users(desk->network, users, sizeof(users));
		err_wrap(err, "network %.60s (most used by %s)", desk->network->name, users);
	}
	return result;
}

/* IPv6 with the host part of the IPv4 address, when that is free. */
static bool derive_v6(struct desk *desk, struct network_lease *lease)
{
	uint64_t part = UINT64_MAX;

	for (size_t i = 0; i < desk->network->subnet_count; i++)
		if (prefix_contains(&desk->ranges[i].subnet, &lease->v4)) {
			struct prefix network = prefix_network(&desk->ranges[i].subnet);

			part = address_distance(&network.addr, &lease->v4);
		}
	for (size_t i = 0; part != UINT64_MAX && i < desk->network->subnet_count; i++) {
		struct ipam_range *range = &desk->ranges[i];
		struct prefix network = prefix_network(&range->subnet);
		struct address address = address_add(&network.addr, part);
		struct err ignored;

		if (range->subnet.addr.family != AF_INET6 ||
		    !prefix_contains(&range->dynamic, &address) ||
		    ipam_check_static(range, &address, &ignored) < 0)
			continue;
		for (size_t k = 0; k < range->used_count; k++)
			if (address_equal(&range->used[k], &address))
				return false;
		lease->v6 = address;
		lease->v6_len = range->subnet.len;
		add_used(range, &address);
		ipam_range_sort(range);
		return true;
	}
	return false;
}

static int hand_out(struct desk *desk, struct lease_want *want, struct err *err)
{
	struct network_lease *lease = find_lease(desk->network, want->slot);
	struct network_lease before = *lease;
	bool any = false;

	if (desk->network->ipv4 && !address_is_set(&lease->v4) &&
	    take_dynamic(desk, AF_INET, &lease->v4, &lease->v4_len, &lease->is_inherited, err) < 0)
		return -1;
	if (desk->network->ipv6 && !address_is_set(&lease->v6) && !derive_v6(desk, lease) &&
	    take_dynamic(desk, AF_INET6, &lease->v6, &lease->v6_len, &any, err) < 0)
		return -1;
	desk->changed |= !same_lease(lease, &before);
	want->lease = *lease;
	want->lease.slot = want->slot;
	return 0;
}

/* All wants of one network; the record in memory is changed, not written. */
static int serve(struct desk *desk, struct lease_want *wants, size_t count, struct err *err)
{
	int result = 0;

	open_desk(desk);
	for (size_t i = 0; i < count && result == 0; i++)
		if (strcmp(wants[i].network, desk->network->name) == 0)
			result = take_wishes(desk, &wants[i], err);
	for (size_t i = 0; i < desk->network->subnet_count; i++)
		ipam_range_sort(&desk->ranges[i]);
	for (size_t i = 0; i < count && result == 0; i++)
		if (strcmp(wants[i].network, desk->network->name) == 0 && !wants[i].aside_only)
			result = hand_out(desk, &wants[i], err);
	close_desk(desk);
	return result;
}

static bool seen_before(const struct lease_want *wants, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(wants[k].network, wants[i].network) == 0)
			return true;
	return false;
}

static int by_slot(const void *a, const void *b)
{
	return strcmp(((const struct network_lease *)a)->slot,
		      ((const struct network_lease *)b)->slot);
}

int network_lease(const struct netplug *np, struct lease_want *wants, size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct network_record **changed = arena_alloc(arena, (count + 1) * sizeof(void *));
	size_t changed_count = 0;
	AUTO(fd) int lock = -1;
	AUTO(fd) int dir = -1;

	if (network_file_lock(np, &dir, &lock, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct desk desk = { .np = np, .arena = arena };

		if (seen_before(wants, i))
			continue;
		if (network_file_read(dir, arena, wants[i].network, &desk.network, err) < 0 ||
		    serve(&desk, wants, count, err) < 0)
			return -1;
		if (desk.changed)
			changed[changed_count++] = desk.network;
	}
	for (size_t i = 0; i < changed_count; i++) {
		if (changed[i]->lease_count)
			qsort(changed[i]->leases, changed[i]->lease_count,
			      sizeof(*changed[i]->leases), by_slot);
		if (network_file_write(dir, changed[i], !changed[i]->project[0], err) < 0)
			return -1;
	}
	crash_point("netplug", "leases-written");
	return 0;
}

/* ---- giving back */

struct release {
	const char *project, *slot;
	const char *const *slots; /* with slot_count: any of them */
	size_t slot_count;
	bool (*is_alive)(void *ctx, const char *slot);
	void *ctx;
};

static bool is_due(const struct release *release, const char *slot)
{
	size_t len = release->project ? strlen(release->project) : 0;

	if (release->is_alive)
		return !release->is_alive(release->ctx, slot);
	if (release->slot)
		return strcmp(release->slot, slot) == 0;
	for (size_t i = 0; i < release->slot_count; i++)
		if (strcmp(release->slots[i], slot) == 0)
			return true;
	if (!release->project)
		return false;
	return strncmp(slot, release->project, len) == 0 && slot[len] == '/';
}

static int release_from(int dir, struct arena *arena, const char *name,
			const struct release *release, struct err *err)
{
	struct network_record *network;
	struct err local = ERR_NONE;
	size_t kept = 0, before;

	if (network_file_read(dir, arena, name, &network, &local) < 0) {
		if (local.code == ERR_NOT_FOUND)
			return 0;
		*err = local;
		return -1;
	}
	before = network->lease_count;
	for (size_t i = 0; i < before; i++)
		if (!is_due(release, network->leases[i].slot))
			network->leases[kept++] = network->leases[i];
	network->lease_count = kept;
	if (kept != before && network_file_write(dir, network, false, err) < 0)
		return -1;
	return (int)(before - kept);
}

static int release_all(const struct netplug *np, const char *name, const struct release *release,
		       struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = -1;
	AUTO(fd) int dir = -1;
	struct network_record **networks = NULL;
	size_t count = 0;
	int sum = 0;

	if (network_file_lock(np, &dir, &lock, err) < 0)
		return -1;
	if (name)
		return release_from(dir, arena, name, release, err);
	if (network_list(np, arena, NULL, &networks, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int released = release_from(dir, arena, networks[i]->name, release, err);

		if (released < 0)
			return -1;
		sum += released;
	}
	return sum;
}

int network_release(const struct netplug *np, const char *network, const char *project,
		    const char *slot, struct err *err)
{
	struct release release = { .project = project, .slot = slot };

	if (release_all(np, network, &release, err) < 0)
		return -1;
	crash_point("netplug", "leases-released");
	return 0;
}

int network_release_slots(const struct netplug *np, const char *const *slots, size_t count,
			  struct err *err)
{
	struct release release = { .slots = slots, .slot_count = count };

	return release_all(np, NULL, &release, err) < 0 ? -1 : 0;
}

int network_reclaim(const struct netplug *np, const char *network,
		    bool (*is_alive)(void *ctx, const char *slot), void *ctx, struct err *err)
{
	struct release release = { .is_alive = is_alive, .ctx = ctx };

	return release_all(np, network, &release, err);
}

/* netplug/leftovers - what the kernel and the books hold that no record knows.
 *
 * Owns: the comparison of owners' names with the caller's records, the removal of what nobody
 * knows. May not touch: what has no name of ours. Blocks: dumps, disk.
 */
#include "netplug/leftovers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "netplug/link.h"
#include "netplug/nat.h"
#include "netplug/ports.h"
#include "netplug/uplink.h"

#define TRASH_OWNER                                                                                \
	"stack//trash" /* its group takes links that no project's group is known for               \
			*/

struct search {
	const struct netplug *np;
	struct rtnl *host;
	struct nft *nft;
	const char *project;
	const struct leftover_judge *judge;
	struct arena *arena;
	struct leftover *rows;
	size_t count;
	struct network_record **networks;
	size_t network_count;
};

static void add(struct search *s, enum leftover_kind kind, const char *name, const char *owner,
		const char *text)
{
	struct leftover *row = arena_grow(s->arena, &s->rows, &s->count, sizeof(*row));

	*row = (struct leftover){ kind, arena_strdup(s->arena, name), arena_strdup(s->arena, owner),
				  text };
}

static bool is_of_project(const struct search *s, const char *owner)
{
	size_t len = s->project ? strlen(s->project) : 0;

	return !s->project || (strncmp(owner, s->project, len) == 0 && owner[len] == '/');
}

static bool has_network(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->network_count; i++)
		if (strcmp(s->networks[i]->name, name) == 0)
			return true;
	return false;
}

/* "PROJECT/SERVICE/N/NETWORK" -> slot and network; "PROJECT//0/NETWORK" is a bridge. */
static void check_link(struct search *s, const struct link_info *link)
{
	const char *owner, *slash;
	char *slot;

	if (!text_starts(link->alias, "stack:"))
		return;
	owner = link->alias + strlen("stack:");
	slash = strrchr(owner, '/');
	if (!slash || !is_of_project(s, owner))
		return;
	slot = arena_strndup(s->arena, owner, (size_t)(slash - owner));
	if (text_ends(slot, "//0")) {
		if (!has_network(s, slash + 1))
			add(s, LEFTOVER_BRIDGE, link->name, slash + 1,
			    arena_format(s->arena,
					 "bridge %s belongs to network %s, which is not known",
					 link->name, slash + 1));
		return;
	}
	if (!s->judge->has_slot(s->judge->ctx, slot))
		add(s, LEFTOVER_LINK, link->name, slot,
		    arena_format(s->arena, "link %s belongs to %s, which is not known", link->name,
				 slot));
}

static int check_links(struct search *s, struct err *err)
{
	struct link_table links = { 0 };

	if (link_dump(s->host, s->arena, &links, err) < 0)
		return -1;
	for (size_t i = 0; i < links.count; i++)
		check_link(s, &links.items[i]);
	return 0;
}

static int check_networks(struct search *s, struct err *err)
{
	struct ipam_taken *taken = NULL;
	size_t taken_count = 0;
	char text[ADDRESS_TEXT];

	if (uplink_taken(s->host, NULL, &taken, &taken_count, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < s->network_count; i++) {
		const struct network_record *network = s->networks[i];

		for (size_t k = 0; k < network->lease_count; k++) {
			const struct network_lease *lease = &network->leases[k];

			if (is_of_project(s, lease->slot) &&
			    !s->judge->has_slot(s->judge->ctx, lease->slot))
				add(s, LEFTOVER_LEASE, network->name, lease->slot,
				    arena_format(
					    s->arena,
					    "an address on network %s is kept for %s, which is "
					    "not known",
					    network->name, lease->slot));
		}
		for (size_t k = 0; k < network->subnet_count; k++) {
			const struct prefix *subnet = &network->subnets[k].subnet;
			const struct ipam_taken *other =
				network->driver == NETWORK_BRIDGE
					? ipam_find_overlap(subnet, taken, taken_count)
					: NULL;

			prefix_text(subnet, text);
			if (other && (!s->project || strcmp(s->project, network->project) == 0))
				add(s, LEFTOVER_OVERLAP, text, network->name,
				    arena_format(s->arena, "subnet %s of network %s overlaps %s",
						 text, network->name, other->what));
		}
	}
	free(taken);
	return 0;
}

static int check_ports(struct search *s, struct err *err)
{
	struct port_entry *rows;
	size_t count;

	if (ports_list(s->np, s->arena, s->project, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!s->judge->has_slot(s->judge->ctx, rows[i].slot)) {
			const char *name = arena_format(s->arena, "%u/%s", rows[i].port,
							ports_protocol_name(rows[i].protocol));

			add(s, LEFTOVER_PORT, name, rows[i].slot,
			    arena_format(s->arena, "port %s is kept for %s, which is not known",
					 name, rows[i].slot));
		}
	return 0;
}

/* "PROJECT/SERVICE/N", or "PROJECT//NETWORK". */
static bool owner_is_known(const struct search *s, const char *owner)
{
	const char *network = strstr(owner, "//");

	return network ? has_network(s, network + 2) : s->judge->has_slot(s->judge->ctx, owner);
}

static int check_elements(struct search *s, struct err *err)
{
	struct nat_element *rows;
	size_t count;

	if (nat_list(s->nft, s->arena, s->project, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!owner_is_known(s, rows[i].owner))
			add(s, LEFTOVER_ELEMENT, rows[i].key, rows[i].owner,
			    arena_format(s->arena,
					 "the packet filter's set %s holds %s for %s, which is not "
					 "known",
					 rows[i].set, rows[i].key, rows[i].owner));
	return 0;
}

static int check_group(void *ctx, const char *owner, unsigned group)
{
	struct search *s = ctx;

	if ((s->project && strcmp(owner, s->project) != 0) || strchr(owner, '/') ||
	    s->judge->has_project(s->judge->ctx, owner))
		return 0;
	add(s, LEFTOVER_GROUP, owner, owner,
	    arena_format(s->arena, "link group %u is kept for project %s, which is not known",
			 group, owner));
	return 0;
}

int leftovers_find(const struct netplug *np, struct rtnl *host, struct nft *nft,
		   const char *project, const struct leftover_judge *judge, struct arena *arena,
		   struct leftover **out, size_t *out_count, struct err *err)
{
	struct search s = { .np = np,
			    .host = host,
			    .nft = nft,
			    .project = project,
			    .judge = judge,
			    .arena = arena };

	if (network_list(np, arena, NULL, &s.networks, &s.network_count, err) < 0 ||
	    check_links(&s, err) < 0 || check_networks(&s, err) < 0 || check_ports(&s, err) < 0 ||
	    check_elements(&s, err) < 0 || link_group_each(np, check_group, &s, err) < 0)
		return -1;
	*out = s.rows;
	*out_count = s.count;
	return 0;
}

/* Names or owners of the rows of some kinds; to be freed. */
static const char **pick(const struct leftover *rows, size_t count, unsigned kinds, bool names,
			 size_t *out_count)
{
	const char **list = xcalloc(count + 1, sizeof(*list));

	*out_count = 0;
	for (size_t i = 0; i < count; i++)
		if (kinds & 1u << rows[i].kind)
			list[(*out_count)++] = names ? rows[i].name : rows[i].owner;
	return list;
}

static int clear_links(const struct netplug *np, struct rtnl *host, const struct leftover *rows,
		       size_t count, struct err *err)
{
	size_t picked;
	AUTO(free)
	const char **names =
		pick(rows, count, 1u << LEFTOVER_LINK | 1u << LEFTOVER_BRIDGE, true, &picked);
	unsigned group;

	if (!picked)
		return 0;
	if (link_group_take(np, TRASH_OWNER, &group, err) < 0 ||
	    link_delete_names(host, link_group_trash(group), names, picked, err) < 0)
		return -1;
	return link_group_drop(np, TRASH_OWNER, err);
}

int leftovers_clear(const struct netplug *np, struct rtnl *host, struct nft *nft,
		    const struct leftover *rows, size_t count, struct err *err)
{
	size_t lease_count, port_count, element_count;
	AUTO(free)
	const char **leases = pick(rows, count, 1u << LEFTOVER_LEASE, false, &lease_count);
	AUTO(free) const char **ports = pick(rows, count, 1u << LEFTOVER_PORT, false, &port_count);
	AUTO(free)
	const char **elements = pick(rows, count, 1u << LEFTOVER_ELEMENT, false, &element_count);

	if (nat_remove_owners(nft, elements, element_count, err) < 0 ||
	    clear_links(np, host, rows, count, err) < 0 ||
	    (port_count && ports_release_slots(np, ports, port_count, err) < 0) ||
	    (lease_count && network_release_slots(np, leases, lease_count, err) < 0))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (rows[i].kind == LEFTOVER_GROUP && link_group_drop(np, rows[i].owner, err) < 0)
			return -1;
	return 0;
}

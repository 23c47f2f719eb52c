/* orchestrator/publish_zone - what the project's zone says of its slots.
 *
 * Owns: which names a slot has. May not touch: files, netd: it only reads the slots.
 */
#include <string.h>

#include "orchestrator/connections.h"
#include "orchestrator/publish.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"

#define TTL_MAX 86400u

static const char **copy_texts(struct arena *arena, const char *const *texts, size_t count)
{
	const char **copy = arena_alloc(arena, (count + 1) * sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = arena_strdup(arena, texts[i]);
	return copy;
}

static void fill_attachments(struct arena *arena, const struct slot_net *net,
			     struct zone_endpoint *out)
{
	struct zone_attachment *list = arena_alloc(arena, (net->link_count + 1) * sizeof(*list));

	for (size_t i = 0; i < net->link_count; i++) {
		const struct slot_link *link = &net->links[i];
		struct zone_attachment *one = &list[out->attachment_count];
		const char *addresses[2];
		size_t count = 0;

		if (strcmp(link->network, CONNECTIONS_BRIDGE) == 0)
			continue; /* network_mode: bridge has no names */

		if (link->ip4[0])
			addresses[count++] = link->ip4;
		if (link->ip6[0])
			addresses[count++] = link->ip6;
		one->network = arena_strdup(arena, link->network);
		one->addresses = copy_texts(arena, addresses, count);
		one->address_count = count;
		one->aliases = copy_texts(arena, link->aliases, link->alias_count);
		one->alias_count = link->alias_count;
		out->attachment_count++;
	}
	out->attachments = list;
	out->gateway4 = net->host4[0] ? arena_strdup(arena, net->host4) : NULL;
	out->gateway6 = net->host6[0] ? arena_strdup(arena, net->host6) : NULL;
}

/* "db:alias", "db": alias names visible to this asker alone. */
static void fill_links(struct arena *arena, const struct texts *links, struct zone_endpoint *out)
{
	struct zone_link *list = arena_alloc(arena, (links->count + 1) * sizeof(*list));

	for (size_t i = 0; i < links->count; i++) {
		const char *colon = strchr(links->items[i], ':');

		list[i].target = colon ? arena_strndup(arena, links->items[i],
						       (size_t)(colon - links->items[i]))
				       : arena_strdup(arena, links->items[i]);
		list[i].alias = arena_strdup(arena, colon ? colon + 1 : links->items[i]);
	}
	out->links = list;
	out->link_count = links->count;
}

static void fill_hosts(struct arena *arena, const struct texts *hosts, struct zone_endpoint *out)
{
	struct zone_host *list = arena_alloc(arena, (2 * hosts->count + 1) * sizeof(*list));

	out->hosts = list;
	for (size_t i = 0; i < hosts->count; i++) {
		const char *sign = strchr(hosts->items[i], '=');
		const char *addresses[2] = { sign ? sign + 1 : NULL, NULL };
		const char *name;

		if (!sign)
			continue;
		name = arena_strndup(arena, hosts->items[i], (size_t)(sign - hosts->items[i]));
		if (strcmp(addresses[0], "host-gateway") == 0) {
			addresses[0] = out->gateway4;
			addresses[1] = out->gateway6;
		}
		for (size_t k = 0; k < 2; k++)
			if (addresses[k])
				list[out->host_count++] =
					(struct zone_host){ name,
							    arena_strdup(arena, addresses[k]) };
	}
}

static void fill_endpoint(struct arena *arena, const struct slot *slot, struct zone_endpoint *out)
{
	const struct service *service = slot_service(slot);

	out->slot = arena_strdup(arena, slot->name);
	out->service =
		slot->oneoff && !slot->use_aliases ? NULL : arena_strdup(arena, slot->service);
	out->container = arena_strdup(arena, slot->record->name);
	out->short_id = arena_strndup(arena, slot->record->id, 12);
	out->live = slot_is_live(slot);
	/* A newcomer that has not taken over is asked for only when there is nobody else. */
	out->unhealthy = slot->record->health == HEALTH_BAD || slot->unsettled;
	fill_attachments(arena, slot->net, out);
	if (service) {
		fill_links(arena, &service->links, out);
		fill_hosts(arena, &service->extra_hosts, out);
	}
}

void publish_compose(const struct supervisor *sv, struct arena *arena, struct zone *out)
{
	struct zone_endpoint *endpoints;
	const struct opt_int *set = &sv->settings->dns_ttl;
	unsigned ttl = !set->is_set           ? ZONE_TTL_SECONDS
		       : set->value > TTL_MAX ? TTL_MAX
					      : (unsigned)set->value;
	const struct slot *slot;
	size_t count = 0;

	LIST_FOREACH(slot, &sv->slots, link)
	count++;
	endpoints = arena_alloc(arena, (count + 1) * sizeof(*endpoints));
	*out = (struct zone){ .project = arena_strdup(arena, sv->dirs->name),
			      .ttl_seconds = ttl,
			      .endpoints = endpoints };
	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->record && slot->net && slot->net->link_count)
		fill_endpoint(arena, slot, &endpoints[out->endpoint_count++]);
}

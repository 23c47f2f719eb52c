/* orchestrator/publish - the zone of the project, composed from the slots and handed to netd.
 *
 * Owns: which names a slot has, the one zone that is on its way. May not touch: netd's words
 * (names).
 */
#include "orchestrator/publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "netplug/naming.h"
#include "orchestrator/connections.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"

#define TTL_MAX 86400u

struct waiter {
	struct flow *flow;
};

struct publisher {
	struct supervisor *sv;
	uv_work_t work;
	bool running, again;
	struct arena *arena; /* of the zone on its way */
	struct zone zone;
	size_t own_count; /* of zone.endpoints, the first ones */
	uint64_t told;    /* our own part of the zone, as others were told of it */
	struct err err;
	struct waiter *now, *next; /* answered by the present zone, by the next one */
	size_t now_count, next_count;
};

static void start(struct publisher *p);

struct publisher *publisher_new(struct supervisor *sv)
{
	struct publisher *p = xcalloc(1, sizeof(*p));

	p->sv = sv;
	p->work.data = p;
	return p;
}

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

static void compose(struct publisher *p)
{
	struct supervisor *sv = p->sv;
	struct zone_endpoint *endpoints;
	const struct opt_int *set = &sv->settings->dns_ttl;
	unsigned ttl = !set->is_set           ? ZONE_TTL_SECONDS
		       : set->value > TTL_MAX ? TTL_MAX
					      : (unsigned)set->value;
	struct slot *slot;
	size_t count = 0;

	arena_free(p->arena);
	p->arena = arena_new();
	LIST_FOREACH(slot, &sv->slots, link)
	count++;
	endpoints = arena_alloc(p->arena, (count + 1) * sizeof(*endpoints));
	p->zone = (struct zone){ .project = arena_strdup(p->arena, sv->dirs->name),
				 .ttl_seconds = ttl,
				 .endpoints = endpoints };
	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->record && slot->net && slot->net->link_count)
		fill_endpoint(p->arena, slot, &endpoints[p->zone.endpoint_count++]);
}

/* Others on our networks read our zone; only a change of it is worth their look. */
static void tell_others(struct publisher *p)
{
	struct zone own = p->zone;
	AUTO(free) char *text = NULL;
	uint64_t digest;
	size_t len;

	own.networks = NULL;
	own.network_count = own.serial = 0;
	own.endpoint_count = p->own_count;
	text = zone_text(&own, &len);
	digest = naming_hash(text, 0);
	if (digest != p->told)
		net_tell_others(p->sv->net);
	p->told = digest;
}

static int add_foreign(struct publisher *p)
{
	struct zone_endpoint *foreign, *all;
	size_t count, own = p->zone.endpoint_count;

	p->own_count = own;

	if (net_zone_foreign(p->sv->net, p->arena, &foreign, &count, &p->err) < 0)
		return -1;
	if (!count)
		return 0;
	all = arena_alloc(p->arena, (own + count) * sizeof(*all));
	if (own)
		memcpy(all, p->zone.endpoints, own * sizeof(*all));
	memcpy(all + own, foreign, count * sizeof(*all));
	p->zone.endpoints = all;
	p->zone.endpoint_count = own + count;
	return 0;
}

static void publish_in_pool(uv_work_t *work)
{
	struct publisher *p = work->data;
	struct zone_network *networks;

	p->err = ERR_NONE;
	if (net_zone_networks(p->sv->net, p->arena, &networks, &p->zone.network_count, &p->err) <
		    0 ||
	    add_foreign(p) < 0)
		return;
	p->zone.networks = networks;
	if (names_publish(p->sv->names, &p->zone, &p->err) == 0)
		tell_others(p);
}

static void published(uv_work_t *work, int status)
{
	struct publisher *p = work->data;
	struct waiter *waiters = p->now;
	size_t count = p->now_count;
	struct err err = p->err;

	(void)status;
	p->running = false;
	p->now = NULL;
	p->now_count = 0;
	if (err.code)
		log_warn("names-not-published", KV_S("error", err.msg));
	if (p->again)
		start(p);
	for (size_t i = 0; i < count; i++)
		flow_resume(waiters[i].flow, err.code ? &err : NULL);
	free(waiters);
}

static void start(struct publisher *p)
{
	p->running = true;
	p->again = false;
	p->now = p->next;
	p->now_count = p->next_count;
	p->next = NULL;
	p->next_count = 0;
	compose(p);
	uv_queue_work(p->sv->loop, &p->work, publish_in_pool, published);
}

void publish_names(struct supervisor *sv, struct flow *waiter)
{
	struct publisher *p = sv->publisher;

	if (waiter)
		((struct waiter *)xgrow(&p->next, &p->next_count, sizeof(struct waiter)))->flow =
			waiter;
	if (p->running)
		p->again = true;
	else
		start(p);
}

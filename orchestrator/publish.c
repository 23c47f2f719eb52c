/* orchestrator/publish - the zone of the project, composed from the slots and handed to netd.
 *
 * Owns: the one zone that is on its way. May not touch: what is in it (publish_zone), netd's words
 * (names).
 */
#include "orchestrator/publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "netplug/naming.h"
#include "orchestrator/slot.h"

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
	arena_free(p->arena);
	p->arena = arena_new();
	publish_compose(p->sv, p->arena, &p->zone);
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

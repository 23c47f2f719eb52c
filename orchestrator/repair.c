/* orchestrator/repair - notices of harm, one repair for many of them.
 *
 * Owns: the watches and the pause before a repair. May not touch: what the rules should be
 * (network_repair).
 */
#include "orchestrator/repair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "netplug/link.h"
#include "netplug/nat.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/publish.h"
#include "orchestrator/reattach.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"

#define PAUSE_MS  100 /* a program that rewrites rules does it in many steps */
#define RETRY_MS  1000
#define TRIES_MAX 5

struct netd_watch {
	uv_poll_t poll;
	struct repairer *owner;
	int fd;
	unsigned generation;
};

struct repairer {
	struct supervisor *sv;
	uv_poll_t rules, links;
	uv_fs_event_t
		books; /* networks/: leases of other projects on our networks are names for us */
	bool watches_books;
	int rules_fd, links_fd;
	uv_timer_t timer;
	uv_work_t work;
	bool running, again;
	unsigned generation; /* of the netd that is watched */
	unsigned tries;
	bool looks_at_netd; /* once, at the start */
	/* the repair on its way */
	struct arena *arena;
	struct reattach *slots;
	size_t count, rules_restored, links_restored;
	bool names_restored, netd_renewed;
	struct err err;
};

static void arm(struct repairer *r, uint64_t pause_ms);

/* ---- in the pool ---- */

static void keep_first(struct repairer *r, const struct err *err)
{
	if (err->code && r->err.code == ERR_OK)
		r->err = *err;
}

static void repair_kernel(struct repairer *r)
{
	AUTO(free) struct slot_net **live = xcalloc(r->count + 1, sizeof(struct slot_net *));
	AUTO(free) bool *lost = xcalloc(r->count + 1, sizeof(bool));

	for (size_t i = 0; i < r->count; i++)
		live[i] = r->slots[i].net;
	if (net_repair(r->sv->net, live, r->count, lost, &r->rules_restored, &r->err) < 0)
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct err err = ERR_NONE;

		if (!lost[i])
			continue;
		if (reattach_links(r->sv, &r->slots[i], &err) == 0)
			r->links_restored++;
		keep_first(r, &err);
	}
}

static void repair_ports(struct repairer *r)
{
	struct texts held = { NULL, 0 };
	struct net_hold *holds = NULL;
	struct err err = ERR_NONE;
	size_t count;
	bool fresh;

	names_ports_lock(r->sv->names);
	if (names_ports_held(r->sv->names, r->arena, &held, &fresh, &err) == 0 &&
	    net_hold_again(r->sv->net, &held, r->arena, &holds, &count, &err) == 0)
		names_ports_give(r->sv->names, holds, count, &err);
	names_ports_unlock(r->sv->names);
	free(holds);
	keep_first(r, &err);
}

static void repair_names(struct repairer *r)
{
	repair_ports(r);
	for (size_t i = 0; i < r->count; i++) {
		struct err err = ERR_NONE;

		if (names_has_slot(r->sv->names, r->slots[i].name))
			continue;
		if (reattach_names(r->sv, &r->slots[i], &err) == 0)
			r->names_restored = true;
		keep_first(r, &err);
	}
}

/* After a reload the program of netd may have been replaced, too. */
static void renew_netd(struct repairer *r)
{
	struct err err = ERR_NONE;

	if (names_renew(r->sv->names, &r->netd_renewed, &err) < 0)
		log_warn("netd-not-renewed", KV_S("error", err.msg));
}

static void repair_in_pool(uv_work_t *work)
{
	struct repairer *r = work->data;

	if (r->looks_at_netd)
		renew_netd(r);
	r->looks_at_netd = false;
	repair_kernel(r);
	if (r->count)
		repair_names(r);
}

/* ---- on the loop ---- */

static void take_slots(struct repairer *r)
{
	struct slot *slot;

	LIST_FOREACH(slot, &r->sv->slots, link)
	{
		const struct service *service = slot_service(slot);
		struct reattach *one;
		const struct texts *dns;
		const char **servers;

		if (slot->state != SLOT_RUNNING || !slot->net || !slot->net->netns ||
		    !slot->net->link_count || slot->net->stale || !service)
			continue;
		one = arena_grow(r->arena, &r->slots, &r->count, sizeof(*one));
		one->name = arena_strdup(r->arena, slot->name);
		one->container = arena_strdup(r->arena, slot->record->id);
		one->net = slot_net_ref(slot->net);
		dns = settings_or(&service->dns, &r->sv->settings->dns);
		one->server_count = dns->count;
		servers = arena_alloc(r->arena, (dns->count + 1) * sizeof(char *));
		for (size_t i = 0; i < dns->count; i++)
			servers[i] = arena_strdup(r->arena, dns->items[i]);
		one->servers = servers;
	}
}

static void tell(const struct repairer *r, bool happened, const char *reason)
{
	struct event event = { .event = "repair", .reason = reason };

	if (!happened)
		return;
	events_write(r->sv->events, &event);
	log_warn("repaired", KV_S("reason", reason));
}

static void repaired(uv_work_t *work, int status)
{
	struct repairer *r = work->data;

	(void)status;
	r->running = false;
	tell(r, r->rules_restored, "firewall rules were removed by another program, restored");
	tell(r, r->links_restored, "network links were removed by another program, restored");
	tell(r, r->netd_renewed, "the program of the name server was replaced, renewed");
	tell(r, r->names_restored, "the name server had ended, restarted");
	for (size_t i = 0; i < r->count; i++)
		slot_net_free(r->slots[i].net);
	arena_free(r->arena);
	r->slots = NULL;
	r->count = 0;
	if (r->err.code)
		log_warn("repair", KV_S("error", r->err.msg));
	repair_watch_netd(r->sv);
	if (r->names_restored)
		publish_names(r->sv, NULL);
	r->tries = r->err.code ? r->tries + 1 : 0;
	if (r->again || (r->err.code && r->tries < TRIES_MAX))
		arm(r, r->again ? PAUSE_MS : RETRY_MS);
}

static void begin(uv_timer_t *timer)
{
	struct repairer *r = timer->data;

	if (r->running || r->sv->ending) {
		r->again = true;
		return;
	}
	r->running = true;
	r->again = r->names_restored = r->netd_renewed = false;
	r->rules_restored = r->links_restored = 0;
	r->err = ERR_NONE;
	r->arena = arena_new();
	take_slots(r);
	uv_queue_work(r->sv->loop, &r->work, repair_in_pool, repaired);
}

/* A pause that runs already is not made longer: a program that never rests would put the repair off
 * for ever. */
static void arm(struct repairer *r, uint64_t pause_ms)
{
	if (!uv_is_active((uv_handle_t *)&r->timer))
		uv_timer_start(&r->timer, begin, pause_ms, 0);
}

static void rules_changed(uv_poll_t *poll, int status, int events)
{
	struct repairer *r = poll->data;
	struct err err = ERR_NONE;
	bool lost = false;

	(void)status;
	(void)events;
	if (nat_watch_read(r->rules_fd, &lost, &err) < 0 || lost)
		arm(r, PAUSE_MS);
}

static void links_changed(uv_poll_t *poll, int status, int events)
{
	struct repairer *r = poll->data;
	struct err err = ERR_NONE;
	bool lost = false;

	(void)status;
	(void)events;
	if (link_watch_read(r->links_fd, &lost, &err) < 0 || lost)
		arm(r, PAUSE_MS);
}

static int watch(struct repairer *r, uv_poll_t *poll, int fd, uv_poll_cb changed)
{
	poll->data = r;
	if (fd < 0 || uv_poll_init(r->sv->loop, poll, fd) < 0)
		return -1;
	return uv_poll_start(poll, UV_READABLE, changed);
}

/* Only networks that others can know by name: external ones, and those with a name of their own. */
static bool is_shared(const struct supervisor *sv, const char *file)
{
	const struct project *project = sv->model ? sv->model->project : NULL;
	size_t prefix = strlen(sv->dirs->name);

	for (size_t i = 0; project && i < project->network_count; i++) {
		const char *name = project->networks[i].name;
		size_t len = strlen(name);
		bool own = strncmp(name, sv->dirs->name, prefix) == 0 && name[prefix] == '_' &&
			   strcmp(name + prefix + 1, project->networks[i].key) == 0;

		if (!own && strncmp(file, name, len) == 0 && strcmp(file + len, ".json") == 0)
			return true;
	}
	return false;
}

/* A slot of ours is on the network of this file, whoever declared it. */
static bool is_joined(const struct supervisor *sv, const char *file)
{
	const struct slot *slot;

	LIST_FOREACH(slot, &sv->slots, link)
	for (size_t i = 0; slot->net && i < slot->net->link_count; i++) {
		size_t len = strlen(slot->net->links[i].network);

		if (strncmp(file, slot->net->links[i].network, len) == 0 &&
		    strcmp(file + len, ".json") == 0)
			return true;
	}
	return false;
}

static void books_changed(uv_fs_event_t *handle, const char *file, int events, int status)
{
	struct repairer *r = handle->data;

	(void)events;
	/* A change of our own publishes at its end what its leases mean. */
	if (status == 0 && file && !r->sv->ending &&
	    (is_shared(r->sv, file) || (TAILQ_EMPTY(&r->sv->changes) && is_joined(r->sv, file))))
		publish_names(r->sv, NULL);
}

static void watch_books(struct repairer *r)
{
	AUTO(free) char *path = xformat("%s/networks", r->sv->roots->state);

	r->watches_books =
		r->watches_books || uv_fs_event_start(&r->books, books_changed, path, 0) == 0;
}

struct repairer *repair_start(struct supervisor *sv)
{
	struct repairer *r = xcalloc(1, sizeof(*r));
	struct err err = ERR_NONE;

	r->sv = sv;
	r->looks_at_netd = true;
	r->work.data = r;
	uv_timer_init(sv->loop, &r->timer);
	r->timer.data = r;
	uv_fs_event_init(sv->loop, &r->books);
	r->books.data = r;
	watch_books(r);
	r->rules_fd = nat_watch_open(&err);
	r->links_fd = link_watch_open(&err);
	if (watch(r, &r->rules, r->rules_fd, rules_changed) < 0 ||
	    watch(r, &r->links, r->links_fd, links_changed) < 0)
		log_warn("network-not-watched", KV_S("error", err.msg));
	return r;
}

void repair_soon(struct supervisor *sv)
{
	if (sv->repairer)
		arm(sv->repairer, 0);
}

/* ---- netd ---- */

static void watch_closed(uv_handle_t *handle)
{
	struct netd_watch *w = handle->data;

	close(w->fd);
	free(w);
}

static void netd_ended(uv_poll_t *poll, int status, int events)
{
	struct netd_watch *w = poll->data;
	struct repairer *r = w->owner;

	(void)status;
	(void)events;
	if (w->generation == r->generation)
		arm(r, 0); /* asked for or not: the repair finds whether anybody needs it */
	waitid(P_PIDFD, (id_t)w->fd, &(siginfo_t){ 0 },
	       WEXITED | WNOHANG); /* one that was renewed: nobody else does */
	uv_close((uv_handle_t *)poll, watch_closed);
}

void repair_watch_netd(struct supervisor *sv)
{
	struct repairer *r = sv->repairer;
	int fd = r ? names_watch(sv->names, &r->generation) : -1;
	struct netd_watch *w;

	if (r)
		watch_books(r);
	if (fd < 0)
		return;
	w = xcalloc(1, sizeof(*w));
	w->owner = r;
	w->fd = fd;
	w->generation = r->generation;
	w->poll.data = w;
	if (uv_poll_init(sv->loop, &w->poll, fd) < 0 ||
	    uv_poll_start(&w->poll, UV_READABLE, netd_ended) < 0)
		log_warn("netd-not-watched", KV_S("project", sv->dirs->name));
}

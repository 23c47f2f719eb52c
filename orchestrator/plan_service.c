/* orchestrator/plan_service - what happens to the containers of one service.
 *
 * Owns: keep, recreate, create or remove, and why. May not touch: networks, volumes, other
 * operations than up.
 */
#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_inner.h"
#include "orchestrator/plan_reason.h"
#include "orchestrator/plan_rolling.h"

/* A job of the clock is made and waits; everything else is started. */
static bool starts_with_up(const struct planner *p, const struct service *service)
{
	return p->options->op == PLAN_UP && !(service->stack && service->stack->schedule);
}

void planner_add_create(struct planner *p, const struct service *service, unsigned slot,
			bool replaces, unsigned from, const char *reason)
{
	struct action action = { .kind = ACTION_CREATE,
				 .service = service->name,
				 .slot = slot,
				 .name = plan_container_name(p->arena, p->project, service, slot),
				 .replaces = replaces,
				 .from = from,
				 .reason = reason };

	graph_add(p->arena, p->plan, &action);
	if (starts_with_up(p, service))
		planner_add_start(p, service, slot, NULL, reason);
}

static const struct service *service_before(const struct planner *p, const char *name)
{
	return p->seen->before ? project_find_service(p->seen->before, name) : NULL;
}

/* A network that the file now describes otherwise must be made anew, and its members with it. */
static const char *changed_network(const struct planner *p, const struct service *service)
{
	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network =
			project_find_network(p->project, service->networks[i].network);

		for (size_t n = 0; network && !network->external && n < p->seen->network_count; n++)
			if (planner_same_text(p->seen->networks[n].name, network->name) &&
			    p->seen->networks[n].changed)
				return network->key;
	}
	return NULL;
}

/* Only keys that can change while it runs differ. */
static bool can_stay(const struct planner *p, size_t at, const struct seen_container *seen)
{
	const struct plan_wanted *wanted = &p->wanted[at];

	return wanted->fixed_hash && seen->state != SEEN_BROKEN &&
	       !(p->options->flags & PLAN_NO_RECREATE) &&
	       !planner_same_text(seen->config_hash, wanted->config_hash) &&
	       planner_same_text(seen->fixed_hash, wanted->fixed_hash);
}

/* Why this container cannot stay; NULL: it can. */
static const char *recreate_reason(struct planner *p, size_t at, const struct seen_container *seen)
{
	const struct service *service = &p->project->services[at];
	const struct plan_wanted *wanted = &p->wanted[at];
	const char *network;

	if (seen->state == SEEN_BROKEN)
		return "its creation was cut off";
	if (p->options->flags & PLAN_NO_RECREATE)
		return NULL;
	if (p->options->flags & PLAN_FORCE_RECREATE && p->named[at])
		return "asked for by --force-recreate";
	if (p->options->flags & PLAN_RECREATE_DEPS && !p->named[at])
		return "asked for by --always-recreate-deps";
	if (seen->unsettled)
		return "its update was cut off";
	if (!planner_same_text(seen->config_hash, wanted->config_hash) && !can_stay(p, at, seen))
		return plan_reason(p->arena, service_before(p, service->name), service);
	if (wanted->image_id && !planner_same_text(seen->image_id, wanted->image_id))
		return "image: the name stands for another image now";
	if (!wanted->image_id)
		return "image: must be fetched again";
	if (!planner_same_text(seen->contents, wanted->contents))
		return "the content of a config or secret changed";
	if (p->options->flags & PLAN_RENEW_ANONYMOUS && p->named[at])
		return "new anonymous volumes were asked for";
	network = changed_network(p, service);
	return network ? arena_format(p->arena, "network %s changed", network) : NULL;
}

unsigned planner_replicas(const struct planner *p, const struct service *service)
{
	for (size_t i = 0; i < p->options->scale_count; i++)
		if (strcmp(p->options->scale[i].service, service->name) == 0)
			return p->options->scale[i].count;
	return (unsigned)service_replicas(service);
}

void planner_plan_kept(struct planner *p, const struct service *service,
		       const struct seen_container *seen, bool restart)
{
	if (restart && seen->state == SEEN_RUNNING) {
		planner_add_stop(p, seen, "a service that it depends on is recreated", false);
		planner_add_start(p, service, seen->slot, seen->id,
				  "a service that it depends on is recreated");
		return;
	}
	if (seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING)
		planner_note_kept(p, seen);
	if (seen->state != SEEN_RUNNING && seen->state != SEEN_RESTARTING &&
	    starts_with_up(p, service))
		planner_add_start(p, service, seen->slot, seen->id,
				  seen->state == SEEN_CREATED ? "was created and not started"
							      : "was stopped");
}

static void add_update(struct planner *p, const struct service *service,
		       const struct seen_container *seen)
{
	struct action action = { .kind = ACTION_UPDATE,
				 .service = service->name,
				 .slot = seen->slot,
				 .name = seen->name,
				 .container = seen->id,
				 .reason = plan_reason(p->arena, service_before(p, service->name),
						       service) };

	graph_add(p->arena, p->plan, &action);
}

static void plan_replace(struct planner *p, const struct service *service,
			 const struct seen_container *seen, const char *reason)
{
	planner_add_stop(p, seen, reason, true);
	planner_add_remove(p, seen, reason, true);
	planner_add_create(p, service, seen->slot, true, 0, reason);
}

/* ---- the replicas of a service ---- */

/* One existing container and what becomes of it. */
struct replica {
	const struct seen_container *seen;
	const char *reason; /* to be recreated; NULL: it stays */
	bool surplus;
};

static struct replica *find_replicas(struct planner *p, size_t at, size_t *out_count)
{
	const struct service *service = &p->project->services[at];
	struct replica *list = NULL;

	*out_count = 0;
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];

		if (seen->oneoff || strcmp(seen->service, service->name) != 0)
			continue;
		*(struct replica *)arena_grow(p->arena, &list, out_count, sizeof(*list)) =
			(struct replica){ .seen = seen, .reason = recreate_reason(p, at, seen) };
	}
	return list;
}

/* Of too many the lowest numbers stay; those that fit as they are come before those to be
 * recreated. */
static void mark_surplus(struct replica *list, size_t count, size_t want)
{
	for (int fits = 1; fits >= 0; fits--)
		for (size_t i = 0; i < count; i++) {
			if ((list[i].reason == NULL) != fits)
				continue;
			list[i].surplus = want == 0;
			want -= want > 0;
		}
}

static bool is_used(const struct planner *p, const struct service *service, unsigned number)
{
	for (size_t i = 0; i < p->seen->container_count; i++)
		if (!p->seen->containers[i].oneoff && p->seen->containers[i].slot == number &&
		    strcmp(p->seen->containers[i].service, service->name) == 0)
			return true;
	for (size_t i = 0; i < p->plan->count; i++)
		if (p->plan->actions[i].kind == ACTION_CREATE &&
		    p->plan->actions[i].slot == number &&
		    strcmp(p->plan->actions[i].service, service->name) == 0)
			return true;
	return false;
}

static unsigned lowest_free(const struct planner *p, const struct service *service)
{
	unsigned number = 1;

	while (is_used(p, service, number))
		number++;
	return number;
}

static void plan_replicas(struct planner *p, size_t at, struct replica *list, size_t count)
{
	const struct service *service = &p->project->services[at];
	struct rolling rolling;

	rolling_begin(&rolling, p, service, changed_network(p, service) != NULL);
	for (size_t i = 0; i < count; i++) {
		const struct seen_container *seen = list[i].seen;

		if (list[i].surplus) {
			planner_add_stop(p, seen, "fewer replicas are wanted", false);
			planner_add_remove(p, seen, "fewer replicas are wanted", false);
		} else if (list[i].reason && rolling_takes(&rolling, seen)) {
			rolling_replace(&rolling, seen, list[i].reason, lowest_free(p, service));
		} else if (list[i].reason) {
			plan_replace(p, service, seen, list[i].reason);
		} else {
			if (can_stay(p, at, seen))
				add_update(p, service, seen);
			planner_plan_kept(p, service, seen, p->restarts[at]);
		}
	}
}

/* Existing containers by slot: the lowest stay (recreated where needed), surplus ones go, free
 * numbers are filled. */
int planner_plan_service(struct planner *p, size_t at, struct err *err)
{
	const struct service *service = &p->project->services[at];
	unsigned want = planner_replicas(p, service);
	struct replica *list;
	size_t count;

	if (want > PLAN_REPLICAS_MAX)
		return err_set(err, ERR_INVALID, "service %s: %u replicas are more than %d",
			       service->name, want, PLAN_REPLICAS_MAX);
	if (want > 1 && service->container_name)
		return err_set(
			err, ERR_INVALID,
			"service %s: container_name \"%s\" allows only one replica, %u are wanted",
			service->name, service->container_name, want);
	list = find_replicas(p, at, &count);
	mark_surplus(list, count, want);
	plan_replicas(p, at, list, count);
	for (size_t have = count; have < want; have++)
		planner_add_create(p, service, lowest_free(p, service), false, 0, "not there yet");
	return 0;
}

static bool is_recreated(struct planner *p, size_t at)
{
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];

		if (!seen->oneoff && strcmp(seen->service, p->project->services[at].name) == 0 &&
		    recreate_reason(p, at, seen))
			return true;
	}
	return false;
}

/* Namespaces of another service's container die with it; who shares them must start anew. */
static bool shares_namespace(const struct service *service, const char *other)
{
	const char *const modes[] = { service->ipc, service->pid };

	for (size_t i = 0; i < 2; i++)
		if (modes[i] && strncmp(modes[i], "service:", 8) == 0 &&
		    strcmp(modes[i] + 8, other) == 0)
			return true;
	return false;
}

void planner_mark_restarts(struct planner *p)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];

		for (size_t d = 0; d < service->depends_on_count; d++) {
			size_t need =
				planner_service_at(p->project, service->depends_on[d].service);

			if (need != NO_ACTION && p->selected[need] &&
			    (service->depends_on[d].restart ||
			     shares_namespace(service, service->depends_on[d].service)) &&
			    is_recreated(p, need))
				p->restarts[i] = true;
		}
	}
}

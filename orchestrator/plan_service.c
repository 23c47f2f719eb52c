/* orchestrator/plan_service - what happens to the containers of one service.
 *
 * Owns: keep, recreate, create or remove, and why. May not touch: networks, volumes, other
 * operations than up.
 */
#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_inner.h"
#include "orchestrator/plan_reason.h"

/* A job of the clock is made and waits; everything else is started. */
static bool starts_with_up(const struct planner *p, const struct service *service)
{
	return p->options->op == PLAN_UP && !(service->stack && service->stack->schedule);
}

static void add_create(struct planner *p, const struct service *service, unsigned slot,
		       bool replaces, const char *reason)
{
	struct action action = { .kind = ACTION_CREATE,
				 .service = service->name,
				 .slot = slot,
				 .name = plan_container_name(p->arena, p->project, service, slot),
				 .replaces = replaces,
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
	if (!planner_same_text(seen->config_hash, wanted->config_hash))
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

static void plan_replace(struct planner *p, const struct service *service,
			 const struct seen_container *seen, const char *reason)
{
	planner_add_stop(p, seen, reason, true);
	planner_add_remove(p, seen, reason, true);
	add_create(p, service, seen->slot, true, reason);
}

/* Existing containers by slot: the lowest stay (recreated where needed), surplus ones go, free
 * numbers below the wanted count are filled. */
int planner_plan_service(struct planner *p, size_t at, struct err *err)
{
	const struct service *service = &p->project->services[at];
	unsigned want = planner_replicas(p, service), have = 0, next = 1;

	if (want > PLAN_REPLICAS_MAX)
		return err_set(err, ERR_INVALID, "service %s: %u replicas are more than %d",
			       service->name, want, PLAN_REPLICAS_MAX);
	if (want > 1 && service->container_name)
		return err_set(
			err, ERR_INVALID,
			"service %s: container_name \"%s\" allows only one replica, %u are wanted",
			service->name, service->container_name, want);
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];
		const char *reason;

		if (seen->oneoff || strcmp(seen->service, service->name) != 0)
			continue;
		if (have >= want) {
			planner_add_stop(p, seen, "fewer replicas are wanted", false);
			planner_add_remove(p, seen, "fewer replicas are wanted", false);
			continue;
		}
		have++;
		reason = recreate_reason(p, at, seen);
		if (reason)
			plan_replace(p, service, seen, reason);
		else
			planner_plan_kept(p, service, seen, p->restarts[at]);
	}
	for (; have < want; next++) {
		bool used = false;

		for (size_t i = 0; i < p->seen->container_count && !used; i++)
			used = !p->seen->containers[i].oneoff &&
			       p->seen->containers[i].slot == next &&
			       strcmp(p->seen->containers[i].service, service->name) == 0;
		if (used)
			continue;
		add_create(p, service, next, false, "not there yet");
		have++;
	}
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

/* orchestrator/plan_ops - the simpler operations: start, stop, restart, rm, down on what exists.
 *
 * Owns: which containers they touch. May not touch: up and create (plan_service).
 */
#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_inner.h"

static bool is_listed(const struct planner *p, const struct seen_container *seen)
{
	for (size_t i = 0; i < p->options->container_count; i++)
		if (strcmp(p->options->containers[i], seen->id) == 0)
			return true;
	return false;
}

/* A list of containers means those and no others; without one, replicas are meant. */
static bool is_meant(const struct planner *p, const struct seen_container *seen)
{
	return p->options->container_count ? is_listed(p, seen) : !seen->oneoff;
}

static bool in_selection(const struct planner *p, const struct seen_container *seen)
{
	size_t at = planner_service_at(p->project, seen->service);

	if (p->options->service_count)
		return at != NO_ACTION ? p->selected[at] : planner_is_named(p, seen->service);
	return true;
}

int planner_start(struct planner *p, struct err *err)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];
		bool any = false;

		for (size_t c = 0; p->selected[i] && c < p->seen->container_count; c++) {
			const struct seen_container *seen = &p->seen->containers[c];

			if (!is_meant(p, seen) || strcmp(seen->service, service->name) != 0)
				continue;
			any = true;
			if (seen->state != SEEN_RUNNING && seen->state != SEEN_RESTARTING)
				planner_add_start(p, service, seen->slot, seen->id,
						  "asked for by start");
			else
				planner_note_kept(p, seen);
		}
		if (p->selected[i] && !any && planner_replicas(p, service) > 0 &&
		    (p->options->service_count == 0 || planner_is_named(p, service->name)))
			return err_set(err, ERR_NOT_FOUND, "service %s has no container to start",
				       service->name);
	}
	return 0;
}

void planner_restart(struct planner *p)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];
		bool wanted = p->options->service_count == 0 || planner_is_named(p, service->name);

		for (size_t d = 0; !wanted && !(p->options->flags & PLAN_NO_DEPS) &&
				   d < service->depends_on_count;
		     d++)
			wanted = service->depends_on[d].restart &&
				 planner_is_named(p, service->depends_on[d].service);
		for (size_t c = 0; wanted && c < p->seen->container_count; c++) {
			const struct seen_container *seen = &p->seen->containers[c];

			if (!is_meant(p, seen) || strcmp(seen->service, service->name) != 0 ||
			    seen->state == SEEN_BROKEN)
				continue;
			planner_add_stop(p, seen, "asked for by restart", false);
			planner_add_start(p, service, seen->slot, seen->id, "asked for by restart");
		}
	}
}

void planner_stop(struct planner *p)
{
	for (size_t c = 0; c < p->seen->container_count; c++)
		if (in_selection(p, &p->seen->containers[c]) &&
		    is_meant(p, &p->seen->containers[c]))
			planner_add_stop(p, &p->seen->containers[c], "asked for by stop", false);
}

void planner_remove(struct planner *p)
{
	for (size_t c = 0; c < p->seen->container_count; c++) {
		const struct seen_container *seen = &p->seen->containers[c];
		bool runs = seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING;

		if (!in_selection(p, seen) ||
		    (p->options->container_count && !is_listed(p, seen)) ||
		    (runs && !(p->options->flags & PLAN_STOP_FIRST)))
			continue;
		planner_add_stop(p, seen, "asked for by rm", false);
		planner_add_remove(p, seen, "asked for by rm", false);
	}
}

void planner_down(struct planner *p)
{
	bool whole = p->options->service_count == 0, left = false;

	for (size_t c = 0; c < p->seen->container_count; c++) {
		const struct seen_container *seen = &p->seen->containers[c];
		bool extra = seen->oneoff || !planner_is_known(p->project, seen->service);

		if (extra && !(p->options->flags & PLAN_REMOVE_ORPHANS)) {
			left = true;
			if (!seen->oneoff)
				*(const char **)arena_grow(p->arena, &p->plan->orphans,
							   &p->plan->orphan_count, sizeof(char *)) =
					seen->name;
			continue;
		}
		if (!whole && !in_selection(p, seen))
			continue;
		planner_add_stop(p, seen, "asked for by down", false);
		planner_add_remove(p, seen, "asked for by down", false);
	}
	for (size_t i = 0; whole && !left && i < p->seen->network_count; i++) {
		struct action action = { .kind = ACTION_REMOVE_NETWORK,
					 .name = p->seen->networks[i].name,
					 .reason = "asked for by down" };

		graph_add(p->arena, p->plan, &action);
	}
	for (size_t i = 0;
	     whole && p->options->flags & PLAN_VOLUMES && i < p->project->volume_count; i++) {
		struct action action = { .kind = ACTION_REMOVE_VOLUME,
					 .name = p->project->volumes[i].key,
					 .reason = "asked for by down -v" };

		if (!p->project->volumes[i].external &&
		    planner_has_volume(p, p->project->volumes[i].name))
			graph_add(p->arena, p->plan, &action);
	}
}

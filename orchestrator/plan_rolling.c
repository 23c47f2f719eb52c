/* orchestrator/plan_rolling - deploy.update_config: replicas are replaced in groups.
 *
 * Owns: order and groups. May not touch: what must be replaced (plan_service), how a replica proves
 * itself (settle).
 */
#include "orchestrator/plan_rolling.h"

#include <string.h>

#include "orchestrator/plan_graph.h"

void rolling_begin(struct rolling *rolling, struct planner *p, const struct service *service,
		   bool moves_network)
{
	*rolling = (struct rolling){ .p = p, .service = service };
	if (!service->deploy || p->options->op != PLAN_UP || moves_network)
		return;
	rolling->config = p->options->flags & PLAN_ROLLBACK ? service->deploy->rollback_config
							    : service->deploy->update_config;
	rolling->start_first = rolling->config && rolling->config->order &&
			       strcmp(rolling->config->order, "start-first") == 0 &&
			       !service->container_name;
}

bool rolling_takes(const struct rolling *rolling, const struct seen_container *seen)
{
	return rolling->config && seen->state == SEEN_RUNNING;
}

/* The first action of a replica waits for the whole group before. parallelism 0: one group; not
 * set: one by one. */
static void wait_for_group(struct rolling *rolling, size_t action)
{
	const struct opt_int *parallelism = &rolling->config->parallelism;
	size_t size = parallelism->is_set ? (size_t)parallelism->value : 1;
	size_t begin;

	if (!size || rolling->count < size)
		return;
	rolling->p->plan->actions[action].late = true;
	begin = rolling->count / size * size - size;
	for (size_t i = begin; i < begin + size; i++)
		graph_edge(rolling->p->arena, rolling->p->plan, action, rolling->settles[i]);
}

static size_t add_settle(struct rolling *rolling, unsigned slot, unsigned from, const char *reason)
{
	struct planner *p = rolling->p;
	struct action action = { .kind = ACTION_SETTLE,
				 .service = rolling->service->name,
				 .slot = slot,
				 .name = plan_container_name(p->arena, p->project, rolling->service,
							     slot),
				 .from = from,
				 .gate = rolling->config,
				 .reason = reason };

	return graph_add(p->arena, p->plan, &action);
}

static size_t stop_first(struct rolling *rolling, const struct seen_container *seen,
			 const char *reason)
{
	struct planner *p = rolling->p;
	size_t first = p->plan->count;

	planner_add_stop(p, seen, reason, true);
	planner_add_remove(p, seen, reason, true);
	planner_add_create(p, rolling->service, seen->slot, true, 0, reason);
	wait_for_group(rolling, first);
	return add_settle(rolling, seen->slot, 0, reason);
}

static size_t start_first(struct rolling *rolling, const struct seen_container *seen,
			  const char *reason, unsigned slot)
{
	struct planner *p = rolling->p;
	size_t first = p->plan->count, settle;

	planner_add_create(p, rolling->service, slot, false, seen->slot, reason);
	wait_for_group(rolling, first);
	settle = add_settle(rolling, slot, seen->slot, reason);
	first = p->plan->count;
	planner_add_stop(p, seen, reason, false);
	p->plan->actions[first].late = true;
	graph_edge(p->arena, p->plan, first, settle);
	planner_add_remove(p, seen, reason, false);
	return settle;
}

void rolling_replace(struct rolling *rolling, const struct seen_container *seen, const char *reason,
		     unsigned free_slot)
{
	size_t settle = rolling->start_first ? start_first(rolling, seen, reason, free_slot)
					     : stop_first(rolling, seen, reason);

	*(size_t *)arena_grow(rolling->p->arena, &rolling->settles, &rolling->count,
			      sizeof(size_t)) = settle;
}

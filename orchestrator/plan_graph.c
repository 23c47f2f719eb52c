/* orchestrator/plan_graph - the edges of a plan: who waits for whom.
 *
 * Owns: the order of actions. May not touch: which actions there are.
 */
#include "orchestrator/plan_graph.h"

#include <string.h>

static bool graph_depends(const struct service *a, const char *b)
{
	for (size_t i = 0; i < a->depends_on_count; i++)
		if (strcmp(a->depends_on[i].service, b) == 0)
			return true;
	return false;
}

size_t graph_add(struct arena *arena, struct plan *plan, const struct action *action)
{
	struct action *slot = arena_grow(arena, &plan->actions, &plan->count, sizeof(*slot));

	*slot = *action;
	return plan->count - 1;
}

void graph_edge(struct arena *arena, struct plan *plan, size_t then, size_t first)
{
	struct action *action;

	if (then == NO_ACTION || first == NO_ACTION || then == first)
		return;
	action = &plan->actions[then];
	for (size_t i = 0; i < action->after_count; i++)
		if (action->after[i] == first)
			return;
	*(size_t *)arena_grow(arena, &action->after, &action->after_count, sizeof(size_t)) = first;
}

static bool same_container(const struct action *a, const struct action *b)
{
	return a->container && b->container && strcmp(a->container, b->container) == 0;
}

static bool same_slot(const struct action *a, const struct action *b)
{
	return a->service && b->service && a->slot == b->slot &&
	       strcmp(a->service, b->service) == 0;
}

/* A service of the file depends on another one of it. */
static bool needs(const struct project *project, const char *a, const char *b)
{
	const struct service *service = project_find_service(project, a);

	return service && graph_depends(service, b);
}

/* Must b be over before a begins? One row for each pair of kinds that knows an order. */
static bool comes_after(const struct project *project, const struct action *a,
			const struct action *b)
{
	switch (a->kind) {
	case ACTION_CREATE_NETWORK:
		return b->kind == ACTION_REMOVE_NETWORK && strcmp(a->name, b->name) == 0;
	case ACTION_CREATE:
		return b->kind == ACTION_CREATE_NETWORK || b->kind == ACTION_CREATE_VOLUME ||
		       (b->kind == ACTION_REMOVE && same_slot(a, b));
	case ACTION_START:
		return (b->kind == ACTION_CREATE && same_slot(a, b)) ||
		       b->kind == ACTION_CREATE_NETWORK ||
		       (b->kind == ACTION_STOP && same_container(a, b)) ||
		       (b->kind == ACTION_START && needs(project, a->service, b->service));
	case ACTION_SETTLE:
		return b->kind == ACTION_START && same_slot(a, b);
	case ACTION_STOP:
		return b->kind == ACTION_STOP && !b->late && a->service && b->service &&
		       needs(project, b->service, a->service);
	case ACTION_REMOVE:
		return b->kind == ACTION_STOP && same_container(a, b);
	case ACTION_REMOVE_NETWORK:
		/* `down`: the kernel's waiting for the links runs beside the removal of the
		 * containers. */
		return b->kind == ACTION_STOP || (b->kind == ACTION_REMOVE && a->replaces);
	case ACTION_REMOVE_VOLUME:
		return b->kind == ACTION_REMOVE || b->kind == ACTION_STOP;
	default:
		return false;
	}
}

void graph_connect(struct arena *arena, struct plan *plan, const struct project *project)
{
	for (size_t i = 0; i < plan->count; i++)
		for (size_t j = 0; j < plan->count; j++)
			if (i != j && comes_after(project, &plan->actions[i], &plan->actions[j]))
				graph_edge(arena, plan, i, j);
}

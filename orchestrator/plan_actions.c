/* orchestrator/plan_actions - single actions of a plan, and its look-ups.
 *
 * Owns: the form of one action. May not touch: which actions there are.
 */
#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_inner.h"

size_t planner_service_at(const struct project *project, const char *name)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (strcmp(project->services[i].name, name) == 0)
			return i;
	return NO_ACTION;
}

bool planner_is_named(const struct planner *p, const char *service)
{
	for (size_t i = 0; i < p->options->service_count; i++)
		if (strcmp(p->options->services[i], service) == 0)
			return true;
	return p->options->service_count == 0;
}

static struct action container_action(enum action_kind kind, const struct seen_container *seen,
				      const char *reason)
{
	return (struct action){ .kind = kind,
				.service = seen->service,
				.slot = seen->oneoff ? 0 : seen->slot,
				.name = seen->name,
				.container = seen->id,
				.reason = reason };
}

void planner_add_stop(struct planner *p, const struct seen_container *seen, const char *reason,
		      bool replaces)
{
	struct action action = container_action(ACTION_STOP, seen, reason);

	action.replaces = replaces;
	if (seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING)
		graph_add(p->arena, p->plan, &action);
}

void planner_add_remove(struct planner *p, const struct seen_container *seen, const char *reason,
			bool replaces)
{
	struct action action = container_action(ACTION_REMOVE, seen, reason);

	action.replaces = replaces;
	graph_add(p->arena, p->plan, &action);
}

static void add_waits(struct planner *p, struct action *action, const struct service *service)
{
	struct plan_wait *waits;

	action->wait_count = p->options->flags & PLAN_NO_DEPS ? 0 : service->depends_on_count;
	waits = arena_alloc(p->arena, (action->wait_count + 1) * sizeof(*waits));
	for (size_t i = 0; i < action->wait_count; i++)
		waits[i] = (struct plan_wait){ service->depends_on[i].service,
					       service->depends_on[i].condition,
					       service->depends_on[i].required };
	action->waits = waits;
}

void planner_add_start(struct planner *p, const struct service *service, unsigned slot,
		       const char *container, const char *reason)
{
	struct action action = { .kind = ACTION_START,
				 .service = service->name,
				 .slot = slot,
				 .name = plan_container_name(p->arena, p->project, service, slot),
				 .container = container,
				 .reason = reason };

	add_waits(p, &action, service);
	graph_add(p->arena, p->plan, &action);
}

bool planner_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

void planner_note_kept(struct planner *p, const struct seen_container *seen)
{
	*(const char **)arena_grow(p->arena, &p->plan->kept, &p->plan->kept_count, sizeof(char *)) =
		seen->name;
}

bool planner_is_known(const struct project *project, const char *service)
{
	return project_find_service(project, service) || project_find_disabled(project, service);
}

bool planner_has_volume(const struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->seen->volume_count; i++)
		if (strcmp(p->seen->volumes[i], name) == 0)
			return true;
	return false;
}

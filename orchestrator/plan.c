/* orchestrator/plan - what must be done so that the machine is as the file says: a pure function.
 *
 * Owns: selection of services; networks, volumes and orphans of up. Its parts: plan_service,
 * plan_ops, plan_actions. May not touch: clocks, disk, the order of the actions (plan_graph).
 */
#include "orchestrator/plan.h"

#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_inner.h"

static const char *const kind_names[] = {
	[ACTION_CREATE_NETWORK] = "create-network",
	[ACTION_CREATE_VOLUME] = "create-volume",
	[ACTION_CREATE] = "create",
	[ACTION_START] = "start",
	[ACTION_UPDATE] = "update",
	[ACTION_SETTLE] = "settle",
	[ACTION_STOP] = "stop",
	[ACTION_REMOVE] = "remove",
	[ACTION_REMOVE_NETWORK] = "remove-network",
	[ACTION_REMOVE_VOLUME] = "remove-volume",
};
_Static_assert(sizeof(kind_names) / sizeof(*kind_names) == ACTION_KIND_COUNT, "a kind has no name");

const char *action_kind_name(enum action_kind kind)
{
	return kind_names[kind];
}

const char *plan_container_name(struct arena *arena, const struct project *project,
				const struct service *service, unsigned slot)
{
	if (service->container_name)
		return service->container_name;
	return arena_format(arena, "%s-%s-%u", project->name, service->name, slot);
}

static void select_with_needs(const struct project *project, bool *selected, size_t i, bool deps)
{
	const struct service *service = &project->services[i];

	if (selected[i])
		return;
	selected[i] = true;
	for (size_t d = 0; deps && d < service->depends_on_count; d++) {
		size_t need = planner_service_at(project, service->depends_on[d].service);

		if (need != NO_ACTION)
			select_with_needs(project, selected, need, deps);
	}
}

int plan_select(struct arena *arena, const struct project *project,
		const struct plan_options *options, bool **out_selected, struct err *err)
{
	bool *selected = arena_alloc(arena, project->service_count + 1);
	bool deps = !(options->flags & (PLAN_NO_DEPS | PLAN_ONLY_NAMED));

	for (size_t i = 0; i < options->service_count; i++) {
		size_t at = planner_service_at(project, options->services[i]);

		if (at == NO_ACTION)
			return err_set(err, ERR_NOT_FOUND, "no such service: %s",
				       options->services[i]);
		select_with_needs(project, selected, at, deps);
	}
	for (size_t i = 0; options->service_count == 0 && i < project->service_count; i++)
		selected[i] = true;
	*out_selected = selected;
	return 0;
}

static bool uses_network(const struct planner *p, const char *key)
{
	for (size_t i = 0; i < p->project->service_count; i++)
		for (size_t n = 0; p->selected[i] && n < p->project->services[i].network_count; n++)
			if (strcmp(p->project->services[i].networks[n].network, key) == 0)
				return true;
	return false;
}

static const struct seen_network *seen_network(const struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->seen->network_count; i++)
		if (strcmp(p->seen->networks[i].name, name) == 0)
			return &p->seen->networks[i];
	return NULL;
}

static void plan_networks(struct planner *p)
{
	for (size_t i = 0; i < p->project->network_count; i++) {
		const struct network *network = &p->project->networks[i];
		const struct seen_network *seen = seen_network(p, network->name);
		struct action action = { .name = network->key };

		if (network->external || !uses_network(p, network->key))
			continue;
		if (seen && seen->changed) {
			action.kind = ACTION_REMOVE_NETWORK;
			action.replaces = true;
			action.reason = "its description changed";
			graph_add(p->arena, p->plan, &action);
			seen = NULL;
		}
		if (seen)
			continue;
		action.kind = ACTION_CREATE_NETWORK;
		action.reason = action.replaces ? "its description changed" : "not there yet";
		graph_add(p->arena, p->plan, &action);
	}
}

static bool uses_volume(const struct planner *p, const char *key)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];

		for (size_t m = 0; p->selected[i] && m < service->volume_count; m++)
			if (strcmp(service->volumes[m].type, "volume") == 0 &&
			    planner_same_text(service->volumes[m].source, key))
				return true;
	}
	return false;
}

static void plan_volumes(struct planner *p)
{
	for (size_t i = 0; i < p->project->volume_count; i++) {
		const struct volume *volume = &p->project->volumes[i];
		struct action action = { .kind = ACTION_CREATE_VOLUME,
					 .name = volume->key,
					 .reason = "not there yet" };

		if (!volume->external && uses_volume(p, volume->key) &&
		    !planner_has_volume(p, volume->name))
			graph_add(p->arena, p->plan, &action);
	}
}

static void plan_orphans(struct planner *p)
{
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];

		if (seen->oneoff || planner_is_known(p->project, seen->service))
			continue;
		if (p->options->flags & PLAN_REMOVE_ORPHANS) {
			planner_add_stop(p, seen, "no longer in the file", false);
			planner_add_remove(p, seen, "no longer in the file", false);
		} else {
			*(const char **)arena_grow(p->arena, &p->plan->orphans,
						   &p->plan->orphan_count, sizeof(char *)) =
				seen->name;
		}
	}
}

static int plan_up(struct planner *p, struct err *err)
{
	plan_networks(p);
	plan_volumes(p);
	planner_mark_restarts(p);
	for (size_t i = 0; i < p->project->service_count; i++)
		if (p->selected[i] && planner_plan_service(p, i, err) < 0)
			return -1;
	if (!(p->options->flags & PLAN_NO_RECREATE))
		for (size_t i = 0; i < p->project->service_count; i++)
			for (size_t c = 0;
			     !p->selected[i] && p->restarts[i] && c < p->seen->container_count; c++)
				if (!p->seen->containers[c].oneoff &&
				    strcmp(p->seen->containers[c].service,
					   p->project->services[i].name) == 0)
					planner_plan_kept(p, &p->project->services[i],
							  &p->seen->containers[c], true);
	plan_orphans(p);
	return 0;
}

/* Names that only a record knows (an orphan's service) may be stopped and removed, too. */
static int check_names(const struct planner *p, struct err *err)
{
	for (size_t i = 0; i < p->options->service_count; i++) {
		const char *name = p->options->services[i];
		bool found = planner_is_known(p->project, name);

		for (size_t c = 0; !found && c < p->seen->container_count; c++)
			found = strcmp(p->seen->containers[c].service, name) == 0;
		if (!found)
			return err_set(err, ERR_NOT_FOUND, "no such service: %s", name);
	}
	for (size_t i = 0; i < p->options->scale_count; i++)
		if (!project_find_service(p->project, p->options->scale[i].service))
			return err_set(err, ERR_NOT_FOUND, "no such service: %s",
				       p->options->scale[i].service);
	return 0;
}

static bool is_about_what_exists(enum plan_op op)
{
	return op == PLAN_STOP || op == PLAN_REMOVE || op == PLAN_DOWN || op == PLAN_RESTART;
}

int plan_make(struct arena *arena, const struct project *project, const struct plan_wanted *wanted,
	      const struct seen *seen, const struct plan_options *options, struct plan *out,
	      struct err *err)
{
	struct planner p = { .arena = arena,
			     .project = project,
			     .wanted = wanted,
			     .seen = seen,
			     .options = options,
			     .plan = out };

	*out = (struct plan){ 0 };
	if (check_names(&p, err) < 0)
		return -1;
	p.named = arena_alloc(arena, project->service_count + 1);
	p.restarts = arena_alloc(arena, project->service_count + 1);
	p.selected = arena_alloc(arena, project->service_count + 1);
	for (size_t i = 0; i < project->service_count; i++)
		p.named[i] = planner_is_named(&p, project->services[i].name);
	if (is_about_what_exists(options->op))
		memcpy(p.selected, p.named, project->service_count);
	else if (plan_select(arena, project, options, &p.selected, err) < 0)
		return -1;
	switch (options->op) {
	case PLAN_START:
		if (planner_start(&p, err) < 0)
			return -1;
		break;
	case PLAN_STOP:
		planner_stop(&p);
		break;
	case PLAN_RESTART:
		planner_restart(&p);
		break;
	case PLAN_REMOVE:
		planner_remove(&p);
		break;
	case PLAN_DOWN:
		planner_down(&p);
		break;
	case PLAN_NOTHING:
		break;
	default:
		if (plan_up(&p, err) < 0)
			return -1;
	}
	graph_connect(arena, out, project);
	return 0;
}

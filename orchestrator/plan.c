/* orchestrator/plan - what must be done so that the machine is as the file says: a pure function.
 *
 * Owns: which containers are created, kept, recreated, started, stopped and removed, and why.
 * May not touch: clocks, disk, the order of the actions (plan_graph).
 */
#include "orchestrator/plan.h"

#include <string.h>

#include "orchestrator/plan_graph.h"
#include "orchestrator/plan_reason.h"

#define REPLICAS_MAX 10000

struct planner {
	struct arena *arena;
	const struct project *project;
	const struct plan_wanted *wanted;
	const struct seen *seen;
	const struct plan_options *options;
	bool *selected;  /* by service: in the closure of what was named */
	bool *named;     /* by service: named itself (or nothing was) */
	bool *restarts;  /* by service: depends on a recreated one with restart: true */
	struct plan *plan;
};

static const char *const kind_names[] = {
	[ACTION_CREATE_NETWORK] = "create-network", [ACTION_CREATE_VOLUME] = "create-volume",
	[ACTION_CREATE] = "create",		    [ACTION_START] = "start",
	[ACTION_STOP] = "stop",			    [ACTION_REMOVE] = "remove",
	[ACTION_REMOVE_NETWORK] = "remove-network", [ACTION_REMOVE_VOLUME] = "remove-volume",
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

/* ---- selection ---- */

static size_t service_index(const struct project *project, const char *name)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (strcmp(project->services[i].name, name) == 0)
			return i;
	return NO_ACTION;
}

static void select_with_needs(const struct project *project, bool *selected, size_t i, bool deps)
{
	const struct service *service = &project->services[i];

	if (selected[i])
		return;
	selected[i] = true;
	for (size_t d = 0; deps && d < service->depends_on_count; d++) {
		size_t need = service_index(project, service->depends_on[d].service);

		if (need != NO_ACTION)
			select_with_needs(project, selected, need, deps);
	}
}

int plan_select(struct arena *arena, const struct project *project, const struct plan_options *options,
		bool **out_selected, struct err *err)
{
	bool *selected = arena_alloc(arena, project->service_count + 1);
	bool deps = !(options->flags & PLAN_NO_DEPS);

	for (size_t i = 0; i < options->service_count; i++) {
		size_t at = service_index(project, options->services[i]);

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

static bool is_named(const struct planner *p, const char *service)
{
	for (size_t i = 0; i < p->options->service_count; i++)
		if (strcmp(p->options->services[i], service) == 0)
			return true;
	return p->options->service_count == 0;
}

/* ---- actions of one container ---- */

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

static void add_stop(struct planner *p, const struct seen_container *seen, const char *reason,
		     bool replaces)
{
	struct action action = container_action(ACTION_STOP, seen, reason);

	action.replaces = replaces;
	if (seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING)
		graph_add(p->arena, p->plan, &action);
}

static void add_remove(struct planner *p, const struct seen_container *seen, const char *reason,
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

static void add_start(struct planner *p, const struct service *service, unsigned slot,
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

/* A job of the clock is made and waits; everything else is started. */
static bool starts_with_up(const struct planner *p, const struct service *service)
{
	return p->options->op == PLAN_UP && !(service->stack && service->stack->schedule);
}

static void add_create(struct planner *p, const struct service *service, unsigned slot, bool replaces,
		       const char *reason)
{
	struct action action = { .kind = ACTION_CREATE,
				 .service = service->name,
				 .slot = slot,
				 .name = plan_container_name(p->arena, p->project, service, slot),
				 .replaces = replaces,
				 .reason = reason };

	graph_add(p->arena, p->plan, &action);
	if (starts_with_up(p, service))
		add_start(p, service, slot, NULL, reason);
}

/* ---- decisions ---- */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
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
			if (same_text(p->seen->networks[n].name, network->name) &&
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
	if (!same_text(seen->config_hash, wanted->config_hash))
		return plan_reason(p->arena, service_before(p, service->name), service);
	if (wanted->image_id && !same_text(seen->image_id, wanted->image_id))
		return "image: the name stands for another image now";
	if (!wanted->image_id)
		return "image: must be fetched again";
	if (!same_text(seen->contents, wanted->contents))
		return "the content of a config or secret changed";
	if (p->options->flags & PLAN_RENEW_ANONYMOUS && p->named[at])
		return "new anonymous volumes were asked for";
	network = changed_network(p, service);
	return network ? arena_format(p->arena, "network %s changed", network) : NULL;
}

static unsigned wanted_replicas(const struct planner *p, const struct service *service)
{
	for (size_t i = 0; i < p->options->scale_count; i++)
		if (strcmp(p->options->scale[i].service, service->name) == 0)
			return p->options->scale[i].count;
	return (unsigned)service_replicas(service);
}

static void note_kept(struct planner *p, const struct seen_container *seen)
{
	*(const char **)arena_grow(p->arena, &p->plan->kept, &p->plan->kept_count, sizeof(char *)) =
		seen->name;
}

static void plan_kept(struct planner *p, const struct service *service,
		      const struct seen_container *seen, bool restart)
{
	if (restart && seen->state == SEEN_RUNNING) {
		add_stop(p, seen, "a service that it depends on is recreated", false);
		add_start(p, service, seen->slot, seen->id, "a service that it depends on is recreated");
		return;
	}
	if (seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING)
		note_kept(p, seen);
	if (seen->state != SEEN_RUNNING && seen->state != SEEN_RESTARTING &&
	    starts_with_up(p, service))
		add_start(p, service, seen->slot, seen->id,
			  seen->state == SEEN_CREATED ? "was created and not started" : "was stopped");
}

static void plan_replace(struct planner *p, const struct service *service,
			 const struct seen_container *seen, const char *reason)
{
	add_stop(p, seen, reason, true);
	add_remove(p, seen, reason, true);
	add_create(p, service, seen->slot, true, reason);
}

/* Existing containers by slot: the lowest stay (recreated where needed), surplus ones go, free numbers
 * below the wanted count are filled. */
static int plan_service(struct planner *p, size_t at, struct err *err)
{
	const struct service *service = &p->project->services[at];
	unsigned want = wanted_replicas(p, service), have = 0, next = 1;

	if (want > REPLICAS_MAX)
		return err_set(err, ERR_INVALID, "service %s: %u replicas are more than %d", service->name,
			       want, REPLICAS_MAX);
	if (want > 1 && service->container_name)
		return err_set(err, ERR_INVALID,
			       "service %s: container_name \"%s\" allows only one replica, %u are wanted",
			       service->name, service->container_name, want);
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];
		const char *reason;

		if (seen->oneoff || strcmp(seen->service, service->name) != 0)
			continue;
		if (have >= want) {
			add_stop(p, seen, "fewer replicas are wanted", false);
			add_remove(p, seen, "fewer replicas are wanted", false);
			continue;
		}
		have++;
		reason = recreate_reason(p, at, seen);
		if (reason)
			plan_replace(p, service, seen, reason);
		else
			plan_kept(p, service, seen, p->restarts[at]);
	}
	for (; have < want; next++) {
		bool used = false;

		for (size_t i = 0; i < p->seen->container_count && !used; i++)
			used = !p->seen->containers[i].oneoff && p->seen->containers[i].slot == next &&
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

static void mark_restarts(struct planner *p)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];

		for (size_t d = 0; d < service->depends_on_count; d++) {
			size_t need = service_index(p->project, service->depends_on[d].service);

			if (need != NO_ACTION && p->selected[need] &&
			    (service->depends_on[d].restart ||
			     shares_namespace(service, service->depends_on[d].service)) &&
			    is_recreated(p, need))
				p->restarts[i] = true;
		}
	}
}

static bool is_known(const struct project *project, const char *service)
{
	return project_find_service(project, service) || project_find_disabled(project, service);
}

static void plan_orphans(struct planner *p)
{
	for (size_t i = 0; i < p->seen->container_count; i++) {
		const struct seen_container *seen = &p->seen->containers[i];

		if (seen->oneoff || is_known(p->project, seen->service))
			continue;
		if (p->options->flags & PLAN_REMOVE_ORPHANS) {
			add_stop(p, seen, "no longer in the file", false);
			add_remove(p, seen, "no longer in the file", false);
		} else {
			*(const char **)arena_grow(p->arena, &p->plan->orphans, &p->plan->orphan_count,
						   sizeof(char *)) = seen->name;
		}
	}
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

static bool has_volume(const struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->seen->volume_count; i++)
		if (strcmp(p->seen->volumes[i], name) == 0)
			return true;
	return false;
}

static bool uses_volume(const struct planner *p, const char *key)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];

		for (size_t m = 0; p->selected[i] && m < service->volume_count; m++)
			if (strcmp(service->volumes[m].type, "volume") == 0 &&
			    same_text(service->volumes[m].source, key))
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

		if (!volume->external && uses_volume(p, volume->key) && !has_volume(p, volume->name))
			graph_add(p->arena, p->plan, &action);
	}
}

static int plan_up(struct planner *p, struct err *err)
{
	plan_networks(p);
	plan_volumes(p);
	mark_restarts(p);
	for (size_t i = 0; i < p->project->service_count; i++)
		if (p->selected[i] && plan_service(p, i, err) < 0)
			return -1;
	if (!(p->options->flags & PLAN_NO_RECREATE))
		for (size_t i = 0; i < p->project->service_count; i++)
			for (size_t c = 0; !p->selected[i] && p->restarts[i] && c < p->seen->container_count;
			     c++)
				if (!p->seen->containers[c].oneoff &&
				    strcmp(p->seen->containers[c].service, p->project->services[i].name) == 0)
					plan_kept(p, &p->project->services[i], &p->seen->containers[c], true);
	plan_orphans(p);
	return 0;
}

/* ---- the simpler operations on what exists ---- */

static bool in_selection(const struct planner *p, const struct seen_container *seen)
{
	size_t at = service_index(p->project, seen->service);

	if (p->options->service_count)
		return at != NO_ACTION ? p->selected[at] : is_named(p, seen->service);
	return true;
}

static int plan_start(struct planner *p, struct err *err)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];
		bool any = false;

		for (size_t c = 0; p->selected[i] && c < p->seen->container_count; c++) {
			const struct seen_container *seen = &p->seen->containers[c];

			if (seen->oneoff || strcmp(seen->service, service->name) != 0)
				continue;
			any = true;
			if (seen->state != SEEN_RUNNING && seen->state != SEEN_RESTARTING)
				add_start(p, service, seen->slot, seen->id, "asked for by start");
			else
				note_kept(p, seen);
		}
		if (p->selected[i] && !any && wanted_replicas(p, service) > 0 &&
		    (p->options->service_count == 0 || is_named(p, service->name)))
			return err_set(err, ERR_NOT_FOUND, "service %s has no container to start",
				       service->name);
	}
	return 0;
}

static void plan_restart(struct planner *p)
{
	for (size_t i = 0; i < p->project->service_count; i++) {
		const struct service *service = &p->project->services[i];
		bool wanted = p->options->service_count == 0 || is_named(p, service->name);

		for (size_t d = 0; !wanted && !(p->options->flags & PLAN_NO_DEPS) &&
				   d < service->depends_on_count; d++)
			wanted = service->depends_on[d].restart &&
				 is_named(p, service->depends_on[d].service);
		for (size_t c = 0; wanted && c < p->seen->container_count; c++) {
			const struct seen_container *seen = &p->seen->containers[c];

			if (seen->oneoff || strcmp(seen->service, service->name) != 0 ||
			    seen->state == SEEN_BROKEN)
				continue;
			add_stop(p, seen, "asked for by restart", false);
			add_start(p, service, seen->slot, seen->id, "asked for by restart");
		}
	}
}

static void plan_stop(struct planner *p)
{
	for (size_t c = 0; c < p->seen->container_count; c++)
		if (in_selection(p, &p->seen->containers[c]) && !p->seen->containers[c].oneoff)
			add_stop(p, &p->seen->containers[c], "asked for by stop", false);
}

static void plan_remove(struct planner *p)
{
	for (size_t c = 0; c < p->seen->container_count; c++) {
		const struct seen_container *seen = &p->seen->containers[c];
		bool runs = seen->state == SEEN_RUNNING || seen->state == SEEN_RESTARTING;

		if (!in_selection(p, seen) || (runs && !(p->options->flags & PLAN_STOP_FIRST)))
			continue;
		add_stop(p, seen, "asked for by rm", false);
		add_remove(p, seen, "asked for by rm", false);
	}
}

static void plan_down(struct planner *p)
{
	bool whole = p->options->service_count == 0, left = false;

	for (size_t c = 0; c < p->seen->container_count; c++) {
		const struct seen_container *seen = &p->seen->containers[c];
		bool extra = seen->oneoff || !is_known(p->project, seen->service);

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
		add_stop(p, seen, "asked for by down", false);
		add_remove(p, seen, "asked for by down", false);
	}
	for (size_t i = 0; whole && !left && i < p->seen->network_count; i++) {
		struct action action = { .kind = ACTION_REMOVE_NETWORK,
					 .name = p->seen->networks[i].name,
					 .reason = "asked for by down" };

		graph_add(p->arena, p->plan, &action);
	}
	for (size_t i = 0; whole && p->options->flags & PLAN_VOLUMES && i < p->project->volume_count;
	     i++) {
		struct action action = { .kind = ACTION_REMOVE_VOLUME,
					 .name = p->project->volumes[i].key,
					 .reason = "asked for by down -v" };

		if (!p->project->volumes[i].external && has_volume(p, p->project->volumes[i].name))
			graph_add(p->arena, p->plan, &action);
	}
}

/* Names that only a record knows (an orphan's service) may be stopped and removed, too. */
static int check_names(const struct planner *p, struct err *err)
{
	for (size_t i = 0; i < p->options->service_count; i++) {
		const char *name = p->options->services[i];
		bool found = is_known(p->project, name);

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
	struct planner p = { .arena = arena, .project = project, .wanted = wanted, .seen = seen,
			     .options = options, .plan = out };

	*out = (struct plan){ 0 };
	if (check_names(&p, err) < 0)
		return -1;
	p.named = arena_alloc(arena, project->service_count + 1);
	p.restarts = arena_alloc(arena, project->service_count + 1);
	p.selected = arena_alloc(arena, project->service_count + 1);
	for (size_t i = 0; i < project->service_count; i++)
		p.named[i] = is_named(&p, project->services[i].name);
	if (is_about_what_exists(options->op))
		memcpy(p.selected, p.named, project->service_count);
	else if (plan_select(arena, project, options, &p.selected, err) < 0)
		return -1;
	switch (options->op) {
	case PLAN_START:
		if (plan_start(&p, err) < 0)
			return -1;
		break;
	case PLAN_STOP:
		plan_stop(&p);
		break;
	case PLAN_RESTART:
		plan_restart(&p);
		break;
	case PLAN_REMOVE:
		plan_remove(&p);
		break;
	case PLAN_DOWN:
		plan_down(&p);
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

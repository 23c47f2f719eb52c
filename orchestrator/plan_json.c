/* orchestrator/plan_json - a plan as JSON.
 *
 * Owns: the shape. May not touch: the plan.
 */
#include "orchestrator/plan_json.h"

#include "base/json.h"

/* What the machine calls a network or volume that the plan names by its key; NULL: the same. */
static const char *real_name(const struct action *action, const struct project *project)
{
	const struct network *network = NULL;
	const struct volume *volume = NULL;

	if (action->kind == ACTION_CREATE_NETWORK ||
	    (action->kind == ACTION_REMOVE_NETWORK && action->replaces))
		network = project_find_network(project, action->name);
	if (action->kind == ACTION_CREATE_VOLUME || action->kind == ACTION_REMOVE_VOLUME)
		volume = project_find_volume(project, action->name);
	return network ? network->name : volume ? volume->name : NULL;
}

static struct json_object *action_json(const struct action *action, const struct project *project)
{
	struct json_object *out = json_object_new_object(), *after, *waits;

	json_add_text(out, "action", action_kind_name(action->kind));
	json_add_text(out, "service", action->service);
	if (action->service)
		json_add_int(out, "slot", action->slot);
	json_add_text(out, "name", action->name);
	json_add_text(out, "real_name", project ? real_name(action, project) : NULL);
	json_add_text(out, "container", action->container);
	if (action->replaces)
		json_add_bool(out, "recreate", true);
	json_add_text(out, "reason", action->reason);
	after = json_add_array(out, "after");
	for (size_t i = 0; i < action->after_count; i++)
		json_object_array_add(after, json_object_new_int64((int64_t)action->after[i]));
	if (!action->wait_count)
		return out;
	waits = json_add_array(out, "waits");
	for (size_t i = 0; i < action->wait_count; i++) {
		struct json_object *wait = json_object_new_object();

		json_add_text(wait, "service", action->waits[i].service);
		json_add_text(wait, "condition", action->waits[i].condition);
		json_object_array_add(waits, wait);
	}
	return out;
}

struct json_object *plan_json(const struct plan *plan, const struct project *project)
{
	struct json_object *out = json_object_new_object();
	struct json_object *actions = json_add_array(out, "actions"), *orphans, *kept;

	for (size_t i = 0; i < plan->count; i++)
		json_object_array_add(actions, action_json(&plan->actions[i], project));
	orphans = json_add_array(out, "orphans");
	for (size_t i = 0; i < plan->orphan_count; i++)
		json_push_text(orphans, plan->orphans[i]);
	kept = json_add_array(out, "kept");
	for (size_t i = 0; i < plan->kept_count; i++)
		json_push_text(kept, plan->kept[i]);
	return out;
}

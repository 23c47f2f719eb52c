/* orchestrator/change_images - the images that a change needs: which, and their coming.
 *
 * Owns: what pull policies mean for an `up`. May not touch: the store but by looking; a worker
 * brings images (pull).
 */
#include "orchestrator/change_images.h"

#include <string.h>

#include "base/json.h"
#include "orchestrator/pull.h"
#include "orchestrator/rollback.h"
#include "orchestrator/transfer.h"

static void pull_progress(void *ctx, struct json_object *line)
{
	struct change *change = ctx;
	struct json_object *event;

	if (!change->request || change->flags & CHANGE_QUIET_PULL)
		return;
	event = json_object_new_object();
	json_object_object_add(event, "pull", json_object_get(line));
	control_event(change->request, event);
}

static void pull_done(void *ctx, const struct err *err)
{
	struct change *change = ctx;

	change->pull_job = NULL;
	flow_resume(&change->flow, err->code ? err : NULL);
}

static const char *policy_of(const struct change *change, const struct service *service)
{
	const char *word = change->pull ? change->pull : transfer_policy_of(change->arena, service);

	return word ? word : "missing";
}

static bool is_selected(const struct change *change, const struct project *project, size_t i)
{
	bool *selected;
	struct err err = ERR_NONE;

	if (change->run && change->run->service &&
	    strcmp(project->services[i].name, change->run->service->name) == 0)
		return true;
	if (change->options.op == PLAN_NOTHING)
		return false;
	return plan_select(change->arena, project, &change->options, &selected, &err) == 0 &&
	       selected[i];
}

/* An image that is here: does its policy ask the registry again? */
static bool is_due(struct change *change, const char *ref, const char *policy)
{
	enum transfer_policy parsed;
	uint64_t max_age_s;
	struct err other = ERR_NONE; /* never, build: words that are no pull */

	return transfer_policy_parse(policy, &parsed, &max_age_s, &other) == 0 &&
	       transfer_policy_is_due(change->sv->images, ref, parsed, max_age_s);
}

struct wishes {
	struct pull_wish *items;
	size_t count;
	bool asks_again; /* one of them is here and due */
};

static void add_wish(struct arena *arena, struct wishes *wishes, const struct service *service,
		     const char *ref)
{
	for (size_t i = 0; i < wishes->count; i++)
		if (strcmp(wishes->items[i].ref, ref) == 0)
			return;
	*(struct pull_wish *)arena_grow(arena, &wishes->items, &wishes->count,
					sizeof(struct pull_wish)) =
		(struct pull_wish){ ref, service->platform };
}

/* Whether the store has it, for the platform that the service wants. */
static int is_here(struct change *change, const struct service *service, const char *ref,
		   bool *out_here, struct err *err)
{
	char id[DIGEST_TEXT_MAX];
	struct err absent = ERR_NONE;

	*out_here = store_resolve(change->sv->images, ref, id, &absent) == 0 &&
		    (service->build ||
		     transfer_platform_fits(change->sv->images, id, service->platform));
	if (absent.code && absent.code != ERR_NOT_FOUND) {
		*err = absent;
		return -1;
	}
	return 0;
}

/* What must be fetched: what its policy says is due, and what is not here. */
static int collect_images(struct change *change, struct wishes *wishes, struct err *err)
{
	const struct project *project = change->model->project;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		const char *ref = service_image_name(change->arena, project, service);
		const char *policy = policy_of(change, service);
		bool here;

		if (!is_selected(change, project, i) || rollback_pin(change, service->name))
			continue;
		if (is_here(change, service, ref, &here, err) < 0)
			return -1;
		if (here && (service->build || !is_due(change, ref, policy)))
			continue;
		if (!here && service->build && !service->image)
			return err_set(err, ERR_NOT_FOUND,
				       "service %s: image %s is not built: stack build %s",
				       service->name, ref, service->name);
		if (!here && strcmp(policy, "never") == 0)
			return err_set(
				err, ERR_NOT_FOUND,
				"service %s: image %s is not on this machine (pull_policy: never)",
				service->name, ref);
		add_wish(change->arena, wishes, service, ref);
		wishes->asks_again |= here;
	}
	return 0;
}

int change_fetch_images(void *data, struct err *err)
{
	struct change *change = data;
	struct wishes wishes = { NULL, 0, false };
	struct pull_handler handler = { pull_progress, pull_done, change };

	if (!change_makes_containers(change) || change->flags & CHANGE_DRY_RUN)
		return 0;
	if (collect_images(change, &wishes, err) < 0)
		return -1;
	if (!wishes.count)
		return 0;
	/* With "always" for some, an unchanged digest costs the others nothing. */
	change->pull_job =
		pull_start(change->sv, wishes.items, wishes.count,
			   wishes.asks_again ? "always" : "missing", change->parallel, &handler);
	return STAGE_WAITS;
}

int change_stop_fetching(void *data, struct err *err)
{
	struct change *change = data;

	(void)err;
	if (!change->pull_job)
		return 0;
	pull_cancel(change->pull_job);
	return STAGE_WAITS;
}

/* orchestrator/cli/hold - who uses a volume stands still while it is copied.
 *
 * Owns: which services are held, and that they are let go. May not touch: the volume.
 */
#include "orchestrator/cli/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/view.h"

/* clang-format off */
static const struct way {
	unsigned bit;
	const char *flag, *op, *undo;
} ways_known[] = {
	{ HOLD_PAUSE, "pause", "pause", "unpause" },
	{ HOLD_STOP,  "stop",  "stop",  "start" },
};
/* clang-format on */

static const struct way *way_asked(const struct options *options, unsigned ways)
{
	const struct way *asked = NULL;

	for (size_t i = 0; i < sizeof(ways_known) / sizeof(*ways_known); i++)
		if ((ways & ways_known[i].bit) && options_flag(options, ways_known[i].flag))
			asked = &ways_known[i];
	return asked;
}

bool hold_is_asked(const struct options *options, unsigned ways)
{
	return way_asked(options, ways) != NULL;
}

struct held {
	char *project, *service;
};

struct hold {
	struct cli *cli;
	const char *op, *undo;
	struct held *items;
	size_t count;
};

static int ask(struct cli *cli, const struct held *held, const char *op, struct json_object **out,
	       struct err *err)
{
	AUTO(client) struct client *client = client_open(cli, held->project, true, err);
	const char *services[] = { held->service, NULL };
	struct json_object *ignored;

	if (!client)
		return -1;
	return client_request(client, op, request_new(services, &ignored), NULL, NULL, out, err);
}

void hold_end(struct hold *hold)
{
	for (size_t i = 0; i < hold->count; i++) {
		struct err err = ERR_NONE;

		if (ask(hold->cli, &hold->items[i], hold->undo, NULL, &err) < 0)
			cli_warn("service %s of project %s does not go on: %s",
				 hold->items[i].service, hold->items[i].project, err.msg);
		free(hold->items[i].project);
		free(hold->items[i].service);
	}
	free(hold->items);
	free(hold);
}

static bool is_held(const struct hold *hold, const char *project, const char *service)
{
	for (size_t i = 0; i < hold->count; i++)
		if (strcmp(hold->items[i].project, project) == 0 &&
		    strcmp(hold->items[i].service, service) == 0)
			return true;
	return false;
}

static int hold_user(struct hold *hold, const struct volume_user *user, struct err *err)
{
	AUTO(view) struct view *view = view_open_project(hold->cli, user->project, err);
	AUTO(json) struct json_object *answer = NULL;
	struct json_object *frozen;
	struct held held = { NULL, NULL };

	for (size_t i = 0; view && i < view->observed->count; i++)
		if (strcmp(view->observed->containers[i].record->id, user->id) == 0)
			held.service = view->observed->containers[i].record->service;
	if (!view || !held.service || is_held(hold, user->project, held.service))
		return view ? 0 : -1;
	held.project = view->dirs->name;
	if (ask(hold->cli, &held, hold->op, &answer, err) < 0)
		return -1;
	frozen = json_array_at(answer, "names"); /* of pause: those that were not frozen before */
	if (frozen && json_array_count(frozen) == 0)
		return 0;
	*(struct held *)xgrow(&hold->items, &hold->count, sizeof(held)) =
		(struct held){ xstrdup(held.project), xstrdup(held.service) };
	return 0;
}

struct hold *hold_begin(struct cli *cli, const struct options *options, unsigned ways,
			const struct volume_store *store, const char *volume, struct err *err)
{
	const struct way *way = way_asked(options, ways);
	AUTO(hold) struct hold *hold = xcalloc(1, sizeof(*hold));
	AUTO(free) struct volume_user *users = NULL;
	size_t count;

	hold->cli = cli;
	if (!way)
		return TAKE(hold);
	hold->op = way->op;
	hold->undo = way->undo;
	if (volume_store_users(store, volume, &users, &count, err) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (users[i].running && hold_user(hold, &users[i], err) < 0)
			return NULL;
	return TAKE(hold);
}

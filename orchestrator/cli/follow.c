/* orchestrator/cli/follow - a request's events as progress on stderr.
 *
 * Owns: the translation of events to progress lines. May not touch: the conversation (client).
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/dry_run.h"
#include "orchestrator/cli/transfer_view.h"

struct follower {
	struct cli *cli;
	struct progress *progress;
};

static enum progress_state state_of(const char *word)
{
	if (strcmp(word, "done") == 0)
		return PROGRESS_DONE;
	if (strcmp(word, "failed") == 0)
		return PROGRESS_FAILED;
	return PROGRESS_WORKING;
}

static void take_event(void *ctx, struct json_object *event)
{
	struct follower *follower = ctx;
	struct progress_event shown = { 0 };
	struct json_object *pull = json_object_at(event, "pull");
	struct transfer_view view = { follower->progress, follower->cli->progress };
	struct transfer_progress transfer;

	if (!event) {
		progress_tick(follower->progress);
		return;
	}
	if (pull) {
		transfer_progress_read(pull, &transfer);
		transfer_view_show(&view, &transfer);
		return;
	}
	if (json_text_or(event, "notice", NULL)) {
		progress_note(follower->progress, json_text_or(event, "notice", ""));
		return;
	}
	shown.kind = json_text_or(event, "kind", "");
	shown.name = json_text_or(event, "name", "");
	shown.verb = json_text_or(event, "verb", "");
	shown.detail = json_text_or(event, "detail", NULL);
	shown.state = state_of(json_text_or(event, "state", ""));
	if (shown.name[0])
		progress_event(follower->progress, &shown);
}

/* What the global flags ask of every change. */
static struct json_object *with_globals(const struct cli *cli, struct json_object *message)
{
	struct json_object *request = message ? message : json_object_new_object();
	struct json_object *wishes = json_object_at(request, "options");
	int64_t parallel = options_number(options_globals(cli->options), "parallel");

	if (!wishes)
		wishes = json_add_object(request, "options");
	if (parallel > 0)
		json_add_int(wishes, "parallel", parallel);
	if (cli->dry_run)
		json_add_bool(wishes, "dry_run", true);
	return request;
}

int client_follow(struct cli *cli, struct client *client, const char *op,
		  struct json_object *message, const char *title, struct json_object **out,
		  struct err *err)
{
	AUTO(json) struct json_object *result = NULL;
	unsigned flags = cli->dry_run ? PROGRESS_DRY_RUN : 0;
	struct follower follower = { cli, progress_new(stderr, cli->progress, title, flags) };
	int status = client_request(client, op, with_globals(cli, message), take_event, &follower,
				    &result, err);

	if (status == 0 && cli->dry_run)
		dry_run_show(follower.progress, result);
	progress_free(follower.progress);
	if (status == 0 && out)
		*out = TAKE(result);
	return status;
}

/* orchestrator/cli/cmd_commit - images out of containers: commit, container commit.
 *
 * Owns: their flags, the pause meanwhile. May not touch: how the image is made (commit_image).
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "images/digest.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/commit_image.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/view.h"

#define COMMIT_ROWS                                                                                \
	OPT_TEXT("message", 'm', "TEXT", "What the image's history says"),                         \
		OPT_TEXT("author", 'a', "NAME", "Who made it"),                                    \
		OPT_LIST("change", 'c', "INSTRUCTION", "Apply an instruction of a Dockerfile"),    \
		OPT_FLAG("pause", 'p', "Freeze the container meanwhile", .fallback = "true")

/* clang-format off */
const struct option_row commit_options[] = {
	COMMIT_ROWS,
	OPT_NUMBER("index", 0, "N", "Replica", .min = 1, .max = 1000000),
	OPT_END,
};
const struct option_row container_commit_options[] = { COMMIT_ROWS, OPT_END };
/* clang-format on */

static int freeze(struct cli *cli, const struct view *view,
		  const struct observed_container *container, const char *op, struct err *err)
{
	const char *services[] = { container->record->service, NULL };
	AUTO(client) struct client *client = client_open(cli, view->dirs->name, true, err);
	struct json_object *request, *wishes;

	if (!client)
		return -1;
	request = request_new(services, &wishes);
	json_push_text(json_add_array(wishes, "containers"), container->record->id);
	return client_request(client, op, request, NULL, NULL, NULL, err);
}

static int commit(struct cli *cli, const struct options *options, const struct view *view,
		  const struct observed_container *container, struct err *err)
{
	bool pauses =
		options_flag(options, "pause") && container->alive && !container->record->paused;
	const struct commit_wish wish = { .name = options_argument(options, 1),
					  .message = options_text(options, "message"),
					  .author = options_text(options, "author"),
					  .changes = options_list(options, "change", NULL) };
	struct err later = ERR_NONE;
	char id[DIGEST_TEXT_MAX];
	int status;

	if (pauses && freeze(cli, view, container, "pause", err) < 0)
		return -1;
	status = commit_image(cli, view->dirs, container, &wish, id, err);
	if (pauses && freeze(cli, view, container, "unpause", &later) < 0)
		cli_warn("%s stays paused: %s", container->record->name, later.msg);
	if (status == 0)
		puts(id);
	return status;
}

int commit_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	const char *service = options_argument(options, 0);
	const struct observed_container *container;

	if (!view || view_check_services(view, (const char *const[]){ service, NULL }, err) < 0)
		return -1;
	container =
		observed_find(view->observed, service, (unsigned)options_number(options, "index"));
	if (!container)
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" has no container", service);
	return commit(cli, options, view, container, err);
}

int container_commit_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container =
		view_find_container(cli, options_argument(options, 0), &view, err);

	return container ? commit(cli, options, view, container, err) : -1;
}

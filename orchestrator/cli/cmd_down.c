/* orchestrator/cli/cmd_down - the end of a project: down, with --rmi.
 *
 * Owns: its flags, which images go with it. May not touch: containers, networks, volumes (the
 * supervisor).
 */
#include <string.h>

#include "images/maintain.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/operate.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/transfer.h"

/* clang-format off */
const struct option_row down_options[] = {
	OPT_FLAG("volumes", 'v', "Remove the named volumes of the file (not external ones) and anonymous ones"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know", .env = "COMPOSE_REMOVE_ORPHANS"),
	OPT_CHOICE("rmi", 0, "local|all", "Remove images, too: without a name of their own, or all"),
	OPT_STOP_TIMEOUT,
	OPT_END,
};
/* clang-format on */

static void add(struct arena *arena, struct texts *texts, const char *text)
{
	if (text && !texts_has(texts, text))
		*(const char **)arena_grow(arena, &texts->items, &texts->count, sizeof(char *)) =
			arena_strdup(arena, text);
}

/* Those of the services in force (all), or of those that name none and build it (local); of the
 * named services alone, when there are any. */
static int collect_images(struct cli *cli, const struct options *options, bool all,
			  struct texts *out, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	const char *const *named = options_arguments(options);
	const struct project *project;

	if (!view)
		return -1;
	project = view->observed->model ? view->observed->model->project : NULL;
	for (size_t i = 0; project && i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (view_is_meant(named, service->name) && (all || !service->image))
			add(cli->arena, out, service_image_name(cli->arena, project, service));
	}
	for (size_t i = 0; all && i < view->observed->count; i++)
		if (view_is_meant(named, view->observed->containers[i].record->service))
			add(cli->arena, out, view->observed->containers[i].record->image_ref);
	return 0;
}

/* An image that is not there, or that others use, is told and no failure. */
static void remove_image(struct store *store, struct progress *progress, const char *ref)
{
	struct progress_event event = {
		.kind = "Image", .name = ref, .verb = "Removed", .state = PROGRESS_DONE
	};
	struct removal removal = { 0 };
	struct err err = ERR_NONE;

	if (maintain_remove(store, ref, 0, &removal, &err) < 0) {
		event.state = PROGRESS_WARNING;
		event.verb = err.code == ERR_NOT_FOUND ? "No resource found to remove"
						       : "Resource is still in use";
	}
	removal_free(&removal);
	progress_event(progress, &event);
}

static int remove_images(struct cli *cli, const struct texts *images, struct err *err)
{
	AUTO(progress)
	struct progress *progress = progress_new(stderr, cli->progress, "Removing",
						 cli->dry_run ? PROGRESS_DRY_RUN : 0);
	AUTO(store)
	struct store *store =
		transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), err);

	if (!store)
		return -1;
	for (size_t i = 0; i < images->count; i++)
		if (cli->dry_run)
			progress_event(progress,
				       &(struct progress_event){ .kind = "Image",
								 .name = images->items[i],
								 .verb = "Removed",
								 .state = PROGRESS_DONE });
		else
			remove_image(store, progress, images->items[i]);
	return 0;
}

int down_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "volumes", "remove-orphans", NULL };
	const char *rmi = options_text(options, "rmi");
	struct texts images = { NULL, 0 };

	if (rmi && collect_images(cli, options, strcmp(rmi, "all") == 0, &images, err) < 0)
		return -1;
	if (operate(cli, options, "down", "Running", flags, true, NULL, err) < 0)
		return -1;
	return images.count ? remove_images(cli, &images, err) : 0;
}

/* orchestrator/cli/cmd_push - images of a project's services to their registries: push.
 *
 * Owns: which services are meant. May not touch: how an image is sent (transfer).
 */
#include <string.h>

#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/transfer_view.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/transfer.h"

/* clang-format off */
const struct option_row push_options[] = {
	OPT_FLAG("quiet", 'q', "No progress"),
	OPT_FLAG("ignore-push-failures", 0, "End with 0 in spite of failures"),
	OPT_FLAG("include-deps", 0, "What the services depend on, too"),
	OPT_END,
};
/* clang-format on */

static void tell_skipped(struct progress *progress, const struct service *service)
{
	progress_event(progress, &(struct progress_event){ .kind = "Service",
							   .name = service->name,
							   .verb = "Skipped",
							   .state = PROGRESS_DONE });
}

/* Those that are built here and have a name of their own; the first failure counts, the others go
 * on. */
static int push_all(struct cli *cli, const struct options *options, const struct project *project,
		    struct progress *progress, struct err *err)
{
	const struct transfer_push_options push = { .compression = "gzip" };
	struct transfer_view shown = { .progress = progress,
				       .form = options_flag(options, "quiet") ? PROGRESS_QUIET
									      : cli->progress };
	const struct transfer_options transfer = {
		.root = cli->roots->state,
		.runtime_root = cli->roots->run,
		.config_path = options_text(options_globals(cli->options), "config"),
		.progress = transfer_view_show,
		.progress_ctx = &shown,
	};
	int status = 0;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		struct err one = ERR_NONE;

		if (!options_flag(options, "include-deps") &&
		    !view_is_meant(options_arguments(options), service->name))
			continue;
		if (!service->build || !service->image) {
			tell_skipped(progress, service);
			continue;
		}
		if (transfer_push(service->image, &push, &transfer, &one) == 0)
			continue;
		if (options_flag(options, "ignore-push-failures"))
			progress_error(progress, one.msg);
		else if (status == 0)
			*err = one;
		else
			progress_error(progress, one.msg);
		status = -1;
	}
	return status;
}

int push_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct load_result loaded;
	struct progress *progress;
	int status;

	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    cli_roots(cli, err) < 0)
		return -1;
	progress = progress_new(stderr,
				options_flag(options, "quiet") ? PROGRESS_QUIET : cli->progress,
				"Pushing", 0);
	status = push_all(cli, options, loaded.project, progress, err);
	progress_free(progress);
	return options_flag(options, "ignore-push-failures") ? 0 : status;
}

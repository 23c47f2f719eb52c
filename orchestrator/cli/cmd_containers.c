/* orchestrator/cli/cmd_containers - the group `container`: ls, inspect, logs, rm, prune over all
 * projects.
 *
 * Owns: which container a name means here. May not touch: containers: the project's supervisor
 * removes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/logs.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/rows.h"
#include "orchestrator/cli/rows_inspect.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/cli/words.h"

/* clang-format off */
static const struct option_row ls_rows[] = {
	OPT_FLAG("all", 'a', "Those that do not run, too"),
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_FLAG("no-trunc", 0, "Full IDs and commands"),
	OPT_LIST("filter", 'f', "KEY=VALUE", "name=, status=, project=, service= (status implies --all)"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row inspect_rows[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row logs_rows[] = {
	OPT_FLAG("follow", 'f', "Go on with what comes"),
	OPT_FLAG("timestamps", 't', "Show the time of each line"),
	OPT_END,
};
static const struct option_row rm_rows[] = {
	OPT_FLAG("force", 'f', "Stop it first"),
	OPT_FLAG("volumes", 'v', "Remove its anonymous volumes, too"),
	OPT_END,
};
static const struct option_row prune_rows[] = { OPT_FLAG("force", 'f', "No question"), OPT_END };
/* clang-format on */

/* ---- ls, inspect, logs ---- */

static const struct output_column ls_columns[] = {
	{"ID",          "CONTAINER ID", 0           },
	{ "Image",      "IMAGE",        0           },
	{ "Command",    "COMMAND",      0           },
	{ "RunningFor", "CREATED",      0           },
	{ "Status",     "STATUS",       0           },
	{ "Ports",      "PORTS",        0           },
	{ "Names",      "NAMES",        0           },
	{ "Project",    "PROJECT",      COLUMN_EXTRA},
	{ "Service",    "SERVICE",      COLUMN_EXTRA},
	{ "State",      "STATE",        COLUMN_EXTRA},
	{ "Labels",     "LABELS",       COLUMN_EXTRA},
	{ "Mounts",     "MOUNTS",       COLUMN_EXTRA},
	{ "Networks",   "NETWORKS",     COLUMN_EXTRA},
	{ NULL,         NULL,           0           },
};

struct listing {
	const struct options *options;
	const char *const *filters;
	struct json_object *rows;
	bool all;
};

static int list_project(void *ctx, const struct view *view, struct err *err)
{
	struct listing *listing = ctx;

	(void)err;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];
		const struct record *record = container->record;

		if ((!listing->all && !container->alive) ||
		    !filter_passes(listing->filters, "name", filter_holds_text, record->name) ||
		    !filter_passes(listing->filters, "status", filter_is_text, container->status) ||
		    !filter_passes(listing->filters, "project", filter_is_text, view->dirs->name) ||
		    !filter_passes(listing->filters, "service", filter_is_text, record->service))
			continue;
		json_object_array_add(listing->rows,
				      row_container(view->dirs->name, container,
						    options_flag(listing->options, "no-trunc")));
	}
	return 0;
}

static int container_ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const known[] = { "name", "status", "project", "service", NULL };
	struct output_view form = { .columns = ls_columns };
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct listing listing = { .options = options,
				   .filters = options_list(options, "filter", NULL),
				   .rows = rows,
				   .all = options_flag(options, "all") };

	for (const char *const *filter = listing.filters; *filter; filter++)
		listing.all |= strncmp(*filter, "status=", 7) == 0;
	if (filter_check(listing.filters, known, err) < 0 ||
	    view_each(cli, list_project, &listing, err) < 0)
		return -1;
	if (!options_flag(options, "quiet"))
		return output_rows(stdout, &form, options_text(options, "format"), rows, err);
	for (size_t i = 0; i < json_array_count(rows); i++)
		puts(json_text_or(json_object_array_get_idx(rows, i), "ID", ""));
	return 0;
}

static int container_inspect_command(struct cli *cli, const struct options *options,
				     struct err *err)
{
	AUTO(json) struct json_object *array = json_object_new_array();

	for (const char *const *name = options_arguments(options); *name; name++) {
		AUTO(view) struct view *view = NULL;
		const struct observed_container *container =
			view_find_container(cli, *name, &view, err);

		if (!container)
			return -1;
		json_object_array_add(array, inspect_container(view->dirs, container));
	}
	return output_inspect(stdout, options_text(options, "format"), array, err);
}

static int container_logs_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container =
		view_find_container(cli, options_argument(options, 0), &view, err);
	const char *services[] = { container ? container->record->service : NULL, NULL };
	struct logs_view logs = {
		.services = services,
		.index = container ? container->record->slot : 0,
		.log = {.follow = options_flag(options, "follow"), .tail = LOG_TAIL_ALL},
		.timestamps = options_flag(options, "timestamps"),
		.no_prefix = true,
		.split_streams = true
	};
	bool interrupted;

	if (!container || logs_show(cli, view->dirs, &logs, &interrupted, err) < 0)
		return -1;
	return interrupted ? 130 : 0;
}

/* ---- rm, prune ---- */

/* A request speaks of services: another container of it that would go, too, forbids it. */
static int check_alone(const struct view *view, const struct observed_container *container,
		       bool force, struct err *err)
{
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *other = &view->observed->containers[i];

		if (other != container && (force || !other->alive) &&
		    strcmp(other->record->service, container->record->service) == 0)
			return err_set(
				err, ERR_UNSUPPORTED,
				"%s: service %s has other containers that would go, too (%s); "
				"use: stack -p %s rm %s",
				container->record->name, container->record->service,
				other->record->name, view->dirs->name, container->record->service);
	}
	return 0;
}

static int ask(struct cli *cli, const char *project, const char *op, const char *service,
	       const struct options *options, struct err *err)
{
	AUTO(client) struct client *client = client_open(cli, project, true, err);
	const char *services[] = { service, NULL };
	struct json_object *wishes, *request;

	if (!client)
		return -1;
	request = request_new(services, &wishes);
	if (options)
		request_add_flags(wishes, options, (const char *const[]){ "volumes", NULL });
	return client_request(client, op, request, NULL, NULL, NULL, err);
}

static int remove_one(struct cli *cli, const struct options *options, const char *name,
		      struct err *err)
{
	bool force = options_flag(options, "force");
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = view_find_container(cli, name, &view, err);
	const struct record *record = container ? container->record : NULL;

	if (!container || check_alone(view, container, force, err) < 0)
		return -1;
	if (container->alive && !force)
		return err_set(err, ERR_BUSY, "container %s runs; stop it first, or --force",
			       record->name);
	if (container->alive && ask(cli, view->dirs->name, "stop", record->service, NULL, err) < 0)
		return -1;
	if (ask(cli, view->dirs->name, "rm", record->service, options, err) < 0)
		return -1;
	puts(name);
	return 0;
}

static int container_rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	int status = 0;

	for (const char *const *name = options_arguments(options); *name; name++) {
		struct err one = ERR_NONE;

		if (remove_one(cli, options, *name, &one) == 0)
			continue;
		if (status < 0)
			cli_warn("%s", err->msg);
		*err = one;
		status = -1;
	}
	return status;
}

static int prune_project(void *ctx, const struct view *view, struct err *err)
{
	struct cli *cli = ctx;
	AUTO(json) struct json_object *gone = json_object_new_array();

	for (size_t i = 0; i < view->observed->count; i++)
		if (strcmp(view->observed->containers[i].status, "exited") == 0)
			json_push_text(gone, view->observed->containers[i].record->id);
	if (json_array_count(gone) == 0)
		return 0;
	if (ask(cli, view->dirs->name, "rm", NULL, NULL, err) < 0) {
		cli_warn("project %s: %s", view->dirs->name, err->msg);
		*err = ERR_NONE;
		return 0;
	}
	for (size_t i = 0; i < json_array_count(gone); i++)
		puts(json_object_get_string(json_object_array_get_idx(gone, i)));
	return 0;
}

int containers_prune(struct cli *cli, struct err *err)
{
	return view_each(cli, prune_project, cli, err);
}

static int container_prune_command(struct cli *cli, const struct options *options, struct err *err)
{
	if (!options_flag(options, "force") &&
	    !cli_ask("Remove all stopped containers of all projects?"))
		return 0;
	return containers_prune(cli, err);
}

/* clang-format off */
const struct command container_commands[] = {
	{ "ls", "list|ps", "", "List containers of all projects", NULL, EXAMPLES("stack container ls -a --filter project=shop", "of one project"), NULL,
	  ls_rows, NULL, container_ls_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "inspect", NULL, "CONTAINER...", "Show containers in detail", NULL, EXAMPLES("stack container inspect shop-web-1", "by name, or by the first digits of its ID"), NULL,
	  inspect_rows, NULL, container_inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "logs", NULL, "CONTAINER", "Show the output of a container", NULL, EXAMPLES("stack container logs -f shop-web-1", "and what comes"), NULL,
	  logs_rows, NULL, container_logs_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "stats", NULL, "[CONTAINER...]", "Show what containers use", NULL, EXAMPLES("stack container stats --no-stream", "of all projects, once"), NULL,
	  stats_options, NULL, container_stats_command, 0, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "export", NULL, "CONTAINER", "Write the file system of a container as a tar", NULL, EXAMPLES("stack container export -o web.tar shop-web-1", "without its volumes"), NULL,
	  container_export_options, NULL, container_export_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "rm", "remove", "CONTAINER...", "Remove containers", NULL, EXAMPLES("stack container rm shop-job-1", "one that has ended"), NULL,
	  rm_rows, NULL, container_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "prune", NULL, "", "Remove stopped containers of all projects", NULL, EXAMPLES("stack container prune -f", "no question"), NULL,
	  prune_rows, NULL, container_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};
/* clang-format on */

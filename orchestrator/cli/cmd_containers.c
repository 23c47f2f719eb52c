/* orchestrator/cli/cmd_containers - the group `container`: its table; ls, inspect and prune over
 * all projects.
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

/* ---- prune ---- */

/* Everything of the project that has ended. */
static int remove_ended(struct cli *cli, const char *project, struct err *err)
{
	AUTO(client) struct client *client = client_open(cli, project, true, err);
	struct json_object *wishes;

	return client ? client_request(client, "rm", request_new(NULL, &wishes), NULL, NULL, NULL,
				       err)
		      : -1;
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
	if (remove_ended(cli, view->dirs->name, err) < 0) {
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
	  container_logs_options, NULL, container_logs_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "stats", NULL, "[CONTAINER...]", "Show what containers use", NULL, EXAMPLES("stack container stats --no-stream", "of all projects, once"), NULL,
	  stats_options, NULL, container_stats_command, 0, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "top", NULL, "CONTAINER", "Show the processes of a container", NULL, EXAMPLES("stack container top shop-web-1", "with host pids"), NULL,
	  NULL, NULL, container_top_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "port", NULL, "CONTAINER [PORT[/PROTOCOL]]", "Print published ports", NULL, EXAMPLES("stack container port shop-web-1 80/tcp", "one of them"), NULL,
	  NULL, NULL, container_port_command, 1, 2, ARGUMENT_CONTAINER, 0 },
	{ "diff", NULL, "CONTAINER", "Show what a container changed in its file system", NULL, EXAMPLES("stack container diff shop-web-1", "A added, C changed, D removed"), NULL,
	  NULL, NULL, container_diff_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "exec", NULL, "CONTAINER COMMAND [ARG...]", "Run a command in a running container", NULL, EXAMPLES("stack container exec -it shop-web-1 sh", "with a terminal"), NULL,
	  container_exec_options, NULL, container_exec_command, 2, ARGUMENTS_ANY, ARGUMENT_CONTAINER, COMMAND_STOPS },
	{ "attach", NULL, "CONTAINER", "Join the streams of a container", NULL, EXAMPLES("stack container attach shop-web-1", "ctrl-p ctrl-q leaves it"), NULL,
	  container_attach_options, NULL, container_attach_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "cp", NULL, "CONTAINER:PATH DEST|- , SRC|- CONTAINER:PATH", "Copy files in or out of a container", NULL, EXAMPLES("stack container cp shop-web-1:/etc/hosts .", "out"), NULL,
	  container_cp_options, NULL, container_cp_command, 2, 2, ARGUMENT_FILE, 0 },
	{ "export", NULL, "CONTAINER", "Write the file system of a container as a tar", NULL, EXAMPLES("stack container export -o web.tar shop-web-1", "without its volumes"), NULL,
	  container_export_options, NULL, container_export_command, 1, 1, ARGUMENT_CONTAINER, 0 },
	{ "commit", NULL, "CONTAINER [NAME]", "Make an image of what a container changed", NULL, EXAMPLES("stack container commit -m 'with tools' shop-web-1 tools:1", "volumes are not in it"), NULL,
	  container_commit_options, NULL, container_commit_command, 1, 2, ARGUMENT_CONTAINER, 0 },
	{ "start", NULL, "CONTAINER...", "Start containers that have ended", NULL, EXAMPLES("stack container start shop-web-2", "one replica"), NULL,
	  NULL, NULL, container_start_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "stop", NULL, "CONTAINER...", "Stop containers", NULL, EXAMPLES("stack container stop -t 5 shop-web-2", "one replica, five seconds of grace"), NULL,
	  container_stop_options, NULL, container_stop_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "restart", NULL, "CONTAINER...", "Stop and start containers", NULL, EXAMPLES("stack container restart shop-web-2", "one replica"), NULL,
	  container_stop_options, NULL, container_restart_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "kill", NULL, "CONTAINER...", "Send a signal to containers", NULL, EXAMPLES("stack container kill -s HUP shop-web-1", "reload"), NULL,
	  container_kill_options, NULL, container_kill_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "pause", NULL, "CONTAINER...", "Freeze containers", NULL, EXAMPLES("stack container pause shop-web-1", "unpause follows"), NULL,
	  NULL, NULL, container_pause_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "unpause", NULL, "CONTAINER...", "Let frozen containers go on", NULL, EXAMPLES("stack container unpause shop-web-1", "after pause"), NULL,
	  NULL, NULL, container_unpause_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "wait", NULL, "CONTAINER...", "Wait until containers end, and print their statuses", NULL, EXAMPLES("stack container wait shop-job-1", "0"), NULL,
	  NULL, NULL, container_wait_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "rename", NULL, "CONTAINER NAME", "Give a container another name, until it is recreated", NULL, EXAMPLES("stack container rename shop-web-1 front", "the names in its networks follow"), NULL,
	  NULL, NULL, container_rename_command, 2, 2, ARGUMENT_CONTAINER, 0 },
	{ "update", NULL, "CONTAINER...", "Change limits and restart policy of containers, until they are recreated", NULL, EXAMPLES("stack container update -m 512m --cpus 1.5 shop-web-1", "it outlives restarts"), NULL,
	  container_update_options, NULL, container_update_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "rm", "remove", "CONTAINER...", "Remove containers", NULL, EXAMPLES("stack container rm shop-job-1", "one that has ended"), NULL,
	  container_rm_options, NULL, container_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "prune", NULL, "", "Remove stopped containers of all projects", NULL, EXAMPLES("stack container prune -f", "no question"), NULL,
	  prune_rows, NULL, container_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};
/* clang-format on */

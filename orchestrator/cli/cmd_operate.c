/* orchestrator/cli/cmd_operate - commands on containers that exist: start, stop, restart, kill,
 * pause, unpause, rm.
 *
 * Owns: their flags, what they tell. May not touch: how it is done there (the supervisor).
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/operate.h"
#include "orchestrator/cli/view.h"
#include "specs/hash.h"

/* clang-format off */
const struct option_row stop_options[] = { OPT_STOP_TIMEOUT, OPT_END };
const struct option_row restart_options[] = {
	OPT_STOP_TIMEOUT,
	OPT_FLAG("no-deps", 0, "Leave those out that restart with their dependency"),
	OPT_END,
};
const struct option_row kill_options[] = {
	OPT_TEXT("signal", 's', "SIGNAL", "Signal to send, name or number", .fallback = "SIGKILL"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know"),
	OPT_END,
};
const struct option_row rm_options[] = {
	OPT_FLAG("force", 'f', "No question"),
	OPT_FLAG("stop", 's', "Stop them first"),
	OPT_FLAG("volumes", 'v', "Remove their anonymous volumes, too"),
	OPT_END,
};
/* clang-format on */

static const char *const no_flags[] = { NULL };

int start_command(struct cli *cli, const struct options *options, struct err *err)
{
	return operate(cli, options, "start", "Starting", no_flags, false, NULL, err);
}

int stop_command(struct cli *cli, const struct options *options, struct err *err)
{
	return operate(cli, options, "stop", "Stopping", no_flags, true, NULL, err);
}

static bool is_changed(const struct project *project, const struct observed_container *container,
		       const char *const *names)
{
	const struct service *service = project_find_service(project, container->record->service);
	char hash[SERVICE_HASH_LEN + 1];

	if (!service || container->record->oneoff || !view_is_meant(names, service->name))
		return false;
	service_hash(service, hash);
	return strcmp(hash, container->record->config_hash) != 0;
}

/* A restart takes nothing new from the files; who expects it to is told. */
static void tell_changes(struct cli *cli, const char *const *names)
{
	struct err ignored = ERR_NONE;
	const struct project *project = cli_peek(cli);
	AUTO(view) struct view *view = project ? view_open(cli, false, &ignored) : NULL;
	const char *last = "";

	for (size_t i = 0; view && i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];

		if (strcmp(container->record->service, last) == 0 ||
		    !is_changed(project, container, names))
			continue;
		last = container->record->service;
		fprintf(stderr,
			"service %s: its configuration has changed since it was made; 'stack up' "
			"applies it, 'stack plan' shows it\n",
			last);
	}
}

int restart_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "no-deps", NULL };

	if (operate(cli, options, "restart", "Restarting", flags, true, NULL, err) < 0)
		return -1;
	tell_changes(cli, options_arguments(options));
	return 0;
}

/* The containers that the answer names, one line each; how many. */
static size_t tell(const struct cli *cli, struct json_object *names, const char *verb)
{
	AUTO(progress)
	struct progress *progress =
		progress_new(stderr, cli->progress, verb, cli->dry_run ? PROGRESS_DRY_RUN : 0);

	for (size_t i = 0; i < json_array_count(names); i++)
		progress_event(progress, &(struct progress_event){
						 .kind = "Container",
						 .name = json_object_get_string(
							 json_object_array_get_idx(names, i)),
						 .verb = verb,
						 .state = PROGRESS_DONE });
	return json_array_count(names);
}

int kill_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *result = NULL;

	if (operate(cli, options, "kill", "Killing", no_flags, false, &result, err) < 0)
		return -1;
	if (tell(cli, json_array_at(result, "killed"), "Killed") == 0)
		fprintf(stderr, "no container to kill\n");
	return 0;
}

static int freeze(struct cli *cli, const struct options *options, const char *op, const char *verb,
		  struct err *err)
{
	AUTO(json) struct json_object *result = NULL;
	struct json_object *already;

	if (operate(cli, options, op, "Running", no_flags, false, &result, err) < 0)
		return -1;
	tell(cli, json_array_at(result, "names"), verb);
	already = json_array_at(result, "already");
	if (json_array_count(already))
		return err_set(err, ERR_INVALID, "container %s is %s",
			       json_object_get_string(json_object_array_get_idx(already, 0)),
			       strcmp(op, "pause") == 0 ? "paused already" : "not paused");
	return 0;
}

int pause_command(struct cli *cli, const struct options *options, struct err *err)
{
	return freeze(cli, options, "pause", "Paused", err);
}

int unpause_command(struct cli *cli, const struct options *options, struct err *err)
{
	return freeze(cli, options, "unpause", "Unpaused", err);
}

/* The containers that rm would take, as a question. */
static bool ask_removal(struct cli *cli, const struct options *options, struct err *err,
			bool *out_any)
{
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(observed) struct observed *observed = NULL;
	bool stops = options_flag(options, "stop");
	size_t count = 0;

	*out_any = false;
	if (cli_project_dirs(cli, false, &found, err) < 0 || !found)
		return false;
	dirs = found;
	observed = observe_project(dirs, err);
	for (size_t i = 0; observed && i < observed->count; i++) {
		if (observed->containers[i].alive && !stops)
			continue;
		if (count++ == 0)
			fputs("Going to remove", stdout);
		printf("%s %s", count > 1 ? "," : "", observed->containers[i].record->name);
	}
	if (!count)
		return false;
	puts("");
	fflush(stdout);
	*out_any = true;
	return cli_ask("Are you sure?");
}

int rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "volumes", NULL };
	bool any;

	if (!cli->dry_run && !options_flag(options, "force") &&
	    !ask_removal(cli, options, err, &any)) {
		if (err->code)
			return -1;
		if (!any)
			fprintf(stderr, "No stopped containers\n");
		return 0;
	}
	if (options_flag(options, "stop") && !cli->dry_run &&
	    operate(cli, options, "stop", "Stopping", no_flags, false, NULL, err) < 0)
		return -1;
	return operate(cli, options, "rm", "Removing", flags, false, NULL, err);
}

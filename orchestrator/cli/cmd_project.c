/* orchestrator/cli/cmd_project - commands that bring a project's model: up, create, scale, plan.
 *
 * Owns: their flags and what each asks of the supervisor. May not touch: how it is done there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stamp.h"
#include "orchestrator/cli/build_follow.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_watch.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/exposed.h"
#include "orchestrator/cli/logs.h"
#include "orchestrator/cli/operate.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/observe.h"
#include "specs/support.h"

/* clang-format off */
const struct option_row up_options[] = {
	OPT_FLAG("detach", 'd', "Leave it running in the background"),
	OPT_FLAG("wait", 0, "Wait until services are healthy or running; implies --detach"),
	OPT_NUMBER("wait-timeout", 0, "SECONDS", "How long to wait with --wait", .min = 0, .max = 86400),
	OPT_FLAG("abort-on-container-exit", 0, "Stop everything when a container ends"),
	OPT_FLAG("abort-on-container-failure", 0, "Stop everything when a container ends with a failure"),
	OPT_TEXT("exit-code-from", 0, "SERVICE", "End with the status of this service; implies --abort-on-container-exit"),
	OPT_FLAG("build", 0, "Build images first"),
	OPT_FLAG("no-build", 0, "Never build an image"),
	OPT_CHOICE("pull", 0, "always|missing|never", "When to pull, over pull_policy"),
	OPT_FLAG("force-recreate", 0, "Recreate containers even if nothing changed"),
	OPT_FLAG("no-recreate", 0, "Leave existing containers as they are"),
	OPT_FLAG("always-recreate-deps", 0, "Recreate what the services depend on, too"),
	OPT_FLAG("renew-anon-volumes", 'V', "New anonymous volumes instead of those of the former containers"),
	OPT_FLAG("no-deps", 0, "Only the named services"),
	OPT_FLAG("no-start", 0, "Create and do not start"),
	OPT_LIST("scale", 0, "SERVICE=NUM", "Replicas of a service, over the file"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know", .env = "COMPOSE_REMOVE_ORPHANS"),
	OPT_STOP_TIMEOUT,
	OPT_LIST("attach", 0, "SERVICE", "Show only the logs of these services"),
	OPT_LIST("no-attach", 0, "SERVICE", "Do not show the logs of these services"),
	OPT_FLAG("attach-dependencies", 0, "Show the logs of dependencies, too"),
	OPT_FLAG("no-color", 0, "Logs without colours"),
	OPT_FLAG("no-log-prefix", 0, "Logs without the container's name"),
	OPT_FLAG("timestamps", 0, "Logs with their times"),
	OPT_FLAG("quiet-pull", 0, "Pull without progress"),
	OPT_FLAG("quiet-build", 0, "Build without progress"),
	OPT_FLAG("watch", 'w', "Follow changes of files as develop.watch says"),
	OPT_FLAG("ignore-orphans", 0, "Do not tell of orphans", .flags = OPTION_HIDDEN, .env = "COMPOSE_IGNORE_ORPHANS"),
	OPT_FLAG("menu", 0, "Accepted, and without effect", .flags = OPTION_HIDDEN, .env = "COMPOSE_MENU"),
	OPT_FLAG("yes", 'y', "No questions"),
	OPT_TEXT("trace", 0, "FILE", "Write a Chrome trace of every stage in all processes"),
	OPT_END,
};
const struct option_row create_options[] = {
	OPT_FLAG("build", 0, "Build images first"),
	OPT_FLAG("no-build", 0, "Never build an image"),
	OPT_FLAG("quiet-build", 0, "Build without progress"),
	OPT_CHOICE("pull", 0, "always|missing|never|build", "When to pull, over pull_policy"),
	OPT_FLAG("quiet-pull", 0, "Pull without progress"),
	OPT_FLAG("force-recreate", 0, "Recreate containers even if nothing changed"),
	OPT_FLAG("no-recreate", 0, "Leave existing containers as they are"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know"),
	OPT_LIST("scale", 0, "SERVICE=NUM", "Replicas of a service, over the file"),
	OPT_FLAG("ignore-orphans", 0, "Do not tell of orphans", .flags = OPTION_HIDDEN, .env = "COMPOSE_IGNORE_ORPHANS"),
	OPT_FLAG("yes", 'y', "No questions"),
	OPT_END,
};
const struct option_row scale_options[] = { OPT_FLAG("no-deps", 0, "Leave dependencies alone"), OPT_END };
const struct option_row plan_options_table[] = {
	OPT_CHOICE("format", 0, "text|json", "Form of the output", .fallback = "text"),
	OPT_FLAG("force-recreate", 0, "As with up"),
	OPT_FLAG("no-deps", 0, "Only the named services"),
	OPT_FLAG("remove-orphans", 0, "As with up"),
	OPT_LIST("scale", 0, "SERVICE=NUM", "As with up"),
	OPT_END,
};
/* clang-format on */

static const char *const up_flags[] = {
	"force-recreate",       "no-recreate",        "no-deps",
	"always-recreate-deps", "renew-anon-volumes", "remove-orphans",
	"quiet-pull",           "ignore-orphans",     NULL
};
static const char *const create_flags[] = { "force-recreate", "no-recreate",    "remove-orphans",
					    "quiet-pull",     "ignore-orphans", NULL };
static const char *const plan_flags[] = { "force-recreate", "no-deps", "remove-orphans", NULL };

/* ---- up ---- */

static const struct {
	const char *one, *other;
} exclusive[] = {
	{"detach",                   "abort-on-container-exit"   },
	{ "detach",                  "abort-on-container-failure"},
	{ "detach",                  "attach"                    },
	{ "detach",                  "attach-dependencies"       },
	{ "detach",                  "watch"                     },
	{ "wait",		    "abort-on-container-exit"   },
	{ "build",		   "no-build"                  },
	{ "force-recreate",          "no-recreate"               },
	{ "abort-on-container-exit", "abort-on-container-failure"},
};

static int check_exclusive(const struct options *options, struct err *err)
{
	for (size_t i = 0; i < sizeof(exclusive) / sizeof(*exclusive); i++)
		if (options_is_given(options, exclusive[i].one) &&
		    options_is_given(options, exclusive[i].other))
			return err_set(err, ERR_INVALID, "--%s and --%s exclude each other",
				       exclusive[i].one, exclusive[i].other);
	return 0;
}

static int check_exit_code_from(const struct options *options, const struct project *project,
				struct err *err)
{
	const char *name = options_text(options, "exit-code-from");

	return !name || project_find_service(project, name)
		       ? 0
		       : err_set(err, ERR_NOT_FOUND, "no such service: %s", name);
}

/* Opens the machine to the outside, in words: what `up` says once. */
static void tell_exposed(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->privileged)
			cli_warn(
				"service %s is privileged: it can do to this machine what root can",
				service->name);
	}
}

static void tell_nothing_done(struct cli *cli, const struct json_object *result)
{
	size_t kept = json_array_count(json_array_at(result, "kept"));

	if (json_array_count(json_array_at(result, "actions")) == 0 && kept && !cli->dry_run &&
	    cli->progress != PROGRESS_QUIET && cli->progress != PROGRESS_JSON)
		fprintf(stderr, "Nothing to do: %zu container%s as the file says\n", kept,
			kept == 1 ? " is" : "s are");
}

static void add_trace(struct cli *cli, const struct options *options, struct json_object *wishes)
{
	const char *path = options_text(options, "trace");
	char *here = path && path[0] != '/' ? getcwd(NULL, 0) : NULL;

	json_add_text(wishes, "trace", here ? arena_format(cli->arena, "%s/%s", here, path) : path);
	free(here);
}

static int send_up(struct cli *cli, const struct options *options, const struct load_result *loaded,
		   struct client *client, const char *op, const char *const *flags, struct err *err)
{
	AUTO(json) struct json_object *result = NULL;
	struct json_object *wishes;
	struct json_object *request = request_new(options_arguments(options), &wishes);

	request_add_model(request, loaded->project);
	request_add_flags(wishes, options, flags);
	if (request_add_scale(wishes, options_list(options, "scale", NULL), err) < 0) {
		json_object_put(request);
		return -1;
	}
	json_add_text(wishes, "pull", options_text(options, "pull"));
	if (strcmp(op, "up") == 0) {
		request_add_timeout(wishes, options, "timeout", "timeout_us");
		request_add_timeout(wishes, options, "wait-timeout", "wait_timeout_us");
		json_add_bool(wishes, "wait", options_flag(options, "wait"));
		add_trace(cli, options, wishes);
	}
	if (client_follow(cli, client, op, request, "Running", &result, err) < 0)
		return -1;
	tell_nothing_done(cli, result);
	return 0;
}

/* The logs here, the watch in a process of its own, which ends with them. */
static int follow_and_watch(struct cli *cli, const struct options *options,
			    const struct project *project, struct client *client, uint64_t since_ns,
			    struct err *err)
{
	pid_t watcher = watch_beside(cli, project, options_arguments(options), err);
	int status;

	if (watcher < 0)
		return -1;
	status = logs_foreground(cli, options, project, client, since_ns, err);
	kill(watcher, SIGTERM);
	while (waitpid(watcher, NULL, 0) < 0 && errno == EINTR)
		;
	return status;
}

int up_command(struct cli *cli, const struct options *options, struct err *err)
{
	uint64_t since_ns = stamp_now_ns();
	struct load_result loaded;
	AUTO(client) struct client *client = NULL;
	bool detached = options_flag(options, "detach") || options_flag(options, "wait") ||
			options_flag(options, "no-start");

	if (check_exclusive(options, err) < 0 ||
	    cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    project_check_supported(loaded.project, err) < 0 || cli_roots(cli, err) < 0)
		return -1;
	if (check_exit_code_from(options, loaded.project, err) < 0)
		return -1;
	tell_exposed(loaded.project);
	if (build_before(cli, options, loaded.project, options_arguments(options),
			 !options_flag(options, "no-deps"), err) < 0)
		return -1;
	if (options_flag(options, "watch") && !cli->dry_run &&
	    watch_prepare(cli, loaded.project, options_arguments(options), err) < 0)
		return -1;
	client = client_open(cli, loaded.project->name, true, err);
	if (!client ||
	    send_up(cli, options, &loaded, client,
		    options_flag(options, "no-start") ? "create" : "up", up_flags, err) < 0)
		return -1;
	if (detached || cli->dry_run)
		return 0;
	if (options_flag(options, "watch"))
		return follow_and_watch(cli, options, loaded.project, client, since_ns, err);
	return logs_foreground(cli, options, loaded.project, client, since_ns, err);
}

int create_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct load_result loaded;
	AUTO(client) struct client *client = NULL;

	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    project_check_supported(loaded.project, err) < 0 || cli_roots(cli, err) < 0 ||
	    build_before(cli, options, loaded.project, options_arguments(options), true, err) < 0)
		return -1;
	client = client_open(cli, loaded.project->name, true, err);
	if (!client || send_up(cli, options, &loaded, client, "create", create_flags, err) < 0)
		return -1;
	return 0;
}

int scale_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "no-deps", NULL };
	const char *const *words = options_arguments(options);
	struct load_result loaded;
	AUTO(client) struct client *client = NULL;
	struct json_object *wishes, *request, *names;

	if (cli_load(cli, 0, NULL, &loaded, err) < 0 || cli_roots(cli, err) < 0)
		return -1;
	request = request_new(NULL, &wishes);
	names = json_array_at(request, "services");
	request_add_model(request, loaded.project);
	request_add_flags(wishes, options, flags);
	if (request_add_scale(wishes, words, err) < 0) {
		json_object_put(request);
		return -1;
	}
	json_each(json_object_at(wishes, "scale"), name, count) {
		(void)count;
		json_push_text(names, name);
	}
	client = client_open(cli, loaded.project->name, true, err);
	if (!client) {
		json_object_put(request);
		return -1;
	}
	return client_follow(cli, client, "up", request, "Running", NULL, err);
}

/* ---- plan ---- */

static void print_plan(struct json_object *plan)
{
	struct json_object *actions = json_array_at(plan, "actions");

	for (size_t i = 0; i < json_array_count(actions); i++) {
		struct json_object *action = json_object_array_get_idx(actions, i);

		printf("%-14s  %-24s  %s\n", json_text_or(action, "action", ""),
		       json_text_or(action, "name", ""), json_text_or(action, "reason", ""));
	}
	if (json_array_count(actions) == 0)
		puts("Nothing to do");
}

int plan_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct load_result loaded;
	AUTO(client) struct client *client = NULL;
	AUTO(json) struct json_object *plan = NULL;
	struct json_object *wishes, *request;

	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    cli_roots(cli, err) < 0 || cli_settings(cli, err) < 0)
		return -1;
	request = request_new(options_arguments(options), &wishes);
	request_add_model(request, loaded.project);
	request_add_flags(wishes, options, plan_flags);
	json_add_bool(wishes, "dry_run", true);
	if (request_add_scale(wishes, options_list(options, "scale", NULL), err) < 0) {
		json_object_put(request);
		return -1;
	}
	client = client_open(cli, loaded.project->name, true, err);
	if (!client) {
		json_object_put(request);
		return -1;
	}
	if (client_request(client, "up", request, NULL, NULL, &plan, err) < 0)
		return -1;
	if (strcmp(options_text(options, "format"), "json") == 0)
		puts(json_object_to_json_string_ext(plan, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	else {
		exposed_print(stdout, loaded.project, cli->settings,
			      json_array_at(plan, "actions"));
		print_plan(plan);
	}
	return json_array_count(json_array_at(plan, "actions")) ? 2 : 0;
}

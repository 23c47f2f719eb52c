/* orchestrator/cli/cmd_run - a command in a new container of a service: run.
 *
 * Owns: the hand-over of the terminal to the container's monitor. May not touch: what the flags do
 * to a service (run_definition).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "orchestrator/cli/attach.h"
#include "orchestrator/cli/build_follow.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/run_definition.h"
#include "specs/model_json.h"
#include "specs/support.h"

#define NOT_FOUND      127
#define NOT_EXECUTABLE 126

#define REMOVAL_MAX_US  10000000 /* of a container that has ended; it goes even if nobody waits */
#define REMOVAL_LOOK_MS 200

static bool wants_terminal(const struct options *options)
{
	return !options_flag(options, "no-tty") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

struct run_state {
	struct cli *cli;
	struct client *client; /* a second conversation, for `go` */
	struct attach *attach;
	char container[STAMP_ID_LEN + 1];
	bool tty, stdin_open;
	struct progress *progress;
	struct err err;
};

/* The container waits one step before its program: join it, then let it go. */
static void attach_and_go(struct run_state *run, struct json_object *event)
{
	const char *container = json_text_or(event, "attach", "");
	struct json_object *init = json_object_at(event, "init");
	struct json_object *go = json_object_new_object();

	snprintf(run->container, sizeof(run->container), "%s", container);
	progress_end(run->progress);
	run->attach = attach_open(run->cli->roots,
				  &(struct attach_view){
					  .container_id = container,
					  .init = {(pid_t)json_int_or(init, "pid", 0),
                                                   (uint64_t)json_int_or(init, "start", 0)},
					  .stdin_open = run->stdin_open,
					  .tty = run->tty,
					  .proxy_signals = true,
					  .replay = -1
        },
				  &run->err);
	json_add_text(go, "container", container);
	client_request(run->client, "go", go, NULL, NULL, NULL, &run->err);
}

static void run_event(void *ctx, struct json_object *event)
{
	struct run_state *run = ctx;
	struct progress_event shown = { .state = PROGRESS_WORKING };

	if (!event) {
		progress_tick(run->progress);
		return;
	}
	if (json_text_or(event, "attach", NULL)) {
		if (!run->attach)
			attach_and_go(run, event);
		return;
	}
	shown.kind = json_text_or(event, "kind", "");
	shown.name = json_text_or(event, "name", "");
	shown.verb = json_text_or(event, "verb", "");
	if (strcmp(json_text_or(event, "state", ""), "done") == 0)
		shown.state = PROGRESS_DONE;
	if (shown.name[0])
		progress_event(run->progress, &shown);
}

static void describe_run(const struct options *options, const struct service *service, bool tty,
			 struct json_object *request)
{
	struct json_object *run = json_add_object(request, "run");

	json_add_text(run, "service", service->name);
	json_object_object_add(run, "definition", model_json_service(service, MODEL_JSON_STATE));
	json_add_text(run, "name", options_text(options, "name"));
	json_add_bool(run, "tty", tty);
	json_add_bool(run, "stdin", options_flag(options, "interactive"));
	json_add_bool(run, "ports", service->port_count > 0);
	json_add_bool(run, "use_aliases", options_flag(options, "use-aliases"));
	json_add_bool(run, "remove", options_flag(options, "rm"));
	json_add_bool(run, "detach", options_flag(options, "detach"));
}

static int follow_run(struct run_state *run, const struct options *options, struct client *client,
		      struct json_object *request, struct err *err)
{
	AUTO(json) struct json_object *result = NULL;
	int status = client_request(client, "run", request, run_event, run, &result, err);

	progress_end(run->progress);
	if (options_flag(options, "detach")) {
		if (status == 0)
			puts(json_text_or(result, "container", ""));
		return status;
	}
	if (status < 0) {
		if (run->attach)
			attach_close(run->attach);
		/* The program that could not be executed has docker's statuses. */
		if (err->code == ERR_NOT_FOUND || err->code == ERR_DENIED) {
			fprintf(stderr, "%s\n", err->msg);
			return err->code == ERR_NOT_FOUND ? NOT_FOUND : NOT_EXECUTABLE;
		}
		return -1;
	}
	if (!run->attach) {
		*err = run->err;
		return -1;
	}
	status = attach_follow(run->attach, err);
	attach_close(run->attach);
	return status < 0 && err->code == ERR_CANCELLED ? 0 : status;
}

/* --rm: the container has gone when the command ends, so that the next one does not meet it. */
static void await_removal(struct cli *cli, const char *project, const char *container)
{
	struct err ignored = ERR_NONE;
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(cli->roots, project, false, &ignored);
	AUTO(fd) int notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	AUTO(free) char *folder = dirs ? xformat("/proc/self/fd/%d", dirs->containers_fd) : NULL;
	uint64_t end_us = stamp_monotonic_us() + REMOVAL_MAX_US;
	char events[4096];

	if (!folder || notify_fd < 0 ||
	    inotify_add_watch(notify_fd, folder, IN_DELETE | IN_DELETE_SELF) < 0)
		return;
	while (faccessat(dirs->containers_fd, container, F_OK, 0) == 0 &&
	       stamp_monotonic_us() < end_us) {
		struct pollfd wait = { .fd = notify_fd, .events = POLLIN };

		poll(&wait, 1, REMOVAL_LOOK_MS);
		if (read(notify_fd, events, sizeof(events)) < 0 && errno != EAGAIN)
			return;
	}
}

int run_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "no-deps", "remove-orphans", "quiet-pull", NULL };
	const char *const services[] = { options_argument(options, 0), NULL };
	struct run_state run = { .cli = cli, .stdin_open = options_flag(options, "interactive") };
	AUTO(client) struct client *client = NULL;
	AUTO(client) struct client *second = NULL;
	struct load_result loaded;
	struct json_object *wishes, *request;
	struct service service;
	int status;

	if (cli_load(cli, 0, services, &loaded, err) < 0 ||
	    project_check_supported(loaded.project, err) < 0 || cli_roots(cli, err) < 0)
		return -1;
	service = *project_find_service(loaded.project, services[0]);
	if (run_define(cli, options, &service, err) < 0)
		return -1;
	if (build_before(cli, options, loaded.project, services, !options_flag(options, "no-deps"),
			 err) < 0)
		return -1;
	client = client_open(cli, loaded.project->name, true, err);
	second = client ? client_open(cli, loaded.project->name, false, err) : NULL;
	if (!second)
		return -1;
	run.client = second;
	run.tty = wants_terminal(options) && !options_flag(options, "detach");
	run.progress = progress_new(stderr,
				    options_flag(options, "quiet") ? PROGRESS_QUIET : cli->progress,
				    "Running", 0);
	request = request_new(NULL, &wishes);
	request_add_model(request, loaded.project);
	request_add_flags(wishes, options, flags);
	json_add_text(wishes, "pull", options_text(options, "pull"));
	describe_run(options, &service, run.tty, request);
	if (cli->dry_run) {
		status = client_follow(cli, client, "run", request, "Running", NULL, err);
		fprintf(stderr, " DRY-RUN MODE -  Container %s-%s-run  Created\n",
			loaded.project->name, service.name);
	} else {
		status = follow_run(&run, options, client, request, err);
	}
	progress_free(run.progress);
	if (status >= 0 && run.attach && options_flag(options, "rm"))
		await_removal(cli, loaded.project->name, run.container);
	return status;
}

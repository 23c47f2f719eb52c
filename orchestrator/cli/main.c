/* orchestrator/cli/main - program stack: the table of commands, and the way from argv to one of
 * them.
 *
 * Owns: the command table, the exit status, the last error line. May not touch: what a command
 * does.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "orchestrator/cli/cli.h"
#include "orchestrator/cli/cmd_complete.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/complete.h"
#include "orchestrator/cli/dry_run.h"
#include "orchestrator/cli/help.h"
#include "orchestrator/cli/manual.h"
#include "orchestrator/cli/manual_file.h"
#include "orchestrator/cli/refusals.h"

#define SERVICES_USAGE "[SERVICE...]"

/* clang-format off */
static const struct option_row global_options[] = {
	OPT_LIST("file", 'f', "FILE", "Stack file; \"-\" is stdin", .env = "COMPOSE_FILE", .flags = OPTION_PATHS),
	OPT_TEXT("project-name", 'p', "NAME", "Name of the project", .env = "COMPOSE_PROJECT_NAME"),
	OPT_TEXT("project-directory", 0, "DIR", "Base of relative paths, .env and the name", .alias = "workdir"),
	OPT_LIST("env-file", 0, "FILE", "Variables, instead of .env"),
	OPT_LIST("profile", 0, "PROFILE", "Profile to enable; * enables all", .env = "COMPOSE_PROFILES"),
	OPT_NUMBER("parallel", 0, "N", "Things done at once, -1: no limit", .env = "COMPOSE_PARALLEL_LIMIT"),
	OPT_CHOICE("ansi", 0, "auto|always|never", "Colours and cursor movements", .fallback = "auto", .env = "COMPOSE_ANSI"),
	OPT_CHOICE("progress", 0, "auto|tty|plain|json|quiet", "Form of progress", .fallback = "auto", .env = "COMPOSE_PROGRESS"),
	OPT_FLAG("dry-run", 0, "Show what would be done, and do nothing"),
	OPT_TEXT("root", 0, "DIR", "State that survives a reboot (default /var/lib/stack)", .env = "STACK_ROOT"),
	OPT_TEXT("runtime-root", 0, "DIR", "State that does not (default /run/stack)", .env = "STACK_RUNTIME_ROOT"),
	OPT_TEXT("config", 0, "FILE", "Settings of the machine", .env = "STACK_CONFIG"),
	OPT_FLAG("no-ansi", 0, "As --ansi never", .flags = OPTION_HIDDEN),
	OPT_FLAG("compatibility", 0, "Accepted, and without effect", .flags = OPTION_HIDDEN, .env = "COMPOSE_COMPATIBILITY"),
	OPT_FLAG("all-resources", 0, "Keep unused networks and volumes", .flags = OPTION_HIDDEN),
	OPT_FLAG("verbose", 0, "Say more", .flags = OPTION_HIDDEN),
	OPT_FLAG("version", 'v', "Print the version"),
	OPT_END,
};

static const struct command image_commands[] = {
	{ "ls", "list", "[REF]", "List images", NULL, EXAMPLES("stack image ls", "all images that have a name"), NULL,
	  image_ls_options, NULL, image_ls_command, 0, 1, ARGUMENT_IMAGE, 0 },
	{ "build", NULL, "PATH|URL|-", "Build an image from a Dockerfile", NULL,
	  EXAMPLES("stack image build -t app:1 .", "the Dockerfile of this folder", "stack image build --target test -f Dockerfile.ci .", "one stage of another file"),
	  NULL, image_build_options, NULL, image_build_command, 1, 1, ARGUMENT_FILE, 0 },
	{ "pull", NULL, "REF...", "Fetch images from their registries", NULL, EXAMPLES("stack image pull nginx:1.27", "one image", "stack image pull -a localhost:5000/app", "all its tags"), NULL,
	  image_pull_options, NULL, image_pull_command, 1, ARGUMENTS_ANY, ARGUMENT_IMAGE, 0 },
	{ "push", NULL, "REF", "Send an image to its registry", NULL, EXAMPLES("stack image push localhost:5000/app:1", "what is there already is not sent again"), NULL,
	  image_push_options, NULL, image_push_command, 1, 1, ARGUMENT_IMAGE, 0 },
	{ "rm", "remove", "REF...", "Remove names of images, and images without a name left", NULL, EXAMPLES("stack image rm nginx:1.26", "one name"), NULL,
	  image_rm_options, NULL, image_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_IMAGE, 0 },
	{ "tag", NULL, "SOURCE NAME", "Give an image another name", NULL, EXAMPLES("stack image tag app:1 app:stable", "a second name"), NULL,
	  NULL, NULL, image_tag_command, 2, 2, ARGUMENT_IMAGE, 0 },
	{ "inspect", NULL, "REF...", "Show an image in detail", NULL, EXAMPLES("stack image inspect nginx", "as JSON"), NULL,
	  image_inspect_options, NULL, image_inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_IMAGE, 0 },
	{ "load", NULL, "", "Bring in images of an archive (docker save, OCI layout)", NULL, EXAMPLES("stack image load -i app.tar", "from a file"), NULL,
	  image_load_options, NULL, image_load_command, 0, 0, ARGUMENT_FILE, 0 },
	{ "save", NULL, "REF...", "Write images into an archive", NULL, EXAMPLES("stack image save -o app.tar app:1", "that docker load reads"), NULL,
	  image_save_options, NULL, image_save_command, 1, ARGUMENTS_ANY, ARGUMENT_IMAGE, 0 },
	{ "history", NULL, "REF", "Show the steps that made an image", NULL, EXAMPLES("stack image history --no-trunc app:1", "whole commands"), NULL,
	  image_history_options, NULL, image_history_command, 1, 1, ARGUMENT_IMAGE, 0 },
	{ "prune", NULL, "", "Remove images that nothing uses", NULL, EXAMPLES("stack image prune -af --filter until=24h", "unused ones older than a day"), NULL,
	  image_prune_options, NULL, image_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "import", NULL, "FILE|- [NAME]", "Make an image of one layer from a tar of a file system", NULL, EXAMPLES("stack image import rootfs.tar base:1", "any compression"), NULL,
	  image_import_options, NULL, image_import_command, 1, 2, ARGUMENT_FILE, 0 },
	{ "export", NULL, "REF", "Write the file system of an image as a tar", NULL, EXAMPLES("stack image export -o rootfs.tar app:1", "all layers as one tree"), NULL,
	  image_export_options, NULL, image_export_command, 1, 1, ARGUMENT_IMAGE, 0 },
	{ "verify", NULL, "[REF...]", "Check stored images against their digests", NULL, EXAMPLES("stack image verify --fix", "torn ones are dropped"), NULL,
	  image_verify_options, NULL, image_verify_command, 0, ARGUMENTS_ANY, ARGUMENT_IMAGE, 0 },
	{ .name = NULL },
};

static const struct command supervisor_commands[] = {
	{ "status", NULL, "", "Show the process behind a project", NULL, EXAMPLES("stack -p shop supervisor status", "as JSON"), NULL,
	  NULL, NULL, supervisor_status_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "run", NULL, "", "Be it, in the foreground, as a service manager starts it; a living one gives way", NULL, EXAMPLES("stack -p shop supervisor run", "as stack@shop.service does"), NULL,
	  supervisor_run_options, NULL, supervisor_run_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "stop", NULL, "", "End it; containers go on", NULL, EXAMPLES("stack -p shop supervisor stop", "the next command starts it again", "stack -p shop supervisor stop --containers", "as before a reboot: restore brings them back"), NULL,
	  supervisor_stop_options, NULL, supervisor_stop_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "reload", NULL, "", "Put the installed binary in its place; containers go on", NULL, EXAMPLES("stack -p shop supervisor reload", "after an upgrade"), NULL,
	  NULL, NULL, supervisor_reload_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "logs", NULL, "", "Show what it has logged", NULL, EXAMPLES("stack -p shop supervisor logs", "one event a line"), NULL,
	  NULL, NULL, supervisor_logs_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};

static const struct command system_commands[] = {
	{ "check", NULL, "", "Check the machine, then records against the kernel", NULL, EXAMPLES("stack system check --fix", "clear what a crash left"), NULL,
	  check_options, NULL, check_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "df", NULL, "", "Show what takes space", NULL, EXAMPLES("stack system df -v", "each thing of it"), NULL,
	  df_options, NULL, df_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "prune", NULL, "", "Remove what nothing uses", NULL, EXAMPLES("stack system prune -af", "images by name, too"), NULL,
	  system_prune_options, NULL, system_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "info", NULL, "", "Show what this machine is and holds", NULL, EXAMPLES("stack system info --format json", "for programs"), NULL,
	  info_options, NULL, info_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};

static const struct command commands[] = {
	{ "up", NULL, SERVICES_USAGE, "Create and start what the file describes", NULL,
	  EXAMPLES("stack up", "in the foreground, with merged logs", "stack -f app.yml up -d --wait", "in the background, when everything is healthy"),
	  NULL, up_options, NULL, up_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "down", NULL, SERVICES_USAGE, "Stop and remove containers and networks", NULL,
	  EXAMPLES("stack down", "volumes stay", "stack down -v", "volumes of the file go, too"),
	  NULL, down_options, NULL, down_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "ps", NULL, SERVICES_USAGE, "List containers", NULL, EXAMPLES("stack ps -a", "stopped ones, too"),
	  NULL, ps_options, NULL, ps_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "logs", NULL, SERVICES_USAGE, "Show the output of containers", NULL, EXAMPLES("stack logs -f --tail 20 web", "the last lines, and what comes"),
	  NULL, logs_options, NULL, logs_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "exec", NULL, "SERVICE COMMAND [ARG...]", "Run a command in a running container", NULL, EXAMPLES("stack exec db psql -U postgres", "with a terminal"),
	  NULL, exec_options, NULL, exec_command, 2, ARGUMENTS_ANY, ARGUMENT_SERVICE, COMMAND_STOPS },
	{ "run", NULL, "SERVICE [COMMAND] [ARG...]", "Run a command in a new container of a service", NULL, EXAMPLES("stack run --rm web sh", "removed at the end"),
	  NULL, run_options, NULL, run_command, 1, ARGUMENTS_ANY, ARGUMENT_SERVICE, COMMAND_STOPS },
	{ "attach", NULL, "SERVICE", "Join the streams of a container", NULL, EXAMPLES("stack attach web", "ctrl-p ctrl-q leaves it"),
	  NULL, attach_options, NULL, attach_command, 1, 1, ARGUMENT_SERVICE, 0 },
	{ "create", NULL, SERVICES_USAGE, "Create containers and do not start them", NULL, EXAMPLES("stack create", "start follows"),
	  NULL, create_options, NULL, create_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "start", NULL, SERVICES_USAGE, "Start existing containers", NULL, EXAMPLES("stack start web", "and what it depends on"),
	  NULL, NULL, NULL, start_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "stop", NULL, SERVICES_USAGE, "Stop containers", NULL, EXAMPLES("stack stop -t 5", "with five seconds of grace"),
	  NULL, stop_options, NULL, stop_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "restart", NULL, SERVICES_USAGE, "Stop and start containers", NULL, EXAMPLES("stack restart web", "one service"),
	  NULL, restart_options, NULL, restart_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "kill", NULL, SERVICES_USAGE, "Send a signal to containers", NULL, EXAMPLES("stack kill -s HUP web", "reload"),
	  NULL, kill_options, NULL, kill_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "pause", NULL, SERVICES_USAGE, "Freeze containers", NULL, EXAMPLES("stack pause", "all of the project"),
	  NULL, NULL, NULL, pause_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "unpause", NULL, SERVICES_USAGE, "Let frozen containers go on", NULL, EXAMPLES("stack unpause", "all of the project"),
	  NULL, NULL, NULL, unpause_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "rm", NULL, SERVICES_USAGE, "Remove stopped containers", NULL, EXAMPLES("stack rm -fs job", "stop and remove, no question"),
	  NULL, rm_options, NULL, rm_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "scale", NULL, "SERVICE=NUM...", "Change the number of replicas", NULL, EXAMPLES("stack scale web=3", "three of them"),
	  NULL, scale_options, NULL, scale_command, 1, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "watch", NULL, SERVICES_USAGE, "Follow changes of files: sync them, restart or rebuild", NULL, EXAMPLES("stack watch", "starts what develop.watch is about, then follows it", "stack watch --no-up web", "one service that runs already"),
	  NULL, watch_options, NULL, watch_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "pull", NULL, SERVICES_USAGE, "Fetch the images of services", NULL, EXAMPLES("stack pull", "all of the file"),
	  NULL, pull_options, NULL, pull_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "build", NULL, SERVICES_USAGE, "Build the images of services that have `build`", NULL, EXAMPLES("stack build", "all of the file", "stack build --no-cache web", "every step anew"),
	  NULL, build_options, NULL, build_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "push", NULL, SERVICES_USAGE, "Send the images of services that are built here to their registries", NULL, EXAMPLES("stack push", "services without build are skipped"),
	  NULL, push_options, NULL, push_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "config", "convert", SERVICES_USAGE, "Check the files and show what they resolve to", NULL, EXAMPLES("stack config --format json", "for other programs"),
	  NULL, config_options_table, NULL, config_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "plan", NULL, SERVICES_USAGE, "Show what up would do, and why", NULL, EXAMPLES("stack plan", "0: nothing to do, 2: changes"),
	  NULL, plan_options_table, NULL, plan_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "ls", NULL, "", "List projects", NULL, EXAMPLES("stack ls -a", "also without running containers"),
	  NULL, ls_options, NULL, ls_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "images", NULL, SERVICES_USAGE, "List the images of a project's containers", NULL, EXAMPLES("stack images", "one line a container"),
	  NULL, images_options, NULL, images_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "port", NULL, "SERVICE PORT", "Print the published port", NULL, EXAMPLES("stack port web 80", "0.0.0.0:8080"),
	  NULL, port_options, NULL, port_command, 2, 2, ARGUMENT_SERVICE, 0 },
	{ "top", NULL, SERVICES_USAGE, "Show the processes of containers", NULL, EXAMPLES("stack top", "with host pids"),
	  NULL, NULL, NULL, top_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "events", NULL, SERVICES_USAGE, "Show what happens", NULL, EXAMPLES("stack events --json", "one object a line"),
	  NULL, events_options, NULL, events_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "why", NULL, "SERVICE", "Tell why a service is as it is", NULL, EXAMPLES("stack why web", "the newest reason first"),
	  NULL, why_options, NULL, why_command, 1, 1, ARGUMENT_SERVICE, 0 },
	{ "status", NULL, SERVICES_USAGE, "One screen: services, health, ports, what waits for what", NULL, EXAMPLES("stack status", "of the project in this folder"),
	  NULL, status_options, NULL, status_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "history", NULL, "", "List the models that were applied, and what changed", NULL, EXAMPLES("stack history", "the one in force first"),
	  NULL, history_options, NULL, history_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "graph", NULL, "", "Draw services and what they depend on, with their states", NULL, EXAMPLES("stack graph | dot -Tsvg > app.svg", "by Graphviz", "stack graph --format mermaid", "for a web page"),
	  NULL, graph_options, NULL, graph_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "rollback", NULL, SERVICES_USAGE, "Go back to the former model, for all services or some", NULL,
	  EXAMPLES("stack rollback", "what the last up changed", "stack rollback web", "the state before of one service, its image, too"),
	  NULL, NULL, NULL, rollback_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "restore", NULL, "[PROJECT...]", "Bring back what ran when the machine went down, by restart policy and in order", NULL,
	  EXAMPLES("stack restore", "all projects that are meant to be up", "stack restore shop", "one of them"),
	  NULL, NULL, NULL, restore_command, 0, ARGUMENTS_ANY, ARGUMENT_OTHER, 0 },
	{ "enable", NULL, "", "Bring the project back at boot, by systemd", NULL, EXAMPLES("stack -p shop enable", "links stack@shop.service"),
	  NULL, NULL, NULL, enable_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "disable", NULL, "", "Leave the project alone at boot", NULL, EXAMPLES("stack -p shop disable", "what runs goes on"),
	  NULL, NULL, NULL, disable_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "wait", NULL, "SERVICE...", "Wait until containers end, and end with the last one's status", NULL, EXAMPLES("stack wait job", "a job that was started with up -d"),
	  NULL, wait_options, NULL, wait_command, 1, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "stats", NULL, SERVICES_USAGE, "Show what containers use: CPU, memory, network, disk", NULL, EXAMPLES("stack stats --no-stream", "once"),
	  NULL, stats_options, NULL, stats_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "cp", NULL, "SERVICE:PATH DEST|- , SRC|- SERVICE:PATH", "Copy files in or out of a container", NULL,
	  EXAMPLES("stack cp web:/etc/nginx/nginx.conf .", "out", "stack cp site/. web:/usr/share/nginx/html", "the content of a folder into all replicas"),
	  NULL, cp_options, NULL, cp_command, 2, 2, ARGUMENT_FILE, 0 },
	{ "export", NULL, "SERVICE", "Write the file system of a container as a tar; or the project for Kubernetes or Swarm", NULL,
	  EXAMPLES("stack export -o web.tar web", "volumes are not in it; a service called kubernetes: stack container export"),
	  NULL, export_options, export_commands, export_command, 1, 1, ARGUMENT_SERVICE, 0 },
	{ "commit", NULL, "SERVICE [NAME]", "Make an image of what a container changed", NULL, EXAMPLES("stack commit -c 'CMD [\"serve\"]' web web:patched", "with another command"),
	  NULL, commit_options, NULL, commit_command, 1, 2, ARGUMENT_SERVICE, 0 },
	{ "volumes", NULL, SERVICES_USAGE, "List the volumes of a project", NULL, EXAMPLES("stack volumes", "declared and anonymous ones"),
	  NULL, volumes_options, NULL, volumes_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "inspect", NULL, "NAME...", "Show a container or an image in detail", NULL, EXAMPLES("stack inspect shop-web-1", "as docker inspect does"), "Machine",
	  inspect_options, NULL, inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_CONTAINER, 0 },
	{ "image", NULL, "", "Images of this machine", NULL, NULL, "Machine", NULL, image_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "container", NULL, "", "Containers of all projects", NULL, NULL, "Machine", NULL, container_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "volume", NULL, "", "Volumes of this machine", NULL, NULL, "Machine", NULL, volume_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "network", NULL, "", "Networks of this machine", NULL, NULL, "Machine", NULL, network_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "secret", NULL, "", "Secrets of this machine", NULL, NULL, "Machine", NULL, secret_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "login", NULL, "[REGISTRY]", "Prove a user name and a password to a registry, and keep them", NULL, EXAMPLES("stack login -u me registry.example.com", "asks for the password"), "Machine",
	  login_options, NULL, login_command, 0, 1, ARGUMENT_OTHER, 0 },
	{ "logout", NULL, "[REGISTRY]", "Forget the password for a registry", NULL, EXAMPLES("stack logout registry.example.com", "one registry"), "Machine",
	  NULL, NULL, logout_command, 0, 1, ARGUMENT_OTHER, 0 },
	{ "info", NULL, "", "Show what this machine is and holds", NULL, EXAMPLES("stack info", "as stack system info"), "Machine",
	  info_options, NULL, info_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "system", NULL, "", "The machine and its state", NULL, NULL, "Machine", NULL, system_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "supervisor", NULL, "", "The process behind a project", NULL, NULL, "Machine", NULL, supervisor_commands, NULL, 0, 0, ARGUMENT_OTHER, 0 },
	{ "completion", NULL, "bash|zsh|fish", "Print a completion script", NULL, EXAMPLES("stack completion bash > /etc/bash_completion.d/stack", "for bash"), "Machine",
	  NULL, NULL, completion_command, 1, 1, ARGUMENT_OTHER, 0 },
	{ "__complete", NULL, "WORD...", "What may stand next on a command line", NULL, NULL, "Machine",
	  NULL, NULL, complete_command, 0, ARGUMENTS_ANY, ARGUMENT_OTHER, COMMAND_STOPS | COMMAND_HIDDEN },
	{ "manual", NULL, "[file]", "Print the manual page, or that of the stack file", NULL, EXAMPLES("stack manual | man -l -", "read it", "stack manual file | man -l -", "the keys of the file"), "Machine",
	  NULL, NULL, manual_command, 0, 1, ARGUMENT_OTHER, 0 },
	{ "version", NULL, "", "Print the version", NULL, EXAMPLES("stack version --short", "the number alone"), "Machine",
	  version_options, NULL, version_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};

static const struct command root = {
	.name = "stack",
	.arguments = "",
	.summary = "Bring up what one file describes, and keep it so",
	.examples = EXAMPLES("stack up -d", "start the application of this folder", "stack logs -f", "follow its output", "stack down", "end it"),
	.options = global_options,
	.children = commands,
};
/* clang-format on */

/* Programs beside our own binary (a build folder), else in libexec (an installation). */
static char *program_beside(const char *own, const char *name)
{
	const char *slash = strrchr(own, '/');
	char *path = xformat("%.*s/%s", (int)(slash - own), own, name);

	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return xformat("%.*s/../libexec/stack/%s", (int)(slash - own), own, name);
}

static void find_programs(struct cli *cli)
{
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	own[n < 0 ? 0 : n] = '\0';
	if (n <= 0)
		snprintf(own, sizeof(own), "/usr/local/bin/stack");
	cli->program = xstrdup(own);
	cli->runtime = program_beside(own, "stack-runtime");
	cli->netd = program_beside(own, "stack-netd");
	cli->init = program_beside(own, "stack-init");
}

static const char *environment(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

static int usage_error(const struct options *options, const struct err *err)
{
	const char *why =
		err->code == ERR_NOT_FOUND ? refusal_of_command(options_unknown(options)) : NULL;

	if (err->code == ERR_NOT_FOUND && !why)
		help_print(stdout, options);
	if (why)
		fprintf(stderr, "stack: stack %s is not supported: %s\n", options_unknown(options),
			why);
	else
		fprintf(stderr, "stack: %s\n", err->msg);
	return 1;
}

static int run(struct cli *cli, struct options *options, struct err *err)
{
	const struct command *command = options_command(options);

	if (options_apply_env(options, environment, NULL, err) < 0)
		return -1;
	cli->options = options;
	cli->settable = options;
	if (cli_choose_output(cli, err) < 0)
		return -1;
	cli->dry_run = options_flag(options_globals(options), "dry-run");
	if (options_flag(options_globals(options), "compatibility"))
		cli_warn("--compatibility has no effect: names of containers have - between their "
			 "parts");
	if (cli->dry_run && dry_run_replaces(options))
		return 0;
	if (refusal_of_rights(options, err) < 0)
		return -1;
	return command->run(cli, options, err);
}

int main(int argc, char **argv)
{
	struct cli cli = { .own_argc = argc, .own_argv = argv };
	AUTO(options) struct options *options = options_new(&root);
	struct err err = ERR_NONE;
	int status;

	if (options_parse(options, argc, argv, &err) < 0)
		return usage_error(options, &err);
	if (options_flag(options_globals(options), "version") &&
	    options_command(options) == &root) {
		puts("stack version " STACK_VERSION);
		return 0;
	}
	if (options_wants_help(options) || !options_command(options)->run) {
		help_print(stdout, options);
		return 0;
	}
	cli.arena = arena_new();
	find_programs(&cli);
	status = run(&cli, options, &err);
	if (status < 0) {
		if (err.msg[0])
			fprintf(stderr, "stack: %s\n", err.msg);
		status = err.code == ERR_CANCELLED ? 130 : 1;
	}
	if (fflush(stdout) != 0 && errno != EPIPE)
		fprintf(stderr, "stack: write output: %s\n", strerrordesc_np(errno));
	settings_free(cli.settings);
	if (cli.roots)
		roots_close(cli.roots);
	free(cli.program);
	free(cli.runtime);
	free(cli.netd);
	free(cli.init);
	arena_free(cli.arena);
	return status;
}

int completion_command(struct cli *cli, const struct options *options, struct err *err)
{
	(void)cli;
	return complete_print_script(stdout, &root, options_argument(options, 0), err);
}

int complete_command(struct cli *cli, const struct options *options, struct err *err)
{
	size_t count = options_argument_count(options);
	char **words = arena_alloc(cli->arena, (count + 1) * sizeof(*words));

	(void)err;
	for (size_t i = 0; i < count; i++)
		words[i] = arena_strdup(cli->arena, options_argument(options, i));
	complete_print(stdout, &root, (int)count, words, complete_machine_names, cli);
	return 0;
}

int manual_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *page = options_argument(options, 0);

	(void)cli;
	if (page && strcmp(page, "file") != 0)
		return err_set(err, ERR_INVALID,
			       "\"%s\": there is one for the file: stack manual file", page);
	if (page)
		manual_file_print(stdout, STACK_VERSION);
	else
		manual_print(stdout, &root, STACK_VERSION);
	return 0;
}

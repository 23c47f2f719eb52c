/* orchestrator/cli/cmd_enter - commands that go into a container: exec, run, attach.
 *
 * Owns: their flags, the hand-over to stack-runtime and to the monitor. May not touch: how a
 * process gets in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "images/user.h"
#include "orchestrator/cli/attach.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/observe.h"
#include "specs/support.h"

#define EXEC_FAILED    255 /* stack-runtime exec: the program did not run */
#define NOT_FOUND      127
#define NOT_EXECUTABLE 126

/* clang-format off */
const struct option_row exec_options[] = {
	OPT_FLAG("detach", 'd', "Leave it running in the background"),
	OPT_FLAG("no-tty", 'T', "No terminal (default: one when stdin and stdout are one)", .alias = "no-TTY"),
	OPT_FLAG("interactive", 'i', "Keep stdin open", .fallback = "true", .flags = OPTION_HIDDEN),
	OPT_FLAG("tty", 't', "A terminal", .flags = OPTION_HIDDEN),
	OPT_LIST("env", 'e', "NAME[=VALUE]", "Set a variable"),
	OPT_TEXT("user", 'u', "USER[:GROUP]", "Run as this user"),
	OPT_TEXT("workdir", 'w', "DIR", "Working directory"),
	OPT_FLAG("privileged", 0, "With all capabilities"),
	OPT_NUMBER("index", 0, "N", "Replica (default: the lowest that runs)", .min = 1, .max = 1000000),
	OPT_END,
};
const struct option_row run_options[] = {
	OPT_FLAG("detach", 'd', "Leave it running in the background and print its ID"),
	OPT_FLAG("no-tty", 'T', "No terminal (default: one when stdin and stdout are one)", .alias = "no-TTY"),
	OPT_FLAG("interactive", 'i', "Keep stdin open", .fallback = "true"),
	OPT_FLAG("rm", 0, "Remove the container when it ends, with its anonymous volumes"),
	OPT_LIST("env", 'e', "NAME[=VALUE]", "Set a variable"),
	OPT_TEXT("user", 'u', "USER[:GROUP]", "Run as this user"),
	OPT_TEXT("workdir", 'w', "DIR", "Working directory"),
	OPT_TEXT("entrypoint", 0, "COMMAND", "Over the entrypoint of service and image"),
	OPT_TEXT("name", 0, "NAME", "Name of the container"),
	OPT_FLAG("service-ports", 'P', "Publish the ports of the service"),
	OPT_FLAG("use-aliases", 0, "Take the service's names in its networks"),
	OPT_FLAG("no-deps", 0, "Do not start what the service depends on"),
	OPT_CHOICE("pull", 0, "always|missing|never", "When to pull, over pull_policy"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know"),
	OPT_FLAG("quiet-pull", 0, "Pull without progress"),
	OPT_FLAG("quiet", 'q', "No progress"),
	OPT_END,
};
const struct option_row attach_options[] = {
	OPT_FLAG("no-stdin", 0, "Do not pass stdin on"),
	OPT_FLAG("sig-proxy", 0, "Pass signals on", .fallback = "true"),
	OPT_NUMBER("index", 0, "N", "Replica", .min = 1, .max = 1000000),
	OPT_END,
};
/* clang-format on */

static bool wants_terminal(const struct options *options)
{
	return !options_flag(options, "no-tty") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* The running container that the command means. */
static int find_running(struct cli *cli, const struct options *options,
			struct observed **out_observed, const struct observed_container **out,
			struct err *err)
{
	const char *service = options_argument(options, 0);
	struct project_dirs *dirs = NULL;
	struct observed *observed;

	if (cli_project_dirs(cli, false, &dirs, err) < 0)
		return -1;
	if (!dirs)
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" is not running", service);
	observed = observe_project(dirs, err);
	project_dirs_close(dirs);
	if (!observed)
		return -1;
	*out_observed = observed;
	*out = observed_find(observed, service, (unsigned)options_number(options, "index"));
	if (!*out && !observed_has_service(observed, service))
		return err_set(err, ERR_NOT_FOUND, "no such service: %s", service);
	if (!*out || !(*out)->alive)
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" is not running", service);
	return 0;
}

/* ---- exec ---- */

struct words {
	const char **items;
	size_t count;
};

static void add(struct words *words, const char *text)
{
	*(const char **)xgrow(&words->items, &words->count, sizeof(char *)) = text;
}

/* Names are looked up in the container's own passwd. */
static int user_numbers(struct cli *cli, const struct record *record, const char *user,
			const char **out, struct err *err)
{
	AUTO(free) char *path = xformat("/proc/%d/root", (int)record->init.pid);
	AUTO(fd) int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct image_user found;

	if (root_fd < 0)
		return err_sys(err, errno, "open the container's root");
	if (user_resolve(root_fd, user, NULL, 0, &found, err) < 0)
		return -1;
	*out = arena_format(cli->arena, "%u:%u", found.uid, found.gid);
	return 0;
}

static int exec_words(struct cli *cli, const struct options *options, const struct record *record,
		      struct words *words, struct err *err)
{
	const char *const *env = options_list(options, "env", NULL);
	const char *const *command = options_arguments(options) + 1;
	const char *user = options_text(options, "user");

	add(words, "stack-runtime");
	add(words, "--root");
	add(words, arena_format(cli->arena, "%s/containers", cli->roots->run));
	add(words, "exec");
	if (wants_terminal(options) && !options_flag(options, "detach"))
		add(words, "--tty");
	if (options_flag(options, "detach"))
		add(words, "--detach");
	if (options_text(options, "workdir")) {
		add(words, "--cwd");
		add(words, options_text(options, "workdir"));
	}
	if (user) {
		const char *numbers;

		if (user_numbers(cli, record, user, &numbers, err) < 0)
			return -1;
		add(words, "--user");
		add(words, numbers);
	}
	for (; *env; env++) {
		const char *value = strchr(*env, '=') ? NULL : getenv(*env);

		if (!strchr(*env, '=') && !value)
			continue;
		add(words, "--env");
		add(words, value ? arena_format(cli->arena, "%s=%s", *env, value) : *env);
	}
	add(words, record->id);
	for (; *command; command++)
		add(words, *command);
	add(words, NULL);
	return 0;
}

/* 255 says only that the program did not run; the runtime's text says why. */
static int status_of_text(const char *text)
{
	if (strstr(text, "not found") || strstr(text, "no such file") ||
	    strstr(text, "No such file"))
		return NOT_FOUND;
	if (strstr(text, "permission denied") || strstr(text, "Permission denied") ||
	    strstr(text, "is a directory") || strstr(text, "Is a directory") ||
	    strstr(text, "exec format") || strstr(text, "Exec format"))
		return NOT_EXECUTABLE;
	return 1;
}

static int run_runtime(struct cli *cli, const struct words *words, struct err *err)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(err, errno, "fork");
	if (pid == 0) {
		execv(cli->runtime, (char *const *)(uintptr_t)words->items);
		fprintf(stderr, "start %s: %s\n", cli->runtime, strerrordesc_np(errno));
		_exit(EXEC_FAILED);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* stderr of the runtime passes through a pipe only when it must be looked at: never, unless it
 * failed. */
static int exec_and_map(struct cli *cli, struct words *words, struct err *err)
{
	char template[] = "/tmp/stack-exec.XXXXXX";
	AUTO(fd) int log_fd = mkstemp(template);
	AUTO(free) char *text = NULL;
	struct words with_log = { NULL, 0 };
	struct err ignored = ERR_NONE;
	int status;

	if (log_fd < 0)
		return err_sys(err, errno, "make a temporary file");
	add(&with_log, words->items[0]);
	add(&with_log, "--log");
	add(&with_log, template);
	for (size_t i = 1; i < words->count; i++)
		add(&with_log, words->items[i]);
	status = run_runtime(cli, &with_log, err);
	free(with_log.items);
	unlink(template);
	if (status != EXEC_FAILED)
		return status;
	if (lseek(log_fd, 0, SEEK_SET) < 0 ||
	    file_read_fd(log_fd, "log", 65536, &text, NULL, &ignored) < 0 || !*text)
		return status;
	return status_of_text(text);
}

int exec_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct observed *found = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	struct words words = { NULL, 0 };
	int status = find_running(cli, options, &found, &container, err);

	observed = found;
	if (status == 0)
		status = exec_words(cli, options, container->record, &words, err);
	if (status == 0)
		status = exec_and_map(cli, &words, err);
	free(words.items);
	return status;
}

/* ---- attach ---- */

int attach_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct observed *found = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	struct attach *attach;
	int status = find_running(cli, options, &found, &container, err);

	observed = found;
	if (status < 0)
		return -1;
	attach = attach_open(
		cli->roots,
		&(struct attach_view){
			.container_id = container->record->id,
			.init = container->record->init,
			.stdin_open = !options_flag(options, "no-stdin"),
			.tty = json_bool_or(container->info, "tty", false) && isatty(STDIN_FILENO),
			.proxy_signals = options_flag(options, "sig-proxy"),
		},
		err);
	if (!attach)
		return -1;
	status = attach_follow(attach, err);
	attach_close(attach);
	if (status < 0 && err->code == ERR_CANCELLED)
		return 0;
	return status;
}

/* ---- run ---- */

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
static void attach_and_go(struct run_state *run, const char *container)
{
	struct json_object *go = json_object_new_object();

	snprintf(run->container, sizeof(run->container), "%s", container);
	progress_end(run->progress);
	run->attach = attach_open(run->cli->roots,
				  &(struct attach_view){ .container_id = container,
							 .stdin_open = run->stdin_open,
							 .tty = run->tty,
							 .proxy_signals = true,
							 .replay = -1 },
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
			attach_and_go(run, json_text_or(event, "attach", ""));
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

static void add_words(struct json_object *object, const char *key, const char *const *words)
{
	struct json_object *array = json_add_array(object, key);

	for (; *words; words++)
		json_push_text(array, *words);
}

static void describe_run(const struct options *options, bool tty, struct json_object *request)
{
	struct json_object *run = json_add_object(request, "run"), *environment;
	const char *const *command = options_arguments(options) + 1;
	const char *const *env = options_list(options, "env", NULL);
	const char *entrypoint = options_text(options, "entrypoint");

	json_add_text(run, "service", options_argument(options, 0));
	if (command[0])
		add_words(run, "command", command);
	if (entrypoint)
		add_words(run, "entrypoint", (const char *const[]){ entrypoint, NULL });
	environment = json_add_object(run, "environment");
	for (; *env; env++) {
		const char *sign = strchr(*env, '='), *value = sign ? sign + 1 : getenv(*env);
		AUTO(free) char *name = xstrndup(*env, sign ? (size_t)(sign - *env) : strlen(*env));

		if (value)
			json_add_text(environment, name, value);
	}
	json_add_text(run, "user", options_text(options, "user"));
	json_add_text(run, "working_dir", options_text(options, "workdir"));
	json_add_text(run, "name", options_text(options, "name"));
	json_add_bool(run, "tty", tty);
	json_add_bool(run, "stdin", options_flag(options, "interactive"));
	json_add_bool(run, "ports", options_flag(options, "service-ports"));
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

int run_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const flags[] = { "no-deps", "remove-orphans", "quiet-pull", NULL };
	const char *const services[] = { options_argument(options, 0), NULL };
	struct run_state run = { .cli = cli, .stdin_open = options_flag(options, "interactive") };
	AUTO(client) struct client *client = NULL;
	AUTO(client) struct client *second = NULL;
	struct load_result loaded;
	struct json_object *wishes, *request;
	int status;

	if (cli_load(cli, 0, services, &loaded, err) < 0 ||
	    project_check_supported(loaded.project, err) < 0 || cli_roots(cli, err) < 0)
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
	describe_run(options, run.tty, request);
	status = follow_run(&run, options, client, request, err);
	progress_free(run.progress);
	return status;
}

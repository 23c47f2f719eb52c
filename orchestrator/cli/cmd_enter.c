/* orchestrator/cli/cmd_enter - commands that go into a container: exec, attach.
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
#include "orchestrator/cli/attach.h"
#include "orchestrator/cli/cmd_enter.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/exec.h"
#include "orchestrator/observe.h"
#include "orchestrator/profile.h"
#include "orchestrator/spawn.h"

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
const struct option_row attach_options[] = {
	OPT_FLAG("no-stdin", 0, "Do not pass stdin on"),
	OPT_FLAG("sig-proxy", 0, "Pass signals on", .fallback = "true"),
	OPT_TEXT("detach-keys", 0, "KEYS", "Keys that leave it running (default ctrl-p,ctrl-q)"),
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
	if ((!*out || !(*out)->alive) && options_is_given(options, "index"))
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" is not running container #%lld",
			       service, (long long)options_number(options, "index"));
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

/* What --privileged gives: every capability that has a name. */
static void add_capabilities(struct words *words)
{
	const char *name;

	for (unsigned i = 0; (name = profile_capability_name(i)) != NULL; i++) {
		add(words, "--cap");
		add(words, name);
	}
}

static int exec_words(struct cli *cli, const struct options *options, const struct record *record,
		      const char *const *command, unsigned flags, struct words *words,
		      struct err *err)
{
	const char *const *env = options_list(options, "env", NULL);
	const char *user = options_text(options, "user");

	add(words, "stack-runtime");
	add(words, "--root");
	add(words, arena_format(cli->arena, "%s/containers", cli->roots->run));
	add(words, "exec");
	if (flags & ENTER_TTY && !(flags & ENTER_DETACH))
		add(words, "--tty");
	if (flags & ENTER_DETACH)
		add(words, "--detach");
	if (options_flag(options, "privileged"))
		add_capabilities(words);
	if (options_text(options, "workdir")) {
		add(words, "--cwd");
		add(words, options_text(options, "workdir"));
	}
	if (user) {
		const char *numbers;

		if (exec_user_numbers(cli->arena, record, user, &numbers, err) < 0)
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

static int run_runtime(struct cli *cli, const struct words *words, unsigned flags, struct err *err)
{
	int status;
	/* From the view it need not execute itself a second time. */
	AUTO(fd) int view_fd = spawn_view(cli->runtime, err);
	pid_t pid = view_fd < 0 ? -1 : fork();

	if (view_fd < 0)
		return -1;
	if (pid < 0)
		return err_sys(err, errno, "fork");
	if (pid == 0) {
		if (flags & ENTER_NO_STDIN) {
			close(STDIN_FILENO);
			if (open("/dev/null", O_RDONLY) < 0)
				_exit(EXEC_FAILED);
		}
		execveat(view_fd, "", (char *const *)(uintptr_t)words->items, environ,
			 AT_EMPTY_PATH);
		fprintf(stderr, "start %s: %s\n", cli->runtime, strerrordesc_np(errno));
		_exit(EXEC_FAILED);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* stderr of the runtime passes through a pipe only when it must be looked at: never, unless it
 * failed. */
static int exec_and_map(struct cli *cli, struct words *words, unsigned flags, struct err *err)
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
	status = run_runtime(cli, &with_log, flags, err);
	free(with_log.items);
	unlink(template);
	if (status != EXEC_FAILED)
		return status;
	if (lseek(log_fd, 0, SEEK_SET) < 0 ||
	    file_read_fd(log_fd, "log", 65536, &text, NULL, &ignored) < 0 || !*text)
		return status;
	return status_of_text(text);
}

int enter_exec(struct cli *cli, const struct options *options, const struct record *record,
	       const char *const *command, unsigned flags, struct err *err)
{
	struct words words = { NULL, 0 };
	int status = exec_words(cli, options, record, command, flags, &words, err);

	if (status == 0)
		status = exec_and_map(cli, &words, flags, err);
	free(words.items);
	return status;
}

int exec_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct observed *found = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	unsigned flags = (wants_terminal(options) ? ENTER_TTY : 0) |
			 (options_flag(options, "detach") ? ENTER_DETACH : 0);
	int status = find_running(cli, options, &found, &container, err);

	observed = found;
	return status < 0 ? -1
			  : enter_exec(cli, options, container->record,
				       options_arguments(options) + 1, flags, err);
}

/* ---- attach ---- */

int enter_attach(struct cli *cli, const struct options *options,
		 const struct observed_container *container, struct err *err)
{
	struct attach *attach = attach_open(
		cli->roots,
		&(struct attach_view){
			.container_id = container->record->id,
			.init = container->record->init,
			.stdin_open = !options_flag(options, "no-stdin"),
			.tty = json_bool_or(container->info, "tty", false) && isatty(STDIN_FILENO),
			.proxy_signals = options_flag(options, "sig-proxy"),
			.detach_keys = options_text(options, "detach-keys"),
		},
		err);
	int status;

	if (!attach)
		return -1;
	status = attach_follow(attach, err);
	attach_close(attach);
	if (status < 0 && err->code == ERR_CANCELLED)
		return 0;
	return status;
}

int attach_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct observed *found = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	int status = find_running(cli, options, &found, &container, err);

	observed = found;
	return status < 0 ? -1 : enter_attach(cli, options, container, err);
}

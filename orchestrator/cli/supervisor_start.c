/* orchestrator/cli/supervisor_start - from a command to the process that stays behind it.
 *
 * Owns: what the new process keeps of the command (title, environment, descriptors), the word that
 * it is ready. May not touch: what a supervisor does.
 */
#include "orchestrator/cli/supervisor_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/process.h"
#include "orchestrator/supervisor.h"

extern char **environ;

static void set_title(const struct cli *cli, const char *project)
{
	size_t room = 0;

	prctl(PR_SET_NAME, "stack-superv");
	for (int i = 0; i < cli->own_argc; i++)
		room += strlen(cli->own_argv[i]) + 1;
	if (room)
		memset(cli->own_argv[0], 0, room);
	if (room)
		snprintf(cli->own_argv[0], room, "stack supervisor %s", project);
}

/* Variables that name paths, proxies and registries' settings; all others are the user's (secrets
 * may be among them) and stay neither in /proc/PID/environ nor in what our own programs inherit. */
static bool is_kept(const char *variable)
{
	static const char *const kept[] = {
		"PATH=",        "HOME=",        "TMPDIR=",        "TZ=",       "LANG=",
		"STACK_",       "XDG_",         "DOCKER_CONFIG=", "REGISTRY_", "SSL_CERT_",
		"HTTP_PROXY=",  "HTTPS_PROXY=", "ALL_PROXY=",     "NO_PROXY=", "http_proxy=",
		"https_proxy=", "all_proxy=",   "no_proxy="
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

static void drop_environment(void)
{
	size_t n = 0;

	for (size_t i = 0; environ[i]; i++)
		if (is_kept(environ[i]))
			environ[n++] = environ[i];
		else
			explicit_bzero(environ[i], strlen(environ[i]));
	environ[n] = NULL;
}

static void close_from(int first, int keep)
{
	for (int fd = first; fd < keep; fd++)
		close(fd);
	close_range((unsigned)keep + 1, ~0u, 0);
}

/* The grandchild: a supervisor with nothing of the terminal left. */
static void become_supervisor(const struct cli *cli, const char *project, int ready_fd)
{
	struct err err = ERR_NONE;
	struct roots *roots;
	struct supervisor_options options = { .program = cli->program,
					      .runtime_path = cli->runtime,
					      .netd_path = cli->netd,
					      .init_path = cli->init,
					      .ready_fd = ready_fd,
					      .trace_fd = -1 };
	int null_fd = open("/dev/null", O_RDWR);

	dup2(null_fd, 0);
	dup2(null_fd, 1);
	dup2(null_fd, 2);
	close_from(3, ready_fd);
	roots = roots_open(cli->roots->state, cli->roots->run, &err);
	options.project = xstrdup(project); /* the title is written over argv, where it may lie */
	set_title(cli, options.project);
	drop_environment();
	options.roots = roots;
	if (!roots)
		_exit(1);
	_exit(supervisor_run(&options, &err) < 0 ? 1 : 0);
}

int supervisor_start(struct cli *cli, const char *project, struct err *err)
{
	struct err first = ERR_NONE;
	int ends[2], status;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	fflush(NULL);
	status = process_daemonise(err);
	if (status < 0)
		return -1;
	if (status == 0)
		become_supervisor(cli, project, ends[1]);
	close(ends[1]);
	while ((n = read(ends[0], &first, sizeof(first))) < 0 && errno == EINTR)
		;
	close(ends[0]);
	if (n == 0)
		return 0;
	*err = n == (ssize_t)sizeof(first)
		       ? first
		       : (struct err){ ERR_SYSTEM, "the supervisor did not start" };
	return -1;
}

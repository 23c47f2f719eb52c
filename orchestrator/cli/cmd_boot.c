/* orchestrator/cli/cmd_boot - a project over reboots: restore, enable, disable, supervisor run.
 *
 * Owns: which projects are asked, who supervises when a service manager starts us. May not touch:
 * what comes back (restore), the files of systemd (boot).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "orchestrator/cli/boot.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/desired.h"
#include "orchestrator/notify.h"
#include "orchestrator/supervisor.h"

#define LOCK_TRIES    600
#define LOCK_WAIT_US  50000
#define STATUS_AT_END 64 /* stack@.service: not to be started again */

/* ---- restore ---- */

static bool is_meant_up(struct cli *cli, const char *name)
{
	struct err ignored = ERR_NONE;
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(cli->roots, name, false, &ignored);
	struct texts stopped;
	const char *state = "down";

	return dirs && desired_read(dirs, cli->arena, &state, &stopped, &ignored) == 0 &&
	       strcmp(state, "up") == 0;
}

static int restore_one(struct cli *cli, const char *name, struct err *err)
{
	struct json_object *options;
	AUTO(client) struct client *client = client_open(cli, name, true, err);

	return client ? client_follow(cli, client, "restore", request_new(NULL, &options),
				      "Restoring", NULL, err)
		      : -1;
}

/* One project that does not come back holds no other back. */
int restore_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(names) char **all = NULL;
	const char *const *names;
	int status = 0;

	if (cli_roots(cli, err) < 0)
		return -1;
	all = project_names(cli->roots, err);
	if (!all)
		return -1;
	names = options_arguments(options)[0] ? options_arguments(options)
					      : (const char *const *)(void *)all;
	for (; *names; names++) {
		struct err failure = ERR_NONE;

		if (!is_meant_up(cli, *names))
			continue;
		if (restore_one(cli, *names, &failure) == 0)
			continue;
		fprintf(stderr, "stack: project %s: %s\n", *names, failure.msg);
		status = 1;
	}
	return status;
}

/* ---- rollback ---- */

int rollback_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(client) struct client *client = NULL;
	struct json_object *inner;
	const char *name;

	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	client = client_open(cli, name, true, err);
	return client ? client_follow(cli, client, "rollback",
				      request_new(options_arguments(options), &inner), "Running",
				      NULL, err)
		      : -1;
}

/* ---- enable, disable ---- */

int enable_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *name;
	bool is_new;

	(void)options;
	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0 ||
	    boot_enable(&boot_dirs_system, cli->roots, name, &is_new, err) < 0)
		return -1;
	fprintf(stderr, "Project %s %s back at boot (stack@%s.service)\n", name,
		is_new ? "comes" : "came already", name);
	if (!is_meant_up(cli, name))
		cli_warn("nothing comes back before the first `stack up`");
	return 0;
}

int disable_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *name;
	bool was;

	(void)options;
	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0 ||
	    boot_disable(&boot_dirs_system, name, &was, err) < 0)
		return -1;
	fprintf(stderr, "Project %s %s back at boot\n", name,
		was ? "does not come" : "did not come");
	return 0;
}

/* ---- supervisor run ---- */

/* The lock of the project; a living supervisor is asked to give way (containers go on). */
static int take_over(struct cli *cli, const char *name, struct project_dirs *dirs, struct err *err)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		struct err busy = ERR_NONE;
		AUTO(client) struct client *client = NULL;
		int fd = file_lock(dirs->run_fd, "supervisor.lock", false, &busy);

		if (fd >= 0)
			return fd;
		if (busy.code != ERR_BUSY) {
			*err = busy;
			return -1;
		}
		client = client_open(cli, name, false, &busy);
		if (client)
			client_request(client, "end", NULL, NULL, NULL, NULL, &busy);
		usleep(LOCK_WAIT_US);
	}
	return err_set(err, ERR_BUSY, "another supervisor of %s does not give way", name);
}

/* clang-format off */
const struct option_row supervisor_run_options[] = {
	OPT_NUMBER("lock-fd", 0, "FD", "The lock, inherited from a supervisor that reloads", .min = 3, .max = 1000000, .flags = OPTION_HIDDEN),
	OPT_END,
};
/* clang-format on */

/* Whose place we take has made way by executing us. */
static int inherited_lock(const struct options *options, struct err *err)
{
	int fd = (int)options_number(options, "lock-fd");

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(err, errno, "descriptor %d", fd);
	return fd;
}

int supervisor_run_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct supervisor_options wish = { .program = cli->program,
					   .runtime_path = cli->runtime,
					   .netd_path = cli->netd,
					   .init_path = cli->init,
					   .ready_fd = -1,
					   .trace_fd = -1,
					   .notify = notify_open(),
					   .restores = true };
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	const char *name;
	int status;

	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	dirs = project_dirs_open(cli->roots, name, true, err);
	if (!dirs)
		return -1;
	wish.restores = !options_is_set(options, "lock-fd");
	wish.lock_fd =
		wish.restores ? take_over(cli, name, dirs, err) : inherited_lock(options, err);
	prctl(PR_SET_NAME, "stack-superv");
	if (wish.lock_fd < 0)
		return -1;
	wish.roots = cli->roots;
	wish.project = name;
	status = supervisor_run(&wish, err);
	return status > 0 ? STATUS_AT_END : status;
}

/* ---- supervisor reload ---- */

#define RELOAD_TRIES 200

/* The same process with another binary: it answers again when it has adopted everything. */
static int await_successor(struct cli *cli, const char *name, int64_t pid, struct err *err)
{
	for (int i = 0; i < RELOAD_TRIES; i++) {
		AUTO(client) struct client *client = NULL;
		AUTO(json) struct json_object *status = NULL;

		usleep(LOCK_WAIT_US);
		*err = ERR_NONE;
		client = client_open(cli, name, false, err);
		if (client && client_request(client, "status", NULL, NULL, NULL, &status, err) == 0)
			return json_int_or(status, "pid", 0) == pid
				       ? 0
				       : err_set(err, ERR_SYSTEM,
						 "another supervisor has taken over");
	}
	return err_wrap(err, "the new binary does not answer");
}

int supervisor_reload_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(client) struct client *client = NULL;
	AUTO(json) struct json_object *result = NULL;
	const char *name;

	(void)options;
	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	client = client_open(cli, name, false, err);
	if (!client || client_request(client, "reload", NULL, NULL, NULL, &result, err) < 0)
		return -1;
	return await_successor(cli, name, json_int_or(result, "pid", 0), err);
}

/* runtime/monitor_foreign - the monitor's container made by another OCI runtime (`runtime: crun`).
 *
 * Owns: the run folder with a record as ours, the overlay at bundle/rootfs, the other program's
 * arguments. Its state lies in run_dir/runtime, so that nothing is shared between containers. May
 * not touch: streams, sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/mount.h"
#include "base/num.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/cgroup.h"
#include "runtime/monitor.h"
#include "runtime/monitor_life.h"
#include "runtime/state.h"
#include "runtime/terminal.h"

#define LOG_NAME      "runtime.log"
#define PID_NAME      "pid"
#define CONSOLE_NAME  "console.sock"
#define LOG_MAX_BYTES (1u << 20)
#define CONSOLE_MS    10000
#define ARGS_MAX      20

struct foreign {
	int run_dir_fd;
	char *root, *log, *pid_file, *console; /* paths in the run folder */
	struct cgroup *cgroup;                 /* NULL: not found */
	bool is_mounted;
};

/* What the program said last at level error; the log is emptied. */
static void take_message(struct foreign *foreign, const char *verb, int status, struct err *err)
{
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	char message[200] = "";

	file_read(foreign->run_dir_fd, LOG_NAME, LOG_MAX_BYTES, &text, NULL, &ignored);
	for (char *line = text, *end; line && *line; line = end + 1) {
		AUTO(json) struct json_object *entry = NULL;

		end = strchrnul(line, '\n');
		entry = json_parse(LOG_NAME, line, (size_t)(end - line), &ignored);
		if (strcmp(json_text_or(entry, "level", ""), "error") == 0)
			snprintf(message, sizeof(message), "%s", json_text_or(entry, "msg", ""));
		if (!*end)
			break;
	}
	if (message[0])
		err_set(err, ERR_SYSTEM, "%s: %s", verb, message);
	else if (status == 127)
		err_set(err, ERR_NOT_FOUND, "%s: the runtime cannot be executed: is it installed?",
			verb);
	else
		err_set(err, ERR_SYSTEM, "%s: the runtime ended with status %d", verb, status);
}

/* An engine's exit code from the words that all runtimes share. */
static int code_of(const struct err *err)
{
	static const struct {
		const char *words;
		int code;
	} rows[] = {
		{"executable file not found", MONITOR_CODE_NOT_FOUND     },
		{ "o such file or directory", MONITOR_CODE_NOT_FOUND     },
		{ "ermission denied",         MONITOR_CODE_NOT_EXECUTABLE},
		{ "s a directory",            MONITOR_CODE_NOT_EXECUTABLE},
		{ "xec format error",         MONITOR_CODE_NOT_EXECUTABLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(err->msg, rows[i].words))
			return rows[i].code;
	return MONITOR_CODE_FAILED;
}

static void run_program(const int *stdio, const char *const *args)
{
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		if (dup2(stdio && stdio[i] >= 0 ? stdio[i] : null, i) < 0)
			_exit(126);
	execv(args[0], (char *const *)(uintptr_t)args);
	_exit(127);
}

/* Runs `RUNTIME --root … VERB more… ID` to its end. */
static int run_verb(struct life *life, const char *verb, const char *const *more, const int *stdio,
		    struct err *err)
{
	struct foreign *foreign = life->engine_state;
	const char *args[ARGS_MAX] = { life->spec->runtime, "--root",       foreign->root, "--log",
				       foreign->log,        "--log-format", "json",        verb };
	size_t count = 8;
	int status;
	pid_t pid;

	while (more && *more)
		args[count++] = *more++;
	args[count++] = life->spec->id;
	args[count] = NULL;
	unlinkat(foreign->run_dir_fd, LOG_NAME, 0);
	pid = fork();
	if (pid == 0)
		run_program(stdio, args);
	if (pid < 0)
		return err_sys(err, errno, "fork");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for %s", life->spec->runtime);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	take_message(foreign, verb, WIFEXITED(status) ? WEXITSTATUS(status) : 128, err);
	return -1;
}

static int attach_rootfs(struct life *life, struct err *err)
{
	struct foreign *foreign = life->engine_state;
	AUTO(fd) int mount_fd = TAKE_FD(life->root_mount_fd);
	AUTO(fd) int bundle = -1;

	if (mount_fd < 0)
		return 0;
	bundle = file_open_dir(AT_FDCWD, life->spec->bundle, false, err);
	if (bundle < 0)
		return -1;
	if (mkdirat(bundle, "rootfs", 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make the bundle's rootfs");
	foreign->is_mounted = mount_attach_at(mount_fd, bundle, "rootfs", err) == 0;
	return foreign->is_mounted ? 0 : -1;
}

static int read_pid(struct life *life, struct err *err)
{
	struct foreign *foreign = life->engine_state;
	AUTO(free) char *text = NULL;
	size_t len;
	uint64_t pid;

	if (file_read(foreign->run_dir_fd, PID_NAME, 32, &text, &len, err) < 0 ||
	    num_parse_u64("pid file", text, num_digits(text, len), 1, INT32_MAX, &pid, err) < 0)
		return -1;
	life->init = process_identity((pid_t)pid);
	return life->init.start_ticks ? 0 : err_set(err, ERR_SYSTEM, "init has ended already");
}

static int call_create(struct life *life, struct err *err)
{
	struct foreign *foreign = life->engine_state;
	AUTO(fd) int listener = -1;
	const char *more[] = { "--bundle",
			       life->spec->bundle,
			       "--pid-file",
			       foreign->pid_file,
			       life->is_terminal ? "--console-socket" : NULL,
			       foreign->console,
			       NULL };

	if (life->is_terminal) {
		listener =
			message_listen(foreign->run_dir_fd, CONSOLE_NAME, SOCK_STREAM, true, err);
		if (listener < 0)
			return -1;
	}
	if (run_verb(life, "create", more, life->is_terminal ? NULL : life->stdio_fds, err) < 0)
		return -1;
	if (!life->is_terminal)
		return 0;
	life->console_fd = terminal_receive(listener, CONSOLE_MS, err);
	return life->console_fd < 0 ? -1 : 0;
}

static void foreign_undo(struct life *life)
{
	static const char *const force[] = { "--force", NULL };
	struct foreign *foreign = life->engine_state;
	struct err err = ERR_NONE;
	AUTO(free) char *rootfs = xformat("%s/rootfs", life->spec->bundle);
	AUTO(fd) int root = -1;

	if (!foreign)
		return;
	if (foreign->run_dir_fd >= 0)
		run_verb(life, "delete", force, NULL, &err);
	if (life->init.pid && !life->init_ended)
		waitpid(life->init.pid, NULL, 0);
	if (foreign->is_mounted)
		umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (foreign->run_dir_fd >= 0) {
		close(foreign->run_dir_fd);
		root = open(life->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		tree_remove(root, life->spec->id, &err);
	}
	if (foreign->cgroup)
		cgroup_free(foreign->cgroup);
	free(foreign->root);
	free(foreign->log);
	free(foreign->pid_file);
	free(foreign->console);
	free(foreign);
	life->engine_state = NULL;
}

static int open_run_dir(struct life *life, struct err *err)
{
	struct foreign *foreign = life->engine_state;
	const char *run_dir = life->spec->run_dir;

	if (file_make_dirs(AT_FDCWD, life->root, 0700, err) < 0)
		return -1;
	if (mkdir(run_dir, 0711) < 0)
		return err_sys(err, errno, "make %s", run_dir);
	foreign->run_dir_fd = file_open_dir(AT_FDCWD, run_dir, false, err);
	foreign->root = xformat("%s/runtime", run_dir);
	foreign->log = xformat("%s/" LOG_NAME, run_dir);
	foreign->pid_file = xformat("%s/" PID_NAME, run_dir);
	foreign->console = xformat("%s/" CONSOLE_NAME, run_dir);
	return foreign->run_dir_fd < 0 ? -1 : 0;
}

/* The record that our own verbs read (exec, ps, pause, update ...): they need no more of a
 * container than its init, its cgroup and its config. */
static int write_record(struct life *life, struct err *err)
{
	struct foreign *foreign = life->engine_state;
	const struct config_namespace *pid = config_namespace(life->config, CLONE_NEWPID);
	AUTO(free) char *rootfs = xformat("%s/rootfs", life->spec->bundle);
	AUTO(json)
	struct json_object *cgroup = foreign->cgroup ? cgroup_to_json(foreign->cgroup) : NULL;
	const struct state state = {
		.id = (char *)(uintptr_t)life->spec->id,
		.dir_fd = foreign->run_dir_fd,
		.init = life->init,
		.bundle = life->spec->bundle,
		.rootfs = rootfs,
		.created_unix_ns = stamp_now_ns(),
		.owner = (char *)(uintptr_t) "root",
		.cgroup_json = cgroup,
		.shares_pid_namespace = !pid || pid->path,
	};

	if (file_replace(foreign->run_dir_fd, "config.json", life->config_text, life->config_len,
			 err) < 0)
		return -1;
	return state_write(&state, err);
}

static int foreign_create(struct life *life, struct err *err)
{
	struct foreign *foreign = xcalloc(1, sizeof(*foreign));
	struct err ignored = ERR_NONE;

	foreign->run_dir_fd = -1;
	life->engine_state = foreign;
	if (open_run_dir(life, err) < 0 || attach_rootfs(life, err) < 0 ||
	    call_create(life, err) < 0 || read_pid(life, err) < 0) {
		life->exit_code = code_of(err);
		life->init.pid = 0;
		foreign_undo(life);
		return -1;
	}
	if (life->config->cgroups_path)
		foreign->cgroup = cgroup_open(life->config->cgroups_path, &ignored);
	if (write_record(life, err) == 0)
		return 0;
	life->exit_code = MONITOR_CODE_FAILED;
	foreign_undo(life);
	return -1;
}

static int foreign_start(struct life *life, struct err *err)
{
	if (run_verb(life, "start", NULL, NULL, err) == 0)
		return 0;
	life->exit_code = code_of(err);
	return -1;
}

static uint64_t foreign_oom_kills(struct life *life)
{
	struct foreign *foreign = life->engine_state;

	return foreign->cgroup ? cgroup_oom_kills(foreign->cgroup) : 0;
}

static void foreign_kill_rest(struct life *life)
{
	struct foreign *foreign = life->engine_state;
	struct err err = ERR_NONE;

	if (foreign->cgroup)
		cgroup_kill(foreign->cgroup, SIGKILL, &err);
}

static int foreign_finish(struct life *life, struct err *err)
{
	(void)err;
	foreign_undo(life);
	return 0;
}

static void foreign_relax(struct life *life)
{
	config_free(life->config);
	life->config = NULL;
	free(life->config_text);
	life->config_text = NULL;
	malloc_trim(0);
}

const struct engine engine_foreign = {
	.create = foreign_create,
	.start = foreign_start,
	.oom_kills = foreign_oom_kills,
	.kill_rest = foreign_kill_rest,
	.finish = foreign_finish,
	.undo = foreign_undo,
	.relax = foreign_relax,
};

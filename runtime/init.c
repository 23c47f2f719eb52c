/* runtime/init - the child's side of create: from the clone to execve.
 *
 * Owns: the order of the child's stages, its words to the parent. May not touch: the caller's
 * descriptors and state folder.
 */
#include "runtime/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/process.h"
#include "base/stages.h"
#include "runtime/devices.h"
#include "runtime/hooks.h"
#include "runtime/limits.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/rootfs.h"
#include "runtime/settle.h"
#include "runtime/sync.h"

static int step_cgroup(void *context, struct err *err)
{
	struct init_job *job = context;

	if (cgroup_join_self(job->cgroup_fds, job->cgroup_fd_count) < 0)
		return err_sys(err, errno, "join the cgroup");
	cgroup_close_fds(job->cgroup_fds, &job->cgroup_fd_count);
	if (!job->config->process || !job->config->process->cpu_affinity_initial)
		limits_affinity_reset();
	debug_log_affinity(&job->log, "nsexec");
	return 0;
}

static int step_maps(void *context, struct err *err)
{
	struct init_job *job = context;

	if (!job->needs_maps)
		return 0;
	if (sync_send(job->sync_fd, SYNC_NEED_MAPS, 0, NULL, -1) < 0)
		return err_sys(err, errno, "ask for id maps");
	return sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err);
}

static int step_identity(void *context, struct err *err)
{
	struct init_job *job = context;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (!job->in_user_namespace)
		return 0;
	if (!job->setgroups_denied)
		setgroups(0, NULL);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, errno, "become root of the user namespace");
	return 0;
}

static int step_join(void *context, struct err *err)
{
	struct init_job *job = context;
	unsigned long joined = 0;

	if (namespaces_time(job->config, job->proc_fd, err) < 0 ||
	    (!job->joined_by_helper && namespaces_join(job->namespace_fds, false, err) < 0))
		return -1;
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (job->namespace_fds[i] >= 0) {
			joined |= (unsigned long)namespace_table[i].flag;
			close(TAKE_FD(job->namespace_fds[i]));
		}
	if (config_is_new(job->config, CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, errno, "new cgroup namespace");
	debug_log_namespaces(&job->log, "joined namespaces", joined);
	debug_log_say(&job->log, "child process in init()"); /* in its namespaces, as it will be */
	return 0;
}

static int step_session(void *context, struct err *err)
{
	struct init_job *job = context;
	char name[80];

	if (setsid() < 0 && errno != EPERM)
		return err_sys(err, errno, "setsid");
	if (job->spec->flags & CREATE_NO_NEW_KEYRING)
		return 0;
	snprintf(name, sizeof(name), "_ses.%.60s", job->spec->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS &&
	    errno != EPERM && errno != EDQUOT)
		return err_sys(err, errno, "new session keyring");
	return 0;
}

static int step_parent_hooks(void *context, struct err *err)
{
	struct init_job *job = context;

	if (!job->needs_hooks)
		return 0;
	if (sync_send(job->sync_fd, SYNC_NEED_HOOKS, 0, NULL, -1) < 0)
		return err_sys(err, errno, "ask for hooks");
	return sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err);
}

static int step_propagation(void *context, struct err *err)
{
	struct init_job *job = context;

	return rootfs_propagation(job, err) < 0 ? -1 : devices_open_null(job, err);
}

static int step_root(void *context, struct err *err)
{
	return rootfs_attach(context, err);
}

static int step_mounts(void *context, struct err *err)
{
	struct init_job *job = context;
	mode_t old = umask(0);
	int status = mounts_do_all(job, err);

	umask(old);
	return status;
}

static int step_devices(void *context, struct err *err)
{
	return devices_make(context, err);
}

static int step_console(void *context, struct err *err)
{
	struct init_job *job = context;
	const struct config_process *process = job->config->process;
	struct console_spec spec;
	AUTO(fd) int master = -1;
	AUTO(fd) int host_fd = -1;

	if (!process || !process->terminal)
		return 0;
	spec = (struct console_spec){ .height = process->console_height,
				      .width = process->console_width,
				      .uid = process->uid,
				      .plain_lines = job->spec->flags & CREATE_PLAIN_LINES };
	/* Without a mount namespace there is no devpts of the container's own: the host's then. */
	if (!config_namespace(job->config, CLONE_NEWNS))
		host_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (console_make(host_fd >= 0 ? host_fd : job->root_fd, &spec, &master, &job->console_fd,
			 err) < 0 ||
	    console_bind(job, job->console_fd, err) < 0)
		return -1;
	if (sync_send(job->sync_fd, SYNC_CONSOLE, 0, NULL, master) < 0)
		return err_sys(err, errno, "hand over the terminal");
	return 0;
}

static int step_close_devices(void *context, struct err *err)
{
	return devices_close(context, err);
}

/* The state that a hook is given says the pid that it would see: filled in once it is known. */
static char *state_with_pid(const struct init_job *job)
{
	const char *at = strstr(job->hook_state, "\"pid\":0");

	return at ? xformat("%.*s\"pid\":%d%s", (int)(at - job->hook_state), job->hook_state,
			    (int)getpid(), at + 7)
		  : xstrdup(job->hook_state);
}

static int step_container_hooks(void *context, struct err *err)
{
	struct init_job *job = context;
	AUTO(free) char *state = NULL;

	if (!job->config->hooks[HOOK_CREATE_CONTAINER].count)
		return 0;
	state = state_with_pid(job);
	if (fchdir(job->root_fd) < 0) /* relative paths of such hooks mean the root */
		return err_sys(err, errno, "enter the root");
	return hooks_run(job->config, HOOK_CREATE_CONTAINER, state, NULL, NULL, err);
}

static int step_close_paths(void *context, struct err *err)
{
	return rootfs_close_paths(context, err);
}

static int step_sysctl(void *context, struct err *err)
{
	struct init_job *job = context;

	if (limits_names(job->config, err) < 0)
		return -1;
	return limits_sysctl(job->proc_fd, &job->config->sysctl, err);
}

static int step_pivot(void *context, struct err *err)
{
	return rootfs_pivot(context, err);
}

static int step_finish_root(void *context, struct err *err)
{
	struct init_job *job = context;
	int status = rootfs_finish(job, err);

	/* Nothing that leads out may be open when the container's own paths are looked up. */
	close(TAKE_FD(job->root_fd));
	if (job->dev_null_fd >= 0)
		close(TAKE_FD(job->dev_null_fd));
	return status;
}

/* Descriptors become the container user's, so that it can open them anew by /dev/stdout; never a
 * node that others share. */
static void own_stdio(const struct config_process *process)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) &&
		    (st.st_uid != process->uid))
			if (fchown(fd, process->uid, (gid_t)-1) < 0)
				continue; /* EINVAL, EPERM, EROFS: stays as it is */
	}
}

static int step_terminal(void *context, struct err *err)
{
	struct init_job *job = context;

	if (job->console_fd >= 0) {
		if (console_take(job->console_fd, err) < 0)
			return -1;
		close(TAKE_FD(job->console_fd));
	} else if (job->config->process) {
		own_stdio(job->config->process);
	}
	return 0;
}

static int step_settle(void *context, struct err *err)
{
	struct init_job *job = context;
	int *ours[] = { &job->sync_fd, &job->go_fifo_fd, &job->word_fd, &job->proc_fd };
	const struct create_spec *spec = job->spec;
	int status =
		spec->extra_fd_count
			? settle_descriptors(spec->extra_fds, spec->extra_fd_count, 0, ours, 4, err)
			: 0;
	struct settle_job settle_job = {
		.config = job->config,
		.process = job->config->process,
		.filter = job->has_filter ? &job->filter : NULL,
		.proc_fd = job->proc_fd,
		.sync_fd = job->sync_fd,
		.rootless = job->spec->flags & CREATE_ROOTLESS,
		.makes_cwd = true,
		.setgroups_denied = job->setgroups_denied,
		.listen_fds = job->spec->listen_fds,
		.area = "create",
		.log = &job->log,
	};

	if (status < 0)
		return -1;
	settle_job.sync_fd = job->sync_fd;
	settle_job.proc_fd = job->proc_fd;
	status = settle(&settle_job, err);
	job->env = settle_job.env;
	job->program = settle_job.program;
	if (settle_job.exit_code)
		job->exit_code = settle_job.exit_code;
	return status;
}

/* clang-format off */
static const struct step init_steps[] = {
	{ "join-cgroup", step_cgroup, NULL },
	{ "id-maps", step_maps, NULL },
	{ "identity", step_identity, NULL },
	{ "join-namespaces", step_join, NULL },
	{ "session", step_session, NULL },
	{ "runtime-hooks", step_parent_hooks, NULL },
	{ "propagation", step_propagation, NULL },
	{ "rootfs", step_root, NULL },
	{ "mounts", step_mounts, NULL },
	{ "devices", step_devices, NULL },
	{ "console", step_console, NULL },
	{ "close-devices", step_close_devices, NULL },
	{ "container-hooks", step_container_hooks, NULL },
	{ "mask-paths", step_close_paths, NULL },
	{ "sysctl", step_sysctl, NULL },
	{ "pivot", step_pivot, NULL },
	{ "finish-root", step_finish_root, NULL },
	{ "terminal", step_terminal, NULL },
	{ 0 },
};
/* clang-format on */

static void __attribute__((noreturn)) fail(struct init_job *job, const struct err *err)
{
	sync_send_error(job->sync_fd, err, job->exit_code ? job->exit_code : 125);
	_exit(job->exit_code ? job->exit_code : 125);
}

/* As pid 1 we would not hear these by default: a container that waits for its start must be
 * stoppable. */
static void die(int number)
{
	_exit(128 + number);
}

static void reset_signals(void)
{
	static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };

	process_reset_signals();
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], die);
}

static int place_stdio(const struct init_job *job, struct err *err)
{
	const int *wanted = job->spec->stdio_fds;
	int moved[3] = { -1, -1, -1 };

	if (job->config->process && job->config->process->terminal)
		return 0;
	if (wanted[0] < 0) {
		AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null_fd < 0 || dup2(null_fd, 0) < 0)
			return err_sys(err, errno, "open /dev/null");
	}
	for (int i = 0; i < 3; i++) {
		if (wanted[i] < 0 || wanted[i] == i)
			continue;
		moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 3);
		if (moved[i] < 0)
			return err_sys(err, errno, "stdio %d", i);
	}
	for (int i = 0; i < 3; i++)
		if (moved[i] >= 0) {
			if (dup2(moved[i], i) < 0)
				return err_sys(err, errno, "stdio %d", i);
			close(moved[i]);
		} else if (wanted[i] == i) {
			fcntl(i, F_SETFD, 0);
		}
	return 0;
}

/* What the caller had open is none of the container's business, not even until the exec. */
static int close_others(const struct init_job *job, struct err *err)
{
	const struct create_spec *spec = job->spec;
	size_t most = 8 + job->config->mount_count + job->cgroup_fd_count + NAMESPACE_COUNT +
		      spec->extra_fd_count,
	       count = 0;
	AUTO(free) int *keep = xcalloc(most, sizeof(int));

	keep[count++] = job->sync_fd;
	keep[count++] = job->go_fifo_fd;
	keep[count++] = job->word_fd;
	keep[count++] = job->proc_fd;
	keep[count++] = job->root_tree_fd;
	for (size_t i = 0; i < job->config->mount_count; i++)
		keep[count++] = job->mount_fds[i];
	for (size_t i = 0; i < job->cgroup_fd_count; i++)
		keep[count++] = job->cgroup_fds[i];
	for (size_t i = 0; i < NAMESPACE_COUNT; i++)
		keep[count++] = job->namespace_fds[i];
	for (size_t i = 0; i < spec->extra_fd_count; i++)
		keep[count++] = spec->extra_fds[i];
	return settle_close_others(keep, count, spec->preserve_fds, err);
}

/* After start: hooks, exec. In the CLI's case the caller of create is long gone: words go to who
 * started us. */
static void __attribute__((noreturn)) fail_late(struct init_job *job, const struct err *err)
{
	if (job->word_fd >= 0) {
		struct sync_message message = { .kind = SYNC_ERROR,
						.code = (uint16_t)err->code,
						.number = job->exit_code };
		int fd;

		snprintf(message.text, sizeof(message.text), "%s", err->msg);
		fd = accept4(job->word_fd, NULL, NULL, SOCK_CLOEXEC);
		if (write(fd, &message, sizeof(message)) < 0)
			_exit(job->exit_code);
	} else {
		sync_send_error(job->sync_fd, err, job->exit_code);
	}
	_exit(job->exit_code);
}

static int wait_for_start(struct init_job *job, struct err *err)
{
	ssize_t n;
	char byte;

	if (job->go_fifo_fd < 0)
		return sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err);
	/* The record of us is written: from here on nobody needs to be at the other end. */
	if (sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err) < 0)
		return -1;
	close(TAKE_FD(job->sync_fd));
	do
		n = read(job->go_fifo_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, errno, "wait for start") : 0;
}

void init_main(struct init_job *job)
{
	struct err err = ERR_NONE;
	struct settle_job last = { .process = job->config->process };

	reset_signals();
	job->exit_code = 0;
	if (place_stdio(job, &err) < 0 || close_others(job, &err) < 0 ||
	    settle_descriptors(NULL, 0, job->spec->preserve_fds, NULL, 0, &err) < 0)
		fail(job, &err);
	debug_log_say(&job->log, "nsexec container setup");
	if (stages_run_told("create", init_steps, job, debug_log_stage, &job->log, &err) < 0 ||
	    (job->config->process && step_settle(job, &err) < 0))
		fail(job, &err);
	if (stages_point("create", "ready", &err) < 0) {
		err_wrap(&err, "ready");
		fail(job, &err);
	}
	debug_log_say(&job->log, "init: closing the pipe to signal completion");
	if (sync_send(job->sync_fd, SYNC_READY, 0, NULL, -1) < 0 || wait_for_start(job, &err) < 0)
		_exit(125);
	job->exit_code = 1;
	if (!job->config->process) { /* only start needs it, says the specification */
		err_set(&err, ERR_INVALID, "config.json: process: is missing");
		fail_late(job, &err);
	}
	if (job->config->hooks[HOOK_START_CONTAINER].count) {
		AUTO(free) char *state = state_with_pid(job);

		if (hooks_run(job->config, HOOK_START_CONTAINER, state, NULL, job->env, &err) < 0)
			fail_late(job, &err);
	}
	last.env = job->env;
	last.program = job->program;
	debug_log_say(&job->log, "init: about to exec %s", job->program);
	if (stages_point("create", "exec", &err) < 0 || settle_exec(&last, &err) < 0) {
		job->exit_code = last.exit_code ? last.exit_code : 1;
		dprintf(2, "%s\n", err.msg);
		fail_late(job, &err);
	}
	_exit(126);
}

/* runtime/exec - a second process in a running container.
 *
 * Owns: what must be open and known before the clone, the child's words. May not touch: what the
 * child does (exec_child), init.
 */
#include "runtime/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/process.h"
#include "base/stages.h"
#include "runtime/create_internal.h"
#include "runtime/exec_internal.h"
#include "runtime/namespaces.h"
#include "runtime/seccomp.h"
#include "runtime/sync.h"

static bool differs(int proc_fd, pid_t pid, const char *file)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, file);
	if (fstatat(proc_fd, path, &theirs, 0) < 0)
		return false;
	snprintf(path, sizeof(path), "self/ns/%s", file);
	return fstatat(proc_fd, path, &ours, 0) == 0 &&
	       (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev);
}

static int find_namespaces(struct exec_job *job, struct err *err)
{
	pid_t pid = job->spec->state->init.pid;
	struct statfs fs;
	char path[64];

	job->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (job->proc_fd < 0 || fstatfs(job->proc_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return err_set(err, ERR_DENIED, "/proc of the host is no proc file system");
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (differs(job->proc_fd, pid, namespace_table[i].file))
			job->join |= (unsigned long)namespace_table[i].flag;
	if (!(job->join & CLONE_NEWNS)) {
		snprintf(path, sizeof(path), "%d/root", (int)pid);
		job->root_fd = openat(job->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (job->root_fd < 0)
			return err_sys(err, errno, "open the root of init");
	}
	/* Still the same process: else what was just read is another's. */
	return process_is_alive(job->spec->state->init)
		       ? 0
		       : err_set(err, ERR_NOT_FOUND, "cannot exec in a stopped container");
}

static int check_state(const struct exec_spec *spec, struct err *err)
{
	enum status status = state_status((struct state *)(uintptr_t)spec->state);

	if (status == STATUS_STOPPED || status == STATUS_CREATING)
		return err_set(err, ERR_NOT_FOUND, "cannot exec in a stopped container");
	if (status == STATUS_PAUSED && !(spec->flags & EXEC_IGNORE_PAUSED))
		return err_set(
			err, ERR_BUSY,
			"cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static int step_check(void *context, struct err *err)
{
	struct exec_job *job = context;

	if (check_state(job->spec, err) < 0)
		return -1;
	job->init_pidfd = process_open(job->spec->state->init);
	if (job->init_pidfd < 0)
		return err_set(err, ERR_NOT_FOUND, "cannot exec in a stopped container");
	return find_namespaces(job, err);
}

static int open_cgroups(struct exec_job *job, bool v2_too, struct err *err)
{
	int count = 0;

	cgroup_close_fds(job->cgroup_fds, &job->cgroup_fd_count);
	if (job->spec->state->cgroup)
		count = cgroup_join_fds(job->spec->state->cgroup, job->spec->cgroups, v2_too,
					job->cgroup_fds, INIT_CGROUP_FDS, err);
	if (count < 0)
		return -1;
	job->cgroup_fd_count = (size_t)count;
	return 0;
}

static int step_prepare(void *context, struct err *err)
{
	struct exec_job *job = context;
	const struct exec_spec *spec = job->spec;
	int pair[2];

	/* A write to cgroup.procs waits for all processes of the host; being born in the v2 folder
	 * does not. */
	if (spec->state->cgroup && !(spec->cgroups && spec->cgroups[0]))
		job->into_fd = cgroup_clone_fd(spec->state->cgroup);
	if (open_cgroups(job, job->into_fd < 0, err) < 0)
		return -1;
	if (spec->config->seccomp.set) {
		AUTO(free) char *path = xformat("%s/.seccomp", spec->state->root);
		AUTO(fd) int cache_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (filter_compile(&spec->config->seccomp, cache_fd, &job->filter, err) < 0)
			return -1;
	}
	if (sync_pair(pair, err) < 0)
		return -1;
	job->near_fd = pair[0];
	job->far_fd = pair[1];
	return 0;
}

/* Without rights of our own the pid namespace opens only from inside the user namespace: a helper
 * goes in and clones the program's process as our child. */
static int clone_by_helper(struct exec_job *job, struct err *err)
{
	AUTO(fd) int helper_pidfd = -1;
	AUTO(fd) int near_fd = -1;
	AUTO(fd) int far_fd = -1;
	int pair[2], status;
	pid_t helper;

	if (open_cgroups(job, true, err) < 0 || sync_pair(pair, err) < 0)
		return -1;
	near_fd = pair[0];
	far_fd = pair[1];
	helper = namespaces_clone(0, -1, &helper_pidfd);
	if (helper < 0)
		return err_sys(err, errno, "clone");
	if (helper == 0) {
		int pidfd = -1;
		pid_t pid = -1;

		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		job->joined = true;
		if (setns(job->init_pidfd, (int)job->join) == 0)
			pid = namespaces_clone(CLONE_PARENT, -1, &pidfd);
		if (pid == 0)
			exec_child_main(job);
		if (pid > 0) {
			sync_send(far_fd, SYNC_PIDFD, 0, NULL, pidfd);
		} else {
			err_sys(err, errno, "join the container's namespaces");
			sync_send_error(far_fd, err, 255);
		}
		_exit(0);
	}
	close(TAKE_FD(far_fd));
	status = sync_expect(near_fd, SYNC_PIDFD, NULL, &job->session.pidfd, err);
	while (waitid(P_PIDFD, (id_t)helper_pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 &&
	       errno == EINTR)
		;
	if (status < 0)
		return -1;
	close(TAKE_FD(job->far_fd));
	job->session.pid = create_pid_of(job->session.pidfd);
	return job->session.pid > 0 ? 0 : err_sys(err, ESRCH, "find the program's process");
}

static int step_clone(void *context, struct err *err)
{
	struct exec_job *job = context;
	pid_t pid;

	if (job->join & CLONE_NEWPID) { /* for the child alone; we go back right after */
		job->own_pid_fd = openat(job->proc_fd, "self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (job->own_pid_fd < 0)
			return err_sys(err, errno, "open our pid namespace");
		if (setns(job->init_pidfd, CLONE_NEWPID) < 0)
			return errno == EPERM && job->join & CLONE_NEWUSER
				       ? clone_by_helper(job, err)
				       : err_sys(err, errno, "join the pid namespace");
	}
	pid = namespaces_clone(0, job->into_fd, &job->session.pidfd);
	if (pid < 0 &&
	    job->into_fd >= 0) { /* a folder that keeps its processes in a leaf, or none */
		if (open_cgroups(job, true, err) < 0)
			return -1;
		pid = namespaces_clone(0, -1, &job->session.pidfd);
	}
	if (pid == 0)
		exec_child_main(job);
	if (pid < 0)
		err_sys(err, errno, "clone");
	if (job->own_pid_fd >= 0 && setns(job->own_pid_fd, CLONE_NEWPID) < 0)
		return err_sys(err, errno, "return to our pid namespace");
	job->session.pid = pid;
	close(TAKE_FD(job->far_fd));
	return pid < 0 ? -1 : 0;
}

static void undo_clone(void *context)
{
	struct exec_job *job = context;

	if (job->session.pidfd < 0)
		return;
	process_signal(job->session.pidfd, SIGKILL);
	while (waitid(P_PIDFD, (id_t)job->session.pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 &&
	       errno == EINTR)
		;
	close(TAKE_FD(job->session.pidfd));
}

static int send_listener(struct exec_job *job, int fd, struct err *err)
{
	const struct config_seccomp *seccomp = &job->spec->config->seccomp;
	AUTO(json) struct json_object *state = state_to_oci(job->spec->state, STATUS_RUNNING);

	if (filter_send_listener(seccomp->listener_path, seccomp->listener_metadata, fd,
				 job->session.pid, state, err) < 0)
		return -1;
	return sync_send(job->near_fd, SYNC_GO, 0, NULL, -1) < 0 ? err_sys(err, errno, "go on") : 0;
}

static int step_attend(void *context, struct err *err)
{
	struct exec_job *job = context;

	for (;;) {
		struct sync_message message;
		AUTO(fd) int fd = -1;
		int status = sync_receive(job->near_fd, &message, &fd);

		if (status < 0)
			return err_sys(err, errno, "wait for the program");
		if (status == 0)
			return 0; /* executed */
		if (message.kind == SYNC_ERROR) {
			job->exit_code = message.number;
			return err_set(err, (enum err_code)message.code, "%s", message.text);
		}
		if (message.kind == SYNC_LOG && job->spec->warn)
			job->spec->warn(job->spec->warn_context, message.text);
		if (message.kind == SYNC_DEBUG)
			debug_log_say(&job->log, "%s", message.text);
		if (message.kind == SYNC_CONSOLE && job->session.console_fd < 0)
			job->session.console_fd = TAKE_FD(fd);
		if (message.kind == SYNC_LISTENER && send_listener(job, fd, err) < 0)
			return -1;
	}
}

/* clang-format off */
static const struct step exec_steps[] = {
	{ "check", step_check, NULL },
	{ "prepare", step_prepare, NULL },
	{ "clone", step_clone, undo_clone },
	{ "attend", step_attend, NULL },
	{ 0 },
};
/* clang-format on */

int exec_start(const struct exec_spec *spec, struct exec_session *out, int *out_exit_code,
	       struct err *err)
{
	struct exec_job job = {
		.rootless = geteuid() != 0,
		.spec = spec,
		.log = {spec->debug, spec->warn_context, NULL },
		.init_pidfd = -1,
		.into_fd = -1,
		.proc_fd = -1,
		.near_fd = -1,
		.far_fd = -1,
		.own_pid_fd = -1,
		.root_fd = -1,
		.session = { .pidfd = -1,          .console_fd = -1                }
	};
	int *fds[] = { &job.init_pidfd, &job.proc_fd,    &job.near_fd,
		       &job.far_fd,     &job.own_pid_fd, &job.root_fd };
	int status = stages_run_told("exec", exec_steps, &job, debug_log_stage, &job.log, err);

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	cgroup_close_fds(job.cgroup_fds, &job.cgroup_fd_count);
	free(job.filter.at);
	if (status < 0) {
		if (job.session.console_fd >= 0)
			close(job.session.console_fd);
		if (out_exit_code)
			*out_exit_code = job.exit_code ? job.exit_code : 255;
		return -1;
	}
	*out = job.session;
	return 0;
}

struct config_process *exec_process_merge(struct arena *arena,
					  const struct config_process *container,
					  const struct config_process *given)
{
	struct config_process *out = arena_alloc(arena, sizeof(*out));

	*out = *given;
	if (!given->has_caps) {
		out->caps = container->caps;
		out->has_caps = container->has_caps;
	}
	if (!given->cwd)
		out->cwd = container->cwd;
	if (!given->env.at)
		out->env = container->env;
	if (!given->rlimit_count) {
		out->rlimits = container->rlimits;
		out->rlimit_count = container->rlimit_count;
	}
	if (!given->apparmor_profile)
		out->apparmor_profile = container->apparmor_profile;
	if (!given->selinux_label)
		out->selinux_label = container->selinux_label;
	if (!given->umask.set)
		out->umask = container->umask;
	if (!given->oom_score_adj.set)
		out->oom_score_adj = container->oom_score_adj;
	if (!given->scheduler.set)
		out->scheduler = container->scheduler;
	if (!given->io_class.set) {
		out->io_class = container->io_class;
		out->io_priority = container->io_priority;
	}
	if (!given->cpu_affinity_initial && !given->cpu_affinity_final) {
		out->cpu_affinity_initial = container->cpu_affinity_initial;
		out->cpu_affinity_final = container->cpu_affinity_final;
	}
	out->no_new_privileges |= container->no_new_privileges;
	return out;
}

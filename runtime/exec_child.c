/* runtime/exec_child - the child's side of an exec: from the clone to execve.
 *
 * Owns: the way into the container's cgroup and namespaces, the session. May not touch: the last
 * stages (settle), the caller's descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/process.h"
#include "runtime/devices.h"
#include "runtime/exec_internal.h"
#include "runtime/limits.h"
#include "runtime/settle.h"
#include "runtime/sync.h"

/* A v2 container that keeps its processes in a leaf refuses ours at its top: the cgroup of init
 * then. */
static int open_init_cgroup(struct exec_job *job)
{
	char path[64], text[4096], folder[4200];
	AUTO(fd) int fd = -1;
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/cgroup", (int)job->spec->state->init.pid);
	fd = openat(job->proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strstr(text, "0::/");
	if (!at)
		return -1;
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup%.*s/cgroup.procs",
		 (int)strcspn(at + 3, "\n"), at + 3);
	return open(folder, O_WRONLY | O_CLOEXEC);
}

static int join_cgroup(struct exec_job *job, struct err *err)
{
	for (size_t i = 0; i < job->cgroup_fd_count; i++) {
		AUTO(fd) int fd = -1;

		if (cgroup_join_self(&job->cgroup_fds[i], 1) == 0)
			continue;
		fd = errno == EBUSY && cgroup_layout(job->spec->state->cgroup) == CGROUP_V2
			     ? open_init_cgroup(job)
			     : -1;
		if (fd < 0 || cgroup_join_self(&fd, 1) < 0)
			return err_sys(err, errno ? errno : EBUSY, "join the cgroup");
	}
	return 0;
}

static int enter(struct exec_job *job, const struct debug_log *log, struct err *err)
{
	unsigned long flags = job->join & ~(unsigned long)CLONE_NEWPID;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (limits_affinity(0, "process.execCPUAffinity.initial",
			    job->spec->process->cpu_affinity_initial, err) < 0)
		return -1;
	debug_log_affinity(log, "nsexec");
	if (join_cgroup(job, err) < 0 ||
	    limits_affinity(0, "process.execCPUAffinity.final",
			    job->spec->process->cpu_affinity_final, err) < 0)
		return -1;
	/* Whatever the caller was narrowed to is not the container's. */
	if (!job->spec->process->cpu_affinity_initial && !job->spec->process->cpu_affinity_final)
		limits_affinity_reset();
	debug_log_affinity(log, "in the container's cgroup");
	if (flags && !job->joined && setns(job->init_pidfd, (int)flags) < 0)
		return err_sys(err, errno, "join the container's namespaces");
	debug_log_namespaces(log, "joined namespaces", job->join);
	if (job->root_fd >= 0 && (fchdir(job->root_fd) < 0 || chroot(".") < 0))
		return err_sys(err, errno, "enter the container's root");
	if (chdir("/") < 0)
		return err_sys(err, errno, "chdir /");
	if (flags & CLONE_NEWUSER) {
		setgroups(0, NULL);
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			return err_sys(err, errno, "become root of the user namespace");
	}
	debug_log_say(log, "child process in init()"); /* in its namespaces, as it will be */
	return 0;
}

static int session(struct exec_job *job, struct err *err)
{
	const struct config_process *process = job->spec->process;
	AUTO(fd) int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int master = -1;
	AUTO(fd) int slave = -1;
	struct console_spec spec;
	char name[80];

	setsid();
	snprintf(name, sizeof(name), "_ses.%.60s", job->spec->state->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno == ENOMEM)
		return err_sys(err, errno, "session keyring");
	if (!process->terminal)
		return 0;
	spec = (struct console_spec){ .height = process->console_height,
				      .width = process->console_width,
				      .uid = process->uid,
				      .plain_lines = job->spec->flags & EXEC_PLAIN_LINES };
	if (console_make(root_fd, &spec, &master, &slave, err) < 0 || console_take(slave, err) < 0)
		return -1;
	return sync_send(job->far_fd, SYNC_CONSOLE, 0, NULL, master) < 0
		       ? err_sys(err, errno, "hand over the terminal")
		       : 0;
}

static int place_stdio(const struct exec_job *job, struct err *err)
{
	const struct config_process *process = job->spec->process;

	if (process->terminal)
		return 0;
	for (int i = 0; i < 3; i++) {
		int wanted = job->spec->stdio_fds[i];
		struct stat st;

		if (wanted < 0 && i == 0) {
			AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

			if (null_fd < 0 || dup2(null_fd, 0) < 0)
				return err_sys(err, errno, "open /dev/null");
			continue;
		}
		if (wanted >= 0 && wanted != i && dup2(wanted, i) < 0)
			return err_sys(err, errno, "stdio %d", i);
		if (fstat(i, &st) == 0 && st.st_uid != process->uid &&
		    !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) &&
		    fchown(i, process->uid, (gid_t)-1) < 0)
			continue;
	}
	return 0;
}

void exec_child_main(struct exec_job *job)
{
	const struct exec_spec *spec = job->spec;
	const struct debug_log log = { spec->debug, spec->warn_context, &job->far_fd };
	struct settle_job settle_job = {
		.config = spec->config,
		.process = spec->process,
		.filter = spec->config->seccomp.set ? &job->filter : NULL,
		.rootless = job->rootless,
		.setgroups_denied = job->join & CLONE_NEWUSER && job->rootless,
		.area = "exec",
		.log = &log,
	};
	int *ours[] = { &job->far_fd, &job->proc_fd, &job->init_pidfd, &job->root_fd };
	struct err err = ERR_NONE;

	process_reset_signals();
	debug_log_say(&log, "nsexec container setup");
	if (settle_descriptors(NULL, 0, spec->preserve_fds, NULL, 0, &err) == 0 &&
	    enter(job, &log, &err) == 0 && place_stdio(job, &err) == 0 && session(job, &err) == 0 &&
	    (!spec->extra_fd_count ||
	     settle_descriptors(spec->extra_fds, spec->extra_fd_count, 0, ours, 4, &err) == 0)) {
		close(job->near_fd);
		close(job->init_pidfd);
		auto_fd(&job->own_pid_fd);
		auto_fd(&job->root_fd);
		settle_job.sync_fd = job->far_fd;
		settle_job.proc_fd = job->proc_fd;
		if (settle(&settle_job, &err) == 0) {
			debug_log_say(&log, "setns_init: about to exec %s", settle_job.program);
			settle_exec(&settle_job, &err);
		}
	}
	sync_send_error(job->far_fd, &err, settle_job.exit_code ? settle_job.exit_code : 255);
	_exit(255);
}

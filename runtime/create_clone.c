/* runtime/create_clone - the one clone that makes init, and its end when create fails.
 *
 * Owns: which namespaces are new, the helper for user namespaces that are joined. May not touch:
 * what init does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/stamp.h"
#include "runtime/create_internal.h"
#include "runtime/namespaces.h"
#include "runtime/sync.h"

static unsigned long clone_flags(const struct create_job *job)
{
	unsigned long flags = namespaces_clone_flags(job->spec.config);

	/* The caller's network namespace goes before config's. */
	return job->spec.netns_fd >= 0 ? flags & ~(unsigned long)CLONE_NEWNET : flags;
}

/* Init itself, straight from us: a joined pid namespace is entered for the child alone. */
static int clone_init(struct create_job *job, struct err *err)
{
	int pid_ns_fd = job->init.namespace_fds[6];
	int into_fd = job->cgroup ? cgroup_clone_fd(job->cgroup) : -1;
	unsigned long flags = clone_flags(job);
	AUTO(fd) int own_fd = -1;
	pid_t pid;

	if (pid_ns_fd >= 0) {
		own_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (own_fd < 0 || setns(pid_ns_fd, CLONE_NEWPID) < 0)
			return err_sys(err, errno, "join the pid namespace");
	}
	pid = namespaces_clone(flags, into_fd, &job->pidfd);
	if (pid < 0 && into_fd >= 0 && errno != EPERM && errno != ENOSPC) {
		pid = namespaces_clone(flags, -1, &job->pidfd);
		job->late_join = pid > 0;
	}
	if (pid == 0)
		init_main(&job->init);
	if (pid < 0)
		err_sys(err, errno, "clone with new namespaces");
	if (own_fd >= 0 && setns(own_fd, CLONE_NEWPID) < 0)
		return err_sys(err, errno, "return to our pid namespace");
	job->state.init.pid = pid;
	return pid < 0 ? -1 : 0;
}

/* A helper joins what the new user namespace must not own, or the user namespace that shall own the
 * rest, and clones init as our child. */
static int clone_by_helper(struct create_job *job, struct err *err)
{
	AUTO(fd) int helper_pidfd = -1;
	AUTO(fd) int near = -1;
	AUTO(fd) int far = -1;
	int pair[2], status;
	pid_t helper, pid = 0;

	if (sync_pair(pair, err) < 0)
		return -1;
	near = pair[0];
	far = pair[1];
	helper = namespaces_clone(0, -1, &helper_pidfd);
	if (helper < 0)
		return err_sys(err, errno, "clone");
	if (helper == 0) {
		int pidfd = -1;

		job->init.joined_by_helper = true;
		if (namespaces_join(job->init.namespace_fds, true, err) == 0) {
			pid = namespaces_clone(clone_flags(job) | CLONE_PARENT, -1, &pidfd);
			if (pid == 0)
				init_main(&job->init);
			if (pid < 0)
				err_sys(err, errno, "clone with new namespaces");
		}
		if (pid > 0)
			sync_send(far, SYNC_PIDFD, 0, NULL, pidfd);
		else
			sync_send_error(far, err, 125);
		_exit(0);
	}
	close(TAKE_FD(far));
	status = sync_expect(near, SYNC_PIDFD, NULL, &job->pidfd, err);
	while (waitid(P_PIDFD, (id_t)helper_pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 &&
	       errno == EINTR)
		;
	if (status < 0)
		return -1;
	job->state.init.pid = create_pid_of(job->pidfd);
	return job->state.init.pid > 0 ? 0 : err_sys(err, ESRCH, "find init");
}

int create_clone(void *context, struct err *err)
{
	struct create_job *job = context;
	int pair[2];

	if (sync_pair(pair, err) < 0)
		return -1;
	job->socket_fd = pair[0];
	job->init.sync_fd = pair[1];

	debug_log_namespaces(&job->log, "clone: new namespaces", clone_flags(job));
	job->state.created_unix_ns = stamp_now_ns();
	if ((job->by_helper ? clone_by_helper(job, err) : clone_init(job, err)) < 0)
		return -1;
	close(TAKE_FD(job->init.sync_fd));
	debug_log_say(&job->log, "init is process %d%s", (int)job->state.init.pid,
		      job->by_helper ? ", cloned by a helper" : "");
	if (job->late_join && cgroup_join(job->cgroup, job->state.init.pid, err) < 0)
		return -1;
	job->state.init.start_ticks = process_start_ticks(job->state.init.pid);
	return 0;
}

void create_unclone(void *context)
{
	struct create_job *job = context;

	if (job->pidfd < 0)
		return;
	process_signal(job->pidfd, SIGKILL);
	if (job->cgroup && cgroup_is_frozen(job->cgroup)) {
		struct err ignored = ERR_NONE;

		cgroup_thaw(job->cgroup, &ignored);
	}
	while (waitid(P_PIDFD, (id_t)job->pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 && errno == EINTR)
		;
	close(TAKE_FD(job->pidfd));
}

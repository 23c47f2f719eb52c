/* runtime/settle - the last stages before the exec, the same for init and for exec'd processes.
 *
 * Owns: their order. May not touch: namespaces, mounts, cgroups.
 */
#include "runtime/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/stages.h"
#include "runtime/errtext.h"
#include "runtime/label.h"
#include "runtime/limits.h"
#include "runtime/privileges.h"
#include "runtime/program.h"
#include "runtime/sync.h"

static void settle_warn(void *context, const char *text)
{
	sync_send(*(int *)context, SYNC_LOG, 0, text, -1);
}

static int load_filter(struct settle_job *job, struct err *err)
{
	AUTO(fd) int listener = -1;
	int status;

	if (!job->filter)
		return 0;
	status = filter_load(job->filter, err);
	if (status <= 0)
		return status;
	listener = status;
	if (sync_send(job->sync_fd, SYNC_LISTENER, 0, NULL, listener) < 0)
		return err_sys(err, errno, "hand over the seccomp listener");
	return sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err);
}

static int step_limits(void *context, struct err *err)
{
	struct settle_job *job = context;

	return limits_apply(job->config, job->process, job->proc_fd, job->rootless, err);
}

static int step_label(void *context, struct err *err)
{
	struct settle_job *job = context;

	int status = label_apply(job->process, job->proc_fd, err);

	/* The host's /proc: gone before any path of the container is looked up (CVE-2024-21626). */
	close(TAKE_FD(job->proc_fd));
	return status;
}

static int enter_cwd(struct settle_job *job, struct err *err)
{
	if (program_enter(job->process->cwd, job->makes_cwd, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		job->exit_code = 127; /* as for a program that is not there */
	return -1;
}

/* As root first: folders of root with 0700 are common. */
static int step_cwd_early(void *context, struct err *err)
{
	struct settle_job *job = context;

	if (enter_cwd(job, err) == 0) {
		job->entered = true;
		return 0;
	}
	if (err->code != ERR_DENIED || chdir(job->process->cwd) == 0)
		return -1;
	*err = ERR_NONE; /* a share that root may not enter: the user may */
	return 0;
}

/* Without no_new_privs loading needs CAP_SYS_ADMIN, so before it goes. */
static int step_filter_early(void *context, struct err *err)
{
	struct settle_job *job = context;

	return job->process->no_new_privileges ? 0 : load_filter(job, err);
}

static int step_privileges(void *context, struct err *err)
{
	struct settle_job *job = context;

	job->env = program_environment(job->process, job->listen_fds);
	return privileges_become(job->process, job->setgroups_denied, settle_warn, &job->sync_fd,
				 err);
}

static int step_cwd(void *context, struct err *err)
{
	struct settle_job *job = context;

	return job->entered ? 0 : enter_cwd(job, err);
}

static int step_program(void *context, struct err *err)
{
	struct settle_job *job = context;

	job->program = program_find(job->process->args.at[0], job->env, &job->exit_code, err);
	return job->program ? 0 : -1;
}

static int step_filter(void *context, struct err *err)
{
	struct settle_job *job = context;

	if (!job->process->no_new_privileges)
		return 0;
	return privileges_no_new(err) < 0 ? -1 : load_filter(job, err);
}

/* clang-format off */
static const struct step settle_steps[] = {
	{ "limits", step_limits, NULL },
	{ "label", step_label, NULL },
	{ "cwd", step_cwd_early, NULL },
	{ "seccomp", step_filter_early, NULL },
	{ "privileges", step_privileges, NULL },
	{ "cwd-as-user", step_cwd, NULL },
	{ "program", step_program, NULL },
	{ "seccomp-last", step_filter, NULL },
	{ 0 },
};
/* clang-format on */

int settle(struct settle_job *job, struct err *err)
{
	return stages_run_told(job->area, settle_steps, job, debug_log_stage,
			       (void *)(uintptr_t)job->log, err);
}

int settle_exec(struct settle_job *job, struct err *err)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(job->program, (char *const *)(uintptr_t)job->process->args.at, job->env);
	job->exit_code = errno == ENOENT || errno == ENOTDIR ? 127 : 126;
	err_sys(err, errno, "exec %s", job->program);
	errtext_lower(err->msg);
	return -1;
}

static int compare_fds(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

int settle_close_others(int *keep, size_t count, unsigned preserved, struct err *err)
{
	unsigned from = 3 + preserved;

	qsort(keep, count, sizeof(int), compare_fds);
	for (size_t i = 0; i < count; i++) {
		unsigned fd = (unsigned)keep[i];

		if (keep[i] < (int)from)
			continue;
		if (fd > from && syscall(SYS_close_range, from, fd - 1, 0) < 0)
			return err_sys(err, errno, "close_range");
		from = fd + 1;
	}
	return syscall(SYS_close_range, from, ~0u, 0) < 0 ? err_sys(err, errno, "close_range") : 0;
}

int settle_descriptors(const int *extra_fds, size_t extra_count, unsigned preserved, int **ours,
		       size_t ours_count, struct err *err)
{
	int first = 3 + (int)(extra_count ? extra_count : preserved);
	int moved[64];

	if (extra_count > 64)
		return err_set(err, ERR_INVALID, "more than 64 descriptors to keep");
	for (size_t i = 0; i < ours_count; i++)
		if (*ours[i] >= 3 && *ours[i] < first && extra_count) {
			int fd = fcntl(*ours[i], F_DUPFD_CLOEXEC, first);

			if (fd < 0)
				return err_sys(err, errno, "move a descriptor");
			*ours[i] = fd;
		}
	for (size_t i = 0; i < extra_count; i++) {
		moved[i] = fcntl(extra_fds[i], F_DUPFD_CLOEXEC, first);
		if (moved[i] < 0)
			return err_sys(err, errno, "descriptor %zu to keep", i);
	}
	for (size_t i = 0; i < extra_count; i++)
		if (dup2(moved[i], 3 + (int)i) < 0)
			return err_sys(err, errno, "descriptor %zu to keep", i);
	for (unsigned i = 0; i < preserved && !extra_count; i++)
		if (fcntl(3 + (int)i, F_SETFD, 0) < 0)
			return err_sys(err, errno, "--preserve-fds: descriptor %u", 3 + i);
	if (syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, errno, "close_range");
	return 0;
}

/* runtime/create_attend - what the parent does while init sets the container up.
 *
 * Owns: answers to init's messages. May not touch: the order of the stages (create).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "runtime/create_internal.h"
#include "runtime/hooks.h"
#include "runtime/lifecycle.h"
#include "runtime/namespaces.h"
#include "runtime/net_device.h"
#include "runtime/sync.h"

char *create_root_path(const struct config *config, const char *bundle)
{
	AUTO(free)
	char *joined = config->root_path[0] == '/' ? xstrdup(config->root_path)
						   : xformat("%s/%s", bundle, config->root_path);
	char *real = realpath(joined, NULL);

	return real ? real : TAKE(joined);
}

pid_t create_pid_of(int pidfd)
{
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	char path[64];
	const char *at;
	uint64_t pid;
	size_t len;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_read(AT_FDCWD, path, 4096, &text, &len, &ignored) < 0)
		return -1;
	at = strstr(text, "Pid:\t");
	return at && num_parse_u64("pid", at + 5, num_digits(at + 5, strlen(at + 5)), 1, INT32_MAX,
				   &pid, &ignored) == 0
		       ? (pid_t)pid
		       : -1;
}

static int write_maps(struct create_job *job, struct err *err)
{
	const struct config *config = job->spec.config;
	int64_t uid = config_map_id(&config->uid_maps, 0),
		gid = config_map_id(&config->gid_maps, 0);

	if (namespaces_write_maps(job->state.init.pid, &config->uid_maps, &config->gid_maps,
				  job->spec.flags & CREATE_ROOTLESS, err) < 0)
		return -1;
	/* A container that may manage its own part of the hierarchy. */
	if (job->cgroup && config_is_new(config, CLONE_NEWCGROUP) && uid >= 0 && gid >= 0)
		for (size_t i = 0; i < config->mount_count; i++) {
			const struct config_mount *mount = &config->mounts[i];
			bool readonly = false;

			if (strcmp(mount->type, "cgroup") != 0 &&
			    strcmp(mount->type, "cgroup2") != 0)
				continue;
			for (size_t j = 0; j < mount->options.count; j++)
				readonly |= strcmp(mount->options.at[j], "ro") == 0;
			if (!readonly && !(job->spec.flags & CREATE_ROOTLESS))
				return cgroup_delegate(job->cgroup, (uid_t)uid, (gid_t)gid, err);
		}
	return 0;
}

static int run_hooks(struct create_job *job, struct err *err)
{
	const struct config *config = job->spec.config;
	AUTO(free) char *state = lifecycle_hook_state(&job->state, STATUS_CREATING);

	if (hooks_run(config, HOOK_PRESTART, state, job->spec.bundle, NULL, err) < 0 ||
	    hooks_run(config, HOOK_CREATE_RUNTIME, state, job->spec.bundle, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < config->net_device_count; i++)
		if (net_device_move(config->net_devices[i].host_name, config->net_devices[i].name,
				    job->state.init.pid, err) < 0)
			return err_wrap(err, "linux.netDevices: %s",
					config->net_devices[i].host_name);
	return 0;
}

static int send_listener(struct create_job *job, int fd, struct err *err)
{
	const struct config_seccomp *seccomp = &job->spec.config->seccomp;
	AUTO(json) struct json_object *state = state_to_oci(&job->state, STATUS_CREATING);

	return filter_send_listener(seccomp->listener_path, seccomp->listener_metadata, fd,
				    job->state.init.pid, state, err);
}

/* Init is gone without a word: how it ended is all there is. */
static int tell_end(struct create_job *job, struct err *err)
{
	siginfo_t info = { 0 };

	if (job->pidfd < 0 || waitid(P_PIDFD, (id_t)job->pidfd, &info, WEXITED | WNOWAIT) < 0)
		return err_set(err, ERR_SYSTEM, "container init has gone");
	if (info.si_code == CLD_EXITED)
		return err_set(err, ERR_SYSTEM, "container init exited with status %d",
			       info.si_status);
	return err_set(err, ERR_SYSTEM, "container init was killed by signal %d%s", info.si_status,
		       info.si_status == SIGKILL && job->cgroup && cgroup_oom_kills(job->cgroup)
			       ? " (container init was OOM-killed (memory limit too low?))"
			       : "");
}

/* 1 READY, 0 go on, -1 failed. */
static int serve(struct create_job *job, const struct sync_message *message, int *fd,
		 struct err *err)
{
	int status = 0;

	switch (message->kind) {
	case SYNC_READY:
		return 1;
	case SYNC_ERROR:
		job->exit_code = message->number;
		return err_set(err, (enum err_code)message->code, "%s", message->text);
	case SYNC_LOG:
		if (job->spec.warn)
			job->spec.warn(job->spec.warn_context, message->text);
		return 0;
	case SYNC_DEBUG:
		debug_log_say(&job->log, "%s", message->text);
		return 0;
	case SYNC_CONSOLE:
		if (job->console_fd < 0)
			job->console_fd = TAKE_FD(*fd);
		return 0;
	case SYNC_NEED_MAPS:
		status = write_maps(job, err);
		break;
	case SYNC_MOUNT:
		status = create_idmap(job, (size_t)message->number, *fd, err);
		break;
	case SYNC_NEED_HOOKS:
		status = run_hooks(job, err);
		break;
	case SYNC_LISTENER:
		status = send_listener(job, *fd, err);
		break;
	default:
		return err_set(err, ERR_INTERNAL, "unexpected message %u of init", message->kind);
	}
	if (status < 0)
		return -1;
	return sync_send(job->socket_fd, SYNC_GO, 0, NULL, -1) < 0 ? tell_end(job, err) : 0;
}

int create_attend(struct create_job *job, struct err *err)
{
	for (;;) {
		struct sync_message message;
		AUTO(fd) int fd = -1;
		int status = sync_receive(job->socket_fd, &message, &fd);

		if (status <= 0)
			return tell_end(job, err);
		status = serve(job, &message, &fd, err);
		if (status < 0)
			return -1;
		if (status == 0)
			continue;
		if (job->spec.flags & CREATE_BY_FIFO &&
		    sync_send(job->socket_fd, SYNC_GO, 0, NULL, -1) < 0)
			return tell_end(job, err);
		return 0;
	}
}

int create_hear_exec(struct create_job *job, struct err *err)
{
	struct sync_message message;
	int status;

	while ((status = sync_receive(job->socket_fd, &message, NULL)) > 0 &&
	       message.kind == SYNC_DEBUG)
		debug_log_say(&job->log, "%s", message.text);
	if (status > 0 && message.kind == SYNC_ERROR) {
		job->exit_code = message.number;
		return err_set(err, (enum err_code)message.code, "%s", message.text);
	}
	return 0; /* the end of the socket is the exec */
}

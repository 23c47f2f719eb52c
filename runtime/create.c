/* runtime/create - the parent's side of create: from a config to an init that waits.
 *
 * Owns: the order of the parent's stages and their way back. May not touch: the container's root
 * (init).
 */
#include "runtime/create.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/mount.h"
#include "base/stages.h"
#include "base/stamp.h"
#include "base/text.h"
#include "runtime/create_internal.h"
#include "runtime/hooks.h"
#include "runtime/init.h"
#include "runtime/lifecycle.h"
#include "runtime/limits.h"
#include "runtime/mount_options.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/rootpath.h"
#include "runtime/sync.h"

static void warn(struct create_job *job, const char *text)
{
	if (job->spec.warn)
		job->spec.warn(job->spec.warn_context, text);
}

static int step_check(void *context, struct err *err)
{
	struct create_job *job = context;
	const struct config *config = job->spec.config;
	struct stat st;

	if (state_check_id(job->spec.id, err) < 0)
		return -1;
	if (config->has_intel_rdt && access("/sys/fs/resctrl/schemata", F_OK) < 0)
		return err_set(err, ERR_UNSUPPORTED, "linux.intelRdt: resctrl is not mounted");
	if (config->has_intel_rdt)
		return err_set(err, ERR_UNSUPPORTED, "linux.intelRdt: is not supported");
	if (config->process && config->process->apparmor_profile &&
	    access("/proc/self/attr/apparmor/exec", F_OK) < 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "process.apparmorProfile: apparmor is not enabled on this host");
	if (job->spec.root_mount_fd < 0 &&
	    (stat(job->init.rootfs, &st) < 0 || !S_ISDIR(st.st_mode)))
		return err_sys(err, errno ? errno : ENOTDIR, "root.path: %s", job->init.rootfs);
	for (unsigned i = 0; i < job->spec.preserve_fds; i++)
		if (fcntl(3 + (int)i, F_GETFD) < 0)
			return err_set(err, ERR_INVALID,
				       "--preserve-fds: descriptor %u is not open", 3 + i);
	return 0;
}

static int make_fifo(int dir_fd, const char *name, struct err *err)
{
	if (mkfifoat(dir_fd, name, 0600) < 0)
		return err_sys(err, errno, "make %s", name);
	return 0;
}

/* exec.fifo lets init go; whoever does so first connects to start.sock, where init answers when the
 * exec fails: a connection that ends without a word is the exec. The fifo is open for both, so that
 * no open has to wait. */
static int open_fifos(struct create_job *job, struct err *err)
{
	int dir_fd = job->state.dir_fd;

	if (make_fifo(dir_fd, "exec.fifo", err) < 0)
		return -1;
	if (!(job->spec.flags & CREATE_BY_FIFO))
		return 0;
	job->init.go_fifo_fd = openat(dir_fd, "exec.fifo", O_RDWR | O_CLOEXEC);
	if (job->init.go_fifo_fd < 0)
		return err_sys(err, errno, "open exec.fifo");
	job->init.word_fd = message_listen(dir_fd, "start.sock", SOCK_SEQPACKET, false, err);
	return job->init.word_fd < 0 ? -1 : 0;
}

static int step_folder(void *context, struct err *err)
{
	struct create_job *job = context;
	const char *text = job->spec.config_text;
	size_t len = job->spec.config_len;

	job->state.dir_fd = state_make_folder(job->spec.state_root, job->spec.id, err);
	if (job->state.dir_fd < 0)
		return -1;
	job->made_folder = true;
	job->lock_fd = file_lock(job->state.dir_fd, "lock", false, err);
	if (job->lock_fd < 0)
		return -1;
	if (!text) {
		text = json_object_to_json_string_ext(job->spec.config->json,
						      JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
		len = strlen(text);
	}
	if (file_replace(job->state.dir_fd, "config.json", text, len, err) < 0)
		return -1;
	return open_fifos(job, err);
}

static void undo_folder(void *context)
{
	struct create_job *job = context;
	struct err err = ERR_NONE;

	if (job->made_folder && state_remove(job->spec.state_root, job->spec.id, &err) < 0)
		warn(job, err.msg);
	job->made_folder = false;
}

static int step_seccomp(void *context, struct err *err)
{
	struct create_job *job = context;
	AUTO(fd) int cache_fd = -1;
	AUTO(free) char *path = NULL;

	if (!job->spec.config->seccomp.set)
		return 0;
	path = xformat("%s/.seccomp", job->spec.state_root);
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		cache_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (filter_compile(&job->spec.config->seccomp, cache_fd, &job->init.filter, err) < 0)
		return -1;
	job->init.has_filter = true;
	debug_log_say(&job->log, "seccomp filter flags: %u", job->init.filter.flags);
	return 0;
}

static int write_record(struct create_job *job, struct err *err)
{
	json_object_put(job->state.cgroup_json);
	job->state.cgroup_json = job->cgroup ? cgroup_to_json(job->cgroup) : NULL;
	return state_write(&job->state, err);
}

/* Where the cgroup will be is on disk before it exists. */
static int step_intent(void *context, struct err *err)
{
	struct create_job *job = context;
	struct cgroup_spec spec = {
		.path = job->spec.config->cgroups_path,
		.id = job->spec.id,
		.systemd = job->spec.flags & CREATE_SYSTEMD_CGROUP,
		.rootless = job->spec.flags & CREATE_ROOTLESS,
		.annotations = &job->spec.config->annotations,
		.warn = job->spec.warn,
		.warn_context = job->spec.warn_context,
	};

	if (!(job->spec.flags & CREATE_NO_CGROUP)) {
		job->cgroup = cgroup_plan(&spec, err);
		if (!job->cgroup)
			return -1;
		job->init.cgroup = job->cgroup;
		job->state.cgroup = job->cgroup;
	}
	return write_record(job, err);
}

static int step_cgroup(void *context, struct err *err)
{
	struct create_job *job = context;
	int count;

	if (!job->cgroup)
		return 0;
	if (cgroup_make(job->cgroup, &job->spec.config->resources, true, err) < 0)
		return -1;
	job->made_cgroup = true;
	count = cgroup_join_fds(job->cgroup, NULL,
				cgroup_clone_fd(job->cgroup) < 0 || job->by_helper,
				job->init.cgroup_fds, INIT_CGROUP_FDS, err);
	if (count < 0)
		return -1;
	job->init.cgroup_fd_count = (size_t)count;
	return 0;
}

static void undo_cgroup(void *context)
{
	struct create_job *job = context;
	struct err err = ERR_NONE;

	if (!job->made_cgroup)
		return;
	if (cgroup_is_populated(job->cgroup))
		cgroup_kill(job->cgroup, SIGKILL, &err);
	if (cgroup_remove(job->cgroup, &err) < 0)
		warn(job, err.msg);
	job->made_cgroup = false;
}

static int step_record(void *context, struct err *err)
{
	struct create_job *job = context;

	return write_record(job, err);
}

static int step_attend(void *context, struct err *err)
{
	struct create_job *job = context;

	if (create_attend(job, err) < 0)
		return -1;
	return job->cgroup ? cgroup_settle(job->cgroup, &job->spec.config->resources, err) : 0;
}

/* clang-format off */
static const struct step create_steps[] = {
	{ "check", step_check, NULL },
	{ "state-folder", step_folder, undo_folder },
	{ "compile-seccomp", step_seccomp, NULL },
	{ "sources", create_open_sources, NULL },
	{ "intent", step_intent, NULL },
	{ "cgroup", step_cgroup, undo_cgroup },
	{ "clone", create_clone, create_unclone },
	{ "record", step_record, NULL },
	{ "init", step_attend, NULL },
	{ 0 },
};
/* clang-format on */

static void close_child_side(struct create_job *job)
{
	struct init_job *init = &job->init;
	int *fds[] = { &init->sync_fd, &init->go_fifo_fd, &init->word_fd, &init->proc_fd,
		       &init->root_tree_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] >= 0)
			close(TAKE_FD(*fds[i]));
	for (size_t i = 0; init->mount_fds && i < job->spec.config->mount_count; i++)
		if (init->mount_fds[i] >= 0)
			close(TAKE_FD(init->mount_fds[i]));
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (init->namespace_fds[i] >= 0)
			close(TAKE_FD(init->namespace_fds[i]));
	cgroup_close_fds(init->cgroup_fds, &init->cgroup_fd_count);
	free(init->filter.at);
	init->filter.at = NULL;
}

static void job_free(struct create_job *job)
{
	close_child_side(job);
	if (job->socket_fd >= 0)
		close(job->socket_fd);
	if (job->lock_fd >= 0)
		close(job->lock_fd);
	if (job->state.dir_fd >= 0)
		close(job->state.dir_fd);
	free(job->state.root);
	free(job->state.id);
	free(job->state.bundle);
	free(job->state.rootfs);
	free(job->state.owner);
	json_object_put(job->state.annotations);
	json_object_put(job->state.cgroup_json);
	free(job->init.mount_fds);
	free(job->init.state_path);
	free(job->init.rootfs);
	free(job->init.hook_state);
	free(job);
}

static bool needs_helper(const struct config *config, int netns_fd)
{
	const struct config_namespace *user = config_namespace(config, CLONE_NEWUSER);
	bool joins = netns_fd >= 0;

	for (size_t i = 0; i < config->namespace_count; i++)
		joins |= config->namespaces[i].path != NULL;
	return user && (user->path || joins);
}

static char *owner_name(void)
{
	return geteuid() == 0 ? xstrdup("root") : xformat("%u", (unsigned)geteuid());
}

static struct json_object *annotations_json(const struct config *config)
{
	struct json_object *out = json_object_new_object();

	for (size_t i = 0; i < config->annotations.count; i++)
		json_object_object_add(out, config->annotations.at[i].key,
				       json_object_new_string(config->annotations.at[i].value));
	return out;
}

static void init_prepare(struct create_job *job)
{
	const struct config *config = job->spec.config;
	struct init_job *init = &job->init;

	*init = (struct init_job){
		.spec = &job->spec,
		.config = config,
		.log = {job->spec.debug, job->spec.warn_context, &init->sync_fd},
		.sync_fd = -1,
		.go_fifo_fd = -1,
		.word_fd = -1,
		.proc_fd = -1,
		.root_tree_fd = job->spec.root_mount_fd,
		.dev_null_fd = -1,
		.root_fd = -1,
		.console_fd = -1,
		.readonly_dev_fd = -1
	};
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		init->namespace_fds[i] = -1;
	init->state_path = xformat("%s/%s", job->spec.state_root, job->spec.id);
	init->rootfs = create_root_path(config, job->spec.bundle);
	init->in_user_namespace = config_namespace(config, CLONE_NEWUSER) != NULL;
	init->needs_maps = config_is_new(config, CLONE_NEWUSER);
	init->needs_hooks = config->hooks[HOOK_PRESTART].count ||
			    config->hooks[HOOK_CREATE_RUNTIME].count || config->net_device_count;
	init->setgroups_denied = init->in_user_namespace && job->spec.flags & CREATE_ROOTLESS &&
				 config->gid_maps.count == 1;
	init->mount_fds = xcalloc(config->mount_count + 1, sizeof(int));
	for (size_t i = 0; i < config->mount_count; i++)
		init->mount_fds[i] = -1;
}

static struct create_job *job_new(const struct create_spec *spec)
{
	struct create_job *job = xcalloc(1, sizeof(*job));
	const struct config_namespace *pid = config_namespace(spec->config, CLONE_NEWPID);

	job->spec = *spec;
	job->log = (struct debug_log){ spec->debug, spec->warn_context, NULL };
	job->lock_fd = job->socket_fd = job->pidfd = job->console_fd = -1;
	job->state = (struct state){ .root = xstrdup(spec->state_root),
				     .id = xstrdup(spec->id),
				     .dir_fd = -1,
				     .bundle = xstrdup(spec->bundle),
				     .owner = owner_name(),
				     .annotations = annotations_json(spec->config),
				     .created_unix_ns = stamp_now_ns(),
				     .shares_pid_namespace = !pid || pid->path };
	init_prepare(job);
	job->state.rootfs = xstrdup(job->init.rootfs);
	job->by_helper = needs_helper(spec->config, spec->netns_fd);
	job->init.hook_state = lifecycle_hook_state(&job->state, STATUS_CREATING);
	return job;
}

int create_container(struct create_spec *spec, struct container **out, int *out_exit_code,
		     struct err *err)
{
	struct create_job *job = job_new(spec);
	struct container *container;

	if (stages_run_told("create", create_steps, job, debug_log_stage, &job->log, err) < 0) {
		if (out_exit_code)
			*out_exit_code = job->exit_code ? job->exit_code : 125;
		if (job->console_fd >= 0)
			close(job->console_fd);
		cgroup_free(job->cgroup);
		job_free(job);
		return -1;
	}
	close_child_side(job);
	close(TAKE_FD(job->lock_fd));
	if (job->spec.flags & CREATE_BY_FIFO)
		close(TAKE_FD(job->socket_fd));
	container = xcalloc(1, sizeof(*container));
	*container = (struct container){ .id = xstrdup(spec->id),
					 .init = job->state.init,
					 .pidfd = job->pidfd,
					 .console_fd = job->console_fd,
					 .cgroup = job->cgroup,
					 .job = job };
	*out = container;
	return 0;
}

int create_start(struct container *container, struct err *err)
{
	struct create_job *job = container->job;
	int status;

	if (job->spec.flags & CREATE_BY_FIFO) {
		status = lifecycle_start(&job->state, job->spec.config, err);
		container->exit_code = status < 0 ? 125 : 0;
		return status;
	}
	unlinkat(job->state.dir_fd, "exec.fifo", 0);
	if (sync_send(job->socket_fd, SYNC_GO, 0, NULL, -1) < 0)
		return err_set(err, ERR_SYSTEM, "container init exited before start");
	status = create_hear_exec(job, err);
	container->exit_code = status < 0 ? (job->exit_code ? job->exit_code : 125) : 0;
	if (status < 0 || !job->spec.config->hooks[HOOK_POSTSTART].count)
		return status;
	{
		AUTO(free) char *state = lifecycle_hook_state(&job->state, STATUS_RUNNING);

		if (hooks_run(job->spec.config, HOOK_POSTSTART, state, job->spec.bundle, NULL,
			      err) == 0)
			return 0;
	}
	process_signal(container->pidfd, SIGKILL);
	container->exit_code = 125;
	return -1;
}

void create_undo(struct container *container)
{
	struct create_job *job = container->job;
	struct err err = ERR_NONE;

	if (container->pidfd >= 0)
		job->pidfd = TAKE_FD(container->pidfd);
	create_unclone(job);
	if (lifecycle_remove(&job->state, NULL, LIFECYCLE_FORCE | LIFECYCLE_NO_HOOKS,
			     job->spec.warn, job->spec.warn_context, &err) < 0)
		warn(job, err.msg);
}

int create_delete(struct container *container, struct err *err)
{
	struct create_job *job = container->job;

	return lifecycle_remove(&job->state, job->spec.config, LIFECYCLE_FORCE, job->spec.warn,
				job->spec.warn_context, err);
}

void container_free(struct container *container)
{
	if (!container)
		return;
	if (container->pidfd >= 0)
		close(container->pidfd);
	if (container->console_fd >= 0)
		close(container->console_fd);
	job_free(container->job);
	cgroup_free(container->cgroup);
	free(container->id);
	free(container);
}

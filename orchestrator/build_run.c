/* orchestrator/build_run - one RUN: its root, its bundle, our runtime, its output.
 *
 * Owns: the step's folder (upper, work, stubs, bundle), the process and its pipes. May not touch:
 * layers (images/dockerfile), what --mount means (build_mount).
 */
#include "orchestrator/build_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mount.h"
#include "base/tree.h"

#define LOG_NAME       "log" /* of stack-runtime, in the bundle */
#define LOG_MAX_BYTES  (1u << 20)
#define LINE_MAX_BYTES (64u << 10) /* a longer line is told in parts */

extern char **environ;

struct running {
	const struct build_runner *runner;
	const struct build_run_spec *spec;
	struct arena *arena;
	char *folder;              /* "run-3" */
	const char *path, *bundle; /* bundle: in memory */
	const char *id;
	int fd, bundle_fd;
	const struct build_lane *lane;
	bool is_mounted;
};

/* ---- the folder ---- */

static int open_below(const struct running *run, const char *name, struct err *err)
{
	if (mkdirat(run->fd, name, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make %s", name);
	return file_open_dir(run->fd, name, false, err);
}

/* Places for mounts, in a layer of their own at the very bottom, so that none is made in the upper
 * folder: a layer of the image hides them where it has something there. */
static int make_stub(int dir_fd, const char *target, bool is_file, struct err *err)
{
	AUTO(free) char *path = xstrdup(target + strspn(target, "/"));
	char *slash = strrchr(path, '/');

	if (!*path)
		return 0;
	if (!is_file)
		return file_make_dirs(dir_fd, path, 0755, err);
	if (slash) {
		*slash = '\0';
		if (file_make_dirs(dir_fd, path, 0755, err) < 0)
			return -1;
		*slash = '/';
	}
	{
		AUTO(fd) int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		return fd < 0 && errno != EISDIR ? err_sys(err, errno, "make %s", path) : 0;
	}
}

static int make_stubs(const struct running *run, int dir_fd, struct err *err)
{
	static const char *const folders[] = { "/proc", "/sys", "/dev" };
	static const char *const files[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/hostname" };

	for (size_t i = 0; i < 3; i++)
		if (make_stub(dir_fd, folders[i], false, err) < 0 ||
		    make_stub(dir_fd, files[i], true, err) < 0)
			return -1;
	for (size_t i = 0; i < run->spec->mount_count; i++)
		if (make_stub(dir_fd, run->spec->mounts[i].destination, run->spec->is_file[i],
			      err) < 0)
			return -1;
	return 0;
}

/* The overlay shows the attributes of the upper folder as those of "/". */
static int dress_root(const struct build_run_spec *spec, int upper_fd, struct err *err)
{
	const struct timespec times[2] = {
		{0,                   UTIME_OMIT         },
                { spec->root_mtime_s, spec->root_mtime_ns}
	};

	if (fchown(upper_fd, spec->root_uid, spec->root_gid) < 0 ||
	    fchmod(upper_fd, spec->root_mode & 07777) < 0 || futimens(upper_fd, times) < 0)
		return err_sys(err, errno, "attributes of the root");
	return 0;
}

static int mount_root(struct running *run, int *out_upper_fd, struct err *err)
{
	const struct build_run_spec *spec = run->spec;
	AUTO(free) int *lowers = xcalloc(spec->lower_count + 1, sizeof(*lowers));
	AUTO(fd) int upper = open_below(run, "upper", err);
	AUTO(fd) int work = upper < 0 ? -1 : open_below(run, "work", err);
	AUTO(fd) int stubs = work < 0 ? -1 : open_below(run, "stubs", err);
	AUTO(fd) int root = -1;

	if (stubs < 0 || make_stubs(run, stubs, err) < 0 || dress_root(spec, upper, err) < 0)
		return -1;
	memcpy(lowers, spec->lower_fds, spec->lower_count * sizeof(*lowers));
	lowers[spec->lower_count] = stubs;
	root = mount_overlay(lowers, spec->lower_count + 1, upper, work, MOUNT_VOLATILE, 0, err);
	if (root < 0 || mount_attach_at(root, run->bundle_fd, "rootfs", err) < 0)
		return -1;
	run->is_mounted = true;
	*out_upper_fd = TAKE_FD(upper);
	return 0;
}

static void unmount_root(struct running *run)
{
	AUTO(free) char *path = xformat("%s/rootfs", run->bundle);

	if (run->is_mounted)
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	run->is_mounted = false;
}

/* ---- the bundle ---- */

static void fill_service(const struct build_run_spec *spec, struct service *out)
{
	*out = (struct service){
		.name = "RUN",
		.working_dir = spec->cwd,
		.privileged = spec->insecure,
		.entrypoint = {(const char **)(uintptr_t)spec->argv, spec->argc, true}
	};
	if (!spec->limits)
		return;
	out->shm_size = spec->limits->shm_size;
	out->ulimits = spec->limits->ulimits;
	out->ulimit_count = spec->limits->ulimit_count;
	out->mem_limit = spec->limits->mem_limit;
}

static int write_bundle(struct running *run, struct err *err)
{
	const struct build_run_spec *spec = run->spec;
	struct project project = { .name = run->runner->work->project };
	struct image_config image = {
		.env = {(const char **)(uintptr_t)spec->env, spec->env_count, true}
	};
	struct service service;
	struct bundle_spec bundle = { .project = &project,
				      .service = &service,
				      .image = &image,
				      .user = spec->user,
				      .id = run->id,
				      .slot = run->folder,
				      .hostname = spec->hostname,
				      .slot_dir = run->path,
				      .netns_path = run->lane ? run->lane->netns : NULL,
				      .mounts = spec->mounts,
				      .mount_count = spec->mount_count };
	struct build_names names = { .settings = run->runner->settings,
				     .kind = spec->network,
				     .lane = run->lane,
				     .hostname = spec->hostname,
				     .extra_hosts =
					     spec->limits ? &spec->limits->extra_hosts : NULL };
	AUTO(json) struct json_object *config = NULL;

	fill_service(spec, &service);
	if (build_names_write(&names, run->fd, err) < 0)
		return -1;
	config = bundle_config(run->arena, &bundle, err);
	return !config ? -1 : json_write_file(run->bundle_fd, "config.json", config, 0, err);
}

/* ---- the process ---- */

static int spawn(const struct running *run, const int ends[2][2], pid_t *out_pid, struct err *err)
{
	AUTO(free) char *log = xformat("%s/" LOG_NAME, run->bundle);
	const char *argv[] = { "stack-runtime", "--root", run->runner->work->run_path,
			       "--log",         log,      "--log-format",
			       "json",          "run",    "--bundle",
			       run->bundle,     run->id,  NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	char program[40];
	int status;

	snprintf(program, sizeof(program), "/proc/self/fd/%d", run->runner->runtime_fd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	/* A session of its own: the interrupt of a terminal is ours to act on. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[0][1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1][1], 2);
	status = posix_spawn(out_pid, program, &actions, &attributes,
			     (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return status ? err_sys(err, status, "start stack-runtime") : 0;
}

struct lines {
	const struct build_run_spec *spec;
	const char *stream;
	char *text;
	size_t len;
};

static void tell_line(struct lines *lines)
{
	size_t len = lines->len;

	if (len && lines->text[len - 1] == '\r')
		len--;
	lines->spec->output(lines->spec->ctx, lines->stream, lines->text, len);
	lines->len = 0;
}

static void take_bytes(struct lines *lines, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || lines->len == LINE_MAX_BYTES)
			tell_line(lines);
		if (bytes[i] != '\n')
			lines->text[lines->len++] = bytes[i];
	}
}

/* Until both ends are closed: what the program leaves behind is killed with it. */
static void read_output(const struct build_run_spec *spec, int out_fd, int err_fd)
{
	static const char *const streams[] = { "stdout", "stderr" };
	struct pollfd waits[2] = {
		{.fd = out_fd,  .events = POLLIN},
                { .fd = err_fd, .events = POLLIN}
	};
	struct lines lines[2];
	AUTO(free) char *buffer = xcalloc(1, LINE_MAX_BYTES);

	for (int i = 0; i < 2; i++)
		lines[i] = (struct lines){ spec, streams[i], xcalloc(1, LINE_MAX_BYTES), 0 };
	while (waits[0].fd >= 0 || waits[1].fd >= 0) {
		if (poll(waits, 2, -1) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (waits[i].fd < 0 || !waits[i].revents)
				continue;
			n = read(waits[i].fd, buffer, LINE_MAX_BYTES);
			if (n > 0)
				take_bytes(&lines[i], buffer, (size_t)n);
			else if (n == 0 || errno != EINTR)
				waits[i].fd = -1;
		}
	}
	for (int i = 0; i < 2; i++) {
		if (lines[i].len)
			tell_line(&lines[i]);
		free(lines[i].text);
	}
}

static void close_pair(int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(TAKE_FD(ends[i]));
}

static int execute(struct running *run, int *out_status, struct err *err)
{
	int ends[2][2] = { { -1, -1 }, { -1, -1 } }, status = 0;
	pid_t pid;

	if (pipe2(ends[0], O_CLOEXEC) < 0 || pipe2(ends[1], O_CLOEXEC) < 0)
		status = err_sys(err, errno, "pipe");
	else
		status = spawn(run, (const int(*)[2])ends, &pid, err);
	if (status == 0) {
		close(TAKE_FD(ends[0][1]));
		close(TAKE_FD(ends[1][1]));
		crash_point("build", "running");
		read_output(run->spec, ends[0][0], ends[1][0]);
		while (waitpid(pid, out_status, 0) < 0 && errno == EINTR)
			;
		*out_status = WIFSIGNALED(*out_status) ? 128 + WTERMSIG(*out_status)
						       : WEXITSTATUS(*out_status);
	}
	close_pair(ends[0]);
	close_pair(ends[1]);
	return status;
}

/* What the runtime itself has to say: then there was no program to fail. */
static int take_refusal(const struct running *run, struct err *err)
{
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	struct json_object *line = NULL;
	const char *message;
	size_t len;

	if (file_read(run->bundle_fd, LOG_NAME, LOG_MAX_BYTES, &text, &len, &ignored) < 0 || !len)
		return 0;
	line = json_parse("log", text, strcspn(text, "\n"), &ignored);
	message = json_text_or(line, "msg", NULL);
	if (message) {
		const char *program = strstr(message, "init: program: ");

		err_set(err, ERR_SYSTEM, "%s", program ? program + 15 : message);
	}
	json_object_put(line);
	return message ? -1 : 0;
}

static int prepare(struct running *run, struct build_run_result *out, struct err *err)
{
	run->fd = file_open_dir(run->runner->work->fd, run->folder, true, err);
	if (run->fd < 0 || file_make_dirs(run->runner->work->memory_fd, run->folder, 0700, err) < 0)
		return -1;
	run->bundle_fd = file_open_dir(run->runner->work->memory_fd, run->folder, false, err);
	if (run->bundle_fd < 0)
		return -1;
	if (mkdirat(run->bundle_fd, "rootfs", 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make the root of RUN");
	if (run->spec->network != BUILD_NET_HOST &&
	    build_net_take(run->runner->net, run->spec->network, &run->lane, err) < 0)
		return -1;
	if (mount_root(run, &out->upper_fd, err) < 0)
		return -1;
	return write_bundle(run, err);
}

int build_run(const struct build_runner *runner, const struct build_run_spec *spec,
	      struct build_run_result *out, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct running run = {
		.runner = runner, .spec = spec, .arena = arena, .fd = -1, .bundle_fd = -1
	};
	int status;

	*out = (struct build_run_result){ .upper_fd = -1 };
	run.folder = xformat("run-%u", spec->number);
	run.path = arena_format(arena, "%s/%s", runner->work->path, run.folder);
	run.bundle = arena_format(arena, "%s/%s", runner->work->memory_path, run.folder);
	run.id = build_work_container(runner->work, spec->number,
				      arena_alloc(arena, BUILD_CONTAINER_MAX));
	out->folder = run.folder;
	status = prepare(&run, out, err);
	if (status == 0)
		status = build_control_add(runner->control, run.id, err);
	if (status == 0) {
		crash_point("build", "prepared");
		status = execute(&run, &out->status, err);
		if (status == 0 && out->status)
			status = take_refusal(&run, err);
		build_control_remove(runner->control, run.id);
	}
	unmount_root(&run);
	if (run.lane)
		build_net_give(runner->net, run.lane);
	if (run.fd >= 0)
		close(run.fd);
	if (run.bundle_fd >= 0)
		close(run.bundle_fd);
	if (status == 0 && build_control_is_cancelled(runner->control))
		status = err_set(err, ERR_CANCELLED, "cancelled");
	if (status < 0)
		build_run_end(runner, out);
	return status;
}

void build_run_end(const struct build_runner *runner, struct build_run_result *result)
{
	struct err ignored = ERR_NONE;

	if (result->upper_fd >= 0)
		close(TAKE_FD(result->upper_fd));
	if (result->folder) {
		tree_remove(runner->work->memory_fd, result->folder, &ignored);
		tree_remove(runner->work->fd, result->folder, &ignored);
	}
	free(TAKE(result->folder));
}

/* orchestrator/build_work - the folder of one running builder, and what dead ones left behind.
 *
 * Owns: STATE/build/work, the lock that tells who lives, the mount namespace. May not touch: the
 * cache (images/dockerfile), what a step does.
 */
#include "orchestrator/build_work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stamp.h"
#include "base/text.h"
#include "base/tree.h"
#include "orchestrator/cgroup_folders.h"
#include "orchestrator/network.h"
#include "orchestrator/settings.h"
#include "orchestrator/spawn.h"

#define WORK_FOLDER      "build/work"
#define LOCK_NAME        "lock"
#define PROJECT_PREFIX   "_build-"
#define CONTAINERS       "containers"
#define CONTAINER_PREFIX "build-"

/* ---- what dead builders left ---- */

/* Its containers, killed and deleted by the runtime. */
static void drop_containers(const struct roots *roots, const char *id, int runtime_fd)
{
	AUTO(free) char *root = xformat("%s/" CONTAINERS, roots->run);
	AUTO(free) char *prefix = xformat(CONTAINER_PREFIX "%s-", id);
	DIR *dir = opendir(root);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		const char *argv[] = { "stack-runtime", "--root", root, "delete",
				       "--force",       NULL,     NULL };
		struct spawn_result result;
		struct err err = ERR_NONE;

		if (!text_starts(entry->d_name, prefix))
			continue;
		argv[5] = entry->d_name;
		if (spawn_and_wait(runtime_fd, argv, -1, &result, &err) < 0 || result.status)
			log_warn("build-sweep", KV_S("container", &entry->d_name[0]),
				 KV_S("error", err.code ? err.msg : result.output));
	}
	if (dir)
		closedir(dir);
}

/* The pins of namespaces were in the dead builder's mount namespace; their files are left. */
static void drop_pins(const struct roots *roots, const char *project)
{
	int fd = openat(roots->run_fd, "netns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(project);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, project, len) == 0 && entry->d_name[len] == '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static int drop_network(const struct roots *roots, const char *project, struct err *err)
{
	AUTO(settings) struct settings *settings = settings_load(NULL, err);
	struct project_net *net = settings ? net_open(roots, project, settings, err) : NULL;
	int status = net ? net_drop_project(net, err) : -1;

	net_close(net);
	return status;
}

static int drop_dead(const struct roots *roots, int work_fd, const char *id, int runtime_fd,
		     struct err *err)
{
	AUTO(free) char *project = xformat(PROJECT_PREFIX "%s", id);
	AUTO(free) char *mark = xformat("%s/network", id);

	drop_containers(roots, id, runtime_fd);
	drop_pins(roots, project);
	cgroup_folders_drop(project);
	if (faccessat(work_fd, mark, F_OK, 0) == 0 && drop_network(roots, project, err) < 0)
		return -1;
	return tree_remove(work_fd, id, err);
}

/* 1 while somebody holds the folder's lock; 0, and *out_fd has it. */
static int is_held(int work_fd, const char *id, int *out_fd)
{
	AUTO(free) char *name = xformat("%s/" LOCK_NAME, id);
	struct err err = ERR_NONE;

	*out_fd = file_lock(work_fd, name, false, &err);
	return *out_fd < 0 && err.code == ERR_BUSY;
}

static int sweep_locked(const struct roots *roots, int work_fd, int runtime_fd, struct err *err)
{
	int fd = openat(work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct err first = ERR_NONE;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		AUTO(fd) int lock = -1;
		struct err one = ERR_NONE;

		if (entry->d_name[0] == '.' || is_held(work_fd, entry->d_name, &lock))
			continue;
		if (drop_dead(roots, work_fd, entry->d_name, runtime_fd, &one) < 0 && !first.code)
			first = one;
	}
	if (dir)
		closedir(dir);
	*err = first;
	return first.code ? err_wrap(err, "clear what a build left") : 0;
}

int build_work_sweep(const struct roots *roots, int runtime_fd, struct err *err)
{
	AUTO(fd)
	int work_fd = openat(roots->state_fd, WORK_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int lock = -1;

	if (work_fd < 0)
		return 0;
	lock = file_lock(work_fd, ".lock", true, err);
	return lock < 0 ? -1 : sweep_locked(roots, work_fd, runtime_fd, err);
}

bool build_work_is_alive(const struct roots *roots, const char *project)
{
	AUTO(fd) int work_fd = -1;
	AUTO(fd) int lock = -1;
	AUTO(free) char *path = NULL;

	if (!text_starts(project, PROJECT_PREFIX))
		return false;
	work_fd = openat(roots->state_fd, WORK_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path = xformat("%s/" LOCK_NAME, project + strlen(PROJECT_PREFIX));
	return work_fd >= 0 && faccessat(work_fd, path, F_OK, 0) == 0 &&
	       is_held(work_fd, project + strlen(PROJECT_PREFIX), &lock);
}

/* ---- one builder ---- */

static int leave_mounts(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, errno, "a mount namespace for the build");
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, errno, "propagation of mounts");
	return 0;
}

/* What must not come to the disk: secrets, and bundles with secrets in their environment. */
static int mount_memory(struct build_work *work, struct err *err)
{
	work->memory_path = build_work_folder(work, "memory", err);
	if (!work->memory_path)
		return -1;
	if (mount("tmpfs", work->memory_path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
		return err_sys(err, errno, "mount a tmpfs for the build");
	work->memory_fd = file_open_dir(work->fd, "memory", false, err);
	return work->memory_fd < 0 ? -1 : 0;
}

static int make_folder(struct build_work *work, int work_fd, struct err *err)
{
	stamp_id(work->id, BUILD_ID_LEN);
	snprintf(work->project, sizeof(work->project), PROJECT_PREFIX "%s", work->id);
	work->path = xformat("%s/" WORK_FOLDER "/%s", work->roots->state, work->id);
	work->run_path = xformat("%s/" CONTAINERS, work->roots->run);
	/* By its path: descriptors from before are of mounts outside of our namespace. */
	if (mkdirat(work_fd, work->id, 0700) < 0)
		return err_sys(err, errno, "make %s", work->path);
	work->fd = file_open_dir(AT_FDCWD, work->path, false, err);
	work->lock_fd = work->fd < 0 ? -1 : file_lock(work->fd, LOCK_NAME, false, err);
	return work->lock_fd < 0 ? -1 : 0;
}

struct build_work *build_work_open(const struct roots *roots, int runtime_fd, struct err *err)
{
	AUTO(build_work) struct build_work *work = xcalloc(1, sizeof(*work));
	AUTO(fd) int work_fd = -1;
	AUTO(fd) int lock = -1;

	work->roots = roots;
	work->fd = work->memory_fd = work->lock_fd = -1;
	work_fd = file_open_dir(roots->state_fd, WORK_FOLDER, true, err);
	lock = work_fd < 0 ? -1 : file_lock(work_fd, ".lock", true, err);
	if (lock < 0 || sweep_locked(roots, work_fd, runtime_fd, err) < 0 ||
	    leave_mounts(err) < 0 || make_folder(work, work_fd, err) < 0 ||
	    mount_memory(work, err) < 0)
		return NULL;
	return TAKE(work);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void build_work_close(struct build_work *work)
{
	struct err err = ERR_NONE;

	if (!work)
		return;
	cgroup_folders_drop(work->project);
	close_fd(work->memory_fd);
	if (work->memory_path)
		umount2(work->memory_path, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (work->path) {
		AUTO(fd)
		int parent = openat(work->roots->state_fd, WORK_FOLDER,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (parent >= 0 && tree_remove(parent, work->id, &err) < 0)
			log_warn("build-folder-left", KV_S("error", &err.msg[0]));
	}
	close_fd(work->fd);
	close_fd(work->lock_fd);
	free(work->path);
	free(work->memory_path);
	free(work->run_path);
	free(work);
}

char *build_work_container(const struct build_work *work, unsigned number,
			   char out[BUILD_CONTAINER_MAX])
{
	snprintf(out, BUILD_CONTAINER_MAX, CONTAINER_PREFIX "%s-%u", work->id, number);
	return out;
}

char *build_work_folder(const struct build_work *work, const char *name, struct err *err)
{
	AUTO(free) char *path = xformat("%s/%s", work->path, name);

	return file_make_dirs(work->fd, name, 0755, err) < 0 ? NULL : TAKE(path);
}

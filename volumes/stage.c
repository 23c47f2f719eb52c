/* volumes/stage - how a descriptor becomes a source in config.json.
 *
 * Owns: RUNTIME_ROOT/stage. May not touch: what is mounted there.
 */
#include "volumes/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "volumes/folder.h"

#define STAGE "stage"

static int check_id(const char *id, struct err *err)
{
	if (!*id || id[0] == '.' || strchr(id, '/') || strlen(id) > 200)
		return err_set(err, ERR_INVALID, "container id \"%.80s\"", id);
	return 0;
}

#define LOCK ".stage.lock" /* held while the mount of all stages is made, entered or taken down */

/* The folder of all stages, a private mount of its own. The lock is held. */
static int open_stages(int runtime_fd, struct err *err)
{
	AUTO(fd) int plain = file_open_dir(runtime_fd, STAGE, true, err);
	AUTO(fd) int clone = -1;

	if (plain < 0 || folder_is_mount(plain))
		return TAKE_FD(plain);
	clone = mount_clone(plain, false, err);
	/* What is attached below a shared mount becomes shared: private only afterwards. */
	if (clone < 0 || mount_attach(clone, plain, STAGE, err) < 0 ||
	    mount_set(clone, 0, 0, MS_PRIVATE, -1, false, err) < 0)
		return -1;
	return file_open_dir(runtime_fd, STAGE, false, err);
}

/* The last stage has gone: the mount and its folder too. The lock is held. */
static void close_stages(int runtime_fd)
{
	char path[64];

	if (folder_count(runtime_fd, STAGE) > 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" STAGE, runtime_fd);
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	unlinkat(runtime_fd, STAGE, AT_REMOVEDIR);
}

/* Takes down what is mounted and removes the folder. */
static int drop(int stages_fd, const char *id, struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(stages_fd, id);
	const char *name;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return err_sys(err, errno, "stage %s", id);
	while ((name = folder_next(dir)) != NULL) {
		char path[64 + NAME_MAX];

		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd(dir), name);
		while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			;
		if (errno != EINVAL)
			return err_sys(err, errno, "unmount stage %s", id);
		if (unlinkat(dirfd(dir), name, 0) < 0 &&
		    unlinkat(dirfd(dir), name, AT_REMOVEDIR) < 0)
			return err_sys(err, errno, "stage %s: remove %s", id, name);
	}
	if (unlinkat(stages_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove stage %s", id);
	return 0;
}

struct volume_stage *stage_open(const char *runtime_path, const char *container_id, struct err *err)
{
	AUTO(volume_stage) struct volume_stage *stage = xcalloc(1, sizeof(*stage));
	AUTO(fd) int runtime = -1;
	AUTO(fd) int lock = -1;
	AUTO(fd) int stages = -1;

	stage->dir_fd = -1;
	if (check_id(container_id, err) < 0)
		return NULL;
	runtime = file_open_dir(AT_FDCWD, runtime_path, true, err);
	lock = runtime < 0 ? -1 : file_lock(runtime, LOCK, true, err);
	stages = lock < 0 ? -1 : open_stages(runtime, err);
	if (stages < 0 || drop(stages, container_id, err) < 0) {
		err_wrap(err, "%s/" STAGE, runtime_path);
		return NULL;
	}
	stage->dir_fd = file_open_dir(stages, container_id, true, err);
	if (stage->dir_fd < 0)
		return NULL;
	stage->path = xformat("%s/" STAGE "/%s", runtime_path, container_id);
	return TAKE(stage);
}

void stage_close(struct volume_stage *stage)
{
	if (stage->dir_fd >= 0)
		close(stage->dir_fd);
	free(stage->path);
	free(stage);
}

char *stage_attach(struct volume_stage *stage, int mount_fd, bool is_dir, struct err *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", stage->next++);
	if (is_dir ? mkdirat(stage->dir_fd, name, 0700) < 0
		   : mknodat(stage->dir_fd, name, S_IFREG | 0600, 0) < 0) {
		err_sys(err, errno, "%s/%s", stage->path, name);
		return NULL;
	}
	if (mount_attach_at(mount_fd, stage->dir_fd, name, err) < 0) {
		err_wrap(err, "%s", stage->path);
		return NULL;
	}
	return xformat("%s/%s", stage->path, name);
}

char *stage_clone(struct volume_stage *stage, int fd, bool recursive, struct err *err)
{
	struct stat st;
	AUTO(fd) int clone = -1;

	if (fstat(fd, &st) < 0) {
		err_sys(err, errno, "stage");
		return NULL;
	}
	clone = mount_clone(fd, recursive, err);
	/* Later mounts on the host are no business of the container's. */
	if (clone < 0 || mount_set(clone, 0, 0, MS_PRIVATE, -1, true, err) < 0)
		return NULL;
	return stage_attach(stage, clone, S_ISDIR(st.st_mode), err);
}

/* A part of a mount can be cloned only when the mount is attached: it is, beside the part, until
 * the stage goes. */
char *stage_attach_below(struct volume_stage *stage, int mount_fd, const char *subpath,
			 struct err *err)
{
	AUTO(free) char *whole = stage_attach(stage, mount_fd, true, err);
	AUTO(fd) int root = -1;
	AUTO(fd) int part = -1;

	if (!whole)
		return NULL;
	root = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
	part = root < 0 ? -1 : file_open_in_root(root, subpath, O_PATH, 0);
	if (part >= 0)
		return stage_clone(stage, part, false, err);
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		err_set(err, ERR_NOT_FOUND, "subpath \"%.100s\" does not exist", subpath);
	else
		err_sys(err, errno, "subpath \"%.100s\"", subpath);
	return NULL;
}

/* Opens the runtime root, takes the lock, opens the stages; false: there are none, or *err says why
 * not. */
static bool enter(const char *runtime_path, int *out_runtime, int *out_lock, int *out_stages,
		  struct err *err)
{
	*out_lock = *out_stages = -1;
	*out_runtime = open(runtime_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_runtime < 0 || faccessat(*out_runtime, STAGE, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			err_sys(err, errno, "%s/" STAGE, runtime_path);
		return false;
	}
	*out_lock = file_lock(*out_runtime, LOCK, true, err);
	if (*out_lock < 0)
		return false;
	*out_stages = openat(*out_runtime, STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_stages < 0 && errno != ENOENT)
		err_sys(err, errno, "%s/" STAGE, runtime_path);
	return *out_stages >= 0;
}

static void leave(int runtime, int lock, int stages)
{
	if (stages >= 0)
		close(stages);
	if (lock >= 0)
		close_stages(runtime), close(lock);
	if (runtime >= 0)
		close(runtime);
}

int stage_drop(const char *runtime_path, const char *container_id, struct err *err)
{
	struct err failed = ERR_NONE;
	int runtime, lock, stages;

	if (check_id(container_id, err) < 0)
		return -1;
	if (enter(runtime_path, &runtime, &lock, &stages, &failed))
		drop(stages, container_id, &failed);
	leave(runtime, lock, stages);
	if (failed.code == ERR_OK)
		return 0;
	*err = failed;
	return -1;
}

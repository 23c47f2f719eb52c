/* runtime/rootfs - the container's root as a mount: attached, pivoted into, closed.
 *
 * Owns: propagation, the pivot, masked and read-only paths. May not touch: the mount list (mounts),
 * devices.
 */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/rootpath.h"

static int set_root_propagation(unsigned long flags, struct err *err)
{
	if (syscall(SYS_mount, NULL, "/", NULL, flags, NULL) < 0)
		return err_sys(err, errno, "propagation of /");
	return 0;
}

int rootfs_propagation(struct init_job *job, struct err *err)
{
	unsigned long wanted = job->config->rootfs_propagation;

	if (!config_namespace(job->config, CLONE_NEWNS))
		return 0;
	return set_root_propagation(wanted ? wanted | MS_REC : MS_SLAVE | MS_REC, err);
}

/* pivot_root refuses a root whose parent mount is shared. Only with a propagation that asked for
 * sharing is it. */
static int unshare_parent(struct init_job *job, struct err *err)
{
	AUTO(free) char *path = xstrdup(job->rootfs);

	for (;;) {
		char *slash;

		if (syscall(SYS_mount, NULL, path, NULL, MS_PRIVATE, NULL) == 0)
			return 0;
		if (errno != EINVAL)
			return err_sys(err, errno, "make the mount above %s private", job->rootfs);
		slash = strrchr(path, '/');
		if (!slash || !path[1])
			return err_sys(err, EINVAL, "make the mount above %s private", job->rootfs);
		if (slash == path)
			slash++;
		*slash = '\0';
	}
}

int rootfs_attach(struct init_job *job, struct err *err)
{
	const char *place = job->spec->root_mount_fd >= 0 ? job->state_path : job->rootfs;
	AUTO(fd) int place_fd = -1;
	bool shared = job->config->rootfs_propagation & (MS_SHARED | MS_UNBINDABLE);

	if (!config_namespace(job->config, CLONE_NEWNS)) {
		job->root_fd = open(job->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return job->root_fd < 0 ? err_sys(err, errno, "open %s", job->rootfs) : 0;
	}
	if (shared && unshare_parent(job, err) < 0)
		return -1;
	if (job->root_tree_fd < 0)
		job->root_tree_fd =
			(int)syscall(SYS_open_tree, AT_FDCWD, job->rootfs,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (job->root_tree_fd < 0)
		return err_sys(err, errno, "rootfs %s", job->rootfs);
	place_fd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place_fd < 0 &&
	    errno == EACCES) /* a user namespace that may not go there: any place will do */
		place_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place_fd < 0)
		return err_sys(err, errno, "rootfs %s", place);
	if (mount_attach(job->root_tree_fd, place_fd, place, err) < 0)
		return -1;
	job->root_fd = TAKE_FD(job->root_tree_fd);
	return shared ? 0 : mount_set(job->root_fd, 0, 0, MS_SLAVE, -1, true, err);
}

/* Without a pivot the host's mounts stay below us. A bare proc or sysfs among them would let a user
 * namespace of the container mount its own without our masks: they go, or something lies on them.
 */
static int hide_bare_mounts(struct init_job *job, struct err *err)
{
	AUTO(fd) int fd = openat(job->proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	AUTO(free) char *text = NULL;
	size_t len, root_len = strlen(job->rootfs);
	char *save = NULL;

	if (fd < 0 || file_read_fd(fd, "mountinfo", 16u << 20, &text, &len, err) < 0)
		return fd < 0 ? err_sys(err, errno, "open mountinfo") : -1;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *type = strstr(line, " - "), *path = line;

		for (int i = 0; i < 4 && path; i++)
			path = strchr(path, ' ') ? strchr(path, ' ') + 1 : NULL;
		if (!type || !path ||
		    (!text_starts(type + 3, "proc ") && !text_starts(type + 3, "sysfs ")))
			continue;
		path[strcspn(path, " ")] = '\0';
		if (strncmp(path, job->rootfs, root_len) == 0 && path[root_len] == '/')
			continue;
		syscall(SYS_mount, NULL, path, NULL, MS_SLAVE | MS_REC, NULL);
		if (syscall(SYS_umount2, path, 2 /* MNT_DETACH */) < 0 && errno != EINVAL &&
		    errno != ENOENT &&
		    syscall(SYS_mount, "tmpfs", path, "tmpfs", MS_RDONLY, NULL) < 0)
			return err_sys(err, errno, "hide %s", path);
	}
	return 0;
}

static int move_root(struct init_job *job, struct err *err)
{
	if (hide_bare_mounts(job, err) < 0)
		return -1;
	if (fchdir(job->root_fd) < 0 || syscall(SYS_mount, ".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, errno, "move the root");
	if (chroot(".") < 0 || chdir("/") < 0)
		return err_sys(err, errno, "chroot");
	return 0;
}

int rootfs_pivot(struct init_job *job, struct err *err)
{
	AUTO(fd) int old_fd = -1;

	if (!config_namespace(job->config, CLONE_NEWNS)) {
		if (fchdir(job->root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
			return err_sys(err, errno, "chroot");
		return 0;
	}
	if (job->spec->flags & CREATE_NO_PIVOT)
		return move_root(job, err);
	old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old_fd < 0 || fchdir(job->root_fd) < 0)
		return err_sys(err, errno, "enter the root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, errno, "pivot_root");
	/* The old root lies on top of the new one now; its end must not travel to the host. */
	if (fchdir(old_fd) < 0)
		return err_sys(err, errno, "enter the old root");
	if (syscall(SYS_mount, NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, errno, "detach the old root's propagation");
	if (syscall(SYS_umount2, ".", 2 /* MNT_DETACH */) < 0)
		return err_sys(err, errno, "umount the old root");
	return chdir("/") < 0 ? err_sys(err, errno, "chdir /") : 0;
}

int rootfs_finish(struct init_job *job, struct err *err)
{
	unsigned long wanted = job->config->rootfs_propagation;

	if (!config_namespace(job->config, CLONE_NEWNS))
		return 0;
	if (wanted && mount_set(job->root_fd, 0, 0, wanted & ~(unsigned long)MS_REC, -1,
				wanted & MS_REC, err) < 0)
		return err_wrap(err, "linux.rootfsPropagation");
	if (job->config->root_readonly &&
	    mount_set(job->root_fd, MOUNT_ATTR_RDONLY, 0, 0, -1, false, err) < 0)
		return err_wrap(err, "root.readonly");
	return 0;
}

/* A clone of what fd shows, laid over it. */
static int cover(int source_fd, int target_fd, const char *path, struct err *err)
{
	AUTO(fd) int tree_fd = mount_clone(source_fd, false, err);

	return tree_fd < 0 ? -1 : mount_attach(tree_fd, target_fd, path, err);
}

static int mask_folder(struct init_job *job, int target_fd, int *tmpfs_fd, const char *path,
		       struct err *err)
{
	static const struct mount_option data[] = {
		{"nr_blocks",  "1"  },
                { "nr_inodes", "1"  },
                { "mode",      "755"}
	};

	(void)job;
	if (*tmpfs_fd >= 0)
		return cover(*tmpfs_fd, target_fd, path, err);
	*tmpfs_fd = mount_new(
		"tmpfs", "tmpfs", data, 3,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	return *tmpfs_fd < 0 ? -1 : mount_attach(*tmpfs_fd, target_fd, path, err);
}

static bool seen_before(const struct config_texts *paths, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(paths->at[i], paths->at[index]) == 0)
			return true;
	return false;
}

/* Opens a path to be closed off; -1 with *err untouched when there is nothing. */
static int open_path(struct init_job *job, const char *path, struct err *err)
{
	int fd = rootpath_open(job->root_fd, path, O_PATH);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
		err_sys(err, errno, "%s", path);
	return fd;
}

static int mask_all(struct init_job *job, struct err *err)
{
	const struct config_texts *paths = &job->config->masked_paths;
	AUTO(fd) int tmpfs_fd = -1;

	for (size_t i = 0; i < paths->count; i++) {
		AUTO(fd) int fd = -1;
		struct stat st;
		int status;

		if (seen_before(paths, i))
			continue;
		fd = open_path(job, paths->at[i], err);
		if (fd < 0) {
			if (err->code != ERR_OK)
				return -1;
			continue;
		}
		if (fstat(fd, &st) < 0)
			return err_sys(err, errno, "mask %s", paths->at[i]);
		status = S_ISDIR(st.st_mode) ? mask_folder(job, fd, &tmpfs_fd, paths->at[i], err)
					     : cover(job->dev_null_fd, fd, paths->at[i], err);
		if (status < 0)
			return err_wrap(err, "mask %s", paths->at[i]);
	}
	return 0;
}

static int readonly_one(int fd, const char *path, struct err *err)
{
	AUTO(fd) int tree_fd = mount_clone(fd, true, err);

	if (tree_fd < 0 || mount_set(tree_fd, MOUNT_ATTR_RDONLY, 0, 0, -1, false, err) < 0 ||
	    mount_attach(tree_fd, fd, path, err) < 0)
		return err_wrap(err, "read-only %s", path);
	return 0;
}

int rootfs_close_paths(struct init_job *job, struct err *err)
{
	const struct config_texts *paths = &job->config->readonly_paths;

	for (size_t i = 0; i < paths->count; i++) {
		AUTO(fd) int fd = seen_before(paths, i) ? -1 : open_path(job, paths->at[i], err);

		if (err->code != ERR_OK || (fd >= 0 && readonly_one(fd, paths->at[i], err) < 0))
			return -1;
	}
	return mask_all(job, err);
}

/* base/mount - mounts by descriptor through the new mount API.
 *
 * Owns: the system calls, the reading of the kernel's text. May not touch: mount tables, paths that
 * are not handed in.
 */
#include "base/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The last error line that the context holds ("e overlay: ..."); "" when there is none. */
static void context_text(int fs_fd, char *out, size_t size)
{
	char line[160];
	ssize_t n;

	out[0] = '\0';
	while ((n = read(fs_fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'e' && line[1] == ' ')
			snprintf(out, size, " (%s)", line + 2);
	}
}

static int fail(int fs_fd, int errno_value, const char *what, struct err *err)
{
	char text[170];

	context_text(fs_fd, text, sizeof(text));
	return err_sys(err, errno_value, "%s%s", what, text);
}

static int fs_open(const char *fs_type, struct err *err)
{
	int fd = (int)syscall(SYS_fsopen, fs_type, FSOPEN_CLOEXEC);

	if (fd < 0 && errno == ENODEV)
		return err_set(err, ERR_UNSUPPORTED, "this kernel has no file system \"%s\"",
			       fs_type);
	return fd < 0 ? err_sys(err, errno, "fsopen %s", fs_type) : fd;
}

static int fs_set(int fs_fd, const char *key, const char *value)
{
	return value ? (int)syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, key, value, 0)
		     : (int)syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_FLAG, key, NULL, 0);
}

static int fs_mount(int fs_fd, const char *what, uint64_t attrs, struct err *err)
{
	int fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, (unsigned)attrs);

	return fd < 0 ? fail(fs_fd, errno, what, err) : fd;
}

static int fs_finish(int fs_fd, const char *what, uint64_t attrs, struct err *err)
{
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(fs_fd, errno, what, err);
	return fs_mount(fs_fd, what, attrs, err);
}

int mount_new(const char *fs_type, const char *source, const struct mount_option *options,
	      size_t option_count, uint64_t attrs, struct err *err)
{
	AUTO(fd) int fs_fd = fs_open(fs_type, err);

	if (fs_fd < 0)
		return -1;
	if (source && fs_set(fs_fd, "source", source) < 0)
		return fail(fs_fd, errno, "mount source", err);
	for (size_t i = 0; i < option_count; i++)
		if (fs_set(fs_fd, options[i].key, options[i].value) < 0) {
			char what[120];

			snprintf(what, sizeof(what), "%s option %.60s", fs_type, options[i].key);
			return fail(fs_fd, errno, what, err);
		}
	return fs_finish(fs_fd, fs_type, attrs, err);
}

/* A folder as an overlay option: by descriptor where the kernel takes one (6.13), else by its magic
 * link. The text form must survive "lowerdir+", which takes a path. EOPNOTSUPP: this kernel
 * (before 6.5) only keeps options as text until the end. */
static int overlay_dir(int fs_fd, const char *key, int dir_fd)
{
	char path[40];

	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_FD, key, NULL, dir_fd) == 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	return fs_set(fs_fd, key, path);
}

/* All lower folders in one text: "12:13:14", read from /proc/self/fd. -1: it has no room for them.
 */
static int lower_names(const int *lower_fds, size_t count, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		used += (size_t)snprintf(out + used, size - used, "%s%d", i ? ":" : "",
					 lower_fds[i]);
		if (used >= size)
			return -1;
	}
	return 0;
}

static int upper_names(int fs_fd, int upper_fd, int work_fd)
{
	char upper[16], work[16];

	snprintf(upper, sizeof(upper), "%d", upper_fd);
	snprintf(work, sizeof(work), "%d", work_fd);
	return fs_set(fs_fd, "upperdir", upper) < 0 || fs_set(fs_fd, "workdir", work) < 0 ? -1 : 0;
}

/* Kernels before 6.7 know "lowerdir=A:B" alone, and a value has 255 bytes: a child whose working
 * folder is /proc/self/fd gives names of two or three bytes and creates the super block. The
 * caller's folder stays. */
static int overlay_by_names(int fs_fd, const int *lower_fds, size_t count, int upper_fd,
			    int work_fd, struct err *err)
{
	char lowers[256];
	int status;
	pid_t child;

	if (lower_names(lower_fds, count, lowers, sizeof(lowers)) < 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "overlay of %zu layers: a kernel before 6.7 takes about 60", count);
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "fork for an overlay");
	if (child == 0) {
		if (chdir("/proc/self/fd") < 0 || fs_set(fs_fd, "lowerdir", lowers) < 0 ||
		    (upper_fd >= 0 && upper_names(fs_fd, upper_fd, work_fd) < 0) ||
		    syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
			_exit(errno);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for the child that mounts an overlay");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(fs_fd, WIFEXITED(status) ? WEXITSTATUS(status) : EINTR, "mount overlay",
			    err);
	return 0;
}

/* A new context with what both ways set first. */
static int overlay_open(unsigned flags, bool writable, struct err *err)
{
	AUTO(fd) int fs_fd = fs_open("overlay", err);

	if (fs_fd < 0)
		return -1;
	if (fs_set(fs_fd, "source", "overlay") < 0)
		return fail(fs_fd, errno, "overlay", err);
	if (writable && flags & MOUNT_VOLATILE && fs_set(fs_fd, "volatile", NULL) < 0 &&
	    errno != EINVAL)
		return fail(fs_fd, errno, "overlay option volatile", err);
	return TAKE_FD(fs_fd);
}

int mount_overlay(const int *lower_fds, size_t count, int upper_fd, int work_fd, unsigned flags,
		  uint64_t attrs, struct err *err)
{
	AUTO(fd) int fs_fd = -1, old_fd = -1;

	if (upper_fd < 0 && count == 1) {
		AUTO(fd) int clone = mount_clone(lower_fds[0], false, err);

		if (clone < 0 ||
		    mount_set(clone, attrs | MOUNT_ATTR_RDONLY, 0, 0, -1, false, err) < 0)
			return -1;
		return TAKE_FD(clone);
	}
	fs_fd = overlay_open(flags, upper_fd >= 0, err);
	if (fs_fd < 0)
		return -1;
	if (overlay_dir(fs_fd, "lowerdir+", lower_fds[0]) < 0) {
		if (errno != EOPNOTSUPP && errno != EINVAL)
			return fail(fs_fd, errno, "overlay lower folder", err);
		old_fd = overlay_open(flags, upper_fd >= 0, err);
		if (old_fd < 0 ||
		    overlay_by_names(old_fd, lower_fds, count, upper_fd, work_fd, err) < 0)
			return -1;
		return fs_mount(old_fd, "mount overlay", attrs, err);
	}
	for (size_t i = 1; i < count; i++)
		if (overlay_dir(fs_fd, "lowerdir+", lower_fds[i]) < 0)
			return fail(fs_fd, errno, "overlay lower folder", err);
	if (upper_fd >= 0 && (overlay_dir(fs_fd, "upperdir", upper_fd) < 0 ||
			      overlay_dir(fs_fd, "workdir", work_fd) < 0))
		return fail(fs_fd, errno, "overlay upper folder", err);
	return fs_finish(fs_fd, "mount overlay", attrs, err);
}

int mount_clone(int fd, bool recursive, struct err *err)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			 (recursive ? AT_RECURSIVE : 0u);
	int tree = (int)syscall(SYS_open_tree, fd, "", flags);

	return tree < 0 ? err_sys(err, errno, "clone a mount") : tree;
}

int mount_set(int mount_fd, uint64_t attrs_set, uint64_t attrs_clear, uint64_t propagation,
	      int userns_fd, bool recursive, struct err *err)
{
	struct mount_attr attr = { .attr_set = attrs_set,
				   .attr_clr = attrs_clear,
				   .propagation = propagation,
				   .userns_fd = userns_fd < 0 ? 0 : (uint64_t)userns_fd };
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);

	if (syscall(SYS_mount_setattr, mount_fd, "", flags, &attr, sizeof(attr)) < 0)
		return err_sys(err, errno, "set mount attributes");
	return 0;
}

int mount_erofs(const char *image_path, const char *const *device_paths, size_t device_count,
		struct err *err)
{
	AUTO(fd) int fs_fd = fs_open("erofs", err);

	if (fs_fd < 0)
		return -1;
	if (fs_set(fs_fd, "source", image_path) < 0)
		return fail(fs_fd, errno, "erofs source", err);
	for (size_t i = 0; i < device_count; i++)
		if (fs_set(fs_fd, "device", device_paths[i]) < 0)
			return fail(fs_fd, errno, "erofs device", err);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fail(fs_fd, errno, "erofs option ro", err);
	return fs_finish(fs_fd, "mount erofs", 0, err);
}

int mount_attach(int mount_fd, int target_fd, const char *what, struct err *err)
{
	if (syscall(SYS_move_mount, mount_fd, "", target_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, errno, "mount on %s", what);
	return 0;
}

int mount_attach_at(int mount_fd, int dir_fd, const char *path, struct err *err)
{
	if (syscall(SYS_move_mount, mount_fd, "", dir_fd, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "mount on %s", path);
	return 0;
}

/* runtime/devices - nodes and links in /dev.
 *
 * Owns: the default nodes, config's, the links. May not touch: who may use them (cgroup rooms).
 */
#include "runtime/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/rootpath.h"

/* clang-format off */
static const struct node {
	const char *name;
	unsigned major, minor;
} nodes[] = {
	{ "null", 1, 3},
	{ "zero", 1, 5},
	{ "full", 1, 7},
	{ "random", 1, 8},
	{ "urandom", 1, 9},
	{ "tty", 5, 0},
};
/* clang-format on */

/* clang-format off */
static const struct link {
	const char *name, *target, *needs;
} links[] = {
	{ "fd", "/proc/self/fd", NULL },
	{ "stdin", "/proc/self/fd/0", NULL },
	{ "stdout", "/proc/self/fd/1", NULL },
	{ "stderr", "/proc/self/fd/2", NULL },
	{ "core", "/proc/kcore", "/proc/kcore"},
};
/* clang-format on */

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Where mknod is not permitted the host's node is bound; whatever the path shows must be that
 * device. */
static int bind_node(int dir_fd, const char *name, const char *host_path, mode_t type, dev_t number,
		     struct err *err)
{
	AUTO(fd)
	int tree_fd = (int)syscall(SYS_open_tree, AT_FDCWD, host_path,
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	AUTO(fd) int target_fd = -1;
	struct stat st;

	if (tree_fd < 0 || fstat(tree_fd, &st) < 0)
		return err_sys(err, errno, "bind %s", host_path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != number)
		return err_set(err, ERR_DENIED, "bind %s: is not that device", host_path);
	target_fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			   0600);
	if (target_fd >= 0)
		close(target_fd);
	target_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return target_fd < 0 ? err_sys(err, errno, "make %s", name)
			     : mount_attach(tree_fd, target_fd, name, err);
}

struct wanted {
	const char *host_path;
	mode_t mode; /* with type */
	dev_t number;
	uid_t uid;
	gid_t gid;
};

/* What stands at the name: the device itself (true), or a link, which goes. */
static bool is_there(int dir_fd, const char *name, const struct wanted *wanted)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if ((st.st_mode & S_IFMT) == (wanted->mode & S_IFMT) && st.st_rdev == wanted->number) {
		/* Read-only or the host's: it is that device, and that is enough. */
		return fchownat(dir_fd, name, wanted->uid, wanted->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		       fchmodat(dir_fd, name, wanted->mode & 07777u, 0) <= 0;
	}
	if (S_ISLNK(st.st_mode))
		unlinkat(dir_fd, name, 0);
	return false;
}

static int make_node(struct init_job *job, int dir_fd, const char *name,
		     const struct wanted *wanted, struct err *err)
{
	int status = -1;

	errno = EPERM;
	if (!job->in_user_namespace)
		status = mknodat(dir_fd, name, wanted->mode, wanted->number);
	if (status < 0 && (errno == EEXIST || errno == EPERM)) {
		int saved = errno;

		if (is_there(dir_fd, name, wanted))
			return 0;
		errno = saved;
		if (saved == EEXIST)
			status = mknodat(dir_fd, name, wanted->mode, wanted->number);
	}
	if (status < 0 && errno == EPERM)
		return bind_node(dir_fd, name, wanted->host_path, wanted->mode & S_IFMT,
				 wanted->number, err);
	if (status < 0)
		return err_sys(err, errno, "make device %s", name);
	if ((wanted->uid || wanted->gid) &&
	    fchownat(dir_fd, name, wanted->uid, wanted->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "chown device %s", name);
	return 0;
}

static int make_config_device(struct init_job *job, const struct config_device *device,
			      struct err *err)
{
	static const mode_t types[] = {
		['c'] = S_IFCHR, ['u'] = S_IFCHR, ['b'] = S_IFBLK, ['p'] = S_IFIFO
	};
	AUTO(free) char *name = NULL;
	AUTO(fd) int dir_fd = rootpath_make_parent(job->root_fd, device->path, &name, err);
	struct wanted wanted = {
		.host_path = device->path,
		.mode = types[(unsigned char)device->type] |
			(mode_t)(device->mode.set ? device->mode.value & 07777 : 0666),
		.number = makedev((unsigned)device->major, (unsigned)device->minor),
		.uid = (uid_t)device->uid.value,
		.gid = (gid_t)device->gid.value,
	};

	if (dir_fd < 0)
		return -1;
	if (device->type == 'p')
		wanted.number = 0;
	if (make_node(job, dir_fd, name, &wanted, err) < 0)
		return err_wrap(err, "device %s", device->path);
	return 0;
}

static int make_links(int dev_fd, struct err *err)
{
	for (size_t i = 0; i < LEN(links); i++) {
		if (links[i].needs && access(links[i].needs, F_OK) < 0)
			continue;
		if (symlinkat(links[i].target, dev_fd, links[i].name) == 0)
			continue;
		if (errno == EEXIST) {
			unlinkat(dev_fd, links[i].name, 0);
			if (symlinkat(links[i].target, dev_fd, links[i].name) == 0)
				continue;
		}
		if (faccessat(dev_fd, links[i].name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "link /dev/%s", links[i].name);
	}
	return 0;
}

static bool binds_dev(const struct config *config)
{
	for (size_t i = 0; i < config->mount_count; i++) {
		AUTO(free) char *clean = rootpath_clean(config->mounts[i].destination);
		bool bind = strcmp(config->mounts[i].type, "bind") == 0;

		for (size_t j = 0; j < config->mounts[i].options.count; j++)
			bind |= strcmp(config->mounts[i].options.at[j], "bind") == 0 ||
				strcmp(config->mounts[i].options.at[j], "rbind") == 0;
		if (bind && strcmp(clean, "/dev") == 0)
			return true;
	}
	return false;
}

static int make_ptmx(int dev_fd, struct err *err)
{
	for (int tries = 0; symlinkat("pts/ptmx", dev_fd, "ptmx") < 0; tries++)
		if (errno != EEXIST || tries)
			return errno == EEXIST ? 0 : err_sys(err, errno, "link /dev/ptmx");
		else
			unlinkat(dev_fd, "ptmx", 0);
	return 0;
}

int devices_make(struct init_job *job, struct err *err)
{
	const struct config *config = job->config;
	mode_t old_umask;
	AUTO(fd) int dev_fd = -1;
	int status = 0;

	if (!config_namespace(config, CLONE_NEWNS) || binds_dev(config))
		return 0;
	dev_fd = rootpath_make_dir(job->root_fd, "/dev", NULL, err);
	if (dev_fd < 0)
		return -1;
	old_umask = umask(0);
	for (size_t i = 0; i < config->device_count && status == 0; i++)
		status = make_config_device(job, &config->devices[i], err);
	for (size_t i = 0; i < LEN(nodes) && status == 0; i++) {
		char host_path[40] = "/dev/";
		struct wanted wanted = { .host_path = host_path,
					 .mode = S_IFCHR | 0666,
					 .number = makedev(nodes[i].major, nodes[i].minor) };
		bool listed = false;

		strcat(host_path, nodes[i].name);
		for (size_t j = 0; j < config->device_count; j++)
			listed |= strcmp(config->devices[j].path, host_path) == 0;
		if (!listed)
			status = make_node(job, dev_fd, nodes[i].name, &wanted, err);
	}
	umask(old_umask);
	return status < 0 || make_links(dev_fd, err) < 0 ? -1 : make_ptmx(dev_fd, err);
}

int devices_close(struct init_job *job, struct err *err)
{
	if (job->readonly_dev_fd < 0)
		return 0;
	if (mount_set(job->readonly_dev_fd, MOUNT_ATTR_RDONLY, 0, 0, -1, false, err) < 0)
		return err_wrap(err, "read-only /dev");
	close(TAKE_FD(job->readonly_dev_fd));
	return 0;
}

int devices_open_null(struct init_job *job, struct err *err)
{
	struct stat st;

	if (!job->config->masked_paths.count)
		return 0;
	job->dev_null_fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (job->dev_null_fd < 0 || fstat(job->dev_null_fd, &st) < 0)
		return err_sys(err, errno, "open /dev/null of the host");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(err, ERR_DENIED, "/dev/null of the host is not the null device");
	return 0;
}

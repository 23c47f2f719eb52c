/* runtime/mounts_cgroup - mounts of type cgroup and cgroup2: the container's own folders, bound.
 *
 * Owns: the tmpfs with one folder per v1 hierarchy and its links. May not touch: the folders
 * themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/mount_options.h"
#include "runtime/mounts.h"

static int clone_path(const char *path, bool recursive)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
}

static struct mount_options folder_options(const struct mount_options *options)
{
	struct mount_options out = *options;

	out.data_count = 0;
	return out;
}

static int mount_v2(const struct cgroup *cgroup, const struct config_mount *mount,
		    const struct mount_options *options, int target_fd, struct err *err)
{
	const char *folder = NULL;
	struct mount_options own = folder_options(options);
	AUTO(fd) int tree_fd = -1;

	for (size_t i = 0; cgroup && i < cgroup->count; i++)
		if (cgroup->at[i].is_v2)
			folder = cgroup->at[i].folder;
	tree_fd = folder ? clone_path(folder, false) : -1;
	if (tree_fd < 0) { /* without a cgroup of our own the host's, which nobody may write to */
		tree_fd = clone_path("/sys/fs/cgroup", true);
		own.attr_set |= MOUNT_ATTR_RDONLY;
		own.attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		own.rec_set |= MOUNT_ATTR_RDONLY;
	}
	if (tree_fd < 0)
		return err_sys(err, errno, "bind the cgroup");
	return mounts_attach(tree_fd, target_fd, &own, mount->destination, err);
}

/* cpu -> cpu,cpuacct: programs look for each by its own name. */
static int add_links(int tmpfs_fd, const char *name, struct err *err)
{
	struct slice rest = SLICE(name), part;

	if (!strchr(name, ','))
		return 0;
	while (slice_next(&rest, ',', &part)) {
		AUTO(free) char *link = xstrndup(part.at, part.len);

		if (symlinkat(name, tmpfs_fd, link) < 0 && errno != EEXIST)
			return err_sys(err, errno, "link %s", link);
	}
	return 0;
}

/* The tmpfs is ours and new: its names are what we make of them. */
static int mount_hierarchy(const struct hierarchy *hierarchy, int tmpfs_fd, struct err *err)
{
	const char *name = hierarchy->is_v2 ? "unified" : hierarchy->name;
	AUTO(fd) int tree_fd = clone_path(hierarchy->folder, false);

	if (tree_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "bind %s", hierarchy->folder);
	if (mkdirat(tmpfs_fd, name, 0755) < 0)
		return err_sys(err, errno, "make %s", name);
	if (mount_attach_at(tree_fd, tmpfs_fd, name, err) < 0)
		return -1;
	return add_links(tmpfs_fd, name, err);
}

static int mount_v1(const struct cgroup *cgroup, const struct config_mount *mount,
		    const struct mount_options *options, int target_fd, struct err *err)
{
	static const struct mount_option tmpfs_data[] = {
		{"mode", "755"}
	};
	struct mount_options own = folder_options(options), plain = { 0 };
	AUTO(fd)
	int tmpfs_fd = mount_new("tmpfs", "tmpfs", tmpfs_data, 1,
				 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);

	if (tmpfs_fd < 0 || mounts_attach(tmpfs_fd, target_fd, &plain, mount->destination, err) < 0)
		return -1;
	for (size_t i = 0; i < cgroup->count; i++)
		if (mount_hierarchy(&cgroup->at[i], tmpfs_fd, err) < 0)
			return -1;
	/* One call for the tmpfs and all that is on it now. */
	return mounts_set_attrs(tmpfs_fd, own.attr_set | own.rec_set,
				own.attr_clear | own.rec_clear, true, mount->destination, err);
}

int mounts_cgroup(struct init_job *job, const struct config_mount *mount,
		  const struct mount_options *options, int target_fd, struct err *err)
{
	const struct cgroup *cgroup = job->cgroup;
	struct mount_options own = *options;

	if (job->spec->flags & CREATE_ROOTLESS && !config_is_new(job->config, CLONE_NEWCGROUP)) {
		own.attr_set |= MOUNT_ATTR_RDONLY;
		own.attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	}
	if (!cgroup || cgroup_layout(cgroup) == CGROUP_V2)
		return mount_v2(cgroup, mount, &own, target_fd, err);
	return mount_v1(cgroup, mount, &own, target_fd, err);
}

/* runtime/create_sources - what the parent opens for init: bind sources, ids mapped, the root,
 * namespaces.
 *
 * Owns: detached trees that init could not make by itself. May not touch: where they are mounted
 * (mounts).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/mount.h"
#include "base/text.h"
#include "runtime/create_internal.h"
#include "runtime/mount_options.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/rootpath.h"

static int open_proc(struct create_job *job, struct err *err)
{
	struct statfs fs;

	job->init.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (job->init.proc_fd < 0 || fstatfs(job->init.proc_fd, &fs) < 0)
		return err_sys(err, errno, "open /proc");
	if (fs.f_type != 0x9fa0)
		return err_set(err, ERR_DENIED, "/proc of the host is no proc file system");
	return 0;
}

static int user_namespace_of(struct create_job *job, const struct config_mount *mount,
			     struct err *err)
{
	const struct config *config = job->spec.config;
	const struct config_id_maps *uids =
		mount->uid_maps.count ? &mount->uid_maps : &config->uid_maps;
	const struct config_id_maps *gids =
		mount->gid_maps.count ? &mount->gid_maps : &config->gid_maps;
	const struct config_namespace *user = config_namespace(config, CLONE_NEWUSER);

	if (!mount->uid_maps.count && user && user->path)
		return fcntl(job->init.namespace_fds[0], F_DUPFD_CLOEXEC, 3);
	if (!uids->count || !gids->count)
		return err_set(err, ERR_INVALID,
			       "idmap: neither the mount nor the container has id mappings");
	return namespaces_make_user(uids, gids, err);
}

static int idmap(struct create_job *job, const struct config_mount *mount, int tree_fd,
		 bool recursive, struct err *err)
{
	AUTO(fd) int user_fd = user_namespace_of(job, mount, err);

	if (user_fd < 0)
		return -1;
	return mount_set(tree_fd, MOUNT_ATTR_IDMAP, 0, 0, user_fd, recursive, err);
}

int create_idmap(struct create_job *job, size_t index, int tree_fd, struct err *err)
{
	const struct config *config = job->spec.config;
	struct mount_options options;

	if (index >= config->mount_count || tree_fd < 0)
		return err_set(err, ERR_INTERNAL, "no mount %zu to map", index);
	mount_options_parse(config->arena, &config->mounts[index].options, &options);
	return idmap(job, &config->mounts[index], tree_fd, options.recursive_idmap, err);
}

/* Below the root a source may be made by an earlier mount: only init can open it, at its turn. */
static bool is_below_root(const struct create_job *job, const struct config_mount *mount)
{
	AUTO(free)
	char *joined = mount->source[0] == '/' ? xstrdup(mount->source)
					       : xformat("%s/%s", job->spec.bundle, mount->source);
	AUTO(free) char *clean = rootpath_clean(joined);
	size_t len = strlen(job->init.rootfs);

	return len > 1 && text_starts(clean, job->init.rootfs) && clean[len] == '/';
}

/* Bind sources that init could not reach or map by itself. */
static int open_sources(struct create_job *job, struct err *err)
{
	const struct config *config = job->spec.config;

	for (size_t i = 0; i < config->mount_count; i++) {
		const struct config_mount *mount = &config->mounts[i];
		struct mount_options options;
		bool maps, bind;

		mount_options_parse(config->arena, &mount->options, &options);
		maps = options.idmap || mount->uid_maps.count;
		bind = options.bind || strcmp(mount->type, "bind") == 0;
		if (maps && !bind)
			return err_set(err, ERR_UNSUPPORTED,
				       "mounts[%zu]: only binds can be idmapped", i);
		if (options.remount || !bind || (!maps && !job->init.in_user_namespace) ||
		    is_below_root(job, mount))
			continue;
		job->init.mount_fds[i] =
			mounts_open_source(job->spec.bundle, mount, options.recursive_bind, err);
		if (job->init.mount_fds[i] < 0) {
			if (err->code == ERR_DENIED && !maps && job->spec.flags & CREATE_ROOTLESS) {
				*err = ERR_NONE; /* init, root of its namespace, may */
				continue;
			}
			return err_wrap(err, "mounts[%zu] at %s", i, mount->destination);
		}
		if (maps &&
		    idmap(job, mount, job->init.mount_fds[i], options.recursive_idmap, err) < 0)
			return err_wrap(err, "mounts[%zu] at %s: idmap", i, mount->destination);
	}
	return 0;
}

int create_open_sources(void *context, struct err *err)
{
	struct create_job *job = context;

	if (open_proc(job, err) < 0 ||
	    namespaces_open(job->spec.config, job->spec.netns_fd, job->init.namespace_fds, err) < 0)
		return -1;
	if (job->spec.root_mount_fd < 0 && job->init.in_user_namespace &&
	    !(job->spec.flags & CREATE_ROOTLESS)) {
		job->init.root_tree_fd =
			(int)syscall(SYS_open_tree, AT_FDCWD, job->init.rootfs,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (job->init.root_tree_fd < 0)
			return err_sys(err, errno, "rootfs %s", job->init.rootfs);
	}
	return open_sources(job, err);
}

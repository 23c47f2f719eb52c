/* runtime/mounts - the mount list of config.json, on the container's root.
 *
 * Owns: kinds of mounts, where they may go. May not touch: names of options (mount_options), the
 * root itself (rootfs), cgroup mounts (mounts_cgroup).
 */
#include "runtime/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/mount.h"
#include "base/num.h"
#include "base/text.h"
#include "runtime/mount_options.h"
#include "runtime/rootpath.h"
#include "runtime/sync.h"

#define MOUNT_OLD_ATTRS                                                                            \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |            \
	 MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

int mounts_open_source(const char *bundle, const struct config_mount *mount, bool recursive,
		       struct err *err)
{
	AUTO(free)
	char *joined = mount->source[0] == '/' ? xstrdup(mount->source)
					       : xformat("%s/%s", bundle, mount->source);
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, joined,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));

	return fd < 0 ? err_sys(err, errno, "bind source %s", joined) : fd;
}

int mounts_set_attrs(int tree_fd, uint64_t set, uint64_t clear, bool recursive, const char *what,
		     struct err *err)
{
	struct err first = ERR_NONE;

	if (!set && !clear)
		return 0;
	if (mount_set(tree_fd, set, clear, 0, -1, recursive, err) == 0)
		return 0;
	first = *err;
	/* A mount of another user namespace keeps its access time mode: that is no reason to fail.
	 */
	if (err->code == ERR_DENIED && clear & MOUNT_ATTR__ATIME &&
	    mount_set(tree_fd, set & ~(uint64_t)MOUNT_ATTR__ATIME,
		      clear & ~(uint64_t)MOUNT_ATTR__ATIME, 0, -1, recursive, err) == 0)
		return 0;
	*err = first;
	return err_wrap(err, "options of %s", what);
}

int mounts_attach(int tree_fd, int target_fd, const struct mount_options *options, const char *what,
		  struct err *err)
{
	if (mounts_set_attrs(tree_fd, options->attr_set, options->attr_clear, false, what, err) <
		    0 ||
	    mounts_set_attrs(tree_fd, options->rec_set, options->rec_clear, true, what, err) < 0)
		return -1;
	return mount_attach(tree_fd, target_fd, what, err);
}

static int set_propagation(int tree_fd, const struct mount_options *options, const char *what,
			   struct err *err)
{
	for (size_t i = 0; i < options->propagation_count; i++)
		if (mount_set(tree_fd, 0, 0, options->propagation[i], -1,
			      options->propagation_recursive[i], err) < 0)
			return err_wrap(err, "propagation of %s", what);
	return 0;
}

/* Files that tools like lxcfs lay over those of /proc. */
static bool may_cover(const char *below_proc)
{
	static const char *const files[] = { "/cpuinfo",
					     "/diskstats",
					     "/meminfo",
					     "/stat",
					     "/swaps",
					     "/uptime",
					     "/loadavg",
					     "/slabinfo",
					     "/net/dev",
					     "/sys/kernel/ns_last_pid",
					     "/sys/crypto/fips_enabled" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(below_proc, files[i]) == 0)
			return true;
	return false;
}

/* Nothing may hide what the kernel says about processes: judged by the place that was found, not by
 * its name. */
static int check_not_proc(const struct config_mount *mount, const char *clean, int target_fd,
			  struct err *err)
{
	struct statfs fs;
	bool is_proc = fstatfs(target_fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	bool is_below = text_starts(clean, "/proc") && (!clean[5] || clean[5] == '/');

	if (!is_proc && !is_below)
		return 0;
	if (is_below && !clean[5] && !is_proc && mount->source[0] == '/' &&
	    statfs(mount->source, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		return 0; /* the host's own, where none is mounted yet */
	if (is_below && clean[5] && may_cover(clean + 5)) {
		struct statfs source;

		if (statfs(mount->source, &source) < 0 || source.f_type != PROC_SUPER_MAGIC)
			return 0;
	}
	return err_set(err, ERR_DENIED, "%s cannot be mounted because it is inside /proc",
		       mount->destination);
}

static bool is_proc_or_sys(const struct config_mount *mount)
{
	return strcmp(mount->type, "proc") == 0 || strcmp(mount->type, "sysfs") == 0;
}

/* The folder of a mount of proc or sysfs: plain all the way, since the image's author made it. */
static int open_plain_dir(struct init_job *job, const char *path, struct err *err)
{
	int fd = rootpath_open_plain(job->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT) {
		fd = rootpath_make_dir(job->root_fd, path, NULL, err);
		if (fd < 0)
			return -1;
		close(fd);
		fd = rootpath_open_plain(job->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	}
	if (fd < 0)
		return err_set(err, ERR_DENIED,
			       "%s must be a real folder: it must be mounted on ordinary directory",
			       path);
	return fd;
}

struct target {
	int fd;
	bool made;
};

static int open_target(struct init_job *job, const struct config_mount *mount, const char *clean,
		       bool is_dir, struct target *out, struct err *err)
{
	if (is_proc_or_sys(mount))
		out->fd = open_plain_dir(job, clean, err);
	else if (is_dir)
		out->fd = rootpath_make_dir(job->root_fd, clean, &out->made, err);
	else
		out->fd = rootpath_make_file(job->root_fd, clean, err);
	if (out->fd < 0)
		return -1;
	return is_proc_or_sys(mount) ? 0 : check_not_proc(mount, clean, out->fd, err);
}

/* A source that an earlier mount made is opened here; its ids are mapped by the parent, who has the
 * right to. */
static int idmap_by_parent(struct init_job *job, size_t index, int tree_fd, struct err *err)
{
	if (sync_send(job->sync_fd, SYNC_MOUNT, (int)index, NULL, tree_fd) < 0)
		return err_sys(err, errno, "ask for mapped ids");
	return sync_expect(job->sync_fd, SYNC_GO, NULL, NULL, err);
}

static int find_bind(struct init_job *job, size_t index, const struct mount_options *options,
		     struct err *err)
{
	int fd = job->mount_fds ? job->mount_fds[index] : -1;

	if (fd >= 0) {
		job->mount_fds[index] = -1;
		return fd;
	}
	fd = mounts_open_source(job->spec->bundle, &job->config->mounts[index],
				options->recursive_bind, err);
	if (fd >= 0 && (options->idmap || job->config->mounts[index].uid_maps.count) &&
	    idmap_by_parent(job, index, fd, err) < 0)
		close(TAKE_FD(fd));
	return fd;
}

static int bind_one(struct init_job *job, size_t index, const struct mount_options *options,
		    const char *clean, struct err *err)
{
	const struct config_mount *mount = &job->config->mounts[index];
	AUTO(fd) int tree_fd = find_bind(job, index, options, err);
	struct target target = { -1, false };
	AUTO(fd) int target_fd = -1;
	struct stat st;

	if (tree_fd < 0)
		return -1;
	if (fstat(tree_fd, &st) < 0)
		return err_sys(err, errno, "bind source %s", mount->source);
	if (open_target(job, mount, clean, S_ISDIR(st.st_mode), &target, err) < 0)
		return -1;
	target_fd = target.fd;
	if (mounts_attach(tree_fd, target_fd, options, mount->destination, err) < 0)
		return -1;
	return set_propagation(tree_fd, options, mount->destination, err);
}

/* "remount,bind,ro" on what is there already. */
static int remount_one(struct init_job *job, const struct config_mount *mount,
		       const struct mount_options *options, const char *clean, struct err *err)
{
	AUTO(fd) int fd = rootpath_open(job->root_fd, clean, O_PATH);

	if (fd < 0)
		return err_sys(err, errno, "remount %s", mount->destination);
	if (mounts_set_attrs(fd, options->attr_set, options->attr_clear, false, mount->destination,
			     err) < 0)
		return -1;
	return set_propagation(fd, options, mount->destination, err);
}

static bool gid_is_mapped(const struct config *config, const char *text)
{
	struct err ignored = ERR_NONE;
	uint64_t gid;

	return !text ||
	       num_parse_u64("gid", text, strlen(text), 0, UINT32_MAX, &gid, &ignored) < 0 ||
	       config_map_id(&config->gid_maps, (uint32_t)gid) >= 0;
}

/* What config leaves open for some file systems: labels, a gid that the user namespace lacks, the
 * mode of what a tmpfs covers. */
static void adjust_data(struct init_job *job, const struct config_mount *mount,
			struct mount_options *options, const struct target *target)
{
	const struct config *config = job->config;
	bool has_mode = false;
	struct stat st;
	size_t kept = 0;

	for (size_t i = 0; i < options->data_count; i++) {
		struct mount_option *option = &options->data[i];

		has_mode |= strcmp(option->key, "mode") == 0;
		if (strcmp(mount->type, "devpts") == 0 && strcmp(option->key, "gid") == 0 &&
		    job->in_user_namespace && config_is_new(config, CLONE_NEWUSER) &&
		    !gid_is_mapped(config, option->value))
			continue;
		options->data[kept++] = *option;
	}
	options->data_count = kept;
	if (strcmp(mount->type, "tmpfs") == 0 && !has_mode && !target->made &&
	    fstat(target->fd, &st) == 0) {
		struct mount_option *option = arena_grow(config->arena, &options->data,
							 &options->data_count, sizeof(*option));

		option->key = "mode";
		option->value = arena_format(config->arena, "%o", st.st_mode & 07777u);
	}
}

static unsigned long old_flags(uint64_t attrs)
{
	return (attrs & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0) |
	       (attrs & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0) |
	       (attrs & MOUNT_ATTR_NODEV ? MS_NODEV : 0) |
	       (attrs & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0) |
	       (attrs & MOUNT_ATTR_NOATIME ? MS_NOATIME : 0) |
	       (attrs & MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : 0);
}

/* File systems or options that the new API does not take (data of more than 255 bytes, helpers'
 * options): the old call, on the descriptor's magic link. Returns the new mount's descriptor. */
static int old_mount(struct init_job *job, const struct config_mount *mount,
		     const struct mount_options *options, int target_fd, const char *clean,
		     struct err *err)
{
	char path[40], data[4096] = "";
	size_t used = 0;
	int fd;

	for (size_t i = 0; i < options->data_count && used < sizeof(data); i++) {
		const struct mount_option *option = &options->data[i];

		used += (size_t)snprintf(data + used, sizeof(data) - used, "%s%s%s%s",
					 used ? "," : "", option->key, option->value ? "=" : "",
					 option->value ? option->value : "");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target_fd);
	if (used >= sizeof(data) || syscall(SYS_mount, mount->source, path, mount->type,
					    old_flags(options->attr_set), data) < 0)
		return err_sys(err, used >= sizeof(data) ? E2BIG : errno, "mount %s at %s",
			       mount->type, mount->destination);
	fd = rootpath_open(job->root_fd, clean, O_PATH);
	return fd < 0 ? err_sys(err, errno, "open the new mount %s", mount->destination) : fd;
}

/* The host's sysfs when a new one is refused: a user namespace that keeps the host's network. */
static int host_clone(const struct config_mount *mount, struct err *err)
{
	const char *path = strcmp(mount->type, "sysfs") == 0 ? "/sys" : "/proc";
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	return fd < 0 ? err_sys(err, errno, "bind %s", path) : fd;
}

static int copy_up(struct init_job *job, int covered_fd, int tree_fd, const char *clean,
		   struct err *err)
{
	AUTO(fd) int from_fd = openat(covered_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int to_fd = openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)job;
	if (from_fd < 0 || to_fd < 0)
		return err_sys(err, errno, "tmpcopyup %s", clean);
	return mounts_copy_tree(from_fd, to_fd, err);
}

static int new_one(struct init_job *job, const struct config_mount *mount,
		   struct mount_options *options, const char *clean, struct target *target,
		   struct err *err)
{
	struct mount_options rest = *options;
	AUTO(fd) int tree_fd = -1;
	struct err first = ERR_NONE;

	adjust_data(job, mount, options, target);
	tree_fd =
		mount_new(mount->type, mount->source[0] ? mount->source : mount->type,
			  options->data, options->data_count,
			  options->attr_set & MOUNT_OLD_ATTRS & ~(uint64_t)MOUNT_ATTR_RDONLY, err);
	rest.attr_set &= MOUNT_ATTR_RDONLY;
	rest.attr_clear = options->attr_clear & MOUNT_ATTR_RDONLY;
	if (tree_fd < 0) {
		first = *err;
		if (is_proc_or_sys(mount) && err->code == ERR_DENIED &&
		    (job->in_user_namespace || job->spec->flags & CREATE_ROOTLESS)) {
			tree_fd = host_clone(mount, err);
			rest.attr_set = options->attr_set;
		} else {
			tree_fd = old_mount(job, mount, options, target->fd, clean, err);
			if (tree_fd >= 0) {
				*err = ERR_NONE;
				return set_propagation(tree_fd, options, mount->destination, err);
			}
		}
	}
	if (tree_fd < 0) {
		*err = first;
		return -1;
	}
	*err = ERR_NONE;
	if (options->tmpcopyup && strcmp(mount->type, "tmpfs") == 0 &&
	    copy_up(job, target->fd, tree_fd, clean, err) < 0)
		return -1;
	if (strcmp(clean, "/dev") == 0 && rest.attr_set & MOUNT_ATTR_RDONLY) {
		rest.attr_set = 0; /* nodes go in first: stage devices makes it read-only */
		job->readonly_dev_fd = fcntl(tree_fd, F_DUPFD_CLOEXEC, 3);
	}
	if (mounts_attach(tree_fd, target->fd, &rest, mount->destination, err) < 0)
		return -1;
	return set_propagation(tree_fd, options, mount->destination, err);
}

static void add_label(struct init_job *job, const struct config_mount *mount,
		      struct mount_options *options)
{
	static const char *const labelled[] = { "tmpfs", "mqueue", "devpts" };
	const struct config *config = job->config;

	if (!config->mount_label || !config->mount_label[0] ||
	    access("/sys/fs/selinux/enforce", F_OK) < 0)
		return;
	for (size_t i = 0; i < 3; i++)
		if (strcmp(mount->type, labelled[i]) == 0) {
			struct mount_option *option =
				arena_grow(config->arena, &options->data, &options->data_count,
					   sizeof(*option));

			option->key = "context";
			option->value = config->mount_label;
		}
}

/* Some engines give the host's path of a place in the root. */
static char *clean_destination(const struct init_job *job, const struct config_mount *mount)
{
	AUTO(free) char *clean = rootpath_clean(mount->destination);
	size_t len = strlen(job->rootfs);

	if (len > 1 && text_starts(clean, job->rootfs) && clean[len] == '/')
		return xstrdup(clean + len);
	return TAKE(clean);
}

static int mount_one(struct init_job *job, size_t index, struct err *err)
{
	const struct config_mount *mount = &job->config->mounts[index];
	AUTO(free) char *clean = clean_destination(job, mount);
	struct mount_options options;
	struct target target = { -1, false };
	AUTO(fd) int target_fd = -1;

	mount_options_parse(job->config->arena, &mount->options, &options);
	if (options.remount)
		return remount_one(job, mount, &options, clean, err);
	if (options.bind || strcmp(mount->type, "bind") == 0)
		return bind_one(job, index, &options, clean, err);
	if (!mount->type[0])
		return err_set(err, ERR_INVALID, "mounts[%zu].type: is missing and it is no bind",
			       index);
	if (open_target(job, mount, clean, true, &target, err) < 0)
		return -1;
	target_fd = target.fd;
	if (strcmp(mount->type, "cgroup") == 0 || strcmp(mount->type, "cgroup2") == 0)
		return mounts_cgroup(job, mount, &options, target_fd, err);
	add_label(job, mount, &options);
	return new_one(job, mount, &options, clean, &target, err);
}

int mounts_do_all(struct init_job *job, struct err *err)
{
	if (!config_namespace(job->config, CLONE_NEWNS))
		return 0; /* the host's own mount table: nothing may be mounted there */
	for (size_t i = 0; i < job->config->mount_count; i++)
		if (mount_one(job, i, err) < 0) {
			const struct config_mount *mount = &job->config->mounts[i];

			return err_wrap(err, "mount %s at %s",
					mount->type[0] ? mount->type : "bind", mount->destination);
		}
	return 0;
}

/* images/unpack - the tree of a layer on disk, as one lower folder of an overlay.
 *
 * Owns: what stands below root_fd, a few open parent folders. May not touch: anything outside
 * root_fd. Paths come from the tree and hold no link, so nothing is ever followed.
 */
#include "images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tree.h"

#define PARENT_COUNT 16u
#define COPY_BYTES   (256u << 10)

struct parent {
	uint32_t name; /* 0: free */
	int fd;
	uint64_t used;
};

/* What a new file is without being asked: no call is spent on what is so already. */
struct born {
	uid_t uid;
	gid_t gid;
	mode_t umask;
};

struct unpack {
	int root_fd;
	struct born born;
	struct parent parents[PARENT_COUNT];
	uint64_t clock;
	int file_fd; /* being written; -1 none */
	uint32_t file_name;
	uint64_t file_at;
};

static void forget_parents(struct unpack *unpack)
{
	for (size_t i = 0; i < PARENT_COUNT; i++) {
		if (unpack->parents[i].name)
			close(unpack->parents[i].fd);
		unpack->parents[i].name = 0;
	}
}

/* The folder that holds it; borrowed until the next call. */
static int folder_fd(struct unpack *unpack, const struct layer_tree *tree, uint32_t name,
		     struct err *err)
{
	struct parent *oldest = &unpack->parents[0];
	AUTO(free) char *path = NULL;
	int fd;

	if (name == LAYER_TREE_ROOT)
		return unpack->root_fd;
	for (size_t i = 0; i < PARENT_COUNT; i++) {
		struct parent *it = &unpack->parents[i];

		if (it->name == name) {
			it->used = ++unpack->clock;
			return it->fd;
		}
		if (!it->name || (oldest->name && it->used < oldest->used))
			oldest = it;
	}
	path = layer_tree_path(tree, name);
	fd = file_open_beneath(unpack->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, errno, "open folder \"%.100s\"", path);
	if (oldest->name)
		close(oldest->fd);
	*oldest = (struct parent){ name, fd, ++unpack->clock };
	return fd;
}

static int parent_fd(struct unpack *unpack, const struct layer_tree *tree, uint32_t name,
		     struct err *err)
{
	return folder_fd(unpack, tree, tree->names[name].parent, err);
}

static void times_of(const struct tree_inode *inode, struct timespec out[2])
{
	out[0].tv_sec = out[1].tv_sec = inode->mtime_s;
	out[0].tv_nsec = out[1].tv_nsec = inode->mtime_ns;
}

static int set_xattrs(int fd, const struct layer_tree *tree, const struct tree_inode *inode,
		      struct err *err)
{
	uint32_t at = inode->xattrs;
	struct tar_xattr xattr;

	while (layer_tree_xattr(tree, &at, &xattr)) {
		if (fsetxattr(fd, xattr.name, xattr.value, xattr.value_len, 0) == 0)
			continue;
		if (errno == ENOTSUP && strncmp(xattr.name, "user.", 5) == 0)
			continue; /* this file system has none */
		return err_sys(err, errno, "set attribute %.80s", xattr.name);
	}
	return 0;
}

/* Owner first (it clears setuid and capabilities), the time last. born: of a
 * file made with its mode; NULL: all is set. */
static int set_attributes(int fd, const struct layer_tree *tree, const struct tree_inode *inode,
			  const struct born *born, struct err *err)
{
	bool owned = born && inode->uid == born->uid && inode->gid == born->gid;
	struct timespec times[2];

	times_of(inode, times);
	if (!owned && fchown(fd, inode->uid, inode->gid) < 0)
		return err_sys(err, errno, "set owner");
	if (!(born && inode->mode == (inode->mode & 0777 & ~born->umask)) &&
	    fchmod(fd, inode->mode) < 0)
		return err_sys(err, errno, "set mode");
	if (set_xattrs(fd, tree, inode, err) < 0)
		return -1;
	if (futimens(fd, times) < 0)
		return err_sys(err, errno, "set time");
	return 0;
}

/* What has no descriptor of its own: devices, fifos, symlinks. */
static int set_special(int dir_fd, const char *name, const struct layer_tree *tree,
		       const struct tree_inode *inode, struct err *err)
{
	struct timespec times[2];

	times_of(inode, times);
	if (fchownat(dir_fd, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set owner");
	if (inode->type != NODE_SYMLINK) {
		AUTO(fd) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		char path[40];
		uint32_t at = inode->xattrs;
		struct tar_xattr xattr;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (fd < 0 || chmod(path, inode->mode) < 0)
			return err_sys(err, errno, "set mode");
		while (layer_tree_xattr(tree, &at, &xattr)) /* user.* does not fit these: dropped */
			if (setxattr(path, xattr.name, xattr.value, xattr.value_len, 0) < 0 &&
			    errno != EPERM && errno != ENOTSUP)
				return err_sys(err, errno, "set attribute %.80s", xattr.name);
	}
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set time");
	return 0;
}

static mode_t special_mode(const struct tree_inode *inode)
{
	if (inode->type == NODE_BLOCK)
		return S_IFBLK;
	return inode->type == NODE_FIFO ? S_IFIFO : S_IFCHR;
}

static int sink_make(void *ctx, const struct layer_tree *tree, uint32_t at, struct err *err)
{
	struct unpack *unpack = ctx;
	const struct tree_inode *inode = tree_inode_of(tree, at);
	const char *name = tree_name_text(tree, at);
	int dir_fd = parent_fd(unpack, tree, at, err);

	if (dir_fd < 0)
		return -1;
	switch ((enum node_type)inode->type) {
	case NODE_DIR:
		return mkdirat(dir_fd, name, 0700) < 0 ? err_sys(err, errno, "make folder") : 0;
	case NODE_FILE:
		unpack->file_fd =
			openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       inode->mode & 0777);
		unpack->file_name = at;
		unpack->file_at = 0;
		return unpack->file_fd < 0 ? err_sys(err, errno, "make file") : 0;
	case NODE_SYMLINK:
		if (symlinkat(tree_text(tree, inode->data_at), dir_fd, name) < 0)
			return err_sys(err, errno, "make symlink");
		return set_special(dir_fd, name, tree, inode, err);
	case NODE_WHITEOUT:
		return mknodat(dir_fd, name, S_IFCHR, 0) < 0 ? err_sys(err, errno, "make whiteout")
							     : 0;
	default:
		if (mknodat(dir_fd, name, special_mode(inode),
			    makedev(inode->major, inode->minor)) < 0)
			return err_sys(err, errno, "make device");
		return set_special(dir_fd, name, tree, inode, err);
	}
}

static int sink_link(void *ctx, const struct layer_tree *tree, uint32_t target, uint32_t name,
		     struct err *err)
{
	struct unpack *unpack = ctx;
	int from = parent_fd(unpack, tree, target, err), to;

	if (from < 0)
		return -1;
	to = parent_fd(unpack, tree, name, err); /* sixteen slots: `from` is still open */
	if (to < 0)
		return -1;
	if (linkat(from, tree_name_text(tree, target), to, tree_name_text(tree, name), 0) < 0)
		return err_sys(err, errno, "make hard link");
	return 0;
}

static int sink_remove(void *ctx, const struct layer_tree *tree, uint32_t name, struct err *err)
{
	struct unpack *unpack = ctx;
	int dir_fd = parent_fd(unpack, tree, name, err);

	if (dir_fd < 0 || tree_remove(dir_fd, tree_name_text(tree, name), err) < 0)
		return -1;
	forget_parents(unpack); /* names are used again */
	return 0;
}

static int sink_data(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct unpack *unpack = ctx;
	const char *at = data;

	while (len > 0) {
		ssize_t n = pwrite(unpack->file_fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write");
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	unpack->file_at = offset;
	return 0;
}

static int sink_done(void *ctx, const struct layer_tree *tree, struct err *err)
{
	struct unpack *unpack = ctx;
	AUTO(fd) int fd = TAKE_FD(unpack->file_fd);
	const struct tree_inode *inode = tree_inode_of(tree, unpack->file_name);

	if (unpack->file_at < inode->size && ftruncate(fd, (off_t)inode->size) < 0)
		return err_sys(err, errno, "set size");
	return set_attributes(fd, tree, inode, &unpack->born, err);
}

static int sink_copy(void *ctx, int lower_fd, uint64_t size, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, COPY_BYTES);
	uint64_t at = 0;

	while (at < size) {
		ssize_t n = pread(lower_fd, buffer, COPY_BYTES, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EIO, "read lower file");
		if (sink_data(ctx, at, buffer, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

/* By trying: umask, default ACLs and mount options all have a say. */
static void learn_born(struct unpack *unpack)
{
	static const char probe[] = ".born";
	AUTO(fd)
	int fd = openat(unpack->root_fd, probe,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0777);
	struct stat st;

	unpack->born = (struct born){ (uid_t)-1, (gid_t)-1, 0777 };
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0)
		unpack->born = (struct born){ st.st_uid, st.st_gid, ~st.st_mode & 0777 };
	unlinkat(unpack->root_fd, probe, 0);
}

struct unpack *unpack_new(int root_fd)
{
	struct unpack *unpack = xcalloc(1, sizeof(*unpack));

	unpack->root_fd = root_fd;
	learn_born(unpack);
	unpack->file_fd = -1;
	return unpack;
}

void unpack_free(struct unpack *unpack)
{
	if (!unpack)
		return;
	forget_parents(unpack);
	if (unpack->file_fd >= 0)
		close(unpack->file_fd);
	free(unpack);
}

struct apply_sink unpack_sink(struct unpack *unpack)
{
	return (struct apply_sink){ .make = sink_make,
				    .link = sink_link,
				    .remove = sink_remove,
				    .data = sink_data,
				    .done = sink_done,
				    .copy = sink_copy,
				    .ctx = unpack };
}

static bool has_whiteout(const struct layer_tree *tree, uint32_t name)
{
	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next)
		if (tree_inode_of(tree, i)->type == NODE_WHITEOUT)
			return true;
	return false;
}

static int finish_dir(struct unpack *unpack, const struct layer_tree *tree, uint32_t name,
		      struct err *err)
{
	const struct tree_inode *inode = tree_inode_of(tree, name);
	AUTO(free) char *path = layer_tree_path(tree, name);
	AUTO(fd)
	int fd = file_open_beneath(unpack->root_fd, *path ? path : ".",
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	int rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "open folder \"%.100s\"", path);
	if (inode->flags & NODE_OPAQUE && fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		rc = err_sys(err, errno, "mark opaque");
	/* With an origin, overlay filters whiteouts even where only one layer has the folder. */
	if (rc == 0 && has_whiteout(tree, name) &&
	    fsetxattr(fd, "trusted.overlay.origin", "", 0, 0) < 0)
		rc = err_sys(err, errno, "mark origin");
	if (rc == 0)
		rc = set_attributes(fd, tree, inode, NULL, err);
	return rc < 0 ? err_wrap(err, "folder \"%.100s\"", path) : 0;
}

int unpack_finish(struct unpack *unpack, const struct layer_tree *tree, struct err *err)
{
	uint32_t at = LAYER_TREE_ROOT;

	forget_parents(unpack);
	for (;;) {
		while (tree->names[at].child) /* down to the first leaf */
			at = tree->names[at].child;
		for (;;) {
			if (tree_inode_of(tree, at)->type == NODE_DIR &&
			    finish_dir(unpack, tree, at, err) < 0)
				return -1;
			if (at == LAYER_TREE_ROOT)
				return 0;
			if (tree->names[at].next)
				break;
			at = tree->names[at].parent;
		}
		at = tree->names[at].next;
	}
}

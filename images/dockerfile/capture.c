/* images/dockerfile/capture - the upper folder of an overlay becomes a layer of the store.
 *
 * Owns: what the marks of overlayfs mean, which entries a step's mounts left behind.
 * May not touch: the upper folder, what a layer's bytes look like (tree_out).
 */
#include "images/dockerfile/capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/dockerfile/resolve.h"
#include "images/dockerfile/tree_out.h"

#define OVERLAY "trusted.overlay."

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct walk {
	int upper_fd;
	struct df_tree tree;
	struct df_links links;
};

/* What overlayfs says of a folder: *out_opaque, or that it is more than a folder. */
static int read_marks(int fd, const char *path, bool *out_opaque, struct err *err)
{
	static const char *const refused[] = { OVERLAY "redirect", OVERLAY "metacopy" };
	char value[8], link[40];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (getxattr(link, refused[i], value, 0) >= 0)
			return err_set(err, ERR_INVALID,
				       "\"%.120s\" has %s: the overlay was mounted with it", path,
				       refused[i]);
	len = getxattr(link, OVERLAY "opaque", value, sizeof(value));
	*out_opaque = len == 1 && value[0] == 'y';
	return 0;
}

static int add_folder(struct walk *walk, uint32_t name, int fd, const char *path, struct err *err);

static struct df_content *set_content(struct walk *walk, uint32_t inode, const char *path)
{
	struct df_content *content = df_tree_content(&walk->tree, inode, DF_CONTENT_PATH);

	content->root_fd = walk->upper_fd;
	content->path = arena_strdup(walk->tree.arena, path);
	return content;
}

static int add_whiteout(struct walk *walk, uint32_t parent, const char *name, struct err *err)
{
	struct layer_tree *tree = walk->tree.tree;
	uint32_t inode = layer_tree_inode(tree, NODE_WHITEOUT, err);

	return inode && layer_tree_add(tree, parent, name, strlen(name), inode, err) ? 0 : -1;
}

static int add_inode(struct walk *walk, int fd, const struct stat *st, const char *path,
		     uint32_t *out, struct err *err)
{
	bool is_linked = !S_ISDIR(st->st_mode) && st->st_nlink > 1;

	if (is_linked) {
		*out = df_links_find(&walk->links, st);
		if (*out)
			return 0;
	}
	if (df_inode_of(walk->tree.tree, fd, st, 0, out, err) < 0)
		return -1;
	if (S_ISREG(st->st_mode))
		set_content(walk, *out, path);
	if (is_linked)
		df_links_add(&walk->links, st, *out);
	return 0;
}

static int add_entry(struct walk *walk, uint32_t parent, int dir_fd, const char *name,
		     const char *path, struct err *err)
{
	struct layer_tree *tree = walk->tree.tree;
	AUTO(fd) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	uint32_t inode, at;
	bool is_opaque = false;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "read \"%.120s\"", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return add_whiteout(walk, parent, name, err);
	if (S_ISDIR(st.st_mode) && read_marks(fd, path, &is_opaque, err) < 0)
		return -1;
	if (add_inode(walk, fd, &st, path, &inode, err) < 0)
		return err_wrap(err, "\"%.120s\"", path);
	if (is_opaque)
		tree->inodes[inode].flags |= NODE_OPAQUE;
	at = layer_tree_add(tree, parent, name, strlen(name), inode, err);
	if (!at)
		return -1;
	return S_ISDIR(st.st_mode) ? add_folder(walk, at, fd, path, err) : 0;
}

/* As deep as LAYER_TREE_DEPTH_MAX. */
static int add_folder(struct walk *walk, uint32_t name, int fd, const char *path, struct err *err)
{
	AUTO(fd) int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "read folder \"%.120s\"", path);
	TAKE_FD(list_fd);
	while ((entry = readdir(dir)) != NULL) {
		AUTO(free)
		char *below = xformat("%s%s%s", path, *path ? "/" : "", entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (add_entry(walk, name, dirfd(dir), entry->d_name, below, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what mounts left behind ---- */

static uint32_t find(const struct layer_tree *tree, const char *path)
{
	uint32_t at = LAYER_TREE_ROOT;

	while (at && *path) {
		size_t len = strcspn(path, "/");

		if (len)
			at = layer_tree_find(tree, at, path, len);
		path += len + (path[len] == '/');
	}
	return at == LAYER_TREE_ROOT ? 0 : at;
}

/* Whether the tree below has that folder with the same attributes: then the entry says nothing. */
static bool is_as_below(struct layer_tree *tree, uint32_t name, int lower_fd)
{
	AUTO(free) char *path = layer_tree_path(tree, name);
	const struct tree_inode *inode = tree_inode_of(tree, name);
	AUTO(fd) int fd = df_open_plain(lower_fd, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & 07777) == inode->mode && st.st_uid == inode->uid &&
	       st.st_gid == inode->gid;
}

static bool is_below(int lower_fd, struct layer_tree *tree, uint32_t name)
{
	AUTO(free) char *path = layer_tree_path(tree, name);
	AUTO(fd) int fd = lower_fd < 0 ? -1 : df_open_plain(lower_fd, path, O_PATH);

	return fd >= 0;
}

static void drop_mount_point(struct layer_tree *tree, const char *path, int lower_fd)
{
	uint32_t name = find(tree, path);

	for (bool is_first = true; name && name != LAYER_TREE_ROOT; is_first = false) {
		const struct tree_inode *inode = tree_inode_of(tree, name);
		uint32_t parent = tree_name(tree, name)->parent;
		bool is_empty = inode->type == NODE_DIR
					? !tree_name(tree, name)->child
					: is_first && inode->type == NODE_FILE && inode->size == 0;

		if (!is_empty || inode->flags & NODE_OPAQUE)
			return;
		if (is_below(lower_fd, tree, name) && !is_as_below(tree, name, lower_fd))
			return;
		layer_tree_remove(tree, name);
		name = parent;
	}
}

int df_capture(int upper_fd, const struct df_layer_spec *spec, struct df_layer *out,
	       struct err *err)
{
	struct walk walk = { .upper_fd = upper_fd };
	int rc;

	*out = (struct df_layer){ 0 };
	df_tree_init(&walk.tree);
	rc = add_folder(&walk, LAYER_TREE_ROOT, upper_fd, "", err);
	for (size_t i = 0; rc == 0 && i < spec->mount_point_count; i++)
		drop_mount_point(walk.tree.tree, spec->mount_points[i], spec->lower_fd);
	if (rc == 0)
		rc = df_tree_write(&walk.tree, spec, out, err);
	df_tree_clear(&walk.tree);
	df_links_clear(&walk.links);
	return rc < 0 ? err_wrap(err, "layer") : 0;
}

/* images/dockerfile/resolve - names below a folder that somebody else filled.
 *
 * Owns: how links are followed, what an inode of a layer takes over.
 * May not touch: anything outside the root.
 */
#include "images/dockerfile/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "images/apply.h"

#define LINK_MODE  0777u
#define LIST_BYTES 65536u

int df_open_plain(int root_fd, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS };
	int fd;

	do
		fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

/* Takes the last component of real away. */
static void pop(char *real)
{
	char *slash = strrchr(real, '/');

	*(slash ? slash : real) = '\0';
}

const char *df_clean_path(struct arena *arena, const char *path)
{
	AUTO(free) char *copy = xstrdup(path);
	char *real = arena_alloc(arena, strlen(path) + 2), *rest = copy, *part;

	while ((part = strsep(&rest, "/")) != NULL) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			pop(real);
			continue;
		}
		if (*real)
			strcat(real, "/");
		strcat(real, part);
	}
	return real;
}

const char *df_join(struct arena *arena, const char *folder, const char *name)
{
	size_t folder_len = strlen(folder), len = strlen(name);
	char *path = arena_alloc(arena, folder_len + len + 2);
	char *at = path + folder_len;

	memcpy(path, folder, folder_len);
	if (folder_len)
		*at++ = '/';
	memcpy(at, name, len + 1);
	return path;
}

const char *df_read_link(int fd, struct arena *arena, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target));

	if (len < 0 || len == sizeof(target)) {
		err_sys(err, len < 0 ? errno : ENAMETOOLONG, "read link");
		return NULL;
	}
	return arena_strndup(arena, target, (size_t)len);
}

struct walk {
	int root_fd;
	struct arena *arena;
	bool follow;
	unsigned links;
	char real[PATH_MAX];
	char *rest; /* owned */
	struct stat st;
};

/* The link's target goes in front of what is left to walk. */
static int follow_link(struct walk *walk, int fd, const char *rest, struct err *err)
{
	const char *target = df_read_link(fd, walk->arena, err);
	char *joined;

	if (!target)
		return -1;
	if (++walk->links > DF_LINKS_MAX)
		return err_set(err, ERR_INVALID, "too many symbolic links");
	if (*target == '/')
		walk->real[0] = '\0';
	else
		pop(walk->real);
	joined = xformat("%s/%s", target, rest ? rest : "");
	free(walk->rest);
	walk->rest = joined;
	return 1;
}

static bool is_absent(int errno_value)
{
	return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ENAMETOOLONG;
}

/* One component. 1: go on; 0: not there; -1. *rest is what follows it. */
static int step(struct walk *walk, const char *part, const char *rest, struct err *err)
{
	size_t len = strlen(walk->real);
	bool is_last = !rest || strspn(rest, "/.") == strlen(rest);
	AUTO(fd) int fd = -1;

	if (strcmp(part, "..") == 0) {
		pop(walk->real);
		return 1;
	}
	if (len + strlen(part) + 2 > sizeof(walk->real))
		return 0;
	snprintf(walk->real + len, sizeof(walk->real) - len, "%s%s", len ? "/" : "", part);
	fd = df_open_plain(walk->root_fd, walk->real, O_PATH);
	if (fd < 0 || fstat(fd, &walk->st) < 0)
		return is_absent(errno) ? 0 : err_sys(err, errno, "look at \"%.120s\"", walk->real);
	if (S_ISCHR(walk->st.st_mode) && walk->st.st_rdev == 0)
		return 0; /* a whiteout of the only layer */
	if (S_ISLNK(walk->st.st_mode) && (walk->follow || !is_last))
		return follow_link(walk, fd, rest, err);
	return is_last || S_ISDIR(walk->st.st_mode) ? 1 : 0;
}

static int walk_on(struct walk *walk, struct err *err)
{
	size_t at = 0;

	while (walk->rest[at]) {
		char *part = walk->rest + at;
		size_t len = strcspn(part, "/");
		char *before = walk->rest;
		AUTO(free) char *name = xstrndup(part, len);
		int rc;

		at += len + (part[len] == '/');
		if (len == 0 || strcmp(name, ".") == 0)
			continue;
		rc = step(walk, name, part[len] ? part + len + 1 : NULL, err);
		if (rc <= 0)
			return rc;
		if (walk->rest != before)
			at = 0;
	}
	return 1;
}

int df_resolve(int root_fd, struct arena *arena, const char *path, bool follow,
	       const char **out_real, struct stat *out_st, struct err *err)
{
	struct walk *walk = arena_alloc(arena, sizeof(*walk));
	AUTO(fd) int fd = -1;
	int rc;

	walk->root_fd = root_fd;
	walk->arena = arena;
	walk->follow = follow;
	walk->rest = xstrdup(path);
	rc = walk_on(walk, err);
	free(walk->rest);
	if (rc <= 0)
		return rc;
	/* The path may have ended with "..". */
	fd = df_open_plain(root_fd, walk->real, O_PATH);
	if (fd < 0 || fstat(fd, out_st) < 0)
		return is_absent(errno) ? 0 : err_sys(err, errno, "look at \"%.120s\"", walk->real);
	*out_real = walk->real;
	return 1;
}

/* ---- inodes ---- */

static int read_xattrs(struct layer_tree *tree, int fd, uint32_t *out, struct err *err)
{
	char path[40], list[4096];
	AUTO(free) char *more = NULL;
	char *names = list;
	AUTO(free) char *values = NULL;
	struct tar_xattr kept[TAR_XATTR_MAX];
	size_t count = 0, used = 0;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = listxattr(path, list, sizeof(list));
	if (len < 0 && errno == ERANGE) {
		names = more = xcalloc(1, LIST_BYTES);
		len = listxattr(path, names, LIST_BYTES);
	}
	if (len < 0 && errno != ENOTSUP)
		return err_sys(err, errno, "list attributes");
	for (char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
		ssize_t n;

		if (!apply_keeps_xattr(name) || count == TAR_XATTR_MAX)
			continue;
		if (!values)
			values = xcalloc(1, 2 * TAR_XATTR_BYTES_MAX + 1);
		if (used > TAR_XATTR_BYTES_MAX)
			break;
		n = getxattr(path, name, values + used, TAR_XATTR_BYTES_MAX);
		if (n < 0)
			continue;
		kept[count++] = (struct tar_xattr){ name, values + used, (size_t)n };
		used += (size_t)n;
	}
	return layer_tree_pack(tree, kept, count, out, err);
}

static const struct {
	mode_t format;
	enum node_type type;
} types[] = {
	{S_IFDIR,  NODE_DIR    },
        { S_IFREG, NODE_FILE   },
        { S_IFLNK, NODE_SYMLINK},
	{ S_IFCHR, NODE_CHAR   },
        { S_IFBLK, NODE_BLOCK  },
        { S_IFIFO, NODE_FIFO   },
};

static enum node_type type_of(mode_t mode)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].format == (mode & S_IFMT))
			return types[i].type;
	return NODE_FIFO;
}

static int set_target(struct layer_tree *tree, int fd, struct tree_inode *copy, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target));

	if (len < 0 || len == sizeof(target))
		return err_sys(err, len < 0 ? errno : ENAMETOOLONG, "read link");
	copy->mode = LINK_MODE;
	copy->size = (uint64_t)len;
	copy->data_at = layer_tree_text(tree, target, (size_t)len, err);
	return copy->data_at ? 0 : -1;
}

int df_inode_of(struct layer_tree *tree, int fd, const struct stat *st, unsigned flags,
		uint32_t *out, struct err *err)
{
	enum node_type type = type_of(st->st_mode);
	struct tree_inode copy = { .type = (uint8_t)type,
				   .mode = st->st_mode & 07777,
				   .uid = st->st_uid,
				   .gid = st->st_gid,
				   .mtime_s = st->st_mtim.tv_sec };
	bool is_device = type == NODE_CHAR || type == NODE_BLOCK;

	*out = 0;
	if (is_device) {
		copy.major = major(st->st_rdev);
		copy.minor = minor(st->st_rdev);
	}
	if (type == NODE_FILE)
		copy.size = (uint64_t)st->st_size;
	if (type == NODE_SYMLINK && set_target(tree, fd, &copy, err) < 0)
		return -1;
	if (type != NODE_SYMLINK && !(flags & DF_INODE_PLAIN) &&
	    read_xattrs(tree, fd, &copy.xattrs, err) < 0)
		return -1;
	*out = layer_tree_inode(tree, type, err);
	if (!*out)
		return -1;
	tree->inodes[*out] = copy;
	return 0;
}

/* ---- files with several names ---- */

struct df_linked {
	uint64_t device, file;
	uint32_t inode; /* 0: free */
};

static size_t link_place(const struct df_links *links, uint64_t device, uint64_t file)
{
	size_t i = (size_t)(file * 2654435761u) & (links->size - 1);

	while (links->items[i].inode &&
	       (links->items[i].file != file || links->items[i].device != device))
		i = (i + 1) & (links->size - 1);
	return i;
}

uint32_t df_links_find(const struct df_links *links, const struct stat *st)
{
	return links->size ? links->items[link_place(links, st->st_dev, st->st_ino)].inode : 0;
}

static void links_grow(struct df_links *links)
{
	struct df_links old = *links;

	links->size = old.size ? 2 * old.size : 64;
	links->items = xcalloc(links->size, sizeof(*links->items));
	for (size_t i = 0; i < old.size; i++)
		if (old.items[i].inode)
			links->items[link_place(links, old.items[i].device, old.items[i].file)] =
				old.items[i];
	free(old.items);
}

void df_links_add(struct df_links *links, const struct stat *st, uint32_t inode)
{
	if (2 * (links->count + 1) > links->size)
		links_grow(links);
	links->items[link_place(links, st->st_dev, st->st_ino)] =
		(struct df_linked){ st->st_dev, st->st_ino, inode };
	links->count++;
}

uint32_t df_links_at(const struct df_links *links, size_t place)
{
	return links->items[place].inode;
}

void df_links_clear(struct df_links *links)
{
	free(links->items);
	*links = (struct df_links){ 0 };
}

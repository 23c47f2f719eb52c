/* images/dockerfile/placing - a tree that grows over what a stage has already.
 *
 * Owns: which name a path leads to in the end, what may take whose place.
 * May not touch: the tree below.
 */
#include "images/dockerfile/placing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/dockerfile/resolve.h"

#define NODE_BELOW 8u /* a folder that the tree below has, too */
#define DIR_MODE   0755u

void df_placing_init(struct df_placing *placing, int lower_fd, uint64_t now_unix_ns)
{
	*placing = (struct df_placing){ .lower_fd = lower_fd,
					.now_s = (int64_t)(now_unix_ns / 1000000000u) };
	df_tree_init(&placing->tree);
	if (lower_fd >= 0)
		placing->tree.tree->inodes[LAYER_TREE_ROOT].flags |= NODE_BELOW;
}

void df_placing_clear(struct df_placing *placing)
{
	df_tree_clear(&placing->tree);
}

/* ---- the tree below ---- */

/* An O_PATH descriptor of parent/name below, or -1: nothing is there. */
static int open_below(struct df_placing *placing, uint32_t parent, const char *name,
		      struct stat *st)
{
	struct layer_tree *tree = placing->tree.tree;
	AUTO(free) char *folder = NULL;
	AUTO(free) char *path = NULL;
	AUTO(fd) int fd = -1;

	if (!(tree_inode_of(tree, parent)->flags & NODE_BELOW))
		return -1;
	folder = layer_tree_path(tree, parent);
	path = xformat("%s%s%s", folder, *folder ? "/" : "", name);
	fd = df_open_plain(placing->lower_fd, path, O_PATH);
	if (fd < 0 || fstat(fd, st) < 0 || (S_ISCHR(st->st_mode) && st->st_rdev == 0))
		return -1;
	return TAKE_FD(fd);
}

static uint32_t add_name(struct df_placing *placing, uint32_t parent, const char *name,
			 uint32_t inode, struct err *err)
{
	return inode ? layer_tree_add(placing->tree.tree, parent, name, strlen(name), inode, err)
		     : 0;
}

static uint32_t add_folder_below(struct df_placing *placing, uint32_t parent, const char *name,
				 int fd, const struct stat *st, struct err *err)
{
	struct layer_tree *tree = placing->tree.tree;
	uint32_t inode;

	if (df_inode_of(tree, fd, st, 0, &inode, err) < 0)
		return 0;
	tree->inodes[inode].flags |= NODE_BELOW;
	return add_name(placing, parent, name, inode, err);
}

static uint32_t add_new_folder(struct df_placing *placing, uint32_t parent, const char *name,
			       struct err *err)
{
	struct layer_tree *tree = placing->tree.tree;
	uint32_t inode = layer_tree_inode(tree, NODE_DIR, err);

	if (!inode)
		return 0;
	tree->inodes[inode].mode = DIR_MODE;
	tree->inodes[inode].uid = placing->new_uid;
	tree->inodes[inode].gid = placing->new_gid;
	tree->inodes[inode].mtime_s = placing->now_s;
	return add_name(placing, parent, name, inode, err);
}

/* ---- walking ---- */

enum found { FOUND_NONE, FOUND_FOLDER, FOUND_LINK, FOUND_OTHER };

struct place {
	enum found found;
	uint32_t name;      /* in the tree; 0: below, or nowhere */
	int fd;             /* below; owned */
	struct stat st;     /* of fd */
	const char *target; /* of a link */
};

static int look(struct df_placing *placing, uint32_t parent, const char *name, struct place *out,
		struct err *err)
{
	struct layer_tree *tree = placing->tree.tree;

	*out = (struct place){ .fd = -1 };
	out->name = layer_tree_find(tree, parent, name, strlen(name));
	if (out->name) {
		const struct tree_inode *inode = tree_inode_of(tree, out->name);

		out->found = inode->type == NODE_DIR       ? FOUND_FOLDER
			     : inode->type == NODE_SYMLINK ? FOUND_LINK
							   : FOUND_OTHER;
		if (inode->type == NODE_SYMLINK)
			out->target =
				arena_strdup(placing->tree.arena, tree_text(tree, inode->data_at));
		return 0;
	}
	out->fd = open_below(placing, parent, name, &out->st);
	if (out->fd < 0)
		return 0;
	out->found = S_ISDIR(out->st.st_mode)   ? FOUND_FOLDER
		     : S_ISLNK(out->st.st_mode) ? FOUND_LINK
						: FOUND_OTHER;
	if (!S_ISLNK(out->st.st_mode))
		return 0;
	out->target = df_read_link(out->fd, placing->tree.arena, err);
	if (out->target)
		return 0;
	close(out->fd);
	return -1;
}

struct path {
	struct df_placing *placing;
	uint32_t at;
	char *rest; /* owned */
	unsigned links;
	bool wants_leaf; /* the last name may be anything, or nothing */
	bool only_looks; /* nothing is made */
	const char *leaf;
};

static int follow(struct path *path, const char *target, const char *rest, struct err *err)
{
	char *joined = xformat("%s/%s", target, rest ? rest : "");

	free(path->rest);
	path->rest = joined;
	if (*target == '/')
		path->at = LAYER_TREE_ROOT;
	if (++path->links > DF_LINKS_MAX)
		return err_set(err, ERR_INVALID, "too many symbolic links");
	return 0;
}

/* 0: go on, 1: the leaf was reached, -1. */
static int take(struct path *path, const char *name, struct place *place, const char *rest,
		struct err *err)
{
	struct df_placing *placing = path->placing;
	bool is_last = !rest || strspn(rest, "/") == strlen(rest);

	if (place->found == FOUND_LINK)
		return follow(path, place->target, rest, err);
	if (place->found == FOUND_FOLDER) {
		path->at = place->name ? place->name
				       : add_folder_below(placing, path->at, name, place->fd,
							  &place->st, err);
		return path->at ? 0 : -1;
	}
	if (path->wants_leaf && is_last) {
		path->leaf = arena_strdup(placing->tree.arena, name);
		return 1;
	}
	if (place->found == FOUND_OTHER)
		return err_set(err, ERR_INVALID, "\"%.120s\" is no folder", name);
	if (path->only_looks)
		return err_set(err, ERR_NOT_FOUND, "\"%.120s\" is not there", name);
	path->at = add_new_folder(placing, path->at, name, err);
	return path->at ? 0 : -1;
}

static int step(struct path *path, const char *name, const char *rest, struct err *err)
{
	struct place place;
	int rc;

	if (strcmp(name, "..") == 0) {
		uint32_t parent = tree_name(path->placing->tree.tree, path->at)->parent;

		path->at = parent ? parent : LAYER_TREE_ROOT;
		return 0;
	}
	if (look(path->placing, path->at, name, &place, err) < 0)
		return -1;
	rc = take(path, name, &place, rest, err);
	if (place.fd >= 0)
		close(place.fd);
	return rc;
}

static int walk(struct path *path, struct err *err)
{
	size_t at = 0;

	while (path->rest[at]) {
		size_t len = strcspn(path->rest + at, "/");
		const char *rest = path->rest[at + len] ? path->rest + at + len + 1 : NULL;
		AUTO(free) char *name = xstrndup(path->rest + at, len);
		unsigned links = path->links;
		int rc;

		at += len + (path->rest[at + len] == '/');
		if (len == 0 || strcmp(name, ".") == 0)
			continue;
		rc = step(path, name, rest, err);
		if (rc != 0)
			return rc;
		if (path->links != links)
			at = 0;
	}
	return 0;
}

uint32_t df_placing_folder(struct df_placing *placing, uint32_t at, const char *path,
			   struct err *err)
{
	struct path walked = { .placing = placing, .at = at, .rest = xstrdup(path) };
	int rc = walk(&walked, err);

	free(walked.rest);
	return rc < 0 ? 0 : walked.at;
}

uint32_t df_placing_target(struct df_placing *placing, const char *path, const char **out_leaf,
			   struct err *err)
{
	struct path walked = {
		.placing = placing, .at = LAYER_TREE_ROOT, .rest = xstrdup(path), .wants_leaf = true
	};
	int rc = walk(&walked, err);

	free(walked.rest);
	*out_leaf = walked.leaf;
	return rc < 0 ? 0 : walked.at;
}

bool df_placing_has_folder(struct df_placing *placing, const char *path)
{
	struct err ignored = ERR_NONE;
	struct path walked = {
		.placing = placing, .at = LAYER_TREE_ROOT, .rest = xstrdup(path), .only_looks = true
	};
	int rc = walk(&walked, &ignored);

	free(walked.rest);
	return rc == 0;
}

/* ---- putting ---- */

static void describe(struct layer_tree *tree, uint32_t name, uint32_t inode)
{
	struct tree_inode *to = tree_inode_of(tree, name), *from = &tree->inodes[inode];

	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
	to->mtime_s = from->mtime_s;
	to->xattrs = from->xattrs;
}

static uint32_t refuse(struct df_placing *placing, uint32_t parent, const char *name, bool is_dir,
		       struct err *err)
{
	AUTO(free) char *folder = layer_tree_path(placing->tree.tree, parent);

	err_set(err, ERR_INVALID, "\"/%.100s%s%.100s\" is %s already", folder, *folder ? "/" : "",
		name, is_dir ? "there, and no folder," : "a folder");
	return 0;
}

uint32_t df_placing_put(struct df_placing *placing, uint32_t parent, const char *name,
			uint32_t inode, unsigned flags, struct err *err)
{
	struct layer_tree *tree = placing->tree.tree;
	bool is_dir = tree->inodes[inode].type == NODE_DIR, was_dir;
	struct place place;

	if (look(placing, parent, name, &place, err) < 0)
		return 0;
	if (place.fd >= 0)
		close(place.fd);
	was_dir = place.found == FOUND_FOLDER;
	if (place.found != FOUND_NONE && is_dir != was_dir &&
	    (!(flags & DF_PLACING_REPLACE) || (was_dir && !place.name)))
		return refuse(placing, parent, name, is_dir, err);
	if (is_dir && was_dir && place.name) {
		describe(tree, place.name, inode);
		return place.name;
	}
	if (is_dir && was_dir)
		tree->inodes[inode].flags |= NODE_BELOW;
	if (!place.name)
		return add_name(placing, parent, name, inode, err);
	if (is_dir != was_dir) {
		if (was_dir && tree_inode_of(tree, place.name)->flags & NODE_BELOW)
			return refuse(placing, parent, name, is_dir, err);
		layer_tree_remove(tree, place.name);
		return add_name(placing, parent, name, inode, err);
	}
	layer_tree_replace(tree, place.name, inode);
	return place.name;
}

/* ---- grafting ---- */

struct graft {
	struct df_placing *placing;
	const struct df_tree *other;
	const struct df_placing_change *change;
	uint32_t *copies; /* inode here + 1, by inode there: hard links */
};

static int copy_xattrs(struct graft *graft, uint32_t at, uint32_t *out, struct err *err)
{
	struct tar_xattr list[TAR_XATTR_MAX];
	size_t count = 0;

	while (count < TAR_XATTR_MAX && layer_tree_xattr(graft->other->tree, &at, &list[count]))
		count++;
	return layer_tree_pack(graft->placing->tree.tree, list, count, out, err);
}

static int change_inode(const struct df_placing_change *change, struct tree_inode *inode,
			struct err *err)
{
	if (!change)
		return 0;
	if (change->has_owner) {
		inode->uid = change->uid;
		inode->gid = change->gid;
	}
	if (!change->chmod || inode->type == NODE_SYMLINK)
		return 0;
	return df_chmod_apply(change->chmod, inode->type == NODE_DIR, inode->mode, &inode->mode,
			      err);
}

static uint32_t copy_inode(struct graft *graft, uint32_t from, struct err *err)
{
	struct df_tree *tree = &graft->placing->tree;
	struct tree_inode copy = graft->other->tree->inodes[from];
	uint32_t number = copy.number, inode;

	copy.link_count = 0;
	copy.number = 0;
	copy.flags = 0;
	if (copy.type == NODE_SYMLINK) {
		copy.data_at = layer_tree_text(
			tree->tree, tree_text(graft->other->tree, copy.data_at), copy.size, err);
		if (!copy.data_at)
			return 0;
	}
	if (copy_xattrs(graft, copy.xattrs, &copy.xattrs, err) < 0 ||
	    change_inode(graft->change, &copy, err) < 0)
		return 0;
	inode = layer_tree_inode(tree->tree, (enum node_type)copy.type, err);
	if (!inode)
		return 0;
	tree->tree->inodes[inode] = copy;
	if (number && copy.type == NODE_FILE) {
		const struct df_content *content = &graft->other->contents[number - 1];

		*df_tree_content(tree, inode, content->kind) = *content;
	}
	return inode;
}

static uint32_t inode_of(struct graft *graft, uint32_t from, struct err *err)
{
	bool is_linked = graft->other->tree->inodes[from].link_count > 1 &&
			 graft->other->tree->inodes[from].type != NODE_DIR;
	uint32_t inode = is_linked ? graft->copies[from] : 0;

	/* A copy that a later source has replaced under all of its names may be anything by now. */
	if (inode && graft->placing->tree.tree->inodes[inode].link_count)
		return inode;
	inode = copy_inode(graft, from, err);
	if (is_linked)
		graft->copies[from] = inode;
	return inode;
}

static int graft_all(struct graft *graft, uint32_t to, uint32_t from, struct err *err);

static int graft_name(struct graft *graft, uint32_t to, const char *name, uint32_t from,
		      struct err *err)
{
	const struct layer_tree *other = graft->other->tree;
	uint32_t inode = inode_of(graft, tree_name(other, from)->inode, err), at;

	at = inode ? df_placing_put(graft->placing, to, name, inode, 0, err) : 0;
	if (!at)
		return -1;
	return tree_inode_of(other, from)->type == NODE_DIR ? graft_all(graft, at, from, err) : 0;
}

/* As deep as LAYER_TREE_DEPTH_MAX. */
static int graft_all(struct graft *graft, uint32_t to, uint32_t from, struct err *err)
{
	const struct layer_tree *other = graft->other->tree;

	for (uint32_t at = tree_name(other, from)->child; at; at = tree_name(other, at)->next)
		if (graft_name(graft, to, tree_name_text(other, at), at, err) < 0)
			return -1;
	return 0;
}

int df_placing_graft(struct df_placing *placing, uint32_t to, const struct df_tree *other,
		     uint32_t from, const struct df_placing_change *change, struct err *err)
{
	AUTO(free)
	uint32_t *copies = xcalloc(other->tree->inode_count + 1, sizeof(*copies));
	struct graft graft = { placing, other, change, copies };

	return graft_all(&graft, to, from, err);
}

int df_placing_graft_one(struct df_placing *placing, uint32_t to, const char *name,
			 const struct df_tree *other, uint32_t from,
			 const struct df_placing_change *change, struct err *err)
{
	AUTO(free)
	uint32_t *copies = xcalloc(other->tree->inode_count + 1, sizeof(*copies));
	struct graft graft = { placing, other, change, copies };

	return graft_name(&graft, to, name, from, err);
}

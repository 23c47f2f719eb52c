/* images/apply_path - names of entries to places in the tree.
 *
 * Owns: cleaning, the walk with its links, implicit parents, copies of lower files. May not touch:
 * files; lower layers are asked through struct apply_lower.
 */
#include "images/apply_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

int apply_clean(const char *path, char **out, struct err *err)
{
	AUTO(free) char *clean = xcalloc(1, strlen(path) + 1);
	size_t len = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n > APPLY_NAME_MAX)
			return err_set(err, ERR_INVALID, "name has a part of %zu bytes (limit %u)",
				       n, APPLY_NAME_MAX);
		if (n == 2 && path[0] == '.' && path[1] == '.')
			return err_set(err, ERR_INVALID, "name has a part \"..\"");
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (len)
				clean[len++] = '/';
			memcpy(clean + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	if (len > APPLY_PATH_MAX)
		return err_set(err, ERR_INVALID, "name is longer than %u bytes", APPLY_PATH_MAX);
	clean[len] = '\0';
	*out = TAKE(clean);
	return 0;
}

int apply_below_whiteout(const char *path)
{
	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");

		if (n >= 8 && memcmp(at, ".wh..wh.", 8) == 0)
			return 1;
		if (n >= 4 && memcmp(at, ".wh.", 4) == 0)
			return -1;
		at += n + (at[n] == '/');
	}
	return 0;
}

int apply_remove(struct apply *apply, uint32_t name, struct err *err)
{
	if (apply->sink.remove && apply->sink.remove(apply->sink.ctx, apply->tree, name, err) < 0)
		return -1;
	layer_tree_remove(apply->tree, name);
	return 0;
}

/* Asks the lower layers about parent/name, unless the layer hides them there. */
static int look_lower(struct apply *apply, uint32_t parent, const char *name, size_t len,
		      char **out_path, struct lower_entry *out, struct err *err)
{
	AUTO(free) char *above = NULL;

	if (!apply->has_lower)
		return 0;
	for (uint32_t i = parent;; i = tree_name(apply->tree, i)->parent) {
		if (tree_inode_of(apply->tree, i)->flags & NODE_OPAQUE)
			return 0;
		if (i == LAYER_TREE_ROOT)
			break;
	}
	above = layer_tree_path(apply->tree, parent);
	free(*out_path);
	*out_path = xformat("%s%s%.*s", above, *above ? "/" : "", (int)len, name);
	return apply->lower.look(apply->lower.ctx, *out_path, out, err);
}

static int copy_attributes(struct apply *apply, uint32_t inode, const struct lower_entry *from,
			   struct err *err)
{
	struct tree_inode *it = &apply->tree->inodes[inode];

	it->mode = from->mode;
	it->uid = from->uid;
	it->gid = from->gid;
	it->mtime_s = from->mtime_s;
	it->mtime_ns = from->mtime_ns;
	it->size = from->size;
	it->major = from->major;
	it->minor = from->minor;
	return layer_tree_pack(apply->tree, from->xattrs, from->xattr_count, &it->xattrs, err);
}

static uint32_t add_made(struct apply *apply, uint32_t parent, const char *name, size_t len,
			 uint32_t inode, struct err *err)
{
	uint32_t at = layer_tree_add(apply->tree, parent, name, len, inode, err);

	if (at && apply->sink.make && apply->sink.make(apply->sink.ctx, apply->tree, at, err) < 0)
		return 0;
	return at;
}

/* A folder that no entry describes; it looks like the lower one when there is one. */
static uint32_t make_implicit(struct apply *apply, uint32_t parent, const char *name, size_t len,
			      const struct lower_entry *lower, struct err *err)
{
	uint32_t inode = layer_tree_inode(apply->tree, NODE_DIR, err);

	if (!inode)
		return 0;
	apply->made_implicit = true;
	apply->tree->inodes[inode].mode = APPLY_DIR_MODE;
	if (lower && lower->type == NODE_DIR) {
		if (copy_attributes(apply, inode, lower, err) < 0)
			return 0;
		apply->tree->inodes[inode].size = 0;
	}
	apply->tree->inodes[inode].flags |= NODE_IMPLICIT;
	return add_made(apply, parent, name, len, inode, err);
}

/* The walk: where it is, and what is still to go. */
struct walk {
	uint32_t at;
	char *rest;
	unsigned links;
	bool makes;
};

/* Puts a link's target in front of what is left. */
static int follow(struct walk *walk, const char *target, struct err *err)
{
	char *rest;

	if (++walk->links > APPLY_LINKS_MAX)
		return err_set(err, ERR_INVALID, "more than %u symlinks on the way",
			       APPLY_LINKS_MAX);
	if (*target == '/')
		walk->at = LAYER_TREE_ROOT;
	rest = xformat("%s/%s", target, walk->rest);
	free(walk->rest);
	walk->rest = rest;
	return 0;
}

/* A component that the layer does not have yet. 1: went on, 0: not there and not to be made, -1. */
static int step_missing(struct apply *apply, struct walk *walk, const char *name, size_t len,
			bool was_whiteout, struct err *err)
{
	struct lower_entry lower = { 0 };
	AUTO(free) char *path = NULL;
	int found = was_whiteout ? 0 : look_lower(apply, walk->at, name, len, &path, &lower, err);
	int rc = -1;

	if (found < 0)
		return -1;
	if (found && lower.type == NODE_SYMLINK) {
		rc = follow(walk, lower.link, err) < 0 ? -1 : 1;
	} else if (!walk->makes && !(found && lower.type == NODE_DIR)) {
		rc = 0;
	} else {
		uint32_t made =
			make_implicit(apply, walk->at, name, len, found ? &lower : NULL, err);

		if (made) {
			walk->at = made;
			if (was_whiteout)
				tree_inode_of(apply->tree, made)->flags |= NODE_OPAQUE;
			rc = 1;
		}
	}
	lower_entry_clear(&lower);
	return rc;
}

static int step(struct apply *apply, struct walk *walk, const char *name, size_t len,
		struct err *err)
{
	uint32_t child;
	struct tree_inode *inode;
	bool was_whiteout;

	if (len == 1 && name[0] == '.')
		return 1;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (walk->at != LAYER_TREE_ROOT)
			walk->at = tree_name(apply->tree, walk->at)->parent;
		return 1;
	}
	if (len > APPLY_NAME_MAX)
		return err_set(err, ERR_INVALID, "a symlink on the way is too long");
	child = layer_tree_find(apply->tree, walk->at, name, len);
	if (!child)
		return step_missing(apply, walk, name, len, false, err);
	inode = tree_inode_of(apply->tree, child);
	if (inode->type == NODE_DIR) {
		walk->at = child;
		return 1;
	}
	if (inode->type == NODE_SYMLINK)
		return follow(walk, tree_text(apply->tree, inode->data_at), err) < 0 ? -1 : 1;
	if (!walk->makes)
		return 0;
	was_whiteout = inode->type == NODE_WHITEOUT;
	if (apply_remove(apply, child, err) < 0)
		return -1;
	return step_missing(apply, walk, name, len, was_whiteout, err);
}

/* 1: walk->at is the folder; 0: not there; -1. */
static int run(struct apply *apply, struct walk *walk, const char *path, struct err *err)
{
	int rc = 1;

	walk->at = LAYER_TREE_ROOT;
	walk->rest = xstrdup(path);
	while (rc == 1 && *walk->rest) {
		AUTO(free) char *current = walk->rest;
		size_t n = strcspn(current, "/");

		walk->rest = xstrdup(current + n + (current[n] == '/'));
		if (n > 0)
			rc = step(apply, walk, current, n, err);
	}
	free(TAKE(walk->rest));
	return rc;
}

uint32_t apply_parent(struct apply *apply, const char *path, struct err *err)
{
	struct walk walk = { .makes = true };

	return run(apply, &walk, path, err) == 1 ? walk.at : 0;
}

/* Brings a lower file into the layer, so that names here can share it. */
static int copy_up(struct apply *apply, uint32_t parent, const char *name, const char *path,
		   const struct lower_entry *lower, uint32_t *out, struct err *err)
{
	uint32_t inode = layer_tree_inode(apply->tree, lower->type, err);
	AUTO(fd) int fd = -1;
	struct tree_inode *it;

	if (!inode || copy_attributes(apply, inode, lower, err) < 0)
		return -1;
	if (lower->type == NODE_SYMLINK) {
		uint32_t text = layer_tree_text(apply->tree, lower->link, strlen(lower->link), err);

		if (!text)
			return -1;
		apply->tree->inodes[inode].data_at = text;
	} else if (lower->type == NODE_FILE) {
		if (lower->size > apply->max_bytes - apply->bytes)
			return err_set(err, ERR_INVALID, "layer is larger than its limit");
		apply->bytes += lower->size;
		fd = apply->lower.open(apply->lower.ctx, path, err);
		if (fd < 0)
			return -1;
	}
	it = &apply->tree->inodes[inode];
	if (fd >= 0 && apply->lower.keep) {
		it->source = SOURCE_EXTRA;
		if (apply->lower.keep(apply->lower.ctx, fd, lower->size, &it->data_at, err) < 0)
			return -1;
	}
	*out = add_made(apply, parent, name, strlen(name), inode, err);
	if (!*out)
		return -1;
	if (fd < 0 || !apply->sink.copy)
		return 0;
	if (apply->sink.copy(apply->sink.ctx, fd, lower->size, err) < 0)
		return -1;
	return apply->sink.done(apply->sink.ctx, apply->tree, err);
}

int apply_find(struct apply *apply, const char *path, uint32_t *out, struct err *err)
{
	struct walk walk = { .makes = false };
	struct lower_entry lower = { 0 };
	const char *last = strrchr(path, '/');
	AUTO(free) char *above = last ? xstrndup(path, (size_t)(last - path)) : xstrdup("");
	AUTO(free) char *lower_path = NULL;
	int rc;

	*out = 0;
	last = last ? last + 1 : path;
	if (!*last) {
		*out = LAYER_TREE_ROOT;
		return 0;
	}
	rc = run(apply, &walk, above, err);
	if (rc <= 0)
		return rc;
	*out = layer_tree_find(apply->tree, walk.at, last, strlen(last));
	if (*out) {
		if (tree_inode_of(apply->tree, *out)->type == NODE_WHITEOUT)
			*out = 0;
		return 0;
	}
	rc = look_lower(apply, walk.at, last, strlen(last), &lower_path, &lower, err);
	if (rc == 1 && lower.type == NODE_DIR)
		rc = err_set(err, ERR_INVALID, "hard link to a folder (\"%.80s\")", path);
	else if (rc == 1)
		rc = copy_up(apply, walk.at, last, lower_path, &lower, out, err);
	lower_entry_clear(&lower);
	return rc < 0 ? -1 : 0;
}

/* images/apply - tar entries become the tree of a layer.
 *
 * Owns: what an entry means: replacing, hard links, whiteouts, parents. May not touch: files (the
 * sink does), the bytes of the tar. Names are resolved by images/apply_path.
 */
#include "images/apply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/apply_path.h"

#define WHITEOUT     ".wh."
#define WHITEOUT_LEN 4u
#define AUFS         ".wh..wh."
#define AUFS_LEN     8u
#define OPAQUE       ".wh..wh..opq"
#define TARGET_MAX   4095u
#define LINK_MODE    0777u /* the only one that a file system gives a link */

static const char *const kept_xattrs[] = { "security.capability", "system.posix_acl_access",
					   "system.posix_acl_default" };

bool apply_keeps_xattr(const char *name)
{
	if (strncmp(name, "user.", 5) == 0)
		return name[5] && strncmp(name, "user.overlay.", 13) != 0;
	for (size_t i = 0; i < sizeof(kept_xattrs) / sizeof(kept_xattrs[0]); i++)
		if (strcmp(name, kept_xattrs[i]) == 0)
			return true;
	return false;
}

void lower_entry_clear(struct lower_entry *entry)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		free((void *)(uintptr_t)entry->xattrs[i].name);
		free((void *)(uintptr_t)entry->xattrs[i].value);
	}
	free(entry->xattrs);
	free(entry->link);
	memset(entry, 0, sizeof(*entry));
}

static int set_attributes(struct apply *apply, uint32_t inode, const struct tar_entry *entry,
			  struct err *err)
{
	struct tar_xattr kept[TAR_XATTR_MAX];
	struct tree_inode *it = &apply->tree->inodes[inode];
	size_t count = 0;

	it->mode = entry->mode;
	it->uid = entry->uid;
	it->gid = entry->gid;
	it->mtime_s = entry->mtime_s;
	it->mtime_ns = entry->mtime_ns;
	if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK) {
		it->major = entry->major;
		it->minor = entry->minor;
	}
	if (entry->type == TAR_SYMLINK) {
		it->mode = LINK_MODE;
		return 0; /* no attribute of a kept name fits a link */
	}
	for (size_t i = 0; i < entry->xattr_count && count < TAR_XATTR_MAX; i++)
		if (apply_keeps_xattr(entry->xattrs[i].name))
			kept[count++] = entry->xattrs[i];
	return layer_tree_pack(apply->tree, kept, count, &it->xattrs, err);
}

/* A folder entry for one that is there, or for the root. */
static int describe_dir(struct apply *apply, uint32_t name, const struct tar_entry *entry,
			struct err *err)
{
	tree_inode_of(apply->tree, name)->flags &= (uint8_t)~NODE_IMPLICIT;
	return set_attributes(apply, apply->tree->names[name].inode, entry, err);
}

/* Folders below an opaque one see nothing of the lower layers: what they took from there goes. */
static void forget_lower(struct layer_tree *tree, uint32_t top)
{
	uint32_t at = top;

	for (;;) {
		struct tree_inode *inode = tree_inode_of(tree, at);

		if (inode->type == NODE_DIR && inode->flags & NODE_IMPLICIT &&
		    (at != top || at != LAYER_TREE_ROOT)) {
			inode->mode = APPLY_DIR_MODE;
			inode->uid = inode->gid = inode->mtime_ns = inode->xattrs = 0;
			inode->mtime_s = 0;
		}
		if (tree->names[at].child) {
			at = tree->names[at].child;
			continue;
		}
		while (at != top && !tree->names[at].next)
			at = tree->names[at].parent;
		if (at == top)
			return;
		at = tree->names[at].next;
	}
}

static void make_opaque(struct apply *apply, uint32_t name)
{
	tree_inode_of(apply->tree, name)->flags |= NODE_OPAQUE;
	if (apply->has_lower)
		forget_lower(apply->tree, name);
}

static int apply_whiteout(struct apply *apply, const char *parent_path, const char *last,
			  struct err *err)
{
	const char *target = last + WHITEOUT_LEN;
	uint32_t parent, name, inode;

	if (strcmp(last, OPAQUE) == 0) {
		parent = apply_parent(apply, parent_path, err);
		if (parent)
			make_opaque(apply, parent);
		return parent ? 0 : -1;
	}
	if (strncmp(last, AUFS, AUFS_LEN) == 0)
		return 0;
	if (!*target || strcmp(target, ".") == 0 || strcmp(target, "..") == 0)
		return err_set(err, ERR_INVALID, "whiteout without a name");
	parent = apply_parent(apply, parent_path, err);
	if (!parent)
		return -1;
	name = layer_tree_find(apply->tree, parent, target, strlen(target));
	if (name) {
		if (tree_inode_of(apply->tree, name)->type == NODE_DIR)
			make_opaque(apply, name);
		return 0;
	}
	inode = layer_tree_inode(apply->tree, NODE_WHITEOUT, err);
	name = inode ? layer_tree_add(apply->tree, parent, target, strlen(target), inode, err) : 0;
	if (!name)
		return -1;
	return apply->sink.make ? apply->sink.make(apply->sink.ctx, apply->tree, name, err) : 0;
}

/* Links the last component to the target's inode. */
static int apply_hardlink(struct apply *apply, const struct tar_entry *entry, uint32_t parent,
			  const char *last, struct err *err)
{
	AUTO(free) char *path = NULL;
	uint32_t target, name;

	if (apply_clean(entry->link, &path, err) < 0)
		return err_wrap(err, "hard link");
	if (apply_find(apply, path, &target, err) < 0)
		return -1;
	if (!target) {
		if (apply->has_lower)
			return err_set(err, ERR_INVALID, "hard link to \"%.80s\", which is nowhere",
				       entry->link);
		if (!apply->missing_link)
			apply->missing_link = xformat("entry \"%.80s\": hard link to \"%.80s\"",
						      entry->path, entry->link);
		return 0;
	}
	if (tree_inode_of(apply->tree, target)->type == NODE_DIR)
		return err_set(err, ERR_INVALID, "hard link to a folder (\"%.80s\")", entry->link);
	name = layer_tree_find(apply->tree, parent, last, strlen(last));
	if (name == target)
		return 0;
	if (name && tree_name(apply->tree, name)->inode == tree_name(apply->tree, target)->inode)
		return 0;
	if (name && apply_remove(apply, name, err) < 0)
		return -1;
	/* A folder that was replaced may have held the target. */
	if (name && (apply_find(apply, path, &target, err) < 0 || !target))
		return err_set(err, ERR_INVALID, "hard link to what it replaces");
	name = layer_tree_add(apply->tree, parent, last, strlen(last),
			      tree_name(apply->tree, target)->inode, err);
	if (!name)
		return -1;
	return apply->sink.link ? apply->sink.link(apply->sink.ctx, apply->tree, target, name, err)
				: 0;
}

static int set_content(struct apply *apply, uint32_t inode, const struct tar_entry *entry,
		       struct err *err)
{
	struct tree_inode *it = &apply->tree->inodes[inode];
	uint32_t at;

	if (entry->type == TAR_SYMLINK) {
		it->size = strlen(entry->link);
		at = layer_tree_text(apply->tree, entry->link, it->size, err);
		apply->tree->inodes[inode].data_at = at;
		return at ? 0 : -1;
	}
	if (entry->type != TAR_FILE)
		return 0;
	it->size = entry->size;
	it->data_at = entry->data_offset;
	if (!entry->is_sparse || (entry->region_count == 1 && entry->regions[0].offset == 0 &&
				  entry->regions[0].len == entry->size))
		return 0;
	it->flags |= NODE_SPARSE;
	it->minor = (uint32_t)entry->region_count;
	at = layer_tree_text(apply->tree, entry->regions,
			     entry->region_count * sizeof(*entry->regions), err);
	apply->tree->inodes[inode].data_at = at;
	return at ? 0 : -1;
}

static const enum node_type node_types[] = {
	[TAR_FILE] = NODE_FILE,   [TAR_SYMLINK] = NODE_SYMLINK, [TAR_CHAR] = NODE_CHAR,
	[TAR_BLOCK] = NODE_BLOCK, [TAR_DIR] = NODE_DIR,         [TAR_FIFO] = NODE_FIFO,
};

static int check_entry(const struct apply *apply, const struct tar_entry *entry, struct err *err)
{
	if (entry->type == TAR_SYMLINK && (!*entry->link || strlen(entry->link) > TARGET_MAX))
		return err_set(err, ERR_INVALID, "symlink target of %zu bytes",
			       strlen(entry->link));
	if (entry->type == TAR_CHAR && entry->major == 0 && entry->minor == 0)
		return err_set(err, ERR_INVALID, "character device 0:0 (a whiteout in disguise)");
	if (entry->size > apply->max_bytes - apply->bytes)
		return err_set(err, ERR_INVALID, "layer is larger than the limit of %llu bytes",
			       (unsigned long long)apply->max_bytes);
	return 0;
}

/* A new inode under the name, whatever was there. */
static int make_entry(struct apply *apply, const struct tar_entry *entry, uint32_t parent,
		      const char *last, struct err *err)
{
	uint32_t name = layer_tree_find(apply->tree, parent, last, strlen(last)), inode;
	bool opaque = false;

	if (name && entry->type == TAR_DIR) {
		if (tree_inode_of(apply->tree, name)->type == NODE_DIR)
			return describe_dir(apply, name, entry, err);
		opaque = tree_inode_of(apply->tree, name)->type == NODE_WHITEOUT;
	}
	if (name && apply_remove(apply, name, err) < 0)
		return -1;
	inode = layer_tree_inode(apply->tree, node_types[entry->type], err);
	if (!inode || set_attributes(apply, inode, entry, err) < 0 ||
	    set_content(apply, inode, entry, err) < 0)
		return -1;
	if (opaque)
		apply->tree->inodes[inode].flags |= NODE_OPAQUE;
	name = layer_tree_add(apply->tree, parent, last, strlen(last), inode, err);
	if (!name)
		return -1;
	return apply->sink.make ? apply->sink.make(apply->sink.ctx, apply->tree, name, err) : 0;
}

static int on_entry(void *ctx, const struct tar_entry *entry, struct err *err)
{
	struct apply *apply = ctx;
	AUTO(free) char *path = NULL;
	uint32_t parent;
	char *last;

	apply->skips_data = true;
	if (++apply->entries > LAYER_TREE_NAMES_MAX)
		return err_set(err, ERR_INVALID, "layer has more than %u entries",
			       LAYER_TREE_NAMES_MAX);
	if (apply_clean(entry->path, &path, err) < 0)
		return -1;
	if (!*path) {
		if (entry->type != TAR_DIR)
			return err_set(err, ERR_INVALID, "the root has to be a folder");
		return describe_dir(apply, LAYER_TREE_ROOT, entry, err);
	}
	last = strrchr(path, '/');
	if (last)
		*last++ = '\0';
	else
		last = path;
	switch (apply_below_whiteout(last == path ? "" : path)) {
	case 1:
		return 0;
	case -1:
		return err_set(err, ERR_INVALID, "stands below a whiteout");
	default:
		break;
	}
	if (strncmp(last, WHITEOUT, WHITEOUT_LEN) == 0)
		return apply_whiteout(apply, last == path ? "" : path, last, err);
	if (check_entry(apply, entry, err) < 0)
		return -1;
	apply->bytes += entry->size;
	parent = apply_parent(apply, last == path ? "" : path, err);
	if (!parent)
		return -1;
	if (entry->type == TAR_HARDLINK)
		return apply_hardlink(apply, entry, parent, last, err);
	apply->skips_data = entry->type != TAR_FILE;
	return make_entry(apply, entry, parent, last, err);
}

static int on_data(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct apply *apply = ctx;

	if (apply->skips_data || !apply->sink.data)
		return 0;
	return apply->sink.data(apply->sink.ctx, offset, data, len, err);
}

static int on_done(void *ctx, struct err *err)
{
	struct apply *apply = ctx;

	if (apply->skips_data || !apply->sink.done)
		return 0;
	return apply->sink.done(apply->sink.ctx, apply->tree, err);
}

const struct tar_events apply_events = { on_entry, on_data, on_done };

struct apply *apply_new(const struct apply_sink *sink, const struct apply_lower *lower,
			uint64_t max_bytes)
{
	struct apply *apply = xcalloc(1, sizeof(*apply));

	apply->tree = layer_tree_new();
	apply->max_bytes = max_bytes;
	if (sink)
		apply->sink = *sink;
	if (lower) {
		apply->lower = *lower;
		apply->has_lower = true;
	}
	return apply;
}

void apply_free(struct apply *apply)
{
	if (!apply)
		return;
	layer_tree_free(apply->tree);
	free(apply->missing_link);
	free(apply);
}

struct layer_tree *apply_tree(struct apply *apply)
{
	return apply->tree;
}

bool apply_needs_lower(const struct apply *apply)
{
	return apply->missing_link || apply->made_implicit;
}

const char *apply_missing_link(const struct apply *apply)
{
	return apply->missing_link;
}

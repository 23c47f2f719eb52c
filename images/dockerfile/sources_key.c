/* images/dockerfile/sources_key - a tree of sources as entries of a cache key.
 *
 * Owns: what of an inode counts. Declared in sources.h. May not touch: files.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "images/dockerfile/resolve.h"
#include "images/dockerfile/sources.h"

#define HEX_LEN 64u

struct walk {
	const struct df_tree *tree;
	struct arena *arena;
	struct df_key_entry *entries;
	size_t count, room;
	const char **first; /* path of the first name, by inode */
};

static const char types[] = {
	[NODE_DIR] = 'd',   [NODE_FILE] = 'f', [NODE_SYMLINK] = 'l',  [NODE_CHAR] = 'c',
	[NODE_BLOCK] = 'b', [NODE_FIFO] = 'p', [NODE_WHITEOUT] = 'w',
};

static const char *hex(struct arena *arena, const uint8_t digest[32])
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(arena, HEX_LEN + 1);

	for (size_t i = 0; i < HEX_LEN / 2; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	return text;
}

static void set_xattrs(struct walk *walk, struct df_key_entry *entry, uint32_t at)
{
	struct tar_xattr xattr;
	struct df_key_xattr *list = NULL;

	while (layer_tree_xattr(walk->tree->tree, &at, &xattr)) {
		struct df_key_xattr *to =
			arena_grow(walk->arena, &list, &entry->xattr_count, sizeof(*to));

		*to = (struct df_key_xattr){ xattr.name, xattr.value, xattr.value_len };
	}
	entry->xattrs = list;
}

static struct df_key_entry *new_entry(struct walk *walk)
{
	if (walk->count == walk->room) {
		walk->room = walk->room ? 2 * walk->room : 64;
		walk->entries = xrealloc(walk->entries, walk->room, sizeof(*walk->entries));
	}
	memset(&walk->entries[walk->count], 0, sizeof(*walk->entries));
	return &walk->entries[walk->count++];
}

static void add(struct walk *walk, uint32_t name, const char *path)
{
	const struct layer_tree *tree = walk->tree->tree;
	const struct tree_inode *inode = tree_inode_of(tree, name);
	uint32_t number = tree_name(tree, name)->inode;
	struct df_key_entry *entry = new_entry(walk);
	const struct df_content *content = inode->type == NODE_FILE && inode->number
						   ? &walk->tree->contents[inode->number - 1]
						   : NULL;

	entry->path = path;
	entry->type = types[inode->type];
	entry->mode = inode->mode;
	entry->uid = inode->uid;
	entry->gid = inode->gid;
	entry->device = makedev(inode->major, inode->minor);
	if (inode->type == NODE_SYMLINK)
		entry->link = tree_text(tree, inode->data_at);
	if (content && content->has_digest)
		entry->content = hex(walk->arena, content->digest);
	if (inode->xattrs)
		set_xattrs(walk, entry, inode->xattrs);
	if (inode->type == NODE_DIR || inode->link_count < 2)
		return;
	if (walk->first[number])
		entry->link = walk->first[number];
	else
		walk->first[number] = path;
}

struct child {
	const char *text;
	uint32_t name;
};

static int by_text(const void *left, const void *right)
{
	return strcmp(((const struct child *)left)->text, ((const struct child *)right)->text);
}

/* In order of names, so that the first name of a hard link is always the same. */
static void add_children(struct walk *walk, uint32_t parent, const char *path)
{
	const struct layer_tree *tree = walk->tree->tree;
	struct child *children = NULL;
	size_t count = 0;

	for (uint32_t at = tree_name(tree, parent)->child; at; at = tree_name(tree, at)->next) {
		struct child *child = xgrow(&children, &count, sizeof(*child));

		*child = (struct child){ tree_name_text(tree, at), at };
	}
	if (count)
		qsort(children, count, sizeof(*children), by_text);
	for (size_t i = 0; i < count; i++) {
		const char *below = df_join(walk->arena, path, children[i].text);

		add(walk, children[i].name, below);
		if (tree_inode_of(tree, children[i].name)->type == NODE_DIR)
			add_children(walk, children[i].name, below);
	}
	free(children);
}

void df_sources_entries(const struct df_tree *tree, struct arena *arena, struct df_key_entry **out,
			size_t *out_count)
{
	struct walk walk = { .tree = tree, .arena = arena };

	walk.first = xcalloc(tree->tree->inode_count + 1, sizeof(*walk.first));
	add_children(&walk, LAYER_TREE_ROOT, "");
	free(walk.first);
	*out = arena_alloc(arena, (walk.count + 1) * sizeof(**out));
	if (walk.count)
		memcpy(*out, walk.entries, walk.count * sizeof(**out));
	*out_count = walk.count;
	free(walk.entries);
}

/* images/layer_tree - the names and inodes of one layer, in memory, small.
 *
 * Owns: the arrays, the hash of (parent, name), the text pool. May not touch: files; what entries
 * mean is for images/apply.
 */
#include "images/layer_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define TOMBSTONE  UINT32_MAX
#define FIRST_ROOM 64u
#define TEXT_ROOM  4096u
#define ROOT_MODE  0755u

struct packed {
	uint16_t name_len; /* 0: end of the list */
	uint32_t value_len;
};

static uint32_t hash(uint32_t parent, const char *name, size_t len)
{
	uint32_t value = 2166136261u ^ parent * 2654435761u;

	for (size_t i = 0; i < len; i++)
		value = (value ^ (unsigned char)name[i]) * 16777619u;
	return value ^ value >> 15;
}

static bool is_it(const struct layer_tree *tree, uint32_t at, uint32_t parent, const char *name,
		  size_t len)
{
	const struct tree_name *other = &tree->names[at];

	return other->parent == parent && other->len == len &&
	       memcmp(tree->text + other->text, name, len) == 0;
}

uint32_t layer_tree_find(const struct layer_tree *tree, uint32_t parent, const char *name,
			 size_t len)
{
	uint32_t mask = tree->table_size - 1;

	for (uint32_t i = hash(parent, name, len) & mask; tree->table[i]; i = (i + 1) & mask)
		if (tree->table[i] != TOMBSTONE && is_it(tree, tree->table[i], parent, name, len))
			return tree->table[i];
	return 0;
}

static void table_put(struct layer_tree *tree, uint32_t name)
{
	const struct tree_name *it = &tree->names[name];
	uint32_t mask = tree->table_size - 1;
	uint32_t i = hash(it->parent, tree->text + it->text, it->len) & mask;

	while (tree->table[i] && tree->table[i] != TOMBSTONE)
		i = (i + 1) & mask;
	if (!tree->table[i])
		tree->table_used++;
	tree->table[i] = name;
}

static void table_drop(struct layer_tree *tree, uint32_t name)
{
	const struct tree_name *it = &tree->names[name];
	uint32_t mask = tree->table_size - 1;
	uint32_t i = hash(it->parent, tree->text + it->text, it->len) & mask;

	while (tree->table[i] != name)
		i = (i + 1) & mask;
	tree->table[i] = TOMBSTONE;
}

/* At most half full, tombstones counted. */
static void table_grow(struct layer_tree *tree)
{
	uint32_t *old = tree->table, old_size = tree->table_size;

	if (2 * (tree->table_used + 1) <= tree->table_size)
		return;
	if (4 * tree->alive_names >= tree->table_size)
		tree->table_size *= 2;
	tree->table = xcalloc(tree->table_size, sizeof(*tree->table));
	tree->table_used = 0;
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i] && old[i] != TOMBSTONE)
			table_put(tree, old[i]);
	free(old);
}

uint32_t layer_tree_text(struct layer_tree *tree, const void *bytes, size_t len, struct err *err)
{
	uint32_t at = tree->text_len;

	if (len >= LAYER_TREE_TEXT_MAX - at) {
		err_set(err, ERR_INVALID, "layer has too many or too long names");
		return 0;
	}
	if (at + len + 1 > tree->text_room) {
		while (at + len + 1 > tree->text_room)
			tree->text_room *= 2;
		tree->text = xrealloc(tree->text, tree->text_room, 1);
	}
	memcpy(tree->text + at, bytes, len);
	tree->text[at + len] = '\0';
	tree->text_len = at + (uint32_t)len + 1;
	return at;
}

uint32_t layer_tree_inode(struct layer_tree *tree, enum node_type type, struct err *err)
{
	uint32_t inode = tree->inode_free;

	if (inode) {
		tree->inode_free = tree->inodes[inode].number;
	} else if (tree->inode_count > LAYER_TREE_NAMES_MAX) {
		err_set(err, ERR_INVALID, "layer has more than %u entries", LAYER_TREE_NAMES_MAX);
		return 0;
	} else {
		if (tree->inode_count == tree->inode_room) {
			tree->inode_room *= 2;
			tree->inodes =
				xrealloc(tree->inodes, tree->inode_room, sizeof(*tree->inodes));
		}
		inode = tree->inode_count++;
	}
	memset(&tree->inodes[inode], 0, sizeof(tree->inodes[inode]));
	tree->inodes[inode].type = (uint8_t)type;
	return inode;
}

static void inode_drop(struct layer_tree *tree, uint32_t inode)
{
	if (--tree->inodes[inode].link_count > 0)
		return;
	tree->inodes[inode].number = tree->inode_free;
	tree->inode_free = inode;
}

static uint32_t name_room(struct layer_tree *tree, struct err *err)
{
	uint32_t name = tree->name_free;

	if (name) {
		tree->name_free = tree->names[name].next;
		return name;
	}
	if (tree->name_count > LAYER_TREE_NAMES_MAX) {
		err_set(err, ERR_INVALID, "layer has more than %u entries", LAYER_TREE_NAMES_MAX);
		return 0;
	}
	if (tree->name_count == tree->name_room) {
		tree->name_room *= 2;
		tree->names = xrealloc(tree->names, tree->name_room, sizeof(*tree->names));
	}
	return tree->name_count++;
}

uint32_t layer_tree_add(struct layer_tree *tree, uint32_t parent, const char *name, size_t len,
			uint32_t inode, struct err *err)
{
	uint32_t text, at;
	struct tree_name *it;

	if (tree->names[parent].depth >= LAYER_TREE_DEPTH_MAX) {
		err_set(err, ERR_INVALID, "folders are nested more than %u deep",
			LAYER_TREE_DEPTH_MAX);
		return 0;
	}
	text = layer_tree_text(tree, name, len, err);
	at = text ? name_room(tree, err) : 0;
	if (!at)
		return 0;
	table_grow(tree);
	it = &tree->names[at];
	*it = (struct tree_name){ .parent = parent,
				  .next = tree->names[parent].child,
				  .inode = inode,
				  .text = text,
				  .len = (uint16_t)len,
				  .depth = (uint16_t)(tree->names[parent].depth + 1) };
	if (it->next)
		tree->names[it->next].previous = at;
	tree->names[parent].child = at;
	tree->inodes[inode].link_count++;
	tree->alive_names++;
	table_put(tree, at);
	return at;
}

void layer_tree_replace(struct layer_tree *tree, uint32_t name, uint32_t inode)
{
	uint32_t old = tree->names[name].inode;

	if (old == inode)
		return;
	tree->inodes[inode].link_count++;
	tree->names[name].inode = inode;
	inode_drop(tree, old);
}

static void remove_leaf(struct layer_tree *tree, uint32_t name)
{
	struct tree_name *it = &tree->names[name];

	table_drop(tree, name);
	if (it->previous)
		tree->names[it->previous].next = it->next;
	else
		tree->names[it->parent].child = it->next;
	if (it->next)
		tree->names[it->next].previous = it->previous;
	inode_drop(tree, it->inode);
	memset(it, 0, sizeof(*it));
	it->next = tree->name_free;
	tree->name_free = name;
	tree->alive_names--;
}

void layer_tree_remove(struct layer_tree *tree, uint32_t name)
{
	uint32_t at = name;

	for (;;) {
		uint32_t parent;

		while (tree->names[at].child)
			at = tree->names[at].child;
		parent = tree->names[at].parent;
		remove_leaf(tree, at);
		if (at == name)
			return;
		at = parent;
	}
}

int layer_tree_pack(struct layer_tree *tree, const struct tar_xattr *xattrs, size_t count,
		    uint32_t *out, struct err *err)
{
	const struct packed end = { 0, 0 };

	*out = 0;
	for (size_t i = 0; i < count; i++) {
		struct packed head = { (uint16_t)strlen(xattrs[i].name),
				       (uint32_t)xattrs[i].value_len };
		uint32_t at = layer_tree_text(tree, &head, sizeof(head), err);

		if (!at || !layer_tree_text(tree, xattrs[i].name, head.name_len, err) ||
		    !layer_tree_text(tree, xattrs[i].value, head.value_len, err))
			return -1;
		if (!*out)
			*out = at;
	}
	return count == 0 || layer_tree_text(tree, &end, sizeof(end), err) ? 0 : -1;
}

bool layer_tree_xattr(const struct layer_tree *tree, uint32_t *at, struct tar_xattr *out)
{
	struct packed head;
	uint32_t name;

	if (!*at)
		return false;
	memcpy(&head, tree->text + *at, sizeof(head));
	if (!head.name_len)
		return false;
	name = *at + (uint32_t)sizeof(head) + 1;
	out->name = tree->text + name;
	out->value = tree->text + name + head.name_len + 1;
	out->value_len = head.value_len;
	*at = name + head.name_len + 1 + head.value_len + 1;
	return true;
}

char *layer_tree_path(const struct layer_tree *tree, uint32_t name)
{
	size_t len = 0;
	char *path, *at;

	for (uint32_t i = name; i != LAYER_TREE_ROOT; i = tree->names[i].parent)
		len += tree->names[i].len + (len ? 1u : 0u);
	path = xcalloc(1, len + 1);
	at = path + len;
	for (uint32_t i = name; i != LAYER_TREE_ROOT; i = tree->names[i].parent) {
		if (at != path + len)
			*--at = '/';
		at -= tree->names[i].len;
		memcpy(at, tree_name_text(tree, i), tree->names[i].len);
	}
	return path;
}

struct layer_tree *layer_tree_new(void)
{
	struct layer_tree *tree = xcalloc(1, sizeof(*tree));

	tree->name_room = tree->inode_room = FIRST_ROOM;
	tree->names = xcalloc(FIRST_ROOM, sizeof(*tree->names));
	tree->inodes = xcalloc(FIRST_ROOM, sizeof(*tree->inodes));
	tree->table_size = 2 * FIRST_ROOM;
	tree->table = xcalloc(tree->table_size, sizeof(*tree->table));
	tree->text_room = TEXT_ROOM;
	tree->text = xcalloc(1, TEXT_ROOM);
	tree->text_len = 1; /* 0 is none, and "" */
	tree->name_count = tree->inode_count = LAYER_TREE_ROOT + 1;
	tree->names[LAYER_TREE_ROOT].inode = LAYER_TREE_ROOT;
	tree->inodes[LAYER_TREE_ROOT] = (struct tree_inode){
		.type = NODE_DIR, .flags = NODE_IMPLICIT, .mode = ROOT_MODE, .link_count = 1
	};
	return tree;
}

void layer_tree_free(struct layer_tree *tree)
{
	if (!tree)
		return;
	free(tree->names);
	free(tree->inodes);
	free(tree->table);
	free(tree->text);
	free(tree);
}

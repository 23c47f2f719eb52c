/* images/erofs_dir - a folder of the tree as EROFS directory blocks.
 *
 * Owns: the order of names, the packing of a block (dirents, then their names). May not touch:
 * files.
 */
#include "images/erofs_dir.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/erofs_format.h"

struct item {
	const char *text;
	uint16_t len;
	uint8_t type;
	uint32_t name, number;
};

static const uint8_t dirent_types[] = {
	[NODE_FILE] = 1,  [NODE_DIR] = 2,  [NODE_CHAR] = 3,    [NODE_WHITEOUT] = 3,
	[NODE_BLOCK] = 4, [NODE_FIFO] = 5, [NODE_SYMLINK] = 7,
};

static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return order ? order : (int)a->len - (int)b->len;
}

static struct item item_of(const struct layer_tree *tree, uint32_t name)
{
	const struct tree_inode *inode = tree_inode_of(tree, name);

	return (struct item){ .text = tree_name_text(tree, name),
			      .len = tree->names[name].len,
			      .type = dirent_types[inode->type],
			      .name = name,
			      .number = inode->number };
}

static size_t count_children(const struct layer_tree *tree, uint32_t name)
{
	size_t count = 0;

	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next)
		count++;
	return count;
}

void erofs_dir_sort(struct layer_tree *tree, uint32_t name)
{
	size_t count = count_children(tree, name), n = 0;
	AUTO(free) struct item *items = xcalloc(count, sizeof(*items));
	uint32_t previous = 0;

	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next)
		items[n++] = item_of(tree, i);
	qsort(items, count, sizeof(*items), compare);
	for (size_t i = 0; i < count; i++) {
		struct tree_name *it = &tree->names[items[i].name];

		it->previous = previous;
		it->next = 0;
		if (previous)
			tree->names[previous].next = items[i].name;
		else
			tree->names[name].child = items[i].name;
		previous = items[i].name;
	}
}

/* All dirents of a sorted folder, "." and ".." in their places. */
static struct item *dirents(const struct layer_tree *tree, uint32_t name, size_t *out_count)
{
	uint32_t parent = name == LAYER_TREE_ROOT ? name : tree->names[name].parent;
	struct item dots[2] = {
		{".",   1, dirent_types[NODE_DIR], name,   tree_inode_of(tree, name)->number  },
		{ "..", 2, dirent_types[NODE_DIR], parent, tree_inode_of(tree, parent)->number},
	};
	size_t count = count_children(tree, name) + 2, n = 0, dot = 0;
	struct item *items = xcalloc(count, sizeof(*items));

	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next) {
		struct item item = item_of(tree, i);

		while (dot < 2 && compare(&dots[dot], &item) < 0)
			items[n++] = dots[dot++];
		items[n++] = item;
	}
	while (dot < 2)
		items[n++] = dots[dot++];
	*out_count = count;
	return items;
}

/* How many of the items fit into one block, and how many bytes they take. */
static size_t fit(const struct item *items, size_t count, size_t *out_len)
{
	size_t n = 0, len = 0;

	while (n < count && len + sizeof(struct erofs_dirent) + items[n].len <= EROFS_BLOCK)
		len += sizeof(struct erofs_dirent) + items[n++].len;
	*out_len = len;
	return n;
}

uint64_t erofs_dir_size(const struct layer_tree *tree, uint32_t name)
{
	size_t count, len = 0;
	AUTO(free) struct item *items = dirents(tree, name, &count);
	uint64_t blocks = 0;

	for (size_t at = 0; at < count; blocks++)
		at += fit(items + at, count - at, &len);
	return (blocks - 1) * EROFS_BLOCK + len;
}

static void pack(const struct item *items, size_t count, char *block)
{
	size_t name_at = count * sizeof(struct erofs_dirent);

	for (size_t i = 0; i < count; i++) {
		struct erofs_dirent dirent = { .nid = htole64(items[i].number),
					       .name_at = htole16((uint16_t)name_at),
					       .type = items[i].type };

		memcpy(block + i * sizeof(dirent), &dirent, sizeof(dirent));
		memcpy(block + name_at, items[i].text, items[i].len);
		name_at += items[i].len;
	}
}

char *erofs_dir_bytes(const struct layer_tree *tree, uint32_t name)
{
	size_t count, len;
	AUTO(free) struct item *items = dirents(tree, name, &count);
	char *bytes = xcalloc(1, erofs_dir_size(tree, name) + EROFS_BLOCK);
	char *block = bytes;

	for (size_t at = 0; at < count; block += EROFS_BLOCK) {
		size_t n = fit(items + at, count - at, &len);

		pack(items + at, n, block);
		at += n;
	}
	return bytes;
}

uint32_t erofs_dir_links(const struct layer_tree *tree, uint32_t name)
{
	uint32_t count = 2;

	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next)
		count += tree_inode_of(tree, i)->type == NODE_DIR;
	return count;
}

bool erofs_dir_has_whiteout(const struct layer_tree *tree, uint32_t name)
{
	if (tree_inode_of(tree, name)->type != NODE_DIR)
		return false;
	for (uint32_t i = tree->names[name].child; i; i = tree->names[i].next)
		if (tree_inode_of(tree, i)->type == NODE_WHITEOUT)
			return true;
	return false;
}

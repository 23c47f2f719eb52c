/* images/erofs - the tree of a layer as an EROFS index over its tar.
 *
 * Owns: where inodes, attributes, folders and chunk lists stand. May not touch: mounts, the tree's
 * shape. Two walks in one order: the first gives every inode its place, the second writes.
 */
#include "images/erofs.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/erofs_dir.h"
#include "images/erofs_format.h"
#include "images/erofs_out.h"

#define META_BLOCK     4u /* behind superblock and device slots */
#define CHUNKS_MAX     65536u
#define CHUNK_BITS_MAX (EROFS_BLOCK_BITS + 31u)
#define NODE_WRITTEN   0x80u

struct prefix {
	const char *name;
	uint8_t index;
};

static const struct prefix prefixes[] = {
	{"user.",		     1},
	{ "system.posix_acl_access",  2},
	{ "system.posix_acl_default", 3},
	{ "trusted.",                 4},
	{ "security.",                6},
};

struct writer {
	struct layer_tree *tree;
	struct erofs_devices *devices;
	struct erofs_out meta, data;
	uint64_t data_blocks; /* used so far, counted from the first */
	uint32_t data_start;  /* block of the first; known in the second walk */
	uint64_t inode_count;
	bool writes;
};

static uint32_t mode_type(const struct tree_inode *inode)
{
	static const uint32_t types[] = {
		[NODE_DIR] = S_IFDIR,      [NODE_FILE] = S_IFREG,  [NODE_SYMLINK] = S_IFLNK,
		[NODE_CHAR] = S_IFCHR,     [NODE_BLOCK] = S_IFBLK, [NODE_FIFO] = S_IFIFO,
		[NODE_WHITEOUT] = S_IFCHR,
	};

	return types[inode->type];
}

/* ---- attributes ---- */

static size_t xattr_put(uint8_t *out, const struct tar_xattr *xattr)
{
	struct erofs_xattr head = { .value_len = htole16((uint16_t)xattr->value_len) };
	size_t len = 0, name_len, skip = 0;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(xattr->name, prefixes[i].name, strlen(prefixes[i].name)) == 0) {
			head.index = prefixes[i].index;
			skip = strlen(prefixes[i].name);
		}
	name_len = strlen(xattr->name) - skip;
	head.name_len = (uint8_t)name_len;
	if (out) {
		memcpy(out, &head, sizeof(head));
		memcpy(out + sizeof(head), xattr->name + skip, name_len);
		memcpy(out + sizeof(head) + name_len, xattr->value, xattr->value_len);
	}
	len = sizeof(head) + name_len + xattr->value_len;
	return (len + 3) & ~(size_t)3;
}

/* All attributes of an inode in their place (out NULL: only how long that is). */
static size_t xattrs_put(const struct layer_tree *tree, const struct tree_inode *inode, bool origin,
			 uint8_t *out)
{
	static const struct tar_xattr opaque_xattr = { "trusted.overlay.opaque", "y", 1 };
	static const struct tar_xattr origin_xattr = { "trusted.overlay.origin", "", 0 };
	size_t len = sizeof(struct erofs_xattr_head);
	uint32_t at = inode->xattrs;
	struct tar_xattr xattr;

	while (layer_tree_xattr(tree, &at, &xattr))
		len += xattr_put(out ? out + len : NULL, &xattr);
	if (inode->type == NODE_DIR && inode->flags & NODE_OPAQUE)
		len += xattr_put(out ? out + len : NULL, &opaque_xattr);
	if (origin)
		len += xattr_put(out ? out + len : NULL, &origin_xattr);
	return len == sizeof(struct erofs_xattr_head) ? 0 : len;
}

static int check_xattrs(const struct layer_tree *tree, const struct tree_inode *inode, size_t len,
			struct err *err)
{
	uint32_t at = inode->xattrs;
	struct tar_xattr xattr;

	while (layer_tree_xattr(tree, &at, &xattr))
		if (xattr.value_len > UINT16_MAX || strlen(xattr.name) > UINT8_MAX)
			return err_set(err, ERR_UNSUPPORTED,
				       "EROFS: attribute %.80s is larger than 65535 bytes",
				       xattr.name);
	if (len / 4 > UINT16_MAX - 8u)
		return err_set(err, ERR_UNSUPPORTED, "EROFS: attributes are larger than 256 KiB");
	return 0;
}

/* ---- file content ---- */

static unsigned bits_for(uint64_t size)
{
	unsigned bits = EROFS_BLOCK_BITS;

	while (bits < CHUNK_BITS_MAX && (1ull << bits) < size)
		bits++;
	return bits;
}

/* The regions of a sparse file, out of the pool (which has no alignment). */
static struct tar_region region_at(const struct layer_tree *tree, const struct tree_inode *inode,
				   uint32_t i)
{
	struct tar_region region;

	memcpy(&region, tree_text(tree, inode->data_at) + (size_t)i * sizeof(region),
	       sizeof(region));
	return region;
}

/* Chunk size for a sparse file, or 0 when its regions do not stand on blocks. */
static unsigned sparse_bits(const struct layer_tree *tree, const struct tree_inode *inode)
{
	uint64_t bounds = 0;
	unsigned bits;

	for (uint32_t i = 0; i < inode->minor; i++) {
		struct tar_region region = region_at(tree, inode, i);

		bounds |= region.offset;
		if (region.offset + region.len != inode->size)
			bounds |= region.offset + region.len;
		if (region.data_offset % EROFS_BLOCK)
			return 0;
	}
	bits = bounds ? (unsigned)__builtin_ctzll(bounds) : CHUNK_BITS_MAX;
	if (bits > bits_for(inode->size))
		bits = bits_for(inode->size);
	if (bits < EROFS_BLOCK_BITS || (inode->size >> bits) >= CHUNKS_MAX)
		return 0;
	return bits;
}

static uint64_t round_block(uint64_t bytes)
{
	return (bytes + EROFS_BLOCK - 1) / EROFS_BLOCK * EROFS_BLOCK;
}

/* Copies the file's regions into the extra device, holes stay holes there. */
static int move_to_extra(struct writer *writer, struct tree_inode *inode, struct err *err)
{
	struct erofs_devices *devices = writer->devices;
	uint64_t base = round_block(devices->extra_bytes);

	if (devices->extra_fd < 0)
		return err_set(err, ERR_UNSUPPORTED, "EROFS: no extra device for a sparse file");
	for (uint32_t i = 0; i < inode->minor; i++) {
		struct tar_region region = region_at(writer->tree, inode, i);

		if (erofs_copy(devices->tar_fd, region.data_offset, devices->extra_fd,
			       base + region.offset, region.len, err) < 0)
			return -1;
	}
	devices->extra_bytes = round_block(base + inode->size);
	if (ftruncate(devices->extra_fd, (off_t)devices->extra_bytes) < 0)
		return err_sys(err, errno, "grow extra device");
	inode->flags &= (uint8_t)~NODE_SPARSE;
	inode->source = SOURCE_EXTRA;
	inode->data_at = base;
	return 0;
}

static uint64_t chunk_count(const struct tree_inode *inode, unsigned bits)
{
	return inode->size ? ((inode->size - 1) >> bits) + 1 : 0;
}

static int write_chunks(struct writer *writer, const struct tree_inode *inode, unsigned bits,
			struct err *err)
{
	uint64_t count = chunk_count(inode, bits);
	uint32_t region = 0;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = i << bits, block = inode->data_at / EROFS_BLOCK;
		struct erofs_chunk chunk = { .device =
						     htole16(inode->source == SOURCE_TAR ? 1 : 2) };

		if (inode->flags & NODE_SPARSE) {
			struct tar_region it = { 0 };

			while (region < inode->minor) {
				it = region_at(writer->tree, inode, region);
				if (it.offset + it.len > at)
					break;
				region++;
			}
			block = (it.data_offset + (at - it.offset)) / EROFS_BLOCK;
			if (region == inode->minor || it.offset > at) {
				block = EROFS_HOLE;
				chunk.device = 0;
			}
		} else {
			block += at / EROFS_BLOCK;
		}
		chunk.block = htole32((uint32_t)block);
		if (erofs_out_put(&writer->meta, &chunk, sizeof(chunk), err) < 0)
			return -1;
	}
	return 0;
}

/* ---- inodes ---- */

/* What follows the inode, and how it is laid out. */
struct shape {
	enum erofs_layout layout;
	size_t xattr_len;
	size_t tail_len;     /* inline content */
	uint64_t plain_len;  /* content in blocks of its own */
	unsigned chunk_bits; /* chunked */
	uint64_t size;
};

static int shape_of(struct writer *writer, uint32_t name, struct shape *out, struct err *err)
{
	struct tree_inode *inode = tree_inode_of(writer->tree, name);
	size_t head;

	*out = (struct shape){ .layout = EROFS_PLAIN, .size = inode->size };
	out->xattr_len =
		xattrs_put(writer->tree, inode, erofs_dir_has_whiteout(writer->tree, name), NULL);
	if (check_xattrs(writer->tree, inode, out->xattr_len, err) < 0)
		return -1;
	head = sizeof(struct erofs_inode) + out->xattr_len;
	if (inode->type == NODE_FILE && inode->size > 0) {
		out->layout = EROFS_CHUNKED;
		out->chunk_bits = bits_for(inode->size);
		if (inode->flags & NODE_SPARSE) {
			out->chunk_bits = sparse_bits(writer->tree, inode);
			if (!out->chunk_bits && move_to_extra(writer, inode, err) < 0)
				return -1;
			if (!out->chunk_bits)
				out->chunk_bits = bits_for(inode->size);
		}
		return 0;
	}
	if (inode->type == NODE_DIR)
		out->size = erofs_dir_size(writer->tree, name);
	else if (inode->type != NODE_SYMLINK)
		out->size = 0;
	out->plain_len = out->size;
	out->tail_len = (size_t)(out->size % EROFS_BLOCK);
	if (out->tail_len && head + out->tail_len <= EROFS_BLOCK &&
	    (inode->type == NODE_DIR || out->size == out->tail_len)) {
		out->layout = EROFS_INLINE;
		out->plain_len -= out->tail_len;
	} else {
		out->tail_len = 0;
	}
	return 0;
}

static uint64_t shape_len(const struct shape *shape, const struct tree_inode *inode)
{
	uint64_t len = sizeof(struct erofs_inode) + shape->xattr_len + shape->tail_len;

	if (shape->layout == EROFS_CHUNKED)
		len = ((len + 7) & ~7ull) +
		      chunk_count(inode, shape->chunk_bits) * sizeof(struct erofs_chunk);
	return len;
}

/* Where the next inode stands: on a slot, and an inline tail in one block with its inode. */
static uint64_t place(uint64_t at, const struct shape *shape, uint64_t len)
{
	at = (at + EROFS_SLOT - 1) / EROFS_SLOT * EROFS_SLOT;
	if (shape->tail_len && at / EROFS_BLOCK != (at + len - 1) / EROFS_BLOCK)
		at = round_block(at);
	return at;
}

static int write_content(struct writer *writer, uint32_t name, const struct shape *shape,
			 struct err *err)
{
	const struct tree_inode *inode = tree_inode_of(writer->tree, name);
	AUTO(free) char *bytes = NULL;
	const char *at;

	if (shape->layout == EROFS_CHUNKED) {
		if (erofs_out_pad(&writer->meta, sizeof(struct erofs_chunk), err) < 0)
			return -1;
		return write_chunks(writer, inode, shape->chunk_bits, err);
	}
	if (shape->size == 0)
		return 0;
	if (inode->type == NODE_DIR)
		at = bytes = erofs_dir_bytes(writer->tree, name);
	else
		at = tree_text(writer->tree, inode->data_at);
	if (erofs_out_put(&writer->data, at, shape->plain_len, err) < 0 ||
	    erofs_out_pad(&writer->data, EROFS_BLOCK, err) < 0)
		return -1;
	return erofs_out_put(&writer->meta, at + shape->plain_len, shape->tail_len, err);
}

static int write_inode(struct writer *writer, uint32_t name, const struct shape *shape,
		       struct err *err)
{
	const struct tree_inode *inode = tree_inode_of(writer->tree, name);
	struct erofs_inode disk = {
		.format = htole16((uint16_t)(1u | (unsigned)shape->layout << 1)),
		.mode = htole16((uint16_t)(mode_type(inode) | inode->mode)),
		.size = htole64(shape->size),
		.number = htole32(inode->number),
		.uid = htole32(inode->uid),
		.gid = htole32(inode->gid),
		.mtime = htole64((uint64_t)inode->mtime_s),
		.mtime_ns = htole32(inode->mtime_ns),
		.link_count = htole32(inode->link_count),
	};
	AUTO(free) uint8_t *xattrs = NULL;

	if (shape->xattr_len) {
		xattrs = xcalloc(1, shape->xattr_len);
		xattrs_put(writer->tree, inode, erofs_dir_has_whiteout(writer->tree, name), xattrs);
		disk.xattr_count = htole16(
			(uint16_t)((shape->xattr_len - sizeof(struct erofs_xattr_head)) / 4 + 1));
	}
	if (shape->layout == EROFS_CHUNKED)
		disk.u = htole32(EROFS_CHUNK_INDEX | (shape->chunk_bits - EROFS_BLOCK_BITS));
	else if (shape->plain_len)
		disk.u = htole32(writer->data_start + (uint32_t)writer->data_blocks);
	else if (inode->type == NODE_CHAR || inode->type == NODE_BLOCK)
		disk.u = htole32((inode->minor & 0xffu) | inode->major << 8 |
				 (inode->minor & ~0xffu) << 12);
	if (inode->type == NODE_DIR)
		disk.link_count = htole32(erofs_dir_links(writer->tree, name));
	if (erofs_out_put(&writer->meta, &disk, sizeof(disk), err) < 0 ||
	    erofs_out_put(&writer->meta, xattrs, shape->xattr_len, err) < 0)
		return -1;
	return write_content(writer, name, shape, err);
}

static int visit(struct writer *writer, uint32_t name, struct err *err)
{
	struct tree_inode *inode = tree_inode_of(writer->tree, name);
	struct shape shape;
	uint64_t at, len;

	if (writer->writes ? inode->flags & NODE_WRITTEN : inode->number > 0)
		return 0; /* another name of it came first */
	if (!writer->writes && inode->type == NODE_DIR)
		erofs_dir_sort(writer->tree, name);
	if (shape_of(writer, name, &shape, err) < 0)
		return -1;
	inode = tree_inode_of(writer->tree, name);
	len = shape_len(&shape, inode);
	at = place(writer->meta.at, &shape, len);
	if (writer->writes) {
		inode->flags |= NODE_WRITTEN;
		if (erofs_out_pad_to(&writer->meta, at, err) < 0 ||
		    write_inode(writer, name, &shape, err) < 0)
			return -1;
	} else {
		inode->number = (uint32_t)((at - META_BLOCK * EROFS_BLOCK) / EROFS_SLOT);
		writer->meta.at = at + len;
		writer->inode_count++;
	}
	writer->data_blocks += (shape.plain_len + EROFS_BLOCK - 1) / EROFS_BLOCK;
	return 0;
}

/* Every name, parents first. */
static int walk(struct writer *writer, struct err *err)
{
	const struct layer_tree *tree = writer->tree;
	uint32_t at = LAYER_TREE_ROOT;

	for (;;) {
		if (visit(writer, at, err) < 0)
			return -1;
		if (tree->names[at].child) {
			at = tree->names[at].child;
			continue;
		}
		while (at != LAYER_TREE_ROOT && !tree->names[at].next)
			at = tree->names[at].parent;
		if (at == LAYER_TREE_ROOT)
			return 0;
		at = tree->names[at].next;
	}
}

static int write_super(struct writer *writer, int fd, struct err *err)
{
	const struct erofs_devices *devices = writer->devices;
	unsigned count = devices->extra_bytes ? 2 : 1;
	struct erofs_super super = {
		.magic = htole32(EROFS_MAGIC),
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = htole16((uint16_t)tree_inode_of(writer->tree, LAYER_TREE_ROOT)->number),
		.inode_count = htole64(writer->inode_count),
		.block_count = htole32(writer->data_start + (uint32_t)writer->data_blocks),
		.meta_block = htole32(META_BLOCK),
		.feature_incompat = htole32(EROFS_CHUNKED_FILE | EROFS_DEVICE_TABLE),
		.device_count = htole16((uint16_t)count),
		.device_slot = htole16(EROFS_DEVICE_SLOT),
	};
	struct erofs_device slots[2] = {
		{ .block_count =
			  htole32((uint32_t)(round_block(devices->tar_bytes) / EROFS_BLOCK)) },
		{ .block_count =
			  htole32((uint32_t)(round_block(devices->extra_bytes) / EROFS_BLOCK)) },
	};

	if (pwrite(fd, &super, sizeof(super), EROFS_SUPER_AT) != sizeof(super) ||
	    pwrite(fd, slots, sizeof(slots), EROFS_DEVICE_SLOT * 128) != sizeof(slots))
		return err_sys(err, errno ? errno : ENOSPC, "write index");
	return 0;
}

int erofs_write(struct layer_tree *tree, int out_fd, struct erofs_devices *devices, struct err *err)
{
	struct writer writer = { .tree = tree, .devices = devices, .inode_count = 0 };
	uint64_t end;
	int rc;

	if (devices->tar_bytes / EROFS_BLOCK >= EROFS_HOLE)
		return err_set(err, ERR_UNSUPPORTED, "EROFS: the layer is larger than 2 TiB");
	/* A number of 0 says "not placed": the root stands one slot behind the start. */
	writer.meta.at = META_BLOCK * EROFS_BLOCK + EROFS_SLOT;
	if (walk(&writer, err) < 0)
		return -1;
	end = round_block(writer.meta.at);
	writer.data_start = (uint32_t)(end / EROFS_BLOCK);
	writer.data_blocks = 0;
	writer.writes = true;
	erofs_out_open(&writer.meta, out_fd, META_BLOCK * EROFS_BLOCK);
	erofs_out_open(&writer.data, out_fd, end);
	rc = erofs_out_pad_to(&writer.meta, META_BLOCK * EROFS_BLOCK + EROFS_SLOT, err);
	if (rc == 0)
		rc = walk(&writer, err);
	if (erofs_out_close(&writer.meta, rc == 0 ? err : NULL) < 0 ||
	    erofs_out_close(&writer.data, rc == 0 ? err : NULL) < 0)
		rc = -1;
	if (rc == 0 && ftruncate(out_fd, (off_t)(end + writer.data_blocks * EROFS_BLOCK)) < 0)
		rc = err_sys(err, errno, "size of the index");
	return rc == 0 ? write_super(&writer, out_fd, err) : -1;
}

/* images/dockerfile/copy_archive - ADD of a tar: told by its content, unpacked over the stage's
 * tree.
 *
 * Owns: which entries of a foreign archive land where. Declared in copy_inner.h.
 * May not touch: names outside the image; ".." is refused, links are followed inside the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tar_header.h"
#include "images/apply.h"
#include "images/decode.h"
#include "images/dockerfile/codec.h"
#include "images/dockerfile/copy_inner.h"

#define READ_BYTES (256u << 10)
#define PROBE_MAX  (1u << 20) /* packed bytes that are looked at for the first header */

/* ---- what it is ---- */

struct probe {
	uint8_t block[TAR_BLOCK_BYTES];
	size_t len;
};

static int take_probe(void *ctx, const void *data, size_t len, struct err *err)
{
	struct probe *probe = ctx;
	size_t room = sizeof(probe->block) - probe->len, n = len < room ? len : room;

	(void)err;
	memcpy(probe->block + probe->len, data, n);
	probe->len += n;
	return 0;
}

static bool is_tar_block(const struct probe *probe)
{
	struct tar_header header;
	struct err ignored = ERR_NONE;

	return probe->len == sizeof(probe->block) &&
	       tar_header_read(probe->block, &header, &ignored) == 0;
}

int df_copy_is_archive(int fd, struct err *err)
{
	AUTO(free) uint8_t *buffer = xcalloc(1, PROBE_MAX);
	struct probe probe = { .len = 0 };
	struct err ignored = ERR_NONE;
	AUTO(decode) struct decode *decode = decode_new(0, take_probe, &probe);
	ssize_t n = pread(fd, buffer, PROBE_MAX, 0);

	if (n < 0)
		return err_sys(err, errno, "read");
	if (df_codec_is(buffer, (size_t)n))
		return df_codec_probe(buffer, (size_t)n, take_probe, &probe) &&
		       is_tar_block(&probe);
	/* Small steps: what is no archive fails somewhere behind its first block, or never. */
	for (ssize_t at = 0; at < n && probe.len < sizeof(probe.block); at += 4096)
		if (decode_write(decode, buffer + at, (size_t)(n - at < 4096 ? n - at : 4096),
				 &ignored) < 0)
			break;
	decode_end(decode, &ignored);
	return is_tar_block(&probe);
}

/* ---- unpacking ---- */

struct unpacking {
	struct df_placing *placing;
	uint32_t to;
	const struct df_placing_change *change;
	int spool_fd;
	uint64_t spooled;
	struct tar *tar;
};

/* "a/b", with its folder's place in the tree; "" is the folder itself. */
static int find_place(struct unpacking *job, const char *path, uint32_t *out_parent,
		      const char **out_name, struct err *err)
{
	struct arena *arena = job->placing->tree.arena;
	char *copy = arena_alloc(arena, strlen(path) + 1), *at = copy, *slash;
	struct slice rest = SLICE(path), part;

	while (slice_next(&rest, '/', &part)) {
		if (!part.len || slice_is(part, "."))
			continue;
		if (slice_is(part, ".."))
			return err_set(err, ERR_INVALID, "archive: \"%.120s\" leads out of it",
				       path);
		if (at != copy)
			*at++ = '/';
		memcpy(at, part.at, part.len);
		at += part.len;
	}
	*at = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	*out_name = slash ? slash + 1 : copy;
	*out_parent = slash ? df_placing_folder(job->placing, job->to, copy, err) : job->to;
	return *out_parent ? 0 : -1;
}

static const enum node_type node_types[] = {
	[TAR_FILE] = NODE_FILE,   [TAR_SYMLINK] = NODE_SYMLINK, [TAR_CHAR] = NODE_CHAR,
	[TAR_BLOCK] = NODE_BLOCK, [TAR_DIR] = NODE_DIR,         [TAR_FIFO] = NODE_FIFO,
};

static int set_content(struct unpacking *job, uint32_t inode, const struct tar_entry *entry,
		       struct err *err)
{
	struct df_tree *tree = &job->placing->tree;
	struct df_content *content;
	uint32_t at;

	tree->tree->inodes[inode].size = entry->size;
	if (entry->type == TAR_SYMLINK) {
		at = layer_tree_text(tree->tree, entry->link, strlen(entry->link), err);
		tree->tree->inodes[inode].data_at = at;
		tree->tree->inodes[inode].size = strlen(entry->link);
		tree->tree->inodes[inode].mode = 0777;
		return at ? 0 : -1;
	}
	if (entry->type != TAR_FILE)
		return 0;
	content = df_tree_content(tree, inode, DF_CONTENT_RANGE);
	content->fd = job->spool_fd;
	content->offset = entry->data_offset;
	if (entry->is_sparse) {
		struct tar_region *regions =
			arena_alloc(tree->arena, (entry->region_count + 1) * sizeof(*regions));

		memcpy(regions, entry->regions, entry->region_count * sizeof(*regions));
		content->regions = regions;
		content->region_count = entry->region_count;
		content->is_sparse = true;
	}
	return 0;
}

static int new_inode(struct unpacking *job, const struct tar_entry *entry, uint32_t *out,
		     struct err *err)
{
	struct layer_tree *tree = job->placing->tree.tree;
	struct tar_xattr kept[TAR_XATTR_MAX];
	struct tree_inode copy = { .type = (uint8_t)node_types[entry->type],
				   .mode = entry->mode,
				   .uid = job->change->has_owner ? job->change->uid : entry->uid,
				   .gid = job->change->has_owner ? job->change->gid : entry->gid,
				   .major = entry->major,
				   .minor = entry->minor,
				   .mtime_s = entry->mtime_s };
	size_t count = 0;

	for (size_t i = 0; i < entry->xattr_count && count < TAR_XATTR_MAX; i++)
		if (entry->type != TAR_SYMLINK && apply_keeps_xattr(entry->xattrs[i].name))
			kept[count++] = entry->xattrs[i];
	if (layer_tree_pack(tree, kept, count, &copy.xattrs, err) < 0)
		return -1;
	*out = layer_tree_inode(tree, node_types[entry->type], err);
	if (!*out)
		return -1;
	tree->inodes[*out] = copy;
	return set_content(job, *out, entry, err);
}

/* The inode that a hard link names, among what came out of this archive. */
static int linked_inode(struct unpacking *job, const struct tar_entry *entry, uint32_t *out,
			struct err *err)
{
	struct layer_tree *tree = job->placing->tree.tree;
	const char *name;
	uint32_t parent, at;

	if (find_place(job, entry->link, &parent, &name, err) < 0)
		return -1;
	at = layer_tree_find(tree, parent, name, strlen(name));
	if (!at || tree_inode_of(tree, at)->type == NODE_DIR)
		return err_set(err, ERR_INVALID,
			       "archive: \"%.80s\": hard link to \"%.80s\", "
			       "which is not in it",
			       entry->path, entry->link);
	*out = tree_name(tree, at)->inode;
	return 0;
}

static int check_entry(const struct tar_entry *entry, struct err *err)
{
	if (entry->type == TAR_SYMLINK && (!*entry->link || strlen(entry->link) > 4095))
		return err_set(err, ERR_INVALID, "archive: \"%.120s\": bad link", entry->path);
	if (entry->type == TAR_CHAR && !entry->major && !entry->minor)
		return err_set(err, ERR_INVALID, "archive: \"%.120s\": device 0:0 (a whiteout)",
			       entry->path);
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *entry, struct err *err)
{
	struct unpacking *job = ctx;
	const char *name;
	uint32_t parent, inode = 0, there;

	if (check_entry(entry, err) < 0 || find_place(job, entry->path, &parent, &name, err) < 0)
		return -1;
	if (!*name)
		return 0; /* "./": the destination keeps its attributes */
	if (entry->type == TAR_HARDLINK) {
		if (linked_inode(job, entry, &inode, err) < 0)
			return -1;
		there = layer_tree_find(job->placing->tree.tree, parent, name, strlen(name));
		if (there && tree_name(job->placing->tree.tree, there)->inode == inode)
			return 0;
	} else if (new_inode(job, entry, &inode, err) < 0) {
		return -1;
	}
	return df_placing_put(job->placing, parent, name, inode, DF_PLACING_REPLACE, err) ? 0 : -1;
}

static int spool(void *ctx, const void *data, size_t len, struct err *err)
{
	struct unpacking *job = ctx;

	if (file_write_all(job->spool_fd, data, len) < 0)
		return err_sys(err, errno, "write temporary file");
	job->spooled += len;
	return tar_write(job->tar, data, len, err);
}

static int feed(struct unpacking *job, int fd, struct err *err)
{
	AUTO(free) uint8_t *buffer = xcalloc(1, READ_BYTES);
	AUTO(decode) struct decode *decode = decode_new(0, spool, job);
	AUTO(df_codec) struct df_codec *codec = NULL;
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, buffer, READ_BYTES, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read archive");
		if (n == 0)
			break;
		if (at == 0 && df_codec_is(buffer, (size_t)n)) {
			codec = df_codec_new(buffer, (size_t)n, spool, job, err);
			if (!codec)
				return -1;
		}
		if ((codec ? df_codec_write(codec, buffer, (size_t)n, err)
			   : decode_write(decode, buffer, (size_t)n, err)) < 0)
			return -1;
		at += n;
	}
	if ((codec ? df_codec_end(codec, err) : decode_end(decode, err)) < 0)
		return -1;
	return tar_end(job->tar, err);
}

int df_copy_unpack(struct df_copy *copy, struct df_placing *placing, uint32_t to, int fd,
		   const struct df_placing_change *change, struct err *err)
{
	static const struct tar_events events = { .entry = on_entry };
	struct unpacking job = { .placing = placing, .to = to, .change = change };
	int rc;

	job.spool_fd = df_copy_temp_file(copy, err);
	if (job.spool_fd < 0)
		return -1;
	/* The plan keeps the descriptor until the layer is written. */
	*(int *)xgrow(&copy->spools, &copy->spool_count, sizeof(int)) = job.spool_fd;
	job.tar = tar_new(&events, &job);
	rc = feed(&job, fd, err);
	tar_free(job.tar);
	return rc < 0 ? err_wrap(err, "unpack") : 0;
}

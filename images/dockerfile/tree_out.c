/* images/dockerfile/tree_out - a tree in memory becomes a layer of the store.
 *
 * Owns: the order and form of entries in a layer that a build made.
 * May not touch: what is in the tree, how layers are stored (images/layer).
 */
#include "images/dockerfile/tree_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/stamp.h"
#include "base/tar_out.h"
#include "images/dockerfile/resolve.h"
#include "images/layer.h"

#define NS_PER_S     1000000000ll
#define WHITEOUT     ".wh."
#define WHITEOUT_LEN 4u
#define OPAQUE       ".wh..wh..opq"
#define HOLE_BYTES   (64u << 10) /* smaller holes are written as zeros */

struct writer {
	struct df_tree *tree;
	const struct df_layer_spec *spec;
	struct layer *layer;
	struct tar_out *tar;
	char *path; /* of the entry at work, and room for one more name */
	size_t path_len, path_room;
	const char **first; /* path of an inode's first name */
	struct arena *arena;
	uint64_t entry_count;
	/* The folder of the last file that was opened: most files have it in common. */
	char *folder;
	int folder_root, folder_fd;
};

void df_tree_init(struct df_tree *tree)
{
	*tree = (struct df_tree){ .tree = layer_tree_new(), .arena = arena_new() };
}

void df_tree_clear(struct df_tree *tree)
{
	layer_tree_free(tree->tree);
	arena_free(tree->arena);
	free(tree->contents);
	*tree = (struct df_tree){ 0 };
}

struct df_content *df_tree_content(struct df_tree *tree, uint32_t inode, enum df_content_kind kind)
{
	struct df_content *content = xgrow(&tree->contents, &tree->content_count, sizeof(*content));

	content->kind = kind;
	content->fd = content->root_fd = -1;
	tree->tree->inodes[inode].number = (uint32_t)tree->content_count;
	return content;
}

uint64_t df_layer_now(const struct df_layer_spec *spec)
{
	return spec->now_unix_ns ? spec->now_unix_ns : stamp_now_ns();
}

/* ---- content ---- */

static int changed(const struct df_content *content, struct err *err)
{
	return err_set(err, ERR_BUSY, "\"%.120s\" changed while it was copied", content->path);
}

static bool has_holes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 + HOLE_BYTES < (uint64_t)st->st_size;
}

static int64_t stamp_ns(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static bool is_planned(const struct df_content *content, const struct stat *st, uint64_t size)
{
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != size)
		return false;
	return !content->ctime_ns ||
	       (content->inode == (uint64_t)st->st_ino && content->device == (uint64_t)st->st_dev &&
		content->ctime_ns == stamp_ns(&st->st_ctim) &&
		content->mtime_ns == stamp_ns(&st->st_mtim));
}

/* Data and holes of a file that has fewer blocks than bytes. */
static int find_regions(int fd, uint64_t size, struct tar_region **out, size_t *out_count)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;
		struct tar_region *region;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (data < 0 || hole <= data)
			return -1;
		hole = (uint64_t)hole > size ? (off_t)size : hole;
		if (*out_count && (uint64_t)data - at < HOLE_BYTES) {
			region = &(*out)[*out_count - 1];
			region->len = (uint64_t)hole - region->offset;
		} else {
			region = xgrow(out, out_count, sizeof(*region));
			region->offset = (uint64_t)data;
			region->len = (uint64_t)(hole - data);
		}
		at = (uint64_t)hole;
		if (*out_count > TAR_REGION_MAX / 2)
			return -1;
	}
	return 0;
}

static int write_regions(struct writer *writer, const struct tar_entry *entry, int fd,
			 struct err *err)
{
	for (size_t i = 0; i < entry->region_count; i++)
		if (tar_out_copy(writer->tar, fd, entry->regions[i].offset, entry->regions[i].len,
				 err) < 0)
			return -1;
	return 0;
}

/* As df_open_plain, with the folder kept open for the next one. */
static int open_content(struct writer *writer, const struct df_content *content)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
	const char *slash = strrchr(content->path, '/');
	size_t len = slash ? (size_t)(slash - content->path) : 0;

	if (!slash)
		return df_open_plain(content->root_fd, content->path, flags);
	if (writer->folder_fd < 0 || writer->folder_root != content->root_fd ||
	    strlen(writer->folder) != len || memcmp(writer->folder, content->path, len) != 0) {
		auto_fd(&writer->folder_fd);
		free(writer->folder);
		writer->folder = xstrndup(content->path, len);
		writer->folder_root = content->root_fd;
		writer->folder_fd =
			df_open_plain(content->root_fd, writer->folder, O_PATH | O_DIRECTORY);
	}
	return writer->folder_fd < 0 ? -1 : openat(writer->folder_fd, slash + 1, flags);
}

static int write_path(struct writer *writer, const struct df_content *content,
		      struct tar_entry *entry, struct err *err)
{
	AUTO(fd)
	int fd = open_content(writer, content);
	AUTO(free) struct tar_region *regions = NULL;
	struct stat before, after;
	int rc;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == EXDEV))
		return changed(content, err);
	if (fd < 0 || fstat(fd, &before) < 0)
		return err_sys(err, errno, "open \"%.120s\"", content->path);
	if (!is_planned(content, &before, entry->size))
		return changed(content, err);
	if (has_holes(&before) &&
	    find_regions(fd, entry->size, &regions, &entry->region_count) == 0) {
		entry->is_sparse = true;
		entry->regions = regions;
	}
	rc = tar_out_entry(writer->tar, entry, err);
	if (rc == 0)
		rc = entry->is_sparse ? write_regions(writer, entry, fd, err)
				      : tar_out_copy(writer->tar, fd, 0, entry->size, err);
	if (rc < 0)
		return err_wrap(err, "\"%.120s\"", content->path);
	if (entry->size && (fstat(fd, &after) < 0 || !is_planned(content, &after, entry->size)))
		return changed(content, err);
	return tar_out_done(writer->tar, err);
}

static int write_range(struct writer *writer, const struct df_content *content,
		       struct tar_entry *entry, struct err *err)
{
	uint64_t at = content->offset, len = entry->size;

	if (content->is_sparse) {
		entry->is_sparse = true;
		entry->regions = content->regions;
		entry->region_count = content->region_count;
		len = 0;
		for (size_t i = 0; i < content->region_count; i++)
			len += content->regions[i].len;
	}
	if (tar_out_entry(writer->tar, entry, err) < 0 ||
	    tar_out_copy(writer->tar, content->fd, at, len, err) < 0)
		return -1;
	return tar_out_done(writer->tar, err);
}

static int write_content(struct writer *writer, const struct tree_inode *inode,
			 struct tar_entry *entry, struct err *err)
{
	static const struct df_content empty = { .kind = DF_CONTENT_MEMORY, .data = "" };
	const struct df_content *content =
		inode->number ? &writer->tree->contents[inode->number - 1] : &empty;

	switch (content->kind) {
	case DF_CONTENT_PATH:
		return write_path(writer, content, entry, err);
	case DF_CONTENT_RANGE:
		return write_range(writer, content, entry, err);
	case DF_CONTENT_MEMORY:
		break;
	}
	if (tar_out_entry(writer->tar, entry, err) < 0 ||
	    tar_out_data(writer->tar, content->data, entry->size, err) < 0)
		return -1;
	return tar_out_done(writer->tar, err);
}

/* ---- entries ---- */

static const enum tar_type tar_types[] = {
	[NODE_DIR] = TAR_DIR,       [NODE_FILE] = TAR_FILE,   [NODE_SYMLINK] = TAR_SYMLINK,
	[NODE_CHAR] = TAR_CHAR,     [NODE_BLOCK] = TAR_BLOCK, [NODE_FIFO] = TAR_FIFO,
	[NODE_WHITEOUT] = TAR_FILE,
};

static int64_t entry_time(const struct writer *writer, int64_t mtime_s)
{
	int64_t max = (int64_t)(writer->spec->max_mtime_ns / NS_PER_S);

	return writer->spec->max_mtime_ns && mtime_s > max ? max : mtime_s;
}

static int marker(struct writer *writer, const char *name, struct err *err)
{
	AUTO(free)
	char *path = xformat("%.*s%s%s", (int)writer->path_len, writer->path,
			     writer->path_len ? "/" : "", name);
	struct tar_entry entry = { .type = TAR_FILE, .path = path, .link = "", .mode = 0644 };

	writer->entry_count++;
	return tar_out_entry(writer->tar, &entry, err);
}

/* writer->path is the entry's. */
static int write_entry(struct writer *writer, uint32_t name, struct err *err)
{
	const struct layer_tree *tree = writer->tree->tree;
	const struct tree_inode *inode = tree_inode_of(tree, name);
	uint32_t number = tree_name(tree, name)->inode, at = inode->xattrs;
	struct tar_xattr xattrs[TAR_XATTR_MAX];
	struct tar_entry entry = { .type = tar_types[inode->type],
				   .path = writer->path,
				   .link = "",
				   .mode = inode->mode & 07777,
				   .uid = inode->uid,
				   .gid = inode->gid,
				   .major = inode->major,
				   .minor = inode->minor,
				   .mtime_s = entry_time(writer, inode->mtime_s),
				   .xattrs = xattrs };

	writer->entry_count++;
	if (inode->type != NODE_DIR && writer->first[number]) {
		entry.type = TAR_HARDLINK;
		entry.link = writer->first[number];
		return tar_out_entry(writer->tar, &entry, err);
	}
	if (inode->type != NODE_DIR && inode->link_count > 1)
		writer->first[number] = arena_strdup(writer->arena, writer->path);
	if (inode->type == NODE_SYMLINK)
		entry.link = tree_text(tree, inode->data_at);
	while (entry.xattr_count < TAR_XATTR_MAX &&
	       layer_tree_xattr(tree, &at, &xattrs[entry.xattr_count]))
		entry.xattr_count++;
	if (inode->type != NODE_FILE)
		return tar_out_entry(writer->tar, &entry, err);
	entry.size = inode->size;
	return write_content(writer, inode, &entry, err);
}

/* ---- the walk ---- */

static size_t push_name(struct writer *writer, const char *name, size_t len, const char *suffix)
{
	size_t before = writer->path_len, need = before + len + strlen(suffix) + 2;

	if (need > writer->path_room) {
		writer->path_room = 2 * need;
		writer->path = xrealloc(writer->path, writer->path_room, 1);
	}
	if (before)
		writer->path[writer->path_len++] = '/';
	memcpy(writer->path + writer->path_len, name, len);
	writer->path_len += len;
	strcpy(writer->path + writer->path_len, suffix);
	return before;
}

struct child {
	const char *text;
	uint32_t name;
};

static int by_text(const void *left, const void *right)
{
	return strcmp(((const struct child *)left)->text, ((const struct child *)right)->text);
}

static struct child *sorted_children(const struct layer_tree *tree, uint32_t parent,
				     size_t *out_count)
{
	struct child *children;
	size_t count = 0;

	for (uint32_t at = tree_name(tree, parent)->child; at; at = tree_name(tree, at)->next)
		count++;
	children = xcalloc(count + 1, sizeof(*children));
	*out_count = 0;
	for (uint32_t at = tree_name(tree, parent)->child; at; at = tree_name(tree, at)->next)
		children[(*out_count)++] = (struct child){ tree_name_text(tree, at), at };
	qsort(children, count, sizeof(*children), by_text);
	return children;
}

static int write_children(struct writer *writer, uint32_t parent, struct err *err);

static int write_name(struct writer *writer, uint32_t name, struct err *err)
{
	const struct layer_tree *tree = writer->tree->tree;
	const struct tree_inode *inode = tree_inode_of(tree, name);
	const char *text = tree_name_text(tree, name);
	bool is_dir = inode->type == NODE_DIR;
	size_t before;
	int rc;

	if (inode->type == NODE_WHITEOUT) {
		AUTO(free) char *whiteout = xformat(WHITEOUT "%s", text);

		return marker(writer, whiteout, err);
	}
	before = push_name(writer, text, tree_name(tree, name)->len, is_dir ? "/" : "");
	if (strncmp(text, WHITEOUT, WHITEOUT_LEN) == 0)
		return err_set(err, ERR_INVALID,
			       "\"%.160s\": names that begin with .wh. cannot be in a layer",
			       writer->path);
	rc = write_entry(writer, name, err);
	if (rc == 0 && is_dir && inode->flags & NODE_OPAQUE)
		rc = marker(writer, OPAQUE, err);
	if (rc == 0 && is_dir)
		rc = write_children(writer, name, err);
	writer->path_len = before;
	return rc;
}

/* As deep as LAYER_TREE_DEPTH_MAX. */
static int write_children(struct writer *writer, uint32_t parent, struct err *err)
{
	size_t count;
	AUTO(free) struct child *children = sorted_children(writer->tree->tree, parent, &count);

	for (size_t i = 0; i < count; i++)
		if (write_name(writer, children[i].name, err) < 0)
			return -1;
	return 0;
}

static int to_layer(void *ctx, const void *data, size_t len, struct err *err)
{
	return layer_write(ctx, data, len, err);
}

static int write_all(struct writer *writer, struct err *err)
{
	if (write_children(writer, LAYER_TREE_ROOT, err) < 0)
		return -1;
	return tar_out_end(writer->tar, err);
}

int df_tree_write(struct df_tree *tree, const struct df_layer_spec *spec, struct df_layer *out,
		  struct err *err)
{
	struct layer_spec how = { .size_bytes = -1, .media_type = "", .flags = LAYER_PLAIN };
	struct writer writer = { .tree = tree, .spec = spec, .folder_fd = -1 };
	struct layer_result result;
	int rc;

	*out = (struct df_layer){ 0 };
	if (!tree_name(tree->tree, LAYER_TREE_ROOT)->child)
		return 0;
	if (layer_open(spec->lease, &how, &writer.layer, err) < 0)
		return -1;
	writer.tar = tar_out_new_to(to_layer, writer.layer);
	writer.arena = arena_new();
	writer.first = xcalloc(tree->tree->inode_count + 1, sizeof(*writer.first));
	rc = write_all(&writer, err);
	if (rc < 0) {
		layer_abort(writer.layer);
	} else {
		crash_point("build", "captured");
		rc = layer_finish(writer.layer, &result, err);
	}
	tar_out_free(writer.tar);
	arena_free(writer.arena);
	free(writer.first);
	free(writer.path);
	free(writer.folder);
	auto_fd(&writer.folder_fd);
	if (rc < 0)
		return -1;
	memcpy(out->diff_id, result.diff_id, sizeof(out->diff_id));
	out->tar_bytes = result.tar_bytes;
	out->entry_count = result.entry_count;
	return 0;
}

/* images/dockerfile/sources - what the sources of a COPY are.
 *
 * Owns: which files of a context a step takes in, and their digests.
 * May not touch: where they go (placing), the layer (tree_out).
 */
#include "images/dockerfile/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "images/digest.h"
#include "images/dockerfile/context_inner.h"
#include "images/dockerfile/globs.h"
#include "images/dockerfile/hash_file.h"
#include "images/dockerfile/resolve.h"

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct find {
	const struct df_sources_spec *spec;
	struct df_context *context;
	int root_fd;
	struct df_sources *out;
	struct df_links links;
	struct df_ignore *excludes; /* NULL: none */
	char *path;                 /* of the entry at work, in the context */
	size_t path_len, path_room;
	size_t base_len; /* of the source at work: --exclude looks at what follows, too */
	struct arena *arena;
};

/* ---- which ---- */

static bool is_excluded(const struct find *find)
{
	const char *below = find->path + find->base_len;

	if (!find->excludes)
		return false;
	below += *below == '/';
	return df_ignore_excludes(find->excludes, find->path, NULL) ||
	       (*below && df_ignore_excludes(find->excludes, below, NULL));
}

static size_t push(struct find *find, const char *name)
{
	size_t before = find->path_len, len = strlen(name);

	if (before + len + 2 > find->path_room) {
		find->path_room = 2 * (before + len + 2);
		find->path = xrealloc(find->path, find->path_room, 1);
	}
	if (before)
		find->path[find->path_len++] = '/';
	memcpy(find->path + find->path_len, name, len + 1);
	find->path_len += len;
	return before;
}

static void pop(struct find *find, size_t before)
{
	find->path_len = before;
	find->path[before] = '\0';
}

/* ---- inodes ---- */

static int set_content(struct find *find, uint32_t inode, int dir_fd, const char *name,
		       const struct stat *st, struct err *err)
{
	struct df_content *content = df_tree_content(&find->out->tree, inode, DF_CONTENT_PATH);
	struct df_hashes *hashes = find->context->hashes;

	content->root_fd = find->root_fd;
	content->path = arena_strdup(find->out->tree.arena, find->path);
	find->out->file_count++;
	find->out->bytes += (uint64_t)st->st_size;
	if (find->spec->max_bytes && find->out->bytes > find->spec->max_bytes)
		return err_set(err, ERR_INVALID,
			       "\"%.120s\": the files are larger than the limit of %llu bytes",
			       find->path, (unsigned long long)find->spec->max_bytes);
	if (hashes) {
		content->device = st->st_dev;
		content->inode = st->st_ino;
		content->ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
		content->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	}
	if (!(find->spec->flags & DF_SOURCES_DIGESTS))
		return 0;
	content->has_digest = true;
	return df_hash_file(hashes, dir_fd, name, st, content->digest, err);
}

static int check_type(const struct find *find, const struct stat *st, struct err *err)
{
	if (!df_context_has_owners(find->context) && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
		return err_set(err, ERR_INVALID, "\"%.120s\" is a device: a context has none",
			       find->path);
	return 0;
}

/* A file that was hashed before and had no attributes then has none now: its ctime says so. */
static bool has_no_xattrs(const struct find *find, const struct stat *st)
{
	uint8_t digest[HASHES_BYTES];
	bool has_xattrs;

	return find->context->hashes && S_ISREG(st->st_mode) &&
	       df_hashes_find(find->context->hashes, st, digest, &has_xattrs) && !has_xattrs;
}

static int new_inode(struct find *find, int dir_fd, const char *name, const struct stat *st,
		     uint32_t *out, struct err *err)
{
	struct layer_tree *tree = find->out->tree.tree;
	bool is_plain = has_no_xattrs(find, st);
	AUTO(fd) int fd = -1;

	if (!is_plain) {
		fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, errno, "read \"%.120s\"", find->path);
	}
	if (df_inode_of(tree, fd, st, is_plain ? DF_INODE_PLAIN : 0, out, err) < 0)
		return err_wrap(err, "\"%.120s\"", find->path);
	if (!df_context_has_owners(find->context))
		tree->inodes[*out].uid = tree->inodes[*out].gid = 0;
	return S_ISREG(st->st_mode) ? set_content(find, *out, dir_fd, name, st, err) : 0;
}

static int inode_of(struct find *find, int dir_fd, const char *name, const struct stat *st,
		    uint32_t *out, struct err *err)
{
	bool is_linked = !S_ISDIR(st->st_mode) && st->st_nlink > 1;

	*out = is_linked ? df_links_find(&find->links, st) : 0;
	if (*out)
		return 0;
	if (new_inode(find, dir_fd, name, st, out, err) < 0)
		return -1;
	if (is_linked) {
		/* One link of its own, so that the inode outlives names that others replace. */
		df_links_add(&find->links, st, *out);
		find->out->tree.tree->inodes[*out].link_count++;
	}
	return 0;
}

/* The name in the tree, over what an earlier source left there. 0 on error. */
static uint32_t put(struct find *find, uint32_t parent, const char *name, uint32_t inode,
		    struct err *err)
{
	struct layer_tree *tree = find->out->tree.tree;
	uint32_t at = layer_tree_find(tree, parent, name, strlen(name));
	bool is_dir = tree->inodes[inode].type == NODE_DIR;

	if (!at)
		return layer_tree_add(tree, parent, name, strlen(name), inode, err);
	if (is_dir != (tree_inode_of(tree, at)->type == NODE_DIR)) {
		err_set(err, ERR_INVALID, "\"%.120s\" would be both a folder and a file",
			find->path);
		return 0;
	}
	layer_tree_replace(tree, at, inode);
	return at;
}

/* ---- the walk ---- */

static int add_children(struct find *find, uint32_t parent, int fd, struct err *err);

/* An excluded folder is there when something in it is taken back, and only then. */
static int add_excluded(struct find *find, uint32_t parent, int dir_fd, const char *name,
			const struct stat *st, struct err *err)
{
	struct layer_tree *tree = find->out->tree.tree;
	AUTO(fd) int fd = -1;
	uint32_t inode, at;
	bool was_there = layer_tree_find(tree, parent, name, strlen(name)) != 0;

	if (!S_ISDIR(st->st_mode) || df_ignore_excludes_tree(find->context->ignore, find->path))
		return 0;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "read folder \"%.120s\"", find->path);
	if (inode_of(find, dir_fd, name, st, &inode, err) < 0)
		return -1;
	at = put(find, parent, name, inode, err);
	if (!at || add_children(find, at, fd, err) < 0)
		return -1;
	if (!was_there && !tree_name(tree, at)->child)
		layer_tree_remove(tree, at);
	return 0;
}

static int add_entry(struct find *find, uint32_t parent, int dir_fd, const char *name,
		     struct err *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;
	uint32_t inode, at;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read \"%.120s\"", find->path);
	if (S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == 0))
		return 0;
	if (is_excluded(find))
		return 0;
	if (find->context->ignore && df_ignore_excludes(find->context->ignore, find->path, NULL))
		return add_excluded(find, parent, dir_fd, name, &st, err);
	if (check_type(find, &st, err) < 0 || inode_of(find, dir_fd, name, &st, &inode, err) < 0)
		return -1;
	at = put(find, parent, name, inode, err);
	if (!at || !S_ISDIR(st.st_mode))
		return at ? 0 : -1;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "read folder \"%.120s\"", find->path);
	return add_children(find, at, fd, err);
}

/* As deep as LAYER_TREE_DEPTH_MAX. */
static int add_children(struct find *find, uint32_t parent, int fd, struct err *err)
{
	AUTO(fd) int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "read folder \"%.120s\"", find->path);
	TAKE_FD(list_fd);
	while ((entry = readdir(dir)) != NULL) {
		size_t before;
		int rc;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		before = push(find, entry->d_name);
		rc = add_entry(find, parent, dirfd(dir), entry->d_name, err);
		pop(find, before);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- one source ---- */

/* The folders of `to` (all but its last part) in the tree, with the attributes that those of the
 * context have. 0 on error. */
static uint32_t add_parents(struct find *find, const char *named, const char *to, struct err *err)
{
	struct layer_tree *tree = find->out->tree.tree;
	size_t cut = strlen(named) - strlen(to);
	uint32_t at = LAYER_TREE_ROOT;

	for (const char *slash = strchr(to, '/'); slash && at; slash = strchr(slash + 1, '/')) {
		AUTO(free) char *path = xstrndup(named, cut + (size_t)(slash - to));
		const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
		AUTO(fd) int fd = -1;
		const char *real;
		struct stat st;
		uint32_t inode;

		if (df_resolve(find->root_fd, find->arena, path, true, &real, &st, err) < 0)
			return 0;
		fd = df_open_plain(find->root_fd, real, O_PATH);
		if (fd < 0) {
			err_sys(err, errno, "read folder \"%.120s\"", path);
			return 0;
		}
		if (layer_tree_find(tree, at, name, strlen(name))) {
			at = layer_tree_find(tree, at, name, strlen(name));
			continue;
		}
		if (df_inode_of(tree, fd, &st, 0, &inode, err) < 0)
			return 0;
		if (!df_context_has_owners(find->context))
			tree->inodes[inode].uid = tree->inodes[inode].gid = 0;
		at = put(find, at, name, inode, err);
	}
	return at;
}

/* Where the source goes: "" for the content of a folder, its own name for a file, the path behind
 * "/./" with --parents. */
static const char *destination_of(struct find *find, const char *named, const char *pivot,
				  bool is_dir)
{
	const char *slash = strrchr(named, '/');

	if (find->spec->flags & DF_SOURCES_PARENTS) {
		size_t skip = pivot ? strlen(pivot) : 0;

		if (skip && strncmp(named, pivot, skip) == 0 && named[skip] == '/')
			return named + skip + 1;
		return named;
	}
	if (is_dir)
		return "";
	return slash ? slash + 1 : named;
}

static int add_folder(struct find *find, const char *named, const char *to, const char *real,
		      const struct stat *st, struct err *err)
{
	AUTO(fd) int fd = df_open_plain(find->root_fd, real, O_RDONLY | O_DIRECTORY);
	const char *name = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	uint32_t at = LAYER_TREE_ROOT, inode;

	if (fd < 0)
		return err_sys(err, errno, "read folder \"%.120s\"", real);
	find->out->has_folder = true;
	if (*to) {
		at = add_parents(find, named, to, err);
		if (!at || df_inode_of(find->out->tree.tree, fd, st, 0, &inode, err) < 0)
			return -1;
		if (!df_context_has_owners(find->context))
			find->out->tree.tree->inodes[inode].uid =
				find->out->tree.tree->inodes[inode].gid = 0;
		at = put(find, at, name, inode, err);
		if (!at)
			return -1;
	}
	return add_children(find, at, fd, err);
}

static int add_file(struct find *find, const char *named, const char *to, const char *real,
		    const struct stat *st, struct err *err)
{
	AUTO(free) char *folder = xstrdup(real);
	char *slash = strrchr(folder, '/');
	const char *name = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	AUTO(fd) int dir_fd = -1;
	uint32_t at, inode;

	if (slash)
		*slash = '\0';
	dir_fd = df_open_plain(find->root_fd, slash ? folder : "", O_PATH | O_DIRECTORY);
	if (dir_fd < 0)
		return err_sys(err, errno, "read \"%.120s\"", real);
	if (S_ISSOCK(st->st_mode))
		return err_set(err, ERR_INVALID, "\"%.120s\" is a socket", real);
	at = add_parents(find, named, to, err);
	if (!at || check_type(find, st, err) < 0 ||
	    inode_of(find, dir_fd, slash ? slash + 1 : folder, st, &inode, err) < 0)
		return -1;
	return put(find, at, name, inode, err) ? 0 : -1;
}

/* named is clean. 1: taken; 0: not there for COPY (*out_line of the ignore list, or 0); -1. */
static int add_named(struct find *find, const char *named, const char *pivot, unsigned *out_line,
		     struct err *err)
{
	const struct df_ignore *ignore = find->context->ignore;
	const char *real, *to;
	struct stat st;
	int rc = df_resolve(find->root_fd, find->arena, named, true, &real, &st, err);
	bool is_dir;

	*out_line = 0;
	if (rc <= 0)
		return rc;
	is_dir = S_ISDIR(st.st_mode);
	for (int i = 0; i < 2; i++) {
		const char *path = i ? real : named;

		if (*path && df_ignore_excludes(ignore, path, out_line) &&
		    (!is_dir || df_ignore_excludes_tree(ignore, path)))
			return 0;
	}
	pop(find, 0);
	push(find, real);
	find->base_len = is_dir ? find->path_len
				: (size_t)(strrchr(real, '/') ? strrchr(real, '/') - real : 0);
	find->out->named++;
	if (!is_dir && is_excluded(find))
		return 1;
	to = destination_of(find, named, pivot, is_dir);
	rc = is_dir ? add_folder(find, named, to, real, &st, err)
		    : add_file(find, named, to, real, &st, err);
	return rc < 0 ? -1 : 1;
}

static int not_found(const struct find *find, const char *path, unsigned line, struct err *err)
{
	if (line)
		return err_set(err, ERR_NOT_FOUND,
			       "\"%.120s\": not found in %s (excluded by %s line %u)", path,
			       find->context->name, find->context->ignore_name, line);
	return err_set(err, ERR_NOT_FOUND, "\"%.120s\": not found in %s", path,
		       find->context->name);
}

static int add_pattern(struct find *find, const char *path, const char *clean, const char *pivot,
		       struct err *err)
{
	unsigned flags = find->spec->flags & DF_SOURCES_PARENTS ? GLOBS_DEEP : 0, line;
	const char **names;
	size_t count, taken = 0;

	find->out->has_pattern = true;
	if (df_globs_find(find->root_fd, find->arena, clean, flags, &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int rc = add_named(find, names[i], pivot, &line, err);

		if (rc < 0)
			return -1;
		taken += (size_t)rc;
	}
	if (taken == 0)
		return err_set(err, ERR_NOT_FOUND, "\"%.120s\": nothing in %s matches", path,
			       find->context->name);
	return 0;
}

static int add_source(struct find *find, const char *path, struct err *err)
{
	const char *clean = df_clean_path(find->arena, path);
	const char *cut = strstr(path, "/./"), *pivot = NULL;
	unsigned line;
	int rc;

	if (cut && find->spec->flags & DF_SOURCES_PARENTS)
		pivot = df_clean_path(find->arena,
				      arena_strndup(find->arena, path, (size_t)(cut - path)));
	if (df_globs_is_pattern(clean))
		return add_pattern(find, path, clean, pivot, err);
	rc = add_named(find, clean, pivot, &line, err);
	return rc == 0 ? not_found(find, path, line, err) : rc < 0 ? -1 : 0;
}

static int parse_excludes(struct find *find, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;
	FILE *stream;

	if (!find->spec->exclude_count)
		return 0;
	stream = open_memstream(&text, &len);
	for (size_t i = 0; i < find->spec->exclude_count; i++)
		fprintf(stream, "%s\n", find->spec->excludes[i]);
	fclose(stream);
	return df_ignore_parse(find->arena, "--exclude", (struct slice){ text, len },
			       &find->excludes, err);
}

int df_sources_find(const struct df_sources_spec *spec, struct df_sources *out, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct find find = { .spec = spec,
			     .context = spec->context,
			     .out = out,
			     .arena = arena,
			     .path = xcalloc(1, 256),
			     .path_room = 256 };
	int rc;

	*out = (struct df_sources){ 0 };
	df_tree_init(&out->tree);
	find.root_fd = df_context_root(spec->context, err);
	rc = find.root_fd < 0 ? -1 : parse_excludes(&find, err);
	for (size_t i = 0; rc == 0 && i < spec->path_count; i++)
		rc = add_source(&find, spec->paths[i], err);
	for (size_t i = 0; i < find.links.size; i++)
		if (df_links_at(&find.links, i))
			out->tree.tree->inodes[df_links_at(&find.links, i)].link_count--;
	df_links_clear(&find.links);
	free(find.path);
	if (rc < 0)
		df_sources_clear(out);
	return rc;
}

void df_sources_clear(struct df_sources *sources)
{
	df_tree_clear(&sources->tree);
	*sources = (struct df_sources){ 0 };
}

/* images/dockerfile/copy - COPY and ADD, first half: the plan and its key.
 *
 * Owns: which kind of source each word is, what counts for the key.
 * May not touch: the layer (copy_run), the files of a context but through sources.
 */
#include "images/dockerfile/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "images/digest.h"
#include "images/dockerfile/context_inner.h"
#include "images/dockerfile/copy_inner.h"
#include "images/dockerfile/hash_file.h"
#include "images/dockerfile/resolve.h"
#include "images/steps.h"
#include "images/store_internal.h"

#define FILE_MODE 0644u

struct copy_part *df_copy_new_part(struct df_copy *copy)
{
	struct copy_part *part = xgrow(&copy->parts, &copy->part_count, sizeof(*part));

	part->fd = -1;
	return part;
}

int df_copy_temp_file(struct df_copy *copy, struct err *err)
{
	int fd;

	if (copy->temp_fd < 0)
		copy->temp_fd = store_tmp_dir(lease_store(copy->spec.lease), copy->temp_name, err);
	if (copy->temp_fd < 0)
		return -1;
	fd = openat(copy->temp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		fd = openat(copy->temp_fd, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		unlinkat(copy->temp_fd, "file", 0);
	}
	return fd < 0 ? err_sys(err, errno, "make a temporary file") : fd;
}

/* ---- the destination ---- */

static void set_destination(struct df_copy *copy)
{
	const char *text = copy->spec.destination;
	const char *cwd = copy->spec.cwd && *copy->spec.cwd ? copy->spec.cwd : "/";
	const char *last = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
	const char *joined = *text == '/' ? text : arena_format(copy->arena, "%s/%s", cwd, text);
	const char *clean = df_clean_path(copy->arena, joined);

	copy->wants_folder = !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
	copy->destination =
		arena_format(copy->arena, "/%s%s", clean, copy->wants_folder && *clean ? "/" : "");
}

static int check_flags(struct df_copy *copy, struct err *err)
{
	const struct df_copy_spec *spec = &copy->spec;
	uint32_t mode;

	if (spec->chmod && df_chmod_apply(spec->chmod, false, 0, &mode, err) < 0)
		return -1;
	if (spec->checksum && !digest_is_valid(spec->checksum) &&
	    strspn(spec->checksum, "0123456789abcdef") != strlen(spec->checksum))
		return err_set(err, ERR_INVALID, "--checksum=%.80s: wanted is sha256:HEX",
			       spec->checksum);
	return 0;
}

/* ---- heredocs ---- */

/* A file that stands nowhere but in memory. */
static int add_file(struct df_sources *sources, const struct df_copy_file *file, struct err *err)
{
	struct layer_tree *tree = sources->tree.tree;
	uint32_t inode = layer_tree_inode(tree, NODE_FILE, err);
	struct df_content *content;

	if (!inode)
		return -1;
	tree->inodes[inode].mode = FILE_MODE;
	tree->inodes[inode].size = file->len;
	tree->inodes[inode].mtime_s = -1; /* the run's time */
	content = df_tree_content(&sources->tree, inode, DF_CONTENT_MEMORY);
	content->data = file->text;
	df_hash_bytes(file->text, file->len, content->digest);
	content->has_digest = true;
	sources->named++;
	sources->file_count++;
	sources->bytes += file->len;
	return layer_tree_add(tree, LAYER_TREE_ROOT, file->name, strlen(file->name), inode, err)
		       ? 0
		       : -1;
}

static int plan_files(struct df_copy *copy, struct err *err)
{
	for (size_t i = 0; i < copy->spec.file_count; i++) {
		struct copy_part *part = df_copy_new_part(copy);
		const struct df_copy_file *file = &copy->spec.files[i];

		df_tree_init(&part->sources.tree);
		if (!*file->name || strchr(file->name, '/') || strcmp(file->name, ".") == 0 ||
		    strcmp(file->name, "..") == 0)
			return err_set(err, ERR_INVALID, "\"%.80s\" is no file name", file->name);
		if (add_file(&part->sources, file, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- sources of a context ---- */

static int find_sources(struct df_copy *copy, struct copy_part *part, struct df_context *context,
			const char *const *paths, size_t count, unsigned flags, struct err *err)
{
	struct df_sources_spec spec = { .context = context,
					.paths = paths,
					.path_count = count,
					.excludes = copy->spec.excludes,
					.exclude_count = copy->spec.exclude_count,
					.flags = flags,
					.max_bytes =
						lease_store(copy->spec.lease)->max_layer_bytes };

	if (copy->spec.flags & DF_COPY_PARENTS)
		spec.flags |= DF_SOURCES_PARENTS;
	return df_sources_find(&spec, &part->sources, err);
}

/* Of layers: owners count. */
static void tree_key(const struct df_sources *sources, char out[DF_KEY_SIZE])
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_key_entry *entries, *all;
	size_t count;

	df_sources_entries(&sources->tree, arena, &entries, &count);
	all = arena_alloc(arena, (count + 1) * sizeof(*all));
	memcpy(all, entries, count * sizeof(*all));
	all[count] = (struct df_key_entry){ .path = "", .type = sources->has_folder ? 'd' : 'f' };
	df_key_tree(all, count + 1, DF_KEY_OWNERS, out);
}

/* What is asked of which layers: the name of the note that has the answer. */
static void note_key(struct df_copy *copy, char out[DF_KEY_SIZE])
{
	const struct df_copy_spec *spec = &copy->spec;
	size_t count = spec->source_count + spec->exclude_count + 3, n = 0;
	AUTO(free) const char **items = xcalloc(count, sizeof(*items));
	struct df_key_list list = { items, count };
	char layers[DF_KEY_SIZE];

	df_context_layers_key(spec->context, layers);
	items[n++] = layers;
	items[n++] = spec->flags & DF_COPY_PARENTS ? "parents" : "";
	for (size_t i = 0; i < spec->source_count; i++)
		items[n++] = spec->sources[i];
	items[n++] = "excludes";
	for (size_t i = 0; i < spec->exclude_count; i++)
		items[n++] = spec->excludes[i];
	df_key_config(NULL, DF_COPY, false, &list, out);
}

/* Layers never change, so one look at them is enough for all builds. */
static int plan_layers(struct df_copy *copy, struct err *err)
{
	struct store *store = lease_store(copy->spec.context->lease);
	struct err ignored = ERR_NONE;
	char key[DF_KEY_SIZE];
	int rc;

	note_key(copy, key);
	rc = steps_note_find(store, key, copy->tree_key, sizeof(copy->tree_key), &ignored);
	if (rc == 1 && strlen(copy->tree_key) == DF_KEY_SIZE - 1) {
		copy->is_deferred = true;
		return 0;
	}
	if (find_sources(copy, df_copy_new_part(copy), copy->spec.context, copy->spec.sources,
			 copy->spec.source_count, DF_SOURCES_DIGESTS, err) < 0)
		return -1;
	tree_key(&copy->parts[copy->part_count - 1].sources, copy->tree_key);
	steps_note_save(store, key, copy->tree_key, &ignored);
	return 0;
}

int df_copy_read_sources(struct df_copy *copy, struct err *err)
{
	if (!copy->is_deferred)
		return 0;
	copy->is_deferred = false;
	return find_sources(copy, df_copy_new_part(copy), copy->spec.context, copy->spec.sources,
			    copy->spec.source_count, 0, err);
}

/* ---- ADD ---- */

static int plan_git(struct df_copy *copy, const char *url, struct err *err)
{
	static const char *const all[] = { "." };
	struct copy_part *part = df_copy_new_part(copy);
	bool keep = copy->spec.flags & DF_COPY_KEEP_GIT_DIR;

	part->fetched = df_context_from_git(lease_store(copy->spec.lease), url, keep, err);
	if (!part->fetched)
		return -1;
	if (copy->spec.checksum &&
	    strncmp(part->fetched->commit, copy->spec.checksum, strlen(copy->spec.checksum)) != 0)
		return err_set(err, ERR_INVALID, "%.100s: commit is %s, --checksum wants %.64s",
			       url, part->fetched->commit, copy->spec.checksum);
	copy->commits = arena_format(copy->arena, "%s%s ", copy->commits ? copy->commits : "",
				     part->fetched->commit);
	return find_sources(copy, part, part->fetched->context, all, 1, 0, err);
}

static int plan_add(struct df_copy *copy, const char *source, struct err *err)
{
	struct copy_part *part;

	switch (df_context_kind(source)) {
	case DF_CONTEXT_GIT:
		return plan_git(copy, source, err);
	case DF_CONTEXT_URL:
		return df_copy_plan_url(copy, source, err);
	case DF_CONTEXT_STDIN:
	case DF_CONTEXT_FOLDER:
		break;
	}
	if (copy->spec.checksum)
		return err_set(err, ERR_INVALID, "--checksum is for URLs and repositories");
	part = df_copy_new_part(copy);
	if (find_sources(copy, part, copy->spec.context, &source, 1, DF_SOURCES_DIGESTS, err) < 0)
		return -1;
	part->may_unpack = !part->sources.has_folder && !(copy->spec.flags & DF_COPY_NO_UNPACK);
	return 0;
}

static int plan_sources(struct df_copy *copy, struct err *err)
{
	const struct df_copy_spec *spec = &copy->spec;

	if (spec->source_count == 0)
		return 0;
	if (spec->kind == DF_ADD) {
		for (size_t i = 0; i < spec->source_count; i++)
			if (plan_add(copy, spec->sources[i], err) < 0)
				return -1;
		return 0;
	}
	if (spec->context->lease && !spec->context->ignore)
		return plan_layers(copy, err);
	return find_sources(copy, df_copy_new_part(copy), spec->context, spec->sources,
			    spec->source_count, DF_SOURCES_DIGESTS, err);
}

/* ---- the plan ---- */

int df_copy_plan(const struct df_copy_spec *spec, struct df_copy **out, struct err *err)
{
	AUTO(df_copy) struct df_copy *copy = xcalloc(1, sizeof(*copy));

	copy->spec = *spec;
	copy->arena = arena_new();
	copy->temp_fd = -1;
	if (spec->destination)
		set_destination(copy);
	if (check_flags(copy, err) < 0 || plan_sources(copy, err) < 0 || plan_files(copy, err) < 0)
		return -1;
	*out = TAKE(copy);
	return 0;
}

void df_copy_free(struct df_copy *copy)
{
	struct err ignored = ERR_NONE;

	if (!copy)
		return;
	for (size_t i = 0; i < copy->part_count; i++) {
		df_sources_clear(&copy->parts[i].sources);
		df_fetched_free(copy->parts[i].fetched);
		if (copy->parts[i].fd >= 0)
			close(copy->parts[i].fd);
	}
	for (size_t i = 0; i < copy->spool_count; i++)
		close(copy->spools[i]);
	free(copy->spools);
	if (*copy->temp_name) {
		struct store *store = lease_store(copy->spec.lease);

		store_trash(store, store->tmp_fd, copy->temp_name, &ignored);
	}
	if (copy->temp_fd >= 0)
		close(copy->temp_fd);
	free(copy->parts);
	arena_free(copy->arena);
	free(copy);
}

/* ---- the key ---- */

static struct df_key_entry *add_entry(struct arena *arena, struct df_key_entry **out,
				      size_t *out_count)
{
	return arena_grow(arena, out, out_count, sizeof(**out));
}

/* A part's own entries, each with the part's number: which source a file came from counts, since
 * files and folders are treated differently. */
static void collect_part(struct copy_part *part, size_t number, struct arena *arena,
			 struct df_key_entry **out, size_t *out_count)
{
	const char *prefix = arena_format(arena, "%zu", number);
	struct df_key_entry *entries;
	size_t count;

	df_sources_entries(&part->sources.tree, arena, &entries, &count);
	*add_entry(arena, out, out_count) = (struct df_key_entry){
		.path = prefix,
		.type = part->sources.has_folder ? 'd' : 'f',
	};
	for (size_t i = 0; i < count; i++) {
		struct df_key_entry *entry = add_entry(arena, out, out_count);

		*entry = entries[i];
		entry->path = df_join(arena, prefix, entries[i].path);
	}
}

static void collect(struct df_copy *copy, struct arena *arena, struct df_key_entry **out,
		    size_t *out_count)
{
	*out = NULL;
	*out_count = 0;
	if (*copy->tree_key)
		*add_entry(arena, out, out_count) =
			(struct df_key_entry){ .path = "", .type = 'd', .content = copy->tree_key };
	for (size_t i = 0; i < copy->part_count; i++) {
		struct copy_part *part = &copy->parts[i];

		if (part->url)
			*add_entry(arena, out, out_count) = (struct df_key_entry){
				.path = arena_format(arena, "%zu/%s%s", i, part->url,
						     copy->spec.flags & DF_COPY_UNPACK ? " unpacked"
										       : ""),
				.type = 'f',
				.content = part->digest
			};
		else if (!part->fetched && !(*copy->tree_key && i == 0))
			collect_part(part, i, arena, out, out_count);
	}
}

/* --link does not look at the stage's tree, but for names of users. */
static bool is_independent(const struct df_copy *copy)
{
	const char *chown = copy->spec.chown;

	return copy->spec.flags & DF_COPY_LINK &&
	       (!chown || strspn(chown, "0123456789:") == strlen(chown));
}

void df_copy_key(struct df_copy *copy, const char *parent, char out[DF_KEY_SIZE])
{
	AUTO(arena) struct arena *arena = arena_new();
	const struct df_copy_spec *spec = &copy->spec;
	struct df_key_copy key = { .kind = spec->kind,
				   .destination = copy->destination,
				   .chown = spec->chown,
				   .chmod = spec->chmod,
				   .commit = copy->commits,
				   .keeps_git_dir = spec->flags & DF_COPY_KEEP_GIT_DIR,
				   .unpacks = spec->kind == DF_ADD &&
					      !(spec->flags & DF_COPY_NO_UNPACK),
				   .has_parents = spec->flags & DF_COPY_PARENTS,
				   .is_link = is_independent(copy) };
	struct df_key_entry *entries;

	if (spec->flags & DF_COPY_LINK && !key.is_link)
		key.chown = arena_format(arena, "%s --link", spec->chown);
	collect(copy, arena, &entries, &key.entry_count);
	key.entries = entries;
	df_key_copy(parent, &key, out);
}

void df_copy_tree_key(struct df_copy *copy, char out[DF_KEY_SIZE])
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_key_entry *entries;
	size_t count;

	collect(copy, arena, &entries, &count);
	df_key_tree(entries, count, 0, out);
}

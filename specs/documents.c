/* specs/documents - files to documents, documents to one model: the pipeline of a load.
 *
 * Owns: reading, the order of the steps for each document. May not touch: what the steps do.
 * Blocks (disk).
 */
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "specs/dotenv.h"
#include "specs/interpolate.h"
#include "specs/loader.h"
#include "specs/shape.h"

const char *loader_shown(const struct loader *loader, const char *path)
{
	size_t len = strlen(loader->options->working_dir);

	if (strcmp(path, "-") == 0)
		return "<stdin>";
	if (strncmp(path, loader->options->working_dir, len) == 0 && path[len] == '/' &&
	    path[len + 1])
		return path + len + 1;
	return path;
}

static int read_text(struct loader *loader, const char *path, size_t max_bytes, char **out_text,
		     size_t *out_len, struct err *err)
{
	AUTO(free) char *text = NULL;
	int result;

	if (++loader->files_read > LOADER_FILES_MAX)
		return err_set(err, ERR_INVALID, "more than %u files in one project",
			       LOADER_FILES_MAX);
	if (strcmp(path, "-") == 0)
		result = file_read_fd(loader->options->stdin_fd, "standard input", max_bytes, &text,
				      out_len, err);
	else
		result = file_read(AT_FDCWD, path, max_bytes, &text, out_len, err);
	if (result < 0)
		return -1;
	*out_text = arena_strndup(loader->arena, "", 0);
	if (*out_len) {
		*out_text = arena_alloc(loader->arena, *out_len + 1);
		memcpy(*out_text, text, *out_len);
	}
	return 0;
}

static int note_unread(struct loader *loader, const char *path, struct place where,
		       const char *key_path, const struct err *err)
{
	enum problem_kind kind = err->code == ERR_NOT_FOUND ? PROBLEM_MISSING
				 : err->code == ERR_INVALID ? PROBLEM_LIMIT
							    : PROBLEM_VALUE;

	if (kind == PROBLEM_MISSING)
		return problem_error(loader->problems, kind, where, key_path, "no such file: %s",
				     loader_shown(loader, path));
	return problem_error(loader->problems, kind, where, key_path, "%s: %s",
			     loader_shown(loader, path), err->msg);
}

int loader_check_size(struct loader *loader, struct place where, const char *key_path)
{
	if (arena_bytes(loader->arena) - loader->bytes_before <= LOADER_BYTES_MAX)
		return 0;
	return problem_error(loader->problems, PROBLEM_LIMIT, where, key_path,
			     "the project takes more than %u MiB of memory",
			     LOADER_BYTES_MAX >> 20);
}

int loader_read(struct loader *loader, const char *path, struct place where, const char *key_path,
		struct source *out_source)
{
	struct err err = ERR_NONE;
	size_t len = 0, filled = 0;
	char *text;

	*out_source = (struct source){ .path = path, .shown = loader_shown(loader, path) };
	if (read_text(loader, path, YAML_BYTES_MAX, &text, &len, &err) < 0)
		return note_unread(loader, path, where, key_path, &err);
	problem_add_source(loader->problems, out_source->shown, text, len);
	if (loader_check_size(loader, where, key_path) < 0)
		return -1;
	if (yaml_parse(loader->arena, out_source->shown, text, len, loader->problems,
		       &out_source->documents) < 0)
		return -1;
	for (size_t i = 0; i < out_source->documents.count; i++)
		filled += out_source->documents.items[i] != NULL;
	if (filled == 0)
		return problem_error(loader->problems, PROBLEM_EMPTY,
				     (struct place){ out_source->shown, 0, 0 }, "",
				     "the file is empty");
	return 0;
}

int loader_read_env(struct loader *loader, const char *path, struct place where,
		    const char *key_path, unsigned flags, bool missing_ok, const struct vars *first,
		    struct vars *into)
{
	struct err err = ERR_NONE;
	size_t len = 0;
	char *text;

	if (read_text(loader, path, DOTENV_BYTES_MAX, &text, &len, &err) < 0) {
		if (missing_ok && err.code == ERR_NOT_FOUND)
			return 1;
		return note_unread(loader, path, where, key_path, &err);
	}
	problem_add_source(loader->problems, loader_shown(loader, path), text, len);
	return dotenv_parse(loader->problems, loader_shown(loader, path), key_path, text, len,
			    flags, first, into);
}

int loader_prepare(const struct model_load *load, struct node *document,
		   struct tagged_paths *out_tags)
{
	struct loader *loader = load->loader;
	struct shape shape = {
		.arena = loader->arena,
		.problems = loader->problems,
		.is_raw = loader->options->flags & LOAD_NO_INTERPOLATE,
	};
	const struct node *version;

	merge_take_tags(loader->arena, loader->problems, document, out_tags);
	interpolate_list(&loader->variables, document);
	if (!shape.is_raw &&
	    interpolate_tree(loader->arena, document, load->vars, loader->problems) < 0)
		return -1;
	version = node_get(document, "version");
	if (version)
		node_warn(loader->problems, version, PATH_KEY(NULL, "version"),
			  "version is obsolete and ignored");
	if (shape_document(&shape, document) < 0)
		return -1;
	node_remove(document, "version");
	return 0;
}

/* One document through the pipeline, into the model. */
static int add_document(const struct model_load *load, struct node *document, struct node *model)
{
	struct loader *loader = load->loader;
	struct tagged_paths tags;

	if (loader_prepare(load, document, &tags) < 0 || extends_resolve(load, document, &tags) < 0)
		return -1;
	merge_delete(model, &tags, NULL, 0);
	if (include_resolve(load, document) < 0)
		return -1;
	merge_map(loader->arena, &project_table, model, document);
	return 0;
}

struct node *loader_build(const struct model_load *load, const struct sources *sources)
{
	struct loader *loader = load->loader;
	struct node *model = node_new(loader->arena, NODE_MAP, (struct place){ 0 });
	int result = 0;

	for (size_t i = 0; i < sources->count; i++)
		for (size_t k = 0; k < sources->items[i].documents.count; k++)
			if (sources->items[i].documents.items[k])
				result |= add_document(load, sources->items[i].documents.items[k],
						       model);
	return result == 0 ? model : NULL;
}

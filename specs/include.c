/* specs/include - other models into a document.
 *
 * Owns: folder and environment of an include, what counts as a conflict, circles. May not touch:
 * the pipeline that an include runs through. Blocks (disk). Source: Compose Specification,
 * "include".
 */
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "specs/loader.h"
#include "specs/pathname.h"
#include "specs/paths.h"

static const char *const shared_keys[] = { "services", "volumes", "networks",
					   "secrets",  "configs", "models" };

static int check_circle(const struct model_load *load, const char *path, const struct node *entry,
			const struct path *where)
{
	for (const struct file_chain *step = load->chain; step; step = step->up)
		if (strcmp(step->path, path) == 0)
			return node_error(load->loader->problems, PROBLEM_CYCLE, entry, where,
					  "a circle: %s includes %s, which is being included",
					  loader_shown(load->loader, load->chain->path),
					  loader_shown(load->loader, path));
	return 0;
}

/* Variables of the include: the project's, and below them its own files. */
static int read_environment(const struct model_load *load, const struct node *entry,
			    const char *directory, const struct path *where, struct vars *top,
			    struct vars *own)
{
	struct loader *loader = load->loader;
	const struct node *files = node_get(entry, "env_file");

	*top = *load->vars;
	*own = (struct vars){ .arena = loader->arena, .below = load->vars->below };
	top->below = own;
	if (!files && loader_read_env(loader, pathname_join(loader->arena, directory, ".env", NULL),
				      entry->place, "", 0, true, load->vars, own) < 0)
		return -1;
	for (size_t i = 0; files && i < files->count; i++) {
		const struct node *file = files->members[i].value;

		if (loader_read_env(
			    loader,
			    pathname_join(loader->arena, load->directory, file->text, loader->home),
			    file->place, path_text(loader->arena, where), 0, false, load->vars,
			    own) < 0)
			return -1;
	}
	return 0;
}

/* The context of a build is the folder of the include, also when it does not say so. */
static void default_contexts(struct arena *arena, const struct node *model)
{
	const struct node *services = node_get(model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *build = node_get(services->members[i].value, "build");

		if (build && build->kind == NODE_MAP && !node_get(build, "context"))
			node_set_text(arena, build, "context", build->place, ".");
	}
}

/* The same text, path for path: the short forms of ours against the resolved ones of the include.
 */
static bool is_equal(const struct model_load *load, const char *kind, const char *name,
		     const struct node *ours, const struct node *theirs)
{
	struct loader *loader = load->loader;
	struct node *root = node_new(loader->arena, NODE_MAP, ours->place);
	struct node *map = node_need(loader->arena, root, kind, NODE_MAP);
	struct problems unheard = { .arena = loader->arena };
	const struct path_base base = { loader->arena, &unheard, load->directory, loader->home };
	struct node *copy = node_copy(loader->arena, ours);

	if (node_equal(ours, theirs))
		return true;
	node_set(loader->arena, map, name, ours->place, copy);
	default_contexts(loader->arena, root);
	paths_resolve(&base, root);
	return node_equal(copy, theirs);
}

/* Copies what the include has into the document. */
static int take_over(const struct model_load *load, struct node *document,
		     const struct node *included)
{
	struct loader *loader = load->loader;
	int result = 0;

	for (size_t s = 0; s < sizeof(shared_keys) / sizeof(*shared_keys); s++) {
		const struct node *from = node_get(included, shared_keys[s]);
		struct node *to;

		if (!from || from->kind != NODE_MAP || from->count == 0)
			continue;
		to = node_need(loader->arena, document, shared_keys[s], NODE_MAP);
		for (size_t i = 0; i < from->count; i++) {
			const struct member *member = &from->members[i];
			const struct node *there = node_get(to, member->key);
			const struct path top = { NULL, shared_keys[s], 0 };

			if (!there)
				node_set(loader->arena, to, member->key, member->key_place,
					 member->value);
			else if (!is_equal(load, shared_keys[s], member->key, there, member->value))
				result = node_error(
					loader->problems, PROBLEM_CONFLICT, there,
					PATH_KEY(&top, member->key),
					"described otherwise in the included %s:%u; change it in "
					"an override file",
					member->key_place.file, member->key_place.line);
		}
	}
	return result;
}

static int include_one(const struct model_load *load, struct node *document,
		       const struct node *entry, const struct path *where)
{
	struct loader *loader = load->loader;
	const struct node *paths = node_get(entry, "path");
	const char *own_directory = node_get_text(entry, "project_directory");
	struct sources sources = { .count = paths ? paths->count : 0 };
	struct file_chain chain = { load->chain, NULL };
	struct model_load sub = { .loader = loader, .chain = &chain, .depth = load->depth + 1 };
	struct path_base base = { loader->arena, loader->problems, NULL, loader->home };
	struct vars top, own;
	struct node *model;

	if (sources.count == 0 || sub.depth > LOADER_INCLUDE_MAX)
		return node_error(loader->problems, sources.count ? PROBLEM_LIMIT : PROBLEM_MISSING,
				  entry, where,
				  sources.count ? "includes nest too deep" : "path is missing");
	sources.items = arena_alloc(loader->arena, sources.count * sizeof(*sources.items));
	for (size_t i = 0; i < sources.count; i++) {
		const struct node *file = paths->members[i].value;
		const char *path =
			pathname_join(loader->arena, load->directory, file->text, loader->home);

		if (strstr(file->text, "://") || text_starts(file->text, "git@"))
			return node_error(loader->problems, PROBLEM_VALUE, file, where,
					  "%s: files from elsewhere are not supported yet",
					  file->text);
		if (i == 0)
			chain.path = path;
		if (check_circle(load, path, file, where) < 0 ||
		    loader_read(loader, path, file->place, path_text(loader->arena, where),
				&sources.items[i]) < 0)
			return -1;
	}
	sub.directory = own_directory ? pathname_join(loader->arena, load->directory, own_directory,
						      loader->home)
				      : pathname_folder(loader->arena, chain.path);
	if (read_environment(load, entry, sub.directory, where, &top, &own) < 0)
		return -1;
	sub.vars = &top;
	model = loader_build(&sub, &sources);
	base.directory = sub.directory;
	if (model)
		default_contexts(loader->arena, model);
	if (!model || paths_resolve(&base, model) < 0)
		return -1;
	return take_over(load, document, model);
}

int include_resolve(const struct model_load *load, struct node *document)
{
	const struct node *list = node_get(document, "include");
	const struct path top = { NULL, "include", 0 };
	int result = 0;

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++)
		if (list->members[i].value->kind == NODE_MAP)
			result |= include_one(load, document, list->members[i].value,
					      PATH_INDEX(&top, i));
	node_remove(document, "include");
	if (load->depth > 0)
		node_remove(document, "name");
	return result;
}

/* specs/extends - bases below the services of a document, over files and in chains.
 *
 * Owns: the search for a base, circles, paths that start at another file. May not touch: rules of
 * merging. Blocks (disk, for bases in other files). Source: Compose Specification, "extends".
 */
#include <string.h>

#include "specs/loader.h"
#include "specs/pathname.h"
#include "specs/paths.h"

/* A file whose services can be bases. */
struct base_file {
	struct base_file *next;
	const char *path; /* NULL: the document that is being loaded */
	const struct model_load *load;
	struct node *document;
	struct tagged_paths tags;
};

/* Services that are being resolved, from the outermost on. */
struct service_chain {
	const struct service_chain *up;
	const struct base_file *file;
	const char *name;
	unsigned depth;
};

struct extender {
	const struct model_load *load;
	struct base_file *files;
};

static int resolve_service(struct extender *extender, struct base_file *file, const char *name,
			   const struct service_chain *up);

static const struct node *services_of(const struct base_file *file)
{
	return node_get(file->document, "services");
}

/* Merges the documents of a base's file; includes are left aside. */
static int prepare_file(struct base_file *file, const struct source *source)
{
	struct arena *arena = file->load->loader->arena;

	file->document = node_new(arena, NODE_MAP, (struct place){ 0 });
	for (size_t i = 0; i < source->documents.count; i++) {
		struct node *document = source->documents.items[i];
		struct tagged_paths tags;

		if (!document)
			continue;
		if (loader_prepare(file->load, document, &tags) < 0)
			return -1;
		merge_delete(file->document, &tags, NULL, 0);
		merge_map(arena, &project_table, file->document, document);
		for (size_t k = 0; k < tags.count; k++) {
			struct tagged_path *kept = arena_grow(arena, &file->tags.items,
							      &file->tags.count, sizeof(*kept));

			*kept = tags.items[k];
		}
	}
	return 0;
}

/* Paths of a base start at its own file. */
static int resolve_paths(const struct base_file *file)
{
	const struct path_base base = {
		.arena = file->load->loader->arena,
		.problems = file->load->loader->problems,
		.directory = file->load->directory,
		.home = file->load->loader->home,
	};

	return paths_resolve(&base, file->document);
}

static struct base_file *open_file(struct extender *extender, const char *path,
				   const struct node *node, const struct path *where)
{
	struct loader *loader = extender->load->loader;
	struct base_file *file;
	struct model_load *load;
	struct source source;

	for (file = extender->files; file; file = file->next)
		if (file->path && strcmp(file->path, path) == 0)
			return file->document ? file : NULL;
	file = arena_alloc(loader->arena, sizeof(*file));
	load = arena_alloc(loader->arena, sizeof(*load));
	*load = *extender->load;
	load->directory = pathname_folder(loader->arena, path);
	*file = (struct base_file){ .next = extender->files, .path = path, .load = load };
	extender->files = file;
	if (loader_read(loader, path, node->place, path_text(loader->arena, where), &source) < 0)
		return NULL;
	if (prepare_file(file, &source) < 0 || resolve_paths(file) < 0) {
		file->document = NULL;
		return NULL;
	}
	return file;
}

/* "a -> b -> a" */
static const char *chain_text(struct arena *arena, const struct service_chain *chain,
			      const char *last)
{
	const char *text = last;

	for (; chain; chain = chain->up)
		text = arena_format(arena, "%s -> %s", chain->name, text);
	return text;
}

/* The file of the base that an `extends` names. NULL on error. */
static struct base_file *base_file(struct extender *extender, struct base_file *file,
				   const struct node *extends, const struct path *where)
{
	const struct node *named = node_get(extends, "file");
	struct loader *loader = extender->load->loader;

	if (!named || !named->text)
		return file;
	return open_file(
		extender,
		pathname_join(loader->arena, file->load->directory, named->text, loader->home),
		named, PATH_KEY(where, "file"));
}

/* Puts the resolved base below a service. */
static void put_below(struct extender *extender, struct base_file *file, const char *name,
		      const struct node *base)
{
	struct arena *arena = extender->load->loader->arena;
	struct node *services = node_get(file->document, "services");
	struct node *service = node_get(services, name);
	struct node *merged = node_copy(arena, base);
	const char *const prefix[] = { "services", name };

	node_remove(service, "extends");
	merge_delete(merged, &file->tags, prefix, 2);
	merge_map(arena, &service_table, merged, service);
	merged->place = service->place;
	*service = *merged;
}

static int resolve_base(struct extender *extender, struct base_file *file,
			const struct service_chain *here, const struct node *extends)
{
	struct loader *loader = extender->load->loader;
	const struct path *where =
		PATH_KEY(PATH_KEY(PATH_KEY(NULL, "services"), here->name), "extends");
	const char *base_name = node_get_text(extends, "service");
	struct base_file *from;
	const struct node *base;

	if (!base_name)
		return node_error(loader->problems, PROBLEM_MISSING, extends, where,
				  "service is missing in extends");
	if (here->depth >= LOADER_EXTENDS_MAX)
		return node_error(loader->problems, PROBLEM_LIMIT, extends, where,
				  "more than %u bases of bases", LOADER_EXTENDS_MAX);
	if (loader_check_size(loader, extends->place, "") < 0)
		return -1;
	from = base_file(extender, file, extends, where);
	if (!from)
		return -1;
	base = node_get(services_of(from), base_name);
	if (!base || base->kind != NODE_MAP)
		return node_error(loader->problems, PROBLEM_REFERENCE, extends, where,
				  "no service \"%s\" in %s", base_name,
				  from->path ? loader_shown(loader, from->path) : "this file");
	for (const struct service_chain *step = here; step; step = step->up)
		if (step->file == from && strcmp(step->name, base_name) == 0)
			return node_error(loader->problems, PROBLEM_CYCLE, extends, where,
					  "a circle: %s",
					  chain_text(loader->arena, here, base_name));
	if (resolve_service(extender, from, base_name, here) < 0)
		return -1;
	put_below(extender, file, here->name, base);
	return 0;
}

static int resolve_service(struct extender *extender, struct base_file *file, const char *name,
			   const struct service_chain *up)
{
	const struct service_chain here = { up, file, name, up ? up->depth + 1 : 0 };
	const struct node *extends = node_get(node_get(services_of(file), name), "extends");

	if (!extends || extends->kind != NODE_MAP)
		return 0;
	return resolve_base(extender, file, &here, extends);
}

int extends_resolve(const struct model_load *load, struct node *document,
		    const struct tagged_paths *tags)
{
	struct base_file own = { .load = load, .document = document, .tags = *tags };
	struct extender extender = { .load = load, .files = &own };
	const struct node *services = node_get(document, "services");
	int result = 0;

	for (size_t i = 0; services && services->kind == NODE_MAP && i < services->count; i++)
		result |= resolve_service(&extender, &own, services->members[i].key, NULL);
	return result;
}

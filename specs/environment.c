/* specs/environment - variables of services: bare names, env files, label files.
 *
 * Owns: the order env_file < environment. May not touch: the grammar of env files (specs/dotenv).
 * Blocks (disk) in environment_read_files.
 */
#include <string.h>

#include "specs/dotenv.h"
#include "specs/steps.h"

static void resolve_pairs(struct loader *loader, struct node *map, bool drop_unknown)
{
	size_t kept = 0;

	if (!map || map->kind != NODE_MAP)
		return;
	for (size_t i = 0; i < map->count; i++) {
		struct node *value = map->members[i].value;
		const char *text = NULL;

		if (value->kind == NODE_NULL)
			text = vars_get(&loader->env, map->members[i].key);
		if (text) {
			value->kind = NODE_TEXT;
			value->text = text;
		}
		if (value->kind != NODE_NULL || !drop_unknown)
			map->members[kept++] = map->members[i];
	}
	if (kept != map->count)
		map->index = NULL;
	map->count = kept;
}

static void resolve_hooks(struct loader *loader, const struct node *list)
{
	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++)
		resolve_pairs(loader, node_get(list->members[i].value, "environment"), false);
}

void environment_resolve(struct loader *loader, struct node *root)
{
	struct node *services = node_get(root, "services");
	bool drop = !(loader->options->flags & LOAD_NO_NORMALIZE);

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->members[i].value;
		struct node *args = node_get(node_get(service, "build"), "args");

		resolve_pairs(loader, node_get(service, "environment"), false);
		resolve_hooks(loader, node_get(service, "pre_start"));
		resolve_hooks(loader, node_get(service, "post_start"));
		resolve_hooks(loader, node_get(service, "pre_stop"));
		if (drop)
			resolve_pairs(loader, args, true);
	}
}

/* The variables of an environment map as a layer for look-ups; unset ones are left out. */
static void layer_from(struct vars *layer, const struct node *map)
{
	for (size_t i = 0; map && map->kind == NODE_MAP && i < map->count; i++)
		if (map->members[i].value->text)
			vars_set(layer, map->members[i].key, map->members[i].value->text);
}

/* Puts the values of a layer below those of a map. */
static struct node *map_below(struct loader *loader, const struct vars *layer,
			      const struct node *over, struct place place)
{
	struct node *map = node_new(loader->arena, NODE_MAP, place);

	for (size_t i = 0; i < layer->pairs.count; i++)
		node_add(loader->arena, map, layer->pairs.items[i].name, place,
			 node_new_text(loader->arena, place, layer->pairs.items[i].value));
	for (size_t i = 0; over && over->kind == NODE_MAP && i < over->count; i++)
		node_set(loader->arena, map, over->members[i].key, over->members[i].key_place,
			 over->members[i].value);
	return map;
}

static bool is_required(const struct node *entry)
{
	const char *text = node_get_text(entry, "required");

	return !text || strcmp(text, "true") == 0;
}

static int read_env_files(struct loader *loader, struct node *service, const struct path *where)
{
	const struct node *files = node_get(service, "env_file");
	const struct node *environment = node_get(service, "environment");
	struct vars own = { .arena = loader->arena }, first = loader->env;
	struct vars layer = { .arena = loader->arena };
	const struct path list = { where, "env_file", 0 };
	int result = 0;

	if (!files || files->kind != NODE_LIST || files->count == 0)
		return 0;
	layer_from(&own, environment);
	own.below = first.below;
	first.below = &own;
	for (size_t i = 0; i < files->count; i++) {
		const struct node *entry = files->members[i].value;
		const char *path = node_get_text(entry, "path");
		unsigned flags = node_get_text(entry, "format") ? DOTENV_RAW : 0;

		if (path)
			result |= loader_read_env(loader, path, entry->place,
						  path_text(loader->arena, PATH_INDEX(&list, i)),
						  flags, !is_required(entry), &first, &layer) < 0;
	}
	node_set(loader->arena, service, "environment", files->place,
		 map_below(loader, &layer, environment, files->place));
	return result ? -1 : 0;
}

static int read_label_files(struct loader *loader, struct node *service, const struct path *where)
{
	const struct node *files = node_get(service, "label_file");
	struct vars layer = { .arena = loader->arena };
	const struct path list = { where, "label_file", 0 };
	int result = 0;

	if (!files || files->kind != NODE_LIST || files->count == 0)
		return 0;
	for (size_t i = 0; i < files->count; i++)
		result |= loader_read_env(loader, files->members[i].value->text,
					  files->members[i].value->place,
					  path_text(loader->arena, PATH_INDEX(&list, i)), 0, false,
					  &loader->env, &layer) < 0;
	node_set(loader->arena, service, "labels", files->place,
		 map_below(loader, &layer, node_get(service, "labels"), files->place));
	return result ? -1 : 0;
}

int environment_read_files(struct loader *loader, struct node *root)
{
	struct node *services = node_get(root, "services");
	const struct path top = { NULL, "services", 0 };
	int result = 0;

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->members[i].value;
		const struct path here = { &top, services->members[i].key, 0 };

		result |= read_env_files(loader, service, &here);
		result |= read_label_files(loader, service, &here);
		node_remove(service, "env_file");
		node_remove(service, "label_file");
	}
	return result;
}

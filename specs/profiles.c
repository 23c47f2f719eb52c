/* specs/profiles - which services are on, which were chosen, and what is then in use.
 *
 * Owns: profiles, the selection with its dependencies, unused resources. May not touch: single
 * keys.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "specs/name_index.h"
#include "specs/steps.h"

static void add_once(struct arena *arena, struct texts *texts, const char *text)
{
	const char **slot;

	if (texts_has(texts, text))
		return;
	slot = arena_grow(arena, &texts->items, &texts->count, sizeof(const char *));
	*slot = text;
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static void list_profiles(struct loader *loader, const struct node *services)
{
	struct texts *all = &loader->result->all_profiles;

	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *list = node_get(services->members[i].value, "profiles");

		for (size_t k = 0; list && k < list->count; k++)
			add_once(loader->arena, all, list->members[k].value->text);
	}
	if (all->count)
		qsort(all->items, all->count, sizeof(*all->items), compare_texts);
}

/* --profile, else COMPOSE_PROFILES, and the profiles of services that were named. */
static void choose_profiles(struct loader *loader, const struct node *services,
			    struct texts *out_active)
{
	const struct load_options *options = loader->options;
	const char *listed = vars_get(&loader->env, "COMPOSE_PROFILES");
	struct slice rest = { NULL, 0 }, part;

	for (size_t i = 0; i < options->profile_count; i++)
		add_once(loader->arena, out_active, options->profiles[i]);
	if (options->profile_count == 0 && listed)
		rest = SLICE(listed);
	while (slice_next(&rest, ',', &part)) {
		part = slice_trim(part);
		if (part.len)
			add_once(loader->arena, out_active,
				 arena_strndup(loader->arena, part.at, part.len));
	}
	for (size_t i = 0; i < options->service_count; i++) {
		const struct node *list =
			node_get(node_get(services, options->services[i]), "profiles");

		for (size_t k = 0; list && k < list->count; k++)
			add_once(loader->arena, out_active, list->members[k].value->text);
	}
}

static bool is_on(const struct loader *loader, const struct texts *active,
		  const struct node *service)
{
	const struct node *list = node_get(service, "profiles");

	if (!list || list->kind != NODE_LIST || list->count == 0 ||
	    (loader->options->flags & LOAD_ALL_SERVICES) || texts_has(active, "*"))
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (texts_has(active, list->members[i].value->text))
			return true;
	return false;
}

static void set_aside(struct loader *loader, struct node *services, size_t index,
		      struct selection *selection)
{
	const struct member *member = &services->members[index];

	node_set(loader->arena, selection->disabled, member->key, member->key_place, member->value);
	node_remove_at(services, index);
}

int profiles_apply(struct loader *loader, struct node *root, struct selection *out_selection)
{
	struct node *services = node_need(loader->arena, root, "services", NODE_MAP);
	const struct load_options *options = loader->options;

	*out_selection = (struct selection){ 0 };
	out_selection->disabled = node_new(loader->arena, NODE_MAP, (struct place){ 0 });
	list_profiles(loader, services);
	for (size_t i = 0; i < options->service_count; i++)
		if (!node_get(services, options->services[i]))
			return problem_error(loader->problems, PROBLEM_REFERENCE,
					     (struct place){ 0 }, "", "no such service: %s",
					     options->services[i]);
	choose_profiles(loader, services, &out_selection->active);
	for (size_t i = services->count; i-- > 0;)
		if (!is_on(loader, &out_selection->active, services->members[i].value))
			set_aside(loader, services, i, out_selection);
	return 0;
}

/* Adds a service, what it depends on, and what its image is built from ("service:NAME" of
 * additional_contexts). */
static void keep(struct loader *loader, const struct node *services, const char *name,
		 struct texts *kept)
{
	const struct node *service = node_get(services, name);
	const struct node *depends_on = node_get(service, "depends_on");
	const struct node *contexts = node_get(node_get(service, "build"), "additional_contexts");
	size_t before = kept->count;

	if (!service)
		return;
	add_once(loader->arena, kept, name);
	if (kept->count == before)
		return;
	for (size_t i = 0; depends_on && i < depends_on->count; i++)
		keep(loader, services, depends_on->members[i].key, kept);
	for (size_t i = 0; contexts && i < contexts->count; i++) {
		const char *text = contexts->members[i].value->text;

		if (text && text_starts(text, "service:"))
			keep(loader, services, text + strlen("service:"), kept);
	}
}

int profiles_select(struct loader *loader, struct node *root, struct selection *selection)
{
	struct node *services = node_get(root, "services");
	const struct load_options *options = loader->options;
	struct texts kept = { 0 };

	if (options->service_count == 0)
		return 0;
	for (size_t i = 0; i < options->service_count; i++)
		keep(loader, services, options->services[i], &kept);
	for (size_t i = services->count; i-- > 0;)
		if (!texts_has(&kept, services->members[i].key))
			set_aside(loader, services, i, selection);
	return 0;
}

static void note_used(struct name_index *used, const char *name)
{
	if (name && !name_index_find(used, name))
		name_index_add(used, name, 0);
}

/* What one service has below its `kind`: keys of a map, sources of a list. A text that waits for
 * interpolation may mean anything: false. */
static bool gather_used(struct name_index *used, const struct node *service, const char *kind)
{
	const struct node *use = node_get(service, kind);

	for (size_t i = 0; use && i < use->count; i++) {
		const struct node *item = use->members[i].value;
		const char *type = node_get_text(item, "type");

		if (use->kind == NODE_MAP)
			note_used(used, use->members[i].key);
		else if (item->kind == NODE_TEXT && strchr(item->text, '$'))
			return false;
		else if (!type || strcmp(type, "volume") == 0)
			note_used(used, node_get_text(item, "source"));
	}
	return true;
}

static void drop_unused(struct loader *loader, struct node *root, const char *kind)
{
	const struct node *services = node_get(root, "services");
	struct name_index used = { .arena = loader->arena };
	struct node *map = node_get(root, kind);
	bool is_known = map && map->kind == NODE_MAP;

	for (size_t i = 0; i < services->count && is_known; i++) {
		const struct node *service = services->members[i].value;

		is_known = gather_used(&used, service, kind) &&
			   (strcmp(kind, "secrets") != 0 ||
			    gather_used(&used, node_get(service, "build"), kind));
	}
	for (size_t i = is_known ? map->count : 0; i-- > 0;)
		if (!name_index_find(&used, map->members[i].key))
			node_remove_at(map, i);
	if (map && map->count == 0)
		node_remove(root, kind);
}

void profiles_drop_unused(struct loader *loader, struct node *root)
{
	static const char *const kinds[] = { "networks", "volumes", "secrets", "configs",
					     "models" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		drop_unused(loader, root, kinds[i]);
}

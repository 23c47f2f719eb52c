/* specs/normalise - what files leave unsaid: the default network, real names, implied dependencies.
 *
 * Owns: these defaults. May not touch: values that the files give.
 * Source: Compose Specification; behaviour of docker compose.
 */
#include <string.h>

#include "base/text.h"
#include "specs/shape.h"
#include "specs/steps.h"

static const char *const named_keys[] = { "networks", "volumes", "secrets", "configs" };
static const char *const shared_modes[] = { "network_mode", "ipc", "pid", "uts", "cgroup" };

void normalise_names(struct loader *loader, struct node *root)
{
	for (size_t s = 0; s < sizeof(named_keys) / sizeof(*named_keys); s++) {
		struct node *map = node_get(root, named_keys[s]);

		for (size_t i = 0; map && map->kind == NODE_MAP && i < map->count; i++) {
			struct node *value = map->members[i].value;
			const char *key = map->members[i].key;
			const char *name = node_get_text(value, "name");

			if (value->kind != NODE_MAP || (name && *name))
				continue;
			node_set_text(loader->arena, value, "name", (struct place){ 0 },
				      node_get_bool(value, "external")
					      ? key
					      : arena_format(loader->arena, "%s_%s",
							     loader->result->name, key));
		}
	}
}

static void imply(struct loader *loader, struct node *service, const char *name, bool restart,
		  struct place place)
{
	struct node *map, *dependency;

	if (!shape_is_name(name))
		return;
	map = node_need(loader->arena, service, "depends_on", NODE_MAP);
	if (node_get(map, name))
		return;
	dependency = node_new(loader->arena, NODE_MAP, place);
	node_set_text(loader->arena, dependency, "condition", place, "service_started");
	node_set(loader->arena, dependency, "required", place,
		 node_new(loader->arena, NODE_BOOL, place));
	node_get(dependency, "required")->text = "true";
	if (restart) {
		node_set(loader->arena, dependency, "restart", place,
			 node_new(loader->arena, NODE_BOOL, place));
		node_get(dependency, "restart")->text = "true";
	}
	node_set(loader->arena, map, name, place, dependency);
}

/* The name before the first ':' of each item. */
static void imply_list(struct loader *loader, struct node *service, const char *key, bool restart)
{
	const struct node *list = node_get(service, key);

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++) {
		const struct node *item = list->members[i].value;

		if (item->kind != NODE_TEXT || text_starts(item->text, "container:"))
			continue;
		imply(loader, service,
		      arena_strndup(loader->arena, item->text, strcspn(item->text, ":")), restart,
		      item->place);
	}
}

static void imply_dependencies(struct loader *loader, struct node *service)
{
	imply_list(loader, service, "links", true);
	for (size_t i = 0; i < sizeof(shared_modes) / sizeof(*shared_modes); i++) {
		const struct node *mode = node_get(service, shared_modes[i]);

		if (mode && mode->kind == NODE_TEXT && text_starts(mode->text, "service:"))
			imply(loader, service, mode->text + strlen("service:"), true, mode->place);
	}
	imply_list(loader, service, "volumes_from", false);
}

static void join_default(struct loader *loader, struct node *service)
{
	const struct node *networks = node_get(service, "networks");
	struct node *map;

	if (node_get(service, "network_mode") || node_get(service, "provider") ||
	    (networks && networks->count > 0))
		return;
	map = node_new(loader->arena, NODE_MAP, (struct place){ 0 });
	node_set(loader->arena, map, "default", (struct place){ 0 },
		 node_new(loader->arena, NODE_NULL, (struct place){ 0 }));
	node_set(loader->arena, service, "networks", (struct place){ 0 }, map);
}

/* Somebody joins the default network that nobody declared. */
static void declare_default(struct loader *loader, struct node *root)
{
	const struct node *services = node_get(root, "services");
	struct node *networks;
	bool used = false;

	for (size_t i = 0; services && i < services->count && !used; i++)
		used = node_get(node_get(services->members[i].value, "networks"), "default");
	if (!used)
		return;
	networks = node_need(loader->arena, root, "networks", NODE_MAP);
	node_need(loader->arena, networks, "default", NODE_MAP);
}

void normalise_services(struct loader *loader, struct node *root)
{
	const struct node *services = node_get(root, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->members[i].value;
		struct node *build = node_get(service, "build");

		join_default(loader, service);
		if (build && build->kind == NODE_MAP && !node_get(build, "dockerfile") &&
		    !node_get(build, "dockerfile_inline"))
			node_set_text(loader->arena, build, "dockerfile", (struct place){ 0 },
				      "Dockerfile");
		imply_dependencies(loader, service);
	}
	declare_default(loader, root);
}

/* specs/rules - what the keys of one map mean to each other: defaults, exclusions, what makes it
 * unique.
 *
 * Owns: rules within one map. May not touch: references between services and resources
 * (specs/check).
 */
#include "specs/rules.h"

#include <string.h>

#include "base/text.h"
#include "specs/pathname.h"

static void set_default(struct shape *shape, struct node *map, const char *key, enum node_kind kind,
			const char *text)
{
	struct node *value;

	if (node_get(map, key))
		return;
	value = node_new(shape->arena, kind, (struct place){ 0 });
	value->text = text;
	node_set(shape->arena, map, key, (struct place){ 0 }, value);
}

int settle_mount(struct shape *shape, struct node *map, const struct path *path)
{
	struct node *target = node_get(map, "target");

	(void)path;
	if (target && target->kind == NODE_TEXT && !(shape->is_raw && strchr(target->text, '$')))
		target->text = pathname_clean(shape->arena, target->text);
	return 0;
}

int finish_mount(struct shape *shape, struct node *map, const struct path *path)
{
	const char *type = node_get_text(map, "type");
	bool needs_source = type && (strcmp(type, "bind") == 0 || strcmp(type, "image") == 0);

	if (needs_source && !node_get_text(map, "source"))
		return node_error(shape->problems, PROBLEM_MISSING, map, path,
				  "a mount of type %s needs a source", type);
	if (type && strcmp(type, "tmpfs") == 0 && node_get_text(map, "source"))
		return node_error(shape->problems, PROBLEM_CONFLICT, map, path,
				  "a tmpfs has no source");
	return 0;
}

int finish_port(struct shape *shape, struct node *map, const struct path *path)
{
	const struct node *published = node_get(map, "published");

	(void)path;
	set_default(shape, map, "mode", NODE_TEXT, "ingress");
	set_default(shape, map, "protocol", NODE_TEXT, "tcp");
	if (published && published->text && !*published->text)
		node_remove(map, "published");
	return 0;
}

int finish_secret_use(struct shape *shape, struct node *map, const struct path *path)
{
	const char *source = node_get_text(map, "source");

	(void)path;
	if (source)
		set_default(shape, map, "target", NODE_TEXT,
			    arena_format(shape->arena, "/run/secrets/%s", source));
	return 0;
}

int finish_dependency(struct shape *shape, struct node *map, const struct path *path)
{
	(void)path;
	set_default(shape, map, "required", NODE_BOOL, "true");
	return 0;
}

int finish_ulimit(struct shape *shape, struct node *map, const struct path *path)
{
	const char *soft = node_get_text(map, "soft"), *hard = node_get_text(map, "hard");

	if (map->count == 0 || (soft && hard))
		return 0;
	return node_error(shape->problems, PROBLEM_MISSING, map, path,
			  "%s is missing (a map of a limit has soft and hard)",
			  soft ? "hard" : "soft");
}

int finish_device_request(struct shape *shape, struct node *map, const struct path *path)
{
	bool has_ids = node_get(map, "device_ids"), has_count = node_get(map, "count");

	if (has_ids && has_count)
		return node_error(shape->problems, PROBLEM_CONFLICT, map, path,
				  "count and device_ids exclude each other");
	if (!has_ids)
		set_default(shape, map, "count", NODE_INT, "-1");
	return 0;
}

int finish_build(struct shape *shape, struct node *map, const struct path *path)
{
	const struct node *ssh = node_get(map, "ssh");

	for (size_t i = 0; ssh && ssh->kind == NODE_MAP && i < ssh->count; i++)
		if (ssh->members[i].value->kind == NODE_NULL &&
		    strcmp(ssh->members[i].key, "default") != 0)
			node_error(shape->problems, PROBLEM_VALUE, ssh->members[i].value,
				   PATH_KEY(path, "ssh"), "\"%s\" needs a key file: %s=PATH",
				   ssh->members[i].key, ssh->members[i].key);
	set_default(shape, map, "context", NODE_TEXT, ".");
	return 0;
}

int finish_watch(struct shape *shape, struct node *map, const struct path *path)
{
	const char *action = node_get_text(map, "action");

	if (!action || node_get_text(map, "target") || !text_starts(action, "sync"))
		return 0;
	return node_error(shape->problems, PROBLEM_MISSING, map, path, "%s needs a target", action);
}

int finish_service(struct shape *shape, struct node *map, const struct path *path)
{
	struct node *pull_policy = node_get(map, "pull_policy");
	const char *image = node_get_text(map, "image");

	(void)path;
	(void)shape;
	if (pull_policy && pull_policy->text && strcmp(pull_policy->text, "if_not_present") == 0)
		pull_policy->text = "missing";
	if (image && !*image)
		node_remove(map, "image");
	return 0;
}

/* external: true beside anything but a name is an error; external: false is like absent. */
static int finish_external(struct shape *shape, struct node *map, const struct path *path)
{
	const struct node *external = node_get(map, "external");

	if (!external)
		return 0;
	if (!node_get_bool(map, "external")) {
		if (external->kind == NODE_BOOL)
			node_remove(map, "external");
		return 0;
	}
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->members[i].key;
		const struct node *value = map->members[i].value;
		bool is_empty = value->kind == NODE_MAP && value->count == 0;

		if (strcmp(key, "external") != 0 && strcmp(key, "name") != 0 && !is_empty &&
		    !key_is_extension(key))
			return problem_error(shape->problems, PROBLEM_CONFLICT,
					     map->members[i].key_place,
					     path_text(shape->arena, path),
					     "external and %s exclude each other", key);
	}
	return 0;
}

int finish_network(struct shape *shape, struct node *map, const struct path *path)
{
	return finish_external(shape, map, path);
}

int finish_volume(struct shape *shape, struct node *map, const struct path *path)
{
	return finish_external(shape, map, path);
}

/* Exactly one of the sources, or external. */
static int finish_source(struct shape *shape, struct node *map, const struct path *path,
			 const char *const *sources, const char *what)
{
	size_t count = 0;

	if (finish_external(shape, map, path) < 0)
		return -1;
	for (size_t i = 0; sources[i]; i++)
		count += node_get(map, sources[i]) != NULL;
	if (count > 1)
		return node_error(shape->problems, PROBLEM_CONFLICT, map, path,
				  "more than one of %s", what);
	if (count == 0 && !node_get_bool(map, "external") && !node_get(map, "driver") &&
	    !shape->is_raw)
		return node_error(shape->problems, PROBLEM_MISSING, map, path,
				  "want one of %s, or external: true", what);
	return 0;
}

int finish_secret(struct shape *shape, struct node *map, const struct path *path)
{
	static const char *const sources[] = { "file", "environment", NULL };

	return finish_source(shape, map, path, sources, "file, environment");
}

int finish_config(struct shape *shape, struct node *map, const struct path *path)
{
	static const char *const sources[] = { "file", "content", "environment", NULL };

	/* A config from the environment that was read back holds its content, too. */
	if (node_get(map, "environment") && node_get(map, "content") && shape->is_quiet)
		return 0;
	return finish_source(shape, map, path, sources, "file, content, environment");
}

int finish_http(struct shape *shape, struct node *map, const struct path *path)
{
	(void)path;
	set_default(shape, map, "path", NODE_TEXT, "/");
	set_default(shape, map, "status", NODE_TEXT, "200-399");
	return 0;
}

int finish_probe(struct shape *shape, struct node *map, const struct path *path)
{
	static const char *const kinds[] = { "listen", "tcp", "http", "log", NULL };
	size_t count = 0;

	for (size_t i = 0; kinds[i]; i++)
		count += node_get(map, kinds[i]) != NULL;
	if (count == 1)
		return 0;
	return node_error(shape->problems, count ? PROBLEM_CONFLICT : PROBLEM_MISSING, map, path,
			  "want exactly one kind of probe: listen, tcp, http (or log, in ready)");
}

const char *unique_port(struct arena *arena, const struct node *map)
{
	const char *ip = node_get_text(map, "host_ip"),
		   *published = node_get_text(map, "published");
	const char *target = node_get_text(map, "target");
	const char *protocol = node_get_text(map, "protocol");

	return arena_format(arena, "%s|%s|%s|%s", ip ? ip : "0.0.0.0", published ? published : "",
			    target ? target : "", protocol ? protocol : "tcp");
}

const char *unique_mount(struct arena *arena, const struct node *map)
{
	(void)arena;
	return node_get_text(map, "target");
}

const char *unique_device(struct arena *arena, const struct node *map)
{
	(void)arena;
	return node_get_text(map, "target") ?: node_get_text(map, "source");
}

const char *unique_env_file(struct arena *arena, const struct node *map)
{
	(void)arena;
	return node_get_text(map, "path");
}

const char *unique_pool(struct arena *arena, const struct node *map)
{
	(void)arena;
	return node_get_text(map, "subnet");
}

/* Target of a file, or where it goes without one. */
static const char *unique_file(struct arena *arena, const struct node *map, const char *folder)
{
	const char *target = node_get_text(map, "target");
	const char *source = node_get_text(map, "source");

	return target ? target : arena_format(arena, "%s%s", folder, source ? source : "");
}

const char *unique_secret(struct arena *arena, const struct node *map)
{
	return unique_file(arena, map, "/run/secrets/");
}

const char *unique_config(struct arena *arena, const struct node *map)
{
	return unique_file(arena, map, "/");
}

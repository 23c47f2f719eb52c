/* specs/paths - relative paths of a model to absolute ones.
 *
 * Owns: which keys are paths on the host. May not touch: targets, dockerfile, cache paths, files
 * themselves.
 */
#include "specs/paths.h"

#include <string.h>

#include "base/text.h"
#include "specs/pathname.h"

static const char *const remote_prefixes[] = { "https://", "http://", "git://",
					       "ssh://",   "git@",    "github.com/" };

static int resolve(const struct path_base *base, struct node *node, const struct path *path)
{
	if (!node || node->kind != NODE_TEXT)
		return 0;
	if (node->text[0] == '~' && node->text[1] && node->text[1] != '/')
		return node_error(base->problems, PROBLEM_VALUE, node, path,
				  "\"%.60s\": homes of other users are not known here", node->text);
	if (node->text[0] != '/')
		node->text = pathname_join(base->arena, base->directory, node->text, base->home);
	return 0;
}

static int resolve_key(const struct path_base *base, struct node *map, const char *key,
		       const struct path *path)
{
	return resolve(base, node_get(map, key), PATH_KEY(path, key));
}

static bool is_remote(const char *text)
{
	for (size_t i = 0; i < sizeof(remote_prefixes) / sizeof(*remote_prefixes); i++)
		if (text_starts(text, remote_prefixes[i]))
			return true;
	return false;
}

static int resolve_build(const struct path_base *base, struct node *build, const struct path *path)
{
	const char *context = node_get_text(build, "context");
	struct node *contexts = node_get(build, "additional_contexts");
	struct node *ssh = node_get(build, "ssh");
	int result = 0;

	if (context && !is_remote(context))
		result |= resolve_key(base, build, "context", path);
	for (size_t i = 0; contexts && i < contexts->count; i++) {
		struct node *value = contexts->members[i].value;

		if (value->kind == NODE_TEXT && !strstr(value->text, "://") &&
		    !text_starts(value->text, "service:") && !is_remote(value->text))
			result |= resolve(base, value, PATH_KEY(path, "additional_contexts"));
	}
	for (size_t i = 0; ssh && ssh->kind == NODE_MAP && i < ssh->count; i++)
		if (ssh->members[i].value->text && *ssh->members[i].value->text)
			result |= resolve(base, ssh->members[i].value, PATH_KEY(path, "ssh"));
	return result;
}

static int resolve_mounts(const struct path_base *base, struct node *list, const struct path *path)
{
	int result = 0;

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++) {
		struct node *mount = list->members[i].value;
		const char *type = node_get_text(mount, "type");

		if (type && strcmp(type, "bind") == 0)
			result |= resolve_key(base, mount, "source", PATH_INDEX(path, i));
	}
	return result;
}

/* Every key below the items of a list of maps. */
static int resolve_each(const struct path_base *base, struct node *list, const char *key,
			const struct path *path)
{
	int result = 0;

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++)
		result |= resolve_key(base, list->members[i].value, key, PATH_INDEX(path, i));
	return result;
}

static int paths_resolve_service(const struct path_base *base, struct node *service,
				 const struct path *path)
{
	struct node *label_files = node_get(service, "label_file");
	struct node *build = node_get(service, "build");
	int result = 0;

	if (build && build->kind == NODE_MAP)
		result |= resolve_build(base, build, PATH_KEY(path, "build"));
	result |= resolve_each(base, node_get(service, "env_file"), "path",
			       PATH_KEY(path, "env_file"));
	for (size_t i = 0; label_files && i < label_files->count; i++)
		result |=
			resolve(base, label_files->members[i].value, PATH_KEY(path, "label_file"));
	result |= resolve_mounts(base, node_get(service, "volumes"), PATH_KEY(path, "volumes"));
	result |= resolve_each(base, node_get(node_get(service, "develop"), "watch"), "path",
			       PATH_KEY(PATH_KEY(path, "develop"), "watch"));
	return result;
}

/* device of a local volume that binds. */
static int resolve_volume(const struct path_base *base, struct node *volume,
			  const struct path *path)
{
	const char *driver = node_get_text(volume, "driver");
	struct node *options = node_get(volume, "driver_opts");
	const char *o = node_get_text(options, "o");
	struct slice rest, option;
	bool binds = false;

	if (!o || (driver && strcmp(driver, "local") != 0))
		return 0;
	rest = SLICE(o);
	while (slice_next(&rest, ',', &option))
		binds |= slice_is(option, "bind") || slice_is(option, "rbind");
	return binds ? resolve_key(base, options, "device", PATH_KEY(path, "driver_opts")) : 0;
}

int paths_resolve(const struct path_base *base, struct node *root)
{
	static const char *const sources[] = { "secrets", "configs" };
	struct node *services = node_get(root, "services"), *volumes = node_get(root, "volumes");
	int result = 0;

	for (size_t i = 0; services && i < services->count; i++)
		result |= paths_resolve_service(
			base, services->members[i].value,
			PATH_KEY(PATH_KEY(NULL, "services"), services->members[i].key));
	for (size_t i = 0; volumes && i < volumes->count; i++)
		result |= resolve_volume(
			base, volumes->members[i].value,
			PATH_KEY(PATH_KEY(NULL, "volumes"), volumes->members[i].key));
	for (size_t s = 0; s < sizeof(sources) / sizeof(*sources); s++) {
		struct node *map = node_get(root, sources[s]);

		for (size_t i = 0; map && i < map->count; i++)
			result |= resolve_key(
				base, map->members[i].value, "file",
				PATH_KEY(PATH_KEY(NULL, sources[s]), map->members[i].key));
	}
	return result;
}

/* specs/expand - short forms of the key tables as maps: "80:80", "./a:/b", NAME ...
 *
 * Owns: from a struct of specs/short_forms to nodes. May not touch: the grammars themselves.
 */
#include "specs/expand.h"

#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/scalar_forms.h"
#include "specs/short_forms.h"

static struct node *new_map(struct shape *shape, const struct node *item, struct node *out_list)
{
	struct node *map = node_new(shape->arena, NODE_MAP, item->place);

	node_push(shape->arena, out_list, map);
	return map;
}

static void set(struct shape *shape, struct node *map, const char *key, enum node_kind kind,
		const char *text)
{
	struct node *value;

	if (!text)
		return;
	value = node_new(shape->arena, kind, map->place);
	value->text = text;
	node_set(shape->arena, map, key, map->place, value);
}

/* A map with the one key whose value the text is. */
static int expand_text(struct shape *shape, const struct node *item, const struct path *path,
		       struct node *out_list, const char *key)
{
	if (item->kind != NODE_TEXT)
		return scalar_form_refuse(shape, item, path, "text or a map");
	set(shape, new_map(shape, item, out_list), key, NODE_TEXT, item->text);
	return 0;
}

int expand_build(struct shape *shape, const struct node *item, const struct path *path,
		 struct node *out_list)
{
	return expand_text(shape, item, path, out_list, "context");
}

int expand_env_file(struct shape *shape, const struct node *item, const struct path *path,
		    struct node *out_list)
{
	return expand_text(shape, item, path, out_list, "path");
}

int expand_extends(struct shape *shape, const struct node *item, const struct path *path,
		   struct node *out_list)
{
	return expand_text(shape, item, path, out_list, "service");
}

int expand_include(struct shape *shape, const struct node *item, const struct path *path,
		   struct node *out_list)
{
	return expand_text(shape, item, path, out_list, "path");
}

int expand_source(struct shape *shape, const struct node *item, const struct path *path,
		  struct node *out_list)
{
	return expand_text(shape, item, path, out_list, "source");
}

int expand_dependency(struct shape *shape, const struct node *item, const struct path *path,
		      struct node *out_list)
{
	struct node *map = new_map(shape, item, out_list);

	(void)path;
	set(shape, map, "condition", NODE_TEXT, "service_started");
	set(shape, map, "required", NODE_BOOL, "true");
	return 0;
}

int expand_device(struct shape *shape, const struct node *item, const struct path *path,
		  struct node *out_list)
{
	struct err err = ERR_NONE;
	struct device device;
	struct node *map;

	if (item->kind != NODE_TEXT)
		return scalar_form_refuse(shape, item, path, "text or a map");
	if (short_device(shape->arena, item->text, &device, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, item, path, "%s", err.msg);
	map = new_map(shape, item, out_list);
	set(shape, map, "source", NODE_TEXT, device.source);
	set(shape, map, "target", NODE_TEXT, device.target);
	set(shape, map, "permissions", NODE_TEXT, device.permissions);
	return 0;
}

int expand_gpus(struct shape *shape, const struct node *item, const struct path *path,
		struct node *out_list)
{
	if (item->kind != NODE_TEXT || strcmp(item->text, "all") != 0)
		return scalar_form_refuse(shape, item, path, "all, or a list of device requests");
	set(shape, new_map(shape, item, out_list), "count", NODE_INT, "-1");
	return 0;
}

/* "http://:8080/path" */
int expand_http(struct shape *shape, const struct node *item, const struct path *path,
		struct node *out_list)
{
	static const char prefix[] = "http://:";
	struct err err = ERR_NONE;
	const char *port, *rest;
	struct node *map;
	size_t digits;
	uint64_t number;

	if (item->kind != NODE_TEXT || !text_starts(item->text, prefix))
		return scalar_form_refuse(shape, item, path, "http://:PORT/PATH or a map");
	port = item->text + sizeof(prefix) - 1;
	digits = num_digits(port, strlen(port));
	rest = port + digits;
	if (num_parse_u64("port", port, digits, 1, 65535, &number, &err) < 0 ||
	    (*rest && *rest != '/'))
		return node_error(shape->problems, PROBLEM_VALUE, item, path,
				  "\"%.60s\": want http://:PORT/PATH", item->text);
	map = new_map(shape, item, out_list);
	set(shape, map, "port", NODE_INT, arena_format(shape->arena, "%u", (unsigned)number));
	set(shape, map, "path", NODE_TEXT, *rest ? rest : "/");
	return 0;
}

int expand_port(struct shape *shape, const struct node *item, const struct path *path,
		struct node *out_list)
{
	struct err err = ERR_NONE;
	struct port *ports;
	size_t count;

	if (item->kind != NODE_TEXT && item->kind != NODE_INT)
		return scalar_form_refuse(shape, item, path, "a port or a map");
	if (short_port(shape->arena, item->text, &ports, &count, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, item, path, "%s", err.msg);
	for (size_t i = 0; i < count; i++) {
		struct node *map = new_map(shape, item, out_list);

		set(shape, map, "mode", NODE_TEXT, ports[i].mode);
		set(shape, map, "host_ip", NODE_TEXT, ports[i].host_ip);
		set(shape, map, "target", NODE_INT,
		    arena_format(shape->arena, "%u", ports[i].target));
		set(shape, map, "published", NODE_TEXT, ports[i].published);
		set(shape, map, "protocol", NODE_TEXT, ports[i].protocol);
	}
	return 0;
}

static void set_mount_options(struct shape *shape, struct node *map, const struct mount *mount)
{
	if (mount->bind) {
		struct node *bind = node_need(shape->arena, map, "bind", NODE_MAP);

		bind->place = map->place;
		set(shape, bind, "selinux", NODE_TEXT, mount->bind->selinux);
		set(shape, bind, "propagation", NODE_TEXT, mount->bind->propagation);
		set(shape, bind, "create_host_path", NODE_BOOL,
		    mount->bind->create_host_path ? "true" : NULL);
	}
	if (mount->volume) {
		struct node *volume = node_need(shape->arena, map, "volume", NODE_MAP);

		volume->place = map->place;
		set(shape, volume, "nocopy", NODE_BOOL, mount->volume->nocopy ? "true" : NULL);
	}
}

int expand_mount(struct shape *shape, const struct node *item, const struct path *path,
		 struct node *out_list)
{
	struct err err = ERR_NONE;
	const char *unknown;
	struct mount mount;
	struct node *map;

	if (item->kind != NODE_TEXT)
		return scalar_form_refuse(shape, item, path, "text or a map");
	if (short_mount(shape->arena, item->text, &mount, &unknown, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, item, path, "%s", err.msg);
	if (unknown)
		node_warn(shape->problems, item, path, "unknown mount option \"%s\" is dropped",
			  unknown);
	map = new_map(shape, item, out_list);
	set(shape, map, "type", NODE_TEXT, mount.type);
	set(shape, map, "source", NODE_TEXT, mount.source);
	set(shape, map, "target", NODE_TEXT, mount.target);
	set(shape, map, "read_only", NODE_BOOL, mount.read_only ? "true" : NULL);
	set_mount_options(shape, map, &mount);
	return 0;
}

/* orchestrator/cdi - devices by their descriptions.
 *
 * Owns: reading the files, the edits of a config. May not touch: what the runtime makes of a
 * config. Source: CDI specification 0.8 (kind, devices, containerEdits).
 */
#include "orchestrator/cdi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "specs/yaml.h"

#define FILE_MAX_BYTES (4u << 20)
#define COUNT_MAX      64

const char *const cdi_dirs[] = { "/etc/cdi", "/var/run/cdi", NULL };

/* ---- the names ---- */

static void add_name(struct arena *arena, struct texts *out, const char *name)
{
	if (!texts_has(out, name))
		*(const char **)arena_grow(arena, &out->items, &out->count, sizeof(char *)) = name;
}

static const char *kind_of(const char *driver)
{
	static const struct {
		const char *driver, *kind;
	} kinds[] = {
		{"nvidia", "nvidia.com/gpu"},
		{ "amd",   "amd.com/gpu"   },
		{ "intel", "intel.com/gpu" }
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].driver, driver) == 0)
			return kinds[i].kind;
	return strchr(driver, '/') ? driver : NULL;
}

static int add_request(struct arena *arena, const struct device_request *request, struct texts *out,
		       struct err *err)
{
	const char *driver = request->driver && *request->driver ? request->driver : "nvidia";
	bool whole = strcmp(driver, "cdi") == 0;
	const char *kind = whole ? "" : kind_of(driver);

	if (!kind)
		return err_set(
			err, ERR_UNSUPPORTED,
			"device driver \"%.60s\": known are nvidia, amd, intel, cdi and kinds "
			"like vendor.com/class",
			driver);
	for (size_t i = 0; i < request->device_ids.count; i++)
		add_name(arena, out,
			 whole ? request->device_ids.items[i]
			       : arena_format(arena, "%s=%s", kind, request->device_ids.items[i]));
	if (request->device_ids.count)
		return 0;
	if (whole)
		return err_set(err, ERR_INVALID, "device driver cdi: device_ids must name them");
	if (!request->count.is_set || request->count.value < 0)
		add_name(arena, out, arena_format(arena, "%s=all", kind));
	for (int64_t i = 0; i < request->count.value && i < COUNT_MAX; i++)
		add_name(arena, out, arena_format(arena, "%s=%d", kind, (int)i));
	return 0;
}

int cdi_names(struct arena *arena, const struct service *service, struct texts *out,
	      struct err *err)
{
	const struct resources *resources = service->deploy ? service->deploy->resources : NULL;
	const struct resource_limits *reserved = resources ? resources->reservations : NULL;

	*out = (struct texts){ NULL, 0 };
	for (size_t i = 0; i < service->device_count; i++)
		if (!service->devices[i].target)
			add_name(arena, out, service->devices[i].source);
	for (size_t i = 0; i < service->gpu_count; i++)
		if (add_request(arena, &service->gpus[i], out, err) < 0)
			return err_wrap(err, "gpus");
	for (size_t i = 0; reserved && i < reserved->device_count; i++)
		if (add_request(arena, &reserved->devices[i], out, err) < 0)
			return err_wrap(err, "deploy.resources.reservations.devices");
	return 0;
}

/* ---- the files ---- */

struct search {
	struct arena *arena;
	struct json_object *specs; /* an array, in the order of reading */
};

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	return a > b && strcmp(text + a - b, end) == 0;
}

/* JSON is YAML, too. A file that cannot be read describes nothing. */
static void read_spec(struct search *search, int dir_fd, const char *name)
{
	struct err ignored = ERR_NONE;
	struct problems problems = { .arena = search->arena };
	struct documents documents;
	struct json_object *json;
	char *text = NULL;
	const char *copy;
	size_t len;

	if (file_read(dir_fd, name, FILE_MAX_BYTES, &text, &len, &ignored) < 0)
		return;
	copy = arena_strndup(search->arena, text, len);
	free(text);
	if (yaml_parse(search->arena, arena_strdup(search->arena, name), copy, len, &problems,
		       &documents) < 0)
		return;
	for (size_t i = 0; i < documents.count; i++) {
		if (!documents.items[i])
			continue;
		copy = node_json(search->arena, documents.items[i]);
		json = json_parse(name, copy, strlen(copy), &ignored);
		if (json)
			json_object_array_add(search->specs, json);
	}
}

static void read_dir(struct search *search, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (ends_with(entry->d_name, ".json") || ends_with(entry->d_name, ".yaml") ||
		    ends_with(entry->d_name, ".yml"))
			read_spec(search, fd, entry->d_name);
	if (dir)
		closedir(dir);
}

/* The newest description of "kind=name"; *out_spec is the file it stands in. */
static struct json_object *find(const struct search *search, const char *name,
				struct json_object **out_spec)
{
	const char *sign = strchr(name, '=');

	for (size_t i = json_array_count(search->specs); sign && i-- > 0;) {
		struct json_object *spec = json_object_array_get_idx(search->specs, i);
		struct json_object *devices = json_array_at(spec, "devices");
		const char *kind = json_text_or(spec, "kind", "");

		if (strlen(kind) != (size_t)(sign - name) || strncmp(kind, name, strlen(kind)) != 0)
			continue;
		for (size_t k = 0; k < json_array_count(devices); k++) {
			struct json_object *device = json_object_array_get_idx(devices, k);

			if (strcmp(json_text_or(device, "name", ""), sign + 1) == 0) {
				*out_spec = spec;
				return device;
			}
		}
	}
	return NULL;
}

/* ---- the edits ---- */

static struct json_object *object_in(struct json_object *parent, const char *key)
{
	struct json_object *object = json_object_at(parent, key);

	return object ? object : json_add_object(parent, key);
}

static struct json_object *array_in(struct json_object *parent, const char *key)
{
	struct json_object *array = json_array_at(parent, key);

	return array ? array : json_add_array(parent, key);
}

static void append(struct json_object *to, const struct json_object *from)
{
	for (size_t i = 0; i < json_array_count(from); i++)
		json_object_array_add(to, json_object_get(json_object_array_get_idx(from, i)));
}

static int add_node(struct json_object *linux_section, struct json_object *node, struct err *err)
{
	struct json_object *entry = json_object_new_object(), *rule = json_object_new_object();
	const char *path = json_text_or(node, "path", "");
	const char *host = json_text_or(node, "hostPath", path);
	const char *type = json_text_or(node, "type", NULL);
	struct stat st = { 0 };
	int64_t major_number, minor_number;

	json_object_array_add(array_in(linux_section, "devices"), entry);
	json_object_array_add(array_in(object_in(linux_section, "resources"), "devices"), rule);
	if (stat(host, &st) < 0 && (!type || json_int_or(node, "major", -1) < 0))
		return err_set(err, ERR_NOT_FOUND, "its description names %s, which is not there",
			       host);
	if (!type)
		type = S_ISBLK(st.st_mode) ? "b" : "c";
	major_number = json_int_or(node, "major", (int64_t)major(st.st_rdev));
	minor_number = json_int_or(node, "minor", (int64_t)minor(st.st_rdev));
	json_add_text(entry, "path", path);
	json_add_text(entry, "type", type);
	json_add_int(entry, "major", major_number);
	json_add_int(entry, "minor", minor_number);
	json_add_int(entry, "fileMode",
		     json_int_or(node, "fileMode", st.st_mode ? st.st_mode & 07777 : 0666));
	json_add_int(entry, "uid", json_int_or(node, "uid", st.st_uid));
	json_add_int(entry, "gid", json_int_or(node, "gid", st.st_gid));
	json_add_bool(rule, "allow", true);
	json_add_text(rule, "type", type);
	json_add_int(rule, "major", major_number);
	json_add_int(rule, "minor", minor_number);
	json_add_text(rule, "access", json_text_or(node, "permissions", "rwm"));
	return 0;
}

static void add_mount(struct json_object *mounts, struct json_object *mount)
{
	struct json_object *entry = json_object_new_object(), *options;

	json_add_text(entry, "destination", json_text_or(mount, "containerPath", ""));
	json_add_text(entry, "type", json_text_or(mount, "type", "bind"));
	json_add_text(entry, "source", json_text_or(mount, "hostPath", ""));
	options = json_add_array(entry, "options");
	append(options, json_array_at(mount, "options"));
	if (json_array_count(options) == 0)
		json_push_text(options, "rbind");
	json_object_array_add(mounts, entry);
}

static void add_hook(struct json_object *config, struct json_object *hook)
{
	struct json_object *entry = json_object_new_object(), *value = NULL;
	static const char *const copied[] = { "path", "args", "env", "timeout" };

	for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++)
		if (json_object_object_get_ex(hook, copied[i], &value))
			json_object_object_add(entry, copied[i], json_object_get(value));
	json_object_array_add(array_in(object_in(config, "hooks"),
				       json_text_or(hook, "hookName", "createContainer")),
			      entry);
}

static int edit(struct json_object *config, struct json_object *edits, struct err *err)
{
	struct json_object *process = object_in(config, "process");
	struct json_object *nodes = json_array_at(edits, "deviceNodes");
	struct json_object *mounts = json_array_at(edits, "mounts");
	struct json_object *hooks = json_array_at(edits, "hooks");

	append(array_in(process, "env"), json_array_at(edits, "env"));
	append(array_in(object_in(process, "user"), "additionalGids"),
	       json_array_at(edits, "additionalGids"));
	for (size_t i = 0; i < json_array_count(nodes); i++)
		if (add_node(object_in(config, "linux"), json_object_array_get_idx(nodes, i), err) <
		    0)
			return -1;
	for (size_t i = 0; i < json_array_count(mounts); i++)
		add_mount(array_in(config, "mounts"), json_object_array_get_idx(mounts, i));
	for (size_t i = 0; i < json_array_count(hooks); i++)
		add_hook(config, json_object_array_get_idx(hooks, i));
	return 0;
}

/* The edits of the file itself, once for all its devices. */
static int edit_once(struct json_object *config, struct json_object *spec, struct err *err)
{
	struct json_object *edits = json_object_at(spec, "containerEdits");
	int status = edits ? edit(config, edits, err) : 0;

	if (edits)
		json_object_object_del(spec, "containerEdits");
	return status;
}

int cdi_apply(struct arena *arena, const char *const *dirs, const struct service *service,
	      struct json_object *config, struct err *err)
{
	AUTO(json) struct json_object *specs = json_object_new_array();
	struct search search = { arena, specs };
	struct texts names;

	if (cdi_names(arena, service, &names, err) < 0)
		return -1;
	for (size_t i = 0; names.count && dirs[i]; i++)
		read_dir(&search, dirs[i]);
	for (size_t i = 0; i < names.count; i++) {
		struct json_object *spec = NULL, *device = find(&search, names.items[i], &spec);

		if (!device)
			return err_set(err, ERR_NOT_FOUND,
				       "device %s: no description (CDI) of it in /etc/cdi or "
				       "/var/run/cdi",
				       names.items[i]);
		if (edit_once(config, spec, err) < 0 ||
		    edit(config, json_object_at(device, "containerEdits"), err) < 0)
			return err_wrap(err, "device %s", names.items[i]);
	}
	return 0;
}

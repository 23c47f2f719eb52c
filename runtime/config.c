/* runtime/config - config.json as structs.
 *
 * Owns: the top of the document, mounts and hooks, the order of the checks. May not touch: the
 * system, but for reading the file itself.
 */
#include "runtime/config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/config_linux.h"
#include "runtime/config_process.h"

#define CONFIG(member) .offset = offsetof(struct config, member)
#define MOUNT(member)  .offset = offsetof(struct config_mount, member)

static int decode_destination(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	const char *text = decode_text(reader, value, at);

	if (!text)
		return -1;
	if (!text[0])
		return decode_fail(reader, at, "must not be empty");
	if (text[0] != '/') /* older configs: relative to the root */
		text = arena_format(reader->arena, "/%s", text);
	((struct config_mount *)target)->destination = text;
	return 0;
}

/* clang-format off */
static const struct field mount_fields[] = {
	{ .key = "destination", .kind = FIELD_CUSTOM, .custom = decode_destination,
	  .required = true },
	{ .key = "type", .kind = FIELD_TEXT, MOUNT(type) },
	{ .key = "source", .kind = FIELD_TEXT, MOUNT(source) },
	{ .key = "options", .kind = FIELD_TEXTS, MOUNT(options) },
	{ .key = "uidMappings", .kind = FIELD_OBJECTS, MOUNT(uid_maps), .sub = config_id_map_fields,
	  .item_size = sizeof(struct config_id_map) },
	{ .key = "gidMappings", .kind = FIELD_OBJECTS, MOUNT(gid_maps), .sub = config_id_map_fields,
	  .item_size = sizeof(struct config_id_map) },
	{ 0 },
};
/* clang-format on */

struct hook_row {
	struct config_hook hook;
	struct config_int timeout;
};

#define HOOK(member) .offset = offsetof(struct hook_row, member)

/* clang-format off */
static const struct field hook_fields[] = {
	{ .key = "path", .kind = FIELD_TEXT, HOOK(hook.path), .required = true },
	{ .key = "args", .kind = FIELD_TEXTS, HOOK(hook.args) },
	{ .key = "env", .kind = FIELD_TEXTS, HOOK(hook.env) },
	{ .key = "timeout",.kind = FIELD_INT, HOOK(timeout) },
	{ 0 },
};
/* clang-format on */

static int decode_hooks(struct reader *reader, struct json_object *value, const struct place *at,
			void *target)
{
	struct config_hooks *hooks = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	count = json_object_array_length(value);
	hooks->at = arena_alloc(reader->arena, (count + 1) * sizeof(*hooks->at));
	hooks->count = count;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct hook_row row = { 0 };

		if (decode_object(reader, json_object_array_get_idx(value, i), &item, hook_fields,
				  &row) < 0)
			return -1;
		if (row.hook.path[0] != '/')
			return decode_fail(reader, &item, "path must be absolute");
		if (row.timeout.set && (row.timeout.value <= 0 || row.timeout.value > 86400))
			return decode_fail(reader, &item, "timeout must be 1..86400 seconds");
		row.hook.timeout_s = (unsigned)row.timeout.value;
		hooks->at[i] = row.hook;
	}
	return 0;
}

#define HOOKS(name, which)                                                                         \
	{                                                                                          \
		.key = (name), .kind = FIELD_CUSTOM, CONFIG(hooks[which]), .custom = decode_hooks  \
	}

/* clang-format off */
static const struct field hooks_fields[] = {
	HOOKS("prestart",
	HOOK_PRESTART),
	HOOKS("createRuntime",
	HOOK_CREATE_RUNTIME),
	HOOKS("createContainer",
	HOOK_CREATE_CONTAINER),
	HOOKS("startContainer",
	HOOK_START_CONTAINER),
	HOOKS("poststart",
	HOOK_POSTSTART),
	HOOKS("poststop",
	HOOK_POSTSTOP),
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field root_fields[] = {
	{ .key = "path", .kind = FIELD_TEXT, CONFIG(root_path), .required = true },
	{ .key = "readonly", .kind = FIELD_BOOL, CONFIG(root_readonly) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field top_fields[] = {
	{ .key = "ociVersion", .kind = FIELD_TEXT, CONFIG(oci_version), .required = true },
	{ .key = "process", .kind = FIELD_CUSTOM, CONFIG(process),
	  .custom = config_decode_process },
	{ .key = "root", .kind = FIELD_OBJECT, .sub = root_fields, .required = true },
	{ .key = "hostname", .kind = FIELD_TEXT, CONFIG(hostname) },
	{ .key = "domainname", .kind = FIELD_TEXT, CONFIG(domainname) },
	{ .key = "mounts", .kind = FIELD_OBJECTS, CONFIG(mounts), .sub = mount_fields,
	  .item_size = sizeof(struct config_mount) },
	{ .key = "hooks", .kind = FIELD_OBJECT, .sub = hooks_fields },
	{ .key = "annotations", .kind = FIELD_PAIRS, CONFIG(annotations) },
	{ .key = "linux", .kind = FIELD_OBJECT, .sub = config_linux_fields },
	{ 0 },
};
/* clang-format on */

#define BAD(...) err_set(err, ERR_INVALID, "config.json: " __VA_ARGS__)

static int check_mounts(const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->mount_count; i++) {
		struct config_mount *mount = &config->mounts[i];

		if (!mount->type)
			mount->type = "";
		if (!mount->source)
			mount->source = "";
		if (!mount->uid_maps.count != !mount->gid_maps.count)
			return BAD("mounts[%zu].uidMappings: goes with gidMappings", i);
		for (size_t j = 0; j < mount->uid_maps.count; j++)
			if (!mount->uid_maps.at[j].size)
				return BAD("mounts[%zu].uidMappings[%zu].size: must not be 0", i,
					   j);
	}
	return 0;
}

static int check_names(const struct config *config, struct err *err)
{
	if (config->hostname && config->hostname[0] && !config_namespace(config, CLONE_NEWUTS))
		return BAD("hostname: unable to set hostname without a private UTS namespace");
	if (config->domainname && config->domainname[0] && !config_namespace(config, CLONE_NEWUTS))
		return BAD("domainname: unable to set domainname without a private UTS namespace");
	if (config->hostname && strlen(config->hostname) > 64)
		return BAD("hostname: is longer than 64 bytes");
	if (config->domainname && strlen(config->domainname) > 64)
		return BAD("domainname: is longer than 64 bytes");
	for (size_t i = 0; i < config->annotations.count; i++)
		if (!config->annotations.at[i].key[0])
			return BAD("annotations: a key must not be empty");
	return 0;
}

static int config_check(const struct config *config, struct err *err)
{
	if (!text_starts(config->oci_version, "1."))
		return BAD("ociVersion: \"%.40s\" is not supported, 1.x is", config->oci_version);
	if (!config->root_path[0])
		return BAD("root.path: must not be empty");
	if (check_mounts(config, err) < 0 || config_check_linux(config, err) < 0 ||
	    check_names(config, err) < 0)
		return -1;
	if (config->process && config_check_process(config->process, true, err) < 0)
		return -1;
	/* The kernel admits deadline tasks to whole root domains only. */
	if (config->process && config->process->scheduler.set &&
	    config->process->scheduler.policy == SCHED_DEADLINE && config->resources.cpus &&
	    config->resources.cpus[0])
		return BAD("process.scheduler: process scheduler can't be used together with "
			   "AllowedCPUs");
	return 0;
}

static struct config *config_new(const char *text, size_t len, struct err *err)
{
	AUTO(config) struct config *config = xcalloc(1, sizeof(*config));

	config->arena = arena_new();
	if (len > CONFIG_MAX_BYTES) {
		err_set(err, ERR_INVALID, "config.json: is above %u bytes", CONFIG_MAX_BYTES);
		return NULL;
	}
	config->json = json_parse("config.json", text, len, err);
	if (!config->json && err->code == ERR_OK)
		err_set(err, ERR_INVALID, "config.json: must be an object");
	return config->json ? TAKE(config) : NULL;
}

struct config *config_parse(const char *text, size_t len, struct err *err)
{
	AUTO(config) struct config *config = config_new(text, len, err);
	struct reader reader = { config ? config->arena : NULL, err };

	if (!config || decode_object(&reader, config->json, NULL, top_fields, config) < 0 ||
	    config_check(config, err) < 0)
		return NULL;
	return TAKE(config);
}

struct config *config_parse_process(const char *text, size_t len, struct err *err)
{
	AUTO(config) struct config *config = config_new(text, len, err);
	struct reader reader = { config ? config->arena : NULL, err };
	struct place at = { NULL, "process", 0 };

	if (!config || config_decode_process(&reader, config->json, &at, &config->process) < 0 ||
	    config_check_process(config->process, false, err) < 0)
		return NULL;
	return TAKE(config);
}

struct config *config_parse_resources(const char *text, size_t len, struct err *err)
{
	AUTO(config) struct config *config = config_new(text, len, err);
	struct reader reader = { config ? config->arena : NULL, err };
	struct place linux_at = { NULL, "linux", 0 }, at = { &linux_at, "resources", 0 };

	if (!config ||
	    decode_object(&reader, config->json, &at, config_resources_fields, &config->resources) <
		    0 ||
	    config_check_resources(&config->resources, err) < 0)
		return NULL;
	return TAKE(config);
}

struct config *config_read(const char *bundle, char **out_text, size_t *out_len, struct err *err)
{
	AUTO(fd) int dir_fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(free) char *text = NULL;
	size_t len = 0;
	struct config *config;

	if (dir_fd < 0) {
		err_sys(err, errno, "bundle %s", bundle);
		return NULL;
	}
	if (file_read(dir_fd, "config.json", CONFIG_MAX_BYTES, &text, &len, err) < 0)
		return NULL;
	config = config_parse(text, len, err);
	if (config && out_text) {
		*out_text = TAKE(text);
		*out_len = len;
	}
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	json_object_put(config->json);
	arena_free(config->arena);
	free(config);
}

const struct config_namespace *config_namespace(const struct config *config, int flag)
{
	for (size_t i = 0; i < config->namespace_count; i++)
		if (config->namespaces[i].flag == flag)
			return &config->namespaces[i];
	return NULL;
}

bool config_is_new(const struct config *config, int flag)
{
	const struct config_namespace *namespace = config_namespace(config, flag);

	return namespace && !(namespace->path && namespace->path[0]);
}

int64_t config_map_id(const struct config_id_maps *maps, uint32_t inside)
{
	if (!maps->count)
		return inside;
	for (size_t i = 0; i < maps->count; i++)
		if (inside >= maps->at[i].inside && inside - maps->at[i].inside < maps->at[i].size)
			return (int64_t)maps->at[i].outside + (inside - maps->at[i].inside);
	return -1;
}

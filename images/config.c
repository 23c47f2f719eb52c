/* images/config - the image config from bytes, merged with a service's wishes.
 *
 * Owns: which fields are read and how a service overrides them.
 * May not touch: files, services (plain lists come in), the environment of this process.
 */
#include "images/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "images/media.h"

#define HISTORY_MAX 2000
#define ITEMS_MAX   10000

static const char default_path[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What the readers below share. */
struct reader {
	struct arena *arena;
	struct image_config *out;
	struct err *err;
};

static int wrong(struct reader *reader, const char *field, const char *must)
{
	return err_set(reader->err, ERR_INVALID, "image config: %s: must be %s", field, must);
}

static void push(struct arena *arena, struct config_list *list, const char *text)
{
	list->is_set = true;
	*(const char **)arena_grow(arena, &list->items, &list->count, sizeof(*list->items)) = text;
}

/* The text of a JSON string, or NULL when it is none or holds a NUL. */
static const char *text_of(struct arena *arena, struct json_object *value)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string) ||
	    strlen(text) != (size_t)json_object_get_string_len(value))
		return NULL;
	return arena_strdup(arena, text);
}

static int read_text(struct reader *reader, struct json_object *from, const char *field,
		     const char *fallback, const char **out)
{
	struct json_object *value = NULL;

	*out = fallback;
	if (!from || !json_object_object_get_ex(from, field, &value) || !value)
		return 0;
	*out = text_of(reader->arena, value);
	return *out ? 0 : wrong(reader, field, "a text without NUL");
}

/* An array of texts; one text alone is a list of one, as docker reads it. */
static int read_list(struct reader *reader, struct json_object *from, const char *field,
		     struct config_list *out)
{
	struct json_object *value = NULL;
	const char *text;

	if (!from || !json_object_object_get_ex(from, field, &value) || !value)
		return 0;
	out->is_set = true;
	if (json_object_is_type(value, json_type_string) && (text = text_of(reader->arena, value)))
		return push(reader->arena, out, text), 0;
	if (!json_object_is_type(value, json_type_array) || json_array_count(value) > ITEMS_MAX)
		return wrong(reader, field, "a list of texts");
	for (size_t i = 0; i < json_array_count(value); i++) {
		text = text_of(reader->arena, json_object_array_get_idx(value, i));
		if (!text)
			return wrong(reader, field, "a list of texts without NUL");
		push(reader->arena, out, text);
	}
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

enum members { NAMES_ONLY, PORTS, PAIRS };

/* An object as a sorted list: its names, or NAME=VALUE. */
static int read_members(struct reader *reader, struct json_object *from, const char *field,
			enum members kind, struct config_list *out)
{
	struct json_object *object = NULL;

	if (!from || !json_object_object_get_ex(from, field, &object) || !object)
		return 0;
	if (!json_object_is_type(object, json_type_object) ||
	    json_object_object_length(object) > ITEMS_MAX)
		return wrong(reader, field, "an object");
	out->is_set = true;
	json_each(object, key, value) {
		const char *text = kind == PAIRS ? text_of(reader->arena, value) : "";

		if (!text && value)
			return wrong(reader, field, "an object of texts without NUL");
		if (kind == PAIRS)
			text = arena_format(reader->arena, "%s=%s", key, text ? text : "");
		else if (kind == PORTS && !strchr(key, '/'))
			text = arena_format(reader->arena, "%s/tcp", key);
		else
			text = arena_strdup(reader->arena, key);
		push(reader->arena, out, text);
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_items);
	return 0;
}

static int read_ns(struct reader *reader, struct json_object *from, const char *field,
		   uint64_t *out)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(from, field, &value) || !value)
		return 0;
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return wrong(reader, field, "a whole number of nanoseconds");
	*out = (uint64_t)json_object_get_int64(value);
	return 0;
}

static int read_healthcheck(struct reader *reader, struct json_object *config)
{
	struct config_healthcheck *out = &reader->out->healthcheck;
	struct json_object *from = NULL;
	uint64_t retries = 0;

	if (!config || !json_object_object_get_ex(config, "Healthcheck", &from) || !from)
		return 0;
	if (!json_object_is_type(from, json_type_object))
		return wrong(reader, "Healthcheck", "an object");
	out->is_set = true;
	if (read_list(reader, from, "Test", &out->test) < 0 ||
	    read_ns(reader, from, "Interval", &out->interval_ns) < 0 ||
	    read_ns(reader, from, "Timeout", &out->timeout_ns) < 0 ||
	    read_ns(reader, from, "StartPeriod", &out->start_period_ns) < 0 ||
	    read_ns(reader, from, "StartInterval", &out->start_interval_ns) < 0 ||
	    read_ns(reader, from, "Retries", &retries) < 0)
		return -1;
	out->retries = retries > 1000000 ? 1000000 : (unsigned)retries;
	return 0;
}

static int read_history(struct reader *reader, struct json_object *root)
{
	struct json_object *list = json_array_at(root, "history");
	struct image_config *out = reader->out;

	if (json_array_count(list) > HISTORY_MAX)
		return wrong(reader, "history", "at most 2000 entries long");
	out->history =
		arena_alloc(reader->arena, sizeof(*out->history) * (json_array_count(list) + 1));
	for (size_t i = 0; i < json_array_count(list); i++) {
		struct json_object *from = json_object_array_get_idx(list, i);
		struct config_history *entry = &out->history[out->history_count++];

		if (!json_object_is_type(from, json_type_object))
			return wrong(reader, "history", "a list of objects");
		if (read_text(reader, from, "created", NULL, &entry->created) < 0 ||
		    read_text(reader, from, "created_by", NULL, &entry->created_by) < 0 ||
		    read_text(reader, from, "author", NULL, &entry->author) < 0 ||
		    read_text(reader, from, "comment", NULL, &entry->comment) < 0)
			return -1;
		entry->empty_layer = json_bool_or(from, "empty_layer", false);
	}
	return 0;
}

static int read_diff_ids(struct reader *reader, struct json_object *root, size_t layer_count)
{
	struct json_object *list = json_array_at(json_object_at(root, "rootfs"), "diff_ids");
	struct image_config *out = reader->out;
	size_t count = json_array_count(list);

	if (count > MEDIA_LAYERS_MAX)
		return wrong(reader, "rootfs.diff_ids", "at most 500 entries long");
	if (layer_count != SIZE_MAX && count != layer_count)
		return err_set(reader->err, ERR_INVALID,
			       "image config: rootfs.diff_ids: %zu entries for %zu layers", count,
			       layer_count);
	out->diff_ids = arena_alloc(reader->arena, sizeof(*out->diff_ids) * (count + 1));
	for (size_t i = 0; i < count; i++) {
		const char *text = text_of(reader->arena, json_object_array_get_idx(list, i));

		if (!text || !ref_is_digest(text))
			return wrong(reader, "rootfs.diff_ids", "a list of digests");
		out->diff_ids[out->diff_id_count++] = text;
	}
	return 0;
}

static int read_platform(struct reader *reader, struct json_object *root)
{
	const char *os, *arch, *variant;
	struct platform *out = &reader->out->platform;

	if (read_text(reader, root, "os", "linux", &os) < 0 ||
	    read_text(reader, root, "architecture", "", &arch) < 0 ||
	    read_text(reader, root, "variant", "", &variant) < 0)
		return -1;
	snprintf(out->os, sizeof(out->os), "%s", *os ? os : "linux");
	snprintf(out->arch, sizeof(out->arch), "%s", arch);
	snprintf(out->variant, sizeof(out->variant), "%s", variant);
	platform_normalise(out);
	if (strcmp(out->os, "linux") == 0)
		return 0;
	return err_set(reader->err, ERR_UNSUPPORTED, "is an image for %s, not for linux",
		       text_plain(out->os));
}

/* Names and NAME=VALUE that cannot be variables are dropped, each with a warning. */
static void drop_bad_env(struct reader *reader)
{
	struct config_list *env = &reader->out->env;
	size_t kept = 0;

	for (size_t i = 0; i < env->count; i++) {
		const char *equals = strchr(env->items[i], '=');

		if (equals && equals != env->items[i])
			env->items[kept++] = env->items[i];
		else
			push(reader->arena, &reader->out->warnings,
			     text_plain(arena_format(reader->arena,
						     "image variable \"%.60s\" is not NAME=VALUE "
						     "and is left out",
						     env->items[i])));
	}
	env->count = kept;
}

static int read_config(struct reader *reader, struct json_object *root)
{
	struct image_config *out = reader->out;
	struct json_object *config = NULL;

	if (json_object_object_get_ex(root, "config", &config) && config &&
	    !json_object_is_type(config, json_type_object))
		return wrong(reader, "config", "an object");
	if (read_list(reader, config, "Entrypoint", &out->entrypoint) < 0 ||
	    read_list(reader, config, "Cmd", &out->cmd) < 0 ||
	    read_list(reader, config, "Env", &out->env) < 0 ||
	    read_list(reader, config, "Shell", &out->shell) < 0 ||
	    read_list(reader, config, "OnBuild", &out->on_build) < 0 ||
	    read_members(reader, config, "Volumes", NAMES_ONLY, &out->volumes) < 0 ||
	    read_members(reader, config, "ExposedPorts", PORTS, &out->exposed_ports) < 0 ||
	    read_members(reader, config, "Labels", PAIRS, &out->labels) < 0 ||
	    read_text(reader, config, "User", "", &out->user) < 0 ||
	    read_text(reader, config, "WorkingDir", "", &out->working_dir) < 0 ||
	    read_text(reader, config, "StopSignal", "", &out->stop_signal) < 0)
		return -1;
	drop_bad_env(reader);
	return read_healthcheck(reader, config);
}

int config_parse(struct arena *arena, const char *text, size_t len, size_t layer_count,
		 struct image_config **out, struct err *err)
{
	struct image_config *config = arena_alloc(arena, sizeof(*config));
	struct reader reader = { arena, config, err };
	AUTO(json) struct json_object *root = NULL;

	if (len > MEDIA_CONFIG_MAX)
		return err_set(err, ERR_INVALID, "image config: larger than %u bytes",
			       MEDIA_CONFIG_MAX);
	root = media_parse_json("image config", text, len, err);
	if (!root || read_platform(&reader, root) < 0 ||
	    read_diff_ids(&reader, root, layer_count) < 0 || read_history(&reader, root) < 0 ||
	    read_text(&reader, root, "created", NULL, &config->created) < 0 ||
	    read_text(&reader, root, "author", NULL, &config->author) < 0 ||
	    read_config(&reader, root) < 0)
		return -1;
	*out = config;
	return 0;
}

int config_argv(struct arena *arena, const struct image_config *config,
		const struct config_list *entrypoint, const struct config_list *command,
		struct config_list *out, struct err *err)
{
	bool drops_cmd = entrypoint && entrypoint->count > 0;
	const struct config_list *first = entrypoint ? entrypoint : &config->entrypoint;
	const struct config_list *then = command ? command : drops_cmd ? NULL : &config->cmd;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < first->count; i++)
		push(arena, out, first->items[i]);
	for (size_t i = 0; then && i < then->count; i++)
		push(arena, out, then->items[i]);
	if (out->count == 0 || !out->items[0][0])
		return err_set(err, ERR_INVALID, "no command given and the image has none");
	push(arena, out, NULL);
	out->count--;
	return 0;
}

static size_t name_len(const char *variable)
{
	return strcspn(variable, "=");
}

static size_t find_variable(const struct config_list *list, const char *variable)
{
	size_t len = name_len(variable), i;

	for (i = 0; i < list->count; i++)
		if (name_len(list->items[i]) == len && memcmp(list->items[i], variable, len) == 0)
			break;
	return i;
}

static void set_variable(struct arena *arena, struct config_list *list, const char *variable)
{
	size_t at = find_variable(list, variable);

	if (at < list->count)
		list->items[at] = variable;
	else
		push(arena, list, variable);
}

static void set_default(struct arena *arena, struct config_list *list, const char *name,
			const char *value)
{
	if (value && find_variable(list, name) == list->count)
		push(arena, list, arena_format(arena, "%s=%s", name, value));
}

static void remove_variable(struct config_list *list, const char *name)
{
	size_t at = find_variable(list, name);

	if (at == list->count)
		return;
	memmove(&list->items[at], &list->items[at + 1],
		(list->count - at - 1) * sizeof(*list->items));
	list->count--;
}

void config_environment(struct arena *arena, const struct image_config *config,
			const struct config_env_spec *spec, struct config_list *out)
{
	memset(out, 0, sizeof(*out));
	out->is_set = true;
	for (size_t i = 0; i < config->env.count; i++)
		set_variable(arena, out, config->env.items[i]);
	if (find_variable(out, default_path) == out->count)
		push(arena, out, default_path);
	set_default(arena, out, "HOSTNAME", spec->hostname);
	set_default(arena, out, "HOME", spec->home);
	set_default(arena, out, "TERM", spec->has_tty ? "xterm" : NULL);
	for (size_t i = 0; i < spec->service_count; i++) {
		const char *variable = spec->service[i];

		if (strchr(variable, '='))
			set_variable(arena, out, arena_strdup(arena, variable));
		else
			remove_variable(out, variable);
	}
}

const char *config_label(const struct image_config *config, const char *key)
{
	size_t at = find_variable(&config->labels, key);

	return at < config->labels.count ? config->labels.items[at] + name_len(key) + 1 : NULL;
}

const char *config_working_dir(struct arena *arena, const struct image_config *config)
{
	const char *dir = config->working_dir;

	return arena_format(arena, "%s%s", dir[0] == '/' ? "" : "/", dir);
}

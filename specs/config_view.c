/* specs/config_view - everything that `stack config` prints, as text.
 *
 * Owns: the views and their formats. May not touch: files, standard output, registries.
 */
#include "specs/config_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/explain.h"
#include "specs/hash.h"
#include "specs/model_json.h"
#include "specs/node.h"
#include "specs/yaml_write.h"

#define JSON_STYLE                                                                                 \
	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

struct view {
	struct arena *arena;
	const struct load_result *result;
	const struct config_options *options;
	FILE *out;
	bool is_json;
	struct err *err;
};

static int view_nothing(struct view *view)
{
	(void)view;
	return 0;
}

/* The image with the digest that the caller found; only the image, when that is what was asked for.
 */
static struct json_object *finish_service(const struct view *view, struct json_object *service)
{
	const char *image = json_text_or(service, "image", NULL);
	const char *pinned = image ? pairs_get(&view->options->digests, image) : NULL;
	struct json_object *only;

	if (pinned)
		json_object_object_add(service, "image", json_object_new_string(pinned));
	if (!view->options->lock_only)
		return service;
	only = json_object_new_object();
	json_add_text(only, "image", json_text_or(service, "image", NULL));
	json_object_put(service);
	return only;
}

/* One service at a time: a large project need not be in memory twice. */
static void write_services(const struct view *view, struct text_writer *writer, unsigned flags)
{
	const struct project *project = view->result->project;

	if (project->service_count == 0) {
		AUTO(json) struct json_object *none = json_object_new_object();

		text_member(writer, "services", none);
		return;
	}
	text_begin(writer, "services");
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		AUTO(json)
		struct json_object *json = finish_service(view, model_json_service(service, flags));

		text_member(writer, service->name, json);
	}
	text_end(writer);
}

static void write_project(const struct view *view, struct text_writer *writer, unsigned flags)
{
	struct project head = *view->result->project;
	AUTO(json) struct json_object *json = NULL;

	head.service_count = 0;
	json = model_json_write(&head, flags);
	json_each(json, key, value) {
		if (strcmp(key, "services") == 0)
			write_services(view, writer, flags);
		else if (!view->options->lock_only)
			text_member(writer, key, value);
	}
}

static void write_key(struct text_writer *writer, struct json_object *all, const char *key)
{
	struct json_object *value;

	if (json_object_object_get_ex(all, key, &value))
		text_member(writer, key, value);
}

/* The raw tree in the order of `config`. */
static void write_tree(const struct view *view, struct text_writer *writer)
{
	static const char *const order[] = { "name",    "services", "networks", "volumes",
					     "secrets", "configs",  "models" };
	const size_t count = sizeof(order) / sizeof(*order);
	AUTO(json)
	struct json_object *all = json_tokener_parse(node_json(view->arena, view->result->tree));

	for (size_t i = 0; i < count; i++)
		write_key(writer, all, order[i]);
	json_each(all, key, value) {
		bool written = false;

		(void)value;
		for (size_t i = 0; i < count; i++)
			written |= strcmp(order[i], key) == 0;
		if (!written)
			write_key(writer, all, key);
	}
}

static int view_model(struct view *view)
{
	struct text_writer writer = { view->out, view->arena, view->is_json, 0, true };
	unsigned flags = MODEL_JSON_DOLLARS;

	if (!view->is_json)
		flags |= MODEL_JSON_NESTED_X | MODEL_JSON_NO_NULLS;
	text_begin(&writer, NULL);
	if (view->result->project)
		write_project(view, &writer, flags);
	else
		write_tree(view, &writer);
	text_end(&writer);
	return 0;
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* The keys below a top-level key, sorted. */
static int view_keys(struct view *view, const char *kind)
{
	const struct node *map = node_get(view->result->tree, kind);
	size_t count = map && map->kind == NODE_MAP ? map->count : 0;
	const char **keys = arena_alloc(view->arena, (count + 1) * sizeof(*keys));

	for (size_t i = 0; i < count; i++)
		keys[i] = map->members[i].key;
	qsort(keys, count, sizeof(*keys), compare_texts);
	for (size_t i = 0; i < count; i++)
		fprintf(view->out, "%s\n", keys[i]);
	return 0;
}

static int view_services(struct view *view)
{
	return view_keys(view, "services");
}

static int view_volumes(struct view *view)
{
	return view_keys(view, "volumes");
}

static int view_networks(struct view *view)
{
	return view_keys(view, "networks");
}

static int view_models(struct view *view)
{
	return view_keys(view, "models");
}

static int view_images(struct view *view)
{
	const struct node *services = node_get(view->result->tree, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const char *image = node_get_text(services->members[i].value, "image");
		const char *pinned = image ? pairs_get(&view->options->digests, image) : NULL;

		if (pinned || image)
			fprintf(view->out, "%s\n", pinned ? pinned : image);
		else if (!node_get(services->members[i].value, "provider"))
			fprintf(view->out, "%s-%s\n", view->result->name, services->members[i].key);
	}
	return 0;
}

static int view_profiles(struct view *view)
{
	const struct texts *profiles = &view->result->all_profiles;

	for (size_t i = 0; i < profiles->count; i++)
		fprintf(view->out, "%s\n", profiles->items[i]);
	return 0;
}

static int view_environment(struct view *view)
{
	const struct pairs *pairs = &view->result->environment;

	for (size_t i = 0; i < pairs->count; i++)
		fprintf(view->out, "%s=%s\n", pairs->items[i].name, pairs->items[i].value);
	return 0;
}

static int view_variables(struct view *view)
{
	const struct load_result *result = view->result;
	struct json_object *json;

	if (!view->is_json) {
		fprintf(view->out, "%-24s %-9s %-24s %s\n", "NAME", "REQUIRED", "DEFAULT VALUE",
			"ALTERNATE VALUE");
		for (size_t i = 0; i < result->variable_count; i++)
			fprintf(view->out, "%-24s %-9s %-24s %s\n", result->variables[i].name,
				result->variables[i].required ? "true" : "false",
				result->variables[i].default_value,
				result->variables[i].presence_value);
		return 0;
	}
	json = json_object_new_object();
	for (size_t i = 0; i < result->variable_count; i++) {
		const struct variable *variable = &result->variables[i];
		struct json_object *entry = json_add_object(json, variable->name);

		json_add_text(entry, "Name", variable->name);
		json_add_text(entry, "DefaultValue", variable->default_value);
		json_add_text(entry, "PresenceValue", variable->presence_value);
		json_add_bool(entry, "Required", variable->required);
	}
	fputs(json_object_to_json_string_ext(json, JSON_STYLE), view->out);
	json_object_put(json);
	return 0;
}

static void print_hash(struct view *view, const struct service *service)
{
	char hash[SERVICE_HASH_LEN + 1];

	service_hash(service, hash);
	fprintf(view->out, "%s %s\n", service->name, hash);
}

static int view_hash(struct view *view)
{
	const struct project *project = view->result->project;
	const char *wanted = view->options->hash_services ? view->options->hash_services : "*";
	struct slice rest = SLICE(wanted), part;
	struct texts names = { 0 };

	if (strcmp(wanted, "*") == 0) {
		for (size_t i = 0; i < project->service_count; i++)
			print_hash(view, &project->services[i]);
		return 0;
	}
	while (slice_next(&rest, ',', &part)) {
		const char **slot =
			arena_grow(view->arena, &names.items, &names.count, sizeof(const char *));

		part = slice_trim(part);
		*slot = arena_strndup(view->arena, part.at, part.len);
	}
	/* analyzer: a text has one part at least */
	qsort(names.items, names.count, sizeof(*names.items), compare_texts);
	for (size_t i = 0; i < names.count; i++) {
		const struct service *service = project_find_service(project, names.items[i]);

		if (!service)
			return err_set(view->err, ERR_NOT_FOUND, "no such service: %s",
				       names.items[i]);
		print_hash(view, service);
	}
	return 0;
}

static int view_explain(struct view *view)
{
	explain_write(view->out, view->arena, view->result->tree);
	return 0;
}

static int (*const views[])(struct view *view) = {
	[CONFIG_MODEL] = view_model,         [CONFIG_SERVICES] = view_services,
	[CONFIG_VOLUMES] = view_volumes,     [CONFIG_NETWORKS] = view_networks,
	[CONFIG_MODELS] = view_models,       [CONFIG_IMAGES] = view_images,
	[CONFIG_PROFILES] = view_profiles,   [CONFIG_ENVIRONMENT] = view_environment,
	[CONFIG_VARIABLES] = view_variables, [CONFIG_HASH] = view_hash,
	[CONFIG_EXPLAIN] = view_explain,     [CONFIG_QUIET] = view_nothing,
};

unsigned config_load_flags(const struct config_options *options)
{
	switch (options->what) {
	case CONFIG_VARIABLES:
		return LOAD_NO_INTERPOLATE;
	case CONFIG_ENVIRONMENT:
		return LOAD_NO_CONSISTENCY;
	default:
		return 0;
	}
}

int config_view(struct arena *arena, const struct load_result *result,
		const struct config_options *options, const char **out_text, struct err *err)
{
	struct view view = { arena, result, options, NULL, false, err };
	const char *format = options->format ? options->format : "yaml";
	char *text = NULL;
	size_t len = 0;
	int status;

	if (strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0)
		return err_set(err, ERR_INVALID, "--format %s: want yaml or json", format);
	if (options->what == CONFIG_HASH && !result->project)
		return err_set(err, ERR_INVALID,
			       "--hash needs the variables: leave "
			       "--no-interpolate away");
	view.is_json = strcmp(format, "json") == 0;
	view.out = open_memstream(&text, &len);
	if (!view.out)
		return err_set(err, ERR_SYSTEM, "out of memory");
	status = views[options->what](&view);
	fclose(view.out);
	*out_text = arena_strndup(arena, text, len);
	free(text);
	return status;
}

/* specs/model_json - a project as JSON and back.
 *
 * Owns: the envelope of the stored model. May not touch: files; the fields themselves
 * (specs/encode, decode).
 */
#include "specs/model_json.h"

#include <string.h>

#include "base/json.h"
#include "specs/decode.h"
#include "specs/encode.h"
#include "specs/finish.h"
#include "specs/scalar.h"
#include "specs/shape.h"

#define ENVELOPE       "stack"
#define JSON_DEPTH_MAX 100u

static void add_texts(struct json_object *object, const char *key, const struct texts *texts)
{
	struct json_object *list = json_add_array(object, key);

	for (size_t i = 0; i < texts->count; i++)
		json_push_text(list, texts->items[i]);
}

static void add_envelope(struct json_object *json, const struct project *project, unsigned flags)
{
	struct json_object *envelope = json_add_object(json, ENVELOPE);

	json_add_int(envelope, "version", MODEL_JSON_VERSION);
	json_add_text(envelope, "working_dir", project->working_dir);
	add_texts(envelope, "files", &project->files);
	add_texts(envelope, "env_files", &project->env_files);
	add_texts(envelope, "profiles", &project->profiles);
	json_object_object_add(envelope, "disabled_services",
			       encode_named(&service_table, project->disabled_services,
					    project->disabled_service_count, flags));
}

/* The content of a config from the environment is not what its file says. */
static void hide_contents(struct json_object *json, const struct project *project)
{
	struct json_object *configs = json_object_at(json, "configs");

	for (size_t i = 0; i < project->config_count; i++) {
		struct json_object *config = json_object_at(configs, project->configs[i].key);

		if (project->configs[i].environment && config)
			json_object_object_del(config, "content");
	}
}

struct json_object *model_json_write(const struct project *project, unsigned flags)
{
	struct json_object *json;

	if (flags & MODEL_JSON_STATE)
		flags |= MODEL_JSON_NESTED_X;
	json = encode_map(&project_table, project, flags);
	if (flags & MODEL_JSON_STATE)
		add_envelope(json, project, flags);
	else
		hide_contents(json, project);
	return json;
}

struct json_object *model_json_service(const struct service *service, unsigned flags)
{
	if (flags & MODEL_JSON_STATE)
		flags |= MODEL_JSON_NESTED_X;
	return encode_map(&service_table, service, flags);
}

static struct node *from_json(struct arena *arena, struct json_object *json, unsigned depth)
{
	struct node *node = node_new(arena, NODE_NULL, (struct place){ 0 });
	char number[SCALAR_NUMBER_MAX];

	if (depth > JSON_DEPTH_MAX)
		return node;
	switch (json_object_get_type(json)) {
	case json_type_boolean:
		node->kind = NODE_BOOL;
		node->text = json_object_get_boolean(json) ? "true" : "false";
		break;
	case json_type_int:
		node->kind = NODE_INT;
		node->text = arena_strdup(arena, json_object_get_string(json));
		break;
	case json_type_double:
		node->kind = NODE_FLOAT;
		scalar_number_text(json_object_get_double(json), number);
		node->text = arena_strdup(arena, number);
		break;
	case json_type_string:
		node->kind = NODE_TEXT;
		node->text = arena_strdup(arena, json_object_get_string(json));
		break;
	case json_type_array:
		node->kind = NODE_LIST;
		for (size_t i = 0; i < json_object_array_length(json); i++)
			node_push(arena, node,
				  from_json(arena, json_object_array_get_idx(json, i), depth + 1));
		break;
	case json_type_object:
		node->kind = NODE_MAP;
		json_object_object_foreach(json, key, value)
		{
			node_add(arena, node, arena_strdup(arena, key), (struct place){ 0 },
				 from_json(arena, value, depth + 1));
		}
		break;
	default:
		break;
	}
	return node;
}

static struct texts texts_of(struct arena *arena, const struct node *list)
{
	struct texts texts = { 0 };

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++) {
		const char **slot;

		if (list->members[i].value->kind != NODE_TEXT)
			continue;
		slot = arena_grow(arena, &texts.items, &texts.count, sizeof(const char *));
		*slot = list->members[i].value->text;
	}
	return texts;
}

static void read_envelope(struct arena *arena, const struct node *envelope, struct project *project)
{
	const struct node *disabled = node_get(envelope, "disabled_services");

	project->working_dir = node_get_text(envelope, "working_dir");
	project->files = texts_of(arena, node_get(envelope, "files"));
	project->env_files = texts_of(arena, node_get(envelope, "env_files"));
	project->profiles = texts_of(arena, node_get(envelope, "profiles"));
	if (disabled)
		decode_named(arena, &service_table, disabled, &project->disabled_services,
			     &project->disabled_service_count);
}

/* The walks over the tables for one map; the first problem goes to err. */
static int settle(struct shape *shape, struct node *root, struct err *err)
{
	const struct problem *first = &shape->problems->errors[0];

	if (shape_document(shape, root) == 0 && finish_document(shape, root) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "model: %s%s%s", first->path, *first->path ? ": " : "",
		       first->message);
}

/* The services set aside, as a document of their own. */
static int settle_disabled(struct shape *shape, const struct node *envelope, struct err *err)
{
	struct node *disabled = node_get(envelope, "disabled_services");
	struct node *root;

	if (!disabled)
		return 0;
	root = node_new(shape->arena, NODE_MAP, (struct place){ 0 });
	node_set(shape->arena, root, "services", (struct place){ 0 }, disabled);
	return settle(shape, root, err);
}

int model_json_read(struct arena *arena, const struct json_object *json,
		    struct project **out_project, struct err *err)
{
	struct problems problems = { .arena = arena };
	struct shape shape = { .arena = arena, .problems = &problems, .is_quiet = true };
	struct project *project = arena_alloc(arena, sizeof(*project));
	struct json_object *object;
	struct node *root, *envelope;
	int64_t version = MODEL_JSON_VERSION;

	memcpy(&object, &json, sizeof(object));
	if (json_object_get_type(json) != json_type_object)
		return err_set(err, ERR_INVALID, "model: want an object");
	root = from_json(arena, object, 0);
	envelope = node_get(root, ENVELOPE);
	if (envelope && node_get_text(envelope, "version") &&
	    (scalar_int(node_get_text(envelope, "version"), &version) < 0 ||
	     version > MODEL_JSON_VERSION))
		return err_set(err, ERR_UNSUPPORTED,
			       "model: version %s is newer than this program (%d)",
			       node_get_text(envelope, "version"), MODEL_JSON_VERSION);
	node_remove(root, ENVELOPE);
	if (settle_disabled(&shape, envelope, err) < 0 || settle(&shape, root, err) < 0)
		return -1;
	decode_map(arena, &project_table, root, project);
	read_envelope(arena, envelope, project);
	if (!project->name)
		return err_set(err, ERR_INVALID, "model: name is missing");
	*out_project = project;
	return 0;
}

struct json_object *model_json_values(const struct project *project)
{
	struct json_object *values = json_object_new_object();

	for (size_t i = 0; i < project->secret_count; i++)
		json_add_text(values, project->secrets[i].key, project->secrets[i].value);
	return values;
}

void model_json_take_values(struct arena *arena, struct project *project,
			    const struct json_object *values)
{
	for (size_t i = 0; i < project->secret_count; i++) {
		const char *value = json_text_or(values, project->secrets[i].key, NULL);

		if (value)
			project->secrets[i].value = arena_strdup(arena, value);
	}
}

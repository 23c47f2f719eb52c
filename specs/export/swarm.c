/* specs/export/swarm - a project as a stack file for `docker stack deploy`.
 *
 * Owns: which keys leave the document (by their rows), and those that go to another place in it.
 * May not touch: the values that stay. Source: Compose file format 3.13; docker 28.
 */
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "specs/export/swarm.h"
#include "specs/model_json.h"

#define FORMAT "3.13"

/* ---- keys that leave ---- */

static bool has_deeper(const char *pattern)
{
	size_t len = strlen(pattern);

	for (size_t i = 0; i < swarm_keys.count; i++) {
		const char *row = swarm_keys.rows[i].pattern;

		if (strncmp(row, pattern, len) == 0 && (row[len] == '.' || row[len] == '['))
			return true;
	}
	return false;
}

static const struct export_row *own_row(const char *pattern)
{
	for (size_t i = 0; i < swarm_keys.count; i++)
		if (strcmp(swarm_keys.rows[i].pattern, pattern) == 0)
			return &swarm_keys.rows[i];
	return NULL;
}

static void filter(struct arena *arena, struct json_object *value, const char *pattern);

/* The member stays? */
static bool filter_member(struct arena *arena, const char *pattern, const char *key,
			  struct json_object *value)
{
	const char *own = arena_format(arena, "%s.%s", pattern, key);
	const char *any = arena_format(arena, "%s.*", pattern);
	const struct export_row *row;

	if (!own_row(own) && !has_deeper(own)) {
		if (!own_row(any) && !has_deeper(any))
			return false;
		own = any;
	}
	row = own_row(arena_format(arena, "%s[]", own));
	if (row && row->verdict == EXPORT_DROPPED)
		return false; /* every item of the list is */
	row = own_row(own);
	if (row && row->verdict == EXPORT_DROPPED)
		return false;
	filter(arena, value, own);
	/* a map of which nothing stayed: {} of a name is a value, of others it is none */
	return row || json_object_is_type(value, json_type_array) ||
	       (value && json_object_object_length(value) > 0);
}

static void filter(struct arena *arena, struct json_object *value, const char *pattern)
{
	struct texts gone = { 0 };

	if (!has_deeper(pattern))
		return;
	for (size_t i = 0; i < json_array_count(value); i++)
		filter(arena, json_object_array_get_idx(value, i),
		       arena_format(arena, "%s[]", pattern));
	if (!json_object_is_type(value, json_type_object))
		return;
	json_each(value, key, member)
		if (!filter_member(arena, pattern, key, member))
			*(const char **)arena_grow(arena, &gone.items, &gone.count,
						   sizeof(*gone.items)) = arena_strdup(arena, key);
	for (size_t i = 0; i < gone.count; i++)
		swarm_drop(value, gone.items[i]);
}

/* ---- keys of the project ---- */

/* PROJECT_KEY comes by itself; a name of its own stays. */
static void drop_own_name(const struct swarm *swarm, struct json_object *entry, const char *key)
{
	const char *name = json_text_or(entry, "name", "");

	if (!json_bool_or(entry, "external", false) &&
	    strcmp(name, arena_format(swarm->arena, "%s_%s", swarm->project->name, key)) == 0)
		swarm_drop(entry, "name");
}

static void fit_networks(struct swarm *swarm, struct json_object *networks)
{
	if (!networks)
		return;
	json_each(networks, key, entry) {
		struct json_object *ipam = json_object_at(entry, "ipam");
		struct json_object *pools = json_array_at(ipam, "config");

		drop_own_name(swarm, entry, key);
		for (size_t i = 0; i < json_array_count(pools); i++) {
			struct json_object *pool = json_object_array_get_idx(pools, i);

			swarm_drop(pool, "gateway");
			swarm_drop(pool, "ip_range");
			swarm_drop(pool, "aux_addresses");
		}
		swarm_drop(ipam, "options");
		if (!pools)
			swarm_drop(entry, "ipam");
		if (!json_bool_or(entry, "external", false))
			json_add_text(entry, "driver", "overlay");
	}
}

static void fit_volumes(struct swarm *swarm, struct json_object *volumes)
{
	if (!volumes)
		return;
	json_each(volumes, key, entry)
		drop_own_name(swarm, entry, key);
}

/* A file beside the stack file; without a folder, something that must be there. */
static void fit_content(struct swarm *swarm, const struct file_source *source, const char *what,
			struct json_object *entry)
{
	const char *text = source->content ? source->content : source->value;
	const char *path = arena_format(swarm->arena, "%ss.%s.%s", what, source->key,
					source->environment ? "environment" : "content");
	bool is_secret = strcmp(what, "secret") == 0;
	struct export_document *document;

	swarm_drop(entry, "environment");
	swarm_drop(entry, "content");
	if (!swarm->options->has_folder || !text || (is_secret && !swarm->options->with_secrets)) {
		swarm_drop(entry, "file");
		json_add_bool(entry, "external", true);
		json_add_text(entry, "name", source->name);
		report_say(swarm->report, EXPORT_DROPPED, path,
			   "must be there: docker %s create %s -%s", what, source->name,
			   is_secret ? "" : " (or -o DIR, which writes a file)");
		return;
	}
	document = arena_grow(swarm->arena, &swarm->result->documents,
			      &swarm->result->document_count, sizeof(*document));
	*document = (struct export_document){
		.file = arena_format(swarm->arena, "%ss/%s", what,
				     name_key(swarm->arena, source->key)),
		.text = text,
		.text_len = strlen(text),
		.is_secret = is_secret,
	};
	json_add_text(entry, "file", arena_format(swarm->arena, "./%s", document->file));
	report_say(swarm->report, EXPORT_EXACT, path, "the file %s", document->file);
}

static void fit_files(struct swarm *swarm, struct json_object *entries, const char *what,
		      const struct file_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_at(entries, sources[i].key);

		if (!entry)
			continue;
		drop_own_name(swarm, entry, sources[i].key);
		if (sources[i].environment || sources[i].content)
			fit_content(swarm, &sources[i], what, entry);
	}
}

static void fit_services(struct swarm *swarm, struct json_object *document)
{
	struct json_object *services = json_object_at(document, "services");
	const struct project *project = swarm->project;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		struct json_object *entry = json_object_at(services, service->name);

		if (!entry || !swarm_fit_service(swarm, service, entry, document))
			swarm_drop(services, service->name);
	}
}

/* A document that begins with its format, then what is in it, empty parts left out. */
static struct json_object *in_order(struct json_object *document)
{
	static const char *const keys[] = { "services", "networks", "volumes", "secrets",
					    "configs" };
	struct json_object *out = json_object_new_object();

	json_add_text(out, "version", FORMAT);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct json_object *part = json_object_at(document, keys[i]);

		if (part && json_object_object_length(part) > 0)
			json_object_object_add(out, keys[i], json_object_get(part));
	}
	return out;
}

void export_swarm(struct arena *arena, const struct project *project,
		  const struct export_options *options, struct export_result *out)
{
	AUTO(report) struct report *report = report_new(arena, &swarm_keys);
	AUTO(json) struct json_object *whole = model_json_write(project, MODEL_JSON_NESTED_X);
	AUTO(json)
	struct json_object *document =
		model_json_write(project, MODEL_JSON_DOLLARS | MODEL_JSON_NO_NULLS);
	struct swarm swarm = { arena, project, options, report, out };
	struct export_document *first;

	*out = (struct export_result){ 0 };
	first = arena_grow(arena, &out->documents, &out->document_count, sizeof(*first));
	first->file = "stack.yaml";
	fit_services(&swarm, document);
	json_each(document, key, part) {
		const char *pattern = arena_format(arena, "%s", key);

		if (has_deeper(pattern))
			filter(arena, part, pattern);
	}
	fit_networks(&swarm, json_object_at(document, "networks"));
	fit_volumes(&swarm, json_object_at(document, "volumes"));
	fit_files(&swarm, json_object_at(document, "secrets"), "secret", project->secrets,
		  project->secret_count);
	fit_files(&swarm, json_object_at(document, "configs"), "config", project->configs,
		  project->config_count);
	out->documents[0].object = in_order(document);
	report_finish(report, whole, out);
}

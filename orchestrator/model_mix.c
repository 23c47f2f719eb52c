/* orchestrator/model_mix - one model made of two.
 *
 * Owns: which parts of a model go with a service. May not touch: disk, what is applied.
 */
#include "orchestrator/model_mix.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct json_object *parse(const char *text)
{
	struct err ignored = ERR_NONE;

	return text ? json_parse("model", text, strlen(text), &ignored) : NULL;
}

/* What the former service may need and the present file has no longer. */
static void add_missing(struct json_object *now, struct json_object *former, const char *key)
{
	struct json_object *have = json_object_at(now, key), *all = json_object_at(former, key);

	if (!all)
		return;
	if (!have)
		have = json_add_object(now, key);
	json_each(all, name, value)
		if (!json_object_object_get_ex(have, name, NULL))
			json_object_object_add(have, name, json_object_get(value));
}

static bool uses(const struct json_object *service, const char *key, const char *source)
{
	struct json_object *list = json_array_at(service, key);

	for (size_t i = 0; i < json_array_count(list); i++)
		if (strcmp(json_text_or(json_object_array_get_idx(list, i), "source", ""),
			   source) == 0)
			return true;
	return false;
}

/* Whether a service that stays as it is has the config or secret, too. */
static bool is_used_by_others(struct json_object *now, const char *key, const char *source,
			      const char *const *services, size_t count)
{
	struct json_object *all = json_object_at(now, "services");

	if (!all)
		return false;
	json_each(all, name, service) {
		size_t i = 0;

		while (i < count && strcmp(services[i], name) != 0)
			i++;
		if (i == count && uses(service, key, source))
			return true;
	}
	return false;
}

/* What a config says stands in the model: a service goes back with it, unless others have it. */
static void bring_contents(struct json_object *now, struct json_object *former, const char *key,
			   const char *const *services, size_t count)
{
	struct json_object *have = json_object_at(now, key), *all = json_object_at(former, key);

	if (!have || !all)
		return;
	for (size_t i = 0; i < count; i++) {
		struct json_object *list = json_array_at(
			json_object_at(json_object_at(former, "services"), services[i]), key);

		for (size_t k = 0; k < json_array_count(list); k++) {
			const char *source =
				json_text_or(json_object_array_get_idx(list, k), "source", "");
			struct json_object *entry = json_object_at(all, source);

			if (entry && !is_used_by_others(now, key, source, services, count))
				json_object_object_add(have, source, json_object_get(entry));
		}
	}
}

static const char *const shared[] = { "networks", "volumes", "secrets", "configs" };

struct model *model_mix(const struct model *now, const struct model *former,
			const char *const *services, size_t count, struct err *err)
{
	AUTO(json) struct json_object *json = parse(count ? now->text : former->text);
	AUTO(json) struct json_object *old = parse(former->text);

	if (!json || !old) {
		err_set(err, ERR_INVALID, "the stored model is damaged");
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *service =
			json_object_at(json_object_at(old, "services"), services[i]);

		if (service)
			json_object_object_add(json_object_at(json, "services"), services[i],
					       json_object_get(service));
	}
	for (size_t i = 0; count && i < sizeof(shared) / sizeof(*shared); i++)
		add_missing(json, old, shared[i]);
	bring_contents(json, old, "configs", services, count);
	bring_contents(json, old, "secrets", services, count);
	return model_from_json(json, err);
}

struct model *model_keep_active(const struct model *now, const struct model *before,
				bool (*exists)(void *ctx, const char *service), void *ctx)
{
	AUTO(json) struct json_object *json = NULL;
	AUTO(json) struct json_object *old = NULL;
	const struct project *project = now->project;
	struct err err = ERR_NONE;
	struct model *model;

	for (size_t i = 0; i < project->disabled_service_count; i++) {
		const char *name = project->disabled_services[i].name;
		struct json_object *aside, *service = NULL;

		if (!project_find_service(before->project, name) || !exists(ctx, name))
			continue;
		if (!json) {
			json = parse(now->text);
			old = parse(before->text);
		}
		aside = json_object_at(json_object_at(json, "stack"), "disabled_services");
		if (!json_object_object_get_ex(aside, name, &service))
			continue;
		json_object_object_add(json_object_at(json, "services"), name,
				       json_object_get(service));
		json_object_object_del(aside, name);
	}
	if (!json || !old)
		return NULL;
	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		add_missing(json, old, shared[i]);
	model = model_from_json(json, &err);
	return model;
}

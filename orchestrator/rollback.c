/* orchestrator/rollback - a former model in force again.
 *
 * Owns: which model, and how one service of it gets into the present one. May not touch: how it is
 * applied (change).
 */
#include "orchestrator/rollback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/model_mix.h"
#include "orchestrator/values.h"
#include "specs/hash.h"

const char *rollback_pin(const struct change *change, const char *service)
{
	return pairs_get(&change->pins, service);
}

/* ---- the change ---- */

static void add_pin(struct change *change, const char *service, const char *id)
{
	struct pair *pair;

	if (!id || !*id)
		return;
	pair = arena_grow(change->arena, &change->pins.items, &change->pins.count, sizeof(*pair));
	pair->name = arena_strdup(change->arena, service);
	pair->value = arena_strdup(change->arena, id);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static struct change *compose(struct supervisor *sv, struct model *model,
			      const char *const *services, size_t count)
{
	struct change *change = xcalloc(1, sizeof(*change));

	values_put_back(sv->dirs, model);
	change->sv = sv;
	change->arena = arena_new();
	change->op = "rollback";
	change->timeout_us = -1;
	change->model = model;
	change->brings_model = true;
	change->options.op = PLAN_UP;
	change->options.flags = PLAN_ROLLBACK;
	for (size_t i = 0; i < count; i++)
		*(const char **)arena_grow(change->arena, &change->options.services,
					   &change->options.service_count, sizeof(char *)) =
			arena_strdup(change->arena, services[i]);
	return change;
}

static void sort_pins(struct change *change)
{
	if (change->pins.count)
		qsort(change->pins.items, change->pins.count, sizeof(struct pair), by_name);
}

/* ---- asked for ---- */

#define ID_MAX 128

static struct json_object *parse_images(const char *text)
{
	struct err ignored = ERR_NONE;

	return text ? json_parse("images", text, strlen(text), &ignored) : NULL;
}

static const char *image_of(const struct model *model, const char *service, char out[ID_MAX])
{
	struct json_object *images = parse_images(model->images);

	snprintf(out, ID_MAX, "%s", json_text_or(images, service, ""));
	json_object_put(images);
	return out;
}

static bool is_other(const struct model *now, const struct model *former, const char *name)
{
	const struct service *a = project_find_service(now->project, name);
	const struct service *b = project_find_service(former->project, name);
	char left[SERVICE_HASH_LEN + 1], right[SERVICE_HASH_LEN + 1];
	char image[ID_MAX], former_image[ID_MAX];

	if (!b)
		return false;
	if (!a)
		return true;
	service_hash(a, left);
	service_hash(b, right);
	image_of(now, name, image);
	image_of(former, name, former_image);
	return strcmp(left, right) != 0 ||
	       (image[0] && former_image[0] && strcmp(image, former_image) != 0);
}

/* The newest former model that has all the services, and one of them otherwise. */
static struct model *find_former(struct supervisor *sv, const char *const *services, size_t count,
				 struct err *err)
{
	for (uint64_t seq = sv->model->seq; seq-- > 1;) {
		struct err gone = ERR_NONE;
		struct model *model = model_load(sv->dirs, seq, &gone);
		bool other = count == 0;

		for (size_t i = 0; model && i < count; i++)
			other |= is_other(sv->model, model, services[i]);
		if (model && other)
			return model;
		model_unref(model);
	}
	if (count)
		err_set(err, ERR_NOT_FOUND, "the history has no other state of %s", services[0]);
	else
		err_set(err, ERR_NOT_FOUND, "the history has no former model");
	return NULL;
}

static int check_services(const struct supervisor *sv, const char *const *services, size_t count,
			  struct err *err)
{
	if (!sv->model)
		return err_set(err, ERR_NOT_FOUND, "project %s is not up", sv->dirs->name);
	for (size_t i = 0; i < count; i++)
		if (!project_find_service(sv->model->project, services[i]))
			return err_set(err, ERR_NOT_FOUND, "no such service: %s", services[i]);
	return 0;
}

void rollback_begin(struct supervisor *sv, struct control_request *request,
		    const char *const *services, size_t count)
{
	struct err err = ERR_NONE;
	struct model *former = NULL, *model = NULL;
	struct change *change;

	if (check_services(sv, services, count, &err) == 0)
		former = find_former(sv, services, count, &err);
	if (former)
		model = model_mix(sv->model, former, services, count, &err);
	if (!model) {
		model_unref(former);
		control_fail(request, &err);
		return;
	}
	change = compose(sv, model, services, count);
	for (size_t i = 0; i < model->project->service_count; i++) {
		const char *name = model->project->services[i].name;
		char id[ID_MAX];

		if (!count ||
		    texts_has(&(struct texts){ (const char **)(uintptr_t)services, count }, name))
			add_pin(change, name, image_of(former, name, id));
	}
	sort_pins(change);
	model_unref(former);
	change->request = request;
	control_set_data(request, change);
	change_submit(change);
}

/* ---- by itself ---- */

static void copy_scale(struct change *change, const struct plan_options *options)
{
	struct plan_scale *list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < options->scale_count; i++)
		*(struct plan_scale *)arena_grow(change->arena, &list, &count, sizeof(*list)) =
			(struct plan_scale){ arena_strdup(change->arena, options->scale[i].service),
					     options->scale[i].count };
	change->options.scale = list;
	change->options.scale_count = count;
}

bool rollback_after(struct change *failed, const struct err *why)
{
	const char *service = failed->roll_back;
	struct err err = ERR_NONE;
	struct model *model;
	struct change *change;

	if (!failed->before || !project_find_service(failed->before->project, service))
		return false;
	model = model_mix(failed->model, failed->before, &service, 1, &err);
	if (!model) {
		log_warn("no-rollback", KV_S("service", service), KV_S("error", err.msg));
		return false;
	}
	change = compose(failed->sv, model, &service, 1);
	change->options.flags |= PLAN_NO_DEPS;
	copy_scale(change, &failed->options);
	for (size_t i = 0; i < failed->seen.container_count && !change->pins.count; i++)
		if (strcmp(failed->seen.containers[i].service, service) == 0)
			add_pin(change, service, failed->seen.containers[i].image_id);
	change->because = *why;
	change->request = failed->request;
	failed->request = NULL;
	if (change->request) {
		control_set_data(change->request, change);
		change_notice(change, arena_format(change->arena, "%s; service %s is rolled back",
						   why->msg, service));
	}
	change_submit_next(change);
	return true;
}

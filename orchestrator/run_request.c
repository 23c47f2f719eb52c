/* orchestrator/run_request - what a `run` asks for.
 *
 * Works on the model's JSON, where every key of a service has a name: the request's "definition"
 * takes the service's place, then the short members go over it. Owns: which keys a one-off
 * container loses. May not touch: how it is started (change_run).
 */
#include "orchestrator/run_request.h"

#include <string.h>

#include "base/json.h"

/* Members of `run` that replace a key of the service as they are. */
static const struct {
	const char *member, *key;
} replaced[] = {
	{"entrypoint",   "entrypoint" },
        { "command",     "command"    },
        { "user",        "user"       },
	{ "working_dir", "working_dir"},
        { "tty",         "tty"        },
        { "stdin",       "stdin_open" },
};

/* What one container that runs once has no use for. */
static const char *const dropped[] = { "healthcheck", "container_name", "scale", "x-stack" };

static struct json_object *copy_of(struct json_object *object)
{
	struct json_object *copy = NULL;

	return json_object_deep_copy(object, &copy, NULL) == 0 ? copy : NULL;
}

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, copy_of(value));
}

static void put_environment(struct json_object *service, struct json_object *wanted)
{
	struct json_object *environment = json_object_at(service, "environment");

	if (!wanted)
		return;
	if (!environment)
		environment = json_add_object(service, "environment");
	json_each(wanted, name, value)
		put(environment, name, value);
}

/* Of deploy the limits alone hold for a container that is no replica. */
static void keep_limits(struct json_object *service)
{
	struct json_object *limits =
		copy_of(json_object_at(json_object_at(service, "deploy"), "resources"));

	json_object_object_del(service, "deploy");
	if (limits)
		json_object_object_add(json_add_object(service, "deploy"), "resources", limits);
}

static void change_service(struct json_object *service, struct json_object *run)
{
	struct json_object *value;
	bool has_command = json_object_object_get_ex(run, "command", &value);

	if (json_object_object_get_ex(run, "entrypoint", &value) && !has_command)
		json_object_object_del(service, "command");
	for (size_t i = 0; i < sizeof(replaced) / sizeof(*replaced); i++)
		if (json_object_object_get_ex(run, replaced[i].member, &value))
			put(service, replaced[i].key, value);
	put_environment(service, json_object_at(run, "environment"));
	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		json_object_object_del(service, dropped[i]);
	keep_limits(service);
	json_add_text(service, "restart", "no");
}

/* A volume that the definition names and the file does not: one of the machine, by its name. */
static void declare_volumes(struct json_object *model, struct json_object *service)
{
	struct json_object *mounts = json_array_at(service, "volumes");
	struct json_object *volumes = json_object_at(model, "volumes");

	for (size_t i = 0; i < json_array_count(mounts); i++) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);
		const char *source = json_text_or(mount, "source", NULL);

		if (!source || strcmp(json_text_or(mount, "type", ""), "volume") != 0)
			continue;
		if (!volumes)
			volumes = json_add_object(model, "volumes");
		if (!json_object_object_get_ex(volumes, source, NULL))
			json_add_text(json_add_object(volumes, source), "name", source);
	}
}

/* Names in networks are the replicas' alone. */
static void drop_aliases(struct json_object *service)
{
	struct json_object *networks = json_object_at(service, "networks");

	if (!networks)
		return;
	json_each(networks, name, attachment) {
		(void)name;
		if (attachment)
			json_object_object_del(attachment, "aliases");
	}
}

struct model *run_model(const struct model *base, const char *name, struct json_object *run,
			struct err *err)
{
	AUTO(json)
	struct json_object *model = json_parse("model", base->text, strlen(base->text), err);
	struct json_object *services = json_object_at(model, "services");
	struct json_object *definition = json_object_at(run, "definition");

	if (!model)
		return NULL;
	if (!json_object_at(services, name)) {
		err_set(err, ERR_NOT_FOUND, "no such service: %s", name);
		return NULL;
	}
	if (definition)
		put(services, name, definition);
	change_service(json_object_at(services, name), run);
	declare_volumes(model, json_object_at(services, name));
	if (!json_bool_or(run, "use_aliases", false))
		drop_aliases(json_object_at(services, name));
	return model_from_json(model, err);
}

static void choose_needs(struct change *change, const struct service *service)
{
	bool alone = change->options.flags & PLAN_NO_DEPS;
	size_t count = alone ? 0 : service->depends_on_count;
	const char **needs = arena_alloc(change->arena, (count + 1) * sizeof(*needs));

	for (size_t i = 0; i < count; i++)
		needs[i] = service->depends_on[i].service;
	change->options.services = needs;
	change->options.service_count = count;
	change->options.flags &= ~PLAN_NO_DEPS;
	change->options.op = count ? PLAN_UP : PLAN_NOTHING;
}

int run_read(struct change *change, const struct json_object *message, struct err *err)
{
	struct json_object *run = json_object_at(message, "run");
	const char *name = json_text_or(run, "service", "");
	struct model *model = run_model(change->model, name, run, err);
	struct run_request *wanted;

	if (!model)
		return -1;
	wanted = arena_alloc(change->arena, sizeof(*wanted));
	*wanted = (struct run_request){
		.model = model,
		.service = project_find_service(model->project, name),
		.name = arena_strdup(change->arena, json_text_or(run, "name", NULL)),
		.with_ports = json_bool_or(run, "ports", false),
		.use_aliases = json_bool_or(run, "use_aliases", false),
		.remove = json_bool_or(run, "remove", false),
		.detach = json_bool_or(run, "detach", false),
	};
	change->run = wanted;
	if (wanted->service)
		choose_needs(change, wanted->service);
	return wanted->service ? 0 : err_set(err, ERR_NOT_FOUND, "no such service: %s", name);
}

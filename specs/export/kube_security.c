/* specs/export/kube_security - rights and limits of a pod: securityContext, resources.
 *
 * Owns: which right becomes which field, quantities. May not touch: mounts, probes.
 */
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "specs/export/kube.h"

#define ID_MAX            2147483647u
#define CPU_PERIOD_US     100000.0
#define SHARES_OF_ONE_CPU 1024.0

/* ---- rights ---- */

static bool parse_id(const char *text, size_t len, uint64_t *out)
{
	struct err err = ERR_NONE;

	return num_parse_u64("id", text, len, 0, ID_MAX, out, &err) == 0;
}

static void add_user(struct pod *pod, struct json_object *context)
{
	const char *user = pod->unit->service->user;
	struct slice name, group;
	uint64_t id;

	if (!user || !*user)
		return;
	slice_split(SLICE(user), ':', &name, &group);
	if (!parse_id(name.at, name.len, &id)) {
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, "user",
			 "names are not looked up in the image there: give numbers");
		return;
	}
	json_add_int(context, "runAsUser", (int64_t)id);
	if (group.len == 0)
		return;
	if (parse_id(group.at, group.len, &id))
		json_add_int(context, "runAsGroup", (int64_t)id);
	else
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, "user",
			 "runAsUser alone: the group's name is not looked up in the image there");
}

static void add_capabilities(struct json_object *context, const char *key,
			     const struct texts *names)
{
	struct json_object *capabilities = json_object_at(context, "capabilities"), *list;

	if (names->count == 0)
		return;
	if (!capabilities)
		capabilities = json_add_object(context, "capabilities");
	list = json_add_array(capabilities, key);
	for (size_t i = 0; i < names->count; i++)
		json_push_text(list, text_starts(names->items[i], "CAP_") ? names->items[i] + 4
									  : names->items[i]);
}

/* A cluster refuses a pod that may not gain rights and has them all. */
static bool has_all_rights(const struct service *service)
{
	return service->privileged || texts_has(&service->cap_add, "SYS_ADMIN") ||
	       texts_has(&service->cap_add, "CAP_SYS_ADMIN");
}

static bool add_label_option(struct json_object *context, const char *option)
{
	static const char *const fields[] = { "user", "role", "type", "level" };
	struct json_object *options;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		size_t len = strlen(fields[i]);

		if (strncmp(option, fields[i], len) != 0 || option[len] != ':')
			continue;
		options = json_object_at(context, "seLinuxOptions");
		if (!options)
			options = json_add_object(context, "seLinuxOptions");
		json_add_text(options, fields[i], option + len + 1);
		return true;
	}
	return false;
}

/* NULL: it was translated. */
static const char *add_option(struct pod *pod, struct json_object *context, const char *option)
{
	const struct service *service = pod->unit->service;

	if (text_starts(option, "no-new-privileges")) {
		if (text_ends(option, "false"))
			return NULL;
		if (has_all_rights(service))
			return "not together with all rights";
		json_add_bool(context, "allowPrivilegeEscalation", false);
		return NULL;
	}
	if (strcmp(option, "seccomp=unconfined") == 0 ||
	    strcmp(option, "seccomp:unconfined") == 0) {
		json_add_text(json_add_object(context, "seccompProfile"), "type", "Unconfined");
		return NULL;
	}
	if (text_starts(option, "seccomp"))
		return "the profile must lie on the nodes";
	if (text_starts(option, "label") && option[5] && add_label_option(context, option + 6))
		return NULL;
	return "has no counterpart";
}

static void add_options(struct pod *pod, struct json_object *context)
{
	const struct texts *options = &pod->unit->service->security_opt;

	for (size_t i = 0; i < options->count; i++) {
		const char *why = add_option(pod, context, options->items[i]);

		if (why)
			unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, "security_opt",
				      "%s: %s", options->items[i], why);
	}
	if (!pod->unit->service->privileged && !json_object_at(context, "seccompProfile"))
		json_add_text(json_add_object(context, "seccompProfile"), "type", "RuntimeDefault");
}

static void add_groups(struct pod *pod, struct json_object *context)
{
	const struct texts *groups = &pod->unit->service->group_add;
	struct json_object *list = NULL;
	uint64_t id;

	for (size_t i = 0; i < groups->count; i++) {
		if (!parse_id(groups->items[i], strlen(groups->items[i]), &id)) {
			unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, "group_add",
				      "%s: names are not looked up in the image there",
				      groups->items[i]);
			continue;
		}
		if (!list)
			list = json_add_array(context, "supplementalGroups");
		json_object_array_add(list, json_object_new_int64((int64_t)id));
	}
}

static void add_sysctls(const struct service *service, struct json_object *context)
{
	struct json_object *list =
		service->sysctls.count ? json_add_array(context, "sysctls") : NULL;

	for (size_t i = 0; i < service->sysctls.count; i++) {
		struct json_object *item = json_object_new_object();

		json_add_text(item, "name", service->sysctls.items[i].name);
		json_add_text(item, "value", service->sysctls.items[i].value);
		json_object_array_add(list, item);
	}
}

static void add_context(struct json_object *object, struct json_object *context)
{
	if (json_object_object_length(context) > 0)
		json_object_object_add(object, "securityContext", context);
	else
		json_object_put(context);
}

void kube_security(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	struct json_object *own = json_object_new_object(), *shared = json_object_new_object();

	add_user(pod, own);
	add_capabilities(own, "add", &service->cap_add);
	add_capabilities(own, "drop", &service->cap_drop);
	if (service->privileged)
		json_add_bool(own, "privileged", true);
	if (service->read_only)
		json_add_bool(own, "readOnlyRootFilesystem", true);
	add_options(pod, own);
	add_groups(pod, shared);
	add_sysctls(service, shared);
	add_context(pod->container, own);
	add_context(pod->spec, shared);
}

/* ---- limits ---- */

static const char *cpu_quantity(struct arena *arena, double cpus)
{
	int64_t millis = (int64_t)(cpus * 1000 + 0.999999);

	if (millis < 1)
		millis = 1;
	return millis % 1000 ? arena_format(arena, "%jdm", (intmax_t)millis)
			     : arena_format(arena, "%jd", (intmax_t)(millis / 1000));
}

const char *kube_bytes(struct arena *arena, int64_t bytes)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {
		{"Gi",  30},
                { "Mi", 20},
                { "Ki", 10}
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (bytes % ((int64_t)1 << units[i].shift) == 0)
			return arena_format(arena, "%jd%s", (intmax_t)(bytes >> units[i].shift),
					    units[i].unit);
	return arena_format(arena, "%jd", (intmax_t)bytes);
}

static double cpu_limit(const struct service *service)
{
	struct opt_number cpus = service_cpus(service);

	if (cpus.is_set && cpus.value > 0)
		return cpus.value;
	if (!service->cpu_quota.is_set || service->cpu_quota.value <= 0)
		return 0;
	return (double)service->cpu_quota.value /
	       (service->cpu_period.value > 0 ? (double)service->cpu_period.value : CPU_PERIOD_US);
}

static double cpu_request(const struct service *service)
{
	const struct resources *resources = service->deploy ? service->deploy->resources : NULL;

	if (resources && resources->reservations && resources->reservations->cpus.is_set)
		return resources->reservations->cpus.value;
	return service->cpu_shares.is_set ? service->cpu_shares.value / SHARES_OF_ONE_CPU : 0;
}

/* GPUs are counted as the vendor's plugin offers them. */
static void add_devices(struct pod *pod, struct json_object *limits,
			const struct device_request *requests, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		const struct device_request *request = &requests[i];
		const char *path = arena_format(pod->kube->arena, "%s[%zu]", key, i);
		int64_t number = request->count.is_set ? request->count.value
						       : (int64_t)request->device_ids.count;

		if ((request->driver && strcmp(request->driver, "nvidia") != 0) || number <= 0) {
			unit_say(pod->kube, pod->unit, EXPORT_DROPPED, path,
				 "a number of devices of driver nvidia can be asked for");
			continue;
		}
		json_object_object_add(limits, "nvidia.com/gpu", json_object_new_int64(number));
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, path,
			 "limit nvidia.com/gpu: needs the vendor's device plugin");
	}
}

static void add_quantities(struct json_object *resources, const char *key,
			   struct json_object *quantities)
{
	if (json_object_object_length(quantities) > 0)
		json_object_object_add(resources, key, quantities);
	else
		json_object_put(quantities);
}

void kube_resources(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	struct arena *arena = pod->kube->arena;
	struct json_object *resources = json_object_new_object();
	struct json_object *limits = json_object_new_object(), *requests = json_object_new_object();
	double cpus = cpu_limit(service), wanted = cpu_request(service);
	struct opt_bytes memory = service_memory_limit(service);
	struct opt_bytes reserved = service_memory_reservation(service);
	const struct resources *deploy = service->deploy ? service->deploy->resources : NULL;

	if (cpus > 0)
		json_add_text(limits, "cpu", cpu_quantity(arena, cpus));
	if (wanted > 0) /* a cluster refuses a request above the limit */
		json_add_text(requests, "cpu",
			      cpu_quantity(arena, cpus > 0 && wanted > cpus ? cpus : wanted));
	if (memory.is_set && memory.bytes > 0)
		json_add_text(limits, "memory", kube_bytes(arena, memory.bytes));
	if (reserved.is_set && reserved.bytes > 0)
		json_add_text(requests, "memory",
			      kube_bytes(arena, memory.bytes > 0 && reserved.bytes > memory.bytes
							? memory.bytes
							: reserved.bytes));
	add_devices(pod, limits, service->gpus, service->gpu_count, "gpus");
	if (deploy && deploy->reservations)
		add_devices(pod, limits, deploy->reservations->devices,
			    deploy->reservations->device_count,
			    "deploy.resources.reservations.devices");
	add_quantities(resources, "limits", limits);
	add_quantities(resources, "requests", requests);
	add_quantities(pod->container, "resources", resources);
}

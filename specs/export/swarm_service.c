/* specs/export/swarm_service - one service of a stack file: what lies below deploy there, ports,
 * jobs.
 *
 * Owns: keys that move, shapes that differ. May not touch: keys that leave (swarm).
 */
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "specs/export/swarm.h"
#include "specs/scalar.h"

#define CPU_PERIOD_US 100000.0

#define say(swarm, verdict, service, key, ...)                                                     \
	report_say((swarm)->report, (verdict),                                                     \
		   arena_format((swarm)->arena, "services.%s.%s", (service)->name, (key)),         \
		   __VA_ARGS__)

static struct json_object *below(struct json_object *object, const char *key)
{
	struct json_object *member = json_object_at(object, key);

	return member ? member : json_add_object(object, key);
}

void swarm_drop(struct json_object *object, const char *key)
{
	if (json_object_is_type(object, json_type_object))
		json_object_object_del(object, key);
}

/* ---- deploy ---- */

static void fit_limits(struct swarm *swarm, const struct service *service,
		       struct json_object *deploy)
{
	struct opt_bytes memory = service_memory_limit(service);
	struct opt_bytes reserved = service_memory_reservation(service);
	struct opt_number cpus = service_cpus(service);
	struct opt_int pids = service_pids_limit(service);
	const struct resources *resources = service->deploy ? service->deploy->resources : NULL;
	struct json_object *out = json_object_new_object();
	char number[SCALAR_NUMBER_MAX];

	if (!cpus.is_set && service->cpu_quota.is_set && service->cpu_quota.value > 0)
		cpus = (struct opt_number){ (double)service->cpu_quota.value /
						    (service->cpu_period.value > 0
							     ? (double)service->cpu_period.value
							     : CPU_PERIOD_US),
					    true };
	if (cpus.is_set && cpus.value > 0) {
		scalar_number_text(cpus.value, number);
		json_add_text(below(out, "limits"), "cpus", number);
	}
	if (memory.is_set && memory.bytes > 0)
		json_add_text(below(out, "limits"), "memory",
			      arena_format(swarm->arena, "%jd", (intmax_t)memory.bytes));
	if (pids.is_set && pids.value > 0)
		json_add_int(below(out, "limits"), "pids", pids.value);
	if (resources && resources->reservations && resources->reservations->cpus.is_set) {
		scalar_number_text(resources->reservations->cpus.value, number);
		json_add_text(below(out, "reservations"), "cpus", number);
	}
	if (reserved.is_set && reserved.bytes > 0)
		json_add_text(below(out, "reservations"), "memory",
			      arena_format(swarm->arena, "%jd", (intmax_t)reserved.bytes));
	swarm_drop(deploy, "resources");
	if (json_object_object_length(out) > 0)
		json_object_object_add(deploy, "resources", out);
	else
		json_object_put(out);
}

static bool is_job(const struct swarm *swarm, const struct service *service)
{
	const struct project *project = swarm->project;

	for (size_t i = 0; i < project->service_count; i++)
		for (size_t k = 0; k < project->services[i].depends_on_count; k++) {
			const struct dependency *dependency = &project->services[i].depends_on[k];

			if (strcmp(dependency->service, service->name) == 0 &&
			    dependency->condition &&
			    strcmp(dependency->condition, "service_completed_successfully") == 0)
				return true;
		}
	return false;
}

static void fit_restart(struct swarm *swarm, const struct service *service,
			struct json_object *deploy)
{
	struct restart_rule rule = service_restart(service);
	const char *mode = json_text_or(deploy, "mode", "");
	bool runs_once = text_ends(mode, "-job");
	bool is_said = service->restart || (service->deploy && service->deploy->restart_policy);
	struct json_object *policy;

	if (!is_said && !runs_once)
		return; /* begun anew in any case: the swarm's default */
	policy = below(deploy, "restart_policy");
	json_add_text(policy, "condition",
		      rule.when == RESTART_NO           ? "none"
		      : rule.when == RESTART_ON_FAILURE ? "on-failure"
		      : runs_once                       ? "on-failure"
							: "any");
	if (rule.max_attempts)
		json_add_int(policy, "max_attempts", (int64_t)rule.max_attempts);
	if (service->restart && strcmp(service->restart, "unless-stopped") == 0)
		say(swarm, EXPORT_APPROXIMATED, service, "restart",
		    "condition any: a service of a swarm is not stopped by hand");
}

static void fit_deploy(struct swarm *swarm, const struct service *service,
		       struct json_object *entry)
{
	struct json_object *deploy = below(entry, "deploy");
	const char *mode = json_text_or(deploy, "mode", "");

	if (is_job(swarm, service) && !text_ends(mode, "-job")) {
		json_add_text(deploy, "mode", "replicated-job");
		mode = "replicated-job";
	}
	if (service->scale.is_set && !text_starts(mode, "global"))
		json_add_int(deploy, "replicas", service->scale.value);
	if (text_starts(mode, "global"))
		swarm_drop(deploy, "replicas");
	if (text_ends(mode, "-job")) {
		swarm_drop(deploy, "update_config");
		swarm_drop(deploy, "rollback_config");
	}
	fit_limits(swarm, service, deploy);
	fit_restart(swarm, service, deploy);
	if (service->port_count &&
	    strcmp(json_text_or(deploy, "endpoint_mode", ""), "dnsrr") == 0) {
		swarm_drop(deploy, "endpoint_mode");
		say(swarm, EXPORT_DROPPED, service, "deploy.endpoint_mode",
		    "dnsrr cannot publish ports");
	}
	if (service->platform) {
		struct slice os, rest, arch, variant;
		struct json_object *list = json_array_at(below(deploy, "placement"), "constraints");

		if (!list)
			list = json_add_array(below(deploy, "placement"), "constraints");
		slice_split(SLICE(service->platform), '/', &os, &rest);
		slice_split(rest, '/', &arch, &variant);
		json_push_text(list, arena_format(swarm->arena, "node.platform.os == %.*s",
						  SLICE_ARG(os)));
		if (arch.len)
			json_push_text(list,
				       arena_format(swarm->arena, "node.platform.arch == %.*s",
						    SLICE_ARG(arch)));
	}
}

/* ---- ports, volumes, files ---- */

static void fit_ports(struct swarm *swarm, const struct service *service, struct json_object *entry)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		const char *key = arena_format(swarm->arena, "ports[%zu]", i);
		bool is_local = port->host_ip && (text_starts(port->host_ip, "127.") ||
						  strcmp(port->host_ip, "::1") == 0);
		struct err err = ERR_NONE;
		struct json_object *item;
		uint64_t published = 0;

		if (is_local) {
			say(swarm, EXPORT_DROPPED, service, key,
			    "%s alone: a swarm publishes on all addresses of all nodes",
			    port->host_ip);
			continue;
		}
		item = json_object_new_object();
		json_add_int(item, "target", port->target);
		if (port->published &&
		    num_parse_u64("port", port->published,
				  num_digits(port->published, strlen(port->published)), 1, 65535,
				  &published, &err) == 0)
			json_add_int(item, "published", (int64_t)published);
		json_add_text(item, "protocol", port->protocol);
		json_add_text(item, "mode", port->mode);
		json_object_array_add(list, item);
		if (port->published && strchr(port->published, '-'))
			say(swarm, EXPORT_APPROXIMATED, service, key,
			    "the first port of the range");
		else if (port->host_ip && *port->host_ip && strcmp(port->host_ip, "0.0.0.0") != 0 &&
			 strcmp(port->host_ip, "::") != 0)
			say(swarm, EXPORT_APPROXIMATED, service, key,
			    "on all addresses, not on %s alone", port->host_ip);
	}
	swarm_drop(entry, "ports");
	if (json_array_count(list) > 0)
		json_object_object_add(entry, "ports", list);
	else
		json_object_put(list);
}

static void fit_volumes(struct swarm *swarm, const struct service *service,
			struct json_object *entry)
{
	struct json_object *list = json_array_at(entry, "volumes"), *shm;

	for (size_t i = 0; i < service->volume_count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct json_object *bind = json_object_at(item, "bind");

		if (strcmp(service->volumes[i].type, "bind") == 0)
			say(swarm, EXPORT_APPROXIMATED, service,
			    arena_format(swarm->arena, "volumes[%zu]", i),
			    "%s must be there on every node", service->volumes[i].source);
		if (json_object_at(item, "image"))
			report_say_part(swarm->report, EXPORT_DROPPED,
					arena_format(swarm->arena, "services.%s.volumes[%zu]",
						     service->name, i),
					"image.subpath: not known there");
		swarm_drop(item, "image");
		swarm_drop(bind, "create_host_path");
		swarm_drop(bind, "selinux");
		swarm_drop(bind, "recursive");
		if (bind && json_object_object_length(bind) == 0)
			swarm_drop(item, "bind");
		if (service->volumes[i].tmpfs && service->volumes[i].tmpfs->size.is_set)
			json_add_int(json_object_at(item, "tmpfs"), "size",
				     service->volumes[i].tmpfs->size.bytes);
	}
	if (!service->shm_size.is_set)
		return;
	if (!list)
		list = json_add_array(entry, "volumes");
	shm = json_object_new_object();
	json_add_text(shm, "type", "tmpfs");
	json_add_text(shm, "target", "/dev/shm");
	json_add_int(json_add_object(shm, "tmpfs"), "size", service->shm_size.bytes);
	json_object_array_add(list, shm);
	swarm_drop(entry, "shm_size");
}

/* A number for both limits, zero too, or both. */
static void fit_ulimits(const struct service *service, struct json_object *entry)
{
	struct json_object *limits = json_object_at(entry, "ulimits");

	for (size_t i = 0; i < service->ulimit_count; i++)
		if (service->ulimits[i].both.is_set)
			json_add_int(limits, service->ulimits[i].name,
				     service->ulimits[i].both.value);
}

/* A mode is a number there. */
static void fit_modes(struct json_object *list, const struct file_use *uses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (uses[i].mode.is_set)
			json_add_int(json_object_array_get_idx(list, i), "mode",
				     uses[i].mode.value);
}

/* ---- network ---- */

/* false: it is somebody else's network, which a swarm has not. */
static bool fit_network(struct swarm *swarm, const struct service *service,
			struct json_object *entry, struct json_object *document)
{
	const char *mode = service->network_mode;
	struct json_object *network;

	if (!mode)
		return true;
	if (text_starts(mode, "service:") || text_starts(mode, "container:")) {
		say(swarm, EXPORT_REFUSED, service, "network_mode",
		    "%s: two tasks cannot share a network", mode);
		return false;
	}
	if (strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0)
		return true;
	network = below(below(document, "networks"), mode);
	json_add_bool(network, "external", true);
	json_add_text(network, "name", mode);
	json_object_object_add(below(entry, "networks"), mode, NULL);
	say(swarm, EXPORT_EXACT, service, "network_mode", "the network %s of each node", mode);
	return true;
}

bool swarm_fit_service(struct swarm *swarm, const struct service *service,
		       struct json_object *entry, struct json_object *document)
{
	static const char *const moved[] = { "cpus",           "cpu_quota",  "cpu_period",
					     "mem_limit",      "pids_limit", "scale",
					     "restart",        "platform",   "profiles",
					     "env_file",       "label_file", "build",
					     "mem_reservation" };
	struct json_object *names;

	if (service->provider || service->credential_spec) {
		say(swarm, EXPORT_REFUSED, service,
		    service->provider ? "provider" : "credential_spec", "has no counterpart");
		return false;
	}
	if (!fit_network(swarm, service, entry, document))
		return false;
	json_add_text(entry, "image", service_image_name(swarm->arena, swarm->project, service));
	fit_deploy(swarm, service, entry);
	fit_ports(swarm, service, entry);
	fit_volumes(swarm, service, entry);
	fit_ulimits(service, entry);
	fit_modes(json_array_at(entry, "secrets"), service->secrets, service->secret_count);
	fit_modes(json_array_at(entry, "configs"), service->configs, service->config_count);
	if (service->healthcheck && service->healthcheck->probe)
		swarm_drop(entry, "healthcheck"); /* its other keys mean nothing without a test */
	for (size_t i = 0; i < sizeof(moved) / sizeof(*moved); i++)
		swarm_drop(entry, moved[i]);
	if (service->depends_on_count == 0)
		return true;
	swarm_drop(entry, "depends_on");
	names = json_add_array(entry, "depends_on");
	for (size_t i = 0; i < service->depends_on_count; i++)
		json_push_text(names, service->depends_on[i].service);
	return true;
}

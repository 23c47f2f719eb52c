/* orchestrator/bundle_linux - the linux section of config.json.
 *
 * Owns: how a service's limits and rights become OCI resources. May not touch: the process.
 */
#include "orchestrator/bundle_linux.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "orchestrator/bundle_seccomp.h"
#include "orchestrator/profile.h"

#define CPU_PERIOD_US 100000

static bool is_word(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static struct json_object *push_object(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static void push_namespace(struct json_object *array, const char *type, const char *path)
{
	struct json_object *entry = push_object(array);

	json_add_text(entry, "type", type);
	json_add_text(entry, "path", path);
}

static void add_namespaces(struct json_object *linux_section, const struct bundle_spec *spec)
{
	struct json_object *array = json_add_array(linux_section, "namespaces");
	const struct service *service = spec->service;

	push_namespace(array, "mount", NULL);
	if (spec->pid_path || !is_word(service->pid, "host"))
		push_namespace(array, "pid", spec->pid_path);
	if (spec->ipc_path || !is_word(service->ipc, "host"))
		push_namespace(array, "ipc", spec->ipc_path);
	if (!is_word(service->uts, "host"))
		push_namespace(array, "uts", NULL);
	if (spec->netns_path)
		push_namespace(array, "network", spec->netns_path);
	if (!is_word(service->cgroup, "host"))
		push_namespace(array, "cgroup", NULL);
}

static void add_memory(struct json_object *resources, const struct service *service)
{
	struct opt_bytes limit = service_memory_limit(service);
	struct opt_bytes reservation = service_memory_reservation(service);
	struct json_object *memory;

	if (!limit.is_set && !reservation.is_set && !service->memswap_limit.is_set &&
	    !service->mem_swappiness.is_set && !service->oom_kill_disable)
		return;
	memory = json_add_object(resources, "memory");
	if (limit.is_set && limit.bytes > 0)
		json_add_int(memory, "limit", limit.bytes);
	if (reservation.is_set && reservation.bytes > 0)
		json_add_int(memory, "reservation", reservation.bytes);
	if (service->memswap_limit.is_set && service->memswap_limit.bytes)
		json_add_int(memory, "swap", service->memswap_limit.bytes);
	if (service->mem_swappiness.is_set)
		json_add_int(memory, "swappiness", service->mem_swappiness.value);
	if (service->oom_kill_disable)
		json_add_bool(memory, "disableOOMKiller", true);
}

static void add_cpu(struct json_object *resources, const struct service *service)
{
	struct opt_number cpus = service_cpus(service);
	struct json_object *cpu = json_object_new_object();

	if (cpus.is_set && cpus.value > 0) {
		json_add_int(cpu, "quota", (int64_t)(cpus.value * CPU_PERIOD_US));
		json_add_int(cpu, "period", CPU_PERIOD_US);
	}
	if (service->cpu_quota.is_set)
		json_add_int(cpu, "quota", service->cpu_quota.value);
	if (service->cpu_period.is_set)
		json_add_int(cpu, "period", service->cpu_period.value);
	if (service->cpu_shares.is_set)
		json_add_int(cpu, "shares", (int64_t)service->cpu_shares.value);
	if (service->cpu_rt_runtime.is_set)
		json_add_int(cpu, "realtimeRuntime", service->cpu_rt_runtime.value);
	if (service->cpu_rt_period.is_set)
		json_add_int(cpu, "realtimePeriod", service->cpu_rt_period.value);
	json_add_text(cpu, "cpus", service->cpuset);
	if (json_object_object_length(cpu))
		json_object_object_add(resources, "cpu", cpu);
	else
		json_object_put(cpu);
}

static int device_number(const char *path, struct stat *st, struct err *err)
{
	if (stat(path, st) < 0)
		return err_set(err, ERR_NOT_FOUND, "device %s does not exist on this machine",
			       path);
	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))
		return err_set(err, ERR_INVALID, "%s is not a device", path);
	return 0;
}

static int add_rates(struct json_object *io, const char *key, const struct blkio_rate *rates,
		     size_t count, struct err *err)
{
	struct json_object *array;

	if (!count)
		return 0;
	array = json_add_array(io, key);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = push_object(array);
		struct stat st;

		if (device_number(rates[i].path, &st, err) < 0)
			return err_wrap(err, "blkio_config");
		json_add_int(entry, "major", major(st.st_rdev));
		json_add_int(entry, "minor", minor(st.st_rdev));
		json_add_int(entry, "rate", rates[i].rate.bytes);
	}
	return 0;
}

static int add_blkio(struct json_object *resources, const struct blkio *blkio, struct err *err)
{
	struct json_object *io;

	if (!blkio)
		return 0;
	io = json_add_object(resources, "blockIO");
	if (blkio->weight.is_set)
		json_add_int(io, "weight", blkio->weight.value);
	if (blkio->weight_device_count) {
		struct json_object *array = json_add_array(io, "weightDevice");

		for (size_t i = 0; i < blkio->weight_device_count; i++) {
			struct json_object *entry = push_object(array);
			struct stat st;

			if (device_number(blkio->weight_device[i].path, &st, err) < 0)
				return err_wrap(err, "blkio_config");
			json_add_int(entry, "major", major(st.st_rdev));
			json_add_int(entry, "minor", minor(st.st_rdev));
			json_add_int(entry, "weight", blkio->weight_device[i].weight.value);
		}
	}
	if (add_rates(io, "throttleReadBpsDevice", blkio->device_read_bps,
		      blkio->device_read_bps_count, err) < 0 ||
	    add_rates(io, "throttleWriteBpsDevice", blkio->device_write_bps,
		      blkio->device_write_bps_count, err) < 0 ||
	    add_rates(io, "throttleReadIOPSDevice", blkio->device_read_iops,
		      blkio->device_read_iops_count, err) < 0)
		return -1;
	return add_rates(io, "throttleWriteIOPSDevice", blkio->device_write_iops,
			 blkio->device_write_iops_count, err);
}

/* The rules that every container has after "deny all": the runtime adds the default devices. */
static void deny_all(struct json_object *rules)
{
	struct json_object *rule = push_object(rules);

	json_add_bool(rule, "allow", false);
	json_add_text(rule, "access", "rwm");
}

static void allow_device(struct json_object *rules, const char *type, int64_t major_number,
			 int64_t minor_number, const char *access)
{
	struct json_object *rule = push_object(rules);

	json_add_bool(rule, "allow", true);
	json_add_text(rule, "type", type);
	if (major_number >= 0)
		json_add_int(rule, "major", major_number);
	if (minor_number >= 0)
		json_add_int(rule, "minor", minor_number);
	json_add_text(rule, "access", access);
}

/* "c 13:* rwm" */
static int add_rule_text(struct json_object *rules, const char *text, struct err *err)
{
	struct slice type, numbers, access, rest, major_text, minor_text;
	int64_t numbers_out[2] = { -1, -1 };
	struct slice parts[2];
	char type_text[2] = "", access_text[8] = "";

	slice_split(SLICE(text), ' ', &type, &rest);
	slice_split(rest, ' ', &numbers, &access);
	slice_split(numbers, ':', &major_text, &minor_text);
	parts[0] = major_text;
	parts[1] = minor_text;
	for (size_t i = 0; i < 2; i++) {
		uint64_t value;

		if (slice_is(parts[i], "*"))
			continue;
		if (num_parse_u64("device number", parts[i].at, parts[i].len, 0, UINT32_MAX, &value,
				  err) < 0)
			return err_wrap(err, "device_cgroup_rules: \"%s\"", text);
		numbers_out[i] = (int64_t)value;
	}
	if (type.len != 1 || !strchr("abc", type.at[0]) || access.len < 1 || access.len > 3)
		return err_set(err, ERR_INVALID,
			       "device_cgroup_rules: \"%s\": must look like \"c 13:* rwm\"", text);
	type_text[0] = type.at[0];
	memcpy(access_text, access.at, access.len);
	allow_device(rules, type_text, numbers_out[0], numbers_out[1], access_text);
	return 0;
}

static int add_devices(struct json_object *linux_section, struct json_object *resources,
		       const struct service *service, struct err *err)
{
	struct json_object *rules = json_add_array(resources, "devices"), *devices;

	if (service->privileged) {
		allow_device(rules, "a", -1, -1, "rwm");
		return 0;
	}
	deny_all(rules);
	devices = json_add_array(linux_section, "devices");
	for (size_t i = 0; i < service->device_count; i++) {
		const struct device *device = &service->devices[i];
		const char *access = device->permissions ? device->permissions : "rwm";
		struct json_object *entry;
		struct stat st;

		if (!device->target)
			continue; /* by its description (cdi) */
		if (device_number(device->source, &st, err) < 0)
			return err_wrap(err, "devices");
		entry = push_object(devices);
		json_add_text(entry, "path", device->target);
		json_add_text(entry, "type", S_ISBLK(st.st_mode) ? "b" : "c");
		json_add_int(entry, "major", major(st.st_rdev));
		json_add_int(entry, "minor", minor(st.st_rdev));
		json_add_int(entry, "fileMode", st.st_mode & 07777);
		json_add_int(entry, "uid", st.st_uid);
		json_add_int(entry, "gid", st.st_gid);
		allow_device(rules, S_ISBLK(st.st_mode) ? "b" : "c", major(st.st_rdev),
			     minor(st.st_rdev), access);
	}
	for (size_t i = 0; i < service->device_cgroup_rules.count; i++)
		if (add_rule_text(rules, service->device_cgroup_rules.items[i], err) < 0)
			return -1;
	return 0;
}

static int add_resources(struct json_object *linux_section, const struct service *service,
			 struct err *err)
{
	struct json_object *resources = json_add_object(linux_section, "resources");
	struct opt_int pids = service_pids_limit(service);

	add_memory(resources, service);
	add_cpu(resources, service);
	if (pids.is_set && pids.value != 0)
		json_add_int(json_add_object(resources, "pids"), "limit", pids.value);
	if (add_blkio(resources, service->blkio_config, err) < 0)
		return -1;
	return add_devices(linux_section, resources, service, err);
}

static void add_pairs(struct json_object *sysctl, const struct pairs *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		json_add_text(sysctl, wanted->items[i].name,
			      wanted->items[i].value ? wanted->items[i].value : "");
}

static void add_sysctls(struct json_object *linux_section, const struct bundle_spec *spec)
{
	struct json_object *sysctl = json_add_object(linux_section, "sysctl");

	if (spec->netns_path && !spec->shares_netns) {
		json_add_text(sysctl, "net.ipv4.ip_unprivileged_port_start", "0");
		json_add_text(sysctl, "net.ipv4.ping_group_range", "0 2147483647");
	}
	add_pairs(sysctl, &spec->service->sysctls);
}

static void add_paths(struct json_object *linux_section, const char *key, const char *const *paths)
{
	struct json_object *array = json_add_array(linux_section, key);

	for (; *paths; paths++)
		json_push_text(array, *paths);
}

static bool has_word(const struct texts *texts, const char *word)
{
	return texts_has(texts, word);
}

int bundle_add_linux(struct arena *arena, struct json_object *config,
		     const struct bundle_spec *spec, struct err *err)
{
	struct json_object *linux_section = json_add_object(config, "linux");
	const struct service *service = spec->service;

	json_add_text(
		linux_section, "cgroupsPath",
		service->cgroup_parent
			? arena_format(arena, "%s/%s.%s", service->cgroup_parent,
				       spec->project->name, spec->slot)
			: arena_format(arena, "/stack/%s/%s", spec->project->name, spec->slot));
	add_namespaces(linux_section, spec);
	if (add_resources(linux_section, service, err) < 0)
		return -1;
	add_sysctls(linux_section, spec);
	if (!service->privileged && !has_word(&service->security_opt, "systempaths=unconfined")) {
		add_paths(linux_section, "maskedPaths", profile_masked_paths);
		add_paths(linux_section, "readonlyPaths", profile_readonly_paths);
	}
	if (bundle_add_seccomp(arena, linux_section, spec, err) < 0)
		return -1;
	if (service->annotations.count) {
		struct json_object *annotations = json_add_object(config, "annotations");

		for (size_t i = 0; i < service->annotations.count; i++)
			json_add_text(annotations, service->annotations.items[i].name,
				      service->annotations.items[i].value);
	}
	return 0;
}

/* runtime/verb_update - update.
 *
 * Owns: what its flags mean, the merge into the config copy. May not touch: cgroup files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "runtime/verbs.h"

/* "512m", "-1", "1073741824" and the like. */
static int parse_bytes(const char *what, const char *text, bool suffixes, int64_t *out,
		       struct err *err)
{
	static const char units[] = "bkmgt";
	size_t digits = num_digits(text, strlen(text));
	uint64_t number;
	const char *unit;
	int64_t scale = 1;

	if (strcmp(text, "-1") == 0) {
		*out = -1;
		return 0;
	}
	if (num_parse_u64(what, text, digits, 0, INT64_MAX, &number, err) < 0)
		return -1;
	if (text[digits] && suffixes) {
		unit = strchr(units, text[digits] | 0x20);
		if (!unit || (text[digits + 1] && strcasecmp(text + digits + 1, "b") != 0))
			return err_set(err, ERR_INVALID, "%s: unknown unit in %.40s", what, text);
		for (const char *u = units; u < unit; u++)
			scale *= 1024;
	} else if (text[digits]) {
		return err_set(err, ERR_INVALID, "%s: %.40s is no number", what, text);
	}
	return __builtin_mul_overflow((int64_t)number, scale, out)
		       ? err_set(err, ERR_INVALID, "%s: %.40s is too large", what, text)
		       : 0;
}

#define FLAG(member) offsetof(struct flags, member)

/* clang-format off */
static const struct update_row {
	const char *name, *section, *key;
	size_t offset;
	bool is_text, is_bytes;
} rows[] = {
	{ "--blkio-weight", "blockIO", "weight", FLAG(blkio_weight), false, false},
	{ "--cpu-period", "cpu", "period", FLAG(cpu_period), false, false},
	{ "--cpu-quota", "cpu", "quota", FLAG(cpu_quota), false, false},
	{ "--cpu-burst", "cpu", "burst", FLAG(cpu_burst), false, false},
	{ "--cpu-share", "cpu", "shares", FLAG(cpu_shares), false, false},
	{ "--cpu-rt-period", "cpu", "realtimePeriod", FLAG(cpu_rt_period), false, false},
	{ "--cpu-rt-runtime", "cpu", "realtimeRuntime", FLAG(cpu_rt_runtime), false, false},
	{ "--cpu-idle", "cpu", "idle", FLAG(cpu_idle), false, false},
	{ "--cpuset-cpus", "cpu", "cpus", FLAG(cpuset_cpus), true, false},
	{ "--cpuset-mems", "cpu", "mems", FLAG(cpuset_mems), true, false},
	{ "--memory", "memory", "limit", FLAG(memory), false, true },
	{ "--memory-reservation", "memory", "reservation", FLAG(memory_reservation), false, true },
	{ "--memory-swap", "memory", "swap", FLAG(memory_swap), false, true },
	{ "--pids-limit", "pids", "limit", FLAG(pids_limit), false, false},
};
/* clang-format on */

static struct json_object *section(struct json_object *parent, const char *key)
{
	struct json_object *object = json_object_at(parent, key);

	return object ? object : json_add_object(parent, key);
}

/* The request as linux.resources, whichever way it came. */
static struct json_object *request(const struct flags *flags, struct err *err)
{
	AUTO(json) struct json_object *json = NULL;
	AUTO(free) char *text = NULL;
	size_t len;

	if (flags->resources) {
		if ((strcmp(flags->resources, "-") == 0
			     ? file_read_fd(0, "stdin", CONFIG_MAX_BYTES, &text, &len, err)
			     : file_read(AT_FDCWD, flags->resources, CONFIG_MAX_BYTES, &text, &len,
					 err)) < 0)
			return NULL;
		return json_parse("resources", text, len, err);
	}
	json = json_object_new_object();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value;
		int64_t number = 0;

		memcpy(&value, (const char *)flags + rows[i].offset, sizeof(value));
		if (!value || !value[0])
			continue;
		if (rows[i].is_text) {
			json_add_text(section(json, rows[i].section), rows[i].key, value);
			continue;
		}
		if (parse_bytes(rows[i].name, value, rows[i].is_bytes, &number, err) < 0)
			return NULL;
		json_add_int(section(json, rows[i].section), rows[i].key, number);
	}
	return TAKE(json);
}

/* Members of `from` over those of `into`, objects member by member. */
static void merge(struct json_object *into, struct json_object *from)
{
	json_each(from, key, value) {
		struct json_object *old = json_object_at(into, key);

		if (old && json_object_is_type(value, json_type_object))
			merge(old, value);
		else
			json_object_object_add(into, key, json_object_get(value));
	}
}

static void warn_ignored(struct runtime *runtime, const struct flags *flags)
{
	if (flags->kernel_memory || flags->kernel_memory_tcp)
		runtime_log(runtime, "warning", "--kernel-memory has no effect");
}

/* A memory limit alone must be seen against the swap limit that holds already, and so on: what the
 * cgroup has counts where the request is silent. */
static void complete(struct config_resources *now, const struct config_resources *before)
{
	if (now->memory_swap.value > 0 && !now->memory_limit.set)
		now->memory_limit = before->memory_limit;
}

int verb_update(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(config) struct config *config = NULL;
	AUTO(config) struct config *wanted = NULL;
	AUTO(json) struct json_object *json = NULL;
	const char *text;

	(void)count;
	if (!state)
		return err_wrap(err, "update %.64s", args[0]);
	if (state_status(state) == STATUS_STOPPED)
		return err_set(err, ERR_INVALID, "update %.64s: container not running", args[0]);
	if (flags->l3_cache_schema || flags->mem_bw_schema)
		return err_set(err, ERR_UNSUPPORTED, "update %.64s: Intel RDT is not supported",
			       args[0]);
	warn_ignored(runtime, flags);
	config = state_config(state, err);
	json = config ? request(flags, err) : NULL;
	if (!json)
		return err_wrap(err, "update %.64s", args[0]);
	if (!flags->resources && json_object_at(json, "memory") &&
	    json_int_or(json_object_at(json, "memory"), "swap", 0) > 0 && !flags->memory &&
	    config->resources.memory_limit.set)
		json_add_int(json_object_at(json, "memory"), "limit",
			     config->resources.memory_limit.value);
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	wanted = config_parse_resources(text, strlen(text), err);
	if (!wanted)
		return err_wrap(err, "update %.64s", args[0]);
	complete(&wanted->resources, &config->resources);
	if (!state->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "update %.64s: container has no cgroup",
			       args[0]);
	if (cgroup_set(state->cgroup, &wanted->resources, true, err) < 0)
		return err_wrap(err, "update %.64s", args[0]);
	merge(section(section(config->json, "linux"), "resources"), json);
	text = json_object_to_json_string_ext(config->json, JSON_C_TO_STRING_PLAIN |
								    JSON_C_TO_STRING_NOSLASHESCAPE);
	return file_replace(state->dir_fd, "config.json", text, strlen(text), err);
}

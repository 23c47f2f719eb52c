/* runtime/config_resources - linux.resources of config.json.
 *
 * Owns: its key tables and ranges. May not touch: cgroup files (runtime/cgroup_v1, cgroup_v2).
 */
#include <string.h>

#include "base/json.h"
#include "runtime/config_linux.h"

#define RESOURCE(member) .offset = offsetof(struct config_resources, member)

static int decode_rule_type(struct reader *reader, struct json_object *value,
			    const struct place *at, void *target)
{
	const char *text = decode_text(reader, value, at);

	if (!text)
		return -1;
	if (!text[0] || text[1] || !strchr("abcu", text[0]))
		return decode_fail(reader, at, "must be a, b or c");
	((struct config_device_rule *)target)->type = text[0] == 'u' ? 'c' : text[0];
	return 0;
}

static int decode_rule_access(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	struct config_device_rule *rule = target;
	const char *text = decode_text(reader, value, at);

	for (const char *c = text; c && *c; c++)
		switch (*c) {
		case 'r':
			rule->access |= DEVICE_READ;
			break;
		case 'w':
			rule->access |= DEVICE_WRITE;
			break;
		case 'm':
			rule->access |= DEVICE_MKNOD;
			break;
		case 'a': /* once written by engines; adds nothing */
			break;
		default:
			return decode_fail(reader, at, "must be made of r, w and m");
		}
	return text ? 0 : -1;
}

struct rule_numbers {
	struct config_device_rule rule;
	struct config_int major, minor;
};

/* clang-format off */
static const struct field rule_fields[] = {
	{ .key = "allow", .kind = FIELD_BOOL, .offset = offsetof(struct rule_numbers, rule.allow),
	  .required = true },
	{ .key = "type", .kind = FIELD_CUSTOM, .custom = decode_rule_type },
	{ .key = "major", .kind = FIELD_INT, .offset = offsetof(struct rule_numbers, major) },
	{ .key = "minor", .kind = FIELD_INT, .offset = offsetof(struct rule_numbers, minor) },
	{ .key = "access", .kind = FIELD_CUSTOM, .custom = decode_rule_access },
	{ 0 },
};
/* clang-format on */

static int decode_rules(struct reader *reader, struct json_object *value, const struct place *at,
			void *target)
{
	struct config_resources *resources = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	count = json_object_array_length(value);
	resources->devices = arena_alloc(reader->arena, (count + 1) * sizeof(*resources->devices));
	resources->device_count = count;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct rule_numbers row = { .rule = { .type = 'a' } };

		if (decode_object(reader, json_object_array_get_idx(value, i), &item, rule_fields,
				  &row) < 0)
			return -1;
		if (row.major.value < -1 || row.minor.value < -1)
			return decode_fail(reader, &item, "major and minor must be -1 or above");
		row.rule.major = row.major.set ? row.major.value : -1;
		row.rule.minor = row.minor.set ? row.minor.value : -1;
		if (!row.rule.access)
			row.rule.access = DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD;
		resources->devices[i] = row.rule;
	}
	return 0;
}

/* clang-format off */
static const struct field memory_fields[] = {
	{ .key = "limit", .kind = FIELD_INT, RESOURCE(memory_limit) },
	{ .key = "reservation", .kind = FIELD_INT, RESOURCE(memory_reservation) },
	{ .key = "swap", .kind = FIELD_INT, RESOURCE(memory_swap) },
	{ .key = "kernel", .kind = FIELD_INT, RESOURCE(memory_kernel) },
	{ .key = "kernelTCP", .kind = FIELD_INT, RESOURCE(memory_kernel_tcp) },
	{ .key = "swappiness", .kind = FIELD_INT, RESOURCE(memory_swappiness) },
	{ .key = "disableOOMKiller", .kind = FIELD_FLAG, RESOURCE(memory_disable_oom) },
	{ .key = "checkBeforeUpdate", .kind = FIELD_FLAG, RESOURCE(memory_check_before_update) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field cpu_fields[] = {
	{ .key = "shares", .kind = FIELD_UINT, RESOURCE(cpu_shares) },
	{ .key = "quota", .kind = FIELD_INT, RESOURCE(cpu_quota) },
	{ .key = "period", .kind = FIELD_UINT, RESOURCE(cpu_period) },
	{ .key = "burst", .kind = FIELD_UINT, RESOURCE(cpu_burst) },
	{ .key = "idle", .kind = FIELD_INT, RESOURCE(cpu_idle) },
	{ .key = "realtimeRuntime", .kind = FIELD_INT, RESOURCE(cpu_rt_runtime) },
	{ .key = "realtimePeriod", .kind = FIELD_UINT, RESOURCE(cpu_rt_period) },
	{ .key = "cpus", .kind = FIELD_TEXT, RESOURCE(cpus) },
	{ .key = "mems", .kind = FIELD_TEXT, RESOURCE(mems) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field pids_fields[] = {
	{ .key = "limit", .kind = FIELD_INT, RESOURCE(pids_limit) },
	{ 0 },
};
/* clang-format on */

struct throttle_row {
	struct config_int major, minor, rate, weight;
};

/* clang-format off */
static const struct field throttle_fields[] = {
	{ .key = "major", .kind = FIELD_UINT, .offset = offsetof(struct throttle_row, major),
	  .required = true },
	{ .key = "minor", .kind = FIELD_UINT, .offset = offsetof(struct throttle_row, minor),
	  .required = true },
	{ .key = "rate", .kind = FIELD_UINT, .offset = offsetof(struct throttle_row, rate) },
	{ .key = "weight", .kind = FIELD_UINT, .offset = offsetof(struct throttle_row, weight) },
	{ 0 },
};
/* clang-format on */

static int decode_throttles(struct reader *reader, struct json_object *value,
			    const struct place *at, void *target)
{
	struct config_throttles *throttles = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	count = json_object_array_length(value);
	throttles->at = arena_alloc(reader->arena, (count + 1) * sizeof(*throttles->at));
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct throttle_row row = { 0 };
		struct config_throttle *out = &throttles->at[throttles->count];

		if (decode_object(reader, json_object_array_get_idx(value, i), &item,
				  throttle_fields, &row) < 0)
			return -1;
		out->major = row.major.value;
		out->minor = row.minor.value;
		out->rate = (uint64_t)(row.rate.set ? row.rate.value : row.weight.value);
		if (row.rate.set || row.weight.set)
			throttles->count++; /* a leafWeight alone has no effect any more */
	}
	return 0;
}

/* clang-format off */
static const struct field blkio_fields[] = {
	{ .key = "weight", .kind = FIELD_UINT, RESOURCE(blkio_weight) },
	{ .key = "weightDevice", .kind = FIELD_CUSTOM, RESOURCE(blkio_weight_device),
	  .custom = decode_throttles },
	{ .key = "throttleReadBpsDevice", .kind = FIELD_CUSTOM, RESOURCE(throttle[READ_BPS]),
	  .custom = decode_throttles },
	{ .key = "throttleWriteBpsDevice", .kind = FIELD_CUSTOM, RESOURCE(throttle[WRITE_BPS]),
	  .custom = decode_throttles },
	{ .key = "throttleReadIOPSDevice", .kind = FIELD_CUSTOM, RESOURCE(throttle[READ_IOPS]),
	  .custom = decode_throttles },
	{ .key = "throttleWriteIOPSDevice", .kind = FIELD_CUSTOM, RESOURCE(throttle[WRITE_IOPS]),
	  .custom = decode_throttles },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field hugepage_fields[] = {
	{ .key = "pageSize", .kind = FIELD_TEXT, .offset = offsetof(struct config_hugepage, size),
	  .required = true },
	{ .key = "limit", .kind = FIELD_U64, .offset = offsetof(struct config_hugepage, limit),
	  .required = true },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field rdma_fields[] = {
	{ .key = "hcaHandles", .kind = FIELD_UINT,
	  .offset = offsetof(struct config_rdma, handles) },
	{ .key = "hcaObjects", .kind = FIELD_UINT,
	  .offset = offsetof(struct config_rdma, objects) },
	{ 0 },
};
/* clang-format on */

static int decode_rdma(struct reader *reader, struct json_object *value, const struct place *at,
		       void *target)
{
	struct config_resources *resources = target;

	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	resources->rdma = arena_alloc(reader->arena, ((size_t)json_object_object_length(value) +
						      1) * sizeof(*resources->rdma));
	json_each(value, key, member) {
		struct place item = { at, key, 0 };
		struct config_rdma *out = &resources->rdma[resources->rdma_count++];

		out->device = arena_strdup(reader->arena, key);
		if (decode_object(reader, member, &item, rdma_fields, out) < 0)
			return -1;
	}
	return 0;
}

static int decode_priorities(struct reader *reader, struct json_object *value,
			     const struct place *at, void *target)
{
	struct config_pairs *pairs = target;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		struct place place = { at, NULL, i };
		struct config_pair *pair;

		if (!json_object_is_type(item, json_type_object) ||
		    json_int_or(item, "priority", -1) < 0 || !json_text_or(item, "name", NULL))
			return decode_fail(reader, &place, "needs a name and a priority");
		pair = arena_grow(reader->arena, &pairs->at, &pairs->count, sizeof(*pairs->at));
		pair->key = arena_strdup(reader->arena, json_text_or(item, "name", ""));
		pair->value = arena_format(reader->arena, "%lld",
					   (long long)json_int_or(item, "priority", 0));
	}
	return 0;
}

/* clang-format off */
static const struct field network_fields[] = {
	{ .key = "classID", .kind = FIELD_UINT, RESOURCE(net_class_id) },
	{ .key = "priorities", .kind = FIELD_CUSTOM, RESOURCE(net_priorities),
	  .custom = decode_priorities },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
const struct field config_resources_fields[] = {
	{ .key = "devices", .kind = FIELD_CUSTOM, .custom = decode_rules },
	{ .key = "memory", .kind = FIELD_OBJECT, .sub = memory_fields },
	{ .key = "cpu", .kind = FIELD_OBJECT, .sub = cpu_fields },
	{ .key = "pids", .kind = FIELD_OBJECT, .sub = pids_fields },
	{ .key = "blockIO", .kind = FIELD_OBJECT, .sub = blkio_fields },
	{ .key = "hugepageLimits", .kind = FIELD_OBJECTS, RESOURCE(hugepages),
	  .sub = hugepage_fields, .item_size = sizeof(struct config_hugepage) },
	{ .key = "rdma", .kind = FIELD_CUSTOM, .custom = decode_rdma },
	{ .key = "network", .kind = FIELD_OBJECT, .sub = network_fields },
	{ .key = "unified", .kind = FIELD_PAIRS, RESOURCE(unified) },
	{ 0 },
};
/* clang-format on */

#define BAD(...) err_set(err, ERR_INVALID, "config.json: linux.resources." __VA_ARGS__)

static int check_memory(const struct config_resources *r, struct err *err)
{
	if (r->memory_limit.value < -1)
		return BAD("memory.limit: must be -1 or above");
	if (r->memory_reservation.value < -1)
		return BAD("memory.reservation: must be -1 or above");
	if (r->memory_swap.value < -1)
		return BAD("memory.swap: must be -1 or above");
	if (r->memory_swap.value > 0 && r->memory_limit.value == 0)
		return BAD("memory.swap: needs memory.limit");
	if (r->memory_swap.value > 0 && r->memory_limit.value > r->memory_swap.value)
		return BAD("memory.swap: is memory and swap together, so not below memory.limit");
	if (r->memory_swappiness.value < 0 || r->memory_swappiness.value > 100)
		return BAD("memory.swappiness: must be 0..100");
	return 0;
}

static int check_cpu(const struct config_resources *r, struct err *err)
{
	if (r->cpu_idle.set && (r->cpu_idle.value < 0 || r->cpu_idle.value > 1))
		return BAD("cpu.idle: must be 0 or 1");
	for (const char *c = r->cpus; c && *c; c++)
		if (!strchr("0123456789,-\n", *c))
			return BAD("cpu.cpus: must be a list like 0-3,5");
	for (const char *c = r->mems; c && *c; c++)
		if (!strchr("0123456789,-\n", *c))
			return BAD("cpu.mems: must be a list like 0-1");
	return 0;
}

int config_check_resources(const struct config_resources *r, struct err *err)
{
	if (check_memory(r, err) < 0 || check_cpu(r, err) < 0)
		return -1;
	if (r->blkio_weight.value && (r->blkio_weight.value < 10 || r->blkio_weight.value > 1000))
		return BAD("blockIO.weight: must be 10..1000");
	for (size_t i = 0; i < r->hugepage_count; i++) {
		const char *size = r->hugepages[i].size;
		size_t digits = strspn(size, "0123456789");

		if (!digits ||
		    (strcmp(size + digits, "KB") != 0 && strcmp(size + digits, "MB") != 0 &&
		     strcmp(size + digits, "GB") != 0))
			return BAD("hugepageLimits[%zu].pageSize: must be like 2MB", i);
	}
	for (size_t i = 0; i < r->unified.count; i++) {
		const char *file = r->unified.at[i].key;

		if (!file[0] || strchr(file, '/') || !strchr(file, '.'))
			return BAD("unified: \"%.60s\" is no file of a cgroup", file);
	}
	return 0;
}

/* runtime/config_linux - the `linux` object of config.json.
 *
 * Owns: namespaces, id maps, devices, sysctl names and what contradicts what among them. May not
 * touch: the system.
 */
#include "runtime/config_linux.h"

#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>

#include "base/json.h"
#include "base/text.h"

#define CONFIG(member) .offset = offsetof(struct config, member)

/* clang-format off */
const struct word config_namespace_words[] = {
	{ "pid", CLONE_NEWPID },   { "network", CLONE_NEWNET }, { "mount", CLONE_NEWNS },
	{ "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS },     { "user", CLONE_NEWUSER },
	{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME }, { 0 },
};
static const struct word propagation_words[] = {
	{ "", 0 },
	{ "shared", MS_SHARED },         { "rshared", MS_SHARED | MS_REC },
	{ "slave", MS_SLAVE },           { "rslave", MS_SLAVE | MS_REC },
	{ "private", MS_PRIVATE },       { "rprivate", MS_PRIVATE | MS_REC },
	{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC }, { 0 },
};
static const struct word domain_words[] = {
	{ "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 }, { 0 },
};
const struct word config_memory_policy_words[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },       { "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_BIND", MPOL_BIND },             { "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_LOCAL", MPOL_LOCAL },           { "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 },      { 0 },
};
static const struct word policy_flag_words[] = {
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES }, { "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 }, { 0 },
};
/* clang-format on */

static int decode_namespace_type(struct reader *reader, struct json_object *value,
				 const struct place *at, void *target)
{
	struct config_namespace *namespace = target;
	long flag = 0;

	if (decode_word(reader, value, at, config_namespace_words, &flag) < 0)
		return -1;
	namespace->flag = (int)flag;
	namespace->type = decode_text(reader, value, at);
	return 0;
}

/* clang-format off */
static const struct field namespace_fields[] = {
	{ .key = "type", .kind = FIELD_CUSTOM, .custom = decode_namespace_type, .required = true },
	{ .key = "path", .kind = FIELD_TEXT, .offset = offsetof(struct config_namespace, path) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
const struct field config_id_map_fields[] = {
	{ .key = "containerID", .kind = FIELD_U32, .offset = offsetof(struct config_id_map, inside),
	  .required = true },
	{ .key = "hostID", .kind = FIELD_U32, .offset = offsetof(struct config_id_map, outside),
	  .required = true },
	{ .key = "size", .kind = FIELD_U32, .offset = offsetof(struct config_id_map, size),
	  .required = true },
	{ 0 },
};
/* clang-format on */

static int decode_device_type(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	const char *text = decode_text(reader, value, at);

	if (!text)
		return -1;
	if (!text[0] || text[1] || !strchr("cbup", text[0]))
		return decode_fail(reader, at, "must be c, b, u or p");
	((struct config_device *)target)->type = text[0];
	return 0;
}

struct device_row {
	struct config_device device;
	struct config_int major, minor;
};

/* clang-format off */
static const struct field device_fields[] = {
	{ .key = "type", .kind = FIELD_CUSTOM, .custom = decode_device_type, .required = true },
	{ .key = "path", .kind = FIELD_TEXT, .offset = offsetof(struct config_device, path),
	  .required = true },
	{ .key = "major", .kind = FIELD_UINT, .offset = offsetof(struct device_row, major) },
	{ .key = "minor", .kind = FIELD_UINT, .offset = offsetof(struct device_row, minor) },
	{ .key = "fileMode", .kind = FIELD_UINT, .offset = offsetof(struct config_device, mode) },
	{ .key = "uid", .kind = FIELD_UINT, .offset = offsetof(struct config_device, uid) },
	{ .key = "gid",.kind = FIELD_UINT, .offset = offsetof(struct config_device, gid) },
	{ 0 },
};
/* clang-format on */

static int decode_devices(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target)
{
	struct config *config = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	count = json_object_array_length(value);
	config->devices = arena_alloc(reader->arena, (count + 1) * sizeof(*config->devices));
	config->device_count = count;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct device_row row = { 0 };

		if (decode_object(reader, json_object_array_get_idx(value, i), &item, device_fields,
				  &row) < 0)
			return -1;
		if (row.device.path[0] != '/')
			return decode_fail(reader, &item, "path must be absolute");
		if (row.device.type != 'p' && (!row.major.set || !row.minor.set))
			return decode_fail(reader, &item, "needs major and minor");
		row.device.major = row.major.value;
		row.device.minor = row.minor.value;
		config->devices[i] = row.device;
	}
	return 0;
}

static int decode_propagation(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	long flags = 0;

	if (decode_word(reader, value, at, propagation_words, &flags) < 0)
		return -1;
	*(unsigned long *)target = (unsigned long)flags;
	return 0;
}

static int decode_personality(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	struct json_object *member = NULL;
	struct place domain_at = { at, "domain", 0 }, flags_at = { at, "flags", 0 };
	long domain = 0;

	if (!json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "domain", &member))
		return decode_fail(reader, &domain_at, "is missing");
	if (decode_word(reader, member, &domain_at, domain_words, &domain) < 0)
		return -1;
	if (json_array_count(json_array_at(value, "flags")))
		return decode_fail(reader, &flags_at, "no flag is supported");
	*(struct config_int *)target = (struct config_int){ true, domain };
	return 0;
}

static int decode_memory_policy(struct reader *reader, struct json_object *value,
				const struct place *at, void *target)
{
	struct config *config = target;
	struct json_object *member = NULL, *flags = json_array_at(value, "flags");
	struct place mode_at = { at, "mode", 0 }, flags_at = { at, "flags", 0 };
	long mode = 0, bits = 0;

	if (!json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "mode", &member))
		return decode_fail(reader, &mode_at, "is missing: invalid memory policy mode");
	if (decode_word(reader, member, &mode_at, config_memory_policy_words, &mode) < 0)
		return decode_fail(reader, &mode_at, "invalid memory policy");
	for (size_t i = 0; i < json_array_count(flags); i++) {
		struct place item = { &flags_at, NULL, i };

		if (decode_word(reader, json_object_array_get_idx(flags, i), &item,
				policy_flag_words, &bits) < 0)
			return decode_fail(reader, &item, "invalid memory policy flag");
		mode |= bits;
	}
	config->has_memory_policy = true;
	config->memory_policy_mode = (int)mode;
	config->memory_policy_nodes = arena_strdup(reader->arena, json_text_or(value, "nodes", ""));
	return 0;
}

static int decode_rdt(struct reader *reader, struct json_object *value, const struct place *at,
		      void *target)
{
	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	*(bool *)target = true;
	return 0;
}

/* clang-format off */
static const struct field offset_fields[] = {
	{ .key = "secs", .kind = FIELD_INT, .offset = 0 },
	{ .key = "nanosecs", .kind = FIELD_UINT, .offset = sizeof(struct config_int) },
	{ 0 },
};
/* clang-format on */

static int decode_offset(struct reader *reader, struct json_object *value, const struct place *at,
			 void *target)
{
	struct config_int row[2] = { 0 };

	if (decode_object(reader, value, at, offset_fields, row) < 0)
		return -1;
	if (row[1].value > 999999999)
		return decode_fail(reader, at, "nanosecs must be below 1000000000");
	*(struct config_time_offset *)target =
		(struct config_time_offset){ true, row[0].value, (uint32_t)row[1].value };
	return 0;
}

static int decode_offsets(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target)
{
	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	json_each(value, key, member) {
		struct config *config = target;
		struct place item = { at, key, 0 };
		struct config_time_offset *out = strcmp(key, "monotonic") == 0  ? &config->monotonic
						 : strcmp(key, "boottime") == 0 ? &config->boottime
										: NULL;

		if (!out)
			return decode_fail(reader, &item, "is no clock with an offset");
		if (decode_offset(reader, member, &item, out) < 0)
			return -1;
	}
	return 0;
}

static int decode_net_devices(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	struct config *config = target;

	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	json_each(value, key, member) {
		struct place item = { at, key, 0 };
		struct config_net_device *out = arena_grow(reader->arena, &config->net_devices,
							   &config->net_device_count, sizeof(*out));

		if (!json_object_is_type(member, json_type_object))
			return decode_fail(reader, &item, "must be an object");
		out->host_name = arena_strdup(reader->arena, key);
		out->name = arena_strdup(reader->arena, json_text_or(member, "name", ""));
		if (!out->name[0])
			out->name = out->host_name;
	}
	return 0;
}

static int decode_seccomp(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target)
{
	struct config_seccomp *seccomp = target;

	seccomp->default_errno = -1;
	return decode_object(reader, value, at, config_seccomp_fields, seccomp);
}

/* clang-format off */
const struct field config_linux_fields[] = {
	{ .key = "namespaces", .kind = FIELD_OBJECTS, CONFIG(namespaces), .sub = namespace_fields,
	  .item_size = sizeof(struct config_namespace) },
	{ .key = "uidMappings", .kind = FIELD_OBJECTS, CONFIG(uid_maps),
	  .sub = config_id_map_fields, .item_size = sizeof(struct config_id_map) },
	{ .key = "gidMappings", .kind = FIELD_OBJECTS, CONFIG(gid_maps),
	  .sub = config_id_map_fields, .item_size = sizeof(struct config_id_map) },
	{ .key = "timeOffsets", .kind = FIELD_CUSTOM, .custom = decode_offsets },
	{ .key = "sysctl", .kind = FIELD_PAIRS, CONFIG(sysctl) },
	{ .key = "cgroupsPath", .kind = FIELD_TEXT, CONFIG(cgroups_path) },
	{ .key = "resources", .kind = FIELD_OBJECT, CONFIG(resources),
	  .sub = config_resources_fields },
	{ .key = "devices", .kind = FIELD_CUSTOM, .custom = decode_devices },
	{ .key = "seccomp", .kind = FIELD_CUSTOM, CONFIG(seccomp), .custom = decode_seccomp },
	{ .key = "maskedPaths", .kind = FIELD_TEXTS, CONFIG(masked_paths) },
	{ .key = "readonlyPaths", .kind = FIELD_TEXTS, CONFIG(readonly_paths) },
	{ .key = "rootfsPropagation", .kind = FIELD_CUSTOM, CONFIG(rootfs_propagation),
	  .custom = decode_propagation },
	{ .key = "mountLabel", .kind = FIELD_TEXT, CONFIG(mount_label) },
	{ .key = "personality", .kind = FIELD_CUSTOM, CONFIG(personality),
	  .custom = decode_personality },
	{ .key = "intelRdt", .kind = FIELD_CUSTOM, CONFIG(has_intel_rdt), .custom = decode_rdt },
	{ .key = "memoryPolicy", .kind = FIELD_CUSTOM, .custom = decode_memory_policy },
	{ .key = "netDevices", .kind = FIELD_CUSTOM, .custom = decode_net_devices },
	{ 0 },
};
/* clang-format on */

#define BAD(...) err_set(err, ERR_INVALID, "config.json: linux." __VA_ARGS__)

static int check_namespaces(const struct config *config, struct err *err)
{
	int seen = 0;

	for (size_t i = 0; i < config->namespace_count; i++) {
		struct config_namespace *namespace = &config->namespaces[i];

		if (seen & namespace->flag)
			return BAD("namespaces[%zu].type: %s is listed twice", i, namespace->type);
		seen |= namespace->flag;
		if (namespace->path && !namespace->path[0])
		namespace->path = NULL;
		if (namespace->path && namespace->path[0] != '/')
			return BAD("namespaces[%zu].path: must be absolute", i);
	}
	return 0;
}

static int check_maps(const char *what, const struct config_id_maps *maps, struct err *err)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct config_id_map *map = &maps->at[i];

		if (!map->size)
			return BAD("%s[%zu].size: must not be 0", what, i);
		if (map->size - 1 > UINT32_MAX - 1 - map->inside ||
		    map->size - 1 > UINT32_MAX - 1 - map->outside)
			return BAD("%s[%zu].size: runs beyond the last id", what, i);
		for (size_t j = 0; j < i; j++) {
			const struct config_id_map *other = &maps->at[j];

			if (map->inside <= other->inside + (other->size - 1) &&
			    other->inside <= map->inside + (map->size - 1))
				return BAD("%s[%zu].containerID: overlaps [%zu]", what, i, j);
		}
	}
	return 0;
}

static int check_user_namespace(const struct config *config, struct err *err)
{
	bool has_maps = config->uid_maps.count || config->gid_maps.count;

	if (check_maps("uidMappings", &config->uid_maps, err) < 0 ||
	    check_maps("gidMappings", &config->gid_maps, err) < 0)
		return -1;
	if (has_maps && !config_namespace(config, CLONE_NEWUSER))
		return BAD("uidMappings: needs a user namespace in linux.namespaces");
	if (config_is_new(config, CLONE_NEWUSER) &&
	    (!config->uid_maps.count || !config->gid_maps.count))
		return BAD("uidMappings: a new user namespace needs uidMappings and gidMappings");
	return 0;
}

/* Which namespace a sysctl belongs to: 0 when to none. */
static int sysctl_namespace(const char *name)
{
	static const char *const ipc[] = { "kernel.msgmax",      "kernel.msgmnb",
					   "kernel.msgmni",      "kernel.sem",
					   "kernel.shmall",      "kernel.shmmax",
					   "kernel.shmmni",      "kernel.shm_rmid_forced",
					   "kernel.auto_msgmni", "kernel.msg_next_id",
					   "kernel.sem_next_id", "kernel.shm_next_id" };

	for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++)
		if (strcmp(name, ipc[i]) == 0)
			return CLONE_NEWIPC;
	if (text_starts(name, "fs.mqueue."))
		return CLONE_NEWIPC;
	if (text_starts(name, "net."))
		return CLONE_NEWNET;
	if (strcmp(name, "kernel.domainname") == 0 || strcmp(name, "kernel.hostname") == 0)
		return CLONE_NEWUTS;
	if (text_starts(name, "user."))
		return CLONE_NEWUSER;
	return 0;
}

static int check_sysctl(const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->sysctl.count; i++) {
		char name[128];
		int flag;

		if (strlen(config->sysctl.at[i].key) >= sizeof(name) ||
		    strstr(config->sysctl.at[i].key, ".."))
			return BAD("sysctl: \"%.80s\" is no name", config->sysctl.at[i].key);
		strcpy(name, config->sysctl.at[i].key);
		if (!strchr(name, '.') || strcspn(name, "/") < strcspn(name, "."))
			for (char *c = name; *c; c++) /* a/b.c and a.b/c are the same name */
				*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
		flag = sysctl_namespace(name);
		if (!flag)
			return BAD("sysctl: \"%s\" is not in a separate kernel namespace", name);
		if (!config_namespace(config, flag))
			return BAD("sysctl: \"%s\" is not allowed in the host's namespace", name);
		if (strcmp(name, "kernel.hostname") == 0 && config->hostname)
			return BAD("sysctl: kernel.hostname conflicts with the field hostname");
		if (strcmp(name, "kernel.domainname") == 0 && config->domainname)
			return BAD("sysctl: kernel.domainname conflicts with the field domainname");
	}
	return 0;
}

static int check_net_devices(const struct config *config, struct err *err)
{
	if (config->net_device_count && !config_namespace(config, CLONE_NEWNET))
		return BAD("netDevices: need a network namespace");
	for (size_t i = 0; i < config->net_device_count; i++) {
		const char *names[] = { config->net_devices[i].host_name,
					config->net_devices[i].name };

		for (size_t j = 0; j < 2; j++)
			if (!names[j][0] || strlen(names[j]) > 15 || strpbrk(names[j], "/: \t\n") ||
			    strcmp(names[j], ".") == 0 || strcmp(names[j], "..") == 0)
				return BAD("netDevices: \"%.40s\" is no name of a device",
					   names[j]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(config->net_devices[j].name, names[1]) == 0)
				return BAD("netDevices: \"%s\" is used twice", names[1]);
	}
	return 0;
}

static int check_paths(const char *what, const struct config_texts *paths, struct err *err)
{
	for (size_t i = 0; i < paths->count; i++)
		if (paths->at[i][0] != '/')
			return BAD("%s[%zu]: must be absolute", what, i);
	return 0;
}

static int check_fs_namespace(const struct config *config, struct err *err)
{
	bool has_mount = config_namespace(config, CLONE_NEWNS);

	if (config->masked_paths.count && !has_mount)
		return BAD("maskedPaths: need a mount namespace");
	if (config->readonly_paths.count && !has_mount)
		return BAD("readonlyPaths: need a mount namespace");
	if ((config->monotonic.set || config->boottime.set) &&
	    !config_is_new(config, CLONE_NEWTIME))
		return BAD("timeOffsets: need a new time namespace");
	return 0;
}

int config_check_linux(const struct config *config, struct err *err)
{
	if (check_namespaces(config, err) < 0 || check_user_namespace(config, err) < 0 ||
	    check_sysctl(config, err) < 0 || check_net_devices(config, err) < 0 ||
	    check_paths("maskedPaths", &config->masked_paths, err) < 0 ||
	    check_paths("readonlyPaths", &config->readonly_paths, err) < 0 ||
	    check_fs_namespace(config, err) < 0 ||
	    config_check_resources(&config->resources, err) < 0)
		return -1;
	return config_check_seccomp(&config->seccomp, err);
}

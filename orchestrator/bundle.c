/* orchestrator/bundle - config.json: the process, the root, the mounts.
 *
 * Owns: how service and image become an OCI process. May not touch: files, the linux section
 * (bundle_linux).
 */
#include "orchestrator/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/bundle_linux.h"
#include "orchestrator/cdi.h"
#include "orchestrator/profile.h"

#define OCI_VERSION "1.2.0"
#define INIT_TARGET "/dev/init" /* where stack-init stands in the container */

static struct config_list list_of(const char *const *items, size_t count, bool is_set)
{
	return (struct config_list){ (const char **)(uintptr_t)items, count, is_set };
}

static int choose_argv(struct arena *arena, const struct bundle_spec *spec, struct config_list *out,
		       struct err *err)
{
	const struct service *service = spec->service;
	struct config_list entrypoint =
		list_of(service->entrypoint.items, service->entrypoint.count, true);
	struct config_list command = list_of(service->command.items, service->command.count, true);

	if (config_argv(arena, spec->image, service->entrypoint.is_set ? &entrypoint : NULL,
			service->command.is_set ? &command : NULL, out, err) < 0)
		return err_wrap(err, "service %s", service->name);
	return 0;
}

static void add_argv(struct json_object *process, const struct config_list *argv, bool by_init)
{
	struct json_object *args = json_add_array(process, "args");

	if (by_init) {
		json_push_text(args, INIT_TARGET);
		json_push_text(args, "--");
	}
	for (size_t i = 0; i < argv->count; i++)
		json_push_text(args, argv->items[i]);
}

static void add_env(struct arena *arena, struct json_object *process,
		    const struct bundle_spec *spec)
{
	const struct pairs *wanted = &spec->service->environment;
	const char **texts = arena_alloc(arena, (wanted->count + 1) * sizeof(*texts));
	struct config_env_spec env = { .service = texts,
				       .service_count = wanted->count,
				       .home = spec->user->home,
				       .hostname = spec->hostname,
				       .has_tty = spec->service->tty };
	struct json_object *array = json_add_array(process, "env");
	struct config_list merged;

	for (size_t i = 0; i < wanted->count; i++)
		texts[i] = wanted->items[i].value
				   ? arena_format(arena, "%s=%s", wanted->items[i].name,
						  wanted->items[i].value)
				   : wanted->items[i].name;
	config_environment(arena, spec->image, &env, &merged);
	for (size_t i = 0; i < merged.count; i++)
		json_push_text(array, merged.items[i]);
}

static void add_user(struct json_object *process, const struct image_user *user)
{
	struct json_object *object = json_add_object(process, "user"), *groups;

	json_add_int(object, "uid", user->uid);
	json_add_int(object, "gid", user->gid);
	if (!user->group_count)
		return;
	groups = json_add_array(object, "additionalGids");
	for (size_t i = 0; i < user->group_count; i++)
		json_object_array_add(groups, json_object_new_int64(user->groups[i]));
}

static int add_capabilities(struct json_object *process, const struct service *service,
			    struct err *err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	struct json_object *object = json_add_object(process, "capabilities");
	cap_set caps;

	if (profile_capabilities(&service->cap_add, &service->cap_drop, service->privileged, &caps,
				 err) < 0)
		return err_wrap(err, "service %s", service->name);
	for (size_t s = 0; s < sizeof(sets) / sizeof(*sets); s++) {
		struct json_object *array = json_add_array(object, sets[s]);

		for (unsigned i = 0; profile_capability_name(i); i++)
			if (caps & 1ull << i)
				json_push_text(array, profile_capability_name(i));
	}
	return 0;
}

static int add_rlimits(struct json_object *process, const struct service *service, struct err *err)
{
	struct json_object *array;

	if (!service->ulimit_count)
		return 0;
	array = json_add_array(process, "rlimits");
	for (size_t i = 0; i < service->ulimit_count; i++) {
		const struct ulimit *limit = &service->ulimits[i];
		const char *name = profile_rlimit(limit->name);
		struct json_object *entry = json_object_new_object();

		json_object_array_add(array, entry);
		if (!name)
			return err_set(err, ERR_INVALID,
				       "service %s: ulimits: unknown limit \"%s\"", service->name,
				       limit->name);
		json_add_text(entry, "type", name);
		json_object_object_add(entry, "soft",
				       json_object_new_uint64((uint64_t)limit->soft.value));
		json_object_object_add(entry, "hard",
				       json_object_new_uint64((uint64_t)limit->hard.value));
	}
	return 0;
}

static bool has_option(const struct texts *options, const char *name)
{
	for (size_t i = 0; i < options->count; i++) {
		const char *text = options->items[i];
		size_t len = strlen(name);

		if (strncmp(text, name, len) == 0 &&
		    (text[len] == '\0' || strcmp(text + len, ":true") == 0 ||
		     strcmp(text + len, "=true") == 0))
			return true;
	}
	return false;
}

static int add_process(struct arena *arena, struct json_object *config,
		       const struct bundle_spec *spec, struct err *err)
{
	struct json_object *process = json_add_object(config, "process");
	const struct service *service = spec->service;
	struct config_list argv;

	if (choose_argv(arena, spec, &argv, err) < 0)
		return -1;
	json_add_bool(process, "terminal", service->tty);
	add_user(process, spec->user);
	add_argv(process, &argv, service->init.value);
	add_env(arena, process, spec);
	json_add_text(process, "cwd",
		      service->working_dir ? service->working_dir
					   : config_working_dir(arena, spec->image));
	if (add_capabilities(process, service, err) < 0 || add_rlimits(process, service, err) < 0)
		return -1;
	json_add_bool(process, "noNewPrivileges",
		      has_option(&service->security_opt, "no-new-privileges"));
	if (service->oom_score_adj.is_set)
		json_add_int(process, "oomScoreAdj", service->oom_score_adj.value);
	return 0;
}

static struct json_object *push_mount(struct json_object *mounts, const char *destination,
				      const char *type, const char *source)
{
	struct json_object *mount = json_object_new_object();

	json_add_text(mount, "destination", destination);
	json_add_text(mount, "type", type);
	json_add_text(mount, "source", source);
	json_object_array_add(mounts, mount);
	return mount;
}

static bool is_covered(const struct bundle_spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->mount_count; i++)
		if (strcmp(spec->mounts[i].destination, destination) == 0)
			return true;
	return false;
}

static void push_profile_mounts(struct json_object *mounts, const struct bundle_spec *spec)
{
	for (const struct profile_mount *m = profile_mounts; m->destination; m++) {
		struct json_object *options;

		if (is_covered(spec, m->destination))
			continue;
		if (spec->service->ipc && strcmp(spec->service->ipc, "host") == 0 &&
		    strcmp(m->destination, "/dev/mqueue") == 0) {
			options = json_add_array(
				push_mount(mounts, m->destination, "bind", "/dev/mqueue"),
				"options");
			json_push_text(options, "rbind");
			continue;
		}
		options = json_add_array(push_mount(mounts, m->destination, m->type, m->source),
					 "options");
		for (size_t i = 0; m->options[i]; i++)
			if (!spec->service->privileged || strcmp(m->options[i], "ro") != 0)
				json_push_text(options, m->options[i]);
	}
}

static void push_shm(struct arena *arena, struct json_object *mounts,
		     const struct bundle_spec *spec)
{
	const struct service *service = spec->service;
	long long size = service->shm_size.is_set ? (long long)service->shm_size.bytes : 64ll << 20;
	struct json_object *options;

	if (is_covered(spec, "/dev/shm"))
		return;
	if (service->ipc && strcmp(service->ipc, "host") == 0) {
		options = json_add_array(push_mount(mounts, "/dev/shm", "bind", "/dev/shm"),
					 "options");
		json_push_text(options, "rbind");
		return;
	}
	options = json_add_array(push_mount(mounts, "/dev/shm", "tmpfs", "shm"), "options");
	json_push_text(options, "nosuid");
	json_push_text(options, "noexec");
	json_push_text(options, "nodev");
	json_push_text(options, "mode=1777");
	json_push_text(options, arena_format(arena, "size=%lld", size));
}

static void push_etc_files(struct arena *arena, struct json_object *mounts,
			   const struct bundle_spec *spec)
{
	static const char *const files[] = { "hosts", "resolv.conf", "hostname" };

	for (size_t i = 0; spec->slot_dir && i < sizeof(files) / sizeof(*files); i++) {
		const char *target = arena_format(arena, "/etc/%s", files[i]);
		struct json_object *options;

		if (is_covered(spec, target))
			continue;
		options = json_add_array(
			push_mount(mounts, target, "bind",
				   arena_format(arena, "%s/%s", spec->slot_dir, files[i])),
			"options");
		json_push_text(options, "bind");
		json_push_text(options, "rprivate");
	}
}

static void push_ranges(struct json_object *mount, const char *key,
			const struct bundle_id_range *ranges, size_t count)
{
	struct json_object *array;

	if (!count)
		return;
	array = json_add_array(mount, key);
	for (size_t i = 0; i < count; i++) {
		struct json_object *range = json_object_new_object();

		json_add_int(range, "containerID", ranges[i].container);
		json_add_int(range, "hostID", ranges[i].host);
		json_add_int(range, "size", ranges[i].size);
		json_object_array_add(array, range);
	}
}

static void push_own_mounts(struct arena *arena, struct json_object *mounts,
			    const struct bundle_spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct bundle_mount *m = &spec->mounts[i];
		struct json_object *mount = push_mount(mounts, m->destination, m->type, m->source);
		struct json_object *options = json_add_array(mount, "options");
		struct slice rest = SLICE(m->options ? m->options : ""), word;

		while (slice_next(&rest, ',', &word))
			if (word.len)
				json_push_text(options, arena_strndup(arena, word.at, word.len));
		push_ranges(mount, "uidMappings", m->uid_map, m->uid_map_count);
		push_ranges(mount, "gidMappings", m->gid_map, m->gid_map_count);
	}
}

/* The program of service->init, read-only: what the host has is not the container's to change. */
static void push_init(struct json_object *mounts, const struct bundle_spec *spec)
{
	static const char *const words[] = { "bind", "ro", "nosuid", "nodev", "rprivate" };
	struct json_object *options;

	if (!spec->service->init.value)
		return;
	options =
		json_add_array(push_mount(mounts, INIT_TARGET, "bind", spec->init_path), "options");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		json_push_text(options, words[i]);
}

struct json_object *bundle_config(struct arena *arena, const struct bundle_spec *spec,
				  struct err *err)
{
	AUTO(json) struct json_object *config = json_object_new_object();
	struct json_object *root, *mounts;
	const struct service *service = spec->service;

	json_add_text(config, "ociVersion", OCI_VERSION);
	if (add_process(arena, config, spec, err) < 0)
		return NULL;
	root = json_add_object(config, "root");
	json_add_text(root, "path", "rootfs");
	json_add_bool(root, "readonly", service->read_only);
	if (!service->uts || strcmp(service->uts, "host") != 0)
		json_add_text(config, "hostname", spec->hostname);
	if (service->domainname)
		json_add_text(config, "domainname", service->domainname);
	mounts = json_add_array(config, "mounts");
	push_profile_mounts(mounts, spec);
	push_shm(arena, mounts, spec);
	push_etc_files(arena, mounts, spec);
	push_own_mounts(arena, mounts, spec);
	push_init(mounts, spec);
	if (bundle_add_linux(arena, config, spec, err) < 0 ||
	    cdi_apply(arena, cdi_dirs, service, config, err) < 0) {
		err_wrap(err, "service %s", service->name);
		return NULL;
	}
	return TAKE(config);
}

const char *bundle_command_text(struct arena *arena, const struct bundle_spec *spec)
{
	struct config_list argv;
	struct err err = ERR_NONE;
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	const char *copy;

	if (choose_argv(arena, spec, &argv, &err) < 0)
		return "";
	out = open_memstream(&text, &size);
	for (size_t i = 0; out && i < argv.count; i++) {
		bool quote = argv.items[i][0] == '\0' || strpbrk(argv.items[i], " \t\n'\"") != NULL;

		fprintf(out, "%s%s%s%s", i ? " " : "", quote ? "'" : "", argv.items[i],
			quote ? "'" : "");
	}
	if (out)
		fclose(out);
	copy = arena_strdup(arena, text ? text : "");
	free(text);
	return copy;
}

/* specs/export/kube_mount - what a service mounts as volumes of its pod.
 *
 * Owns: which mount becomes which kind of volume, one volume for each thing, one mount for each
 * path. May not touch: claims and ConfigMaps of the project (kube_files).
 */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube_mount.h"

#define FILE_MAX ((size_t)512 * 1024) /* what becomes a ConfigMap of its own */

/* ---- volumes of a pod, and where they are mounted ---- */

struct json_object *pod_volume(struct pod *pod, const char *identity, const char *wanted,
			       const char **out_name)
{
	const char *kind = arena_format(pod->kube->arena, "volume of %s", pod->unit->name);
	struct json_object *volume;

	*out_name = name_book_give(pod->kube->names, kind, identity, wanted, NAME_LABEL_MAX);
	for (size_t i = 0; i < json_array_count(pod->volumes); i++) {
		volume = json_object_array_get_idx(pod->volumes, i);
		if (strcmp(json_text_or(volume, "name", ""), *out_name) == 0)
			return NULL;
	}
	volume = json_object_new_object();
	json_add_text(volume, "name", *out_name);
	json_object_array_add(pod->volumes, volume);
	return volume;
}

struct json_object *pod_mount(struct pod *pod, const char *name, const char *target,
			      const char *key)
{
	struct json_object *mount;

	for (size_t i = 0; i < json_array_count(pod->mounts); i++) {
		mount = json_object_array_get_idx(pod->mounts, i);
		if (strcmp(json_text_or(mount, "mountPath", ""), target) != 0)
			continue;
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, key,
			      "%s is mounted already by another key", target);
		return NULL;
	}
	if (strchr(target, ':')) {
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, key,
			 "%s: a path may have no : there", target);
		return NULL;
	}
	mount = json_object_new_object();
	json_add_text(mount, "name", name);
	json_add_text(mount, "mountPath", target);
	json_object_array_add(pod->mounts, mount);
	return mount;
}

static void add_memory(struct pod *pod, const char *identity, const char *target,
		       struct opt_bytes size, const char *key)
{
	const char *name;
	struct json_object *volume = pod_volume(pod, identity, identity, &name), *empty;

	if (volume) {
		empty = json_add_object(volume, "emptyDir");
		json_add_text(empty, "medium", "Memory");
		if (size.is_set && size.bytes > 0)
			json_add_text(empty, "sizeLimit", kube_bytes(pod->kube->arena, size.bytes));
	}
	pod_mount(pod, name, target, key);
}

/* ---- named volumes ---- */

/* nfs and tmpfs of driver_opts have volumes of their own; a bind is a folder of the node. */
static bool add_typed(struct pod *pod, const struct volume *volume, struct json_object *out)
{
	const char *type = pairs_get(&volume->driver_opts, "type");
	const char *device = pairs_get(&volume->driver_opts, "device");
	const char *options = pairs_get(&volume->driver_opts, "o");
	const char *server = options ? strstr(options, "addr=") : NULL;
	const char *path = arena_format(pod->kube->arena, "volumes.%s.driver_opts", volume->key);
	struct json_object *source;

	if (type && text_starts(type, "nfs") && device && server) {
		source = json_add_object(out, "nfs");
		json_add_text(
			source, "server",
			arena_strndup(pod->kube->arena, server + 5, strcspn(server + 5, ",")));
		json_add_text(source, "path", device[0] == ':' ? device + 1 : device);
		report_say(pod->kube->report, EXPORT_APPROXIMATED, path,
			   "nfs volume; mount options are left out");
		return true;
	}
	if (type && strcmp(type, "tmpfs") == 0) {
		json_add_text(json_add_object(out, "emptyDir"), "medium", "Memory");
		report_say(pod->kube->report, EXPORT_APPROXIMATED, path,
			   "a volume in memory for each pod; mount options are left out");
		return true;
	}
	if (options && strstr(options, "bind") && device && device[0] == '/') {
		json_add_text(json_add_object(out, "hostPath"), "path", device);
		report_say(pod->kube->report, EXPORT_APPROXIMATED, path,
			   "hostPath: the folder of the node that the pod runs on");
		return true;
	}
	return false;
}

static void add_named(struct pod *pod, const struct mount *mount, bool read_only, const char *key)
{
	struct kube *kube = pod->kube;
	const struct volume *volume = project_find_volume(kube->project, mount->source);
	const char *name, *subpath = mount->volume ? mount->volume->subpath : NULL;
	struct json_object *out, *place;

	if (!volume)
		return;
	if (pod->claims && kube_volume_is_own(kube, pod->unit->service, volume->key)) {
		out = kube_claim_template(pod, volume->key, &name);
		if (out && service_replicas(pod->unit->service) > 1)
			unit_say(kube, pod->unit, EXPORT_APPROXIMATED, key,
				 "a claim for each replica: they do not share one volume there");
		else if (out)
			unit_say(kube, pod->unit, EXPORT_EXACT, key, "volumeClaimTemplate %s",
				 name);
	} else {
		out = pod_volume(pod, arena_format(kube->arena, "volume:%s", volume->key),
				 volume->key, &name);
		if (out && !add_typed(pod, volume, out))
			json_add_text(json_add_object(out, "persistentVolumeClaim"), "claimName",
				      kube_claim_name(kube, volume));
	}
	place = pod_mount(pod, name, mount->target, key);
	if (place && read_only)
		json_add_bool(place, "readOnly", true);
	if (place && subpath && *subpath && subpath[0] != '/' && !strstr(subpath, ".."))
		json_add_text(place, "subPath", subpath);
}

/* ---- binds ---- */

static void add_propagation(struct pod *pod, const struct mount *mount, struct json_object *place,
			    const char *key)
{
	const char *mode = mount->bind ? mount->bind->propagation : NULL;
	bool is_shared = mode && strstr(mode, "shared"), is_slave = mode && strstr(mode, "slave");

	if (!place || (!is_shared && !is_slave))
		return;
	if (is_shared && !pod->unit->service->privileged)
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, key,
			      "shared mounts need a privileged container there");
	else
		json_add_text(place, "mountPropagation",
			      is_shared ? "Bidirectional" : "HostToContainer");
}

/* A plain file of the machine: its content travels in a ConfigMap. */
static bool add_bound_file(struct pod *pod, const struct mount *mount, const char *text, size_t len,
			   const char *key)
{
	struct kube *kube = pod->kube;
	const char *slash = strrchr(mount->source, '/');
	const char *base = name_key(kube->arena, slash ? slash + 1 : mount->source), *name;
	const char *map = kube_file_map(kube, pod->unit, mount->source, text, len);
	struct json_object *volume, *place, *source;

	if (!map)
		return false;
	volume = pod_volume(pod, arena_format(kube->arena, "file:%s", mount->source), base, &name);
	if (volume) {
		source = json_add_object(volume, "configMap");
		json_add_text(source, "name", map);
	}
	place = pod_mount(pod, name, mount->target, key);
	if (!place)
		return true;
	json_add_text(place, "subPath", base);
	json_add_bool(place, "readOnly", true);
	unit_say(kube, pod->unit, EXPORT_APPROXIMATED, key,
		 "ConfigMap %s: the file as it is now, not to be written", map);
	return true;
}

static void add_bind(struct pod *pod, const struct mount *mount, bool read_only, const char *key)
{
	const struct export_options *options = pod->kube->options;
	const char *text = NULL, *name;
	size_t len = 0;
	enum export_file kind =
		options->read ? options->read(options->ctx, mount->source, FILE_MAX, &text, &len)
			      : EXPORT_FILE_MISSING;
	struct json_object *volume, *place, *source;

	if (kind == EXPORT_FILE_PLAIN && text && add_bound_file(pod, mount, text, len, key))
		return;
	volume = pod_volume(pod, arena_format(pod->kube->arena, "bind:%s", mount->source),
			    strrchr(mount->source, '/') ? strrchr(mount->source, '/') + 1 : "bind",
			    &name);
	if (volume) {
		source = json_add_object(volume, "hostPath");
		json_add_text(source, "path", mount->source);
		if (kind == EXPORT_FILE_FOLDER || kind == EXPORT_FILE_MISSING)
			json_add_text(source, "type", "DirectoryOrCreate");
	}
	place = pod_mount(pod, name, mount->target, key);
	if (!place)
		return;
	if (read_only)
		json_add_bool(place, "readOnly", true);
	add_propagation(pod, mount, place, key);
	unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
		 "hostPath %s of the node that the pod runs on", mount->source);
}

/* ---- all mounts of a service ---- */

static void add_image(struct pod *pod, const struct mount *mount, const char *key)
{
	const char *name;
	struct json_object *volume = pod_volume(
		pod, arena_format(pod->kube->arena, "image:%s", mount->source), "image", &name);
	struct json_object *place;

	if (volume)
		json_add_text(json_add_object(volume, "image"), "reference", mount->source);
	place = pod_mount(pod, name, mount->target, key);
	if (place && mount->image && mount->image->subpath)
		json_add_text(place, "subPath", mount->image->subpath);
	unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
		 "an image volume: Kubernetes 1.33 and later");
}

static void add_mount(struct pod *pod, const struct mount *mount, bool read_only, const char *key)
{
	const struct opt_bytes none = { 0 };
	const char *name, *identity = arena_format(pod->kube->arena, "mount %s", mount->target);
	struct json_object *volume;

	if (strcmp(mount->type, "bind") == 0 && mount->source) {
		add_bind(pod, mount, read_only, key);
	} else if (strcmp(mount->type, "volume") == 0 && mount->source) {
		add_named(pod, mount, read_only, key);
	} else if (strcmp(mount->type, "volume") == 0) {
		volume = pod_volume(pod, identity, mount->target, &name);
		if (volume)
			json_object_object_add(volume, "emptyDir", json_object_new_object());
		pod_mount(pod, name, mount->target, key);
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
			 "emptyDir: empty at first, and gone with the pod");
	} else if (strcmp(mount->type, "tmpfs") == 0) {
		add_memory(pod, identity, mount->target, mount->tmpfs ? mount->tmpfs->size : none,
			   key);
		if (mount->tmpfs && mount->tmpfs->mode.is_set)
			unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
				 "a volume in memory, with mode 0777");
	} else if (strcmp(mount->type, "image") == 0 && mount->source) {
		add_image(pod, mount, key);
	} else {
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, key, "type %s has no counterpart",
			 mount->type);
	}
	if (mount->idmap)
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, key,
			      "idmap: has no counterpart");
}

static void add_tmpfs(struct pod *pod, const char *text, const char *key)
{
	struct slice target, options, part;
	struct opt_bytes size = { 0 };
	const char *path;
	bool is_all = true;

	slice_split(SLICE(text), ':', &target, &options);
	path = arena_strndup(pod->kube->arena, target.at, target.len);
	while (options.len > 0 && slice_next(&options, ',', &part)) {
		struct err err = ERR_NONE;
		uint64_t bytes;

		if (part.len > 5 && strncmp(part.at, "size=", 5) == 0 &&
		    units_parse_bytes(arena_strndup(pod->kube->arena, part.at + 5, part.len - 5),
				      &bytes, &err) == 0)
			size = (struct opt_bytes){ (int64_t)bytes, true };
		else
			is_all = false;
	}
	add_memory(pod, arena_format(pod->kube->arena, "mount %s", path), path, size, key);
	if (!is_all)
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
			 "a volume in memory; mount options but size are left out");
}

static void add_from(struct pod *pod, const char *text, unsigned depth)
{
	bool is_read_only;
	const struct service *from = kube_volumes_from(pod->kube->project, text, &is_read_only);

	if (!from) {
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, "volumes_from",
			      "%s: containers outside the project have no counterpart", text);
		return;
	}
	for (size_t i = 0; i < from->volume_count; i++)
		add_mount(pod, &from->volumes[i], is_read_only || from->volumes[i].read_only,
			  "volumes_from");
	for (size_t i = 0; i < from->volumes_from.count && depth < FROM_DEPTH; i++)
		add_from(pod, from->volumes_from.items[i], depth + 1);
}

void kube_mounts(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	struct arena *arena = pod->kube->arena;

	for (size_t i = 0; i < service->volume_count; i++)
		add_mount(pod, &service->volumes[i], service->volumes[i].read_only,
			  arena_format(arena, "volumes[%zu]", i));
	for (size_t i = 0; i < service->tmpfs.count; i++)
		add_tmpfs(pod, service->tmpfs.items[i], arena_format(arena, "tmpfs[%zu]", i));
	if (service->shm_size.is_set)
		add_memory(pod, "shm", "/dev/shm", service->shm_size, "shm_size");
	kube_mount_files(pod, false, service->configs, service->config_count);
	kube_mount_files(pod, true, service->secrets, service->secret_count);
	for (size_t i = 0; i < service->volumes_from.count; i++)
		add_from(pod, service->volumes_from.items[i], 0);
}

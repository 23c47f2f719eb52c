/* orchestrator/slot_files - the files of one life.
 *
 * Owns: where they lie, which namespace and which files a slot shares. May not touch: their form
 * (bundle), what is in hosts and resolv.conf (slot_names).
 */
#include "orchestrator/slot_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "orchestrator/bundle.h"
#include "orchestrator/container_find.h"
#include "orchestrator/skeleton.h"
#include "orchestrator/slot_names.h"

/* "service:x": the slot of x whose network this one uses. */
static const struct slot *shared_with(const struct slot *slot, const char *mode)
{
	struct slot *other;

	if (!mode || strncmp(mode, "service:", 8) != 0)
		return NULL;
	other = slot_find(slot->sv, mode + 8, slot->number ? slot->number : 1);
	return other ? other : slot_find(slot->sv, mode + 8, 1);
}

/* ---- the bundle ---- */

/* /proc/PID/ns/TYPE of the running container of "service:x". */
static int shared_namespace(const struct slot_files_spec *spec, const char *mode, const char *type,
			    const char **out, struct err *err)
{
	const struct slot *other = shared_with(spec->slot, mode);

	*out = NULL;
	if (!mode || strncmp(mode, "service:", 8) != 0)
		return 0;
	if (!other || !other->record || !other->record->init.pid)
		return err_set(err, ERR_BUSY, "%s: %s is not running", type, mode);
	*out = arena_format(spec->arena, "/proc/%d/ns/%s", (int)other->record->init.pid, type);
	return 0;
}

/* "container:NAME": its namespace, and its hosts, resolv.conf and hostname. */
static int container_path(const struct slot_files_spec *spec, const char *text,
			  struct slot_paths *paths, struct err *err)
{
	const struct roots *roots = spec->slot->sv->roots;
	struct container_place place;

	if (container_find_network(spec->arena, roots, text, &place, err) < 0)
		return err_wrap(err, "network_mode");
	if (place.is_host)
		return 0;
	paths->netns =
		arena_format(spec->arena, "%s/netns/%s.%s", roots->run, place.project, place.slot);
	paths->names_dir = arena_format(spec->arena, "%s/projects/%s/" SLOT_NAMES_FOLDER "/%s",
					roots->run, place.project, place.slot);
	if (access(paths->netns, F_OK) < 0)
		return err_set(err, ERR_BUSY, "network_mode: container %s is not running", text);
	return 0;
}

static const char *names_dir(const struct slot_files_spec *spec, const struct slot *slot)
{
	return arena_format(spec->arena, "%s/" SLOT_NAMES_FOLDER "/%s", slot->sv->dirs->run,
			    slot->name);
}

static int network_path(const struct slot_files_spec *spec, struct slot_paths *paths,
			struct err *err)
{
	const char *mode = spec->service->network_mode;
	const struct slot *other = shared_with(spec->slot, mode);

	if (mode && strncmp(mode, "service:", 8) == 0 &&
	    (!other || !other->net || !other->net->netns))
		return err_set(err, ERR_BUSY, "network_mode: %s has no network of its own now",
			       mode);
	if (mode && strncmp(mode, "container:", 10) == 0)
		return container_path(spec, mode + 10, paths, err);
	paths->netns = other ? other->net->netns : spec->slot->net ? spec->slot->net->netns : NULL;
	if (other)
		paths->names_dir = names_dir(spec, other);
	return 0;
}

/* The monitor reads it once and keeps its own copy below /run: nothing of it needs a disk. */
static int in_memory(const char *name, struct json_object *json, int *out_fd, struct err *err)
{
	const char *text = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	AUTO(fd) int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "write %s", name);
	*out_fd = TAKE_FD(fd);
	return 0;
}

/* What came to the specification since 1.0 only adds members; but a runtime may refuse a version
 * that it does not know (crun 1.8: all but 1.0). */
#define FOREIGN_OCI_VERSION "1.0.2"

/* Another runtime reads its bundle from a folder. */
static int write_foreign_bundle(const struct slot_files_spec *spec, struct json_object *config,
				struct err *err)
{
	const char *path = arena_format(spec->arena, "%s/bundle", spec->slot->record->id);
	AUTO(fd)
	int bundle_fd = file_open_dir(spec->slot->sv->dirs->containers_fd, path, true, err);

	json_add_text(config, "ociVersion", FOREIGN_OCI_VERSION);
	return bundle_fd < 0 ? -1 : json_write_file(bundle_fd, "config.json", config, 0, err);
}

static int write_config(const struct slot_files_spec *spec, const struct slot_paths *paths,
			const char *hostname, bool is_foreign, int *out_fd, struct err *err)
{
	struct bundle_spec bundle = { .project = spec->slot->model->project,
				      .service = spec->service,
				      .image = spec->image,
				      .user = spec->user,
				      .id = spec->slot->record->id,
				      .slot = spec->slot->name,
				      .hostname = hostname,
				      .slot_dir = paths->names_dir,
				      .netns_path = paths->netns,
				      .shares_netns = !spec->slot->net ||
						      paths->netns != spec->slot->net->netns,
				      .init_path = spec->slot->sv->init_path,
				      .mounts = spec->storage->mounts,
				      .mount_count = spec->storage->mount_count };
	AUTO(json) struct json_object *config = NULL;

	if (shared_namespace(spec, spec->service->ipc, "ipc", &bundle.ipc_path, err) < 0 ||
	    shared_namespace(spec, spec->service->pid, "pid", &bundle.pid_path, err) < 0)
		return -1;
	config = bundle_config(spec->arena, &bundle, err);
	if (!config || (is_foreign && write_foreign_bundle(spec, config, err) < 0))
		return -1;
	return in_memory("config.json", config, out_fd, err);
}

/* Where programs of the machine are: the supervisor has no PATH of a user. */
static const char *const program_dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin" };

/* NULL in *out: ours, which the name of docker's default means too. */
static int foreign_runtime(const struct slot_files_spec *spec, const char **out, struct err *err)
{
	const char *runtime = spec->service->runtime;

	*out = NULL;
	if (!runtime || strcmp(runtime, "runc") == 0 || strcmp(runtime, "stack") == 0)
		return 0;
	if (runtime[0] == '/') {
		*out = runtime;
		return access(runtime, X_OK) < 0 ? err_sys(err, errno, "runtime %s", runtime) : 0;
	}
	for (size_t i = 0; i < sizeof(program_dirs) / sizeof(program_dirs[0]); i++) {
		*out = arena_format(spec->arena, "%s/%s", program_dirs[i], runtime);
		if (access(*out, X_OK) == 0)
			return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "runtime %s: no such program in the system's folders",
		       runtime);
}

/* The image's layers, and below them what the container's mounts stand on. */
static const char **lowers_of(const struct slot_files_spec *spec, struct err *err)
{
	const struct snapshot *image = spec->snapshot;
	const char **lowers = arena_alloc(spec->arena, (image->lower_count + 1) * sizeof(*lowers));

	for (size_t i = 0; i < image->lower_count; i++)
		lowers[i] = image->lowers[i];
	lowers[image->lower_count] = skeleton_ensure(spec->arena, spec->slot->sv->roots, err);
	return lowers[image->lower_count] ? lowers : NULL;
}

int slot_files_write(const struct slot_files_spec *spec, struct slot_paths *paths,
		     int *out_config_fd, int *out_monitor_fd, struct err *err)
{
	const struct slot *slot = spec->slot;
	const struct project_dirs *dirs = slot->sv->dirs;
	const char *own_dir = arena_format(spec->arena, "%s/slots/%s", dirs->state, slot->name);
	const struct slot_names names = { .sv = slot->sv,
					  .service = spec->service,
					  .net = slot->net,
					  .slot_name = slot->name,
					  .container = slot->record->id,
					  .arena = spec->arena };
	const char *hostname = slot_names_hostname(&names);
	const char *runtime;
	const char **lowers = lowers_of(spec, err);
	AUTO(json) struct json_object *monitor = NULL;
	struct bundle_monitor life;

	if (!lowers || foreign_runtime(spec, &runtime, err) < 0)
		return -1;
	*paths = (struct slot_paths){
		.container_dir = arena_format(spec->arena, "%s/containers/%s", dirs->state,
					      slot->record->id),
		.names_dir = names_dir(spec, slot),
		.run_dir = arena_format(spec->arena, "%s/containers/%s", dirs->roots->run,
					slot->record->id),
	};
	if (network_path(spec, paths, err) < 0 || slot_names_write(&names, err) < 0 ||
	    write_config(spec, paths, hostname, runtime != NULL, out_config_fd, err) < 0)
		return -1;
	life = (struct bundle_monitor){ .project = dirs->name,
					.state_dir = paths->container_dir,
					.slot_dir = own_dir,
					.run_dir = paths->run_dir,
					.record = slot->record,
					.service = spec->service,
					.lowers = lowers,
					.lower_count = spec->snapshot->lower_count + 1,
					.netns_path = paths->netns,
					.netns_make = slot->net && paths->netns == slot->net->netns,
					.want_sockets = spec->want_sockets,
					.runtime = runtime,
					.is_passing = slot->remove_after };
	monitor = bundle_monitor(&life, err);
	return monitor ? in_memory("monitor.json", monitor, out_monitor_fd, err) : -1;
}

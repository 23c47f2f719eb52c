/* orchestrator/storage - all mounts of one container.
 *
 * Owns: which mount a word of the file becomes, their order, the slot's anonymous volumes.
 * May not touch: how volumes are made (volumes/), config.json's form (bundle).
 */
#include "orchestrator/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/digest.h"
#include "orchestrator/storage_files.h"
#include "volumes/bind.h"
#include "volumes/seed.h"
#include "volumes/tmpfs.h"
#include "volumes/volume.h"

#define SLOT_MAX_BYTES (1u << 20)

struct builder {
	const struct storage_env *env;
	struct storage *out;
	int *lower_fds;
	size_t lower_count;
	struct json_object *anonymous; /* {"/path": "volume name"} of the slot */
	bool anonymous_changed;
	int image_fd; /* the image as one read-only mount, opened when first needed */
};

static void notice(struct builder *b, const char *text)
{
	*(const char **)arena_grow(b->out->arena, &b->out->notices.items, &b->out->notices.count,
				   sizeof(char *)) = text;
}

/* Takes a heap text into the arena. */
static const char *keep(struct builder *b, char *text)
{
	const char *copy = arena_strdup(b->out->arena, text);

	free(text);
	return copy;
}

static bool is_targeted(const struct builder *b, const char *target)
{
	for (size_t i = 0; i < b->out->mount_count; i++)
		if (strcmp(b->out->mounts[i].destination, target) == 0)
			return true;
	return false;
}

static struct bundle_mount *add_mount(struct builder *b, const char *target, const char *type,
				      const char *source, const char *options)
{
	struct bundle_mount *mount = NULL;

	for (size_t i = 0; i < b->out->mount_count && !mount; i++)
		if (strcmp(b->out->mounts[i].destination, target) == 0)
			mount = &b->out->mounts[i]; /* of two entries with one target the later counts */
	if (!mount)
		mount = arena_grow(b->out->arena, &b->out->mounts, &b->out->mount_count, sizeof(*mount));
	*mount = (struct bundle_mount){ .destination = target, .type = type, .source = source,
					.options = options };
	return mount;
}

/* ---- slot.json ---- */

static int slot_read(struct builder *b, struct err *err)
{
	AUTO(json) struct json_object *slot = json_read_file(b->env->slot_fd, "slot.json",
							      SLOT_MAX_BYTES, err);
	struct json_object *anonymous = json_object_at(slot, "anonymous");

	if (!slot && err->code != ERR_NOT_FOUND)
		return -1;
	*err = ERR_NONE;
	b->anonymous = anonymous && !b->env->renew_anonymous ? json_object_get(anonymous)
							     : json_object_new_object();
	return 0;
}

static int slot_write(struct builder *b, struct err *err)
{
	AUTO(json) struct json_object *slot = NULL;

	if (!b->anonymous_changed)
		return 0;
	slot = json_object_new_object();
	json_add_int(slot, "version", 1);
	json_object_object_add(slot, "anonymous", json_object_get(b->anonymous));
	return json_write_file(b->env->slot_fd, "slot.json", slot, JSON_SYNC, err);
}

int storage_anonymous(int slot_fd, struct arena *arena, struct texts *out, struct err *err)
{
	AUTO(json) struct json_object *slot = json_read_file(slot_fd, "slot.json", SLOT_MAX_BYTES, err);
	struct json_object *anonymous = json_object_at(slot, "anonymous");

	*out = (struct texts){ NULL, 0 };
	if (!slot)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (!anonymous)
		return 0;
	json_each(anonymous, target, name) {
		(void)target;
		*(const char **)arena_grow(arena, &out->items, &out->count, sizeof(char *)) =
			arena_strdup(arena, json_object_get_string(name));
	}
	return 0;
}

/* ---- volumes ---- */

static struct volume_pair *pairs_of(struct arena *arena, const struct pairs *pairs, size_t more)
{
	struct volume_pair *out = arena_alloc(arena, (pairs->count + more + 1) * sizeof(*out));

	for (size_t i = 0; i < pairs->count; i++)
		out[i] = (struct volume_pair){ pairs->items[i].name,
					       pairs->items[i].value ? pairs->items[i].value : "" };
	return out;
}

static void define_named(struct arena *arena, const struct project *project, const struct volume *volume,
			 struct volume_def *out)
{
	struct volume_pair *labels = pairs_of(arena, &volume->labels, 2);

	labels[volume->labels.count] =
		(struct volume_pair){ "com.docker.compose.project", project->name };
	labels[volume->labels.count + 1] =
		(struct volume_pair){ "com.docker.compose.volume", volume->key };
	*out = (struct volume_def){ .name = volume->name,
				    .driver = volume->driver,
				    .options = pairs_of(arena, &volume->driver_opts, 0),
				    .option_count = volume->driver_opts.count,
				    .labels = labels,
				    .label_count = volume->labels.count + 2,
				    .project = project->name,
				    .key = volume->key,
				    .external = volume->external };
}

/* The slot's volume for that target; a new name the first time. */
static void define_anonymous(struct builder *b, const char *target, struct volume_def *out)
{
	const char *name = json_text_or(b->anonymous, target, NULL);

	if (!name) {
		char fresh[STAMP_ID_LEN + 1];

		stamp_id(fresh, STAMP_ID_LEN);
		json_add_text(b->anonymous, target, fresh);
		b->anonymous_changed = true;
		name = arena_strdup(b->out->arena, fresh);
	}
	*out = (struct volume_def){ .name = name, .project = b->env->project->name, .anonymous = true };
}

static int seed(struct builder *b, const char *volume, const char *subpath, const char *target,
		bool nocopy, struct err *err)
{
	struct seed_spec spec = { .volume = volume,
				  .subpath = subpath,
				  .lower_fds = b->lower_fds,
				  .lower_count = b->lower_count,
				  .target = target,
				  .nocopy = nocopy };

	return seed_volume(b->env->volumes, &spec, NULL, err);
}

static void fill_user(const struct builder *b, struct volume_user *out)
{
	const struct record *record = b->env->record;

	*out = (struct volume_user){ .running = true };
	snprintf(out->id, sizeof(out->id), "%s", record->id);
	snprintf(out->project, sizeof(out->project), "%s", b->env->project->name);
	snprintf(out->container, sizeof(out->container), "%s", record->name);
}

static int add_volume(struct builder *b, const struct volume_def *def, const struct mount *mount,
		      const char *target, struct err *err)
{
	const char *subpath = mount && mount->volume ? mount->volume->subpath : NULL;
	bool nocopy = mount && mount->volume && mount->volume->nocopy;
	enum volume_outcome outcome;
	struct volume_user user;
	char *source;

	fill_user(b, &user);
	if (slot_write(b, err) < 0 || volume_ensure(b->env->volumes, def, 0, &outcome, err) < 0 ||
	    volume_activate(b->env->volumes, def->name, &user, err) < 0)
		return -1;
	*(const char **)arena_grow(b->out->arena, &b->out->volumes, &b->out->volume_count,
				   sizeof(char *)) = arena_strdup(b->out->arena, def->name);
	if (seed(b, def->name, subpath, target, nocopy, err) < 0)
		return -1;
	source = volume_source(b->env->volumes, def->name, subpath, b->out->stage, err);
	if (!source)
		return -1;
	add_mount(b, target, "bind", keep(b, source),
		  mount && mount->read_only ? "rbind,rprivate,ro" : "rbind,rprivate");
	return 0;
}

static int add_named_or_anonymous(struct builder *b, const struct mount *mount, struct err *err)
{
	struct volume_def def;
	const struct volume *volume;

	if (!mount->source) {
		define_anonymous(b, mount->target, &def);
		return add_volume(b, &def, mount, mount->target, err);
	}
	volume = project_find_volume(b->env->project, mount->source);
	if (!volume)
		return err_set(err, ERR_NOT_FOUND, "volume %s is not declared", mount->source);
	define_named(b->out->arena, b->env->project, volume, &def);
	return add_volume(b, &def, mount, mount->target, err);
}

/* ---- binds, tmpfs, images ---- */

static enum bind_recursive recursive_of(const char *word)
{
	if (word && strcmp(word, "disabled") == 0)
		return BIND_RECURSIVE_DISABLED;
	if (word && strcmp(word, "writable") == 0)
		return BIND_RECURSIVE_WRITABLE;
	if (word && strcmp(word, "readonly") == 0)
		return BIND_RECURSIVE_READONLY;
	return BIND_RECURSIVE_ENABLED;
}

static struct bind_spec bind_spec_of(const struct mount *mount)
{
	return (struct bind_spec){ .source = mount->source,
				   .create_host_path = mount->bind && mount->bind->create_host_path,
				   .propagation = mount->bind ? mount->bind->propagation : NULL,
				   .read_only = mount->read_only,
				   .recursive = recursive_of(mount->bind ? mount->bind->recursive : NULL),
				   .idmap = mount->idmap,
				   .caller_uid = getuid(),
				   .caller_gid = getgid() };
}

static void copy_ranges(struct bundle_id_range *out, size_t *out_count, const struct id_range *ranges,
			size_t count)
{
	_Static_assert(BIND_RANGES_MAX <= BUNDLE_RANGES_MAX, "an id exchange must fit");
	for (size_t i = 0; i < count; i++)
		out[i] = (struct bundle_id_range){ ranges[i].container, ranges[i].host, ranges[i].size };
	*out_count = count;
}

static int add_idmap(struct builder *b, const struct bind_spec *spec, const struct bind_source *source,
		     struct bundle_mount *mount, struct err *err)
{
	struct id_range ranges[BIND_RANGES_MAX];
	uid_t uid;
	gid_t gid;

	if (bind_idmap_parse(spec, &uid, &gid, err) < 0 || bind_idmap_check(source, err) < 0)
		return -1;
	copy_ranges(mount->uid_map, &mount->uid_map_count, ranges,
		    bind_idmap_ranges(b->env->user->uid, uid, ranges));
	copy_ranges(mount->gid_map, &mount->gid_map_count, ranges,
		    bind_idmap_ranges(b->env->user->gid, gid, ranges));
	return 0;
}

static int add_bind(struct builder *b, const struct mount *entry, struct err *err)
{
	struct bind_spec spec = bind_spec_of(entry);
	struct bind_source source = { .fd = -1 };
	struct bundle_mount *mount;
	char *options;
	int status = 0;

	if (bind_open(&spec, &source, err) < 0)
		return -1;
	if (source.created)
		notice(b, arena_format(b->out->arena, "created directory %s on the host%s", spec.source,
				       source.looks_like_file ? " (was a file meant?)" : ""));
	options = bind_options(&spec, err);
	if (!options) {
		close(source.fd);
		return -1;
	}
	mount = add_mount(b, entry->target, "bind", entry->source, keep(b, options));
	if (spec.idmap)
		status = add_idmap(b, &spec, &source, mount, err);
	close(source.fd);
	return status;
}

static int image_fd(struct builder *b, struct err *err)
{
	if (b->image_fd < 0)
		b->image_fd = seed_open_image(b->lower_fds, b->lower_count, err);
	return b->image_fd;
}

static int add_tmpfs(struct builder *b, const char *target, struct tmpfs_spec *spec, bool read_only,
		     struct err *err)
{
	struct err absent = ERR_NONE;
	struct stat st;
	char *options;

	if (image_fd(b, err) < 0)
		return -1;
	if (seed_stat(b->image_fd, target, &st, &absent) == 0 && S_ISDIR(st.st_mode))
		spec->target_mode = st.st_mode & 07777;
	options = tmpfs_options(spec, err);
	if (!options)
		return -1;
	add_mount(b, target, "tmpfs", "tmpfs",
		  read_only ? arena_format(b->out->arena, "%s,ro", options)
			    : arena_strdup(b->out->arena, options));
	free(options);
	return 0;
}

static int add_tmpfs_entry(struct builder *b, const struct mount *mount, struct err *err)
{
	struct tmpfs_spec spec = { 0 };

	if (mount->tmpfs) {
		spec.has_size = mount->tmpfs->size.is_set;
		spec.size_bytes = (uint64_t)mount->tmpfs->size.bytes;
		spec.has_mode = mount->tmpfs->mode.is_set;
		spec.mode = (mode_t)mount->tmpfs->mode.value;
	}
	return add_tmpfs(b, mount->target, &spec, mount->read_only, err);
}

static int add_tmpfs_text(struct builder *b, const char *text, struct err *err)
{
	const char *colon = strchr(text, ':');
	struct tmpfs_spec spec = { .text = colon ? colon + 1 : NULL };
	const char *target = colon ? arena_strndup(b->out->arena, text, (size_t)(colon - text)) : text;

	return add_tmpfs(b, target, &spec, false, err);
}

static int add_image(struct builder *b, const struct mount *mount, struct err *err)
{
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	AUTO(fd) int root_fd = -1;
	char id[DIGEST_TEXT_MAX];
	char *source;

	if (store_resolve(b->env->images, mount->source, id, err) < 0)
		return err_wrap(err, "image volume %s", mount->source);
	snapshot = snapshot_open(b->env->images, id, NULL, err);
	if (!snapshot)
		return -1;
	root_fd = snapshot_mount(snapshot, err);
	if (root_fd < 0)
		return -1;
	source = mount->image && mount->image->subpath
			 ? stage_attach_below(b->out->stage, root_fd, mount->image->subpath, err)
			 : stage_attach(b->out->stage, root_fd, true, err);
	if (!source)
		return -1;
	add_mount(b, mount->target, "bind", keep(b, source), "rbind,ro,rprivate");
	return 0;
}

/* ---- everything of a service ---- */

static int add_entry(struct builder *b, const struct mount *mount, struct err *err)
{
	static const struct {
		const char *type;
		int (*add)(struct builder *b, const struct mount *mount, struct err *err);
	} kinds[] = {
		{ "volume", add_named_or_anonymous },
		{ "bind", add_bind },
		{ "tmpfs", add_tmpfs_entry },
		{ "image", add_image },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(mount->type, kinds[i].type) == 0)
			return kinds[i].add(b, mount, err) < 0 ? err_wrap(err, "mount %s", mount->target)
							       : 0;
	return err_set(err, ERR_UNSUPPORTED, "mounts of type %s", mount->type);
}

static int add_entries(struct builder *b, const struct service *service, bool read_only,
		       struct err *err)
{
	for (size_t i = 0; i < service->volume_count; i++) {
		struct mount mount = service->volumes[i];

		mount.read_only |= read_only;
		if (add_entry(b, &mount, err) < 0)
			return -1;
	}
	return 0;
}

/* "SERVICE[:ro]": the other service's entries, before our own. */
static int add_volumes_from(struct builder *b, struct err *err)
{
	const struct texts *from = &b->env->service->volumes_from;

	for (size_t i = 0; i < from->count; i++) {
		const char *colon = strchr(from->items[i], ':');
		char name[256];
		const struct service *other;

		snprintf(name, sizeof(name), "%.*s",
			 (int)(colon ? colon - from->items[i] : (ptrdiff_t)strlen(from->items[i])),
			 from->items[i]);
		other = project_find_service(b->env->project, name);
		if (!other)
			return err_set(err, ERR_UNSUPPORTED, "volumes_from: %s is no service of this file",
				       from->items[i]);
		if (add_entries(b, other, colon && strcmp(colon, ":ro") == 0, err) < 0)
			return -1;
	}
	return 0;
}

static int add_image_volumes(struct builder *b, struct err *err)
{
	for (size_t i = 0; i < b->env->image->volumes.count; i++) {
		const char *target = b->env->image->volumes.items[i];
		struct volume_def def;

		if (is_targeted(b, target))
			continue;
		define_anonymous(b, target, &def);
		if (add_volume(b, &def, NULL, arena_strdup(b->out->arena, target), err) < 0)
			return -1;
	}
	return 0;
}

static int add_files(struct builder *b, struct err *err)
{
	struct file_grant *grants;
	struct secret_grant *deliver;
	size_t count, deliver_count = 0;

	if (storage_grants(b->out->arena, b->env->project, b->env->service, &grants, &count, err) < 0)
		return -1;
	deliver = arena_alloc(b->out->arena, (count + 1) * sizeof(*deliver));
	for (size_t i = 0; i < count; i++)
		if (!grants[i].is_bind)
			deliver[deliver_count++] = grants[i].grant;
	if (deliver_count &&
	    secret_deliver(b->env->volumes, b->out->stage, deliver, deliver_count, err) < 0)
		return -1;
	for (size_t i = 0, d = 0; i < count; i++)
		add_mount(b, grants[i].target, "bind",
			  grants[i].is_bind ? grants[i].grant.source : keep(b, deliver[d++].out_source),
			  "bind,ro,rprivate");
	return 0;
}

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += *path == '/' && path[1] != '\0';
	return depth;
}

/* Parents mount before what lies in them; the file's order otherwise (insertion sort: stable, few). */
static void sort_by_depth(struct storage *storage)
{
	for (size_t i = 1; i < storage->mount_count; i++) {
		struct bundle_mount mount = storage->mounts[i];
		size_t depth = depth_of(mount.destination), at = i;

		while (at > 0 && depth_of(storage->mounts[at - 1].destination) > depth) {
			storage->mounts[at] = storage->mounts[at - 1];
			at--;
		}
		storage->mounts[at] = mount;
	}
}

static int open_lowers(struct builder *b, struct err *err)
{
	const struct snapshot *snapshot = b->env->snapshot;

	b->lower_fds = arena_alloc(b->out->arena, (snapshot->lower_count + 1) * sizeof(int));
	for (size_t i = 0; i < snapshot->lower_count; i++) {
		b->lower_fds[i] = open(snapshot->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (b->lower_fds[i] < 0)
			return err_sys(err, errno, "open layer %s", snapshot->lowers[i]);
		b->lower_count++;
	}
	return 0;
}

/* Most containers mount nothing: then neither layers nor a stage are opened. */
static bool mounts_anything(const struct storage_env *env)
{
	const struct service *service = env->service;

	return service->volume_count || service->tmpfs.count || service->volumes_from.count ||
	       env->image->volumes.count || service->config_count || service->secret_count;
}

static int build(struct builder *b, struct err *err)
{
	const struct service *service = b->env->service;

	b->out->stage = stage_open(b->env->roots->run, b->env->record->id, err);
	if (!b->out->stage || open_lowers(b, err) < 0 || slot_read(b, err) < 0 ||
	    add_volumes_from(b, err) < 0 || add_entries(b, service, false, err) < 0)
		return -1;
	for (size_t i = 0; i < service->tmpfs.count; i++)
		if (add_tmpfs_text(b, service->tmpfs.items[i], err) < 0)
			return -1;
	if (add_image_volumes(b, err) < 0 || add_files(b, err) < 0)
		return -1;
	return slot_write(b, err);
}

int storage_prepare(const struct storage_env *env, struct storage *out, struct err *err)
{
	struct builder b = { .env = env, .out = out, .image_fd = -1 };
	int status;

	if (!mounts_anything(env))
		return 0;
	status = build(&b, err);
	for (size_t i = 0; i < b.lower_count; i++)
		close(b.lower_fds[i]);
	if (b.image_fd >= 0)
		close(b.image_fd);
	json_object_put(b.anonymous);
	if (status < 0) {
		storage_settled(env, out);
		storage_release(env->roots, env->volumes, env->record->id, out->volumes,
				out->volume_count);
		return err_wrap(err, "service %s", env->service->name);
	}
	sort_by_depth(out);
	return 0;
}

void storage_settled(const struct storage_env *env, struct storage *storage)
{
	struct err ignored = ERR_NONE; /* what stays is swept when the container is removed */

	if (!storage->stage)
		return;
	stage_close(TAKE(storage->stage));
	stage_drop(env->roots->run, env->record->id, &ignored);
}

void storage_release(const struct roots *roots, const struct volume_store *volumes,
		     const char *container_id, const char *const *names, size_t count)
{
	struct err ignored = ERR_NONE; /* use records are checked against containers when they matter */

	(void)roots;
	for (size_t i = 0; i < count; i++)
		volume_deactivate(volumes, names[i], container_id, &ignored);
}

int storage_check(const struct volume_store *volumes, const struct project *project,
		  const struct service *service, struct err *err)
{
	struct arena *arena = arena_new();
	struct file_grant *grants;
	size_t count;
	int status = storage_grants(arena, project, service, &grants, &count, err);

	for (size_t i = 0; status == 0 && i < count; i++)
		status = secret_check(volumes, &grants[i].grant, err);
	for (size_t i = 0; status == 0 && i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (strcmp(mount->type, "bind") != 0 || (mount->bind && mount->bind->create_host_path))
			continue;
		if (access(mount->source, F_OK) < 0)
			status = err_set(err, ERR_NOT_FOUND, "bind source path does not exist: %s",
					 mount->source);
	}
	arena_free(arena);
	return status < 0 ? err_wrap(err, "service %s", service->name) : 0;
}

int storage_make_volume(const struct volume_store *volumes, const struct project *project,
			const struct volume *volume, struct err *err)
{
	struct arena *arena = arena_new();
	enum volume_outcome outcome;
	struct volume_def def;
	int status;

	define_named(arena, project, volume, &def);
	status = volume_ensure(volumes, &def, 0, &outcome, err);
	arena_free(arena);
	return status;
}

int storage_contents(const struct volume_store *volumes, const struct project *project,
		     const struct service *service, char out[65], struct err *err)
{
	struct arena *arena = arena_new();
	struct digest *digest = digest_new(NULL);
	char text[DIGEST_TEXT_MAX];
	struct file_grant *grants;
	size_t count;
	int status = storage_grants(arena, project, service, &grants, &count, err);

	out[0] = '\0';
	for (size_t i = 0; status == 0 && i < count; i++) {
		char one[65] = "";

		if (grants[i].is_bind)
			continue;
		status = secret_digest(volumes, &grants[i].grant, one, err);
		digest_update(digest, grants[i].target, strlen(grants[i].target) + 1);
		digest_update(digest, one, sizeof(one));
	}
	digest_text(digest, text);
	if (status == 0 && count)
		snprintf(out, 65, "%.64s", digest_hex(text));
	digest_free(digest);
	arena_free(arena);
	return status;
}

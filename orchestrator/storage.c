/* orchestrator/storage - all mounts of one container.
 *
 * Owns: the mounts of a service as one list, their order. Its parts: storage_volumes,
 * storage_mounts. May not touch: how volumes are made (volumes/), config.json's form (bundle).
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
#include "orchestrator/storage_inner.h"
#include "volumes/bind.h"
#include "volumes/seed.h"
#include "volumes/tmpfs.h"
#include "volumes/volume.h"

/* Takes a heap text into the arena. */
const char *builder_keep(struct builder *b, char *text)
{
	const char *copy = arena_strdup(b->out->arena, text);

	free(text);
	return copy;
}

struct bundle_mount *builder_add_mount(struct builder *b, const char *target, const char *type,
				       const char *source, const char *options)
{
	struct bundle_mount *mount = NULL;

	for (size_t i = 0; i < b->out->mount_count && !mount; i++)
		if (strcmp(b->out->mounts[i].destination, target) == 0)
			mount = &b->out->mounts[i]; /* of two entries with one target the later
						       counts */
	if (!mount)
		mount = arena_grow(b->out->arena, &b->out->mounts, &b->out->mount_count,
				   sizeof(*mount));
	*mount = (struct bundle_mount){
		.destination = target, .type = type, .source = source, .options = options
	};
	return mount;
}

static bool is_targeted(const struct builder *b, const char *target)
{
	for (size_t i = 0; i < b->out->mount_count; i++)
		if (strcmp(b->out->mounts[i].destination, target) == 0)
			return true;
	return false;
}

static int add_entry(struct builder *b, const struct mount *mount, struct err *err)
{
	static const struct {
		const char *type;
		int (*add)(struct builder *b, const struct mount *mount, struct err *err);
	} kinds[] = {
		{"volume", builder_add_named},
		{ "bind",  builder_add_bind },
		{ "tmpfs", builder_add_tmpfs},
		{ "image", builder_add_image},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(mount->type, kinds[i].type) == 0)
			return kinds[i].add(b, mount, err) < 0
				       ? err_wrap(err, "mount %s", mount->target)
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
			return err_set(err, ERR_UNSUPPORTED,
				       "volumes_from: %s is no service of this file",
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
		builder_define_anonymous(b, target, &def);
		if (builder_add_volume(b, &def, NULL, arena_strdup(b->out->arena, target), err) < 0)
			return -1;
	}
	return 0;
}

static int add_files(struct builder *b, struct err *err)
{
	struct file_grant *grants;
	struct secret_grant *deliver;
	size_t count, deliver_count = 0;

	if (storage_grants(b->out->arena, b->env->project, b->env->service, &grants, &count, err) <
	    0)
		return -1;
	deliver = arena_alloc(b->out->arena, (count + 1) * sizeof(*deliver));
	for (size_t i = 0; i < count; i++)
		if (!grants[i].is_bind)
			deliver[deliver_count++] = grants[i].grant;
	if (deliver_count &&
	    secret_deliver(b->env->volumes, b->out->stage, deliver, deliver_count, err) < 0)
		return -1;
	for (size_t i = 0, d = 0; i < count; i++)
		builder_add_mount(b, grants[i].target, "bind",
				  grants[i].is_bind ? grants[i].grant.source
						    : builder_keep(b, deliver[d++].out_source),
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

/* Parents mount before what lies in them; the file's order otherwise (insertion sort: stable, few).
 */
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
	if (!b->out->stage || open_lowers(b, err) < 0 || builder_read_slot(b, err) < 0 ||
	    add_volumes_from(b, err) < 0 || add_entries(b, service, false, err) < 0)
		return -1;
	for (size_t i = 0; i < service->tmpfs.count; i++)
		if (builder_add_tmpfs_text(b, service->tmpfs.items[i], err) < 0)
			return -1;
	if (add_image_volumes(b, err) < 0 || add_files(b, err) < 0)
		return -1;
	return builder_write_slot(b, err);
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
	struct err ignored =
		ERR_NONE; /* use records are checked against containers when they matter */

	(void)roots;
	for (size_t i = 0; i < count; i++)
		volume_deactivate(volumes, names[i], container_id, &ignored);
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

/* orchestrator/storage_mounts - binds, tmpfs and image mounts of a container.
 *
 * Owns: their options. May not touch: volumes (storage_volumes), the order of mounts (storage).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/digest.h"
#include "orchestrator/storage_inner.h"
#include "volumes/bind.h"
#include "volumes/seed.h"
#include "volumes/tmpfs.h"

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
				   .recursive = recursive_of(mount->bind ? mount->bind->recursive
									 : NULL),
				   .idmap = mount->idmap,
				   .caller_uid = getuid(),
				   .caller_gid = getgid() };
}

static void copy_ranges(struct bundle_id_range *out, size_t *out_count,
			const struct id_range *ranges, size_t count)
{
	_Static_assert(BIND_RANGES_MAX <= BUNDLE_RANGES_MAX, "an id exchange must fit");
	for (size_t i = 0; i < count; i++)
		out[i] = (struct bundle_id_range){ ranges[i].container, ranges[i].host,
						   ranges[i].size };
	*out_count = count;
}

static int add_idmap(struct builder *b, const struct bind_spec *spec,
		     const struct bind_source *source, struct bundle_mount *mount, struct err *err)
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

int builder_add_bind(struct builder *b, const struct mount *entry, struct err *err)
{
	struct bind_spec spec = bind_spec_of(entry);
	struct bind_source source = { .fd = -1 };
	struct bundle_mount *mount;
	char *options;
	int status = 0;

	if (bind_open(&spec, &source, err) < 0)
		return -1;
	options = bind_options(&spec, err);
	if (!options) {
		close(source.fd);
		return -1;
	}
	mount = builder_add_mount(b, entry->target, "bind", entry->source,
				  builder_keep(b, options));
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
	builder_add_mount(b, target, "tmpfs", "tmpfs",
			  read_only ? arena_format(b->out->arena, "%s,ro", options)
				    : arena_strdup(b->out->arena, options));
	free(options);
	return 0;
}

int builder_add_tmpfs(struct builder *b, const struct mount *mount, struct err *err)
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

int builder_add_tmpfs_text(struct builder *b, const char *text, struct err *err)
{
	const char *colon = strchr(text, ':');
	struct tmpfs_spec spec = { .text = colon ? colon + 1 : NULL };
	const char *target =
		colon ? arena_strndup(b->out->arena, text, (size_t)(colon - text)) : text;

	return add_tmpfs(b, target, &spec, false, err);
}

/* "ID.0", "ID.1": the container keeps the images it mounts as it keeps its own. */
static void image_owner(char out[96], const char *id, unsigned number)
{
	snprintf(out, 96, "%s.%u", id, number);
}

int builder_add_image(struct builder *b, const struct mount *mount, struct err *err)
{
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	char owner[96];
	AUTO(fd) int root_fd = -1;
	char id[DIGEST_TEXT_MAX];
	char *source;

	if (store_resolve(b->env->images, mount->source, id, err) < 0)
		return err_wrap(err, "image volume %s", mount->source);
	image_owner(owner, b->env->record->id, b->image_count++);
	snapshot = snapshot_open(b->env->images, id, owner, err);
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
	builder_add_mount(b, mount->target, "bind", builder_keep(b, source), "rbind,ro,rprivate");
	return 0;
}

void storage_release_images(struct store *images, const struct record *record)
{
	AUTO(json) struct json_object *info = record_info(record);
	struct json_object *mounts = json_array_at(info, "mounts");
	struct err ignored = ERR_NONE; /* a claim that stays is told by system check */
	unsigned count = 0;

	for (size_t i = 0; i < json_array_count(mounts); i++) {
		const struct json_object *mount = json_object_array_get_idx(mounts, i);
		char owner[96];

		if (strcmp(json_text_or(mount, "type", ""), "image") != 0)
			continue;
		image_owner(owner, record->id, count++);
		snapshot_release(images, owner, &ignored);
	}
}

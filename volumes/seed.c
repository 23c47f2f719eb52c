/* volumes/seed - copy-up: image content into an empty volume, once, whole or not at all.
 *
 * How: what the image holds is copied into the folder ".stack-seed.part" inside the empty volume;
 * when it is complete (and on disk) that becomes ".stack-seed.full", and its entries move up one by
 * one. Whoever finds a
 * ".part" throws it away and copies again; whoever finds a ".full" goes on moving. So the volume's
 * own folder stays the same inode, which containers that run may have mounted already.
 *
 * Owns: these two names in a volume. May not touch: a volume that has content.
 */
#include "volumes/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/tree.h"
#include "volumes/attributes.h"
#include "volumes/copy_tree.h"
#include "volumes/folder.h"
#include "volumes/volume.h"

#define PART ".stack-seed.part"
#define FULL ".stack-seed.full"

int seed_open_image(const int *lower_fds, size_t lower_count, struct err *err)
{
	if (lower_count == 0)
		return err_set(err, ERR_NOT_FOUND, "the image has no layers");
	return mount_overlay(lower_fds, lower_count, -1, -1, 0, MOUNT_ATTR_RDONLY, err);
}

int seed_stat(int image_fd, const char *target, struct stat *out, struct err *err)
{
	AUTO(fd) int fd = file_open_in_root(image_fd, target, O_PATH, 0);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return err_set(err, ERR_NOT_FOUND, "%s is not in the image", target);
	if (fd < 0 || fstat(fd, out) < 0)
		return err_sys(err, errno, "%s", target);
	return 0;
}

/* Has it no entries, but perhaps a copy that was cut off? */
static int is_empty(int data_fd, bool *out, struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(data_fd, ".");
	const char *name;

	if (!dir)
		return err_sys(err, errno, "read the volume");
	*out = true;
	while (*out && (name = folder_next(dir)) != NULL)
		*out = strcmp(name, PART) == 0;
	return 0;
}

/* The entries of a complete copy move up; the ones that are there already stay as they are. */
static int move_up(int data_fd, struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(data_fd, FULL);
	const char *name;

	if (!dir && (errno == ELOOP || errno == ENOTDIR)) /* not ours: a container's */
		return tree_remove(data_fd, FULL, err);
	if (!dir)
		return err_sys(err, errno, "open " FULL);
	if (attributes_copy(dirfd(dir), ".", data_fd, ".", err) < 0)
		return -1;
	while ((name = folder_next(dir)) != NULL) {
		if (renameat2(dirfd(dir), name, data_fd, name, RENAME_NOREPLACE) < 0 &&
		    errno != EEXIST)
			return err_sys(err, errno, "move %s", name);
		crash_point("seed", "moved-one");
	}
	return tree_remove(data_fd, FULL, err);
}

static int fill(int data_fd, int source_fd, bool *out_copied, struct err *err)
{
	struct copy_tree_result result = { 0 };
	AUTO(fd) int part = -1;
	int status;

	if (tree_remove(data_fd, PART, err) < 0)
		return -1;
	if (mkdirat(data_fd, PART, 0700) < 0)
		return err_sys(err, errno, "copy image content");
	part = openat(data_fd, PART, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (part < 0)
		return err_sys(err, errno, "open " PART);
	crash_point("seed", "begun");
	status = copy_tree(source_fd, part, &result, err);
	if (status == 0 && result.has_copied && syncfs(part) < 0)
		status = err_sys(err, errno, "write image content to disk");
	crash_point("seed", "copied");
	if (status == 0 && renameat2(data_fd, PART, data_fd, FULL, RENAME_NOREPLACE) < 0)
		status = err_sys(err, errno, "complete the copy");
	if (status < 0) {
		struct err ignored = ERR_NONE;

		tree_remove(data_fd, PART, &ignored);
		return -1;
	}
	crash_point("seed", "complete");
	*out_copied = true;
	return move_up(data_fd, err);
}

/* The image's folder at the target, opened inside the image; -1 with ERR_OK: nothing to copy there.
 */
static int open_source(const struct seed_spec *spec, struct err *err)
{
	AUTO(fd) int image = -1;
	int fd;

	if (spec->lower_count == 0)
		return -1;
	image = seed_open_image(spec->lower_fds, spec->lower_count, err);
	if (image < 0)
		return -1;
	fd = file_open_in_root(image, spec->target, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		err_sys(err, errno, "%s in the image", spec->target);
	return fd;
}

/* Opens what is mounted in the container; -1 with ERR_OK: it is a file, which no copy-up is for. */
static int open_data(const struct volume_store *store, const struct seed_spec *spec,
		     struct err *err)
{
	AUTO(fd) int path_fd = volume_open(store, spec->volume, spec->subpath, err);
	int data;

	if (path_fd < 0)
		return -1;
	data = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0 && errno != ENOTDIR)
		err_sys(err, errno, "volume %s", spec->volume);
	return data;
}

/* Is there anything to do: no content, or a copy that was cut off? */
static bool may_be_filled(int data, bool nocopy, struct err *err)
{
	bool empty = false;

	if (faccessat(data, FULL, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	return !nocopy && is_empty(data, &empty, err) == 0 && empty;
}

/* The volume's lock is held. */
static int seed_locked(const struct seed_spec *spec, int data, bool *out_copied, struct err *err)
{
	AUTO(fd) int source = -1;
	struct err failed = ERR_NONE;

	if (faccessat(data, FULL, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && move_up(data, err) < 0)
		return -1;
	if (!may_be_filled(data, spec->nocopy, err))
		return err->code == ERR_OK ? 0 : -1;
	source = open_source(spec, &failed);
	if (source < 0 && failed.code == ERR_OK)
		return 0;
	if (source < 0) {
		*err = failed;
		return -1;
	}
	if (fill(data, source, out_copied, err) < 0)
		return err_wrap(err, "copy of %s from the image", spec->target);
	return 0;
}

int seed_volume(const struct volume_store *store, const struct seed_spec *spec, bool *out_copied,
		struct err *err)
{
	struct err failed = ERR_NONE;
	AUTO(fd) int data = open_data(store, spec, &failed);
	AUTO(fd) int lock = -1;
	bool copied = false;

	if (out_copied)
		*out_copied = false;
	/* A volume with content is not kept waiting for whoever reads it (export, snapshot). */
	if (data >= 0 && may_be_filled(data, spec->nocopy, &failed)) {
		lock = volume_store_lock_volume(store, spec->volume, VOLUME_LOCK_ALONE, NULL, err);
		if (lock < 0)
			return -1;
		seed_locked(spec, data, &copied, &failed);
	}
	if (out_copied)
		*out_copied = copied;
	if (failed.code == ERR_OK)
		return 0;
	*err = failed;
	return data < 0 ? -1 : err_wrap(err, "volume %s", spec->volume);
}

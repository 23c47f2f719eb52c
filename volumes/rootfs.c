/* volumes/rootfs - the writable layer of a container.
 *
 * Owns: upper/ and work/ in the container's folder. May not touch: the monitor's mounts, image
 * layers.
 */
#include "volumes/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/tree.h"
#include "volumes/attributes.h"
#include "volumes/folder.h"

#define UPPER "upper"
#define WORK  "work"

int rootfs_prepare(int container_fd, int top_lower_fd, struct err *err)
{
	AUTO(fd) int upper = -1;
	AUTO(fd) int work = -1;
	bool is_new = mkdirat(container_fd, UPPER, 0755) == 0;

	if (!is_new && errno != EEXIST)
		return err_sys(err, errno, "make " UPPER);
	upper = file_open_dir(container_fd, UPPER, false, err);
	if (upper < 0)
		return -1;
	if (is_new && (top_lower_fd >= 0 ? attributes_copy(top_lower_fd, ".", upper, ".", err)
					 : fchmod(upper, 0755)) < 0)
		return err_wrap(err, "writable layer");
	if (mkdirat(container_fd, WORK, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make " WORK);
	work = file_open_dir(container_fd, WORK, false, err);
	if (work < 0)
		return -1;
	return tree_empty(work, err) < 0 ? err_wrap(err, WORK) : 0;
}

int rootfs_drop(int container_fd, struct err *err)
{
	if (tree_remove(container_fd, UPPER, err) < 0 || tree_remove(container_fd, WORK, err) < 0)
		return err_wrap(err, "writable layer");
	return 0;
}

int rootfs_size(int container_fd, uint64_t *out_bytes, struct err *err)
{
	return folder_bytes(container_fd, UPPER, out_bytes, err);
}

int rootfs_open_stopped(int container_fd, const int *lower_fds, size_t lower_count, struct err *err)
{
	AUTO(fd) int upper = file_open_dir(container_fd, UPPER, false, err);
	AUTO(fd) int work = upper < 0 ? -1 : file_open_dir(container_fd, WORK, false, err);

	if (work < 0)
		return -1;
	if (tree_empty(work, err) < 0)
		return -1;
	return mount_overlay(lower_fds, lower_count, upper, work, 0, 0, err);
}

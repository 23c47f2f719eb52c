/* runtime/monitor_layer - the overlay that a container writes to, over lives and power cuts.
 *
 * Owns: the layer's lock, the kernel's mark of a volatile upper folder, and ours ("boot" in the
 * work folder: the boot in which a volatile life began that has not ended in order). May not touch:
 * images, other mounts.
 *
 * fsync in a layer is fsync, and the layer outlives a power cut. A volatile one (of a container
 * that is removed at its end) is never synced: what the disk has of it when the machine goes down
 * is a mixture, so such a layer is begun anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mount.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/monitor_life.h"

#define BOOT_FILE "boot"
#define LOCK_FILE "held" /* by a life, and by its overlay for a moment longer */
#define BOOT_LEN  40

/* Left by a life before: the kernel refuses a volatile upper that may have been cut off. */
static void clear_volatile_mark(int work_fd)
{
	if (unlinkat(work_fd, "work/incompat/volatile/dirty", 0) < 0 && errno == ENOENT)
		return;
	unlinkat(work_fd, "work/incompat/volatile", AT_REMOVEDIR);
	unlinkat(work_fd, "work/incompat", AT_REMOVEDIR);
}

/* A life of another boot left its mark; an empty mark is one that was cut off itself. */
static bool was_cut_off(int work_fd, const char *boot)
{
	AUTO(free) char *left = NULL;
	struct err ignored = ERR_NONE;
	size_t len;

	return file_read(work_fd, BOOT_FILE, BOOT_LEN, &left, &len, &ignored) == 0 &&
	       strcmp(left, boot) != 0;
}

/* Whatever lives before left, volatile or not, is settled; this one leaves its own mark. */
static int begin_layer(struct life *life, const char *upper, int work_fd, struct err *err)
{
	char boot[BOOT_LEN];

	life->layer_lock_fd = file_lock(work_fd, LOCK_FILE, true, err);
	if (life->layer_lock_fd < 0)
		return -1;
	stamp_boot_id(boot);
	if (was_cut_off(work_fd, boot)) {
		AUTO(fd) int upper_fd = file_open_dir(AT_FDCWD, upper, false, err);

		/* analyzer: KV_S asks of any text whether it is NULL */
		log_warn("layer-begun-anew", KV_S("container", life->spec->id),
			 KV_S("reason", "the machine went down while it was written"));
		if (upper_fd < 0 || tree_empty(upper_fd, err) < 0 ||
		    tree_remove(work_fd, "work", err) < 0)
			return -1;
	}
	clear_volatile_mark(work_fd);
	if (life->spec->rootfs_volatile)
		return file_replace(work_fd, BOOT_FILE, boot, strlen(boot), err);
	return unlinkat(work_fd, BOOT_FILE, 0) < 0 && errno != ENOENT
		       ? err_sys(err, errno, "remove %s", BOOT_FILE)
		       : 0;
}

void life_layer_end(const struct life *life)
{
	AUTO(fd) int work = -1;

	if (!life->spec->upper || !life->spec->rootfs_volatile)
		return;
	work = open(life->spec->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (work >= 0)
		unlinkat(work, BOOT_FILE, 0);
}

static int open_folder(const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open %s", path) : fd;
}

int life_layer_mount(void *ctx, struct err *err)
{
	struct life *life = ctx;
	const struct monitor_spec *spec = life->spec;
	AUTO(free)
	int *lowers = xcalloc(spec->lower_count ? spec->lower_count : 1, sizeof(*lowers));
	AUTO(fd) int upper = -1;
	AUTO(fd) int work = -1;
	size_t count = 0;
	int result = 0;

	if (spec->lower_count == 0)
		return 0;
	if (spec->upper) {
		upper = open_folder(spec->upper, err);
		work = upper < 0 ? -1 : open_folder(spec->work, err);
		if (work < 0)
			return -1;
		if (begin_layer(life, spec->upper, work, err) < 0)
			return -1;
	}
	while (count < spec->lower_count && result == 0) {
		lowers[count] = open_folder(spec->lowers[count], err);
		result = lowers[count++] < 0 ? -1 : 0;
	}
	if (result == 0)
		life->root_mount_fd =
			mount_overlay(lowers, count, upper, work,
				      spec->rootfs_volatile ? MOUNT_VOLATILE : 0, 0, err);
	while (count)
		close(lowers[--count]);
	if (life->root_mount_fd >= 0 && spec->upper && !spec->rootfs_volatile)
		life->layer_mount_fd = fcntl(life->root_mount_fd, F_DUPFD_CLOEXEC, 3);
	return result < 0 || life->root_mount_fd < 0 ? -1 : 0;
}

/* orchestrator/cli/container_root - the file system of a container as a descriptor.
 *
 * Owns: the two ways to it. May not touch: what is in it.
 */
#include "orchestrator/cli/container_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/snapshot.h"
#include "orchestrator/transfer.h"
#include "volumes/rootfs.h"

static int open_running(const struct record *record, struct err *err)
{
	AUTO(free) char *path = xformat("/proc/%d/root", (int)record->init.pid);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open the file system of %s", record->name) : fd;
}

static int open_lowers(const struct snapshot *snapshot, int *fds, size_t *out_count,
		       struct err *err)
{
	for (*out_count = 0; *out_count < snapshot->lower_count; ++*out_count) {
		fds[*out_count] =
			open(snapshot->lowers[*out_count], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[*out_count] < 0)
			return err_sys(err, errno, "open %s", snapshot->lowers[*out_count]);
	}
	return 0;
}

static int open_stopped(struct cli *cli, const struct project_dirs *dirs,
			const struct record *record, struct err *err)
{
	AUTO(store)
	struct store *store =
		transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), err);
	AUTO(snapshot)
	struct snapshot *snapshot =
		store ? snapshot_open(store, record->image_id, NULL, err) : NULL;
	AUTO(fd)
	int container_fd = snapshot ? openat(dirs->containers_fd, record->id,
					     O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				    : -1;
	AUTO(free) int *lowers = NULL;
	size_t count = 0;
	int root = -1;

	if (!snapshot)
		return -1;
	if (container_fd < 0)
		return err_sys(err, errno, "open the folder of %s", record->name);
	lowers = xcalloc(snapshot->lower_count + 1, sizeof(*lowers));
	if (open_lowers(snapshot, lowers, &count, err) == 0)
		root = rootfs_open_stopped(container_fd, lowers, count, err);
	while (count)
		close(lowers[--count]);
	return root;
}

int container_root_open(struct cli *cli, const struct project_dirs *dirs,
			const struct observed_container *container, struct err *err)
{
	if (container->alive && container->record->init.pid)
		return open_running(container->record, err);
	return open_stopped(cli, dirs, container->record, err);
}

bool container_root_lost(int root_fd, const char *target, const char *source)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	AUTO(fd) int fd = (int)syscall(SYS_openat2, root_fd, target, &how, sizeof(how));
	struct stat inside, outside;

	return fd >= 0 && fstat(fd, &inside) == 0 && S_ISREG(inside.st_mode) &&
	       stat(source, &outside) == 0 &&
	       (inside.st_ino != outside.st_ino || inside.st_dev != outside.st_dev);
}

/* runtime/layer_keeper - lets go of a writable layer's overlay a moment after the life.
 *
 * Owns: the moment, the child. May not touch: what is in the layer.
 */
#include "runtime/layer_keeper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/settle.h"

#define KEEP_MS 500 /* longer than most `down` take: what is removed by then needs no writing */

static int watch_opens(int fd)
{
	AUTO(fd) int watch_fd = inotify_init1(IN_CLOEXEC);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return watch_fd >= 0 && inotify_add_watch(watch_fd, path, IN_OPEN) >= 0 ? TAKE_FD(watch_fd)
										: -1;
}

static void __attribute__((noreturn)) keep(int mount_fd, int lock_fd, int watch_fd)
{
	struct pollfd opened = { .fd = watch_fd, .events = POLLIN };
	int ours[] = { mount_fd, lock_fd, watch_fd };
	struct err ignored = ERR_NONE;

	for (int i = 0; i < 3; i++)
		close(i);
	settle_close_others(ours, 3, 0, &ignored);
	poll(&opened, 1, KEEP_MS);
	close(mount_fd); /* in full, before the lock goes */
	_exit(0);
}

void layer_keeper_leave(int mount_fd, int lock_fd, char *word)
{
	AUTO(fd) int mount = mount_fd;
	AUTO(fd) int lock = lock_fd;
	/* Before the fork: who opens the file after our end is seen. */
	AUTO(fd) int watch = lock < 0 || mount < 0 ? -1 : watch_opens(lock);

	if (watch < 0 || fork() != 0)
		return;
	if (word)
		memset(word, '-', strlen(word));
	keep(mount, lock, watch);
}

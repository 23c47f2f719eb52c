/* bench/floor_root - the yardstick's container from the inside: root, /dev, cgroup namespace, exec.
 *
 * Owns: what happens between the clone and execve. A failed step goes home through the pipe whose
 * end-of-file otherwise says "all have exec'd".
 * May not touch: the parent's memory, other containers.
 */
#include "bench/floor.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int make_nodes(void)
{
	static const struct {
		const char *path;
		unsigned major;
		unsigned minor;
	} nodes[] = {
		{"dev/null",     1, 3},
                { "dev/zero",    1, 5},
                { "dev/full",    1, 7},
		{ "dev/random",  1, 8},
                { "dev/urandom", 1, 9},
                { "dev/tty",     5, 0},
	};

	for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) <
		    0)
			return -1;
	return 0;
}

static int make_dev(void)
{
	const unsigned long quiet = MS_NOSUID | MS_NOEXEC;

	if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k") < 0)
		return -1;
	if (make_nodes() < 0)
		return -1;
	if (mkdir("dev/pts", 0755) < 0 || mkdir("dev/shm", 01777) < 0)
		return -1;
	if (mount("devpts", "dev/pts", "devpts", quiet, "newinstance,ptmxmode=0666,mode=0620") < 0)
		return -1;
	if (symlink("pts/ptmx", "dev/ptmx") < 0)
		return -1;
	return mount("shm", "dev/shm", "tmpfs", quiet | MS_NODEV, "mode=1777,size=65536k");
}

static int build_root(const struct box *box)
{
	const unsigned long quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (chdir(box->dir) < 0 || mount("overlay", "merged", "overlay", 0, box->overlay) < 0)
		return -1;
	if (chdir("merged") < 0 || mount("proc", "proc", "proc", quiet, NULL) < 0)
		return -1;
	if (mount("sysfs", "sys", "sysfs", quiet | MS_RDONLY, NULL) < 0)
		return -1;
	if (make_dev() < 0)
		return -1;
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -1;
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -1 : 0;
}

static void give_up(const struct floor *floor, char step)
{
	char report[2] = { step, (char)errno };

	_exit(write(floor->exec_fds[1], report, sizeof report) == 2 ? 111 : 112);
}

void root_enter(const struct floor *floor, const struct box *box)
{
	static char *const empty[] = { NULL };
	char byte;

	close(box->go_fds[1]);
	if (sethostname(box->link, strlen(box->link)) < 0)
		give_up(floor, 'h');
	if (build_root(box) < 0)
		give_up(floor, 'r');
	if (read(box->go_fds[0], &byte, 1) != 1)
		give_up(floor, 'g');
	if (unshare(CLONE_NEWCGROUP) < 0) /* after the attach: its root is then our group */
		give_up(floor, 'c');
	if (net_configure(box->number) < 0)
		give_up(floor, 'n');
	execve(floor->argv[0], floor->argv, empty);
	give_up(floor, 'x');
	_exit(113);
}

/* runtime/console - the container's pty, made in its own devpts.
 *
 * Owns: master, slave, /dev/console, the controlling terminal. May not touch: what goes through it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "runtime/devices.h"
#include "runtime/rootpath.h"

#define UNIX98_SLAVE_MAJOR 136

static int check_slave(int fd, struct err *err)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat the terminal");
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) < UNIX98_SLAVE_MAJOR || major(st.st_rdev) > UNIX98_SLAVE_MAJOR + 7)
		return err_set(err, ERR_DENIED, "the terminal is no pty slave of a devpts");
	return 0;
}

int console_make(int root_fd, const struct console_spec *spec, int *out_master, int *out_slave,
		 struct err *err)
{
	AUTO(fd) int master = rootpath_open(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	AUTO(fd) int slave = -1;
	struct winsize size = { .ws_row = (unsigned short)spec->height,
				.ws_col = (unsigned short)spec->width };
	struct termios mode;
	struct statfs fs;
	int unlock = 0;

	if (master < 0)
		return err_sys(err, errno, "open /dev/pts/ptmx of the container");
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(err, ERR_DENIED, "/dev/pts of the container is no devpts");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(err, errno, "unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(err, errno, "open the terminal");
	if (check_slave(slave, err) < 0)
		return -1;
	/* The group stays as the devpts mount gives it: tty. */
	if (fchown(slave, spec->uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM)
		return err_sys(err, errno, "chown the terminal");
	if (fchmod(slave, 0620) < 0 && errno != EPERM)
		return err_sys(err, errno, "chmod the terminal");
	if (spec->plain_lines && tcgetattr(slave, &mode) == 0) {
		mode.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(slave, TCSANOW, &mode);
	}
	if ((spec->height || spec->width) && ioctl(slave, TIOCSWINSZ, &size) < 0)
		return err_sys(err, errno, "set the terminal's size");
	*out_master = TAKE_FD(master);
	*out_slave = TAKE_FD(slave);
	return 0;
}

int console_bind(struct init_job *job, int slave_fd, struct err *err)
{
	AUTO(fd) int dev_fd = rootpath_open(job->root_fd, "/dev", O_PATH | O_DIRECTORY);
	AUTO(fd) int target_fd = -1;
	AUTO(fd) int tree_fd = -1;

	if (!config_namespace(job->config, CLONE_NEWNS))
		return 0;
	if (dev_fd < 0)
		return err_sys(err, errno, "open /dev of the container");
	target_fd =
		openat(dev_fd, "console",
		       O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0620);
	if (target_fd >= 0)
		close(target_fd);
	target_fd = openat(dev_fd, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target_fd < 0)
		return err_sys(err, errno, "make /dev/console");
	tree_fd = mount_clone(slave_fd, false, err);
	return tree_fd < 0 ? -1 : mount_attach(tree_fd, target_fd, "/dev/console", err);
}

int console_take(int slave_fd, struct err *err)
{
	if (ioctl(slave_fd, TIOCSCTTY, 0) < 0)
		return err_sys(err, errno, "take the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave_fd, fd) < 0)
			return err_sys(err, errno, "terminal to %d", fd);
	return 0;
}

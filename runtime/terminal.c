/* runtime/terminal - pty pairs, sizes, raw mode, the console socket.
 *
 * Owns: the ioctls of terminals. May not touch: sessions and controlling terminals (runtime/init),
 * bytes.
 */
#include "runtime/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_CELLS      65535u
#define NAME_MAX_BYTES 4096

/* A multiplexer is what we open for writing as root: it must be the real one. */
static int check_ptmx(int fd, struct err *err)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(err, errno, "look at ptmx");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(err, ERR_INVALID, "ptmx is not the multiplexer of a devpts");
	return 0;
}

int terminal_open(int dir_fd, const char *path, int *out_master, int *out_slave, struct err *err)
{
	AUTO(fd) int master = openat(dir_fd, path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	int unlocked = 0, slave;

	if (master < 0)
		return err_sys(err, errno, "open %s", path);
	if (check_ptmx(master, err) < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(err, errno, "unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(err, errno, "open the terminal's slave");
	*out_slave = slave;
	*out_master = TAKE_FD(master);
	return 0;
}

int terminal_number(int master_fd)
{
	int number;

	return ioctl(master_fd, TIOCGPTN, &number) < 0 ? -1 : number;
}

int terminal_resize(int fd, unsigned rows, unsigned columns, struct err *err)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (rows > MAX_CELLS || columns > MAX_CELLS)
		return err_set(err, ERR_INVALID, "a terminal of %u x %u is too large", rows,
			       columns);
	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? err_sys(err, errno, "resize the terminal") : 0;
}

bool terminal_size(int fd, unsigned *out_rows, unsigned *out_columns)
{
	struct winsize size;

	*out_rows = *out_columns = 0;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return false;
	*out_rows = size.ws_row;
	*out_columns = size.ws_col;
	return true;
}

bool terminal_raw(int fd, struct termios *saved)
{
	struct termios raw;

	if (tcgetattr(fd, saved) < 0)
		return false;
	raw = *saved;
	cfmakeraw(&raw);
	raw.c_oflag = saved->c_oflag;
	return tcsetattr(fd, TCSANOW, &raw) == 0;
}

void terminal_restore(int fd, const struct termios *saved)
{
	tcsetattr(fd, TCSANOW, saved);
}

int terminal_no_cr(int fd, struct err *err)
{
	struct termios modes;

	if (tcgetattr(fd, &modes) < 0)
		return err_sys(err, errno, "read the terminal's modes");
	modes.c_oflag &= ~(tcflag_t)ONLCR;
	return tcsetattr(fd, TCSANOW, &modes) < 0 ? err_sys(err, errno, "set the terminal's modes")
						  : 0;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int terminal_send(const char *socket_path, int master_fd, const char *name, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec part = { .iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name) };
	union control control = { { 0 } };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID, "console socket: the path is above %zu bytes",
			       sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &master_fd, sizeof(int));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(err, errno, "connect to console socket %s", socket_path);
	while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "send to console socket %s", socket_path);
	return 0;
}

static int wait_readable(int fd, int timeout_ms, struct err *err)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	int n;

	while ((n = poll(&entry, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return err_sys(err, errno, "wait for the terminal");
	return n == 0 ? err_set(err, ERR_TIMEOUT, "no terminal came in %d ms", timeout_ms) : 0;
}

int terminal_receive(int listen_fd, int timeout_ms, struct err *err)
{
	char name[NAME_MAX_BYTES];
	struct iovec part = { .iov_base = name, .iov_len = sizeof(name) };
	union control control = { { 0 } };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	AUTO(fd) int fd = -1;
	struct cmsghdr *cmsg;
	int master;

	if (wait_readable(listen_fd, timeout_ms, err) < 0)
		return -1;
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "accept on the console socket");
	if (wait_readable(fd, timeout_ms, err) < 0)
		return -1;
	if (recvmsg(fd, &header, MSG_CMSG_CLOEXEC) < 0)
		return err_sys(err, errno, "receive the terminal");
	cmsg = CMSG_FIRSTHDR(&header);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return err_set(err, ERR_INVALID, "the console socket's message holds no terminal");
	memcpy(&master, CMSG_DATA(cmsg), sizeof(int));
	return master;
}

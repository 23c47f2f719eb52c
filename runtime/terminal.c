/* runtime/terminal - sizes, and the near end of a console socket.
 *
 * Owns: how a master is taken from a foreign runtime. May not touch: how ours makes a pair
 * (runtime/console), sessions, bytes.
 */
#include "runtime/terminal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_CELLS      65535u
#define NAME_MAX_BYTES 4096

int terminal_resize(int fd, unsigned rows, unsigned columns, struct err *err)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (rows > MAX_CELLS || columns > MAX_CELLS)
		return err_set(err, ERR_INVALID, "a terminal of %u x %u is too large", rows,
			       columns);
	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? err_sys(err, errno, "resize the terminal") : 0;
}

/* Room for one descriptor more than there may be: a second one is seen, and given back. */
union control {
	char bytes[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

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

/* The one descriptor of a message; -1, and all closed, when it holds none or several. */
static int only_descriptor(struct msghdr *header)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
	int fds[2] = { -1, -1 };
	size_t count;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(cmsg), (count > 2 ? 2 : count) * sizeof(int));
	if (count == 1 && !(header->msg_flags & MSG_CTRUNC))
		return fds[0];
	for (size_t i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -1;
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
	AUTO(fd) int master = -1;

	if (wait_readable(listen_fd, timeout_ms, err) < 0)
		return -1;
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "accept on the console socket");
	if (wait_readable(fd, timeout_ms, err) < 0)
		return -1;
	if (recvmsg(fd, &header, MSG_CMSG_CLOEXEC) < 0)
		return err_sys(err, errno, "receive the terminal");
	master = only_descriptor(&header);
	if (master < 0 || !isatty(master))
		return err_set(err, ERR_INVALID, "the console socket's message holds no terminal");
	return TAKE_FD(master);
}

/* runtime/sync - what the calling runtime and a container's init say to each other before the exec.
 *
 * Owns: the form of a message. May not touch: what it means to either side.
 */
#include "runtime/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

int sync_pair(int out_fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out_fds) < 0)
		return err_sys(err, errno, "socketpair");
	return 0;
}

static int send_message(int socket_fd, const struct sync_message *message, int fd)
{
	struct iovec part = { (void *)(uintptr_t)message, sizeof(*message) };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *cmsg = &control.align;

		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	/* Plain write where it is enough: a container's filter lets that through before any other
	 * call. */
	do
		n = fd >= 0 ? sendmsg(socket_fd, &header, MSG_NOSIGNAL)
			    : write(socket_fd, message, sizeof(*message));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int sync_send(int socket_fd, enum sync_kind kind, int number, const char *text, int fd)
{
	struct sync_message message = { .kind = (uint16_t)kind, .number = number };

	if (text)
		snprintf(message.text, sizeof(message.text), "%s", text);
	return send_message(socket_fd, &message, fd);
}

int sync_send_error(int socket_fd, const struct err *err, int exit_code)
{
	struct sync_message message = { .kind = SYNC_ERROR,
					.code = (uint16_t)err->code,
					.number = exit_code };

	snprintf(message.text, sizeof(message.text), "%s", err->msg);
	return send_message(socket_fd, &message, -1);
}

static int take_descriptor(struct msghdr *header)
{
	int fd = -1;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

int sync_receive(int socket_fd, struct sync_message *out, int *out_fd)
{
	struct iovec part = { out, sizeof(*out) };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	AUTO(fd) int fd = -1;
	ssize_t n;

	if (out_fd)
		*out_fd = -1;
	do
		n = out_fd ? recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC)
			   : read(socket_fd, out, sizeof(*out));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;
	if (n == 0)
		return 0;
	fd = out_fd ? take_descriptor(&header) : -1;
	if (n != sizeof(*out) || !out->kind || out->kind >= SYNC_KIND_COUNT ||
	    out->code >= ERR_CODE_COUNT) {
		errno = EBADMSG;
		return -1;
	}
	out->text[sizeof(out->text) - 1] = '\0';
	if (out_fd)
		*out_fd = TAKE_FD(fd);
	return 1;
}

int sync_expect(int socket_fd, enum sync_kind kind, int *out_number, int *out_fd, struct err *err)
{
	struct sync_message message;
	AUTO(fd) int fd = -1;
	int n = sync_receive(socket_fd, &message, out_fd ? &fd : NULL);

	if (n < 0)
		return err_sys(err, errno, "receive from the other side");
	if (n == 0)
		return err_set(err, ERR_CANCELLED, "the other side has ended");
	if (message.kind == SYNC_ERROR)
		return err_set(err, (enum err_code)message.code, "%s", message.text);
	if (message.kind != kind)
		return err_set(err, ERR_INTERNAL, "message %u where %u was expected", message.kind,
			       (unsigned)kind);
	if (out_number)
		*out_number = message.number;
	if (out_fd)
		*out_fd = TAKE_FD(fd);
	return 0;
}

/* base/message - JSON messages with descriptors, and sockets in folders.
 *
 * Owns: the datagram form. May not touch: what a message means.
 */
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"

union control {
	char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	struct cmsghdr align;
};

int message_send_text(int socket_fd, const char *text, size_t len, const int *fds, size_t fd_count,
		      struct err *err)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control = { { 0 } };

	if (len > MESSAGE_MAX || fd_count > MESSAGE_FDS_MAX)
		return err_set(err, ERR_INTERNAL, "message of %zu bytes is too large", len);
	if (fd_count) {
		struct cmsghdr *cmsg;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		cmsg = CMSG_FIRSTHDR(&header);
		if (!cmsg)
			return err_set(err, ERR_INTERNAL, "no room for descriptors");
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	while (sendmsg(socket_fd, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "send a message");
	return 0;
}

int message_send(int socket_fd, struct json_object *message, const int *fds, size_t fd_count,
		 struct err *err)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	return message_send_text(socket_fd, text, len, fds, fd_count, err);
}

/* Moves the received descriptors to fds; false when there were more than room. */
static bool take_fds(struct msghdr *header, int *fds, size_t room, size_t *out_count)
{
	bool fits = !(header->msg_flags & MSG_CTRUNC);
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < room)
				fds[count++] = fd;
			else
				close(fd), fits = false;
		}
	}
	if (!fits)
		while (count)
			close(fds[--count]);
	*out_count = count;
	return fits;
}

int message_receive(int socket_fd, struct json_object **out, int *fds, size_t *fd_count,
		    struct err *err)
{
	AUTO(free) char *text = xrealloc(NULL, MESSAGE_MAX + 1, 1);
	struct iovec part = { .iov_base = text, .iov_len = MESSAGE_MAX };
	union control control;
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	size_t room = fd_count ? *fd_count : 0, count = 0;
	ssize_t n;

	while ((n = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return err_sys(err, errno, "receive a message");
	if (fd_count)
		*fd_count = 0;
	if (!take_fds(&header, fds, room, &count))
		return err_set(err, ERR_INVALID, "message with too many descriptors");
	if (n == 0) {
		while (count)
			close(fds[--count]);
		return 0;
	}
	if (header.msg_flags & MSG_TRUNC)
		err_set(err, ERR_INVALID, "message above %d bytes", MESSAGE_MAX);
	else if ((*out = json_parse("message", text, (size_t)n, err)) != NULL) {
		if (fd_count)
			*fd_count = count;
		return 1;
	}
	while (count)
		close(fds[--count]);
	return -1;
}

static int address_of(int dir_fd, const char *name, struct sockaddr_un *out, struct err *err)
{
	out->sun_family = AF_UNIX;
	if (snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir_fd, name) >=
	    (int)sizeof(out->sun_path))
		return err_set(err, ERR_INVALID, "socket name %s is too long", name);
	return 0;
}

int message_listen(int dir_fd, const char *name, int type, bool replace, struct err *err)
{
	struct sockaddr_un address = { 0 };
	AUTO(fd) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (address_of(dir_fd, name, &address, err) < 0)
		return -1;
	if (replace)
		unlinkat(dir_fd, name, 0);
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 128) < 0)
		return err_sys(err, errno, "listen on %s", name);
	return TAKE_FD(fd);
}

int message_connect(int dir_fd, const char *name, int type, struct err *err)
{
	struct sockaddr_un address = { 0 };
	AUTO(fd) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (address_of(dir_fd, name, &address, err) < 0)
		return -1;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "connect to %s", name);
	return TAKE_FD(fd);
}

bool message_peer_is_ours(int socket_fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* tests/e2e/seccomp_agent - the other end of a seccomp listener: seccomp_agent SOCKET STATE.
 *
 * Takes one listener, writes the state that came with it into STATE, and answers every call that is
 * notified with EXDEV until the container is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int fd, const char *state_path)
{
	char text[65536], control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	FILE *out = fopen(state_path, "we");
	int listener = -1;

	if (n <= 0 || !header || !out)
		return -1;
	memcpy(&listener, CMSG_DATA(header), sizeof(listener));
	do
		fwrite(text, 1, (size_t)n, out);
	while ((n = recv(fd, text, sizeof(text), 0)) > 0);
	fclose(out);
	return listener;
}

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), listener;

	if (argc != 3)
		return 2;
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", argv[1]);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 1) < 0)
		return 1;
	listener = receive(accept4(fd, NULL, NULL, SOCK_CLOEXEC), argv[2]);
	for (;;) {
		struct pollfd ready = { .fd = listener, .events = POLLIN };
		struct seccomp_notif call;
		struct seccomp_notif_resp answer;

		/* Before Linux 6.11 the receiving call itself does not end with the container. */
		if (poll(&ready, 1, -1) < 0 || ready.revents & (POLLHUP | POLLERR | POLLNVAL))
			return 0;
		memset(&call, 0, sizeof(call));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			return 0;
		}
		memset(&answer, 0, sizeof(answer));
		answer.id = call.id;
		answer.error = -EXDEV;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

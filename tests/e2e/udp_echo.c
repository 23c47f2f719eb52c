/* tests/e2e/udp_echo - answers datagrams on port 7 with what they hold: for an image without tools.
 * With an IPv4 address and a port it sends "hello" there and prints what comes back within 20 s. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static int ask(int fd, const char *address, const char *port)
{
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)atoi(port)) };
	struct timeval limit = { .tv_sec = 20 };
	char text[1500];
	ssize_t n;

	if (inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0 ||
	    send(fd, "hello", 5, 0) != 5)
		return 1;
	n = recv(fd, text, sizeof(text), 0);
	return n < 0 || printf("%.*s\n", (int)n, text) < 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(7) }, from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[1500];

	if (argc == 3)
		return ask(fd, argv[1], argv[2]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return 1;
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &len);

		if (n < 0 || sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&from, len) != n)
			return 1;
	}
}

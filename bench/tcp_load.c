/* bench/tcp_load - both ends of the port works: a server that does next to nothing, and its load.
 *
 *   tcp_load serve PORT                     answers a first byte: 'c' one byte and close, 's' bytes
 * without end tcp_load connect ADDRESS PORT SECONDS   connections a second, one after the other on
 * each of 8 sockets tcp_load stream ADDRESS PORT SECONDS    bytes a second over one connection
 *
 * Bounded by SECONDS (at most 30). Static, to run inside a container.
 * Owns: its sockets, the figures on stdout (one line of JSON).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8, BACKLOG = 512, PIECE_BYTES = 1 << 17, SECONDS_MAX = 30 };

struct client {
	struct sockaddr_in server;
	double seconds;
	uint64_t count;
	uint64_t failed_count;
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *stream_out(void *opaque)
{
	static const char piece[PIECE_BYTES];
	int fd = (int)(intptr_t)opaque;

	while (write(fd, piece, sizeof piece) > 0)
		;
	close(fd);
	return NULL;
}

static void answer(int fd)
{
	pthread_t thread;
	char word;

	if (read(fd, &word, 1) == 1 && word == 's' &&
	    pthread_create(&thread, NULL, stream_out, (void *)(intptr_t)fd) == 0) {
		pthread_detach(thread);
		return;
	}
	if (write(fd, "x", 1) != 1)
		fprintf(stderr, "tcp_load: a client went early\n");
	close(fd);
}

__attribute__((noreturn)) static void serve(const char *port)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, BACKLOG) < 0)
		fail("listen");
	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0 && errno != ECONNABORTED && errno != EINTR)
			fail("accept");
		if (peer >= 0)
			answer(peer);
	}
}

/* A socket that has sent the word, -1 when there was no connection. */
static int ask(const struct client *client, const char *word)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Closing by a reset, so that ports do not run out in TIME_WAIT. */
	struct linger reset = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (connect(fd, (const struct sockaddr *)&client->server, sizeof client->server) == 0 &&
	    write(fd, word, 1) == 1)
		return fd;
	close(fd);
	return -1;
}

static void *connect_run(void *opaque)
{
	struct client *client = opaque;
	double end = now_s() + client->seconds;
	char byte;

	while (now_s() < end) {
		int fd = ask(client, "c");

		if (fd >= 0 && read(fd, &byte, 1) == 1)
			client->count++;
		else
			client->failed_count++;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static int connect_all(const struct client *one)
{
	struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];
	uint64_t count = 0, failed = 0;
	double start = now_s();

	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = *one;
		if (pthread_create(&threads[i], NULL, connect_run, &clients[i]))
			fail("thread");
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		count += clients[i].count;
		failed += clients[i].failed_count;
	}
	printf("{\"per_s\": %.0f, \"failed\": %ju}\n", (double)count / (now_s() - start),
	       (uintmax_t)failed);
	return 0;
}

static int stream_in(const struct client *client)
{
	static char piece[PIECE_BYTES];
	double start = now_s();
	uint64_t total = 0;
	int fd = ask(client, "s");
	ssize_t len;

	if (fd < 0)
		fail("connect");
	while (now_s() < start + client->seconds && (len = read(fd, piece, sizeof piece)) > 0)
		total += (uint64_t)len;
	printf("{\"per_s\": %.0f, \"failed\": 0}\n", (double)total / (now_s() - start));
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct client client = { .server = { .sin_family = AF_INET } };

	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	if (argc == 5 && inet_pton(AF_INET, argv[2], &client.server.sin_addr) == 1) {
		client.server.sin_port = htons((uint16_t)atoi(argv[3]));
		client.seconds = atof(argv[4]);
		if (client.seconds > 0 && client.seconds <= SECONDS_MAX)
			return strcmp(argv[1], "stream") ? connect_all(&client)
							 : stream_in(&client);
	}
	fprintf(stderr, "usage: tcp_load serve port | connect|stream address port seconds\n");
	return 2;
}

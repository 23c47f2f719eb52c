/* bench/dns_load - how many questions a second a name server answers.
 *
 *   dns_load ADDRESS NAME SECONDS    asks for NAME's A record, 32 questions on the way at a time
 *
 * A question without an answer after a second counts as lost. Bounded by SECONDS (at most 30).
 * Owns: its socket, the figures on stdout (one line of JSON). Static, to run inside a container.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 32, PACKET_BYTES = 512, SECONDS_MAX = 30, HEADER_BYTES = 12 };

struct load {
	int fd;
	unsigned char question[PACKET_BYTES];
	size_t question_len;
	uint64_t sent_count, answered_count, wrong_count, lost_count;
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

/* RFC 1035 4.1: header with RD and one question, the name as labels, type A, class IN. */
static size_t make_question(unsigned char *out, const char *name)
{
	static const unsigned char header[HEADER_BYTES] = { 0, 0, 1, 0, 0, 1 };
	static const unsigned char tail[] = { 0, 0, 1, 0, 1 };
	size_t used = sizeof header;

	if (strlen(name) > 200)
		fail("name");
	memcpy(out, header, sizeof header);
	while (*name) {
		size_t len = strcspn(name, ".");

		out[used++] = (unsigned char)len;
		memcpy(out + used, name, len);
		used += len;
		name += len + (name[len] == '.');
	}
	memcpy(out + used, tail, sizeof tail);
	return used + sizeof tail;
}

static void send_some(struct load *load, int count)
{
	unsigned char packets[WINDOW][PACKET_BYTES];
	struct iovec parts[WINDOW];
	struct mmsghdr messages[WINDOW];
	int sent;

	memset(messages, 0, sizeof messages);
	for (int i = 0; i < count; i++) {
		memcpy(packets[i], load->question, load->question_len);
		packets[i][0] = (unsigned char)((load->sent_count + i) >> 8);
		packets[i][1] = (unsigned char)(load->sent_count + i);
		/* analyzer: recvmmsg fills the packets */
		parts[i] = (struct iovec){ packets[i], load->question_len };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(load->fd, messages, (unsigned)count, 0);
	if (sent < 0)
		fail("send");
	load->sent_count += (uint64_t)sent;
}

/* An answer is right when the code is 0 and there is at least one record. */
static int receive_some(struct load *load)
{
	unsigned char packets[WINDOW][PACKET_BYTES];
	struct iovec parts[WINDOW];
	struct mmsghdr messages[WINDOW];
	int count;

	memset(messages, 0, sizeof messages);
	for (int i = 0; i < WINDOW; i++) {
		parts[i] = (struct iovec){ packets[i], PACKET_BYTES };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(load->fd, messages, WINDOW, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		const unsigned char *p = packets[i];
		int right = messages[i].msg_len > HEADER_BYTES && !(p[3] & 15) && (p[6] || p[7]);

		load->answered_count++;
		load->wrong_count += !right;
	}
	return count > 0 ? count : 0;
}

static void run(struct load *load, double seconds)
{
	double end = now_s() + seconds;
	int away = 0;

	while (now_s() < end) {
		struct pollfd wait = { .fd = load->fd, .events = POLLIN };

		if (away < WINDOW) {
			send_some(load, WINDOW - away);
			away = WINDOW;
		}
		if (poll(&wait, 1, 1000) == 0) {
			load->lost_count += (uint64_t)away;
			away = 0;
			continue;
		}
		away -= receive_some(load);
		if (away < 0)
			away = 0;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct load load = { .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	double seconds = argc == 4 ? atof(argv[3]) : 0, start, took;

	if (seconds <= 0 || seconds > SECONDS_MAX ||
	    inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: dns_load address name seconds\n");
		return 2;
	}
	if (load.fd < 0 || connect(load.fd, (struct sockaddr *)&server, sizeof server) < 0)
		fail("connect");
	load.question_len = make_question(load.question, argv[2]);
	start = now_s();
	run(&load, seconds);
	took = now_s() - start;
	printf("{\"dns_qps\": %.0f, \"answered\": %ju, \"wrong\": %ju, \"lost\": %ju}\n",
	       (double)load.answered_count / took, (uintmax_t)load.answered_count,
	       (uintmax_t)load.wrong_count, (uintmax_t)load.lost_count);
	close(load.fd);
	return 0;
}

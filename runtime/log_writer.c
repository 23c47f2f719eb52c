/* runtime/log_writer - a child that writes the log file.
 *
 * Owns: the socket between the two, the shared counter. May not touch: what records say.
 */
#include "runtime/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/process.h"

#define MESSAGE_BYTES (256u << 10) /* more than any batch of the parent's */
#define ROTATE_WORD   "\n"         /* no record is empty */

struct log_writer {
	int fd;    /* the parent's end */
	pid_t pid; /* 0: reaped */
	int pidfd;
	uint64_t *dropped; /* one shared page */
};

static void reap_children(struct log_file *file)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		log_file_reaped(file, pid, status);
}

static uint64_t count_records(const char *text, size_t len)
{
	uint64_t count = 0;

	for (const char *at = text; (at = memchr(at, '\n', len - (size_t)(at - text))) != NULL;
	     at++)
		count++;
	return count;
}

/* Waits for work or for the end of a compression; false when the parent is gone. */
static ssize_t next_message(int fd, struct log_file *file, char *buffer)
{
	for (;;) {
		struct pollfd entry = { .fd = fd, .events = POLLIN };
		int busy = log_file_child(file) ? 200 : -1;
		int n = poll(&entry, 1, busy);

		reap_children(file);
		if (n > 0)
			return recv(fd, buffer, MESSAGE_BYTES, 0);
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

static void write_all(int fd, struct log_file *file, uint64_t *dropped)
{
	char *buffer = malloc(MESSAGE_BYTES);
	ssize_t n;

	while (buffer && (n = next_message(fd, file, buffer)) > 0) {
		size_t done;

		if (n == 1) {
			log_file_rotate(file);
			continue;
		}
		done = log_file_write(file, buffer, (size_t)n);
		if (done < (size_t)n)
			__atomic_add_fetch(dropped, count_records(buffer + done, (size_t)n - done),
					   __ATOMIC_RELAXED);
	}
	while (log_file_child(file)) /* let it end its compression */
		if (waitpid(log_file_child(file), NULL, 0) >= 0 || errno != EINTR)
			break;
	free(buffer);
}

/* Keeps the folder and the socket, at 3 and 4, and lets go of everything else of the parent's. */
static void be_writer(int dir_fd, int fd, const struct log_file_spec *spec, uint64_t *dropped)
{
	struct err err = ERR_NONE;
	struct log_file *file;
	sigset_t none;
	int high_dir = dup(dir_fd), high_fd = dup(fd);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (high_dir < 0 || high_fd < 0 || dup2(high_dir, 3) < 0 || dup2(high_fd, 4) < 0 ||
	    close_range(5, ~0u, 0) < 0)
		_exit(1);
	file = log_file_open(3, spec, &err);
	write_all(4, file, dropped);
	_exit(0);
}

struct log_writer *log_writer_start(int dir_fd, const struct log_file_spec *spec,
				    uint64_t max_buffer_bytes, struct err *err)
{
	struct log_writer *writer = xcalloc(1, sizeof(*writer));
	/* At least one message must fit, or none ever would. */
	int room = max_buffer_bytes > INT32_MAX / 2   ? INT32_MAX / 2
		   : max_buffer_bytes < MESSAGE_BYTES ? (int)MESSAGE_BYTES
						      : (int)max_buffer_bytes;
	int pair[2];

	writer->dropped = mmap(NULL, sizeof(*writer->dropped), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (writer->dropped == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(err, errno, "start the log's writer");
		if (writer->dropped != MAP_FAILED)
			munmap(writer->dropped, sizeof(*writer->dropped));
		free(writer);
		return NULL;
	}
	/* The kernel doubles the value for its own overhead. */
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	writer->fd = pair[0];
	writer->pid = fork();
	if (writer->pid == 0)
		be_writer(dir_fd, pair[1], spec, writer->dropped);
	close(pair[1]);
	writer->pidfd = writer->pid > 0 ? process_pidfd_open(writer->pid) : -1;
	if (writer->pid < 0) {
		err_sys(err, errno, "fork the log's writer");
		writer->pid = 0;
		log_writer_stop(writer, 0);
		return NULL;
	}
	return writer;
}

bool log_writer_put(struct log_writer *writer, const char *text, size_t len)
{
	ssize_t n;

	while ((n = send(writer->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 && errno == EINTR)
		;
	return n >= 0;
}

void log_writer_rotate(struct log_writer *writer)
{
	log_writer_put(writer, ROTATE_WORD, 1);
}

uint64_t log_writer_dropped(const struct log_writer *writer)
{
	return __atomic_load_n(writer->dropped, __ATOMIC_RELAXED);
}

bool log_writer_reaped(struct log_writer *writer, pid_t pid)
{
	if (pid != writer->pid || pid == 0)
		return false;
	writer->pid = 0;
	return true;
}

uint64_t log_writer_stop(struct log_writer *writer, int timeout_ms)
{
	struct err err = ERR_NONE;
	uint64_t dropped;

	close(writer->fd);
	if (writer->pid && process_wait_end(writer->pidfd, timeout_ms, &err) == 0)
		waitpid(writer->pid, NULL, 0);
	if (writer->pidfd >= 0)
		close(writer->pidfd);
	dropped = log_writer_dropped(writer);
	munmap(writer->dropped, sizeof(*writer->dropped));
	free(writer);
	return dropped;
}
